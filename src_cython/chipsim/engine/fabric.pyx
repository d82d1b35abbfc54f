"""The mesh, packet by packet and hop by hop: the compiled twin of reference.Mesh.

One event per uncontended hop. A channel owns its sender's bookkeeping and the FIFO at its far end. Slots that come back
are kept as times in a ring at the sender and looked at only when a grant is wanted; a wake-up is queued only while
somebody waits for it. Order of work within one time stamp does not matter: arrivals come first, and a grant cannot be
seen by another grant of the same time because every latency, cycle and credit delay is at least 1 ps.

Where blocked packets turn aside or are dropped, one alarm per FIFO is queued, for the earliest time at which its head
may have to; most find another head and are put off. What that adds to the path of a packet that is not blocked is one
test per time stamp and per hop.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

import numpy as np

from chipsim.engine.arbiter import POLICIES, leaves
from chipsim.engine.deadlock import deadlock

from chipsim.engine.bits cimport fetch, lowest_bit
from chipsim.engine.buffers cimport FOLLOWS, Hop, Hops, PacketSeed, add_hop
from chipsim.engine.function cimport Function
from chipsim.engine.mutex cimport Mutexes, mutex_reset, mutex_winner, mutex_won
from chipsim.engine.servers cimport LIMIT_LINK, LIMIT_SOMA, LIMIT_SYNAPSE, LOST, Times, Totals, account, times_of
from chipsim.engine.stream cimport Stream
from chipsim.engine.wheel cimport Timed, Wheel, wheel_close, wheel_fill, wheel_open, wheel_push, wheel_restart

cdef enum:
    INJECT = 0
    EJECT = 1
    LOCAL = 255
    NO_PACKET = 0xFFFFFFFF
    TIMEOUT = 0xFFFFFFFE        # instead of a packet: the head of a FIFO may have stood there too long
    ASIDE = 0x80000000          # bit of an event's node: the flit is half way round a blocked link
    FCFS = 0
    ROUND_ROBIN = 1
    OLDEST = 2
    MUTEX_TREE = 3
    ALONE = 1                   # what `touched` says of a channel within a time stamp
    SHARED = 2
    LISTED = 3

cdef int64_t FOREVER = 0x7FFFFFFFFFFFFFFF


cdef struct Queued:         # a flit in a FIFO
    int64_t arrival
    uint32_t packet
    uint32_t wants          # the output it leaves by; multicast: its tree node


cdef struct Channel:        # 128 bytes, two cache lines; the first has what every hop touches
    int64_t free_at         # the output may be granted again from here on
    int64_t wake_at         # time of the wake-up that is queued, FOREVER when none is
    uint64_t requests       # input ports whose head wants this output
    int64_t* credits        # ring of times at which taken slots become usable again
    uint32_t latency        # ps
    uint32_t cycle
    int32_t held            # slots taken, those in the ring included
    int32_t slots
    int32_t credit_first
    int32_t n_credits
    int32_t from_router
    uint8_t kind
    uint8_t in_port
    uint8_t starved         # waits for a slot whose return is not yet known
    uint8_t touched
    Queued* queue           # FIFO at the far end
    int64_t head_at         # its head may request from here on
    int64_t busy_until      # eject: the synapse server behind
    int64_t flits           # sent since the fabric was made
    uint32_t credit         # ps
    int32_t first
    int32_t n_queued
    int32_t to_router
    int32_t endpoint
    int32_t last_port
    int32_t branches        # multicast: copies of the head still to be sent
    uint8_t dirty           # used in this tick
    uint8_t turned          # the head has given up its outputs for the emergency route


@cython.final                  # methods are then plain calls, which the C compiler inlines
cdef class Fabric:
    """Fabric(plan): the channels of a plan. One object serves one thread; ticks are independent of each other.

    stream=False: every tick event by event, also where one pass over the channels would do.
    """

    cdef object keep
    cdef object plan                                # FabricPlan, for names in errors
    cdef Wheel wheel
    cdef Channel* channels
    cdef int64_t n_channels, n_cores, n_routers, n_ports
    cdef int32_t* in_channel                        # [router, port] -> channel whose FIFO feeds the port
    cdef const int32_t* router
    cdef const int32_t* inject
    cdef const int32_t* eject
    cdef const int32_t* out_channel
    cdef const uint8_t* next_port
    cdef const uint8_t* choices                     # adaptive routing: [2, router, router] links as bits, or NULL
    cdef const int32_t* column                      # of each router, for odd-even's rule about the source's column
    cdef int64_t first_link, order
    cdef const uint16_t* x                          # of each router, where routes follow from coordinates
    cdef const uint16_t* y
    cdef const int64_t* root                        # multicast trees, or NULL
    cdef const int64_t* node_start
    cdef const int32_t* branch_channel
    cdef const int64_t* branch_child
    cdef int64_t policy
    cdef Mutexes* mutexes                           # per channel, where the policy is mutex_tree
    cdef readonly Stream stream                     # tried first; None where packets do not all go one way
    cdef bint streams
    cdef bint open_loop                             # gaps are times of making, not soma time since the packet before
    cdef const int32_t* axon_core
    cdef const int64_t* service_ps
    cdef const int32_t* source_endpoint
    cdef uint32_t* touched
    cdef int64_t n_touched
    cdef uint32_t* dirty                            # channels used in this tick
    cdef int64_t n_dirty
    cdef int64_t* queued_ps                         # per channel, see queues.py
    cdef int32_t* peak
    cdef int64_t* next_packet                       # per endpoint, index into the seeds
    cdef int64_t* last_packet
    cdef int64_t* entry
    # blocked packets
    cdef int64_t wait, emergency_wait               # ps; 0: for ever, no emergency route
    cdef const int32_t* detour                      # [channel] first link of the way round, or -1; NULL without
    cdef const int32_t* rejoin                      # [channel] second link of a packet that came by the first
    cdef int64_t* alarm                             # [channel] earliest alarm queued for its FIFO
    cdef uint8_t* aside                             # [slot of all queues] the flit is half way round
    cdef Queued* queues
    cdef int64_t* drops                             # [channel]
    cdef int64_t* detours
    cdef Hops off
    cdef int64_t n_alarms, last_drop, last_dropped
    # of the tick being run
    cdef int64_t tick_now
    cdef const PacketSeed* seeds
    cdef Times times

    def __cinit__(self):
        if wheel_open(&self.wheel):
            raise MemoryError("no memory for the event calendar")

    def __init__(self, plan, bint stream=True):
        cdef int64_t k, slots = 0
        f, trees = plan.fabric, plan.trees
        self.keep, self.plan = {}, f
        self.n_channels, self.n_cores = f.n_channels, len(f.router) - 1
        self.n_routers, self.n_ports = f.n_routers, f.n_ports
        if self.n_ports > 64:
            raise ValueError(f"a router has {self.n_ports} ports; the engine's request masks hold 64")
        self.router = <const int32_t*>self.hold("router", f.router, np.int32)
        self.inject = <const int32_t*>self.hold("inject", f.inject, np.int32)
        self.eject = <const int32_t*>self.hold("eject", f.eject, np.int32)
        self.out_channel = <const int32_t*>self.hold("out_channel", f.out_channel, np.int32)
        self.next_port = <const uint8_t*>self.hold("next_port", f.next_port, np.uint8)
        self.first_link, self.policy, self.order = f.first_link, POLICIES.index(plan.arbitration), f.order
        self.x = <const uint16_t*>self.hold("x", np.arange(f.n_routers) % f.columns, np.uint16)
        self.y = <const uint16_t*>self.hold("y", np.arange(f.n_routers) // f.columns, np.uint16)
        if f.choices is not None:
            self.choices = <const uint8_t*>self.hold("choices", f.choices, np.uint8)
            self.column = <const int32_t*>self.hold("column", np.arange(f.n_routers) % f.columns, np.int32)
        if trees is not None:
            self.root = <const int64_t*>self.hold("root", trees.root, np.int64)
            self.node_start = <const int64_t*>self.hold("node_start", trees.node_start, np.int64)
            self.branch_channel = <const int32_t*>self.hold("branch_channel", trees.branch_channel, np.int32)
            self.branch_child = <const int64_t*>self.hold("branch_child", trees.branch_child, np.int64)
        if self.policy == MUTEX_TREE:
            self.make_mutexes(leaves(self.n_ports))
        self.wait, self.emergency_wait = f.wait, f.emergency_wait
        self.alarm = <int64_t*>self.hold("alarm", np.full(self.n_channels, FOREVER), np.int64)
        self.drops = <int64_t*>self.hold("drops", np.zeros(self.n_channels), np.int64)
        self.detours = <int64_t*>self.hold("detours", np.zeros(self.n_channels), np.int64)
        if f.emergency_wait:
            self.detour = <const int32_t*>self.hold("detour", f.detour, np.int32)
            self.rejoin = <const int32_t*>self.hold("rejoin", f.rejoin, np.int32)
        self.axon_core = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        self.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        self.source_endpoint = <const int32_t*>self.hold("source_endpoint", plan.endpoint, np.int32)
        in_channel = np.full((self.n_routers, self.n_ports), -1, np.int32)
        fed = np.flatnonzero(f.to_router >= 0)
        in_channel[f.to_router[fed], f.in_port[fed]] = fed
        self.in_channel = <int32_t*>self.hold("in_channel", in_channel, np.int32)
        self.stream = Stream.of(plan, in_channel) if stream else None
        self.streams = self.stream is not None
        self.touched = <uint32_t*>self.hold("touched", np.zeros(self.n_channels), np.uint32)
        self.dirty = <uint32_t*>self.hold("dirty", np.zeros(self.n_channels), np.uint32)
        self.queued_ps = <int64_t*>self.hold("queued_ps", np.zeros(self.n_channels), np.int64)
        self.peak = <int32_t*>self.hold("peak", np.zeros(self.n_channels), np.int32)
        self.next_packet = <int64_t*>self.hold("next_packet", np.zeros(self.n_cores + 1), np.int64)
        self.last_packet = <int64_t*>self.hold("last_packet", np.zeros(self.n_cores + 1), np.int64)
        self.entry = <int64_t*>self.hold("entry", np.zeros(self.n_cores + 1), np.int64)
        total = int(f.slots.sum())
        cdef int64_t* credits = <int64_t*>self.hold("credits", np.zeros(total), np.int64)
        cdef Queued* queue = <Queued*>self.hold("queue", np.zeros(total * sizeof(Queued)), np.uint8)
        self.queues = queue
        self.aside = <uint8_t*>self.hold("aside", np.zeros(total), np.uint8)
        cdef size_t room = <size_t>self.hold("channels", np.zeros((self.n_channels + 1) * sizeof(Channel)), np.uint8)
        self.channels = <Channel*>((room + 127) & ~<size_t>127)     # on cache lines of its own
        for k in range(self.n_channels):
            self.channels[k].latency, self.channels[k].cycle = f.latency[k], f.cycle[k]
            self.channels[k].credit, self.channels[k].slots = f.credit[k], f.slots[k]
            self.channels[k].from_router, self.channels[k].to_router = f.from_router[k], f.to_router[k]
            self.channels[k].endpoint, self.channels[k].kind = f.endpoint[k], f.kind[k]
            self.channels[k].in_port = f.in_port[k]
            self.channels[k].credits, self.channels[k].queue = credits + slots, queue + slots
            self.channels[k].last_port, self.channels[k].wake_at = -1, FOREVER
            slots += self.channels[k].slots

    cdef void* hold(self, str name, array, dtype) except NULL:
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    cdef void make_mutexes(self, int64_t width):
        cdef int64_t k, n = self.n_channels
        cdef int64_t* released = <int64_t*>self.hold("mutex_released", np.zeros(n * width), np.int64)
        cdef uint8_t* last = <uint8_t*>self.hold("mutex_last", np.ones(n * width), np.uint8)
        self.mutexes = <Mutexes*>self.hold("mutexes", np.zeros(n * sizeof(Mutexes)), np.uint8)
        for k in range(n):
            self.mutexes[k] = Mutexes(released + k * width, last + k * width, width)

    def __dealloc__(self):
        wheel_close(&self.wheel)
        free(self.off.at)

    def run_ticks(self, Function function, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """Run the mesh of ticks [first, last) of the chunk that `function` advanced last.

        tick_ps, limit     [ticks of the chunk], written at the ticks run
        times              [5, packets of the chunk] made, entered, arrived, started, done; ps from the tick's start
        soma_ps, stall_ps [C+1], synapse_ps [C], latency [N_BINS]   added to
        """
        cdef int64_t t, stride = self.n_cores + 1
        cdef int rc = 0
        self.seeds = function.seeds.at
        self.times = times_of(times)
        self.off.n = 0
        cdef Totals totals = Totals(&soma_ps[0], &stall_ps[0], &synapse_ps[0], &latency[0])
        with nogil:
            for t in range(first, last):
                self.tick_now = t
                rc = self.move_tick(function.seed_start + t * stride, function.tail_ps + t * stride, &tick_ps[t],
                                    &limit[t])
                if rc:
                    break
                account(function.seed_start + t * stride, function.tail_ps + t * stride, self.n_cores, self.seeds,
                        self.axon_core, &self.times, &totals)
        if rc == -2:
            raise deadlock(self.stuck(), self.plan)
        if rc:
            raise MemoryError("no memory left for the events of the mesh")

    def move(self, endpoint_start, ready_ps, source, axon):
        """Open loop, without neurons: packets that are made at given times; a source sends its own in order.

        endpoint_start  int64[E+1] packets of each endpoint, in order of time; the last endpoint is the host port
        ready_ps        int64[p]; source uint32[p]; axon uint32[p] (into the plan's axon_core and service_ps)
        Returns times int64[5, p]: made, entered, arrived, started, done
        """
        cdef int64_t n = len(ready_ps), length = 0
        cdef int32_t limit = 0
        cdef int rc
        seeds = np.zeros(n, [("gap", np.int64), ("source", np.uint32), ("axon", np.uint32)])
        seeds["gap"], seeds["source"], seeds["axon"] = ready_ps, source, axon
        times = np.zeros((5, max(1, n)), np.int64)
        starts = np.asarray(endpoint_start, np.int64)
        host = int(starts[self.n_cores])                        # the engine's order: host port first
        order = np.concatenate([np.arange(host, n), np.arange(host)])
        rows = np.concatenate([[0], np.cumsum(np.roll(np.diff(starts), 1))])
        cdef const int64_t* start = <const int64_t*>self.hold("start", rows, np.int64)
        cdef const int64_t* tails = <const int64_t*>self.hold("tails", np.zeros(self.n_cores + 1), np.int64)
        self.seeds = <const PacketSeed*>self.hold("seeds", seeds[order], seeds.dtype)
        self.times = times_of(times)
        self.open_loop = True
        with nogil:
            rc = self.move_tick(start, tails, &length, &limit)
        self.open_loop = False
        if rc == -2:
            raise deadlock([(c, int(order[p]), wanted) for c, p, wanted in self.stuck()], self.plan)
        if rc:
            raise MemoryError("no memory left for the events of the mesh")
        result = np.empty((5, n), np.int64)
        result[:, order] = times[:, :n]
        return result

    def stuck(self):
        """Channels whose head waits, and the output each waits for: list of (channel, packet index, wanted channel)."""
        cdef int64_t i
        cdef uint32_t c
        found = []
        for i in range(self.n_dirty):
            c = self.dirty[i]
            if self.channels[c].n_queued:
                wanted = self.channels[c].queue[self.channels[c].first].wants
                if self.root != NULL:
                    wanted = self.branch_channel[self.node_start[wanted]]
                found.append((int(c), int(self.channels[c].queue[self.channels[c].first].packet), int(wanted)))
        return found

    def off_route(self):
        """int64[n, 4] of the ticks run last: rows of losses.OFF_ROUTE, ticks counted from the chunk's start."""
        rows = np.empty((self.off.n, 4), np.int64)
        if self.off.n:
            memcpy(<void*><size_t>rows.ctypes.data, self.off.at, <size_t>self.off.n * sizeof(Hop))
        return rows

    def blocked(self):
        """(drops, detours) int64[K] since the fabric was made, by the channel that was waited for."""
        return self.keep["drops"].copy(), self.keep["detours"].copy()

    def loads(self):
        """int64[K] flits sent over each channel since the fabric was made."""
        sent = np.array([self.channels[k].flits for k in range(self.n_channels)], np.int64)
        return sent + self.stream.loads() if self.streams else sent

    def occupancy(self):
        """(queued_ps int64[K], peak int32[K]) since the fabric was made; see queues.py."""
        sent = np.array([self.channels[k].flits for k in range(self.n_channels)], np.int64)
        queued, peak = self.keep["queued_ps"].copy(), np.maximum(self.keep["peak"], sent > 0).astype(np.int32)
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
            rc = self.stream.tick(self.seeds, seed_start, tail_ps, &self.times, self.open_loop, length, limit)
        return self.tick(seed_start, tail_ps, length, limit) if rc == 1 else rc

    cdef int tick(self, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                  int32_t* limit) noexcept nogil:
        """From a quiet start until all is still. seed_start and tail_ps: host port first, then the cores."""
        cdef int64_t e, i, j, now
        cdef int rc
        self.quiet()
        for j in range(self.n_cores + 1):
            e = self.n_cores if j == 0 else j - 1
            self.next_packet[e], self.last_packet[e], self.entry[e] = seed_start[j], seed_start[j + 1], 0
            if seed_start[j] < seed_start[j + 1] and self.make(e, 0):
                return -1
        while True:
            if self.wheel.taken == self.wheel.filled:
                rc = wheel_fill(&self.wheel)
                if rc < 0:
                    return -1
                if rc == 0:
                    break
            now = self.wheel.current[self.wheel.taken].at
            if self.time_stamp(now):
                return -1
        length[0], limit[0] = 0, 0
        for e in range(self.n_cores + 1):
            if self.next_packet[e] != self.last_packet[e]:
                return -2
            j = 0 if e == self.n_cores else e + 1
            if self.entry[e] + tail_ps[j] > length[0]:
                length[0] = self.entry[e] + tail_ps[j]
                limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
        for e in range(self.n_cores):
            if self.channels[self.eject[e]].busy_until > length[0]:
                length[0] = self.channels[self.eject[e]].busy_until
                limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | e)
        if self.last_drop > length[0]:
            length[0] = self.last_drop
            limit[0] = <int32_t>((LIMIT_LINK << 24) | self.last_dropped)
        for i in range(self.n_dirty):
            if self.channels[self.dirty[i]].n_queued:
                return -2
        return 0

    cdef inline int time_stamp(self, int64_t now) noexcept nogil:
        """All events of one time: arrivals, then grants.

        An output that only one event of this time is about can be served at once; claims on it cannot be seen by any
        other. So a first look marks what each event is about, and fetches it, and a second one serves.
        """
        cdef int64_t first = self.wheel.taken, last = first, i
        cdef Timed* e
        cdef Channel* o
        cdef int rc
        while last < self.wheel.filled and self.wheel.current[last].at == now:
            e = &self.wheel.current[last]
            if e.packet >= TIMEOUT:
                e.next = e.channel
                self.n_alarms += e.packet == TIMEOUT
            elif self.rejoin != NULL and e.node & ASIDE:
                e.next = self.rejoin[e.channel] if self.root == NULL else e.node
            else:
                e.next = e.node if self.root != NULL else \
                    self.onward(self.channels[e.channel].to_router, e.packet, e.node, now)
            if self.root == NULL or e.packet >= TIMEOUT:
                o = &self.channels[e.next]
                o.touched = ALONE if o.touched == 0 else SHARED
            last += 1
            if last + 3 < self.wheel.filled:
                fetch(&self.channels[self.wheel.current[last + 3].channel])
        self.wheel.taken = last
        self.wheel.count -= last - first
        self.n_touched = 0
        if self.n_alarms and self.time_out_all(first, last, now):
            return -1
        for i in range(first, last):
            e = &self.wheel.current[i]
            o = &self.channels[e.next] if self.root == NULL else &self.channels[e.channel]
            if e.packet >= TIMEOUT:
                if e.packet == NO_PACKET and self.channels[e.channel].wake_at == now:
                    self.channels[e.channel].wake_at = FOREVER
                self.touch(e.channel)
                continue
            if self.root == NULL and o.touched == ALONE:
                rc = self.pass_through(e.channel, e.packet, e.node & ~<uint32_t>ASIDE, e.next, now)
                if rc < 0:
                    return -1
                if rc:
                    o.touched = 0
                    continue
            if self.arrive(e.channel, e.packet, e.next, e.node & ASIDE != 0, now):
                return -1
            if o.touched != LISTED:                         # it waits behind others and claims nothing now
                o.touched = 0
        for i in range(self.n_touched):
            self.channels[self.touched[i]].touched = 0
            if self.arbitrate(self.touched[i], now):
                return -1
        return 0

    cdef void quiet(self) noexcept nogil:
        """Forget the tick before: every FIFO empty, every output free."""
        cdef int64_t i
        cdef Channel* c
        for i in range(self.n_dirty):
            c = &self.channels[self.dirty[i]]
            c.free_at = c.head_at = c.busy_until = 0
            c.requests = 0
            c.held = c.n_credits = c.credit_first = c.first = c.n_queued = c.branches = 0
            c.last_port, c.starved, c.touched, c.wake_at = -1, 0, 0, FOREVER
            c.dirty = c.turned = 0
            self.alarm[self.dirty[i]] = FOREVER
            if self.mutexes != NULL:
                mutex_reset(&self.mutexes[self.dirty[i]])
        self.n_dirty = self.n_alarms = self.last_drop = self.last_dropped = 0
        wheel_restart(&self.wheel)

    cdef inline int wake(self, uint32_t channel, int64_t at) noexcept nogil:
        """Look at an output again at `at`, unless it will be looked at before then (and will find out itself)."""
        if self.channels[channel].wake_at <= at:
            return 0
        self.channels[channel].wake_at = at
        self.mark(channel)
        return wheel_push(&self.wheel, at, channel, NO_PACKET, 0)

    cdef inline void touch(self, uint32_t channel) noexcept nogil:
        if self.channels[channel].touched != LISTED:
            self.channels[channel].touched = LISTED
            self.touched[self.n_touched] = channel
            self.n_touched += 1
            self.mark(channel)

    cdef inline void mark(self, uint32_t channel) noexcept nogil:
        """Remember that a channel has to be forgotten before the next tick."""
        if not self.channels[channel].dirty:
            self.channels[channel].dirty = 1
            self.dirty[self.n_dirty] = channel
            self.n_dirty += 1

    cdef inline uint32_t onward(self, int32_t router, uint32_t packet, uint32_t core, int64_t now) noexcept nogil:
        """The channel by which a packet leaves a router; adaptive: of those allowed the one with fewest slots taken."""
        cdef int32_t there = self.router[core]
        cdef int64_t row
        cdef uint8_t port
        cdef int32_t held, least, k, channel, best
        cdef uint64_t mask
        cdef Channel* c
        if there == router:
            return self.eject[core]
        if self.order:                          # a table of 4096 x 4096 ports would miss the cache at every hop
            if self.x[router] != self.x[there] and (self.order == 1 or self.y[router] == self.y[there]):
                port = 0 if self.x[router] < self.x[there] else 1
            else:
                port = 2 if self.y[router] < self.y[there] else 3
            return self.out_channel[router * self.n_ports + self.first_link + port]
        row = router * self.n_routers + there
        port = self.next_port[row]
        if self.choices == NULL:
            return self.out_channel[router * self.n_ports + port]
        mask = self.choices[row]
        if self.column[router] == self.column[self.router[self.source_endpoint[self.seeds[packet].source]]]:
            mask = self.choices[self.n_routers * self.n_routers + row]
        least, best = 0x7FFFFFFF, -1
        while mask:
            channel = self.out_channel[router * self.n_ports + self.first_link + lowest_bit(mask)]
            mask &= mask - 1
            c = &self.channels[channel]
            held = c.held
            for k in range(c.n_credits):                    # slots that are back, whether they have been counted or not
                if c.credits[(c.credit_first + k) % c.slots] > now:
                    break
                held -= 1
            if held < least:
                least, best = held, channel
        return best

    cdef inline int make(self, int64_t endpoint, int64_t now) noexcept nogil:
        """The soma server starts on its next packet."""
        cdef int64_t p = self.next_packet[endpoint]
        cdef uint32_t c = self.inject[endpoint]
        self.times.made[p] = self.seeds[p].gap if self.open_loop else now + self.seeds[p].gap
        return self.wake(c, max(self.times.made[p], self.channels[c].free_at))

    cdef inline int arrive(self, uint32_t channel, uint32_t packet, uint32_t wants, bint aside,
                           int64_t now) noexcept nogil:
        """A flit enters the FIFO behind `channel`; if it is the head it asks for its outputs.

        wants   the output; multicast: the flit's tree node
        aside   it is half way round a blocked link
        """
        cdef Channel* c = &self.channels[channel]
        cdef int32_t at = c.first + c.n_queued
        if at >= c.slots:
            at -= c.slots
        c.queue[at].packet, c.queue[at].arrival, c.queue[at].wants = packet, now, wants
        if self.rejoin != NULL:
            c.queue[at].wants &= ~<uint32_t>ASIDE
            self.aside[&c.queue[at] - self.queues] = aside
        c.n_queued += 1
        if c.n_queued > self.peak[channel]:
            self.peak[channel] = c.n_queued
        if self.wait and c.n_queued == self.peak[channel] and c.head_at == now + c.cycle:
            self.peak[channel] += 1                         # one that was dropped at this time was still there
        if c.n_queued == 1:
            if c.head_at < now:
                c.head_at = now
            self.request(channel, now)
            if self.wait:
                return self.watch(channel, c.head_at + self.wait)
        return 0

    cdef inline int pass_through(self, uint32_t channel, uint32_t packet, uint32_t core, uint32_t wanted,
                                 int64_t now) noexcept nogil:
        """A flit that finds its FIFO empty and its output idle leaves at once, without queue or arbiter. 1: it did.

        What `arrive` and `arbitrate` would come to; most hops of most ticks are of this kind.
        """
        cdef Channel* c = &self.channels[channel]
        cdef Channel* o = &self.channels[wanted]
        if c.n_queued or c.head_at > now:
            return 0
        if o.requests or o.free_at > now or not self.has_room(o, now):
            return 0
        self.mark(wanted)
        o.last_port = c.in_port
        if self.mutexes != NULL:
            mutex_won(&self.mutexes[wanted], c.in_port, now + o.cycle)
        c.head_at = now + c.cycle
        self.give_back(c, now + c.credit)
        if c.starved:
            c.starved = 0
            if self.wake(channel, now + c.credit):
                return -1
        return -1 if self.grant(wanted, packet, core, now) else 1

    cdef inline bint has_room(self, Channel* c, int64_t now) noexcept nogil:
        """A slot at the far end is free; slots that have come back are counted on the way."""
        while c.n_credits and c.credits[c.credit_first] <= now:
            c.credit_first = c.credit_first + 1 if c.credit_first + 1 < c.slots else 0
            c.n_credits -= 1
            c.held -= 1
        return c.held < c.slots

    cdef inline void request(self, uint32_t channel, int64_t now) noexcept nogil:
        """The head of the FIFO behind `channel` puts its claim to every output it wants, which are looked at now."""
        cdef Channel* c = &self.channels[channel]
        cdef uint32_t wanted = c.queue[c.first].wants
        cdef int64_t b
        if self.root != NULL and self.is_aside(c):
            wanted, c.branches = self.rejoin[channel], 1
            self.channels[wanted].requests |= <uint64_t>1 << c.in_port
            self.touch(wanted)
            return
        if self.root == NULL:
            self.channels[wanted].requests |= <uint64_t>1 << c.in_port
            self.touch(wanted)
            return
        c.branches = <int32_t>(self.node_start[wanted + 1] - self.node_start[wanted])
        for b in range(self.node_start[wanted], self.node_start[wanted + 1]):
            self.channels[self.branch_channel[b]].requests |= <uint64_t>1 << c.in_port
            self.touch(self.branch_channel[b])

    cdef inline int ask(self, uint32_t channel) noexcept nogil:
        """As `request`, for a head that may only claim from its head_at on: the outputs are woken then."""
        cdef Channel* c = &self.channels[channel]
        cdef uint32_t wanted = c.queue[c.first].wants
        cdef Channel* o
        cdef int64_t b
        if self.wait and self.watch(channel, c.head_at + self.wait):
            return -1
        if self.root != NULL and self.is_aside(c):
            wanted, c.branches = self.rejoin[channel], 1
        if self.root == NULL or self.is_aside(c):
            o = &self.channels[wanted]
            o.requests |= <uint64_t>1 << c.in_port
            return self.wake(wanted, max(c.head_at, o.free_at))
        c.branches = <int32_t>(self.node_start[wanted + 1] - self.node_start[wanted])
        for b in range(self.node_start[wanted], self.node_start[wanted + 1]):
            o = &self.channels[self.branch_channel[b]]
            o.requests |= <uint64_t>1 << c.in_port
            if self.wake(self.branch_channel[b], max(c.head_at, o.free_at)):
                return -1
        return 0

    cdef int arbitrate(self, uint32_t channel, int64_t now) noexcept nogil:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        cdef Channel* c = &self.channels[channel]
        cdef Channel* source
        cdef uint64_t m
        cdef int64_t at, claim, best_claim = FOREVER, best_at = FOREVER, others = FOREVER, child
        cdef int64_t rank, best_rank = 0
        cdef int32_t port, best = -1
        cdef uint32_t packet
        if c.kind == INJECT:
            if self.next_packet[c.endpoint] == self.last_packet[c.endpoint]:
                return 0
            best_at = self.times.made[self.next_packet[c.endpoint]]
        else:
            m = c.requests
            while m:
                port = lowest_bit(m)
                m &= m - 1
                source = &self.channels[self.in_channel[c.from_router * self.n_ports + port]]
                at = source.head_at
                if at > now:                                # not a claim yet
                    others = min(others, at)
                    continue
                rank = port - c.last_port - 1
                if rank < 0:
                    rank += self.n_ports
                claim = at if self.policy == FCFS else 0 if self.policy == ROUND_ROBIN else \
                    self.times.made[source.queue[source.first].packet]
                if claim < best_claim or (claim == best_claim and rank < best_rank):
                    others = min(others, best_at)
                    best_claim, best_at, best_rank, best = claim, at, rank, port
                else:
                    others = min(others, at)
            if best < 0:
                return self.wake(channel, max(c.free_at, others)) if others != FOREVER else 0
            if self.mutexes != NULL:
                best = self.through_mutexes(channel, now, &others)
        if c.free_at > now or best_at > now:
            return self.wake(channel, max(c.free_at, best_at))
        if not self.has_room(c, now):
            if c.n_credits:
                return self.wake(channel, c.credits[c.credit_first])
            c.starved = 1
            return 0
        if c.kind == INJECT:
            return self.enter(channel, now)
        source = &self.channels[self.in_channel[c.from_router * self.n_ports + best]]
        packet = source.queue[source.first].packet
        c.requests &= ~(<uint64_t>1 << best)
        c.last_port = best
        if self.mutexes != NULL:
            mutex_won(&self.mutexes[channel], best, now + c.cycle)
        child = self.axon_core[self.seeds[packet].axon] if self.root == NULL and c.kind != EJECT else 0
        if self.root != NULL:
            source.branches -= 1
            child = self.leads_to(source, channel) if self.rejoin != NULL else \
                self.branch_child[self.branch_of(source, channel)]
        elif source.turned and channel != source.queue[source.first].wants:
            child |= ASIDE
        if self.rejoin != NULL and child >= 0 and child & ASIDE and self.turn_aside(source, packet, channel):
            return -1
        if self.grant(channel, packet, child, now):
            return -1
        if self.root == NULL or source.branches == 0:
            if self.leave(self.in_channel[c.from_router * self.n_ports + best], now):
                return -1
        if others != FOREVER:
            return self.wake(channel, max(c.free_at, others))
        return 0

    cdef int32_t through_mutexes(self, uint32_t channel, int64_t now, int64_t* others) noexcept nogil:
        """The port of the claim that the mutexes of an output pass on; others: when the next of the rest claims."""
        cdef Channel* c = &self.channels[channel]
        cdef uint64_t m = c.requests, standing = 0
        cdef int64_t claims[64]
        cdef int32_t port, best
        others[0] = FOREVER
        while m:
            port = lowest_bit(m)
            m &= m - 1
            claims[port] = self.channels[self.in_channel[c.from_router * self.n_ports + port]].head_at
            if claims[port] <= now:
                standing |= <uint64_t>1 << port
        best = mutex_winner(&self.mutexes[channel], standing, claims)
        m = c.requests & ~(<uint64_t>1 << best)
        while m:
            port = lowest_bit(m)
            m &= m - 1
            others[0] = min(others[0], claims[port])
        return best

    cdef int enter(self, uint32_t channel, int64_t now) noexcept nogil:
        """The packet an endpoint waits to send goes into the fabric; the soma server starts on the next."""
        cdef Channel* c = &self.channels[channel]
        cdef int64_t p = self.next_packet[c.endpoint], k = p
        cdef int64_t root = self.axon_core[self.seeds[p].axon]
        self.times.entered[p] = now
        k += 1
        while k < self.last_packet[c.endpoint] and self.seeds[k].gap == FOLLOWS and not self.open_loop:
            self.times.made[k], self.times.entered[k] = self.times.made[p], now
            k += 1
        self.next_packet[c.endpoint] = k
        self.entry[c.endpoint] = now
        if self.root != NULL:
            root = self.root[self.seeds[p].source]
        if self.grant(channel, <uint32_t>p, root, now):
            return -1
        if k < self.last_packet[c.endpoint]:
            return self.make(c.endpoint, now)
        return 0

    cdef inline int grant(self, uint32_t channel, uint32_t packet, int64_t child, int64_t now) noexcept nogil:
        """Send a packet over a channel, for core `child`; multicast: to tree node `child`, or delivery -1 - child."""
        cdef Channel* c = &self.channels[channel]
        cdef int64_t arrival = now + c.latency
        cdef int64_t d = packet
        c.free_at = now + c.cycle
        c.held += 1
        c.flits += 1
        if c.kind != EJECT:
            return wheel_push(&self.wheel, arrival, channel, packet, <uint32_t>child)
        if self.root != NULL:
            d += -1 - child
        self.times.arrived[d] = arrival
        self.times.started[d] = max(arrival, c.busy_until)
        self.times.done[d] = c.busy_until = self.times.started[d] + self.service_ps[self.seeds[d].axon]
        self.queued_ps[channel] += self.times.started[d] - arrival
        if c.n_credits >= self.peak[channel]:
            self.count_waiting(channel, arrival)
        self.give_back(c, self.times.started[d] + c.credit)
        return 0

    cdef void count_waiting(self, uint32_t channel, int64_t arrival) noexcept nogil:
        """A packet comes to a core's input FIFO; those before it that are not started give their slots back later."""
        cdef Channel* c = &self.channels[channel]
        cdef int32_t inside = 1, k
        for k in range(c.n_credits - 1, -1, -1):
            if c.credits[(c.credit_first + k) % c.slots] - c.credit < arrival:
                break
            inside += 1
        if inside > self.peak[channel]:
            self.peak[channel] = inside

    cdef inline void give_back(self, Channel* c, int64_t at) noexcept nogil:
        """A slot behind the channel becomes usable again at `at`; times come in order."""
        cdef int32_t k = c.credit_first + c.n_credits
        if k >= c.slots:
            k -= c.slots
        c.credits[k] = at
        c.n_credits += 1

    cdef inline int leave(self, uint32_t channel, int64_t now) noexcept nogil:
        """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
        cdef Channel* c = &self.channels[channel]
        self.queued_ps[channel] += now - c.queue[c.first].arrival
        c.first = c.first + 1 if c.first + 1 < c.slots else 0
        c.n_queued -= 1
        c.head_at = now + c.cycle
        c.turned = 0
        self.give_back(c, now + c.credit)
        if c.starved:
            c.starved = 0
            if self.wake(channel, now + c.credit):
                return -1
        if c.n_queued:
            c.head_at = max(c.head_at, c.queue[c.first].arrival)
            return self.ask(channel)
        return 0

    # ---- blocked packets ----

    cdef inline bint is_aside(self, Channel* c) noexcept nogil:
        """The head of the FIFO is half way round a blocked link."""
        return self.rejoin != NULL and self.aside[&c.queue[c.first] - self.queues]

    cdef inline int watch(self, uint32_t channel, int64_t at) noexcept nogil:
        """Look at the head of the FIFO behind `channel` at `at`, unless an alarm comes before then."""
        if self.alarm[channel] <= at:
            return 0
        self.alarm[channel] = at
        self.mark(channel)
        return wheel_push(&self.wheel, at, channel, TIMEOUT, 0)

    cdef int time_out_all(self, int64_t first, int64_t last, int64_t now) noexcept nogil:
        """Serve the alarms among the events [first, last) of a time stamp."""
        cdef int64_t i
        cdef uint32_t channel
        self.n_alarms = 0
        for i in range(first, last):
            channel = self.wheel.current[i].channel
            if self.wheel.current[i].packet == TIMEOUT and self.alarm[channel] == now:
                self.alarm[channel] = FOREVER
                if self.time_out(channel, now):
                    return -1
        return 0

    cdef int time_out(self, uint32_t channel, int64_t now) noexcept nogil:
        """Turn or drop the head of the FIFO behind `channel` if it is its time, else look again when it will be."""
        cdef Channel* c = &self.channels[channel]
        cdef int64_t due = c.head_at + (self.emergency_wait if c.turned else self.wait), b, n
        cdef uint64_t bit = <uint64_t>1 << c.in_port, pending = 0
        cdef int32_t own[64]
        cdef int64_t leads[64]
        cdef bint last = c.turned or not self.emergency_wait, aside = self.is_aside(c)
        cdef uint32_t head, packet
        cdef Channel* o
        if c.n_queued == 0:
            return 0
        if due > now:
            return self.watch(channel, due)
        head, packet = c.queue[c.first].wants, c.queue[c.first].packet
        if self.root == NULL:
            own[0], leads[0], n = head, -1, 1
        elif aside:
            own[0], leads[0], n = self.rejoin[channel], head, 1
        else:
            n = self.node_start[head + 1] - self.node_start[head]
            for b in range(n):
                own[b] = self.branch_channel[self.node_start[head] + b]
                leads[b] = self.branch_child[self.node_start[head] + b]
        for b in range(n):                                      # what is left of it: claims that still stand
            o = &self.channels[self.claimed(own[b], c.turned and not aside)]
            if o.requests & bit:
                pending |= <uint64_t>1 << b
        for b in range(n):
            if pending >> b & 1:
                self.channels[self.claimed(own[b], c.turned and not aside)].requests &= ~bit
        for b in range(n):
            if not pending >> b & 1:
                continue
            if last:
                self.drops[own[b]] += 1
                if now > self.last_drop or own[b] > self.last_dropped:
                    self.last_drop, self.last_dropped = now, own[b]
                if self.lose(packet, own[b], leads[b], now):
                    return -1
            else:
                o = &self.channels[self.claimed(own[b], not aside)]
                o.requests |= bit
                self.touch(self.claimed(own[b], not aside))
        if last:
            return self.leave(channel, now)
        c.turned, c.head_at = 1, now
        return self.watch(channel, now + self.emergency_wait)

    cdef inline int32_t claimed(self, int32_t output, bint turned) noexcept nogil:
        """The output that is claimed by a head which wants `output`."""
        return self.detour[output] if turned and self.detour[output] >= 0 else output

    cdef int lose(self, uint32_t packet, int32_t channel, int64_t leads, int64_t now) noexcept nogil:
        """What would have crossed `channel` is dropped: it misses that channel and all behind it."""
        cdef int64_t d = packet, b
        if add_hop(&self.off, self.tick_now, self.seeds[packet].source, channel, -1):
            return -1
        if self.channels[channel].kind == EJECT:
            if self.root != NULL:
                d += -1 - leads
            self.times.arrived[d] = self.times.started[d] = LOST
            self.times.done[d] = now
            return 0
        if self.root == NULL:
            return self.lose(packet, self.by_table(self.channels[channel].to_router, packet), -1, now)
        for b in range(self.node_start[leads], self.node_start[leads + 1]):
            if self.lose(packet, self.branch_channel[b], self.branch_child[b], now):
                return -1
        return 0

    cdef inline int32_t by_table(self, int32_t router, uint32_t packet) noexcept nogil:
        """The channel by which the table sends a packet on from a router."""
        cdef int32_t core = self.axon_core[self.seeds[packet].axon]
        cdef uint8_t port = self.next_port[router * self.n_routers + self.router[core]]
        return self.eject[core] if port == LOCAL else self.out_channel[router * self.n_ports + port]

    cdef inline int64_t branch_of(self, Channel* c, uint32_t output) noexcept nogil:
        """The branch of the tree by which the head of a FIFO takes an output."""
        cdef int64_t b = self.node_start[c.queue[c.first].wants]
        while self.branch_channel[b] != <int32_t>output:
            b += 1
        return b

    cdef int64_t leads_to(self, Channel* c, uint32_t output) noexcept nogil:
        """Where an output leads the head of a FIFO, which may be on a detour or turn to one: a node or delivery."""
        cdef int64_t b = self.node_start[c.queue[c.first].wants]
        if self.is_aside(c):
            return c.queue[c.first].wants
        if not c.turned:
            return self.branch_child[self.branch_of(c, output)]
        while self.claimed(self.branch_channel[b], True) != <int32_t>output:
            b += 1
        return self.branch_child[b] if self.branch_channel[b] == <int32_t>output else self.branch_child[b] | ASIDE

    cdef int turn_aside(self, Channel* c, uint32_t packet, uint32_t output) noexcept nogil:
        """Count the head of a FIFO that leaves by `output`, round the link it should have taken."""
        cdef int64_t source = self.seeds[packet].source
        cdef int32_t link = c.queue[c.first].wants
        cdef int64_t b
        if self.root != NULL:
            b = self.node_start[c.queue[c.first].wants]
            while self.detour[self.branch_channel[b]] != <int32_t>output:
                b += 1
            link = self.branch_channel[b]
        self.detours[link] += 1
        if add_hop(&self.off, self.tick_now, source, link, -1) or add_hop(&self.off, self.tick_now, source, output, 1):
            return -1
        return add_hop(&self.off, self.tick_now, source, self.rejoin[output], 1)
