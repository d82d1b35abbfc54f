"""The mesh, packet by packet and hop by hop: the compiled twin of reference.Mesh.

One event per uncontended hop. A channel owns its sender's bookkeeping and the FIFO at its far end. Slots that come back
are kept as times in a ring at the sender and looked at only when a grant is wanted; a wake-up is queued only while
somebody waits for it. Order of work within one time stamp does not matter: arrivals come first, and a grant cannot be
seen by another grant of the same time because every latency, cycle and credit delay is at least 1 ps.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

import numpy as np

from chipsim.engine.function cimport Function
from chipsim.engine.wheel cimport wheel_close, wheel_fill, wheel_open, wheel_push, wheel_restart

cdef extern from *:
    """
    static inline int low_bit(unsigned long long x) { return __builtin_ctzll(x); }
    static inline int high_bit(unsigned long long x) { return 63 - __builtin_clzll(x); }
    """
    int low_bit(uint64_t x) noexcept nogil
    int high_bit(uint64_t x) noexcept nogil

cdef enum:
    INJECT = 0
    EJECT = 1
    LOCAL = 255
    NO_PACKET = 0xFFFFFFFF
    LIMIT_SOMA = 1
    LIMIT_SYNAPSE = 2
    SUB_BITS = 5

cdef int64_t FOREVER = 0x7FFFFFFFFFFFFFFF


cdef class Fabric:
    """Fabric(plan): the channels of a plan. One object serves one thread; ticks are independent of each other."""

    def __cinit__(self):
        if wheel_open(&self.wheel):
            raise MemoryError("no memory for the event calendar")

    def __init__(self, plan):
        cdef int64_t k, slots = 0
        f, layout = plan.fabric, plan.layout
        self.keep = {}
        self.n_channels, self.n_cores = f.n_channels, layout.n_cores
        self.n_routers, self.n_ports = len(f.out_channel), int(f.in_port.max()) + 1
        if self.n_ports > 64:
            raise ValueError(f"a router has {self.n_ports} ports; the engine's request masks hold 64")
        self.router = <const int32_t*>self.hold("router", f.router, np.int32)
        self.inject = <const int32_t*>self.hold("inject", f.inject, np.int32)
        self.eject = <const int32_t*>self.hold("eject", f.eject, np.int32)
        self.out_channel = <const int32_t*>self.hold("out_channel", f.out_channel, np.int32)
        self.next_port = <const uint8_t*>self.hold("next_port", f.next_port, np.uint8)
        self.axon_core = <const int32_t*>self.hold("axon_core", layout.axon_core, np.int32)
        self.service_ps = <const int64_t*>self.hold("service_ps", plan.service_ps, np.int64)
        in_channel = np.full((self.n_routers, self.n_ports), -1, np.int32)
        fed = np.flatnonzero(f.to_router >= 0)
        in_channel[f.to_router[fed], f.in_port[fed]] = fed
        self.in_channel = <int32_t*>self.hold("in_channel", in_channel, np.int32)
        self.touched = <uint32_t*>self.hold("touched", np.zeros(self.n_channels), np.uint32)
        self.dirty = <uint32_t*>self.hold("dirty", np.zeros(self.n_channels), np.uint32)
        self.is_dirty = <uint8_t*>self.hold("is_dirty", np.zeros(self.n_channels), np.uint8)
        self.next_packet = <int64_t*>self.hold("next_packet", np.zeros(self.n_cores + 1), np.int64)
        self.last_packet = <int64_t*>self.hold("last_packet", np.zeros(self.n_cores + 1), np.int64)
        self.entry = <int64_t*>self.hold("entry", np.zeros(self.n_cores + 1), np.int64)
        total = int(f.slots.sum())
        cdef int64_t* credits = <int64_t*>self.hold("credits", np.zeros(total), np.int64)
        cdef int64_t* arrivals = <int64_t*>self.hold("arrivals", np.zeros(total), np.int64)
        cdef uint32_t* queue = <uint32_t*>self.hold("queue", np.zeros(total), np.uint32)
        self.channels = <Channel*>calloc(self.n_channels, sizeof(Channel))
        if self.channels == NULL:
            raise MemoryError(f"no memory for {self.n_channels} channels")
        for k in range(self.n_channels):
            self.channels[k].latency, self.channels[k].cycle = f.latency[k], f.cycle[k]
            self.channels[k].credit, self.channels[k].slots = f.credit[k], f.slots[k]
            self.channels[k].from_router, self.channels[k].to_router = f.from_router[k], f.to_router[k]
            self.channels[k].endpoint, self.channels[k].kind = f.endpoint[k], f.kind[k]
            self.channels[k].in_port = f.in_port[k]
            self.channels[k].credits, self.channels[k].arrivals = credits + slots, arrivals + slots
            self.channels[k].queue = queue + slots
            self.channels[k].last_port, self.channels[k].wake_at = -1, FOREVER
            slots += self.channels[k].slots

    cdef void* hold(self, str name, array, dtype) except NULL:
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    def __dealloc__(self):
        wheel_close(&self.wheel)
        free(self.channels)

    def run(self, Function function, int64_t first, int64_t last, int64_t[::1] tick_ps, int32_t[::1] limit,
            int64_t[:, ::1] times, int64_t[::1] soma_ps, int64_t[::1] synapse_ps, int64_t[::1] stall_ps,
            int64_t[::1] latency):
        """Run the mesh of ticks [first, last) of the chunk that `function` advanced last.

        tick_ps, limit     [ticks of the chunk], written at the ticks run
        times              [5, packets of the chunk] made, entered, arrived, started, done; ps from the tick's start
        soma_ps, stall_ps [C+1], synapse_ps [C], latency [N_BINS]   added to
        """
        cdef int64_t t, e, k, row, stride = self.n_cores + 1
        cdef int rc = 0
        self.seeds = function.seeds.at
        self.made, self.entered, self.arrived = &times[0, 0], &times[1, 0], &times[2, 0]
        self.started, self.done = &times[3, 0], &times[4, 0]
        with nogil:
            for t in range(first, last):
                rc = self.tick(function.seed_start + t * stride, function.tail_ps + t * stride, &tick_ps[t], &limit[t])
                if rc:
                    break
                for row in range(stride):
                    e = self.n_cores if row == 0 else row - 1
                    for k in range(function.seed_start[t * stride + row], function.seed_start[t * stride + row + 1]):
                        soma_ps[e] += self.seeds[k].gap
                        stall_ps[e] += self.entered[k] - self.made[k]
                        synapse_ps[self.axon_core[self.seeds[k].axon]] += self.done[k] - self.started[k]
                        latency[latency_bin(self.arrived[k] - self.made[k])] += 1
                    soma_ps[e] += function.tail_ps[t * stride + row]
        if rc == -2:
            raise RuntimeError(f"packets stand still in the mesh in tick {t} of the chunk: a deadlock")
        if rc:
            raise MemoryError("no memory left for the events of the mesh")

    # ---- one tick ----

    cdef int tick(self, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                  int32_t* limit) noexcept nogil:
        """From a quiet start until all is still. seed_start and tail_ps: host port first, then the cores."""
        cdef int64_t e, i, j, now
        cdef uint32_t c, p
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
            self.n_touched = 0
            while self.wheel.taken < self.wheel.filled and self.wheel.current[self.wheel.taken].at == now:
                c = self.wheel.current[self.wheel.taken].channel
                p = self.wheel.current[self.wheel.taken].packet
                self.wheel.taken += 1
                self.wheel.count -= 1
                if p == NO_PACKET:
                    if self.channels[c].wake_at == now:
                        self.channels[c].wake_at = FOREVER
                    self.touch(c)
                else:
                    self.arrive(c, p, now)
            for i in range(self.n_touched):
                c = self.touched[i]
                self.channels[c].touched = 0
                if self.arbitrate(c, now):
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
        for i in range(self.n_dirty):
            if self.channels[self.dirty[i]].n_queued:
                return -2
        return 0

    cdef void quiet(self) noexcept nogil:
        """Forget the tick before: every FIFO empty, every output free."""
        cdef int64_t i
        cdef Channel* c
        for i in range(self.n_dirty):
            c = &self.channels[self.dirty[i]]
            c.free_at = c.head_at = c.busy_until = 0
            c.requests = 0
            c.held = c.n_credits = c.credit_first = c.first = c.n_queued = 0
            c.last_port, c.starved, c.touched, c.wake_at = -1, 0, 0, FOREVER
            self.is_dirty[self.dirty[i]] = 0
        self.n_dirty = 0
        wheel_restart(&self.wheel)

    cdef int wake(self, uint32_t channel, int64_t at) noexcept nogil:
        """Look at an output again at `at`, unless it will be looked at before then (and will find out itself)."""
        if self.channels[channel].wake_at <= at:
            return 0
        self.channels[channel].wake_at = at
        if not self.is_dirty[channel]:
            self.is_dirty[channel] = 1
            self.dirty[self.n_dirty] = channel
            self.n_dirty += 1
        return wheel_push(&self.wheel, at, channel, NO_PACKET)

    cdef void touch(self, uint32_t channel) noexcept nogil:
        if not self.channels[channel].touched:
            self.channels[channel].touched = 1
            self.touched[self.n_touched] = channel
            self.n_touched += 1
            if not self.is_dirty[channel]:
                self.is_dirty[channel] = 1
                self.dirty[self.n_dirty] = channel
                self.n_dirty += 1

    cdef uint32_t onward(self, int32_t router, uint32_t packet) noexcept nogil:
        """The channel by which a packet leaves a router."""
        cdef int32_t core = self.axon_core[self.seeds[packet].axon]
        cdef uint8_t port = self.next_port[router * self.n_routers + self.router[core]]
        return self.eject[core] if port == LOCAL else self.out_channel[router * 4 + port]

    cdef int make(self, int64_t endpoint, int64_t now) noexcept nogil:
        """The soma server starts on its next packet."""
        cdef int64_t p = self.next_packet[endpoint]
        cdef uint32_t c = self.inject[endpoint]
        self.made[p] = now + self.seeds[p].gap
        return self.wake(c, max(self.made[p], self.channels[c].free_at))

    cdef void arrive(self, uint32_t channel, uint32_t packet, int64_t now) noexcept nogil:
        """A flit enters the FIFO behind `channel`; if it is the head it asks for its output."""
        cdef Channel* c = &self.channels[channel]
        cdef int32_t at = c.first + c.n_queued
        cdef uint32_t o
        if at >= c.slots:
            at -= c.slots
        c.queue[at], c.arrivals[at] = packet, now
        c.n_queued += 1
        if c.n_queued == 1:
            if c.head_at < now:
                c.head_at = now
            o = self.onward(c.to_router, packet)
            self.channels[o].requests |= <uint64_t>1 << c.in_port
            self.touch(o)

    cdef int arbitrate(self, uint32_t channel, int64_t now) noexcept nogil:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        cdef Channel* c = &self.channels[channel]
        cdef Channel* source
        cdef uint64_t m
        cdef int64_t at, best_at = FOREVER, others = FOREVER
        cdef int64_t rank, best_rank = 0
        cdef int32_t port, best = -1
        cdef uint32_t packet
        if c.kind == INJECT:
            if self.next_packet[c.endpoint] == self.last_packet[c.endpoint]:
                return 0
            best_at = self.made[self.next_packet[c.endpoint]]
        else:
            m = c.requests
            if m == 0:
                return 0
            while m:
                port = low_bit(m)
                m &= m - 1
                at = self.channels[self.in_channel[c.from_router * self.n_ports + port]].head_at
                rank = port - c.last_port - 1
                if rank < 0:
                    rank += self.n_ports
                if at < best_at or (at == best_at and rank < best_rank):
                    others = min(others, best_at)
                    best_at, best_rank, best = at, rank, port
                else:
                    others = min(others, at)
        if c.free_at > now or best_at > now:
            return self.wake(channel, max(c.free_at, best_at))
        while c.n_credits and c.credits[c.credit_first] <= now:
            c.credit_first = c.credit_first + 1 if c.credit_first + 1 < c.slots else 0
            c.n_credits -= 1
            c.held -= 1
        if c.held >= c.slots:
            if c.n_credits:
                return self.wake(channel, c.credits[c.credit_first])
            c.starved = 1
            return 0
        if c.kind == INJECT:
            packet = <uint32_t>self.next_packet[c.endpoint]
            self.entered[packet] = now
            self.next_packet[c.endpoint] += 1
            self.entry[c.endpoint] = now
            if self.grant(channel, packet, now):
                return -1
            if self.next_packet[c.endpoint] < self.last_packet[c.endpoint]:
                return self.make(c.endpoint, now)
            return 0
        source = &self.channels[self.in_channel[c.from_router * self.n_ports + best]]
        packet = source.queue[source.first]
        c.requests &= ~(<uint64_t>1 << best)
        c.last_port = best
        if self.grant(channel, packet, now) or self.leave(self.in_channel[c.from_router * self.n_ports + best], now):
            return -1
        if others != FOREVER:
            return self.wake(channel, max(c.free_at, others))
        return 0

    cdef int grant(self, uint32_t channel, uint32_t packet, int64_t now) noexcept nogil:
        """Send a packet over a channel."""
        cdef Channel* c = &self.channels[channel]
        cdef int64_t arrival = now + c.latency
        c.free_at = now + c.cycle
        c.held += 1
        if c.kind != EJECT:
            return wheel_push(&self.wheel, arrival, channel, packet)
        self.arrived[packet] = arrival
        self.started[packet] = max(arrival, c.busy_until)
        self.done[packet] = c.busy_until = self.started[packet] + self.service_ps[self.seeds[packet].axon]
        self.give_back(c, self.started[packet] + c.credit)
        return 0

    cdef void give_back(self, Channel* c, int64_t at) noexcept nogil:
        """A slot behind the channel becomes usable again at `at`; times come in order."""
        cdef int32_t k = c.credit_first + c.n_credits
        if k >= c.slots:
            k -= c.slots
        c.credits[k] = at
        c.n_credits += 1

    cdef int leave(self, uint32_t channel, int64_t now) noexcept nogil:
        """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
        cdef Channel* c = &self.channels[channel]
        cdef uint32_t o
        c.first = c.first + 1 if c.first + 1 < c.slots else 0
        c.n_queued -= 1
        c.head_at = now + c.cycle
        self.give_back(c, now + c.credit)
        if c.starved:
            c.starved = 0
            if self.wake(channel, now + c.credit):
                return -1
        if c.n_queued:
            c.head_at = max(c.head_at, c.arrivals[c.first])
            o = self.onward(c.to_router, c.queue[c.first])
            self.channels[o].requests |= <uint64_t>1 << c.in_port
            return self.wake(o, max(c.head_at, self.channels[o].free_at))
        return 0


