"""The hypergraph that is partitioned: built from a directed graph, contracted by groups (see hypergraph.pxd)."""
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

UNLIMITED = 1 << 60


cdef Limits limits_of(object limits) except *:
    cdef Limits cap
    cap.neurons, cap.memory = limits.neurons, limits.memory
    cap.axons_in, cap.axons_out, cap.configs = limits.axons_in, limits.axons_out, limits.configs
    cap.block, cap.word, cap.header = limits.packing
    return cap


cdef class Hypergraph:
    """Arrays of struct Hyper as attributes of the same names (int32, int64 for starts, float64 weights)."""

    def __init__(self, size, config, source, weight, count, unit, pin_start, pin, multiplicity):
        cdef const int32_t[::1] a
        cdef const int64_t[::1] starts
        cdef const double[::1] w
        self.size, self.config = _int32(size), _int32(config)
        self.source, self.count, self.unit = _int32(source), _int32(count), _int32(unit)
        self.weight = np.ascontiguousarray(weight, np.float64)
        self.pin_start = np.ascontiguousarray(pin_start, np.int64)
        self.pin, self.multiplicity = _int32(pin), _int32(multiplicity)
        self.h.n_vertices, self.h.n_nets = len(self.size), len(self.source)
        self._transpose()
        for name in ("size", "config", "source", "count", "unit", "pin", "multiplicity", "in_net", "in_multiplicity",
                     "out_net"):
            if not len(getattr(self, name)):
                setattr(self, name, np.zeros(1, np.int32))
        if not len(self.weight):
            self.weight = np.zeros(1)
        a = self.size
        self.h.size = &a[0]
        a = self.config
        self.h.config = &a[0]
        a = self.source
        self.h.source = &a[0]
        a = self.count
        self.h.count = &a[0]
        a = self.unit
        self.h.unit = &a[0]
        w = self.weight
        self.h.weight = &w[0]
        starts = self.pin_start
        self.h.pin_start = &starts[0]
        a = self.pin
        self.h.pin = &a[0]
        a = self.multiplicity
        self.h.multiplicity = &a[0]
        starts = self.in_start
        self.h.in_start = &starts[0]
        a = self.in_net
        self.h.in_net = &a[0]
        a = self.in_multiplicity
        self.h.in_multiplicity = &a[0]
        starts = self.out_start
        self.h.out_start = &starts[0]
        a = self.out_net
        self.h.out_net = &a[0]

    @property
    def n_vertices(self):
        return self.h.n_vertices

    @property
    def n_nets(self):
        return self.h.n_nets

    @property
    def n_pins(self):
        return int(self.pin_start.max())

    def _transpose(self):
        """Incidence by vertex, nets in ascending order."""
        cdef int64_t n = self.h.n_vertices, n_nets = self.h.n_nets, e, p, at
        cdef const int64_t[::1] start = self.pin_start
        cdef const int32_t[::1] pin = self.pin, mult = self.multiplicity, source = self.source
        ins, outs = np.zeros(n + 2, np.int64), np.zeros(n + 2, np.int64)
        in_net, in_mult = np.empty(len(self.pin), np.int32), np.empty(len(self.pin), np.int32)
        out_net = np.empty(n_nets, np.int32)
        cdef int64_t[::1] i = ins, o = outs
        cdef int32_t[::1] nets = in_net, mults = in_mult, own = out_net
        with nogil:
            for e in range(n_nets):
                if source[e] >= 0:
                    o[source[e] + 2] += 1
                for p in range(start[e], start[e + 1]):
                    i[pin[p] + 2] += 1
            for p in range(n):
                i[p + 2] += i[p + 1]
                o[p + 2] += o[p + 1]
            for e in range(n_nets):
                if source[e] >= 0:
                    own[o[source[e] + 1]] = <int32_t>e
                    o[source[e] + 1] += 1
                for p in range(start[e], start[e + 1]):
                    at = i[pin[p] + 1]
                    nets[at], mults[at] = <int32_t>e, mult[p]
                    i[pin[p] + 1] += 1
        self.in_start, self.out_start = ins[: n + 1], outs[: n + 1]
        self.in_net, self.in_multiplicity, self.out_net = in_net, in_mult, out_net

    def contract(self, group, n_groups):
        """The hypergraph whose vertices are the groups: int32[n_vertices] -> 0 .. n_groups-1."""
        return contract(self.size, self.config, self.source[: self.h.n_nets], self.weight, self.count, self.unit,
                        self.pin_start, self.pin, self.multiplicity, _int32(group), n_groups)


