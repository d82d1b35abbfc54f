"""Who is on which core and what that uses, and what a move would change: packets, in-axons, memory. All of it is inline.

Which cores a net reaches, and with how many synapses, stands in a short list per net; the change that a move makes to
packets, in-axons (a union), synapse memory and out-axons (sources x cores reached) is exact.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from chipsim.compiler.partitioning.hypergraph cimport Hyper, Limits, memory_of


cdef struct Reach:
    int32_t core
    int32_t synapses


cdef struct State:
    const Hyper* h
    Limits cap
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


cdef inline void reach_of(State* s, int64_t e, int32_t a, int32_t b, int32_t* at_a, int32_t* at_b) noexcept nogil:
    """Synapses of net e on cores a and b."""
    cdef Reach* list_ = s.lists + s.list_start[e]
    cdef int32_t i
    at_a[0] = at_b[0] = 0
    for i in range(s.n_list[e]):
        if list_[i].core == a:
            at_a[0] = list_[i].synapses
        elif list_[i].core == b:
            at_b[0] = list_[i].synapses


cdef inline void reach_add(State* s, int64_t e, int32_t core, int32_t synapses) noexcept nogil:
    cdef Reach* list_ = s.lists + s.list_start[e]
    cdef int32_t i
    for i in range(s.n_list[e]):
        if list_[i].core == core:
            list_[i].synapses += synapses
            if list_[i].synapses == 0:
                s.n_list[e] -= 1
                list_[i] = list_[s.n_list[e]]
            return
    list_[s.n_list[e]].core = core
    list_[s.n_list[e]].synapses = synapses
    s.n_list[e] += 1


cdef inline Change change_of(State* s, int64_t v, int32_t b) noexcept nogil:
    """What moving v to core b changes; v's own nets move their source."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], at_a, at_b, m, home
    cdef int64_t i, e
    cdef bint with_memory = s.cap.memory < <int64_t>1 << 60
    cdef Change c
    memset(&c, 0, sizeof(c))
    for i in range(h.in_start[v], h.in_start[v + 1]):
        e, m = h.in_net[i], h.in_multiplicity[i]
        reach_of(s, e, a, b, &at_a, &at_b)
        s.work += 1 + s.n_list[e]
        home = -1 if h.source[e] < 0 else (-2 if h.source[e] == v else s.core[h.source[e]])
        if at_a == m:
            c.axons_from += h.count[e]
            if home != a:
                c.cost -= h.weight[e]
        if at_b == 0:
            c.axons_to += h.count[e]
            if home != b:
                c.cost += h.weight[e]
        if with_memory:
            c.memory_from += memory_of(h, &s.cap, e, at_a) - memory_of(h, &s.cap, e, at_a - m)
            c.memory_to += memory_of(h, &s.cap, e, at_b + m) - memory_of(h, &s.cap, e, at_b)
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        reach_of(s, e, a, b, &at_a, &at_b)
        s.work += 1 + s.n_list[e]
        if at_a > 0 and at_b > 0:
            continue
        if at_a > 0:                                    # a net to oneself was dealt with above: its pin moves too
            if not hears(h, v, e):
                c.cost += h.weight[e]
        elif at_b > 0:
            c.cost -= h.weight[e]
    return c


cdef inline bint hears(const Hyper* h, int64_t v, int64_t e) noexcept nogil:
    """Is v a pin of net e? Nets stand in ascending order."""
    cdef int64_t low = h.in_start[v], high = h.in_start[v + 1], middle
    while low < high:
        middle = (low + high) // 2
        if h.in_net[middle] < e:
            low = middle + 1
        else:
            high = middle
    return low < h.in_start[v + 1] and h.in_net[low] == e


cdef inline void move(State* s, int64_t v, int32_t b, const Change* c) noexcept nogil:
    """Do it; no limit is looked at."""
    cdef const Hyper* h = s.h
    cdef int32_t a = s.core[v], old, kind = h.config[v], last
    cdef int64_t i, e
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        s.axons_out[a] -= <int64_t>h.count[e] * s.n_list[e]
    s.core[v] = b
    for i in range(h.in_start[v], h.in_start[v + 1]):
        e = h.in_net[i]
        old = s.n_list[e]
        reach_add(s, e, a, -h.in_multiplicity[i])
        reach_add(s, e, b, h.in_multiplicity[i])
        if h.source[e] >= 0 and h.source[e] != v:
            s.axons_out[s.core[h.source[e]]] += <int64_t>h.count[e] * (s.n_list[e] - old)
    for i in range(h.out_start[v], h.out_start[v + 1]):
        e = h.out_net[i]
        s.axons_out[b] += <int64_t>h.count[e] * s.n_list[e]
    s.neurons[a] -= h.size[v]
    s.neurons[b] += h.size[v]
    s.axons_in[a] -= c.axons_from
    s.axons_in[b] += c.axons_to
    s.memory[a] -= c.memory_from
    s.memory[b] += c.memory_to
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


cdef inline Change reverse(const Change* c) noexcept nogil:
    cdef Change r
    r.cost = -c.cost
    r.axons_from, r.axons_to = c.axons_to, c.axons_from
    r.memory_from, r.memory_to = c.memory_to, c.memory_from
    return r