cdef inline int64_t latency_bin(int64_t ps) noexcept nogil:
    """Twin of stats.bin_of."""
    cdef int64_t shift
    if ps < (1 << SUB_BITS):
        return ps if ps > 0 else 0
    shift = high_bit(<uint64_t>ps) - SUB_BITS
    return ((shift + 1) << SUB_BITS) + ((ps >> shift) - (1 << SUB_BITS))


def analytic(plan, Function function, int64_t n_ticks, int64_t[::1] tick_ps, int32_t[::1] limit,
             int64_t[::1] soma_ps, int64_t[::1] synapse_ps):
    """Ticks without queues: the busiest soma server, synapse server or channel sets the length, as `analytic_tick`."""
    f = plan.fabric
    cdef const int32_t[::1] router = f.router
    cdef const int32_t[::1] inject = f.inject
    cdef const int32_t[::1] eject = f.eject
    cdef const int32_t[:, ::1] out_channel = f.out_channel
    cdef const uint8_t[:, ::1] next_port = f.next_port
    cdef const int32_t[::1] to_router = f.to_router
    cdef const int64_t[::1] cycle = f.cycle
    cdef const int32_t[::1] axon_core = np.ascontiguousarray(plan.layout.axon_core, np.int32)
    cdef const int64_t[::1] service = plan.service_ps
    cdef int64_t n_cores = plan.layout.n_cores, stride = n_cores + 1, n_channels = f.n_channels
    cdef int64_t[::1] soma = np.zeros(stride, np.int64)
    cdef int64_t[::1] work = np.zeros(n_cores, np.int64)
    cdef int64_t[::1] load = np.zeros(n_channels, np.int64)
    cdef int64_t t, j, e, k, i
    cdef int32_t core, here
    cdef uint8_t port
    cdef uint32_t axon
    with nogil:
        for t in range(n_ticks):
            soma[:], work[:], load[:] = 0, 0, 0
            for j in range(stride):
                e = n_cores if j == 0 else j - 1
                for k in range(function.seed_start[t * stride + j], function.seed_start[t * stride + j + 1]):
                    axon = function.seeds.at[k].axon
                    core = axon_core[axon]
                    soma[e] += function.seeds.at[k].gap
                    work[core] += service[axon]
                    load[inject[e]] += cycle[inject[e]]
                    load[eject[core]] += cycle[eject[core]]
                    here = router[e]
                    while here != router[core]:
                        port = next_port[here, router[core]]
                        i = out_channel[here, port]
                        load[i] += cycle[i]
                        here = to_router[i]
                soma[e] += function.tail_ps[t * stride + j]
                soma_ps[e] += soma[e]
            tick_ps[t], limit[t] = 0, 0
            for i in range(stride):
                if soma[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = soma[i], <int32_t>((1 << 24) | i)
            for i in range(n_cores):
                synapse_ps[i] += work[i]
                if work[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = work[i], <int32_t>((2 << 24) | i)
            for i in range(n_channels):
                if load[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = load[i], <int32_t>((3 << 24) | i)