def contract(size, config, source, weight, count, unit, pin_start, pin, multiplicity, group, n_groups):
    """Hypergraph of groups of vertices; nets of one source group that reach the same groups become one. O(pins).

    Arguments as for Hypergraph; multiplicity None: a synapse for every neuron of the vertex.
    """
    cdef int64_t n_nets = len(source), room = len(pin)
    cdef const int32_t[::1] src = source, cnt = count, bits = unit, pins = pin, to = group
    cdef const int32_t[::1] mult = pin if multiplicity is None else multiplicity, neurons = size
    cdef const int64_t[::1] start = pin_start
    cdef const double[::1] w = weight
    cdef bint each = multiplicity is None
    cdef int64_t mask = 16
    while mask < 2 * n_nets:
        mask *= 2
    new_pin, new_mult = np.empty(room, np.int32), np.empty(room, np.int32)
    new_start = np.zeros(n_nets + 1, np.int64)
    new_source, new_count, new_unit = (np.empty(n_nets, np.int32) for _ in range(3))
    new_weight = np.empty(n_nets)
    cdef int32_t[::1] np_ = new_pin, nm = new_mult, ns = new_source, nc = new_count, nu = new_unit
    cdef int64_t[::1] nst = new_start
    cdef double[::1] nw = new_weight
    cdef int64_t[::1] where = np.full(n_groups, -1, np.int64)
    cdef uint64_t[::1] key1 = np.zeros(n_nets, np.uint64), key2 = np.zeros(n_nets, np.uint64)
    cdef int32_t[::1] table = np.full(mask, -1, np.int32)
    cdef int64_t e, p, at, begin, used = 0, nets = 0, slot, other
    cdef int32_t g, s
    cdef uint64_t h1, h2
    mask -= 1
    with nogil:
        for e in range(n_nets):
            begin, at = used, used
            s = to[src[e]] if src[e] >= 0 else -1
            h1 = mix(<uint64_t>(s + 2)) + <uint64_t>bits[e]
            h2 = 0
            for p in range(start[e], start[e + 1]):
                g = to[pins[p]]
                if where[g] < begin:
                    where[g] = at
                    np_[at], nm[at] = g, 0
                    at += 1
                    h1 += mix(<uint64_t>g + 0x1000003)
                    h2 += mix(<uint64_t>g ^ <uint64_t>0x5851F42D4C957F2D)
                nm[where[g]] += neurons[pins[p]] if each else mult[p]
            if at == begin:
                continue
            slot = <int64_t>(mix(h1) & <uint64_t>mask)
            other = table[slot]
            while other >= 0 and not (key1[other] == h1 and key2[other] == h2 and ns[other] == s
                                      and nu[other] == bits[e] and nst[other + 1] - nst[other] == at - begin):
                slot = (slot + 1) & mask
                other = table[slot]
            if other >= 0:
                nw[other] += w[e]
                nc[other] += cnt[e]
                for p in range(nst[other], nst[other + 1]):
                    nm[p] += nm[where[np_[p]]]
                for p in range(begin, at):              # their places are given back
                    where[np_[p]] = -1
            else:
                table[slot] = <int32_t>nets
                key1[nets], key2[nets] = h1, h2
                ns[nets], nw[nets], nc[nets], nu[nets] = s, w[e], cnt[e], bits[e]
                used = at
                nets += 1
                nst[nets] = used
    if used < room // 2:                                # else a copy costs more than the room is worth
        new_pin, new_mult = new_pin[:used].copy(), new_mult[:used].copy()
    first = np.full(n_groups, -1, np.int64)
    first[group] = np.arange(len(group))
    return Hypergraph(np.bincount(group, weights=size, minlength=n_groups).astype(np.int32), np.asarray(config)[first],
                      new_source[:nets].copy(), new_weight[:nets].copy(), new_count[:nets].copy(),
                      new_unit[:nets].copy(), new_start[: nets + 1].copy(), new_pin[:used], new_mult[:used])


