"""A clocked mesh, packet-exact, at the cost of its events: the compiled twin of reference_clocked.ClockedMesh.

All control state of a router is bit masks over its (port, VC) pairs, 64 at most: who waits for an output VC, who may
ask for the switch, which output VCs are free and which have credit. A router is looked at only in cycles in which a
request of its could succeed (a flit or a credit came, or work is left over); with nothing to do anywhere, time jumps to
the next event or injection. Exact, because iSLIP's pointers move only when something is granted.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

import numpy as np

from chipsim.engine.deadlock import deadlock

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.buffers cimport PacketSeed
from chipsim.engine.function cimport Function
from chipsim.engine.heap cimport Due, Heap, heap_pop, heap_push
from chipsim.engine.servers cimport LIMIT_SOMA, LIMIT_SYNAPSE, Times, Totals, account, times_of

ALLOCATORS = ("islip", "round_robin", "oldest")

cdef enum:
    ISLIP = 0
    OLDEST = 2
    SLOTS = 256                 # cycles the wheel looks ahead; more than any latency or credit delay
    HEAD = 1
    TAIL = 2
    IDLE = 0
    ROUTING = 1
    WAITING = 2
    ACTIVE = 3
    NOWHERE = 0xFFFFFFFF
    CREDIT = 1                  # kinds of timed events
    READY = 0


cdef struct Flit:
    uint32_t packet
    uint32_t to                 # endpoint
    uint32_t channel            # where it is, or in a FIFO: unused
    uint8_t vc
    uint8_t ends                # HEAD | TAIL


cdef struct Arrivals:
    Flit* at
    int64_t n
    int64_t room


cdef struct Credits:
    uint32_t* at                # channel * 8 + vc
    int64_t n
    int64_t room


cdef struct Node:
    uint32_t first              # packets waiting, a list through next_packet
    uint32_t last
    int32_t vc                  # of the packet being sent, -1: none
    int32_t last_vc
    uint32_t sent


cdef struct Masks:
    uint64_t routing            # input VCs in route computation
    uint64_t waiting            # ask for an output VC
    uint64_t asking             # hold one and have a flit: ask for the switch
    uint64_t free_out           # output VCs nobody holds
    uint64_t credit_out         # output VCs with room at the far end
    uint64_t draining           # output VCs that are free again when all their credits are back


cdef inline int after(uint64_t m, int pointer) noexcept nogil:
    """First set bit at or cyclically after `pointer`."""
    cdef uint64_t high = m >> pointer
    return pointer + lowest_bit(high) if high else lowest_bit(m)


def parameters(clock):
    """Keyword arguments of ClockedFabric for the `clock` of a chip."""
    return dict(vcs=clock.vcs, routing_delay=clock.routing_delay, credit_delay=clock.credit_delay,
                traversal=clock.traversal, allocator=clock.allocator, reuse=clock.reuse)


@cython.final                  # methods are then plain calls, which the C compiler inlines
cdef class ClockedFabric:
    """ClockedFabric(plan, vcs, routing_delay, credit_delay, ...): the routers of a FabricPlan with a clock."""

    cdef object keep
    cdef object plan                                # FabricPlan, for names in errors
    cdef int64_t n_routers, n_ports, vcs, pv, n_channels, n_endpoints, routing_delay, credit_delay, traversal
    cdef int64_t allocator
    cdef bint when_empty                            # output VCs wait for their last credit before the next packet
    cdef const uint8_t* choices                     # adaptive routing: [2, router, router] links as bits, or NULL
    cdef int64_t* age                               # cycle in which a packet was offered
    cdef int64_t stride, depth
    cdef const int32_t* router
    cdef const int32_t* inject
    cdef const int32_t* eject
    cdef const int32_t* out_channel
    cdef const uint8_t* next_port
    cdef int64_t order                              # 1, 2: routes follow from coordinates; 0: from the table
    cdef const uint16_t* x
    cdef const uint16_t* y
    cdef const uint8_t* ring
    cdef const int32_t* from_router
    cdef const int32_t* to_router
    cdef const int32_t* endpoint
    cdef const uint8_t* in_port
    cdef const uint8_t* out_port
    cdef const int32_t* slots
    cdef const int64_t* hop_cycles
    cdef int32_t* into                              # [router, port] -> channel that feeds it
    cdef int32_t* out_of                            # [router, port] -> channel it feeds, ejection included
    cdef int64_t first_link, columns
    cdef uint8_t* blocks                            # per router: Masks, then the fields below
    cdef int64_t at_route, at_used, at_count, at_head, at_port, at_vc, at_state, at_routed, at_grant, at_accept
    cdef int64_t at_sgrant, at_saccept, at_first
    cdef Flit* queues                               # [router, port * vcs + vc, depth]
    cdef Arrivals flits[SLOTS]
    cdef Credits credits[SLOTS]
    cdef uint64_t* active                           # bit per router
    cdef uint64_t* sending                          # bit per endpoint with packets to send
    cdef Node* nodes
    cdef int32_t* node_used                         # [endpoint, vc]
    cdef Heap timed
    # soma and synapse servers at the endpoints; period 0: sources are lists, sinks take everything at once
    cdef int64_t period
    cdef const int64_t* service_ps
    cdef object axon_core
    cdef const int32_t* core_of_axon
    cdef const PacketSeed* seeds
    cdef Times times
    cdef int64_t* last_packet                       # per endpoint, of the tick
    cdef int64_t* entry
    cdef int64_t* busy
    cdef int64_t* queued                            # per channel: cycles in the FIFO behind it, summed; see queues.py
    cdef int64_t* queued_ps                         # and ps before a synapse server
    cdef int32_t* inside                            # flits in it now, and most at once
    cdef int32_t* peak
    cdef int64_t* started                           # [endpoint, ring] of packets that may not have been started yet
    cdef int32_t* first_started
    cdef int64_t ring_size
    cdef int64_t* total_load                        # flits per channel since the fabric was made
    # of the run
    cdef const int32_t* src
    cdef const int32_t* dst
    cdef const int32_t* size
    cdef int64_t* head_inject
    cdef int64_t* head_arrive
    cdef int64_t* arrive
    cdef int64_t* load                              # flits per channel
    cdef uint32_t* next_packet
    cdef readonly int64_t flit_hops, cycles

    def __init__(self, plan, int64_t vcs=1, int64_t routing_delay=0, int64_t credit_delay=1, int64_t traversal=1,
                 str allocator="islip", str reuse="at_once"):
        cdef int64_t k
        self.keep, self.plan = {}, plan
        self.n_routers, self.n_ports, self.vcs = plan.n_routers, plan.n_ports, vcs
        self.pv, self.n_channels, self.n_endpoints = self.n_ports * vcs, plan.n_channels, len(plan.router)
        self.routing_delay, self.credit_delay, self.traversal = routing_delay, credit_delay, traversal
        self.allocator, self.when_empty = ALLOCATORS.index(allocator), reuse == "when_empty"
        self.first_link = plan.first_link
        if self.pv > 64:
            raise ValueError(f"{self.n_ports} ports x {vcs} virtual channels are {self.pv}; a router's masks hold 64")
        if plan.hop_cycles.max() + 1 + max(credit_delay, traversal) >= SLOTS:
            raise ValueError(f"a channel of {plan.hop_cycles.max()} cycles is too long; "
                             f"at most {SLOTS - 2 - max(credit_delay, traversal)}")
        self.router = <const int32_t*>self.hold("router", plan.router, np.int32)
        self.inject = <const int32_t*>self.hold("inject", plan.inject, np.int32)
        self.eject = <const int32_t*>self.hold("eject", plan.eject, np.int32)
        self.out_channel = <const int32_t*>self.hold("out_channel", plan.out_channel, np.int32)
        self.next_port = <const uint8_t*>self.hold("next_port", plan.next_port, np.uint8)
        self.order, self.columns = plan.order, plan.columns
        self.x = <const uint16_t*>self.hold("x", np.arange(plan.n_routers) % plan.columns, np.uint16)
        self.y = <const uint16_t*>self.hold("y", np.arange(plan.n_routers) // plan.columns, np.uint16)
        if plan.choices is not None:
            self.choices = <const uint8_t*>self.hold("choices", plan.choices, np.uint8)
        if plan.ring is not None:
            self.ring = <const uint8_t*>self.hold("ring", plan.ring, np.uint8)
        self.from_router = <const int32_t*>self.hold("from_router", plan.from_router, np.int32)
        self.to_router = <const int32_t*>self.hold("to_router", plan.to_router, np.int32)
        self.endpoint = <const int32_t*>self.hold("endpoint", plan.endpoint, np.int32)
        self.in_port = <const uint8_t*>self.hold("in_port", plan.in_port, np.uint8)
        self.out_port = <const uint8_t*>self.hold("out_port", plan.out_port, np.uint8)
        self.slots = <const int32_t*>self.hold("slots", plan.slots, np.int32)
        self.hop_cycles = <const int64_t*>self.hold("hop_cycles", plan.hop_cycles, np.int64)
        into = np.full((self.n_routers, self.n_ports), -1, np.int32)
        out_of = np.full((self.n_routers, self.n_ports), -1, np.int32)
        for k in range(self.n_channels):
            if plan.to_router[k] >= 0:
                into[plan.to_router[k], plan.in_port[k]] = k
            if plan.from_router[k] >= 0:
                out_of[plan.from_router[k], plan.out_port[k]] = k
        self.into = <int32_t*>self.hold("into", into, np.int32)
        self.out_of = <int32_t*>self.hold("out_of", out_of, np.int32)
        self.depth = int(plan.slots.max())
        at = (sizeof(Masks) + 8 * self.n_ports + 7) // 8 * 8
        self.at_route = sizeof(Masks)
        per_vc = [at + k * self.pv for k in range(9)]
        self.at_used, self.at_count, self.at_head, self.at_port, self.at_vc = per_vc[:5]
        self.at_state, self.at_routed, self.at_grant, self.at_accept = per_vc[5:]
        at += 9 * self.pv
        self.at_sgrant, self.at_saccept, self.at_first = at, at + self.n_ports, at + 2 * self.n_ports
        self.stride = (at + 3 * self.n_ports + 63) // 64 * 64
        self.blocks = <uint8_t*>self.hold("blocks", np.zeros(self.n_routers * self.stride), np.uint8)
        self.queues = <Flit*>self.hold("queues", np.zeros(self.n_routers * self.pv * self.depth * sizeof(Flit)),
                                       np.uint8)
        self.active = <uint64_t*>self.hold("active", np.zeros((self.n_routers + 63) // 64), np.uint64)
        self.sending = <uint64_t*>self.hold("sending", np.zeros((self.n_endpoints + 63) // 64), np.uint64)
        self.nodes = <Node*>self.hold("nodes", np.zeros(self.n_endpoints * sizeof(Node)), np.uint8)
        self.node_used = <int32_t*>self.hold("node_used", np.zeros(self.n_endpoints * vcs), np.int32)
        self.queued = <int64_t*>self.hold("queued", np.zeros(self.n_channels), np.int64)
        self.queued_ps = <int64_t*>self.hold("queued_ps", np.zeros(self.n_channels), np.int64)
        self.inside = <int32_t*>self.hold("inside", np.zeros(self.n_channels), np.int32)
        self.peak = <int32_t*>self.hold("peak", np.zeros(self.n_channels), np.int32)
        self.total_load = <int64_t*>self.hold("total_load", np.zeros(self.n_channels), np.int64)

    @classmethod
    def of(cls, plan):
        """The fabric of an engine's Plan whose chip has a clock: `run_ticks` then serves its cores."""
        clock = plan.layout.chip.fabric.clock
        cdef ClockedFabric self = cls(plan.fabric, **parameters(clock))
        self.period = plan.period_ps
        self.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        self.axon_core = np.asarray(plan.axon_core)
        self.core_of_axon = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        self.last_packet = <int64_t*>self.hold("last_packet", np.zeros(self.n_endpoints), np.int64)
        self.entry = <int64_t*>self.hold("entry", np.zeros(self.n_endpoints), np.int64)
        self.busy = <int64_t*>self.hold("busy", np.zeros(self.n_endpoints), np.int64)
        self.ring_size = self.vcs * self.depth + 1
        self.started = <int64_t*>self.hold("started", np.zeros(self.n_endpoints * self.ring_size), np.int64)
        self.first_started = <int32_t*>self.hold("first_started", np.zeros(self.n_endpoints), np.int32)
        return self

    cdef void* hold(self, str name, array, dtype) except NULL:
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    def __dealloc__(self):
        cdef int64_t i
        for i in range(SLOTS):
            free(self.flits[i].at)
            free(self.credits[i].at)
        free(self.timed.at)

    def run(self, src, dst, cycle, size):
        """Move packets src -> dst (endpoints) of `size` flits, offered at `cycle`; arrays [packets].

        Returns dict: head_inject, head_arrive, arrive int64[packets] (cycles), load int64[K] (flits per channel).
        Raises SimulationError when packets stand still for good, naming the cycle.
        """
        cdef int64_t n = len(src)
        order = np.argsort(np.asarray(cycle), kind="stable")
        times = {name: np.full(n, -1, np.int64) for name in ("head_inject", "head_arrive", "arrive")}
        load = np.zeros(self.n_channels, np.int64)
        self.src = <const int32_t*>self.hold("src", src, np.int32)
        self.dst = <const int32_t*>self.hold("dst", dst, np.int32)
        self.size = <const int32_t*>self.hold("size", size, np.int32)
        self.head_inject = <int64_t*>self.hold("head_inject", times["head_inject"], np.int64)
        self.head_arrive = <int64_t*>self.hold("head_arrive", times["head_arrive"], np.int64)
        self.arrive = <int64_t*>self.hold("arrive", times["arrive"], np.int64)
        self.load = <int64_t*>self.hold("load", load, np.int64)
        self.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(max(1, n)), np.uint32)
        self.age = <int64_t*>self.hold("age", np.zeros(max(1, n)), np.int64)
        cdef const uint32_t* sorted_ = <const uint32_t*>self.hold("order", order, np.uint32)
        cdef const int64_t* offered = <const int64_t*>self.hold("cycle", cycle, np.int64)
        self.start()
        cdef int rc
        with nogil:
            rc = self.move(n, n, sorted_, offered)
        if rc == -1:
            raise MemoryError("no memory left for flits in flight")
        if rc:
            raise deadlock(self.stuck(), self.plan)
        return times | {"load": load}

    def loads(self):
        """int64[K] flits sent over each channel by `run_ticks` since the fabric was made."""
        return self.keep["total_load"].copy()

    def occupancy(self):
        """(queued int64[K], peak int32[K]) since the fabric was made, in ps, without servers in cycles; queues.py."""
        sent = self.keep["total_load"] + self.keep.get("load", 0)
        queued = self.keep["queued"] * max(1, self.period) + self.keep["queued_ps"]
        return queued, np.maximum(self.keep["peak"], sent > 0).astype(np.int32)

    def run_ticks(self, Function function, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """As Fabric.run: the mesh of ticks [first, last) of the chunk that `function` advanced last."""
        cdef int64_t t, n_cores = self.n_endpoints - 1, stride = n_cores + 1
        cdef int rc = 0
        cdef int64_t* start
        _, _, axon = function.packets()
        rows = np.frombuffer(function.row_starts(), np.int64)
        endpoint = np.where(np.arange(len(rows) - 1) % stride == 0, n_cores, np.arange(len(rows) - 1) % stride - 1)
        n = max(1, len(axon))
        self.src = <const int32_t*>self.hold("src", np.repeat(endpoint, np.diff(rows)), np.int32)
        self.dst = <const int32_t*>self.hold("dst", self.axon_core[axon] if len(axon) else np.zeros(1), np.int32)
        self.size = <const int32_t*>self.hold("size", np.ones(n), np.int32)
        self.head_inject = <int64_t*>self.hold("head_inject", np.zeros(n), np.int64)
        self.head_arrive = <int64_t*>self.hold("head_arrive", np.zeros(n), np.int64)
        self.arrive = <int64_t*>self.hold("arrive", np.zeros(n), np.int64)
        self.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(n), np.uint32)
        self.age = <int64_t*>self.hold("age", np.zeros(n), np.int64)
        self.load = self.total_load
        self.seeds = function.seeds.at
        self.times = times_of(times)
        cdef Totals totals = Totals(&soma_ps[0], &stall_ps[0], &synapse_ps[0], &latency[0])
        with nogil:
            for t in range(first, last):
                start = function.seed_start + t * stride
                rc = self.tick(start, function.tail_ps + t * stride, &tick_ps[t], &limit[t])
                if rc:
                    break
                account(start, function.tail_ps + t * stride, n_cores, self.seeds, self.core_of_axon, &self.times,
                        &totals)
        if rc == -2:
            raise deadlock(self.stuck(), self.plan)
        if rc:
            raise MemoryError("no memory left for flits in flight")

    cdef int tick(self, const int64_t* start, const int64_t* tail_ps, int64_t* length, int32_t* limit) noexcept nogil:
        """One tick from a quiet start; rows: host port first, then the cores."""
        cdef int64_t e, row, n_cores = self.n_endpoints - 1
        cdef int rc
        self.start()
        for row in range(self.n_endpoints):
            e = n_cores if row == 0 else row - 1
            self.last_packet[e], self.entry[e], self.busy[e] = start[row + 1], 0, 0
            if start[row] < start[row + 1] and self.make(start[row], 0, 0):
                return -1
        rc = self.move(start[self.n_endpoints] - start[0], 0, NULL, NULL)
        if rc:
            return rc
        length[0], limit[0] = 0, 0
        for e in range(self.n_endpoints):
            row = 0 if e == n_cores else e + 1
            if self.entry[e] + tail_ps[row] > length[0]:
                length[0] = self.entry[e] + tail_ps[row]
                limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
        for e in range(n_cores):
            if self.busy[e] > length[0]:
                length[0] = self.busy[e]
                limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | e)
        return 0

    cdef int make(self, int64_t p, int64_t now_ps, int64_t earliest) noexcept nogil:
        """A soma server starts on a packet, which can go in at the first edge after it is made."""
        cdef int64_t made = now_ps + self.seeds[p].gap, edge = (made + self.period - 1) // self.period
        self.times.made[p] = made
        return heap_push(&self.timed, max(earliest, edge), <uint32_t>p, READY)

    cdef void offer(self, int64_t now, uint32_t p) noexcept nogil:
        """A packet joins the queue of its source."""
        cdef int64_t e = self.src[p]
        self.age[p] = now
        self.next_packet[p] = NOWHERE
        if self.nodes[e].first == NOWHERE:
            self.nodes[e].first = p
        else:
            self.next_packet[self.nodes[e].last] = p
        self.nodes[e].last = p
        self.sending[e >> 6] |= <uint64_t>1 << (e & 63)

    cdef int serve(self, int64_t now, Flit* f) noexcept nogil:
        """A packet reaches its synapse server, which gives the slot back when it begins with it."""
        cdef int64_t p = f.packet, e = self.endpoint[f.channel], ps = now * self.period, at
        self.times.arrived[p] = ps
        self.times.started[p] = max(ps, self.busy[e])
        self.times.done[p] = self.busy[e] = self.times.started[p] + self.service_ps[self.seeds[p].axon]
        self.wait_for_server(f.channel, ps, self.times.started[p])
        at = (self.times.started[p] + self.period - 1) // self.period
        if at <= now:
            return self.push_credit(now, f.channel, f.vc)
        return heap_push(&self.timed, at, f.channel * 8 + f.vc, CREDIT)

    cdef inline void wait_for_server(self, uint32_t channel, int64_t ps, int64_t started) noexcept nogil:
        """A packet stands in a core's input FIFO until it is started."""
        cdef int64_t e = self.endpoint[channel]
        cdef int64_t* ring = self.started + e * self.ring_size
        cdef int32_t k = self.first_started[e]
        self.queued_ps[channel] += started - ps
        while self.inside[channel] and ring[k] < ps:
            k = k + 1 if k + 1 < self.ring_size else 0
            self.inside[channel] -= 1
        self.first_started[e] = k
        ring[(k + self.inside[channel]) % self.ring_size] = started
        self.inside[channel] += 1
        self.peak[channel] = max(self.peak[channel], self.inside[channel])

    def stuck(self):
        """Channels with a packet behind them, and the output it needs: list of (channel, packet, wanted channel)."""
        cdef int64_t r, iv
        cdef uint8_t* b
        found = []
        for r in range(self.n_routers):
            b = self.blocks + r * self.stride
            for iv in range(self.pv):
                if b[self.at_count + iv]:
                    found.append((self.into[r * self.n_ports + iv // self.vcs], self.head(r, b, iv),
                                  self.out_of[r * self.n_ports + b[self.at_port + iv]]))
        return found

    cdef void start(self) noexcept nogil:
        """Everything empty."""
        cdef int64_t r, k
        cdef Masks* m
        memset(self.blocks, 0, self.n_routers * self.stride)
        for r in range(self.n_routers):
            m = <Masks*>(self.blocks + r * self.stride)
            m.free_out = m.credit_out = ~<uint64_t>0 if self.pv == 64 else (<uint64_t>1 << self.pv) - 1
        for k in range(self.n_endpoints):
            self.nodes[k].first = NOWHERE
            self.nodes[k].vc = self.nodes[k].last_vc = -1
        memset(self.node_used, 0, self.n_endpoints * self.vcs * sizeof(int32_t))
        memset(self.inside, 0, self.n_channels * sizeof(int32_t))
        memset(self.active, 0, (self.n_routers + 63) // 64 * 8)
        memset(self.sending, 0, (self.n_endpoints + 63) // 64 * 8)
        for k in range(SLOTS):
            self.flits[k].n = self.credits[k].n = 0
        self.flit_hops = self.cycles = self.timed.n = 0

    cdef int move(self, int64_t left, int64_t n, const uint32_t* order, const int64_t* offered) noexcept nogil:
        """Cycle by cycle until `left` packets have arrived; n of them are from a list, others from soma servers."""
        cdef int64_t now = 0, next_ = 0, i, w, e, r, ahead, external
        cdef uint64_t bits, keep_bits, busy
        cdef Due timed
        cdef Arrivals* arrivals
        cdef Credits* credits
        if n and offered[order[0]] > 0:
            now = offered[order[0]]
        while left:
            credits = &self.credits[now & (SLOTS - 1)]
            for i in range(credits.n):
                self.take_credit(credits.at[i])
            credits.n = 0
            arrivals = &self.flits[now & (SLOTS - 1)]
            for i in range(arrivals.n):
                r = self.receive(now, &arrivals.at[i])
                if r < 0:
                    return -1
                left -= r
            arrivals.n = 0
            while self.timed.n and self.timed.at[0].at <= now:
                timed = heap_pop(&self.timed)
                if timed.kind == READY:
                    self.offer(now, timed.what)
                elif self.push_credit(now, timed.what >> 3, timed.what & 7):
                    return -1
            while next_ < n and offered[order[next_]] <= now:
                self.offer(now, order[next_])
                next_ += 1
            for w in range((self.n_endpoints + 63) >> 6):
                bits = self.sending[w]
                while bits:
                    e = (w << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    if self.send_from(now, e):
                        return -1
            busy = 0
            for w in range((self.n_routers + 63) >> 6):
                bits = self.active[w]
                keep_bits = 0
                while bits:
                    r = (w << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    i = self.work(now, r)
                    if i < 0:
                        return -1
                    if i:
                        keep_bits |= <uint64_t>1 << (r & 63)
                self.active[w] = keep_bits
                busy |= keep_bits
            now += 1
            if busy or left == 0:
                continue
            for w in range((self.n_endpoints + 63) >> 6):
                busy |= self.sending[w]
            if busy:
                continue
            ahead = 0                                   # nothing can happen before the next event or injection
            while ahead < SLOTS and not (self.flits[(now + ahead) & (SLOTS - 1)].n
                                         or self.credits[(now + ahead) & (SLOTS - 1)].n):
                ahead += 1
            external = offered[order[next_]] if next_ < n else -1
            if self.timed.n and (external < 0 or self.timed.at[0].at < external):
                external = self.timed.at[0].at
            if external >= 0 and (ahead == SLOTS or external < now + ahead):
                now = max(now, external)
            elif ahead < SLOTS:
                now += ahead
            else:
                self.cycles = now
                return -2
        self.cycles = now
        return 0

    cdef inline void take_credit(self, uint32_t what) noexcept nogil:
        """A slot at the far end of a channel's VC is free again."""
        cdef int64_t channel = what >> 3, vc = what & 7, r = self.from_router[channel], e, o
        cdef uint8_t* b
        cdef Masks* m
        if r < 0:
            e = self.endpoint[channel]
            self.node_used[e * self.vcs + vc] -= 1
            if self.nodes[e].first != NOWHERE:
                self.sending[e >> 6] |= <uint64_t>1 << (e & 63)
            return
        b = self.blocks + r * self.stride
        m = <Masks*>b
        o = self.out_port[channel] * self.vcs + vc
        b[self.at_used + o] -= 1
        m.credit_out |= <uint64_t>1 << o
        if m.draining >> o & 1 and b[self.at_used + o] == 0:
            m.draining &= ~(<uint64_t>1 << o)
            m.free_out |= <uint64_t>1 << o
        if m.waiting | m.asking | m.routing:
            self.active[r >> 6] |= <uint64_t>1 << (r & 63)

    cdef inline int receive(self, int64_t now, Flit* f) noexcept nogil:
        """A flit at the end of its channel; 1 when it was its packet's last, negative: no memory."""
        cdef int64_t r = self.to_router[f.channel], iv, k
        cdef uint8_t* b
        cdef Masks* m
        if r < 0:
            if self.period:
                return -1 if self.serve(now, f) else 1
            if f.ends & HEAD:
                self.head_arrive[f.packet] = now
            if f.ends & TAIL:
                self.arrive[f.packet] = now
            if self.push_credit(now, f.channel, f.vc):
                return -1
            return 1 if f.ends & TAIL else 0
        b = self.blocks + r * self.stride
        m = <Masks*>b
        iv = self.in_port[f.channel] * self.vcs + f.vc
        self.queued[f.channel] -= now
        self.inside[f.channel] += 1
        if self.inside[f.channel] > self.peak[f.channel]:
            self.peak[f.channel] = self.inside[f.channel]
        k = b[self.at_head + iv] + b[self.at_count + iv]
        if k >= self.depth:
            k -= self.depth
        self.queues[(r * self.pv + iv) * self.depth + k] = f[0]
        b[self.at_count + iv] += 1
        if b[self.at_state + iv] == IDLE:
            self.begin(r, b, iv, f.packet, f.to)
        elif b[self.at_state + iv] == ACTIVE:
            m.asking |= <uint64_t>1 << iv
        self.active[r >> 6] |= <uint64_t>1 << (r & 63)
        return 0

    cdef inline void begin(self, int64_t r, uint8_t* b, int64_t iv, uint32_t packet, uint32_t e) noexcept nogil:
        """A packet for endpoint e at the head of an input VC begins: find its output."""
        cdef Masks* m = <Masks*>b
        cdef int64_t there = self.router[e]
        cdef uint8_t port
        if there == r:
            port = self.out_port[self.eject[e]]
        elif self.order:                                # a table of 4096 x 4096 ports would miss the cache at every hop
            if self.x[r] != self.x[there] and (self.order == 1 or self.y[r] == self.y[there]):
                port = <uint8_t>(self.first_link + (0 if self.x[r] < self.x[there] else 1))
            else:
                port = <uint8_t>(self.first_link + (2 if self.y[r] < self.y[there] else 3))
        elif self.choices != NULL:
            port = self.emptiest(r, b, self.router[self.src[packet]], there)
        else:
            port = self.next_port[r * self.n_routers + there]
        b[self.at_port + iv] = port
        if self.routing_delay:
            b[self.at_state + iv], b[self.at_routed + iv] = ROUTING, 0
            m.routing |= <uint64_t>1 << iv
        else:
            b[self.at_state + iv] = WAITING
            m.waiting |= <uint64_t>1 << iv
            (<uint64_t*>(b + self.at_route))[port] |= <uint64_t>1 << iv

    cdef uint8_t emptiest(self, int64_t r, uint8_t* b, int64_t home, int64_t there) noexcept nogil:
        """Of the outputs adaptive routing may take, the one with fewest slots taken, then the lowest."""
        cdef int64_t row = r * self.n_routers + there, o, v, used, least = -1, columns = self.columns
        cdef uint64_t mask = self.choices[row]
        cdef uint8_t best = 0
        if r % columns == home % columns:
            mask = self.choices[self.n_routers * self.n_routers + row]
        while mask:
            o = self.first_link + lowest_bit(mask)
            mask &= mask - 1
            used = 0
            for v in range(self.vcs):
                used += b[self.at_used + o * self.vcs + v]
            if least < 0 or used < least:
                least, best = used, <uint8_t>o
        return best

    cdef inline int push_credit(self, int64_t now, int64_t channel, int64_t vc) noexcept nogil:
        cdef int64_t at = now + self.hop_cycles[channel] + 1
        cdef Credits* c
        if self.from_router[channel] >= 0:
            at += self.credit_delay
        c = &self.credits[at & (SLOTS - 1)]
        if c.n == c.room:
            c.room = 2 * c.room + 256
            c.at = <uint32_t*>realloc(c.at, c.room * sizeof(uint32_t))
            if c.at == NULL:
                return -1
        c.at[c.n] = <uint32_t>(channel * 8 + vc)
        c.n += 1
        return 0

    cdef inline int push_flit(self, int64_t at, uint32_t packet, uint32_t to, int64_t channel, int64_t vc,
                              int ends) noexcept nogil:
        cdef Arrivals* a = &self.flits[at & (SLOTS - 1)]
        cdef Flit* f
        if a.n == a.room:
            a.room = 2 * a.room + 256
            a.at = <Flit*>realloc(a.at, a.room * sizeof(Flit))
            if a.at == NULL:
                return -1
        f = &a.at[a.n]
        f.packet, f.to, f.channel, f.vc, f.ends = packet, to, <uint32_t>channel, <uint8_t>vc, <uint8_t>ends
        a.n += 1
        self.load[channel] += 1
        return 0

    cdef inline int send_from(self, int64_t now, int64_t e) noexcept nogil:
        """One flit a cycle; the VC is chosen when a packet comes to the front: the first after the last with room."""
        cdef Node* q = &self.nodes[e]
        cdef int64_t channel = self.inject[e], k, v
        cdef int64_t room = self.slots[channel], enough = 1 if self.when_empty else room
        cdef uint32_t p = q.first
        cdef int ends = 0
        if q.vc < 0:
            for k in range(1, self.vcs + 1):
                v = 0 if q.last_vc < 0 else (q.last_vc + k) % self.vcs
                if self.node_used[e * self.vcs + v] < enough:
                    q.vc = <int32_t>v
                    break
            if q.vc < 0:
                self.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
                return 0
            q.last_vc, q.sent = q.vc, 0
            self.head_inject[p] = now
            if self.period:
                self.times.entered[p] = self.entry[e] = now * self.period
                if p + 1 < self.last_packet[e] and self.make(p + 1, self.times.entered[p], now + 1):
                    return -1
        if self.node_used[e * self.vcs + q.vc] >= room:
            self.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
            return 0
        self.node_used[e * self.vcs + q.vc] += 1
        if q.sent == 0:
            ends |= HEAD
        q.sent += 1
        if q.sent == <uint32_t>self.size[p]:
            ends |= TAIL
        v = q.vc
        if ends & TAIL:
            q.vc = -1
            q.first = self.next_packet[p]
            if q.first == NOWHERE:
                self.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
        return self.push_flit(now + self.hop_cycles[channel] + 1, p, self.dst[p], channel, v, ends)

    # ---- one router, one cycle ----

    cdef inline int work(self, int64_t now, int64_t r) noexcept nogil:
        """VC allocation, then switch allocation; 1 when something could succeed in the next cycle, -1: no memory."""
        cdef uint8_t* b = self.blocks + r * self.stride
        cdef Masks* m = <Masks*>b
        cdef uint64_t asking = m.asking, routed = 0, bits, won = 0
        cdef int64_t iv
        if m.routing:
            bits = m.routing
            while bits:
                iv = lowest_bit(bits)
                bits &= bits - 1
                b[self.at_routed + iv] += 1
                if b[self.at_routed + iv] >= self.routing_delay:
                    routed |= <uint64_t>1 << iv
            m.routing &= ~routed
        if m.waiting and m.free_out:
            won = self.allocate_vcs(r, b)
        if asking & (asking - 1):
            if self.allocate_switch(now, r, b, asking):
                return -1
        elif asking:
            if self.one_request(now, r, b, asking):
                return -1
        m.asking |= won
        while routed:
            iv = lowest_bit(routed)
            routed &= routed - 1
            b[self.at_state + iv] = WAITING
            m.waiting |= <uint64_t>1 << iv
            (<uint64_t*>(b + self.at_route))[b[self.at_port + iv]] |= <uint64_t>1 << iv
        return self.can_progress(b)

    cdef inline bint can_progress(self, uint8_t* b) noexcept nogil:
        cdef Masks* m = <Masks*>b
        cdef uint64_t* route = <uint64_t*>(b + self.at_route)
        cdef uint64_t bits, mask = (<uint64_t>1 << self.vcs) - 1
        cdef int64_t o, iv
        if m.routing:
            return True
        bits = m.asking
        while bits:
            iv = lowest_bit(bits)
            bits &= bits - 1
            if m.credit_out >> (b[self.at_port + iv] * self.vcs + b[self.at_vc + iv]) & 1:
                return True
        if m.waiting:
            for o in range(self.n_ports):
                if m.waiting & route[o] and (m.free_out >> (o * self.vcs)) & mask:
                    return True
        return False

    cdef inline uint64_t allowed(self, int64_t r, uint32_t packet, int64_t o) noexcept nogil:
        """VCs of output o a packet may take: on a torus one half, by whether its way round crosses the seam."""
        cdef int64_t link = o - self.first_link, half = self.vcs // 2
        cdef uint8_t here, there
        cdef uint64_t all_ = (<uint64_t>1 << self.vcs) - 1
        if self.ring == NULL or link < 0 or link >= 4:
            return all_
        here = self.ring[2 * self.router[self.src[packet]] + (link >> 1)]
        there = self.ring[2 * self.router[self.dst[packet]] + (link >> 1)]
        if (there < here) if link & 1 == 0 else (there > here):
            return all_ & ~((<uint64_t>1 << half) - 1)
        return all_ >> half

    cdef inline uint64_t allocate_vcs(self, int64_t r, uint8_t* b) noexcept nogil:
        """One iteration of iSLIP over input VCs and free output VCs; input VCs that won."""
        cdef Masks* m = <Masks*>b
        cdef uint64_t* route = <uint64_t*>(b + self.at_route)
        cdef uint64_t offers[64]
        cdef uint64_t offered = 0, won = 0, bits, free_, asking, able
        cdef int64_t o, ov, iv, vcs = self.vcs
        cdef uint64_t mask = (<uint64_t>1 << vcs) - 1
        if m.waiting & (m.waiting - 1) == 0:                    # one request, the common case: no allocator at all
            iv = lowest_bit(m.waiting)
            o = b[self.at_port + iv]
            free_ = m.free_out & ((mask if self.ring == NULL else self.allowed(r, self.head(r, b, iv), o)) << (o * vcs))
            if free_ == 0:
                return 0
            ov = after(free_, b[self.at_accept + iv])
            self.give_vc(b, iv, ov)
            return <uint64_t>1 << iv
        if self.allocator != ISLIP:
            return self.ask_for_vcs(r, b)
        for o in range(self.n_ports):
            asking = m.waiting & route[o]
            free_ = (m.free_out >> (o * vcs)) & mask
            if asking == 0:
                continue
            while free_:
                ov = o * vcs + lowest_bit(free_)
                free_ &= free_ - 1
                able = asking
                if self.ring != NULL:
                    able = 0
                    bits = asking
                    while bits:
                        iv = lowest_bit(bits)
                        bits &= bits - 1
                        if self.allowed(r, self.head(r, b, iv), o) >> (ov - o * vcs) & 1:
                            able |= <uint64_t>1 << iv
                    if able == 0:
                        continue
                iv = after(able, b[self.at_grant + ov])
                if not offered >> iv & 1:
                    offers[iv] = 0
                    offered |= <uint64_t>1 << iv
                offers[iv] |= <uint64_t>1 << ov
        won = offered
        while offered:
            iv = lowest_bit(offered)
            offered &= offered - 1
            self.give_vc(b, iv, after(offers[iv], b[self.at_accept + iv]))
        return won

    cdef uint64_t ask_for_vcs(self, int64_t r, uint8_t* b) noexcept nogil:
        """Every input VC asks for one free output VC, every output VC takes one of those that ask; who won."""
        cdef Masks* m = <Masks*>b
        cdef uint64_t asks[64]
        cdef uint64_t asked = 0, won = 0, bits = m.waiting, free_
        cdef int64_t iv, ov, o
        while bits:
            iv = lowest_bit(bits)
            bits &= bits - 1
            o = b[self.at_port + iv]
            free_ = m.free_out & (self.allowed(r, self.head(r, b, iv), o) << (o * self.vcs))
            if free_ == 0:
                continue
            ov = after(free_, b[self.at_accept + iv])
            if not asked >> ov & 1:
                asks[ov] = 0
                asked |= <uint64_t>1 << ov
            asks[ov] |= <uint64_t>1 << iv
        while asked:
            ov = lowest_bit(asked)
            asked &= asked - 1
            iv = after(asks[ov], b[self.at_grant + ov])
            if self.allocator == OLDEST:
                bits = asks[ov]
                while bits:                                     # in the order of ties
                    o = after(bits, b[self.at_grant + ov])
                    bits &= ~(<uint64_t>1 << o)
                    if self.age[self.head(r, b, o)] < self.age[self.head(r, b, iv)]:
                        iv = o
            self.give_vc(b, iv, ov)
            won |= <uint64_t>1 << iv
        return won

    cdef inline uint32_t head(self, int64_t r, uint8_t* b, int64_t iv) noexcept nogil:
        return self.queues[(r * self.pv + iv) * self.depth + b[self.at_head + iv]].packet

    cdef inline void give_vc(self, uint8_t* b, int64_t iv, int64_t ov) noexcept nogil:
        cdef Masks* m = <Masks*>b
        m.free_out &= ~(<uint64_t>1 << ov)
        m.waiting &= ~(<uint64_t>1 << iv)
        b[self.at_grant + ov] = <uint8_t>(iv + 1 if iv + 1 < self.pv else 0)
        b[self.at_accept + iv] = <uint8_t>(ov + 1 if ov + 1 < self.pv else 0)
        b[self.at_vc + iv] = <uint8_t>(ov - b[self.at_port + iv] * self.vcs)
        b[self.at_state + iv] = ACTIVE

    cdef inline int one_request(self, int64_t now, int64_t r, uint8_t* b, uint64_t asking) noexcept nogil:
        cdef Masks* m = <Masks*>b
        cdef int64_t iv = lowest_bit(asking), vcs = self.vcs
        cdef int64_t o = b[self.at_port + iv], i = iv // vcs
        if not m.credit_out >> (o * vcs + b[self.at_vc + iv]) & 1:
            return 0
        b[self.at_sgrant + o] = <uint8_t>(i + 1 if i + 1 < self.n_ports else 0)
        b[self.at_saccept + i] = <uint8_t>(o + 1 if o + 1 < self.n_ports else 0)
        b[self.at_first + i] = <uint8_t>(iv - i * vcs + 1 if iv - i * vcs + 1 < vcs else 0)
        return self.send(now, r, b, iv)

    cdef inline int allocate_switch(self, int64_t now, int64_t r, uint8_t* b, uint64_t asking) noexcept nogil:
        """VCs of one input for one output put one forward; then one iteration of iSLIP over ports."""
        cdef Masks* m = <Masks*>b
        cdef uint64_t requests[64]
        cdef uint64_t grants[64]
        cdef uint8_t forward[64][64]
        cdef uint64_t outputs = 0, inputs = 0
        cdef int64_t iv, o, i, v, vcs = self.vcs, mine, theirs
        while asking:
            iv = lowest_bit(asking)
            asking &= asking - 1
            o = b[self.at_port + iv]
            if not m.credit_out >> (o * vcs + b[self.at_vc + iv]) & 1:
                continue
            i = iv // vcs
            v = iv - i * vcs
            if not outputs >> o & 1:
                requests[o] = 0
                outputs |= <uint64_t>1 << o
            if requests[o] >> i & 1 and self.allocator == OLDEST and self.age[self.head(r, b, iv)] != \
                    self.age[self.head(r, b, i * vcs + forward[i][o])]:
                if self.age[self.head(r, b, iv)] < self.age[self.head(r, b, i * vcs + forward[i][o])]:
                    forward[i][o] = <uint8_t>v
            elif requests[o] >> i & 1:
                mine = v - b[self.at_first + i]
                theirs = <int64_t>forward[i][o] - b[self.at_first + i]
                if (mine if mine >= 0 else mine + vcs) < (theirs if theirs >= 0 else theirs + vcs):
                    forward[i][o] = <uint8_t>v
            else:
                requests[o] |= <uint64_t>1 << i
                forward[i][o] = <uint8_t>v
        if self.allocator != ISLIP:
            self.ask_for_outputs(r, b, requests, outputs, grants, &inputs, &forward[0][0])
            outputs = 0
        while outputs:
            o = lowest_bit(outputs)
            outputs &= outputs - 1
            i = after(requests[o], b[self.at_sgrant + o])
            if not inputs >> i & 1:
                grants[i] = 0
                inputs |= <uint64_t>1 << i
            grants[i] |= <uint64_t>1 << o
        while inputs:
            i = lowest_bit(inputs)
            inputs &= inputs - 1
            o = after(grants[i], b[self.at_saccept + i])
            v = forward[i][o]
            b[self.at_sgrant + o] = <uint8_t>(i + 1 if i + 1 < self.n_ports else 0)
            b[self.at_saccept + i] = <uint8_t>(o + 1 if o + 1 < self.n_ports else 0)
            b[self.at_first + i] = <uint8_t>(v + 1 if v + 1 < vcs else 0)
            if self.send(now, r, b, i * vcs + v):
                return -1
        return 0

    cdef void ask_for_outputs(self, int64_t r, uint8_t* b, const uint64_t* requests, uint64_t outputs,
                              uint64_t* grants, uint64_t* inputs, const uint8_t* forward) noexcept nogil:
        """Every input asks for one output, every output takes one of those that ask.

        requests[o]: inputs that could send to it;  forward[i, o]: VC put forward;  grants[i]: output won by those in
        `inputs`
        """
        cdef uint64_t wants[64]
        cdef uint64_t asks[64]
        cdef uint64_t asked = 0, asking = 0, bits
        cdef int64_t i, o, k
        cdef bint by_age = self.allocator == OLDEST
        for o in range(self.n_ports):
            if outputs >> o & 1:
                bits = requests[o]
                while bits:
                    i = lowest_bit(bits)
                    bits &= bits - 1
                    if not asking >> i & 1:
                        wants[i] = 0
                        asking |= <uint64_t>1 << i
                    wants[i] |= <uint64_t>1 << o
        while asking:
            i = lowest_bit(asking)
            asking &= asking - 1
            o = after(wants[i], b[self.at_saccept + i])
            while by_age and wants[i]:                          # in the order of ties
                k = after(wants[i], b[self.at_saccept + i])
                wants[i] &= ~(<uint64_t>1 << k)
                if self.sent_age(r, b, i, forward[i * 64 + k]) < self.sent_age(r, b, i, forward[i * 64 + o]):
                    o = k
            if not asked >> o & 1:
                asks[o] = 0
                asked |= <uint64_t>1 << o
            asks[o] |= <uint64_t>1 << i
        while asked:
            o = lowest_bit(asked)
            asked &= asked - 1
            i = after(asks[o], b[self.at_sgrant + o])
            while by_age and asks[o]:
                k = after(asks[o], b[self.at_sgrant + o])
                asks[o] &= ~(<uint64_t>1 << k)
                if self.sent_age(r, b, k, forward[k * 64 + o]) < self.sent_age(r, b, i, forward[i * 64 + o]):
                    i = k
            grants[i] = <uint64_t>1 << o
            inputs[0] |= <uint64_t>1 << i

    cdef inline int64_t sent_age(self, int64_t r, uint8_t* b, int64_t i, uint8_t v) noexcept nogil:
        """When the packet at the head of an input's VC was offered."""
        return self.age[self.head(r, b, i * self.vcs + v)]

    cdef inline int send(self, int64_t now, int64_t r, uint8_t* b, int64_t iv) noexcept nogil:
        """The flit at the head of an input VC leaves."""
        cdef Masks* m = <Masks*>b
        cdef int64_t o = b[self.at_port + iv], i = iv // self.vcs, channel, ov
        cdef int64_t h = b[self.at_head + iv]
        cdef Flit* f = &self.queues[(r * self.pv + iv) * self.depth + h]
        cdef uint64_t bit = <uint64_t>1 << iv
        channel = self.out_of[r * self.n_ports + o]
        ov = o * self.vcs + b[self.at_vc + iv]
        self.flit_hops += 1
        b[self.at_head + iv] = <uint8_t>(h + 1 if h + 1 < self.depth else 0)
        b[self.at_count + iv] -= 1
        b[self.at_used + ov] += 1
        if b[self.at_used + ov] >= self.slots[channel]:
            m.credit_out &= ~(<uint64_t>1 << ov)
        if self.push_flit(now + 1 + self.traversal + self.hop_cycles[channel], f.packet, f.to, channel,
                          b[self.at_vc + iv], f.ends):
            return -1
        self.queued[self.into[r * self.n_ports + i]] += now
        self.inside[self.into[r * self.n_ports + i]] -= 1
        if self.push_credit(now, self.into[r * self.n_ports + i], iv - i * self.vcs):
            return -1
        if f.ends & TAIL:
            if self.when_empty:
                m.draining |= <uint64_t>1 << ov
            else:
                m.free_out |= <uint64_t>1 << ov
            m.asking &= ~bit
            (<uint64_t*>(b + self.at_route))[o] &= ~bit
            b[self.at_state + iv] = IDLE
            if b[self.at_count + iv]:
                f = &self.queues[(r * self.pv + iv) * self.depth + b[self.at_head + iv]]
                self.begin(r, b, iv, f.packet, f.to)
        elif b[self.at_count + iv] == 0:
            m.asking &= ~bit
        return 0
