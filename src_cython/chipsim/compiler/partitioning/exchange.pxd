"""One step of refinement: a vertex goes to a core it has traffic with, alone or against one that is there. Inline."""
from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from chipsim.compiler.partitioning.hypergraph cimport Hyper, below, mix
from chipsim.compiler.partitioning.occupancy cimport Change, State, change_of, move, reverse, senders_within, within

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


cdef inline double attempt(State* s, int64_t v, int32_t b, double temperature, uint64_t bits) noexcept nogil:
    """Move v to b, alone or against somebody of b; the change of cost, 0 if nothing was done."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], w, best = -1
    cdef Change c = change_of(s, v, b), d, chosen
    cdef Change back
    cdef double total
    cdef int64_t _k
    if (s.neurons[b] + h.size[v] <= s.cap.neurons and s.axons_in[b] + c.axons_to <= s.cap.axons_in
            and s.memory[b] + c.memory_to <= s.cap.memory):
        if not accepted(c.cost, temperature, bits):
            return 0
        move(s, v, b, &c)
        if within(s, b) and senders_within(s, v):
            return c.cost
        back = reverse(&c)
        move(s, v, a, &back)
        return 0
    # b is full: find somebody there who would rather be, or at least can be, here
    memset(&chosen, 0, sizeof(chosen))
    for _k in range(PARTNERS if s.n_members[b] else 0):
        bits = mix(bits)
        w = s.members[b * s.room + below(bits, s.n_members[b])]
        if (s.neurons[a] - h.size[v] + h.size[w] > s.cap.neurons
                or s.neurons[b] + h.size[v] - h.size[w] > s.cap.neurons):
            continue
        d = change_of(s, w, a)
        if best < 0 or d.cost < chosen.cost:
            best, chosen = w, d
    if best < 0 or not accepted(c.cost + chosen.cost, temperature * 1.5 + 1e-12, mix(bits)):
        return 0
    move(s, v, b, &c)
    d = change_of(s, best, a)                           # exact now that v has gone
    total = c.cost + d.cost
    if accepted(total, temperature, mix(bits + 1)):
        move(s, best, a, &d)
        if within(s, a) and within(s, b) and senders_within(s, v) and senders_within(s, best):
            return total
        back = reverse(&d)
        move(s, best, b, &back)
    back = reverse(&c)
    move(s, v, a, &back)
    return 0