def needs_alone(Hypergraph graph, limits):
    """(in-axons, bits of synapse memory) int64[n_vertices] of every vertex on a core of its own."""
    cdef Hyper* h = &graph.h
    cdef Limits cap = limits_of(limits)
    axons_, memory_ = np.zeros(h.n_vertices, np.int64), np.zeros(h.n_vertices, np.int64)
    cdef int64_t[::1] axons = axons_, memory = memory_
    cdef int64_t v, i
    with nogil:
        for v in range(h.n_vertices):
            for i in range(h.in_start[v], h.in_start[v + 1]):
                axons[v] += h.count[h.in_net[i]]
                memory[v] += memory_of(h, &cap, h.in_net[i], h.in_multiplicity[i])
    return axons_, memory_


def signatures(pin_start, pin, int64_t n_vertices, int64_t n_hashes, seed, count=None):
    """uint64[n_vertices, 1 + n_hashes]: a sum over the nets a vertex hears, equal for twins; then min-hashes (Broder
    1997), equal with the probability that two vertices share a source (Jaccard). A net of c sources (int32[nets]
    count) stands for c hashes: the smallest of c is about a c-th of one. Zero, and all ones, where nothing is heard."""
    cdef const int64_t[::1] start = pin_start
    cdef const int32_t[::1] pins = pin
    result = np.zeros((n_vertices, 1 + n_hashes), np.uint64)
    result[:, 1:] = np.uint64(0xFFFFFFFFFFFFFFFF)
    cdef uint64_t[:, ::1] out = result
    cdef uint64_t key[8]
    cdef int64_t e, p, j
    cdef uint64_t base = mix(<uint64_t>(seed & 0xFFFFFFFF))
    cdef const int32_t[::1] sources = np.ones(start.shape[0], np.int32) if count is None else count
    with nogil:
        for e in range(start.shape[0] - 1):
            for j in range(1 + n_hashes):
                key[j] = mix(mix(<uint64_t>e + base) + <uint64_t>j)
                if j > 0:
                    key[j] //= <uint64_t>sources[e]
            for p in range(start[e], start[e + 1]):
                out[pins[p], 0] += key[0]
                for j in range(1, 1 + n_hashes):
                    if key[j] < out[pins[p], j]:
                        out[pins[p], j] = key[j]
    return result


def _int32(values):
    return np.ascontiguousarray(values, np.int32)


def first_sources(pin_start, pin, int64_t n_vertices):
    """int32[n_vertices]: the lowest net a vertex hears; -1 for none."""
    cdef const int64_t[::1] start = pin_start
    cdef const int32_t[::1] pins = pin
    result = np.full(n_vertices, -1, np.int32)
    cdef int32_t[::1] out = result
    cdef int64_t e, p
    with nogil:
        for e in range(start.shape[0] - 1):
            for p in range(start[e], start[e + 1]):
                if out[pins[p]] < 0:
                    out[pins[p]] = <int32_t>e
    return result


def packets(indptr, indices, rates, cores):
    """Packets per tick of a CSR graph by source neuron: each spike goes once to each other core with targets."""
    cdef const int64_t[::1] start = indptr
    cdef const int32_t[::1] target = indices, core = _int32(cores)
    cdef const double[::1] rate = rates
    cdef int64_t n = start.shape[0] - 1, s, p, reached
    cdef int64_t[::1] last = np.full(int(np.max(cores, initial=-1)) + 2, -1, np.int64)
    cdef double total = 0
    with nogil:
        for s in range(n):
            last[core[s]] = s
            reached = 0
            for p in range(start[s], start[s + 1]):
                if last[core[target[p]]] != s:
                    last[core[target[p]]] = s
                    reached += 1
            total += rate[s] * reached
    return total


def outputs_of(Hypergraph graph, cores):
    """(packets per tick, int32[n_vertices] out-axons of every vertex: sources x cores they reach) of a partition."""
    cdef Hyper* h = &graph.h
    cdef const int32_t[::1] core = _int32(cores)
    cdef int64_t e, p
    cdef int32_t reached, c, home
    cdef int32_t[::1] last = np.full(int(np.max(cores, initial=-1)) + 1, -1, np.int32)
    outputs = np.zeros(h.n_vertices, np.int32)
    cdef int32_t[::1] out = outputs
    cdef double cost = 0
    with nogil:
        for e in range(h.n_nets):
            reached = 0
            for p in range(h.pin_start[e], h.pin_start[e + 1]):
                c = core[h.pin[p]]
                reached += last[c] != e
                last[c] = <int32_t>e
            if h.source[e] >= 0:
                out[h.source[e]] += h.count[e] * reached
                home = last[core[h.source[e]]] == e
            else:
                home = 0
            cost += h.weight[e] * (reached - home)
    return cost, outputs
