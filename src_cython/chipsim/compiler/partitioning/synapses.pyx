"""Passes over the synapses of a network as they stand, rows of a CSR matrix [post, pre]: who is heard, what is stored.

The layout's tables come from here: per core, synapses sorted by source and segment in two passes over the core's rows
(count, then fill), so that a synapse costs two look-ups and the four bytes it takes in the end. A sort of all synapses
by eight columns took 25 times as long and 20 times the memory (5.4 million synapses).
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

import numpy as np

from chipsim.compiler.partitioning.hypergraph cimport mix

ctypedef fused Target:
    uint16_t
    uint32_t

ctypedef fused Weight:
    int16_t
    double


def heard(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int32_t[::1] count):
    """(units int32[k], synapses int32[k]): the columns in use in these rows, each once, and how often.

    count  int32[columns] of zeros to work with; zeros again afterwards
    """
    cdef int64_t i, e, most = 0, n = 0
    cdef int32_t u
    for i in range(rows.shape[0]):
        most += indptr[rows[i] + 1] - indptr[rows[i]]
    units = np.empty(min(most, count.shape[0]), np.int32)
    cdef int32_t[::1] unit = units
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                u = indices[e]
                if count[u] == 0:
                    unit[n] = u
                    n += 1
                count[u] += 1
    units = units[:n].copy()
    synapses = np.empty(n, np.int32)
    unit = units
    cdef int32_t[::1] each = synapses
    for i in range(n):
        each[i] = count[unit[i]]
        count[unit[i]] = 0
    return units, synapses


def row_sums(const int64_t[::1] indptr, const int32_t[::1] indices, uint64_t salt):
    """uint64[rows]: a sum of hashes of each row's columns, equal where the columns are."""
    result = np.zeros(indptr.shape[0] - 1, np.uint64)
    cdef uint64_t[::1] out = result
    cdef int64_t r, e
    cdef uint64_t total
    salt = mix(salt)
    with nogil:
        for r in range(indptr.shape[0] - 1):
            total = 0
            for e in range(indptr[r], indptr[r + 1]):
                total += mix(salt + <uint64_t>indices[e])
            out[r] = total
    return result


def count_pins(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int64_t first,
               int64_t[::1] start):
    """Add 1 to start[first + column + 2] for every entry of the rows: the first half of a counting sort by source."""
    cdef int64_t i, e
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                start[first + indices[e] + 2] += 1


def fill_pins(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int64_t first,
              const int32_t[::1] vertex, int64_t[::1] start, int32_t[::1] pin):
    """Put vertex[i] of row rows[i] to each of the row's sources; start[source + 1] moves on."""
    cdef int64_t i, e, at
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                at = start[first + indices[e] + 1]
                start[first + indices[e] + 1] += 1
                pin[at] = vertex[i]


