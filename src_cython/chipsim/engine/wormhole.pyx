"""Clockless routers with virtual channels and packets of several flits: the compiled twin of reference_wormhole.py.

The state stands in worms.pxd, what FIFOs do in worm_fifos.pxd, what outputs do in worm_grants.pxd. What is dirty and
what a wake-up means are as in fabric.pyx, which is quicker where a packet is one flit and a channel one FIFO.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

import numpy as np

from chipsim.engine.arbiter import POLICIES, leaves
from chipsim.engine.deadlock import deadlock

from chipsim.engine.buffers cimport PacketSeed
from chipsim.engine.held cimport Held
from chipsim.engine.mutex cimport make_mutexes, mutex_reset
from chipsim.engine.packets cimport Packets
from chipsim.engine.servers cimport LIMIT_SOMA, LIMIT_SYNAPSE, Totals, account, times_of
from chipsim.engine.wheel cimport Timed, wheel_close, wheel_fill, wheel_open, wheel_restart
from chipsim.engine.worm_fifos cimport arrive, next_flit, serve
from chipsim.engine.worm_grants cimport arbitrate, make
from chipsim.engine.worms cimport (
    EJECT, FOREVER, MUTEX_TREE, NOBODY, SERVE, SERVED, TOUCHED, WAKE, Fifo, Output, Sink, Slot, Source, Way, Worms,
    crowd_of, look, touch, wake)


cdef int run_tick(Worms* m, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                  int32_t* limit) noexcept nogil:
    """From a quiet start until all is still. seed_start and tail_ps: host port first, then the cores.

    Writes length (ps) and limit, what set it. -1: no memory; -2: packets stand still.
    """
    cdef int64_t e, i, j
    cdef Source* s
    forget(m)
    for j in range(m.n_cores + 1):
        e = m.n_cores if j == 0 else j - 1
        s = &m.sources[e]
        s.packet = s.first = seed_start[j]
        s.last, s.entry, s.sent, s.vc = seed_start[j + 1], 0, 0, -1
        if s.packet < s.last:
            make(m, s.packet, 0)
            wake(m, m.inject[e], m.times.made[s.packet])
    while not m.wheel.failed and (m.wheel.taken < m.wheel.filled or wheel_fill(&m.wheel)):
        time_stamp(m, m.wheel.current[m.wheel.taken].at)
    if m.wheel.failed:
        return -1
    length[0], limit[0] = 0, 0
    for e in range(m.n_cores + 1):
        if m.sources[e].packet != m.sources[e].last:
            return -2
        j = 0 if e == m.n_cores else e + 1
        if m.sources[e].entry + tail_ps[j] > length[0]:
            length[0] = m.sources[e].entry + tail_ps[j]
            limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
    for e in range(m.n_cores):
        if m.sinks[e].busy_until > length[0]:
            length[0] = m.sinks[e].busy_until
            limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | e)
    for i in range(m.n_dirty):
        if m.outputs[m.dirty[i]].inside:
            return -2
    return 0


cdef inline void time_stamp(Worms* m, int64_t now) noexcept nogil:
    """All events of one time: arrivals, then what the synapse servers take, then grants."""
    cdef int64_t i
    cdef Timed e
    m.n_touched = m.n_served = 0
    while m.wheel.taken < m.wheel.filled and m.wheel.current[m.wheel.taken].at == now:
        e = m.wheel.current[m.wheel.taken]
        m.wheel.taken += 1
        if e.packet == WAKE:
            if m.outputs[e.channel].wake_at == now:
                m.outputs[e.channel].wake_at = FOREVER
            touch(m, e.channel)
        elif e.packet == SERVE:
            look(m, e.channel)
        else:
            arrive(m, e.channel, e.packet, e.node, now)
    for i in range(m.n_served):
        m.outputs[m.served[i]].touched &= ~SERVED
        serve(m, m.served[i], now)
    if m.escape_vcs:
        least_crowded_first(m, now)
    for i in range(m.n_touched):
        m.outputs[m.touched[i]].touched &= ~TOUCHED
        arbitrate(m, m.touched[i], now)


cdef void least_crowded_first(Worms* m, int64_t now) noexcept nogil:
    """Order the outputs that are to be looked at by slots taken, then by number: packets may have a choice of them."""
    cdef int64_t i, k
    cdef uint32_t channel
    cdef int32_t crowd
    for i in range(m.n_touched):
        channel, crowd, k = m.touched[i], crowd_of(m, m.touched[i], now), i
        m.crowd[channel] = crowd
        while k and (m.crowd[m.touched[k - 1]] > crowd
                     or (m.crowd[m.touched[k - 1]] == crowd and m.touched[k - 1] > channel)):
            m.touched[k] = m.touched[k - 1]
            k -= 1
        m.touched[k] = channel


cdef void forget(Worms* m) noexcept nogil:
    """Every FIFO empty, every output free, as before the tick before."""
    cdef int64_t i, q
    cdef Output* o
    cdef Fifo* f
    for i in range(m.n_dirty):
        o = &m.outputs[m.dirty[i]]
        o.free_at, o.wake_at, o.last_arrival, o.requests = 0, FOREVER, -o.cycle, 0
        o.inside, o.last_input, o.starved, o.touched, o.dirty = 0, -1, 0, 0, 0
        if o.kind == EJECT:
            m.sinks[o.endpoint].busy_until = m.sinks[o.endpoint].wake_at = 0
            m.sinks[o.endpoint].first = m.sinks[o.endpoint].n_waiting = 0
            m.sinks[o.endpoint].vc = -1
        if m.mutexes != NULL:
            mutex_reset(&m.mutexes[m.dirty[i]])
        for q in range(m.dirty[i] * m.vcs, (m.dirty[i] + 1) * m.vcs):
            f = &m.fifos[q]
            f.ready_at, f.packet, f.taken = 0, NOBODY, 0
            f.held = f.credit_first = f.n_credits = f.first = f.n_queued = f.left = f.n_ways = 0
    m.n_dirty = 0
    wheel_restart(&m.wheel)


@cython.final
cdef class Wormhole(Held):
    """Wormhole(plan): the channels of a plan. One object serves one thread; ticks are independent of each other."""

    cdef object plan                                # FabricPlan, for names in errors
    cdef Worms m
    cdef int64_t n_channels

    def __init__(self, plan):
        f, trees = plan.fabric, plan.trees
        cdef Worms* m = &self.m
        self.plan = f
        self.n_channels, m.n_cores = f.n_channels, len(f.eject[f.eject >= 0])
        m.n_routers, m.n_ports, m.vcs, m.flits = f.n_routers, f.n_ports, f.vcs, f.flits
        m.n_inputs = <int32_t>m.n_ports * m.vcs
        if m.n_inputs > 64:
            raise ValueError(f"{m.n_ports} ports x {m.vcs} virtual channels are {m.n_inputs}; a router's masks hold 64")
        if wheel_open(&m.wheel, 1):
            raise MemoryError("no memory for the event calendar")
        m.policy, m.order, m.first_link = POLICIES.index(plan.arbitration), f.order, f.first_link
        m.columns, m.rows, m.dateline = f.columns, f.n_routers // f.columns, f.dateline
        m.escape_vcs, m.xy_yx = f.escape_vcs, f.by_vc == "xy_yx"
        m.router = <const int32_t*>self.hold("router", f.router, np.int32)
        m.inject = <const int32_t*>self.hold("inject", f.inject, np.int32)
        m.eject = <const int32_t*>self.hold("eject", f.eject, np.int32)
        m.out_channel = <const int32_t*>self.hold("out_channel", f.out_channel, np.int32)
        m.next_port = <const uint8_t*>self.hold("next_port", f.next_port, np.uint8)
        m.out_port = <const uint8_t*>self.hold("out_port", f.out_port, np.uint8)
        m.x = <const int32_t*>self.hold("x", np.arange(f.n_routers) % f.columns, np.int32)
        m.y = <const int32_t*>self.hold("y", np.arange(f.n_routers) // f.columns, np.int32)
        if f.choices is not None:
            m.choices = <const uint8_t*>self.hold("choices", f.choices, np.uint8)
        if trees is not None:
            m.root = <const int64_t*>self.hold("root", trees.root, np.int64)
            m.node_start = <const int64_t*>self.hold("node_start", trees.node_start, np.int64)
            m.branch_channel = <const int32_t*>self.hold("branch_channel", trees.branch_channel, np.int32)
            m.branch_child = <const int64_t*>self.hold("branch_child", trees.branch_child, np.int64)
        m.axon_core = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        m.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        m.source_endpoint = <const int32_t*>self.hold("source_endpoint", plan.endpoint, np.int32)
        fifo_of = np.full((m.n_routers, m.n_ports, m.vcs), -1, np.int32)
        fed = np.flatnonzero(f.to_router >= 0)
        fifo_of[f.to_router[fed], f.in_port[fed]] = fed[:, None] * f.vcs + np.arange(f.vcs)
        m.fifo_of = <const int32_t*>self.hold("fifo_of", fifo_of, np.int32)
        m.touched = <uint32_t*>self.hold("touched", np.zeros(self.n_channels), np.uint32)
        m.served = <uint32_t*>self.hold("served", np.zeros(self.n_channels), np.uint32)
        m.crowd = <int32_t*>self.hold("crowd", np.zeros(self.n_channels), np.int32)
        m.dirty = <uint32_t*>self.hold("dirty", np.arange(self.n_channels), np.uint32)
        m.n_dirty = self.n_channels
        m.sources = <Source*>self.hold("sources", np.zeros((m.n_cores + 1) * sizeof(Source)), np.uint8)
        m.sinks = <Sink*>self.hold("sinks", np.zeros((m.n_cores + 1) * sizeof(Sink)), np.uint8)
        self.make_channels(f, 2 if trees is None else int(np.diff(trees.node_start).max(initial=1)))
        if m.policy == MUTEX_TREE:
            m.mutexes = make_mutexes(self, self.n_channels, leaves(m.n_inputs))

    cdef int make_channels(self, f, int64_t n_ways) except -1:
        """Outputs and FIFOs; n_ways: outputs that a packet may need at one router."""
        cdef Worms* m = &self.m
        cdef int64_t k, v, slot = 0, total = int(f.slots.sum()) * m.vcs, n_fifos = self.n_channels * m.vcs
        cdef int64_t* credits = <int64_t*>self.hold("credits", np.zeros(total), np.int64)
        cdef Slot* slots = <Slot*>self.hold("slots", np.zeros(total * sizeof(Slot)), np.uint8)
        cdef uint8_t* orders = <uint8_t*>self.hold("orders", np.zeros(total), np.uint8)
        cdef Way* ways = <Way*>self.hold("ways", np.zeros(n_fifos * n_ways * sizeof(Way)), np.uint8)
        cdef Output* o
        cdef Fifo* c
        m.outputs = <Output*>self.hold("outputs", np.zeros(self.n_channels * sizeof(Output)), np.uint8)
        m.fifos = <Fifo*>self.hold("fifos", np.zeros(n_fifos * sizeof(Fifo)), np.uint8)
        for k in range(self.n_channels):
            o = &m.outputs[k]
            o.latency, o.body_latency = f.latency[k], f.body_latency[k]
            o.cycle, o.credit, o.kind = f.cycle[k], f.credit[k], f.kind[k]
            o.from_router, o.to_router, o.endpoint = f.from_router[k], f.to_router[k], f.endpoint[k]
            if o.kind == EJECT:
                m.sinks[o.endpoint].order, m.sinks[o.endpoint].size = orders + slot, f.slots[k] * m.vcs
            for v in range(m.vcs):
                c = &m.fifos[k * m.vcs + v]
                c.n_slots, c.channel, c.input = f.slots[k], <uint32_t>k, f.in_port[k] * m.vcs + v
                c.credits, c.slots, c.ways = credits + slot, slots + slot, ways + (k * m.vcs + v) * n_ways
                slot += c.n_slots
        return 0

    def __dealloc__(self):
        wheel_close(&self.m.wheel)

    def run_ticks(self, Packets packets, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """As Fabric.run_ticks: the mesh of ticks [first, last) of the chunk that these are the packets of."""
        cdef int64_t t, stride = self.m.n_cores + 1
        cdef int rc = 0
        self.m.seeds = packets.seeds.at
        self.m.times = times_of(times)
        cdef Totals totals = Totals(&soma_ps[0], &stall_ps[0], &synapse_ps[0], &latency[0])
        with nogil:
            for t in range(first, last):
                rc = run_tick(&self.m, packets.seed_start + t * stride, packets.tail_ps + t * stride, &tick_ps[t],
                              &limit[t])
                if rc:
                    break
                account(packets.seed_start + t * stride, packets.tail_ps + t * stride, self.m.n_cores,
                        self.m.seeds, self.m.axon_core, &self.m.times, &totals)
        self.refuse(rc)

    def move(self, endpoint_start, ready_ps, source, axon, size):
        """As Fabric.move: an open loop, without neurons. size: flits int[p] of the packets."""
        cdef int64_t n = len(ready_ps), length = 0
        cdef int32_t limit = 0
        cdef int rc
        seeds = np.zeros(n, [("gap", np.int64), ("source", np.uint32), ("axon", np.uint32)])
        seeds["gap"], seeds["source"], seeds["axon"] = ready_ps, source, axon
        times = np.zeros((5, max(1, n)), np.int64)
        starts = np.asarray(endpoint_start, np.int64)
        host = int(starts[self.m.n_cores])                        # the engine's order: host port first
        order = np.concatenate([np.arange(host, n), np.arange(host)])
        rows = np.concatenate([[0], np.cumsum(np.roll(np.diff(starts), 1))])
        cdef const int64_t* start = <const int64_t*>self.hold("start", rows, np.int64)
        cdef const int64_t* tails = <const int64_t*>self.hold("tails", np.zeros(self.m.n_cores + 1), np.int64)
        self.m.seeds = <const PacketSeed*>self.hold("seeds", seeds[order], seeds.dtype)
        self.m.times = times_of(times)
        self.m.sizes = <const int32_t*>self.hold("sizes", np.asarray(size)[order], np.int32)
        self.m.open_loop = True
        with nogil:
            rc = run_tick(&self.m, start, tails, &length, &limit)
        self.m.open_loop, self.m.sizes = False, NULL
        self.refuse(rc, order)
        result = np.empty((5, n), np.int64)
        result[:, order] = times[:, :n]
        return result

    def refuse(self, int rc, order=None):
        """The error for what a tick came to, if it is one; order: of the packets in a list."""
        if rc == -2:
            stuck = self.stuck()
            raise deadlock([(c, p if order is None else int(order[p]), wanted) for c, p, wanted in stuck], self.plan)
        if rc:
            raise MemoryError("no memory left for the events of the mesh")

    def stuck(self):
        """FIFOs whose packet waits, and for what: list of (channel, packet index, wanted channel)."""
        cdef int64_t i, q, w
        cdef Fifo* f
        found = []
        for i in range(self.m.n_dirty):
            for q in range(self.m.dirty[i] * self.m.vcs, (self.m.dirty[i] + 1) * self.m.vcs):
                f = &self.m.fifos[q]
                for w in range(f.n_ways if f.n_queued and f.packet != NOBODY else 0):
                    if next_flit(f, &f.ways[w]) != NULL:
                        found.append((int(f.channel), int(f.packet), int(f.ways[w].channel)))
                        break
        return found

    def loads(self):
        """int64[K] flits sent over each channel since the fabric was made."""
        return np.array([self.m.outputs[k].flits for k in range(self.n_channels)], np.int64)

    def occupancy(self):
        """(queued_ps int64[K], peak int32[K]) since the fabric was made; see queues.py."""
        return (np.array([self.m.outputs[k].queued_ps for k in range(self.n_channels)], np.int64),
                np.array([self.m.outputs[k].peak for k in range(self.n_channels)], np.int32))
