"""The mesh of a tick in one pass over its channels, without events, where that can be proved to be exact.

Channels are gone through in an order in which packets cross them (order.py). All that comes to a channel is then known,
in order of time per FIFO, and its grants follow one after the other by the rules of reference_mesh. Only two things
that a grant depends on lie further on: when the packet before it in its FIFO left by another output, and when a packet
gave back the slot that is wanted. The pass assumes that neither made it wait, and checks that as those grants are made.
A pass none of whose assumptions was wrong obeys every rule, and as every effect comes later than its cause, only one
history does. At the first that was wrong the caller goes through the tick by events; to go on, and once more with the
times found, took longer.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc

import numpy as np

from chipsim.engine.order import sweep_order

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.servers cimport LIMIT_SOMA, LIMIT_SYNAPSE, Times

cdef enum:
    INJECT = 0
    EJECT = 1
    LOCAL = 255
    NONE = 0xFFFFFFFF
    FCFS = 0
    ROUND_ROBIN = 1
    MOST = 1024             # packets of a tick for which the pass is tried, or
    PER_ENDPOINT = 16       # so many per endpoint: of longer ticks some packets always meet where it matters

cdef int64_t UNKNOWN = -0x4000000000000000
POLICIES = ("fcfs", "round_robin", "oldest")


@cython.final
cdef class Stream(Held):
    """Stream(plan, in_channel, order): for a plan whose packets go one way (sweep_order found one, no multicast)."""

    def __init__(self, plan, in_channel, sequence):
        cdef int64_t k
        f = plan.fabric
        self.n_channels, self.n_cores = f.n_channels, len(f.router) - 1
        self.n_routers, self.n_ports = f.n_routers, f.n_ports
        self.policy, self.order, self.first_link = POLICIES.index(plan.arbitration), f.order, f.first_link
        self.in_channel = <const int32_t*>self.hold("in_channel", in_channel, np.int32)
        self.out_channel = <const int32_t*>self.hold("out_channel", f.out_channel, np.int32)
        self.next_port = <const uint8_t*>self.hold("next_port", f.next_port, np.uint8)
        self.router = <const int32_t*>self.hold("router", f.router, np.int32)
        self.inject = <const int32_t*>self.hold("inject", f.inject, np.int32)
        self.eject = <const int32_t*>self.hold("eject", f.eject, np.int32)
        self.x = <const uint16_t*>self.hold("x", np.arange(f.n_routers) % f.columns, np.uint16)
        self.y = <const uint16_t*>self.hold("y", np.arange(f.n_routers) // f.columns, np.uint16)
        self.axon_core = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        self.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        self.sequence = <const int32_t*>self.hold("sequence", sequence, np.int32)
        self.pending = <uint64_t*>self.hold("pending", np.zeros((self.n_channels + 63) // 64), np.uint64)
        self.visited = <uint32_t*>self.hold("visited", np.zeros(self.n_channels), np.uint32)
        self.lanes = <Lane*>self.hold("lanes", np.zeros(self.n_channels * self.n_ports * sizeof(Lane)), np.uint8)
        self.started = <int64_t*>self.hold("started", np.zeros(f.slots.max()), np.int64)
        self.entry = <int64_t*>self.hold("entry", np.zeros(self.n_cores + 1), np.int64)
        self.busy_until = <int64_t*>self.hold("busy_until", np.zeros(self.n_cores + 1), np.int64)
        self.flits = <int64_t*>self.hold("flits", np.zeros(self.n_channels), np.int64)
        self.waited = <int64_t*>self.hold("waited", np.zeros(self.n_channels), np.int64)
        self.peak = <int32_t*>self.hold("peak", np.zeros(self.n_channels), np.int32)
        self.sides = <Side*>self.hold("sides", np.zeros(self.n_channels * sizeof(Side)), np.uint8)
        for k in range(self.n_channels):
            self.sides[k].latency, self.sides[k].cycle, self.sides[k].credit = f.latency[k], f.cycle[k], f.credit[k]
            self.sides[k].slots, self.sides[k].kind, self.sides[k].in_port = f.slots[k], f.kind[k], f.in_port[k]
            self.sides[k].from_router, self.sides[k].to_router = f.from_router[k], f.to_router[k]
            self.sides[k].endpoint = f.endpoint[k]
            self.sides[k].slack = np.clip(f.slots[k] * f.cycle[k] - f.latency[k] - f.credit[k], -1, 0x7FFFFFFF)
            self.sides[self.sequence[k]].rank = k

    @staticmethod
    def of(plan, in_channel):
        """The pass for a plan, None where packets do not all go one way, are copied, or may be dropped."""
        if plan.trees is not None or plan.fabric.wait or plan.arbitration not in POLICIES:
            return None
        sequence = sweep_order(plan.fabric)
        return None if sequence is None else Stream(plan, in_channel, sequence)

    def __dealloc__(self):
        free(self.hops)

    def loads(self):
        """int64[K] flits sent over each channel in the ticks in which the pass was exact."""
        return self.keep["flits"].copy()

    def occupancy(self):
        """(queued_ps int64[K], peak int32[K]) of the same ticks; see queues.py."""
        return self.keep["waited"].copy(), self.keep["peak"].copy()

    cdef int tick(self, const PacketSeed* seeds, const int64_t* start, const int64_t* tail_ps, Times* times,
                  bint open_loop, int64_t* length, int32_t* limit) noexcept nogil:
        """As Fabric.tick; 1: the pass is not exact for this tick, and nothing is counted. -1: no memory."""
        cdef int64_t e, i, row, _, n = self.n_cores
        cdef Side* s
        if start[n + 1] > start[0]:
            self.seeds, self.first_packet, self.times, self.open_loop = seeds, start, times[0], open_loop
            self.tried += 1
            self.n_packets = start[n + 1] - start[0]
            if self.n_packets > max(<int64_t>MOST, PER_ENDPOINT * (n + 1)):
                return 1
            if self.sweep():
                return -1
            if self.broken:
                return 1
            self.held += 1
            self.count()
        length[0], limit[0] = 0, 0
        for e in range(n + 1):
            row = 0 if e == n else e + 1
            i = tail_ps[row] + (self.entry[e] if start[row + 1] > start[row] else 0)
            if i > length[0]:
                length[0] = i
                limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
        if start[n + 1] == start[0]:
            return 0
        for i in range(self.n_visited):                         # eject channels come in the order of their cores
            s = &self.sides[self.visited[i]]
            if s.kind == EJECT and self.busy_until[s.endpoint] > length[0]:
                length[0] = self.busy_until[s.endpoint]
                limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | s.endpoint)
        return 0

    cdef int sweep(self) noexcept nogil:
        """All packets through all channels, once."""
        cdef int64_t e, row, w, words = (self.n_channels + 63) >> 6, rank
        cdef uint32_t channel
        self.used = self.n_visited = 0
        self.broken = False
        for row in range(self.n_cores + 1):
            if self.first_packet[row] < self.first_packet[row + 1]:
                e = self.n_cores if row == 0 else row - 1
                rank = self.sides[self.inject[e]].rank
                self.pending[rank >> 6] |= <uint64_t>1 << (rank & 63)
        for w in range(words):
            while self.pending[w]:                              # what a channel sends on goes to later ones
                rank = (w << 6) + lowest_bit(self.pending[w])
                self.pending[w] &= self.pending[w] - 1
                channel = self.sequence[rank]
                self.visited[self.n_visited] = channel
                self.n_visited += 1
                if self.pass_on(channel):
                    return -1
                if self.broken:
                    self.give_up()
                    return 0
        return 0

    cdef void give_up(self) noexcept nogil:
        """Forget what the channels that are left would have had to pass on."""
        cdef int64_t w, rank
        for w in range((self.n_channels + 63) >> 6):
            while self.pending[w]:
                rank = (w << 6) + lowest_bit(self.pending[w])
                self.pending[w] &= self.pending[w] - 1
                self.sides[self.sequence[rank]].asks = 0

    cdef inline int pass_on(self, uint32_t channel) noexcept nogil:
        """All grants of a channel; its packets then stand in its FIFO."""
        cdef Side* s = &self.sides[channel]
        if self.room < self.used + self.n_packets and self.grow():
            return -1
        s.start, s.stop, s.waited = <uint32_t>self.used, <uint32_t>self.used, 0
        if s.kind == INJECT:
            self.enter(channel)
        elif s.kind == EJECT:
            s.start = s.stop = s.most = self.turn = self.oldest = self.inside = 0
            self.busy_until[s.endpoint] = 0
            self.merge(channel)
        elif s.asks & (s.asks - 1):
            self.merge(channel)
        else:
            self.relay(channel)
        if s.kind != EJECT:
            self.used = s.stop
        s.asks = 0
        return 0

    cdef void enter(self, uint32_t channel) noexcept nogil:
        """The packets of a soma server, one after the other."""
        cdef Side* s = &self.sides[channel]
        cdef int64_t row = 0 if s.endpoint == self.n_cores else s.endpoint + 1
        cdef int64_t p, made, now = 0, at, free_at = 0
        cdef uint32_t core
        for p in range(self.first_packet[row], self.first_packet[row + 1]):
            made = self.seeds[p].gap if self.open_loop else now + self.seeds[p].gap
            at = max(made, free_at)
            self.times.made[p], self.times.entered[p] = made, at
            now = at
            free_at = at + s.cycle
            core = self.axon_core[self.seeds[p].axon]
            self.append(s, at + s.latency, <uint32_t>p, core, self.router[core])
        self.entry[s.endpoint] = now

    cdef inline int64_t claims_at(self, Side* fifo, uint32_t hop) noexcept nogil:
        """When a packet is at the head of its FIFO and may ask for its output; those before it that stay: not."""
        cdef int64_t at = self.hops[hop].arrival
        return max(at, self.hops[hop - 1].leave + fifo.cycle) if hop > fifo.start else at

    cdef void relay(self, uint32_t channel) noexcept nogil:
        """A link that only one FIFO has packets for."""
        cdef Side* s = &self.sides[channel]
        cdef int64_t port = lowest_bit(s.asks), at, free_at = 0
        cdef Side* fifo = &self.sides[self.in_channel[s.from_router * self.n_ports + port]]
        cdef uint32_t hop = self.lanes[channel * self.n_ports + port].first
        cdef Hop* hops = self.hops
        while hop != NONE:
            at = max(self.claims_at(fifo, hop), free_at)
            free_at = at + s.cycle
            self.leave(fifo, hop, at)
            self.append(s, at + s.latency, hops[hop].packet, hops[hop].core, hops[hop].there)
            hop = hops[hop].next

    cdef void merge(self, uint32_t channel) noexcept nogil:
        """A link or a core that several FIFOs have packets for: their claims, in the order of arbitration."""
        cdef Side* s = &self.sides[channel]
        cdef Claim claims[64]
        cdef Claim* c
        cdef uint64_t m = s.asks
        cdef int64_t at, free_at = 0
        cdef int32_t last_port = -1, n = 0, i, best, port
        cdef uint32_t hop
        while m:
            port = lowest_bit(m)
            m &= m - 1
            c = &claims[n]
            c.port, c.hop = port, self.lanes[channel * self.n_ports + port].first
            c.fifo = &self.sides[self.in_channel[s.from_router * self.n_ports + port]]
            c.at = self.claims_at(c.fifo, c.hop)
            n += 1
        while n:
            best = 0
            at = claims[0].at
            for i in range(1, n):
                if claims[i].at < at or (
                        claims[i].at == at and self.next_of(claims[i].port, claims[best].port, last_port)):
                    at, best = claims[i].at, i
            at = max(at, free_at)
            if s.kind == EJECT:
                if s.stop >= s.slots:
                    at = max(at, self.started[self.turn] + s.credit)
            if self.policy != FCFS:
                best = self.chosen(claims, n, at, last_port)
            c = &claims[best]
            hop = c.hop
            free_at, last_port = at + s.cycle, c.port
            self.leave(c.fifo, hop, at)
            if s.kind == EJECT:
                self.serve(s, at + s.latency, self.hops[hop].packet)
            else:
                self.append(s, at + s.latency, self.hops[hop].packet, self.hops[hop].core, self.hops[hop].there)
            c.hop = self.hops[hop].next
            if c.hop == NONE:
                n -= 1
                claims[best] = claims[n]
            else:
                c.at = self.claims_at(c.fifo, c.hop)

    cdef inline bint next_of(self, int32_t one, int32_t other, int32_t last_port) noexcept nogil:
        """Of two ports, `one` comes first after the one that won last."""
        return (one > last_port) > (other > last_port) or ((one > last_port) == (other > last_port) and one < other)

    cdef int32_t chosen(self, Claim* claims, int32_t n, int64_t at, int32_t last_port) noexcept nogil:
        """Which claim wins of those that stand at `at`: the port after the last winner, or the packet made first."""
        cdef int32_t i, best = -1
        cdef int64_t key, best_key = 0
        for i in range(n):
            if claims[i].at > at:
                continue
            key = 0 if self.policy == ROUND_ROBIN else self.times.made[self.hops[claims[i].hop].packet]
            if best < 0 or key < best_key or (
                    key == best_key and self.next_of(claims[i].port, claims[best].port, last_port)):
                best, best_key = i, key
        return best

    cdef inline void leave(self, Side* fifo, uint32_t hop, int64_t at) noexcept nogil:
        """A packet leaves its FIFO; whoever was thought not to have to wait for that is looked at again."""
        cdef Hop* h = &self.hops[hop]
        cdef int64_t wait = at - h.arrival
        h.leave = at
        if wait == 0 and fifo.slack >= 0:                       # the next arrives a cycle later at the earliest
            return
        fifo.waited += wait
        if hop + 1 < fifo.stop and self.hops[hop + 1].leave != UNKNOWN and at + fifo.cycle > self.hops[hop + 1].arrival:
            self.broken = True
        if wait > fifo.slack and hop + fifo.slots < fifo.stop and \
                at + fifo.credit > self.hops[hop + fifo.slots].arrival - fifo.latency:
            self.broken = True

    cdef inline void serve(self, Side* s, int64_t arrival, uint32_t packet) noexcept nogil:
        """A packet reaches its core, whose synapse server takes it when it has done those before."""
        cdef int64_t begin = max(arrival, self.busy_until[s.endpoint])
        self.times.arrived[packet] = arrival
        self.times.started[packet] = begin
        self.times.done[packet] = self.busy_until[s.endpoint] = begin + self.service_ps[self.seeds[packet].axon]
        s.waited += begin - arrival
        while self.inside and self.started[self.oldest] < arrival:
            self.oldest = self.oldest + 1 if self.oldest + 1 < s.slots else 0
            self.inside -= 1
        self.inside += 1
        s.most = max(s.most, self.inside)
        self.started[self.turn] = begin
        self.turn = self.turn + 1 if self.turn + 1 < s.slots else 0
        s.stop += 1

    cdef inline void append(self, Side* s, int64_t arrival, uint32_t packet, uint32_t core,
                            int32_t there) noexcept nogil:
        """A packet arrives in the FIFO behind a channel, and joins those that want the same output next."""
        cdef uint32_t hop = s.stop, onward
        cdef Hop* h
        cdef Side* o
        cdef Lane* lane
        cdef uint64_t bit = <uint64_t>1 << s.in_port
        s.stop += 1
        h = &self.hops[hop]
        h.arrival, h.leave, h.packet, h.next = arrival, UNKNOWN, packet, NONE
        h.core, h.there = core, there
        onward = self.eject[core] if there == s.to_router else self.link(s.to_router, there)
        o = &self.sides[onward]
        lane = &self.lanes[onward * self.n_ports + s.in_port]
        if o.asks & bit:
            self.hops[lane.last].next = hop
        else:
            o.asks |= bit
            lane.first = hop
            self.pending[o.rank >> 6] |= <uint64_t>1 << (o.rank & 63)
        lane.last = hop

    cdef inline uint32_t link(self, int32_t here, int32_t there) noexcept nogil:
        """The channel by which packets for router `there` go on."""
        cdef int32_t dx, dy, port
        if self.order == 0:
            return self.out_channel[here * self.n_ports + self.next_port[here * self.n_routers + there]]
        dx = <int32_t>self.x[there] - self.x[here]
        dy = <int32_t>self.y[there] - self.y[here]
        port = (dx < 0) if dx != 0 and (self.order == 1 or dy == 0) else 2 + (dy < 0)
        return self.out_channel[here * self.n_ports + self.first_link + port]

    cdef int grow(self) noexcept nogil:
        """Room for one more channel that all packets of the tick cross."""
        cdef int64_t room = 2 * self.room + self.n_packets
        cdef void* larger = realloc(self.hops, <size_t>room * sizeof(Hop)) if room < NONE else NULL
        if larger == NULL:
            return -1
        self.hops, self.room = <Hop*>larger, room
        return 0

    cdef void count(self) noexcept nogil:
        """Add what became of the tick's packets to the channels' totals."""
        cdef int64_t i
        cdef uint32_t channel, hop, oldest
        cdef Side* s
        for i in range(self.n_visited):
            channel = self.visited[i]
            s = &self.sides[channel]
            self.flits[channel] += s.stop - s.start
            self.waited[channel] += s.waited
            if s.kind != EJECT:
                s.most, oldest = 1, s.start
                if s.waited:
                    for hop in range(s.start, s.stop):
                        while self.hops[oldest].leave < self.hops[hop].arrival:
                            oldest += 1
                        s.most = max(s.most, hop - oldest + 1)
            self.peak[channel] = max(self.peak[channel], <int32_t>s.most)
