"""A clocked mesh, packet-exact, at the cost of its events: the compiled twin of reference_clocked.ClockedMesh.

Time is here: ticks, runs, and the cycles of each. Routers are laid out in clocked_routers.pyx and work as in
clocked_router.pxd; sources, sinks and what arrives are in clocked_ends.pxd. With nothing to do in any router or source,
time jumps to the next event or injection.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

import numpy as np

from chipsim.engine.deadlock import deadlock

from chipsim.engine.bits cimport fetch, lowest_bit
from chipsim.engine.clocked_ends cimport NOWHERE, READY, Ends, Node, make, offer, receive, send_from, take_credit
from chipsim.engine.clocked_router cimport plain_work, work
from chipsim.engine.clocked_routers cimport ClockedRouters
from chipsim.engine.clocked_state cimport FROM_NODE, SLOTS, Arrivals, Credits, push_credit
from chipsim.engine.heap cimport Due, heap_pop
from chipsim.engine.packets cimport Packets
from chipsim.engine.servers cimport LIMIT_SOMA, LIMIT_SYNAPSE, Totals, account, times_of

cdef enum:
    AHEAD = 4                   # flits


@cython.final                  # methods are then plain calls, which the C compiler inlines
cdef class ClockedFabric(ClockedRouters):
    """ClockedFabric(plan, clock, trees=None): the routers of a FabricPlan. `clock`: that of a chip, or a
    reference_router.Clocked; `trees`: of multicast packets; of a list, one per packet.

    Raises ValueError when a router has too many ports and virtual channels, or a channel is too long.
    """

    cdef Ends ends
    cdef object axon_core, chunk                    # chunk: row starts of the packets that room is made for
    cdef const int32_t* core_of_axon
    cdef readonly int64_t cycles

    def __init__(self, plan, clock, trees=None):
        cdef Ends* s = &self.ends
        super().__init__(plan, clock, trees)
        s.n = len(plan.router)
        s.inject = <const int32_t*>self.hold("inject", plan.inject, np.int32)
        s.sending = <uint64_t*>self.hold("sending", np.zeros((s.n + 63) // 64), np.uint64)
        s.nodes = <Node*>self.hold("nodes", np.zeros(s.n * sizeof(Node)), np.uint8)
        s.node_used = <int32_t*>self.hold("node_used", np.zeros(s.n * self.f.vcs), np.int32)
        s.queued_ps = <int64_t*>self.hold("queued_ps", np.zeros(self.n_channels), np.int64)

    def __dealloc__(self):
        free(self.ends.timed.at)

    @classmethod
    def of(cls, plan):
        """The fabric of an engine's Plan whose chip has a clock: `run_ticks` then serves its cores."""
        cdef ClockedFabric self = cls(plan.fabric, plan.layout.chip.fabric.clock, plan.trees)
        self.ends.period = plan.period_ps
        self.ends.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        self.axon_core = np.asarray(plan.axon_core)
        self.core_of_axon = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
        self.ends.last_packet = <int64_t*>self.hold("last_packet", np.zeros(self.ends.n), np.int64)
        self.ends.entry = <int64_t*>self.hold("entry", np.zeros(self.ends.n), np.int64)
        self.ends.busy = <int64_t*>self.hold("busy", np.zeros(self.ends.n), np.int64)
        self.ends.ring_size = self.f.vcs * self.f.depth + 1
        self.ends.started = <int64_t*>self.hold("started", np.zeros(self.ends.n * self.ends.ring_size), np.int64)
        self.ends.first_started = <int32_t*>self.hold("first_started", np.zeros(self.ends.n), np.int32)
        return self

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
        self.ends.size = <const int32_t*>self.hold("size", size, np.int32)
        self.ends.head_inject = <int64_t*>self.hold("head_inject", times["head_inject"], np.int64)
        self.ends.head_arrive = <int64_t*>self.hold("head_arrive", times["head_arrive"], np.int64)
        self.ends.arrive = <int64_t*>self.hold("arrive", times["arrive"], np.int64)
        self.ends.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(max(1, n)), np.uint32)
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

    def occupancy(self):
        """(queued int64[K], peak int32[K]) since the fabric was made, in ps, without servers in cycles; queues.py."""
        queued = self.counted["queued"] * max(1, self.ends.period) + self.keep["queued_ps"]
        return queued, np.maximum(self.counted["peak"], self.counted["load"] > 0).astype(np.int32)

    def run_ticks(self, Packets packets, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
                  int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
                  int64_t[::1] latency):
        """As Fabric.run: the mesh of ticks [first, last) of the chunk that these are the packets of."""
        cdef int64_t t, n_cores = self.ends.n - 1, stride = n_cores + 1
        cdef int rc = 0
        cdef int64_t* start
        if self.chunk is not packets.starts:                    # a thread has several blocks of its ticks
            self.chunk = packets.starts
            self.room_for(packets)
        self.ends.times = times_of(times)
        cdef Totals totals = Totals(&soma_ps[0], &stall_ps[0], &synapse_ps[0], &latency[0])
        with nogil:
            for t in range(first, last):
                start = packets.seed_start + t * stride
                rc = self.tick(start, packets.tail_ps + t * stride, &tick_ps[t], &limit[t])
                if rc:
                    break
                account(start, packets.tail_ps + t * stride, n_cores, self.ends.seeds, self.core_of_axon,
                        &self.ends.times, &totals)
        if rc == -2:
            raise deadlock(self.stuck(), self.plan)
        if rc:
            raise MemoryError("no memory left for flits in flight")

    cdef int room_for(self, Packets packets) except -1:
        """What is kept of each packet of a chunk."""
        _, source, axon = packets.by_tick()
        rows, stride = packets.starts, self.ends.n
        endpoint = np.where(np.arange(len(rows) - 1) % stride == 0, stride - 1, np.arange(len(rows) - 1) % stride - 1)
        n = max(1, len(axon))
        self.f.src = <const int32_t*>self.hold("src", np.repeat(endpoint, np.diff(rows)), np.int32)
        to = self.axon_core[axon] if self.root is None else self.root[source]
        self.f.dst = <const int32_t*>self.hold("dst", to if len(axon) else np.zeros(1), np.int32)
        self.ends.size = <const int32_t*>self.hold("size", np.ones(n), np.int32)
        self.ends.head_inject = <int64_t*>self.hold("head_inject", np.zeros(n), np.int64)
        self.ends.head_arrive = <int64_t*>self.hold("head_arrive", np.zeros(n), np.int64)
        self.ends.arrive = <int64_t*>self.hold("arrive", np.zeros(n), np.int64)
        self.ends.next_packet = <uint32_t*>self.hold("next_packet", np.zeros(n), np.uint32)
        self.f.age = <int64_t*>self.hold("age", np.zeros(n), np.int64)
        self.f.y_first = <uint8_t*>self.hold("y_first", np.zeros(n), np.uint8)
        self.ends.seeds = packets.seeds.at
        return 0

    cdef int tick(self, const int64_t* start, const int64_t* tail_ps, int64_t* length, int32_t* limit) noexcept nogil:
        """One tick from a quiet start; rows: host port first, then the cores."""
        cdef int64_t e, row, n_cores = self.ends.n - 1
        cdef int rc
        self.start()
        for row in range(self.ends.n):
            e = n_cores if row == 0 else row - 1
            self.ends.last_packet[e], self.ends.entry[e], self.ends.busy[e] = start[row + 1], 0, 0
            if start[row] < start[row + 1] and make(&self.f, &self.ends, start[row], 0, 0):
                return -1
        rc = self.move(start[self.ends.n] - start[0], 0, NULL, NULL)
        if rc:
            return rc
        length[0], limit[0] = 0, 0
        for e in range(self.ends.n):
            row = 0 if e == n_cores else e + 1
            if self.ends.entry[e] + tail_ps[row] > length[0]:
                length[0] = self.ends.entry[e] + tail_ps[row]
                limit[0] = <int32_t>((LIMIT_SOMA << 24) | e)
        for e in range(n_cores):
            if self.ends.busy[e] > length[0]:
                length[0] = self.ends.busy[e]
                limit[0] = <int32_t>((LIMIT_SYNAPSE << 24) | e)
        return 0

    cdef void start(self) noexcept nogil:
        """Everything empty."""
        cdef Ends* s = &self.ends
        cdef int64_t k
        self.empty()
        for k in range(s.n):
            s.nodes[k].first = NOWHERE
            s.nodes[k].packets = 0
            s.nodes[k].vc = s.nodes[k].last_vc = -1
        memset(s.node_used, 0, s.n * self.f.vcs * sizeof(int32_t))
        memset(s.sending, 0, (s.n + 63) // 64 * 8)
        self.cycles = s.timed.n = 0

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
                take_credit(&self.f, &self.ends, credits.at[i])
            credits.n = 0
            arrivals = &self.f.flits[now & (SLOTS - 1)]
            for i in range(arrivals.n):
                if i + AHEAD < arrivals.n:              # 64x64 routers do not fit the cache
                    r = self.f.channels[arrivals.at[i + AHEAD].channel].to_router
                    if r >= 0:
                        fetch(self.f.blocks + r * self.f.at.stride)
                if i + 2 * AHEAD < arrivals.n:
                    fetch(&self.f.channels[arrivals.at[i + 2 * AHEAD].channel])
                r = receive(&self.f, &self.ends, now, &arrivals.at[i])
                if r < 0:
                    return -1
                left -= r
            arrivals.n = 0
            while self.ends.timed.n and self.ends.timed.at[0].at <= now:
                timed = heap_pop(&self.ends.timed)
                if timed.kind == READY:
                    offer(&self.f, &self.ends, now, timed.what)
                elif push_credit(&self.f, now, timed.what >> 3, timed.what & 7):
                    return -1
            while next_ < n and offered[order[next_]] <= now:
                offer(&self.f, &self.ends, now, order[next_])
                next_ += 1
            for w in range((self.ends.n + 63) >> 6):
                bits = self.ends.sending[w]
                while bits:
                    e = (w << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    if send_from(&self.f, &self.ends, now, e):
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
            for w in range((self.ends.n + 63) >> 6):
                busy |= self.ends.sending[w]
            if busy:
                continue
            ahead = 0                                   # nothing can happen before the next event or injection
            while ahead < SLOTS and not (self.f.flits[(now + ahead) & (SLOTS - 1)].n
                                         or self.f.credits[(now + ahead) & (SLOTS - 1)].n):
                ahead += 1
            external = offered[order[next_]] if next_ < n else -1
            if self.ends.timed.n and (external < 0 or self.ends.timed.at[0].at < external):
                external = self.ends.timed.at[0].at
            if external >= 0 and (ahead == SLOTS or external < now + ahead):
                now = max(now, external)
            elif ahead < SLOTS:
                now += ahead
            else:
                self.cycles = now
                return -2
        self.cycles = now
        return 0
