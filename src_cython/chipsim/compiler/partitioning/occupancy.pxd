"""Who is on which core, what that uses, and what a move costs: packets, in-axons, memory. Inline.

Which cores a net reaches, with how many vertices and synapses, stands in a short list per net. What a move costs in
packets is looked up (Sanders, Schlag 2019, gain cache of KaHyPar):

    cost(v to b) = stay[v] - affinity[v, b]
    affinity[v, b]  weight of the nets that v hears and b has (a pin, or the source), and of v's own that reach b
    stay[v]         weight of the nets v hears, less those that its core would lose with it, and of v's own on its core

so that a move that is not made costs nothing but the look; a move that is made updates the pins of those nets that come
to a core or leave it. A net that its own source hears moves with it: only the pins count there.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

from chipsim.compiler.partitioning.hypergraph cimport Hyper, Limits, memory_of

cdef enum:
    LOOK = 20                   # work of looking at a move: so many list entries take as long
    TAKE = 4                    # of taking a net along


cdef struct Reach:
    int32_t core
    int32_t pins                # vertices there
    int32_t synapses
    uint32_t last               # sum of their numbers, wrapped: with one pin, its number


cdef struct State:
    const Hyper* h
    Limits cap
    bint counted                # in-axons or memory are limited
    int64_t n_cores
    int32_t* core               # [vertex]
    int64_t* neurons            # [core] in use, each of these
    int64_t* memory
    int64_t* axons_in
    int64_t* axons_out
    int64_t* configs
    int32_t* config_count       # [core, config] vertices
    int64_t n_configs
    int64_t* list_start         # [net] into lists
    int32_t* n_list             # [net] cores it reaches
    Reach* lists
    unsigned char* looped       # [net] its source hears it
    float* affinity             # [vertex, core]; NULL: too many, costs are worked out anew every time
    double* stay                # [vertex]
    int32_t* members            # [core, room]: vertices of a core
    int64_t room
    int32_t* n_members
    int32_t* position           # [vertex] in members
    int64_t work                # list entries looked at


cdef struct Change:
    double cost
    int64_t axons_from          # in-axons that leave the old core
    int64_t axons_to            # in-axons that come to the new one
    int64_t memory_from
    int64_t memory_to


cdef inline Reach* reach(State* s, int64_t e, int32_t core) noexcept nogil:
    """Net e on a core; NULL where it has no pin."""
    cdef Reach* list_ = s.lists + s.list_start[e]
    cdef int32_t i
    for i in range(s.n_list[e]):
        if list_[i].core == core:
            return list_ + i
    return NULL


cdef inline Reach* enter(State* s, int64_t e, int64_t v, int32_t core, int32_t synapses) noexcept nogil:
    """A pin of net e comes to a core."""
    cdef Reach* r = reach(s, e, core)
    if r == NULL:
        r = s.lists + s.list_start[e] + s.n_list[e]
        r.core, r.pins, r.synapses, r.last = core, 0, 0, 0
        s.n_list[e] += 1
    r.pins += 1
    r.synapses += synapses
    r.last += <uint32_t>v
    return r


cdef inline int32_t home_of(const State* s, int64_t e) noexcept nogil:
    """The core of net e's source; a loop, or a net from outside, is at home nowhere."""
    return -1 if s.h.source[e] < 0 or s.looped[e] else s.core[s.h.source[e]]


cdef inline void attract(State* s, int64_t e, int32_t core, double weight, bint pins, bint source) noexcept nogil:
    """Net e draws its pins, or its source, to a core by so much more."""
    cdef const Hyper* h = s.h
    cdef int64_t p
    cdef float w = <float>weight
    if pins:
        s.work += h.pin_start[e + 1] - h.pin_start[e]
        for p in range(h.pin_start[e], h.pin_start[e + 1]):
            s.affinity[<int64_t>h.pin[p] * s.n_cores + core] += w
    if source and h.source[e] >= 0 and not s.looped[e]:
        s.affinity[<int64_t>h.source[e] * s.n_cores + core] += w
        if s.core[h.source[e]] == core:
            s.stay[h.source[e]] += w


cdef inline double cost_of(State* s, int64_t v, int32_t b) noexcept nogil:
    """What moving v to core b costs in packets per tick."""
    if s.affinity == NULL:
        return change_of(s, v, b).cost
    s.work += LOOK
    return s.stay[v] - s.affinity[v * s.n_cores + b]


