"""Refinement of a partition: simulated annealing with moves and swaps under all limits at once, then descent.

Cost is packets: every net costs its weight for each core other than its source's that holds a pin of it.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

from chipsim.compiler.partitioning.exchange cimport attempt, neighbour
from chipsim.compiler.partitioning.hypergraph cimport Hyper, Hypergraph, below, limits_of, memory_of, mix
from chipsim.compiler.partitioning.occupancy cimport Reach, State, attract, cost_of, enter, home_of, reach

TABLE = 1 << 28         # entries of an affinity table, 4 bytes each; beyond, costs are worked out anew

cdef enum:
    STEPS = 64                  # temperatures of an annealing run


cdef double packets_of(State* s) noexcept nogil:
    """Packets per tick: every net to every core it reaches but its source's."""
    cdef int64_t e
    cdef int32_t home
    cdef double total = 0
    for e in range(s.h.n_nets):
        home = -1 if s.h.source[e] < 0 else s.core[s.h.source[e]]
        total += s.h.weight[e] * (s.n_list[e] - (home >= 0 and reach(s, e, home) != NULL))
    return total


cdef void fill_affinity(State* s, int64_t e) noexcept nogil:
    """What net e adds to `affinity` and `stay` (occupancy.pxd)."""
    cdef const Hyper* h = s.h
    cdef int32_t home = home_of(s, e), i
    cdef Reach* r
    cdef int64_t p
    for i in range(s.n_list[e]):
        r = s.lists + s.list_start[e] + i
        attract(s, e, r.core, h.weight[e], True, True)
        if r.pins == 1 and r.core != home:
            s.stay[r.last] -= h.weight[e]
    if home >= 0 and reach(s, e, home) == NULL:
        attract(s, e, home, h.weight[e], True, False)
    for p in range(h.pin_start[e], h.pin_start[e + 1]):
        s.stay[h.pin[p]] += h.weight[e]


cdef class Refinement:
    """A partition of a hypergraph on n_cores cores, that can be improved. int32[n_vertices] -> cores."""

    cdef State s
    cdef Hypergraph graph
    cdef dict held
    cdef unsigned char[::1] looped
    cdef double[::1] stay
    cdef float[::1] affinity
    cdef readonly double cost, added    # counted; the cost before and what moves changed since, as they were taken to
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
        self.s.lists = <Reach*>self.hold64("lists", 2 * (int(starts.max()) + 1))
        self.s.counted = min(self.s.cap.memory, self.s.cap.axons_in) < 1 << 60
        smallest = max(1, int(np.asarray(graph.size)[:n].min(initial=1 << 30)))
        sizes = np.bincount(core, weights=np.asarray(graph.size)[:n], minlength=1)
        share = int(max(sizes.max(), 4 * sizes.sum() // n_cores + 1))
        if self.s.cap.neurons > share:                  # no limit, or as good as none: at most four times the mean
            self.s.cap.neurons = share
        self.s.room = min(n, self.s.cap.neurons // smallest) + 2
        self.s.members = <int32_t*>self.hold32("members", np.zeros(n_cores * self.s.room, np.int32))
        self.s.n_members = <int32_t*>self.hold32("n_members", np.zeros(n_cores, np.int32))
        self.s.position = <int32_t*>self.hold32("position", np.zeros(n, np.int32))
        self.looped = np.zeros(max(1, n_nets), np.uint8)
        self.stay = np.zeros(max(1, n))
        self.affinity = np.zeros(n * n_cores if 0 < n * n_cores <= TABLE else 1, np.float32)
        self.s.looped, self.s.stay = &self.looped[0], &self.stay[0]
        self.s.affinity = &self.affinity[0] if n * n_cores <= TABLE else NULL
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
                    enter(s, e, h.pin[p], s.core[h.pin[p]], h.multiplicity[p])
                    s.looped[e] |= h.pin[p] == h.source[e]
                for i in range(s.n_list[e]):
                    k = s.list_start[e] + i
                    c = s.lists[k].core
                    s.axons_in[c] += h.count[e]
                    s.memory[c] += memory_of(h, &s.cap, e, s.lists[k].synapses)
                if h.source[e] >= 0:
                    s.axons_out[s.core[h.source[e]]] += <int64_t>h.count[e] * s.n_list[e]
                if s.affinity != NULL:
                    fill_affinity(s, e)
        self.cost = packets_of(s)

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

    def cost_of(self, int64_t vertex, int32_t core):
        """What moving a vertex to a core costs, in packets per tick."""
        return cost_of(&self.s, vertex, core)

    def temper(self, int64_t samples=2000):
        """Mean size of a change of cost over random moves: the natural unit of temperature."""
        cdef State* s = &self.s
        cdef int64_t i, v, n = 0
        cdef int32_t b
        cdef uint64_t bits
        cdef double total = 0, c
        if s.n_cores < 2:
            return 0.0
        with nogil:
            for i in range(samples):
                bits = mix(self.seed + <uint64_t>i)
                v = below(bits, s.h.n_vertices)
                b = neighbour(s, v, mix(bits))
                if b != s.core[v]:
                    c = cost_of(s, v, b)
                    total += c if c > 0 else -c
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
            self.added, self.cost = self.cost, packets_of(s)
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
