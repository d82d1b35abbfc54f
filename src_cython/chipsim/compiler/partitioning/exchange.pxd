"""One step of refinement: a vertex goes to a core it has traffic with, alone or against one that is there. Inline."""
from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint64_t

from chipsim.compiler.partitioning.hypergraph cimport Hyper, below, mix
from chipsim.compiler.partitioning.occupancy cimport Change, State, change_of, cost_of, home_of, move, reach, \
    senders_within, within

cdef enum:
    PARTNERS = 4                # neurons of a full core that a swap is tried with


cdef inline bint accepted(double cost, double temperature, uint64_t bits) noexcept nogil:
    if cost <= 0:
        return cost < 0 or (bits & 1)
    if temperature <= 0 or cost > 30 * temperature:
        return False
    return <double>(bits >> 11) * 1.1102230246251565e-16 < exp(-cost / temperature)


cdef inline int32_t neighbour(State* s, int64_t v, uint64_t bits) noexcept nogil:
    """A core that v has traffic with, drawn from its nets; -1: none this time."""
    cdef const Hyper* h = s.h
    cdef int64_t n_in = h.in_start[v + 1] - h.in_start[v], n_out = h.out_start[v + 1] - h.out_start[v], i, e
    cdef uint64_t more = mix(bits)
    if n_in + n_out == 0 or (bits & 63) == 0:           # now and then any core, or an empty one would never be found
        return <int32_t>below(more, s.n_cores)
    i = below(bits, n_in + n_out)
    if i < n_in:
        e = h.in_net[h.in_start[v] + i]
        i = below(more, s.n_list[e] + (h.source[e] >= 0))
        if i == s.n_list[e]:
            return s.core[h.source[e]]
    else:
        e = h.out_net[h.out_start[v] + i - n_in]
        i = below(more, s.n_list[e])
    return s.lists[s.list_start[e] + i].core


cdef inline double sent(State* s, int64_t v, int64_t w) noexcept nogil:
    """The part of nets that v sends and w hears."""
    cdef const Hyper* h = s.h
    cdef const int32_t* at = h.in_net + h.in_start[w]
    cdef const int32_t* end = h.in_net + h.in_start[w + 1]
    cdef int64_t i, e
    cdef double total = 0
    s.work += h.out_start[v + 1] - h.out_start[v]
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        while at < end and at[0] < e:
            at += 1
        if at < end and at[0] == e and not s.looped[e]:
            total += h.weight[e] * ((reach(s, e, s.core[v]) == NULL) + (reach(s, e, s.core[w]).pins == 1))
    return total


cdef inline double together(State* s, int64_t v, int64_t w) noexcept nogil:
    """What the costs of moving v to w's core and w to v's leave out of a swap: nets that both hear, or one sends the
    other, reach both cores before and after it."""
    cdef const Hyper* h = s.h
    cdef const int32_t* in_v = h.in_net + h.in_start[v]
    cdef const int32_t* in_w = h.in_net + h.in_start[w]
    cdef const int32_t* end_v = h.in_net + h.in_start[v + 1]
    cdef const int32_t* end_w = h.in_net + h.in_start[w + 1]
    cdef int32_t a = s.core[v], b = s.core[w], home
    cdef double total = sent(s, v, w) + sent(s, w, v)
    s.work += (end_v - in_v) + (end_w - in_w)
    while in_v < end_v and in_w < end_w:
        if in_v[0] == in_w[0]:
            home = home_of(s, in_v[0])
            total += h.weight[in_v[0]] * ((home != a and reach(s, in_v[0], a).pins == 1)
                                          + (home != b and reach(s, in_v[0], b).pins == 1))
            in_v += 1
            in_w += 1
        elif in_v[0] < in_w[0]:
            in_v += 1
        else:
            in_w += 1
    return total


cdef inline bint has_room(State* s, int64_t v, int32_t b) noexcept nogil:
    """Would in-axons and memory of core b hold if v came?"""
    cdef Change c
    if not s.counted:
        return True
    c = change_of(s, v, b)
    return s.axons_in[b] + c.axons_to <= s.cap.axons_in and s.memory[b] + c.memory_to <= s.cap.memory


cdef inline double attempt(State* s, int64_t v, int32_t b, double temperature, uint64_t bits) noexcept nogil:
    """Move v to b, alone or against somebody of b; the change of cost, 0 if nothing was done."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], w, best = -1
    cdef double cost = cost_of(s, v, b), other = 0, d
    cdef int64_t _k
    cdef bint allowed
    if s.neurons[b] + h.size[v] <= s.cap.neurons:
        allowed = accepted(cost, temperature, bits)
        if not allowed and not s.counted:
            return 0
        if has_room(s, v, b):
            if not allowed:
                return 0
            move(s, v, b)
            if within(s, b) and senders_within(s, v):
                return cost
            move(s, v, a)
            return 0
    # b is full: find somebody there who would rather be, or at least can be, here
    bits = mix(bits + 1)
    for _k in range(PARTNERS if s.n_members[b] else 0):
        bits = mix(bits)
        w = s.members[b * s.room + below(bits, s.n_members[b])]
        if (s.neurons[a] - h.size[v] + h.size[w] > s.cap.neurons
                or s.neurons[b] + h.size[v] - h.size[w] > s.cap.neurons):
            continue
        d = cost_of(s, w, a)
        if best < 0 or d < other:
            best, other = w, d
    if best < 0 or not accepted(cost + other, temperature, bits):       # `together` is never negative
        return 0
    cost += other + together(s, v, best)
    if not accepted(cost, temperature, bits):
        return 0
    move(s, v, b)
    if has_room(s, best, a):
        move(s, best, a)
        if within(s, a) and within(s, b) and senders_within(s, v) and senders_within(s, best):
            return cost
        move(s, best, b)
    move(s, v, a)
    return 0
