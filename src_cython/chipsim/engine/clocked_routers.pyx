"""The routers of a clocked fabric, laid out from a plan; what moves in them is in clocked_router.pxd, its state in
clocked_state.pxd.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

import numpy as np

from chipsim.engine.allocators cimport ISLIP, ROUND_ROBIN, WAVEFRONT, Allocator
from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.clocked_router cimport head
from chipsim.engine.clocked_state cimport ACTIVE, SLOTS, Channel, Crossing, Flit, Masks, Pair, Ring, Routers, pairs

CHANNEL = np.dtype([                                # twin of clocked_state.Channel
    ("hop_cycles", np.int64), ("load", np.int64), ("queued", np.int64), ("from_router", np.int32),
    ("to_router", np.int32), ("endpoint", np.int32), ("slots", np.int32), ("inside", np.int32), ("peak", np.int32),
    ("in_port", np.uint8), ("out_port", np.uint8), ("unused", np.uint8, 14)])
KINDS = {"islip": ISLIP, "round_robin": ROUND_ROBIN, "oldest": ROUND_ROBIN, "wavefront": WAVEFRONT}


cdef class ClockedRouters(Held):
    """Raises ValueError when a router has too many ports and virtual channels, or a channel is too long."""

    def __init__(self, plan, clock, trees=None):
        cdef Routers* f = &self.f
        self.plan = plan
        f.multicast = trees is not None
        if f.multicast:
            self.root = trees.root
            f.node_start = <const int64_t*>self.hold("node_start", trees.node_start, np.int64)
            f.branch_channel = <const int32_t*>self.hold("branch_channel", trees.branch_channel, np.int32)
            f.branch_child = <const int64_t*>self.hold("branch_child", trees.branch_child, np.int64)
        self.n_channels = plan.n_channels
        self._set_parameters(clock)
        self._set_plan()
        self._lay_out()
        f.active = <uint64_t*>self.hold("active", np.zeros((f.n_routers + 63) // 64), np.uint64)

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

    def __dealloc__(self):
        cdef int64_t i
        for i in range(SLOTS):
            free(self.f.flits[i].at)
            free(self.f.credits[i].at)

    @property
    def flit_hops(self):
        """Flits through a router in the last run or tick."""
        return self.f.flit_hops

    def loads(self):
        """int64[K] flits sent over each channel since the fabric was made."""
        return self.counted["load"].copy()

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

    cdef void empty(self) noexcept nogil:
        """No flit, claim or credit anywhere."""
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
        for k in range(self.n_channels):
            f.channels[k].inside = 0
        memset(f.active, 0, (f.n_routers + 63) // 64 * 8)
        for k in range(SLOTS):
            f.flits[k].n = f.credits[k].n = 0
        f.flit_hops = 0
