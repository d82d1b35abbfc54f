"""First partitions: vertices in a given order, and greedy growth by overlap; every limit but out-axons is kept.

Growth: a core takes the vertex that has the largest share of its traffic with the core already; the first vertex that
does not fit starts the next core, so that cores that follow each other talk to each other.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

import numpy as np

from chipsim.compiler.hypergraph cimport Hyper, Hypergraph, Limits, limits_of, memory_of

cdef enum:
    N_BUCKETS = 1024
    ALTERNATES = 8              # vertices tried when the best one does not fit


cdef struct Filling:
    int32_t core                # being filled
    int64_t neurons
    int64_t memory
    int64_t axons
    int64_t configs
    int32_t* heard              # [net] core that last heard it
    int32_t* synapses           # [net] of the core in `heard`
    int32_t* config_core        # [config] core that last had it


cdef inline bint add(const Hyper* h, const Limits* cap, Filling* f, int64_t v) noexcept nogil:
    """Put vertex v on the core being filled; False, and nothing changed, if a limit would break."""
    cdef int64_t axons = f.axons, memory = f.memory, i, net, had
    cdef int64_t configs = f.configs + (f.config_core[h.config[v]] != f.core)
    if f.neurons + h.size[v] > cap.neurons or configs > cap.configs:
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
    return True


cdef inline void next_core(Filling* f) noexcept nogil:
    f.core += 1
    f.neurons = f.memory = f.axons = f.configs = 0


def in_order(Hypergraph graph, order, limits, breaks=None):
    """int32[n_vertices]: cores filled in `order`, a new one where the next vertex does not fit, and before vertices
    marked in `breaks` (bool[n_vertices]) if the whole run up to the next break does not fit on what is left (neurons).
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


def grow(Hypergraph graph, limits, int64_t n_cores=0, int64_t net_limit=4096):
    """int32[n_vertices]: greedy growth; n_cores > 0 stops after so many cores and leaves the rest -1.

    Nets with more than net_limit pins draw nobody: they reach most cores in any case.
    """
    cdef Hyper* h = &graph.h
    cdef Limits cap = limits_of(limits)
    cdef int64_t n = h.n_vertices
    result = np.full(n, -1, np.int32)
    cdef int32_t[::1] core = result
    cdef double[::1] gain = np.zeros(n), total = np.zeros(n)
    cdef int32_t[::1] after = np.empty(n, np.int32), before = np.empty(n, np.int32), bucket = np.full(n, -1, np.int32)
    cdef int32_t[::1] head = np.full(N_BUCKETS, -1, np.int32), touched = np.empty(n, np.int32)
    cdef int32_t[::1] heard = np.full(max(1, h.n_nets), -1, np.int32), synapses = np.zeros(max(1, h.n_nets), np.int32)
    cdef int32_t[::1] drawn = np.full(max(1, h.n_nets), -1, np.int32)
    cdef int32_t[::1] config_core = np.full(np.asarray(graph.config).max(initial=0) + 1, -1, np.int32)
    cdef int32_t[::1] passed = np.empty(ALTERNATES, np.int32)
    cdef Filling f
    cdef int64_t left = n, seed = 0, lowest = 0, i, e, v, top, n_touched = 0, n_passed, k, _i
    cdef bint placed
    memset(&f, 0, sizeof(f))
    f.heard, f.synapses, f.config_core = &heard[0], &synapses[0], &config_core[0]
    with nogil:
        for v in range(n):
            for i in range(h.in_start[v], h.in_start[v + 1]):
                total[v] += h.weight[h.in_net[i]]
            for i in range(h.out_start[v], h.out_start[v + 1]):
                total[v] += h.weight[h.out_net[i]]
        v = 0
        while left > 0:
            # v: the vertex to put on the core
            placed = core[v] < 0 and add(h, &cap, &f, v)
            if placed:
                core[v] = f.core
                left -= 1
                if bucket[v] >= 0:
                    unlink(v, &after[0], &before[0], &bucket[0], &head[0])
                for i in range(h.in_start[v], h.in_start[v + 1]):
                    e = h.in_net[i]
                    if drawn[e] != f.core and h.pin_start[e + 1] - h.pin_start[e] <= net_limit:
                        drawn[e] = f.core
                        draw(h, e, h.weight[e], &core[0], &gain[0], &total[0], &after[0], &before[0], &bucket[0],
                             &head[0], &touched[0], &n_touched)
                for i in range(h.out_start[v], h.out_start[v + 1]):
                    e = h.out_net[i]
                    if drawn[e] != f.core and h.pin_start[e + 1] - h.pin_start[e] <= net_limit:
                        drawn[e] = f.core
                        draw(h, e, h.weight[e], &core[0], &gain[0], &total[0], &after[0], &before[0], &bucket[0],
                             &head[0], &touched[0], &n_touched)
            elif f.neurons == 0:
                with gil:
                    raise ValueError(f"vertex {v} alone breaks a limit")
            if left == 0:
                break
            # the next one: best share first, then a few alternates, then any that nobody draws
            n_passed, seed = 0, -1
            placed = False
            top = N_BUCKETS - 1
            while n_passed < ALTERNATES:
                while top >= 0 and head[top] < 0:
                    top -= 1
                if top < 0:
                    break
                v = head[top]
                if fits(h, &cap, &f, v):
                    placed = True
                    break
                if seed < 0:
                    seed = v
                unlink(v, &after[0], &before[0], &bucket[0], &head[0])
                passed[n_passed] = <int32_t>v
                n_passed += 1
            if not placed and n_passed < ALTERNATES:
                while core[lowest] >= 0:
                    lowest += 1
                k = lowest
                for _i in range(64):
                    while k < n and core[k] >= 0:
                        k += 1
                    if k == n:
                        break
                    if fits(h, &cap, &f, k):
                        v, placed = k, True
                        break
                    k += 1
            if not placed:
                if 0 < n_cores <= f.core + 1:
                    break
                for i in range(n_touched):
                    if bucket[touched[i]] >= 0:
                        unlink(touched[i], &after[0], &before[0], &bucket[0], &head[0])
                    gain[touched[i]] = 0
                n_touched = 0
                while core[lowest] >= 0:
                    lowest += 1
                v = seed if seed >= 0 else lowest
                next_core(&f)
    return result


