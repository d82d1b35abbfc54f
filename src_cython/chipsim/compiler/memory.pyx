"""The layout's tables of synapses.

Per core they are sorted by source and segment in two passes over the core's rows (count, then fill), so that a synapse
costs two look-ups and the four bytes it takes in the end. A sort of all synapses by eight columns took 25 times as long
and 20 times the memory (5.4 million synapses).
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
            for k in range(begin, begin + size[g]):             # not always the first: connections that meet in one
                base = min(base, from_target[k])                # segment stand one after the other
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
