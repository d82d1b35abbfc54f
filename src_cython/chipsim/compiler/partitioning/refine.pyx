"""Refinement of a partition: simulated annealing with moves and swaps under all limits at once, then descent.

Cost is packets: every net costs its weight for each core other than its source's that holds a pin of it. Which cores a
net reaches, and with how many synapses, stands in a short list per net; the change that a move makes to packets,
in-axons (a union), synapse memory and out-axons (sources x cores reached) is exact.
"""
from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

import numpy as np

from chipsim.compiler.partitioning.hypergraph cimport Hyper, Hypergraph, Limits, below, limits_of, memory_of, mix

cdef enum:
    PARTNERS = 4                # neurons of a full core that a swap is tried with
    STEPS = 64                  # temperatures of an annealing run


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


cdef Change change_of(State* s, int64_t v, int32_t b) noexcept nogil:
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


cdef void move(State* s, int64_t v, int32_t b, const Change* c) noexcept nogil:
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


cdef bint senders_within(State* s, int64_t v) noexcept nogil:
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


cdef inline bint accepted(double cost, double temperature, uint64_t bits) noexcept nogil:
    if cost <= 0:
        return cost < 0 or (bits & 1)
    if temperature <= 0 or cost > 30 * temperature:
        return False
    return <double>(bits >> 11) * 1.1102230246251565e-16 < exp(-cost / temperature)


cdef int32_t neighbour(State* s, int64_t v, uint64_t bits) noexcept nogil:
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


cdef double attempt(State* s, int64_t v, int32_t b, double temperature, uint64_t bits) noexcept nogil:
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


cdef inline Change reverse(const Change* c) noexcept nogil:
    cdef Change r
    r.cost = -c.cost
    r.axons_from, r.axons_to = c.axons_to, c.axons_from
    r.memory_from, r.memory_to = c.memory_to, c.memory_from
    return r


