"""A clocked mesh, packet-exact, at the cost of its events: the compiled twin of reference_clocked.ClockedMesh.

Channels, sources, sinks and time are here, routers in clocked_router.pxd, their state in clocked_state.pxd. With
nothing to do in any router or source, time jumps to the next event or injection.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

import numpy as np

from chipsim.engine.deadlock import deadlock

from chipsim.engine.allocators cimport ISLIP, ROUND_ROBIN, WAVEFRONT, Allocator
from chipsim.engine.bits cimport fetch, lowest_bit
from chipsim.engine.buffers cimport FOLLOWS, PacketSeed
from chipsim.engine.clocked_router cimport head, plain_work, work
from chipsim.engine.clocked_routes cimport begin, port_to
from chipsim.engine.clocked_state cimport (
    ACTIVE, FROM_NODE, HEAD, IDLE, SLOTS, TAIL, Arrivals, Channel, Credits, Crossing, Flit, Masks, Pair, Ring, Routers,
    pairs, push_credit, push_flit)
from chipsim.engine.draws cimport draw
from chipsim.engine.function cimport Function
from chipsim.engine.heap cimport Due, Heap, heap_pop, heap_push
from chipsim.engine.servers cimport LIMIT_SOMA, LIMIT_SYNAPSE, Times, Totals, account, times_of

CHANNEL = np.dtype([                                # twin of clocked_state.Channel
    ("hop_cycles", np.int64), ("load", np.int64), ("queued", np.int64), ("from_router", np.int32),
    ("to_router", np.int32), ("endpoint", np.int32), ("slots", np.int32), ("inside", np.int32), ("peak", np.int32),
    ("in_port", np.uint8), ("out_port", np.uint8), ("unused", np.uint8, 14)])
KINDS = {"islip": ISLIP, "round_robin": ROUND_ROBIN, "oldest": ROUND_ROBIN, "wavefront": WAVEFRONT}

cdef enum:
    NOWHERE = 0xFFFFFFFF
    CREDIT = 1                  # kinds of timed events
    READY = 0
    AHEAD = 4                   # flits
    ORDER_STREAM = 0            # of draws: packet k of endpoint e goes x or y first


cdef struct Node:
    uint32_t first              # packets waiting, a list through next_packet
    uint32_t last
    int32_t vc                  # of the packet being sent, -1: none
    int32_t last_vc
    uint32_t sent
    uint32_t packets            # begun


@cython.final                  # methods are then plain calls, which the C compiler inlines
cdef class ClockedFabric:
    """ClockedFabric(plan, clock, trees=None): the routers of a FabricPlan. `clock`: that of a chip, or a
    reference_router.Clocked; `trees`: of multicast packets; of a list, one per packet.

    Raises ValueError when a router has too many ports and virtual channels, or a channel is too long.
    """

    cdef object keep
    cdef object plan                                # FabricPlan, for names in errors
    cdef Routers f
    cdef object counted                             # CHANNEL[K], on f.channels
    cdef int64_t n_channels, n_endpoints
    cdef const int32_t* inject
    cdef uint64_t* sending                          # bit per endpoint with packets to send
    cdef Node* nodes
    cdef int32_t* node_used                         # [endpoint, vc]
    cdef Heap timed
    # soma and synapse servers at the endpoints; period 0: sources are lists, sinks take everything at once
    cdef int64_t period
    cdef const int64_t* service_ps
    cdef object axon_core
    cdef object root                                # multicast: node at which each source's tree begins
    cdef const int32_t* core_of_axon
    cdef const PacketSeed* seeds
    cdef Times times
    cdef int64_t* last_packet                       # per endpoint, of the tick
    cdef int64_t* entry
    cdef int64_t* busy
    cdef int64_t* queued_ps                         # before a synapse server, per channel
    cdef int64_t* started                           # [endpoint, ring] of packets that may not have been started yet
    cdef int32_t* first_started
    cdef int64_t ring_size
    # of the run
    cdef const int32_t* size
    cdef int64_t* head_inject
    cdef int64_t* head_arrive
    cdef int64_t* arrive
    cdef uint32_t* next_packet
    cdef readonly int64_t cycles

    def __init__(self, plan, clock, trees=None):
        cdef Routers* f = &self.f
        self.keep, self.plan = {}, plan
        f.multicast = trees is not None
        if f.multicast:
            self.root = trees.root
            f.node_start = <const int64_t*>self.hold("node_start", trees.node_start, np.int64)
            f.branch_channel = <const int32_t*>self.hold("branch_channel", trees.branch_channel, np.int32)
            f.branch_child = <const int64_t*>self.hold("branch_child", trees.branch_child, np.int64)
        self.n_channels, self.n_endpoints = plan.n_channels, len(plan.router)
        self._set_parameters(clock)
        self._set_plan()
        self._lay_out()
        f.active = <uint64_t*>self.hold("active", np.zeros((f.n_routers + 63) // 64), np.uint64)
        self.sending = <uint64_t*>self.hold("sending", np.zeros((self.n_endpoints + 63) // 64), np.uint64)
        self.nodes = <Node*>self.hold("nodes", np.zeros(self.n_endpoints * sizeof(Node)), np.uint8)
        self.node_used = <int32_t*>self.hold("node_used", np.zeros(self.n_endpoints * f.vcs), np.int32)
        self.queued_ps = <int64_t*>self.hold("queued_ps", np.zeros(self.n_channels), np.int64)

    def _set_parameters(self, clock):
        cdef Routers* f = &self.f
        cdef int64_t k
        f.n_routers, f.n_ports, f.vcs = self.plan.n_routers, self.plan.n_ports, clock.vcs
        f.pv = f.n_ports * f.vcs
        f.routing_delay, f.credit_delay, f.traversal = clock.routing_delay, clock.credit_delay, clock.traversal
        f.when_empty, f.by_age = clock.reuse == "when_empty", clock.priority == "age" or clock.allocator == "oldest"
        f.speculative, f.by_packet = clock.speculation == "switch", clock.connection == "packet"
        f.batches = clock.crossbar == "batches" and clock.traversal > 1
        f.in_speed, f.out_speed, f.steps = clock.input_speedup, clock.output_speedup, clock.internal_speedup
        f.queued = f.steps > 1 or f.out_speed > 1 or f.batches      # several flits may want to leave by one output
        f.output_queue = (clock.output_queue or 0) if f.queued else 0     # else a flit is gone before the next asks
        f.share = f.vcs // f.n_ports if clock.vc_use == "next_output" else 0
        f.special = f.queued or f.speculative or f.by_packet or f.in_speed > 1 or clock.allocator == "wavefront"
        if f.n_ports * max(f.vcs, f.in_speed, f.out_speed) > 64:
            raise ValueError(f"{f.n_ports} ports x {f.vcs} virtual channels are {f.pv}; a router's masks hold 64")
        if clock.vc_use == "next_output" and f.share == 0:
            raise ValueError(f"{f.n_ports} outputs need as many virtual channels, not {f.vcs}")
        f.vc_allocator = Allocator(KINDS[clock.allocator], clock.iterations, f.pv, f.pv)
        f.switch_allocator = Allocator(KINDS[clock.allocator], clock.iterations, f.n_ports * f.in_speed,
                                       f.n_ports * f.out_speed)
        for k in range(f.pv):
            f.input_of[k], f.vc_of[k] = <uint8_t>(k // f.vcs), <uint8_t>(k % f.vcs)
            f.lane[k] = <uint8_t>(k // f.vcs % f.out_speed)
            f.into_switch[k] = <uint8_t>(k // f.vcs * f.in_speed + k % f.vcs % f.in_speed)

    def _set_plan(self):
        cdef Routers* f = &self.f
        plan = self.plan
        if plan.hop_cycles.max() + 1 + max(f.credit_delay, f.traversal) >= SLOTS:
            raise ValueError(f"a channel of {plan.hop_cycles.max()} cycles is too long; "
                             f"at most {SLOTS - 2 - max(f.credit_delay, f.traversal)}")
        f.router = <const int32_t*>self.hold("router", plan.router, np.int32)
        self.inject = <const int32_t*>self.hold("inject", plan.inject, np.int32)
        f.eject = <const int32_t*>self.hold("eject", plan.eject, np.int32)
        f.next_port = <const uint8_t*>self.hold("next_port", plan.next_port, np.uint8)
        f.order, f.first_link, f.columns = plan.order, plan.first_link, plan.columns
        f.x = <const uint16_t*>self.hold("x", np.arange(f.n_routers) % plan.columns, np.uint16)
        f.y = <const uint16_t*>self.hold("y", np.arange(f.n_routers) // plan.columns, np.uint16)
        f.xy_yx, f.x_only = plan.by_vc == "xy_yx", plan.by_vc == "xy_escape"
        f.min_adaptive = f.x_only or plan.by_vc == "minimal_adaptive"
        f.quick = f.vc_allocator.kind == ISLIP or (f.vc_allocator.kind == ROUND_ROBIN and not f.min_adaptive)
        if plan.choices is not None:
            f.choices = <const uint8_t*>self.hold("choices", plan.choices, np.uint8)
        if plan.ring is not None:
            f.ring = <const uint8_t*>self.hold("ring", plan.ring, np.uint8)
        f.plain = f.order > 0 and f.ring == NULL and not (
            f.xy_yx or f.min_adaptive or f.share or f.special or f.multicast or f.by_age) and \
            f.vc_allocator.kind == ISLIP and f.vc_allocator.iterations == 1
        raw = self.keep["raw"] = np.zeros(sizeof(Channel) * (self.n_channels + 1), np.uint8)
        first = -raw.ctypes.data % sizeof(Channel)          # a channel on one cache line
        self.counted = raw[first : first + sizeof(Channel) * self.n_channels].view(CHANNEL)
        for name in ("hop_cycles", "from_router", "to_router", "endpoint", "slots", "in_port", "out_port"):
            self.counted[name] = getattr(plan, name)
        f.channels = <Channel*><size_t>self.counted.ctypes.data
        f.depth = int(plan.slots.max())
        into, out_of = np.full((2, f.n_routers, f.n_ports), -1, np.int32)
        enters, leaves = plan.to_router >= 0, plan.from_router >= 0
        into[plan.to_router[enters], plan.in_port[enters]] = np.flatnonzero(enters)
        out_of[plan.from_router[leaves], plan.out_port[leaves]] = np.flatnonzero(leaves)
        f.into = <int32_t*>self.hold("into", into, np.int32)
        f.out_of = <int32_t*>self.hold("out_of", out_of, np.int32)

    def _lay_out(self):
        """A block of bytes per router, and its FIFOs."""
        cdef Routers* f = &self.f
        at = sizeof(Masks) + f.pv * sizeof(Pair)
        f.at.grant, f.at.accept = at, at + f.pv
        at += 2 * f.pv
        n_in, n_out = f.switch_allocator.n_inputs, f.switch_allocator.n_outputs
        f.at.switch_grant, f.at.switch_accept, f.at.first = at, at + n_out, at + n_out + n_in
        f.at.held_vc, f.at.diagonals = f.at.first + n_in, f.at.first + 2 * n_in
        f.at.branch, f.at.copied = f.at.diagonals + 2, f.at.diagonals + 2 + f.pv
        f.at.stride = (f.at.diagonals + 2 + (2 * f.pv if f.multicast else 0) + 63) // 64 * 64
        f.blocks = <uint8_t*>self.hold("blocks", np.zeros(f.n_routers * f.at.stride), np.uint8)
        f.queues = <Flit*>self.hold("queues", np.zeros(f.n_routers * f.pv * f.depth * sizeof(Flit)), np.uint8)
        if f.queued:
            places, most = f.n_routers * f.n_ports, f.vcs * f.depth
            f.crossing = <Ring*>self.hold("crossing", np.zeros(f.n_routers * sizeof(Ring)), np.uint8)
            f.crossings = <Crossing*>self.hold("crossings", np.zeros(places * most * sizeof(Crossing)), np.uint8)
            f.output = <Ring*>self.hold("output", np.zeros(places * sizeof(Ring)), np.uint8)
            f.outputs = <Flit*>self.hold("outputs", np.zeros(places * most * sizeof(Flit)), np.uint8)
            f.message = <Ring*>self.hold("message", np.zeros(places * sizeof(Ring)), np.uint8)
            f.messages = <uint8_t*>self.hold("messages", np.zeros(places * (most + 1)), np.uint8)

    @property
    def flit_hops(self):
        """Flits through a router in the last run or tick."""
        return self.f.flit_hops

    @classmethod
    def of(cls, plan):
        """The fabric of an engine's Plan whose chip has a clock: `run_ticks` then serves its cores."""
        cdef ClockedFabric self = cls(plan.fabric, plan.layout.chip.fabric.clock, plan.trees)
        self.period = plan.period_ps
        self.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        self.axon_core = np.asarray(plan.axon_core)
        self.core_of_axon = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        self.last_packet = <int64_t*>self.hold("last_packet", np.zeros(self.n_endpoints), np.int64)
        self.entry = <int64_t*>self.hold("entry", np.zeros(self.n_endpoints), np.int64)
        self.busy = <int64_t*>self.hold("busy", np.zeros(self.n_endpoints), np.int64)
        self.ring_size = self.f.vcs * self.f.depth + 1
        self.started = <int64_t*>self.hold("started", np.zeros(self.n_endpoints * self.ring_size), np.int64)
        self.first_started = <int32_t*>self.hold("first_started", np.zeros(self.n_endpoints), np.int32)
        return self

    cdef void* hold(self, str name, array, dtype) except NULL:
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    def __dealloc__(self):
        cdef int64_t i
        for i in range(SLOTS):
            free(self.f.flits[i].at)
            free(self.f.credits[i].at)
        free(self.timed.at)

    def run(self, src, dst, cycle, size, fanout=1):
        """Move packets src -> dst (endpoints) of `size` flits, offered at `cycle`; arrays [packets].

        fanout: so many in a row are the deliveries of one multicast packet, in the order of its tree's.
        Returns dict: head_inject, head_arrive, arrive int64[packets] (cycles), load int64[K] (flits per channel).
        Raises SimulationError when packets stand still for good, naming the cycle.
        """
        cdef int64_t n = len(src), n_made = n // fanout
        order = np.argsort(np.asarray(cycle)[::fanout], kind="stable") * fanout
        times = {name: np.full(n, -1, np.int64) for name in ("head_inject", "head_arrive", "arrive")}
        before = self.loads()
        self.f.src = <const int32_t*>self.hold("src", src, np.int32)
        to = dst if self.root is None else np.repeat(self.root, fanout)
        self.f.dst = <const int32_t*>self.hold("dst", to, np.int32)
        self.size = <const int32_t*>self.hold("size", size, np.int32)
        self.head_inject = <int64_t*>self.hold("head_inject", times["head_inject"], np.int64)
        self.head_arrive = <int64_t*>self.hold("head_arrive", times["head_arrive"], np.int64)
        self.arrive = <int64_t*>self.hold("arrive", times["arrive"], np.int64)
        self.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(max(1, n)), np.uint32)
        self.f.age = <int64_t*>self.hold("age", np.zeros(max(1, n)), np.int64)
        self.f.y_first = <uint8_t*>self.hold("y_first", np.zeros(max(1, n)), np.uint8)
        cdef const uint32_t* sorted_ = <const uint32_t*>self.hold("order", order, np.uint32)
        cdef const int64_t* offered = <const int64_t*>self.hold("cycle", cycle, np.int64)
        self.start()
        cdef int rc
        with nogil:
            rc = self.move(n, n_made, sorted_, offered)
        if rc == -1:
            raise MemoryError("no memory left for flits in flight")
        if rc:
            raise deadlock(self.stuck(), self.plan)
        times["head_inject"] = np.repeat(times["head_inject"][::fanout], fanout)
        return times | {"load": self.loads() - before}

    def loads(self):
        """int64[K] flits sent over each channel since the fabric was made."""
        return self.counted["load"].copy()

    def occupancy(self):
        """(queued int64[K], peak int32[K]) since the fabric was made, in ps, without servers in cycles; queues.py."""
        queued = self.counted["queued"] * max(1, self.period) + self.keep["queued_ps"]
        return queued, np.maximum(self.counted["peak"], self.counted["load"] > 0).astype(np.int32)

    def run_ticks(self, Function function, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """As Fabric.run: the mesh of ticks [first, last) of the chunk that `function` advanced last."""
        cdef int64_t t, n_cores = self.n_endpoints - 1, stride = n_cores + 1
        cdef int rc = 0
        cdef int64_t* start
        _, source, axon = function.packets()
        rows = np.frombuffer(function.row_starts(), np.int64)
        endpoint = np.where(np.arange(len(rows) - 1) % stride == 0, n_cores, np.arange(len(rows) - 1) % stride - 1)
        n = max(1, len(axon))
        self.f.src = <const int32_t*>self.hold("src", np.repeat(endpoint, np.diff(rows)), np.int32)
        to = self.axon_core[axon] if self.root is None else self.root[source]
        self.f.dst = <const int32_t*>self.hold("dst", to if len(axon) else np.zeros(1), np.int32)
        self.size = <const int32_t*>self.hold("size", np.ones(n), np.int32)
        self.head_inject = <int64_t*>self.hold("head_inject", np.zeros(n), np.int64)
        self.head_arrive = <int64_t*>self.hold("head_arrive", np.zeros(n), np.int64)
        self.arrive = <int64_t*>self.hold("arrive", np.zeros(n), np.int64)
        self.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(n), np.uint32)
        self.f.age = <int64_t*>self.hold("age", np.zeros(n), np.int64)
        self.f.y_first = <uint8_t*>self.hold("y_first", np.zeros(n), np.uint8)
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
        cdef int64_t k = p
        while k == p or self.follows(p, k):
            self.times.made[k] = made
            k += 1
        return heap_push(&self.timed, max(earliest, edge), <uint32_t>p, READY)

    cdef inline bint follows(self, int64_t p, int64_t k) noexcept nogil:
        """Delivery k is one of multicast packet p's."""
        return self.f.multicast and k < self.last_packet[self.f.src[p]] and self.seeds[k].gap == FOLLOWS

    cdef void offer(self, int64_t now, uint32_t p) noexcept nogil:
        """A packet joins the queue of its source."""
        cdef int64_t e = self.f.src[p]
        self.f.age[p] = now
        self.next_packet[p] = NOWHERE
        if self.nodes[e].first == NOWHERE:
            self.nodes[e].first = p
        else:
            self.next_packet[self.nodes[e].last] = p
        self.nodes[e].last = p
        self.sending[e >> 6] |= <uint64_t>1 << (e & 63)

    cdef int serve(self, int64_t now, Flit* f) noexcept nogil:
        """A packet reaches its synapse server, which gives the slot back when it begins with it."""
        cdef int64_t p = f.packet, e = self.f.channels[f.channel].endpoint, ps = now * self.period, at
        self.times.arrived[p] = ps
        self.times.started[p] = max(ps, self.busy[e])
        self.times.done[p] = self.busy[e] = self.times.started[p] + self.service_ps[self.seeds[p].axon]
        self.wait_for_server(f.channel, ps, self.times.started[p])
        at = (self.times.started[p] + self.period - 1) // self.period
        if at <= now:
            return push_credit(&self.f, now, f.channel, f.vc)
        return heap_push(&self.timed, at, f.channel * 8 + f.vc, CREDIT)

    cdef inline void wait_for_server(self, uint32_t channel, int64_t ps, int64_t started) noexcept nogil:
        """A packet stands in a core's input FIFO until it is started."""
        cdef int64_t e = self.f.channels[channel].endpoint
        cdef int64_t* ring = self.started + e * self.ring_size
        cdef int32_t k = self.first_started[e]
        self.queued_ps[channel] += started - ps
        while self.f.channels[channel].inside and ring[k] < ps:
            k = k + 1 if k + 1 < self.ring_size else 0
            self.f.channels[channel].inside -= 1
        self.first_started[e] = k
        ring[(k + self.f.channels[channel].inside) % self.ring_size] = started
        self.f.channels[channel].inside += 1
        self.f.channels[channel].peak = max(self.f.channels[channel].peak, self.f.channels[channel].inside)

    def stuck(self):
        """Channels with a packet behind them, and an output it needs: list of (channel, packet, wanted channel)."""
        cdef Routers* f = &self.f
        cdef int64_t r, iv, o
        cdef uint8_t* b
        found = []
        for r in range(f.n_routers):
            b = f.blocks + r * f.at.stride
            for iv in range(f.pv):
                if pairs(b)[iv].count:
                    o = pairs(b)[iv].port if pairs(b)[iv].state == ACTIVE else \
                        lowest_bit(pairs(b)[iv].wants) // f.vcs
                    found.append((f.into[r * f.n_ports + f.input_of[iv]], head(f, r, b, iv),
                                  f.out_of[r * f.n_ports + o]))
        return found

    cdef void start(self) noexcept nogil:
        """Everything empty."""
        cdef Routers* f = &self.f
        cdef int64_t r, k
        cdef Masks* m
        memset(f.blocks, 0, f.n_routers * f.at.stride)
        for r in range(f.n_routers):
            m = <Masks*>(f.blocks + r * f.at.stride)
            m.free_out = m.credit_out = ~<uint64_t>0 if f.pv == 64 else (<uint64_t>1 << f.pv) - 1
            for k in range(f.switch_allocator.n_inputs if f.in_speed > 1 else 0):
                f.blocks[r * f.at.stride + f.at.first + k] = <uint8_t>(k % f.in_speed)
        if f.queued:
            memset(f.crossing, 0, f.n_routers * sizeof(Ring))
            memset(f.output, 0, f.n_routers * f.n_ports * sizeof(Ring))
            memset(f.message, 0, f.n_routers * f.n_ports * sizeof(Ring))
            memset(f.messages, 0, f.n_routers * f.n_ports * (f.vcs * f.depth + 1))
        for k in range(self.n_endpoints):
            self.nodes[k].first = NOWHERE
            self.nodes[k].packets = 0
            self.nodes[k].vc = self.nodes[k].last_vc = -1
        memset(self.node_used, 0, self.n_endpoints * f.vcs * sizeof(int32_t))
        for k in range(self.n_channels):
            f.channels[k].inside = 0
        memset(f.active, 0, (f.n_routers + 63) // 64 * 8)
        memset(self.sending, 0, (self.n_endpoints + 63) // 64 * 8)
        for k in range(SLOTS):
            f.flits[k].n = f.credits[k].n = 0
        f.flit_hops = self.cycles = self.timed.n = 0

    cdef int move(self, int64_t left, int64_t n, const uint32_t* order, const int64_t* offered) noexcept nogil:
        """Cycle by cycle until `left` deliveries are made; n packets are from a list, others from soma servers."""
        cdef int64_t now = 0, next_ = 0, i, w, e, r, ahead, external
        cdef uint64_t bits, keep_bits, busy
        cdef int more
        cdef Due timed
        cdef Arrivals* arrivals
        cdef Credits* credits
        if n and offered[order[0]] > 0:
            now = offered[order[0]]
        while left:
            credits = &self.f.credits[now & (SLOTS - 1)]
            for i in range(credits.n):
                if i + AHEAD < credits.n and not credits.at[i + AHEAD] & FROM_NODE:
                    fetch(self.f.blocks + (credits.at[i + AHEAD] >> 6) * self.f.at.stride)
                self.take_credit(credits.at[i])
            credits.n = 0
            arrivals = &self.f.flits[now & (SLOTS - 1)]
            for i in range(arrivals.n):
                if i + AHEAD < arrivals.n:              # 64x64 routers do not fit the cache
                    r = self.f.channels[arrivals.at[i + AHEAD].channel].to_router
                    if r >= 0:
                        fetch(self.f.blocks + r * self.f.at.stride)
                if i + 2 * AHEAD < arrivals.n:
                    fetch(&self.f.channels[arrivals.at[i + 2 * AHEAD].channel])
                r = self.receive(now, &arrivals.at[i])
                if r < 0:
                    return -1
                left -= r
            arrivals.n = 0
            while self.timed.n and self.timed.at[0].at <= now:
                timed = heap_pop(&self.timed)
                if timed.kind == READY:
                    self.offer(now, timed.what)
                elif push_credit(&self.f, now, timed.what >> 3, timed.what & 7):
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
            for w in range((self.f.n_routers + 63) >> 6):
                bits = self.f.active[w]
                keep_bits = 0
                while bits:
                    r = (w << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    if self.f.plain:
                        plain_work(&self.f, now, r, &more)
                    else:
                        more = work(&self.f, now, r, False)
                    if more < 0:
                        return -1
                    if more:
                        keep_bits |= <uint64_t>1 << (r & 63)
                self.f.active[w] = keep_bits
                busy |= keep_bits
            now += 1
            if busy or left == 0:
                continue
            for w in range((self.n_endpoints + 63) >> 6):
                busy |= self.sending[w]
            if busy:
                continue
            ahead = 0                                   # nothing can happen before the next event or injection
            while ahead < SLOTS and not (self.f.flits[(now + ahead) & (SLOTS - 1)].n
                                         or self.f.credits[(now + ahead) & (SLOTS - 1)].n):
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
        cdef Routers* f = &self.f
        cdef int64_t r = what >> 6, o = what & 63, e
        cdef uint8_t* b
        cdef Masks* m
        if what & FROM_NODE:
            e = (what & ~<uint32_t>FROM_NODE) >> 3
            self.node_used[e * f.vcs + (what & 7)] -= 1
            if self.nodes[e].first != NOWHERE:
                self.sending[e >> 6] |= <uint64_t>1 << (e & 63)
            return
        b = f.blocks + r * f.at.stride
        m = <Masks*>b
        pairs(b)[o].used -= 1
        m.credit_out |= <uint64_t>1 << o
        if m.draining >> o & 1 and pairs(b)[o].used == 0:
            m.draining &= ~(<uint64_t>1 << o)
            m.free_out |= <uint64_t>1 << o
        if m.waiting | m.asking | m.routing:
            f.active[r >> 6] |= <uint64_t>1 << (r & 63)

    cdef inline int receive(self, int64_t now, Flit* flit) noexcept nogil:
        """A flit at the end of its channel; 1 when it was its packet's last, negative: no memory."""
        cdef Routers* f = &self.f
        cdef int64_t r = f.channels[flit.channel].to_router, iv, k
        cdef uint8_t* b
        if r < 0:
            if self.period:
                return -1 if self.serve(now, flit) else 1
            if flit.ends & HEAD:
                self.head_arrive[flit.packet] = now
            if flit.ends & TAIL:
                self.arrive[flit.packet] = now
            if push_credit(f, now, flit.channel, flit.vc):
                return -1
            return 1 if flit.ends & TAIL else 0
        b = f.blocks + r * f.at.stride
        iv = f.channels[flit.channel].in_port * f.vcs + flit.vc
        f.channels[flit.channel].queued -= now
        f.channels[flit.channel].inside += 1
        if f.channels[flit.channel].inside > self.f.channels[flit.channel].peak:
            self.f.channels[flit.channel].peak = f.channels[flit.channel].inside
        k = pairs(b)[iv].head + pairs(b)[iv].count
        if k >= f.depth:
            k -= f.depth
        f.queues[(r * f.pv + iv) * f.depth + k] = flit[0]
        pairs(b)[iv].count += 1
        if pairs(b)[iv].state == IDLE:
            if f.plain:
                begin(f, r, b, iv, flit.packet, flit.to, True)
            else:
                begin(f, r, b, iv, flit.packet, flit.to, False)
        elif pairs(b)[iv].state == ACTIVE:
            (<Masks*>b).asking |= <uint64_t>1 << iv
        f.active[r >> 6] |= <uint64_t>1 << (r & 63)
        return 0

    cdef inline int send_from(self, int64_t now, int64_t e) noexcept nogil:
        """One flit a cycle; the VC is chosen when a packet comes to the front: the first after the last with room."""
        cdef Routers* f = &self.f
        cdef Node* q = &self.nodes[e]
        cdef int64_t channel = self.inject[e], k, v, first = 0, n = f.vcs
        cdef int64_t room = f.channels[channel].slots, enough = 1 if f.when_empty else room
        cdef uint32_t p = q.first
        cdef uint32_t words[4]
        cdef int ends = 0
        if q.vc < 0:
            if f.share:                                 # VCs kept for the output of its first router
                n, first = f.share, f.share * port_to(f, f.router[e], self.f.dst[p])
            for k in range(1, n + 1):
                v = first if q.last_vc < first or q.last_vc >= first + n else first + (q.last_vc - first + k) % n
                if self.node_used[e * f.vcs + v] < enough:
                    q.vc = <int32_t>v
                    break
            if q.vc < 0:
                self.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
                return 0
            q.last_vc, q.sent = q.vc, 0
            if f.xy_yx:
                draw(words, 0, q.packets, <uint32_t>e, ORDER_STREAM, 0)
                f.y_first[p] = words[0] & 1
                q.packets += 1
            self.head_inject[p] = now
            if self.period:
                self.entry[e] = now * self.period
                k = p
                while k == p or self.follows(p, k):
                    self.times.entered[k] = self.entry[e]
                    k += 1
                if k < self.last_packet[e] and self.make(k, self.entry[e], now + 1):
                    return -1
        if self.node_used[e * f.vcs + q.vc] >= room:
            self.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
            return 0
        self.node_used[e * f.vcs + q.vc] += 1
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
        return push_flit(f, now + f.channels[channel].hop_cycles + 1, p, f.dst[p], channel, v, ends)
