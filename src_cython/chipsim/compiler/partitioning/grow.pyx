"""First partitions: vertices in a given order, and greedy growth by overlap. How many cores a source reaches is known
only at the end, so that the limit of out-axons is kept for the outputs expected of each vertex, where some are given.

Growth: a core takes the vertex that has the largest share of its traffic with the core already; the first vertex that
does not fit starts the next core, so that cores that follow each other talk to each other.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

import numpy as np

from chipsim.compiler.partitioning.hypergraph cimport Hyper, Hypergraph, Limits, limits_of, memory_of, mix

cdef enum:
    N_BUCKETS = 1024
    ALTERNATES = 8              # vertices tried when the best one does not fit
    FREE_TRIES = 64             # vertices tried that nobody draws
    NOWHERE = -1                # buckets: drawn by nobody
    PLACED = -2                 # on a core already
    NEVER = 0x7FFFFFFF

PINS = 20_000_000   # up to so many pins all nets draw; beyond, a part of them, but DRAWING nets of a vertex on average.
DRAWING = 48        # On a sheet of 164 nets a vertex growth takes half the time then, and ends 3 % higher.


cdef struct Filling:
    int32_t core                # being filled
    int64_t neurons
    int64_t memory
    int64_t axons
    int64_t configs
    int64_t outputs
    const int32_t* expected     # [vertex] out-axons; NULL: not looked at
    int32_t* heard              # [net] core that last heard it
    int32_t* synapses           # [net] of the core in `heard`
    int32_t* config_core        # [config] core that last had it


cdef inline bint add(const Hyper* h, const Limits* cap, Filling* f, int64_t v) noexcept nogil:
    """Put vertex v on the core being filled; False, and nothing changed, if a limit would break."""
    cdef int64_t axons = f.axons, memory = f.memory, i, net, had
    cdef int64_t configs = f.configs + (f.config_core[h.config[v]] != f.core)
    if f.neurons + h.size[v] > cap.neurons or configs > cap.configs:
        return False
    if f.expected != NULL and f.neurons > 0 and f.outputs + f.expected[v] > cap.axons_out:
        return False
    for i in range(h.in_start[v], h.in_start[v + 1]):
        net = h.in_net[i]
        had = f.synapses[net] if f.heard[net] == f.core else 0
        if had == 0:
            axons += h.count[net]
        memory += memory_of(h, cap, net, had + h.in_multiplicity[i]) - memory_of(h, cap, net, had)
    if axons > cap.axons_in or memory > cap.memory:
        return False
    for i in range(h.in_start[v], h.in_start[v + 1]):
        net = h.in_net[i]
        if f.heard[net] != f.core:
            f.heard[net] = f.core
            f.synapses[net] = 0
        f.synapses[net] += h.in_multiplicity[i]
    f.config_core[h.config[v]] = f.core
    f.neurons += h.size[v]
    f.axons, f.memory, f.configs = axons, memory, configs
    if f.expected != NULL:
        f.outputs += f.expected[v]
    return True


cdef inline void next_core(Filling* f) noexcept nogil:
    f.core += 1
    f.neurons = f.memory = f.axons = f.configs = f.outputs = 0


def in_order(Hypergraph graph, order, limits, breaks=None, outputs=None):
    """int32[n_vertices]: cores filled in `order`, a new one where the next vertex does not fit, and before vertices
    marked in `breaks` (bool[n_vertices]) if the whole run up to the next break does not fit on what is left (neurons).

    outputs  int32[n_vertices]: out-axons expected of each vertex
    """
    cdef Hyper* h = &graph.h
    cdef Limits cap = limits_of(limits)
    cdef const int64_t[::1] sequence = np.ascontiguousarray(order, np.int64)
    result = np.zeros(h.n_vertices, np.int32)
    if breaks is None:
        runs = np.zeros(h.n_vertices, np.int64)
    else:
        sizes = np.concatenate([[0], np.cumsum(np.asarray(graph.size)[order])])
        at = np.flatnonzero(breaks[order])
        runs = np.zeros(h.n_vertices, np.int64)
        runs[order[at]] = np.diff(np.append(sizes[at], sizes.max()))
    cdef const int64_t[::1] run = runs
    cdef int32_t[::1] core = result
    cdef int32_t[::1] heard = np.full(max(1, h.n_nets), -1, np.int32), synapses = np.zeros(max(1, h.n_nets), np.int32)
    cdef int32_t[::1] config_core = np.full(np.asarray(graph.config).max(initial=0) + 1, -1, np.int32)
    cdef Filling f
    cdef int64_t i, v, least
    memset(&f, 0, sizeof(f))
    f.heard, f.synapses, f.config_core = &heard[0], &synapses[0], &config_core[0]
    cdef const int32_t[::1] expected = outputs
    if outputs is not None:
        f.expected = &expected[0]
    with nogil:
        for i in range(sequence.shape[0]):
            v = sequence[i]
            if run[v] > 0 and f.neurons > 0:            # a run should not take more cores than it must
                least = (run[v] + cap.neurons - 1) // cap.neurons
                if run[v] - (cap.neurons - f.neurons) > (least - 1) * cap.neurons:
                    next_core(&f)
            if not add(h, &cap, &f, v):
                if f.neurons > 0:
                    next_core(&f)
                if not add(h, &cap, &f, v):
                    with gil:
                        raise ValueError(f"vertex {v} alone breaks a limit")
            core[v] = f.core
    return result


cdef struct Vertex:
    float gain                  # traffic with the core being filled
    float share                 # of a bucket, per unit of gain
    int32_t bucket              # by the share of its traffic that is with the core; NOWHERE, PLACED
    int32_t after               # in the bucket
    int32_t before


cdef struct Frontier:           # vertices that the core being filled draws, by how much
    Vertex* vertices
    int32_t* head               # [bucket] first vertex
    int32_t* touched            # vertices with a gain
    int64_t n_touched
    int32_t* drawn              # [net] core that drew it last; NEVER: draws nobody
    int32_t* pins               # of all nets, those that may still be drawn first; the others are lost
    int32_t* n_pins             # [net] of these


def grow(Hypergraph graph, limits, outputs=None, int64_t net_limit=4096):
    """(cores int32[n_vertices], int64[n_vertices] the vertices in the order in which they were placed): greedy growth.

    outputs    int32[n_vertices]: out-axons expected of each vertex
    net_limit  nets with more pins draw nobody: they reach most cores in any case
    Of large graphs a part of the nets draws.
    """
    cdef Hyper* h = &graph.h
    cdef Limits cap = limits_of(limits)
    cdef int64_t n = h.n_vertices
    result, sequence = np.empty(n, np.int32), np.empty(n, np.int64)
    cdef int32_t[::1] core = result
    cdef int64_t[::1] placed = sequence
    state = np.zeros(max(1, n), np.dtype([("gain", "f4"), ("share", "f4"), ("bucket", "i4"), ("after", "i4"),
                                          ("before", "i4")]))
    cdef Vertex[::1] vertices = state
    cdef int32_t[::1] head = np.full(N_BUCKETS, -1, np.int32), touched = np.empty(max(1, n), np.int32)
    cdef int32_t[::1] heard = np.full(max(1, h.n_nets), -1, np.int32), synapses = np.zeros(max(1, h.n_nets), np.int32)
    cdef int32_t[::1] drawn = np.full(max(1, h.n_nets), -1, np.int32)
    cdef int32_t[::1] pins = graph.pin.copy(), n_pins = np.append(np.diff(graph.pin_start), 0).astype(np.int32)
    cdef int32_t[::1] config_core = np.full(np.asarray(graph.config).max(initial=0) + 1, -1, np.int32)
    cdef const int32_t[::1] expected = outputs
    cdef Filling f
    cdef Frontier around
    cdef int64_t left = n, seed, lowest = 0, i, v, top, _k
    cdef uint64_t few = <uint64_t>(min(1.0, max(PINS, DRAWING * n) / (1.0 + graph.n_pins)) * 0xFFFFFFFF)
    memset(&f, 0, sizeof(f))
    f.heard, f.synapses, f.config_core = &heard[0], &synapses[0], &config_core[0]
    if outputs is not None:
        f.expected = &expected[0]
    around.vertices, around.head, around.touched, around.n_touched = &vertices[0], &head[0], &touched[0], 0
    around.drawn, around.pins, around.n_pins = &drawn[0], &pins[0], &n_pins[0]
    with nogil:
        for i in range(h.n_nets):
            if not draws(h, i, few, net_limit):
                drawn[i] = NEVER
        for v in range(n):
            vertices[v].bucket = NOWHERE
            for i in range(h.in_start[v], h.in_start[v + 1]):
                if drawn[h.in_net[i]] < 0:
                    vertices[v].share += h.weight[h.in_net[i]]
            for i in range(h.out_start[v], h.out_start[v + 1]):
                if drawn[h.out_net[i]] < 0:
                    vertices[v].share += h.weight[h.out_net[i]]
            vertices[v].share = (N_BUCKETS - 1) / vertices[v].share if vertices[v].share > 0 else 0
        while left > 0:
            # best share first, then a few alternates, then any that nobody draws
            seed, v, top = -1, -1, N_BUCKETS - 1
            for _k in range(ALTERNATES):
                while top >= 0 and head[top] < 0:
                    top -= 1
                if top < 0:
                    break
                i = head[top]
                unlink(&around, i)
                if add(h, &cap, &f, i):
                    v = i
                    break
                if seed < 0:
                    seed = i
            while vertices[lowest].bucket == PLACED:
                lowest += 1
            if v < 0 and top < 0:
                i = lowest
                for _k in range(FREE_TRIES):
                    while i < n and vertices[i].bucket == PLACED:
                        i += 1
                    if i == n:
                        break
                    if add(h, &cap, &f, i):
                        v = i
                        break
                    i += 1
            if v < 0:                                   # the core is full
                for i in range(around.n_touched):
                    v = touched[i]
                    vertices[v].gain = 0
                    if vertices[v].bucket >= 0:
                        unlink(&around, v)
                around.n_touched = 0
                v = seed if seed >= 0 else lowest
                next_core(&f)
                if not add(h, &cap, &f, v):
                    with gil:
                        raise ValueError(f"vertex {v} alone breaks a limit")
            if vertices[v].bucket >= 0:
                unlink(&around, v)
            vertices[v].bucket = PLACED
            core[v] = f.core
            placed[n - left] = v
            left -= 1
            for i in range(h.in_start[v], h.in_start[v + 1]):
                if drawn[h.in_net[i]] < f.core:
                    draw(h, &around, h.in_net[i], f.core)
            for i in range(h.out_start[v], h.out_start[v + 1]):
                if drawn[h.out_net[i]] < f.core:
                    draw(h, &around, h.out_net[i], f.core)
    return result, sequence


cdef inline bint draws(const Hyper* h, int64_t e, uint64_t few, int64_t net_limit) noexcept nogil:
    return (mix(<uint64_t>e) >> 32) <= few and h.pin_start[e + 1] - h.pin_start[e] <= net_limit and h.weight[e] > 0


cdef void draw(const Hyper* h, Frontier* around, int64_t e, int32_t core) noexcept nogil:
    """Net e has come to the core: everybody on it gains by coming too."""
    cdef int32_t* pin = around.pins + h.pin_start[e]
    cdef int32_t i = 0, n = around.n_pins[e]
    around.drawn[e] = core
    while i < n:
        if around.vertices[pin[i]].bucket == PLACED:
            n -= 1
            pin[i] = pin[n]
        else:
            raise_gain(around, pin[i], <float>h.weight[e])
            i += 1
    around.n_pins[e] = n
    if h.source[e] >= 0 and around.vertices[h.source[e]].bucket != PLACED:
        raise_gain(around, h.source[e], <float>h.weight[e])


cdef inline void raise_gain(Frontier* around, int64_t v, float weight) noexcept nogil:
    cdef Vertex* vertex = &around.vertices[v]
    cdef int32_t b
    if vertex.gain == 0:
        around.touched[around.n_touched] = <int32_t>v
        around.n_touched += 1
    vertex.gain += weight
    b = min(<int32_t>(vertex.gain * vertex.share), <int32_t>(N_BUCKETS - 1))
    if b == vertex.bucket:
        return
    if vertex.bucket >= 0:
        unlink(around, v)
    vertex.bucket, vertex.before, vertex.after = b, -1, around.head[b]
    if around.head[b] >= 0:
        around.vertices[around.head[b]].before = <int32_t>v
    around.head[b] = <int32_t>v


cdef inline void unlink(Frontier* around, int64_t v) noexcept nogil:
    cdef Vertex* vertex = &around.vertices[v]
    if vertex.before >= 0:
        around.vertices[vertex.before].after = vertex.after
    else:
        around.head[vertex.bucket] = vertex.after
    if vertex.after >= 0:
        around.vertices[vertex.after].before = vertex.before
    vertex.bucket = NOWHERE