cdef inline Change change_of(State* s, int64_t v, int32_t b) noexcept nogil:
    """What moving v to core b changes, worked out anew."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], m, home
    cdef int64_t i, e
    cdef Reach* at_a
    cdef Reach* at_b
    cdef Change c
    memset(&c, 0, sizeof(c))
    for i in range(h.in_start[v], h.in_start[v + 1]):
        e, m = h.in_net[i], h.in_multiplicity[i]
        at_a, at_b = reach(s, e, a), reach(s, e, b)
        s.work += 1 + s.n_list[e]
        home = home_of(s, e)
        if at_a.pins == 1:
            c.axons_from += h.count[e]
            if home != a:
                c.cost -= h.weight[e]
        if at_b == NULL:
            c.axons_to += h.count[e]
            if home != b:
                c.cost += h.weight[e]
        if s.cap.memory < <int64_t>1 << 60:
            c.memory_from += memory_of(h, &s.cap, e, at_a.synapses) - memory_of(h, &s.cap, e, at_a.synapses - m)
            m += 0 if at_b == NULL else at_b.synapses
            c.memory_to += memory_of(h, &s.cap, e, m)
            if at_b != NULL:
                c.memory_to -= memory_of(h, &s.cap, e, at_b.synapses)
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        if not s.looped[e]:
            s.work += 1 + s.n_list[e]
            c.cost += h.weight[e] * ((reach(s, e, a) != NULL) - (reach(s, e, b) != NULL))
    return c


cdef inline void leave(State* s, int64_t v, int64_t e, int32_t synapses, int32_t home) noexcept nogil:
    """Take v's pin of net e from its core. home: the core of the source, -1 for none."""
    cdef int32_t a = s.core[v]
    cdef Reach* r = reach(s, e, a)
    cdef const Hyper* h = s.h
    s.memory[a] -= memory_of(h, &s.cap, e, r.synapses) - memory_of(h, &s.cap, e, r.synapses - synapses)
    r.pins -= 1
    r.synapses -= synapses
    r.last -= <uint32_t>v
    if r.pins == 0:
        s.axons_in[a] -= h.count[e]
        s.n_list[e] -= 1
        r[0] = s.lists[s.list_start[e] + s.n_list[e]]
        if s.affinity != NULL:
            attract(s, e, a, -h.weight[e], home != a, True)
    elif r.pins == 1 and home != a and s.affinity != NULL:
        s.stay[r.last] -= h.weight[e]


cdef inline double join(State* s, int64_t v, int64_t e, int32_t synapses, int32_t home, int32_t b) noexcept nogil:
    """Put v's pin of net e on core b; the weight that v would take with it if it left again."""
    cdef const Hyper* h = s.h
    cdef Reach* r = reach(s, e, b)
    if r != NULL and r.pins == 1 and home != b and s.affinity != NULL:
        s.stay[r.last] += h.weight[e]
    r = enter(s, e, v, b, synapses)
    s.memory[b] += memory_of(h, &s.cap, e, r.synapses) - memory_of(h, &s.cap, e, r.synapses - synapses)
    if r.pins > 1:
        return 0
    s.axons_in[b] += h.count[e]
    if s.affinity != NULL:
        attract(s, e, b, h.weight[e], home != b, True)
    return h.weight[e] if home != b else 0


cdef inline double lead(State* s, int64_t e, int32_t a, int32_t b) noexcept nogil:
    """The source of net e goes from core a to b; the weight of the net on b."""
    cdef const Hyper* h = s.h
    cdef Reach* r = reach(s, e, a)
    if r == NULL:
        attract(s, e, a, -h.weight[e], True, False)
    elif r.pins == 1:
        s.stay[r.last] -= h.weight[e]
    r = reach(s, e, b)
    if r == NULL:
        attract(s, e, b, h.weight[e], True, False)
        return 0
    if r.pins == 1:
        s.stay[r.last] += h.weight[e]
    return h.weight[e]


cdef inline void move(State* s, int64_t v, int32_t b) noexcept nogil:
    """Put v on core b; no limit is looked at."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], kind = h.config[v], old, last, home
    cdef int64_t i, e
    cdef double stay = 0
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        s.axons_out[a] -= <int64_t>h.count[e] * s.n_list[e]
    for i in range(h.in_start[v], h.in_start[v + 1]):
        e = h.in_net[i]
        s.work += TAKE
        old, home = s.n_list[e], home_of(s, e)
        leave(s, v, e, h.in_multiplicity[i], home)
        stay += h.weight[e] - join(s, v, e, h.in_multiplicity[i], home, b)
        if h.source[e] >= 0 and h.source[e] != v:
            s.axons_out[s.core[h.source[e]]] += <int64_t>h.count[e] * (s.n_list[e] - old)
    s.core[v] = b
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        s.axons_out[b] += <int64_t>h.count[e] * s.n_list[e]
        if s.affinity != NULL and not s.looped[e]:
            stay += lead(s, e, a, b)
    s.stay[v] = stay
    s.neurons[a] -= h.size[v]
    s.neurons[b] += h.size[v]
    s.config_count[a * s.n_configs + kind] -= 1
    if s.config_count[a * s.n_configs + kind] == 0:
        s.configs[a] -= 1
    if s.config_count[b * s.n_configs + kind] == 0:
        s.configs[b] += 1
    s.config_count[b * s.n_configs + kind] += 1
    s.n_members[a] -= 1
    last = s.members[a * s.room + s.n_members[a]]
    s.members[a * s.room + s.position[v]] = last
    s.position[last] = s.position[v]
    s.members[b * s.room + s.n_members[b]] = <int32_t>v
    s.position[v] = s.n_members[b]
    s.n_members[b] += 1


cdef inline bint within(State* s, int32_t core) noexcept nogil:
    return (s.neurons[core] <= s.cap.neurons and s.axons_in[core] <= s.cap.axons_in and s.memory[core] <= s.cap.memory
            and s.configs[core] <= s.cap.configs and s.axons_out[core] <= s.cap.axons_out)


cdef inline bint senders_within(State* s, int64_t v) noexcept nogil:
    """Do the cores of v's sources keep their out-axons?"""
    cdef const Hyper* h = s.h
    cdef int64_t i, e
    if s.cap.axons_out >= <int64_t>1 << 60:
        return True
    for i in range(h.in_start[v], h.in_start[v + 1]):
        e = h.in_net[i]
        if h.source[e] >= 0 and s.axons_out[s.core[h.source[e]]] > s.cap.axons_out:
            return False
    return True
