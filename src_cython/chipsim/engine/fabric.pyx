"""The mesh, packet by packet and hop by hop: the compiled twin of reference_mesh.Mesh.

One event per uncontended hop, in a calendar (wheel.pxd). Time goes in windows no longer than any latency, cycle or
credit delay. What happens in a window then has no effect within it but one: which of the claims on an output wins. So
its events are served in any order: first all arrivals, then every output that is claimed, once; nothing is sorted. On
fabrics whose delays are too short, and where routes or patience look at what else happens, a window is one time stamp.

The rooms: mesh.pxd is the state, handshake.pxd what a flit does, detours.pxd and blocked.pxd what becomes of it where
it may not wait for ever.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

import numpy as np

from chipsim.engine.arbiter import POLICIES, leaves
from chipsim.engine.deadlock import deadlock

from chipsim.engine.bits cimport fetch, fetch_one, forced_void
from chipsim.engine.blocked cimport time_out_all
from chipsim.engine.buffers cimport Hop, PacketSeed
from chipsim.engine.handshake cimport arbitrate, arrive, make, pass_through
from chipsim.engine.held cimport Held
from chipsim.engine.mesh cimport ALONE, ASIDE, FOREVER, INJECT, LISTED, MUTEX_TREE, NO_PACKET, TIMEOUT, Channel, Mesh, \
    Slot, onward, touch
from chipsim.engine.mutex cimport make_mutexes, mutex_reset
from chipsim.engine.packets cimport Packets
from chipsim.engine.servers cimport LIMIT_LINK, LIMIT_SOMA, LIMIT_SYNAPSE, Totals, account, times_of
from chipsim.engine.stream cimport Stream
from chipsim.engine.wheel cimport Timed, wheel_close, wheel_fill, wheel_open, wheel_restart

cdef enum:
    AHEAD = 6                   # events whose channels are fetched ahead


cdef inline forced_void serve(Mesh* m, int64_t first, int64_t last, int64_t until, bint trees,
                              bint lossy) noexcept nogil:
    """All events of a window: arrivals, then grants.

    An output that only one event of the window is about can be served at once. So a first look marks what each event is
    about, and fetches it, and a second one serves.
    """
    cdef int64_t i
    cdef Timed* e
    cdef Channel* o
    for i in range(first, last):
        e = &m.wheel.current[i]
        if i + AHEAD < last:
            fetch(&m.channels[m.wheel.current[i + AHEAD].channel])
        if e.packet >= TIMEOUT:
            e.wants = e.channel
            if lossy:
                m.n_alarms += e.packet == TIMEOUT
        elif trees:
            e.wants = e.node
        elif lossy and m.rejoin != NULL and e.node & ASIDE:
            e.wants = m.rejoin[e.channel]
        else:
            e.wants = onward(m, m.channels[e.channel].to_router, e.packet, e.node, e.at)
        if not trees or e.packet >= TIMEOUT:
            fetch(&m.channels[e.wants])
    m.n_listed = 0
    for i in range(first, last):
        e = &m.wheel.current[i]
        if not trees or e.packet >= TIMEOUT:
            o = &m.channels[e.wants]
            o.touched += 1 - (o.touched >> 1)               # no branch: it could not be foreseen
            fetch_one(&o.slots[o.first])
    if lossy and m.n_alarms:
        time_out_all(m, first, last, until)
    for i in range(first, last):
        e = &m.wheel.current[i]
        o = &m.channels[e.channel] if trees else &m.channels[e.wants]
        if e.packet >= TIMEOUT:
            if e.packet == NO_PACKET and m.channels[e.channel].wake_at == e.at:
                m.channels[e.channel].wake_at = FOREVER
            touch(m, e.channel)
            continue
        if not trees and o.touched == ALONE and pass_through(
                m, e.channel, e.packet, e.node & ~<uint32_t>ASIDE if lossy else e.node, e.wants, e.at):
            o.touched = 0
            continue
        arrive(m, e.channel, e.packet, e.wants, lossy and e.node & ASIDE != 0, e.at, trees, lossy)
        if o.touched != LISTED:                             # it waits behind others and claims nothing now
            o.touched = 0
    for i in range(m.n_listed):
        m.channels[m.listed[i]].touched = 0
        arbitrate(m, m.listed[i], until, trees, lossy)


cdef inline forced_void serve_all(Mesh* m, bint trees, bint lossy) noexcept nogil:
    """Window by window until all is still, or memory is exhausted."""
    cdef int64_t first, last, until
    while not m.wheel.failed and (m.wheel.taken < m.wheel.filled or wheel_fill(&m.wheel)):
        first, last = m.wheel.taken, m.wheel.filled
        until = ((m.wheel.near_now + 1) << m.wheel.bits) - 1
        if m.wheel.in_order:
            until, last = m.wheel.current[first].at, first + 1
            while last < m.wheel.filled and m.wheel.current[last].at == until:
                last += 1
        m.wheel.taken = last
        serve(m, first, last, until, trees, lossy)


cdef void run_unicast(Mesh* m) noexcept nogil:
    serve_all(m, False, False)


cdef void run_multicast(Mesh* m) noexcept nogil:
    serve_all(m, True, False)


cdef void run_lossy(Mesh* m) noexcept nogil:
    if m.root == NULL:
        serve_all(m, False, True)
    else:
        serve_all(m, True, True)


@cython.final                  # methods are then plain calls, which the C compiler inlines
cdef class Fabric(Held):
    """Fabric(plan): the channels of a plan. One object serves one thread; ticks are independent of each other.

    stream=False: every tick event by event, also where one pass over the channels would do.
    """

    cdef object plan                                # FabricPlan, for names in errors
    cdef Mesh m
    cdef int64_t n_channels
    cdef readonly Stream stream                     # tried first; None where packets do not all go one way
    cdef bint streams

    def __init__(self, plan, bint stream=True):
        f, trees = plan.fabric, plan.trees
        cdef Mesh* m = &self.m
        self.plan = f
        self.n_channels, m.n_cores = f.n_channels, len(f.router) - 1
        m.n_routers, m.n_ports = f.n_routers, f.n_ports
        if m.n_ports > 64:
            raise ValueError(f"a router has {m.n_ports} ports; the engine's request masks hold 64")
        window = min(int(f.latency.min()), int(f.cycle.min()), int(f.credit.min()))
        if wheel_open(&m.wheel, 1 if f.wait or f.choices is not None else window):
            raise MemoryError("no memory for the event calendar")
        m.router = <const int32_t*>self.hold("router", f.router, np.int32)
        m.inject = <const int32_t*>self.hold("inject", f.inject, np.int32)
        m.eject = <const int32_t*>self.hold("eject", f.eject, np.int32)
        m.out_channel = <const int32_t*>self.hold("out_channel", f.out_channel, np.int32)
        m.next_port = <const uint8_t*>self.hold("next_port", f.next_port, np.uint8)
        m.first_link, m.policy, m.order = f.first_link, POLICIES.index(plan.arbitration), f.order
        m.x = <const uint16_t*>self.hold("x", np.arange(f.n_routers) % f.columns, np.uint16)
        m.y = <const uint16_t*>self.hold("y", np.arange(f.n_routers) // f.columns, np.uint16)
        if f.choices is not None:
            m.choices = <const uint8_t*>self.hold("choices", f.choices, np.uint8)
        if trees is not None:
            m.root = <const int64_t*>self.hold("root", trees.root, np.int64)
            m.node_start = <const int64_t*>self.hold("node_start", trees.node_start, np.int64)
            m.branch_channel = <const int32_t*>self.hold("branch_channel", trees.branch_channel, np.int32)
            m.branch_child = <const int64_t*>self.hold("branch_child", trees.branch_child, np.int64)
        if m.policy == MUTEX_TREE:
            m.mutexes = make_mutexes(self, self.n_channels, leaves(m.n_ports))
        m.wait, m.emergency_wait = f.wait, f.emergency_wait
        m.alarm = <int64_t*>self.hold("alarm", np.full(self.n_channels, FOREVER), np.int64)
        m.drops = <int64_t*>self.hold("drops", np.zeros(self.n_channels), np.int64)
        m.detours = <int64_t*>self.hold("detours", np.zeros(self.n_channels), np.int64)
        if f.emergency_wait:
            m.detour = <const int32_t*>self.hold("detour", f.detour, np.int32)
            m.rejoin = <const int32_t*>self.hold("rejoin", f.rejoin, np.int32)
        m.axon_core = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        m.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        m.source_endpoint = <const int32_t*>self.hold("source_endpoint", plan.endpoint, np.int32)
        in_channel = np.full((m.n_routers, m.n_ports), -1, np.int32)
        fed = np.flatnonzero(f.to_router >= 0)
        in_channel[f.to_router[fed], f.in_port[fed]] = fed
        m.in_channel = <const int32_t*>self.hold("in_channel", in_channel, np.int32)
        self.stream = Stream.of(plan, in_channel) if stream else None
        self.streams = self.stream is not None
        m.listed = <uint32_t*>self.hold("listed", np.zeros(self.n_channels), np.uint32)
        m.dirty = <uint32_t*>self.hold("dirty", np.zeros(self.n_channels), np.uint32)
        m.peak = <int32_t*>self.hold("peak", np.zeros(self.n_channels), np.int32)
        m.next_packet = <int64_t*>self.hold("next_packet", np.zeros(m.n_cores + 1), np.int64)
        m.last_packet = <int64_t*>self.hold("last_packet", np.zeros(m.n_cores + 1), np.int64)
        m.entry = <int64_t*>self.hold("entry", np.zeros(m.n_cores + 1), np.int64)
        self.make_channels(f)

    cdef int make_channels(self, f) except -1:
        cdef Mesh* m = &self.m
        cdef int64_t k, n_slots = int(f.slots.sum()), slot = 0
        cdef size_t room = <size_t>self.hold("channels", np.zeros((self.n_channels + 1) * sizeof(Channel)), np.uint8)
        cdef Channel* c
        cdef int64_t[::1] slack = np.clip(f.slots * f.cycle - f.latency - f.credit, -1, 0x7FFFFFFF)
        if m.choices != NULL:                               # how many slots are taken decides on routes
            slack[:] = -1
        m.channels = <Channel*>((room + 127) & ~<size_t>127)        # on cache lines of its own
        m.slots = <Slot*>self.hold("slots", np.zeros(n_slots * sizeof(Slot)), np.uint8)
        m.aside = <uint8_t*>self.hold("aside", np.zeros(n_slots), np.uint8)
        for k in range(self.n_channels):
            c = &m.channels[k]
            c.latency, c.cycle, c.credit, c.n_slots = f.latency[k], f.cycle[k], f.credit[k], f.slots[k]
            c.kind, c.in_port, c.to_router = f.kind[k], f.in_port[k], f.to_router[k]
            c.origin = f.endpoint[k] if c.kind == INJECT else f.from_router[k]
            c.slack = slack[k]
            c.slots, c.last_port, c.wake_at = m.slots + slot, -1, FOREVER
            slot += c.n_slots
        return 0

    def __dealloc__(self):
        wheel_close(&self.m.wheel)
        free(self.m.off.at)

    def run_ticks(self, Packets packets, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """Run the mesh of ticks [first, last) of the chunk that these are the packets of.

        tick_ps, limit     [ticks of the chunk], written at the ticks run
        times              [5, packets of the chunk] made, entered, arrived, started, done; ps from the tick's start
        soma_ps, stall_ps [C+1], synapse_ps [C], latency [N_BINS]   added to
        """
        cdef int64_t t, stride = self.m.n_cores + 1
        cdef int rc = 0
        self.m.seeds = packets.seeds.at
        self.m.times = times_of(times)
        cdef Totals totals = Totals(&soma_ps[0], &stall_ps[0], &synapse_ps[0], &latency[0])
        with nogil:
            for t in range(first, last):
                self.m.tick_now = t
                rc = self.move_tick(packets.seed_start + t * stride, packets.tail_ps + t * stride, &tick_ps[t],
                                    &limit[t])
                if rc:
                    break
                account(packets.seed_start + t * stride, packets.tail_ps + t * stride, self.m.n_cores, self.m.seeds,
                        self.m.axon_core, &self.m.times, &totals)
        if rc == -2:
            raise deadlock(self.stuck(), self.plan)
        if rc:
            raise MemoryError("no memory left for the events of the mesh")

    def move(self, endpoint_start, ready_ps, source, axon):
        """Open loop, without neurons: packets that are made at given times; a source sends its own in order.

        endpoint_start  int64[E+1] packets of each endpoint, in order of time; the last endpoint is the host port
        ready_ps        int64[p], -1 for a further delivery of the multicast packet before it
        source          uint32[p] whose tree it is;  axon uint32[p] (into the plan's axon_core and service_ps)
        Returns times int64[5, p]: made, entered, arrived, started, done
        """
        cdef int64_t n = len(ready_ps), length = 0
        cdef int32_t limit = 0
        cdef int rc
        starts = np.asarray(endpoint_start, np.int64)
        host = int(starts[self.m.n_cores])                      # the engine's order: host port first
        seeds = np.empty(n, [("gap", np.int64), ("source", np.uint32), ("axon", np.uint32)])
        seeds["gap"], seeds["source"], seeds["axon"] = (np.roll(a, -host) for a in (ready_ps, source, axon))
        times = np.zeros((5, max(1, n)), np.int64)
        rows = np.concatenate([[0], np.cumsum(np.roll(np.diff(starts), 1))])
        cdef const int64_t* start = <const int64_t*>self.hold("start", rows, np.int64)
        cdef const int64_t* tails = <const int64_t*>self.hold("tails", np.zeros(self.m.n_cores + 1), np.int64)
        self.m.seeds = <const PacketSeed*>self.hold("seeds", seeds, seeds.dtype)
        self.m.times = times_of(times)
        self.m.open_loop = True
        with nogil:
            rc = self.move_tick(start, tails, &length, &limit)
        self.m.open_loop = False
        if rc == -2:
            raise deadlock([(c, (int(p) + host) % n, wanted) for c, p, wanted in self.stuck()], self.plan)
        if rc:
            raise MemoryError("no memory left for the events of the mesh")
        return times[:, :n] if host == n else np.roll(times[:, :n], host, axis=1)

    def stuck(self):
        """Channels whose head waits, and the output each waits for: list of (channel, packet index, wanted channel)."""
        cdef int64_t i
        cdef uint32_t c
        found = []
        for i in range(self.m.n_dirty):
            c = self.m.dirty[i]
            if self.m.channels[c].n_queued:
                wanted = self.m.channels[c].slots[self.m.channels[c].first].wants
                if self.m.root != NULL:
                    wanted = self.m.branch_channel[self.m.node_start[wanted]]
                found.append((int(c), int(self.m.channels[c].slots[self.m.channels[c].first].packet), int(wanted)))
        return found

    def off_route(self):
        """int64[n, 4] since it was asked last: rows of losses.OFF_ROUTE, ticks counted from their chunk's start."""
        rows = np.empty((self.m.off.n, 4), np.int64)
        if self.m.off.n:
            memcpy(<void*><size_t>rows.ctypes.data, self.m.off.at, <size_t>self.m.off.n * sizeof(Hop))
        self.m.off.n = 0
        return rows

    def blocked(self):
        """(drops, detours) int64[K] since the fabric was made, by the channel that was waited for."""
        return self.keep["drops"].copy(), self.keep["detours"].copy()

    def loads(self):
        """int64[K] flits sent over each channel since the fabric was made."""
        sent = np.array([self.m.channels[k].flits for k in range(self.n_channels)], np.int64)
        return sent + self.stream.loads() if self.streams else sent

    def occupancy(self):
        """(queued_ps int64[K], peak int32[K]) since the fabric was made; see queues.py."""
        sent = np.array([self.m.channels[k].flits for k in range(self.n_channels)], np.int64)
        queued = np.array([self.m.channels[k].queued_ps for k in range(self.n_channels)], np.int64)
        peak = np.maximum(self.keep["peak"], sent > 0).astype(np.int32)
        if self.streams:
            streamed = self.stream.occupancy()
            queued, peak = queued + streamed[0], np.maximum(peak, streamed[1])
        return queued, peak

    # ---- one tick ----

    cdef inline int move_tick(self, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                              int32_t* limit) noexcept nogil:
        """In one pass over the channels if that is exact, else by events."""
        cdef int rc = 1
        if self.streams:
            rc = self.stream.tick(self.m.seeds, seed_start, tail_ps, &self.m.times, self.m.open_loop, length, limit)
        return self.tick(seed_start, tail_ps, length, limit) if rc == 1 else rc

    cdef int tick(self, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                  int32_t* limit) noexcept nogil:
        """From a quiet start until all is still. seed_start and tail_ps: host port first, then the cores.

        -1: no memory; -2: it stands still before all packets are out.
        """
        cdef Mesh* m = &self.m
        cdef int64_t e, i, j
        self.quiet()
        for j in range(m.n_cores + 1):
            e = m.n_cores if j == 0 else j - 1
            m.next_packet[e], m.last_packet[e], m.entry[e] = seed_start[j], seed_start[j + 1], 0
            if seed_start[j] < seed_start[j + 1]:
                make(m, e, 0)
        if m.wait:
            run_lossy(m)
        elif m.root != NULL:
            run_multicast(m)
        else:
            run_unicast(m)
        if m.wheel.failed:
            return -1
        length[0], limit[0] = 0, 0
        for e in range(m.n_cores + 1):
            if m.next_packet[e] != m.last_packet[e]:
                return -2
            j = 0 if e == m.n_cores else e + 1
            if m.entry[e] + tail_ps[j] > length[0]:
                length[0] = m.entry[e] + tail_ps[j]
                limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
        for e in range(m.n_cores):
            if m.channels[m.eject[e]].head_at > length[0]:
                length[0] = m.channels[m.eject[e]].head_at
                limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | e)
        if m.last_drop > length[0]:
            length[0] = m.last_drop
            limit[0] = <int32_t>((LIMIT_LINK << 24) | m.last_dropped)
        for i in range(m.n_dirty):
            if m.channels[m.dirty[i]].n_queued:
                return -2
        return 0

    cdef void quiet(self) noexcept nogil:
        """Forget the tick before: every FIFO empty, every output free."""
        cdef Mesh* m = &self.m
        cdef int64_t i
        cdef Channel* c
        for i in range(m.n_dirty):
            c = &m.channels[m.dirty[i]]
            if c.written:
                memset(c.slots, 0, <size_t>c.n_slots * sizeof(Slot))
            c.free_at = c.late_at = c.head_at = c.gone = 0
            c.requests = 0
            c.held = c.first = c.n_queued = c.branches = 0
            c.last_port, c.starved, c.touched, c.wake_at = -1, 0, 0, FOREVER
            c.dirty = c.written = c.turned = 0
            m.alarm[m.dirty[i]] = FOREVER
            if m.mutexes != NULL:
                mutex_reset(&m.mutexes[m.dirty[i]])
        m.n_dirty = m.n_alarms = m.last_drop = m.last_dropped = 0
        wheel_restart(&m.wheel)