cdef class Refinement:
    """A partition of a hypergraph on n_cores cores, that can be improved. int32[n_vertices] -> cores."""

    cdef State s
    cdef Hypergraph graph
    cdef dict held
    cdef public double cost
    cdef uint64_t seed, drawn

    def __init__(self, Hypergraph graph, core, limits, int64_t n_cores, seed):
        cdef int64_t n = graph.h.n_vertices, n_nets = graph.h.n_nets, n_configs
        self.graph, self.held = graph, {}
        self.s.h, self.s.cap, self.s.n_cores = &graph.h, limits_of(limits), n_cores
        self.seed, self.drawn = mix(<uint64_t>(seed & 0xFFFFFFFFFFFF)), 0
        n_configs = int(np.asarray(graph.config).max(initial=0)) + 1
        self.s.n_configs = n_configs
        self.s.core = <int32_t*>self.hold32("core", np.array(core, np.int32, copy=True))
        self.s.neurons = <int64_t*>self.hold64("neurons", n_cores)
        self.s.memory = <int64_t*>self.hold64("memory", n_cores)
        self.s.axons_in = <int64_t*>self.hold64("axons_in", n_cores)
        self.s.axons_out = <int64_t*>self.hold64("axons_out", n_cores)
        self.s.configs = <int64_t*>self.hold64("configs", n_cores)
        self.s.config_count = <int32_t*>self.hold32("config_count", np.zeros(n_cores * n_configs, np.int32))
        pins = np.diff(graph.pin_start)
        starts = np.concatenate([[0], np.cumsum(np.minimum(pins, n_cores) + 1)]).astype(np.int64)
        self.s.list_start = <int64_t*>self.hold64("list_start", 0, starts)
        self.s.n_list = <int32_t*>self.hold32("n_list", np.zeros(max(1, n_nets), np.int32))
        self.s.lists = <Reach*>self.hold64("lists", int(starts.max()) + 1)
        smallest = max(1, int(np.asarray(graph.size)[:n].min(initial=1 << 30)))
        sizes = np.bincount(core, weights=np.asarray(graph.size)[:n], minlength=1)
        share = int(max(sizes.max(), 4 * sizes.sum() // n_cores + 1))
        if self.s.cap.neurons > share:                  # no limit, or as good as none: at most four times the mean
            self.s.cap.neurons = share
        self.s.room = min(n, self.s.cap.neurons // smallest) + 2
        self.s.members = <int32_t*>self.hold32("members", np.zeros(n_cores * self.s.room, np.int32))
        self.s.n_members = <int32_t*>self.hold32("n_members", np.zeros(n_cores, np.int32))
        self.s.position = <int32_t*>self.hold32("position", np.zeros(n, np.int32))
        self.fill()

    cdef void* hold32(self, str name, object array):
        cdef int32_t[::1] view
        self.held[name] = array
        view = array
        return &view[0] if view.shape[0] else NULL

    cdef void* hold64(self, str name, int64_t n, object array=None):
        cdef int64_t[::1] view
        if array is None:
            array = np.zeros(n, np.int64)
        self.held[name] = array
        view = array
        return &view[0]

    cdef void fill(self) noexcept:
        cdef State* s = &self.s
        cdef const Hyper* h = s.h
        cdef int64_t v, e, p, i, k
        cdef int32_t c
        self.cost = 0
        with nogil:
            for v in range(h.n_vertices):
                c = s.core[v]
                s.neurons[c] += h.size[v]
                if s.config_count[c * s.n_configs + h.config[v]] == 0:
                    s.configs[c] += 1
                s.config_count[c * s.n_configs + h.config[v]] += 1
                s.members[c * s.room + s.n_members[c]] = <int32_t>v
                s.position[v] = s.n_members[c]
                s.n_members[c] += 1
            for e in range(h.n_nets):
                for p in range(h.pin_start[e], h.pin_start[e + 1]):
                    reach_add(s, e, s.core[h.pin[p]], h.multiplicity[p])
                for i in range(s.n_list[e]):
                    k = s.list_start[e] + i
                    c = s.lists[k].core
                    s.axons_in[c] += h.count[e]
                    s.memory[c] += memory_of(h, &s.cap, e, s.lists[k].synapses)
                    if h.source[e] < 0 or s.core[h.source[e]] != c:
                        self.cost += h.weight[e]
                if h.source[e] >= 0:
                    s.axons_out[s.core[h.source[e]]] += <int64_t>h.count[e] * s.n_list[e]

    @property
    def cores(self):
        return self.held["core"].copy()

    @property
    def work(self):
        """List entries looked at so far."""
        return self.s.work

    def use(self, name):
        """int64[n_cores]: neurons, memory, axons_in, axons_out or configs in use."""
        return self.held[name].copy()

    def temper(self, int64_t samples=2000):
        """Mean size of a change of cost over random moves: the natural unit of temperature."""
        cdef State* s = &self.s
        cdef int64_t i, v, n = 0
        cdef int32_t b
        cdef uint64_t bits
        cdef double total = 0
        cdef Change c
        if s.n_cores < 2:
            return 0.0
        with nogil:
            for i in range(samples):
                bits = mix(self.seed + <uint64_t>i)
                v = below(bits, s.h.n_vertices)
                b = neighbour(s, v, mix(bits))
                if b != s.core[v]:
                    c = change_of(s, v, b)
                    total += c.cost if c.cost > 0 else -c.cost
                    n += 1
        return total / n if n else 0.0

    def anneal(self, double hot, double cold, int64_t work):
        """Anneal from temperature `hot` to `cold` (packets), about `work` list entries long; returns the cost."""
        cdef State* s = &self.s
        cdef int64_t begin = s.work, step, v, tries
        cdef int32_t b
        cdef double temperature, factor
        cdef uint64_t bits
        if s.h.n_vertices < 2 or s.n_cores < 2 or s.h.n_nets == 0:
            return self.cost
        factor = (cold / hot) ** (1.0 / (STEPS - 1)) if hot > 0 else 1.0
        with nogil:
            temperature = hot
            for step in range(STEPS):
                tries = 0
                while s.work - begin < (step + 1) * (work // STEPS) and tries < 64 * s.h.n_vertices:
                    tries += 1
                    self.drawn += 1
                    bits = mix(self.seed + self.drawn * <uint64_t>0x9E3779B97F4A7C15)
                    v = below(bits, s.h.n_vertices)
                    bits = mix(bits)
                    b = neighbour(s, v, bits)
                    if b < 0 or b == s.core[v]:
                        s.work += 1
                        continue
                    self.cost += attempt(s, v, b, temperature, mix(bits + 1))
                temperature *= factor
        return self.cost

    def descend(self, int64_t passes, int64_t work):
        """Visit all vertices in order, `passes` times or until nothing improves or `work` is done; returns the cost."""
        cdef State* s = &self.s
        cdef int64_t v, _turn, _k, begin = s.work
        cdef int32_t b
        cdef double before
        cdef uint64_t bits
        for _turn in range(passes):
            before = self.cost
            with nogil:
                for v in range(s.h.n_vertices):
                    if s.work - begin > work:
                        break
                    for _k in range(4):
                        self.drawn += 1
                        bits = mix(self.seed + self.drawn * <uint64_t>0x9E3779B97F4A7C15)
                        b = neighbour(s, v, bits)
                        if b >= 0 and b != s.core[v]:
                            self.cost += attempt(s, v, b, 0, bits)
            if self.cost > before * 0.999:
                break
        return self.cost