cdef class SynapseMemory:
    """Stored synapses of all cores, and the tables that lead to them, core after core.

    n_sources   sources in all;  n_synapses at most so many will be stored
    shared      bool[keys]: segments of such keys are stored once per core and pattern of (slot - first slot, weight)
    """

    cdef public object target, weight
    cdef readonly int64_t used
    cdef object per_core, kinds
    cdef int32_t[::1] total, last, n_segments, at_segment
    cdef int64_t[::1] direct, scratch
    cdef uint64_t[::1] present
    cdef const unsigned char[::1] is_shared
    cdef int64_t n_in_scratch

    def __init__(self, int64_t n_sources, int64_t n_synapses, shared, target, weight):
        self.target, self.weight = np.empty(n_synapses, target), np.empty(n_synapses, weight)
        self.total, self.last = np.zeros(n_sources, np.int32), np.full(n_sources, -1, np.int32)
        self.n_segments, self.at_segment = np.zeros(n_sources, np.int32), np.zeros(n_sources, np.int32)
        self.direct, self.scratch = np.zeros(n_sources, np.int64), np.zeros(n_sources, np.int64)
        self.present = np.zeros(n_sources // 64 + 1, np.uint64)
        self.is_shared = np.ascontiguousarray(shared, np.uint8)
        self.per_core = []

    def core(self, parts):
        """Store a core's synapses. parts, sorted by key: (key, slot of the first row, rows, indptr, indices, values,
        source numbers of the columns, place or None); indices None: dense; place[e] is set to where entry e stands."""
        cdef int64_t n_segments, n
        cdef int32_t key
        for key, _, rows, indptr, indices, _, number, _ in parts:
            self._count(key, rows, indptr, indices, number)
        source, axon_size = self._order()
        n_segments = axon_size.sum()
        start, size = np.empty(n_segments, np.int64), np.zeros(n_segments, np.int32)
        slot, kind = np.zeros(n_segments, np.int32), np.zeros(n_segments, np.int32)
        n = self.n_in_scratch
        scratch_target, scratch_weight = np.empty(n, self.target.dtype), np.empty(n, self.weight.dtype)
        for key, first, rows, indptr, indices, values, number, place in parts:
            shared = self.is_shared[key]
            _fill(key, first, rows, indptr, indices, values, number, place, self.last, self.at_segment,
                  self.scratch if shared else self.direct, start, size, kind,
                  scratch_target if shared else self.target, scratch_weight if shared else self.weight)
        if n:
            self.used = _share(self.is_shared, start, size, slot, kind, scratch_target, scratch_weight, self.target,
                               self.weight, self.used)
        self._forget(source)
        self.per_core.append((source, axon_size, start, size, slot, kind))

    def tables(self):
        """(axons per core, source, segments per axon, start, size, slot, key), all cores one after the other."""
        n_axons = np.array([len(part[0]) for part in self.per_core], np.int64)
        dtypes = (np.int32, np.int32, np.int64, np.int32, np.int32, np.int32)
        columns = [np.concatenate([part[i] for part in self.per_core]) if self.per_core else np.zeros(0, dtype)
                   for i, dtype in enumerate(dtypes)]
        return (n_axons, *columns)

    def _count(self, int32_t key, const int64_t[::1] rows, const int64_t[::1] indptr, indices,
               const int64_t[::1] number):
        """Per source: synapses in direct and scratch memory, and segments."""
        cdef const int32_t[::1] column = indices
        cdef bint dense = indices is None
        cdef int64_t i, e, begin, s
        cdef int64_t[::1] to = self.scratch if self.is_shared[key] else self.direct
        with nogil:
            for i in range(rows.shape[0]):
                begin = indptr[rows[i]]
                for e in range(begin, indptr[rows[i] + 1]):
                    s = number[e - begin if dense else column[e]]
                    to[s] += 1
                    if self.last[s] != key:
                        if self.last[s] < 0:
                            self.present[s >> 6] |= <uint64_t>1 << (s & 63)
                        self.last[s] = key
                        self.n_segments[s] += 1

    def _order(self):
        """(sources ascending, segments of each); cursors stand at each source's first synapse and segment."""
        cdef int64_t word, s, n = 0, segment = 0, used = self.used, scratch = 0, more
        cdef uint64_t bits
        for word in range(self.present.shape[0]):
            bits = self.present[word]
            while bits:
                bits &= bits - 1
                n += 1
        sources, sizes = np.empty(n, np.int32), np.empty(n, np.int32)
        cdef int32_t[::1] source = sources, size = sizes
        n = 0
        with nogil:
            for word in range(self.present.shape[0]):
                bits = self.present[word]
                s = word << 6
                while bits:
                    while not bits & 1:
                        bits >>= 1
                        s += 1
                    source[n], size[n] = <int32_t>s, self.n_segments[s]
                    n += 1
                    self.at_segment[s] = <int32_t>(segment - 1)         # a segment begins with a step on
                    segment += self.n_segments[s]
                    more = self.direct[s]
                    self.direct[s] = used
                    used += more
                    more = self.scratch[s]
                    self.scratch[s] = scratch
                    scratch += more
                    self.last[s] = -1
                    bits >>= 1
                    s += 1
                self.present[word] = 0
        self.used, self.n_in_scratch = used, scratch
        return sources, sizes

    def _forget(self, const int32_t[::1] source):
        cdef int64_t i, s
        with nogil:
            for i in range(source.shape[0]):
                s = source[i]
                self.direct[s] = self.scratch[s] = 0
                self.n_segments[s] = 0
                self.last[s] = -1


def _fill(int32_t key, int64_t first, const int64_t[::1] rows, const int64_t[::1] indptr, indices,
          const Weight[::1] values, const int64_t[::1] number, place, int32_t[::1] last, int32_t[::1] at_segment,
          int64_t[::1] cursor, int64_t[::1] start, int32_t[::1] size, int32_t[::1] kind, Target[::1] target,
          Weight[::1] weight):
    """Put the rows' synapses where the cursors of their sources stand; open a segment at each source's first one."""
    cdef const int32_t[::1] column = indices
    cdef int64_t[::1] places = place
    cdef bint dense = indices is None, placed = place is not None
    cdef int64_t i, e, begin, s, at
    with nogil:
        for i in range(rows.shape[0]):
            begin = indptr[rows[i]]
            for e in range(begin, indptr[rows[i] + 1]):
                s = number[e - begin if dense else column[e]]
                at = cursor[s]
                cursor[s] = at + 1
                if last[s] != key:
                    last[s] = key
                    at_segment[s] += 1
                    start[at_segment[s]], kind[at_segment[s]] = at, key
                size[at_segment[s]] += 1
                target[at], weight[at] = <Target>(first + i), values[e]
                if placed:
                    places[e] = at


def _share(const unsigned char[::1] shared, int64_t[::1] start, int32_t[::1] size, int32_t[::1] slot,
           const int32_t[::1] kind, Target[::1] from_target, const Weight[::1] from_weight, Target[::1] target,
           Weight[::1] weight, int64_t used):
    """Move the shared segments of a core from scratch memory to `used` and beyond, each pattern once; the new `used`.

    Patterns are found by hash and compared in full.
    """
    cdef int64_t n = start.shape[0], g, k, at, mask = 16, place, other, begin
    cdef uint64_t h
    cdef Target base
    cdef bint same
    while mask < 2 * n:
        mask *= 2
    cdef int32_t[::1] table = np.full(mask, -1, np.int32)
    cdef uint64_t[::1] hashes = np.zeros(n, np.uint64)
    mask -= 1
    with nogil:
        for g in range(n):
            if not shared[kind[g]]:
                continue
            begin = start[g]
            base = from_target[begin]
            h = <uint64_t>size[g]
            for k in range(begin, begin + size[g]):
                from_target[k] -= base
                if Weight is double:
                    h = mix(h + from_target[k]) + (<const uint64_t*>&from_weight[k])[0]
                else:
                    h = mix(h + from_target[k]) + <uint64_t><int64_t>from_weight[k]
            hashes[g] = h
            slot[g] = <int32_t>base
            place = <int64_t>(mix(h) & <uint64_t>mask)
            same = False
            while table[place] >= 0:
                other = table[place]
                if hashes[other] == h and size[other] == size[g]:
                    at = start[other]
                    same = (memcmp(&target[at], &from_target[begin], size[g] * sizeof(Target)) == 0
                            and memcmp(&weight[at], &from_weight[begin], size[g] * sizeof(Weight)) == 0)
                    if same:
                        break
                place = (place + 1) & mask
            if same:
                start[g] = start[other]
                continue
            table[place] = <int32_t>g
            for k in range(size[g]):
                target[used + k], weight[used + k] = from_target[begin + k], from_weight[begin + k]
            start[g] = used
            used += size[g]
    return used


def out_axons(const int32_t[::1] source, int64_t n_sources):
    """(start int64[n_sources + 1], axon int32[.]): the axons of each source, in their own order."""
    starts, axons = np.zeros(n_sources + 2, np.int64), np.empty(source.shape[0], np.int32)
    cdef int64_t[::1] start = starts
    cdef int32_t[::1] axon = axons
    cdef int64_t a, s
    with nogil:
        for a in range(source.shape[0]):
            start[source[a] + 2] += 1
        for s in range(n_sources):
            start[s + 2] += start[s + 1]
        for a in range(source.shape[0]):
            axon[start[source[a] + 1]] = <int32_t>a
            start[source[a] + 1] += 1
    return starts[: n_sources + 1], axons


def expand_windows(const Weight[:, :, :, ::1] weight, used, const int32_t[:, ::1] source, rows, columns, in_shape,
                   out_shape, const int64_t[::1] units, const int64_t[::1] indptr):
    """(indices int32, values) of a convolution's matrix in these rows, each row by input channel, row and column.

    weight   [out, in per group, kh, kw];  source [out, in per group]: input channel
    used     bool, like weight: where there is a synapse
    rows     (stride, padding before, dilation) of the vertical axis;  columns: of the horizontal one
    indptr   where each unit's synapses begin, and end
    """
    cdef int64_t height = in_shape[1], width = in_shape[2], tall = out_shape[1], wide = out_shape[2]
    cdef int64_t sy = rows[0], by = rows[1], dy = rows[2], sx = columns[0], bx = columns[1], dx = columns[2]
    indices, values = np.empty(indptr[units.shape[0]], np.int32), np.empty(indptr[units.shape[0]],
                                                                           np.asarray(weight).dtype)
    cdef const unsigned char[:, :, :, ::1] there = used.view(np.uint8)
    cdef int32_t[::1] index = indices
    cdef Weight[::1] value = values
    cdef int64_t i, o, c, ky, kx, y, x, at
    with nogil:
        for i in range(units.shape[0]):
            at = indptr[i]
            o = units[i] // (tall * wide)
            for c in range(weight.shape[1]):
                for ky in range(weight.shape[2]):
                    y = units[i] // wide % tall * sy - by + ky * dy
                    if y < 0 or y >= height:
                        continue
                    for kx in range(weight.shape[3]):
                        x = units[i] % wide * sx - bx + kx * dx
                        if 0 <= x < width and there[o, c, ky, kx]:
                            index[at] = <int32_t>((source[o, c] * height + y) * width + x)
                            value[at] = weight[o, c, ky, kx]
                            at += 1
    return indices, values