cdef inline bint fits(const Hyper* h, const Limits* cap, Filling* f, int64_t v) noexcept nogil:
    """add() without adding."""
    cdef int64_t axons = f.axons, memory = f.memory, i, net, had
    if (f.neurons + h.size[v] > cap.neurons
            or f.configs + (f.config_core[h.config[v]] != f.core) > cap.configs):
        return False
    for i in range(h.in_start[v], h.in_start[v + 1]):
        net = h.in_net[i]
        had = f.synapses[net] if f.heard[net] == f.core else 0
        if had == 0:
            axons += h.count[net]
        memory += memory_of(h, cap, net, had + h.in_multiplicity[i]) - memory_of(h, cap, net, had)
    return axons <= cap.axons_in and memory <= cap.memory


cdef inline void unlink(int64_t v, int32_t* after, int32_t* before, int32_t* bucket, int32_t* head) noexcept nogil:
    if before[v] >= 0:
        after[before[v]] = after[v]
    else:
        head[bucket[v]] = after[v]
    if after[v] >= 0:
        before[after[v]] = before[v]
    bucket[v] = -1


cdef inline void raise_gain(int64_t v, double w, int32_t* core, double* gain, double* total, int32_t* after,
                            int32_t* before, int32_t* bucket, int32_t* head, int32_t* touched,
                            int64_t* n_touched) noexcept nogil:
    cdef int32_t b
    if core[v] >= 0:
        return
    if gain[v] == 0:
        touched[n_touched[0]] = <int32_t>v
        n_touched[0] += 1
    gain[v] += w
    b = <int32_t>((N_BUCKETS - 1) * gain[v] / total[v]) if total[v] > 0 else 0
    if b > N_BUCKETS - 1:
        b = N_BUCKETS - 1
    if b == bucket[v]:
        return
    if bucket[v] >= 0:
        unlink(v, after, before, bucket, head)
    bucket[v], before[v], after[v] = b, -1, head[b]
    if head[b] >= 0:
        before[head[b]] = <int32_t>v
    head[b] = <int32_t>v


cdef void draw(const Hyper* h, int64_t e, double w, int32_t* core, double* gain, double* total, int32_t* after,
               int32_t* before, int32_t* bucket, int32_t* head, int32_t* touched, int64_t* n_touched) noexcept nogil:
    """Net e has come to the core: everybody on it gains by coming too."""
    cdef int64_t p
    if w <= 0:
        return
    for p in range(h.pin_start[e], h.pin_start[e + 1]):
        raise_gain(h.pin[p], w, core, gain, total, after, before, bucket, head, touched, n_touched)
    if h.source[e] >= 0:
        raise_gain(h.source[e], w, core, gain, total, after, before, bucket, head, touched, n_touched)
