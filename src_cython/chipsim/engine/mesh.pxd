"""The state of a fabric of handshakes: channels with their FIFOs, tables, and the calendar; and what all steps share.

Flags that functions take are constants where they are called: each kind of fabric has its own copy of the code, without
tests for what it does not do. trees: multicast; lossy: blocked packets turn aside or are dropped.
"""
from libc.stdint cimport int32_t, int64_t, int8_t, uint8_t, uint16_t, uint32_t, uint64_t

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.buffers cimport Hops, PacketSeed
from chipsim.engine.mutex cimport Mutexes
from chipsim.engine.servers cimport Times
from chipsim.engine.wheel cimport Wheel, wheel_push

cdef enum:
    INJECT = 0                  # kinds of channels
    EJECT = 1
    LOCAL = 255                 # a port
    NO_PACKET = 0xFFFFFFFF      # instead of a packet: look at an output again
    TIMEOUT = 0xFFFFFFFE        # the head of a FIFO may have stood there too long
    ASIDE = 0x80000000          # bit of an event's node: the flit is half way round a blocked link
    FCFS = 0
    ROUND_ROBIN = 1
    OLDEST = 2
    MUTEX_TREE = 3
    ALONE = 1                   # what `touched` says of a channel while the events of a window are served; 2: shared
    LISTED = 3

cdef extern from "<stdint.h>" nogil:
    const int64_t FOREVER "INT64_MAX"


cdef struct Slot:               # of a FIFO
    int64_t at                  # taken: arrival of its flit; free: the time from which it may be taken
    uint32_t packet
    uint32_t wants              # the output the flit leaves by; multicast: its tree node


cdef struct Channel:            # two cache lines: the output that sends, and the FIFO at the far end
    int64_t free_at             # the output may be granted again from here on
    int64_t wake_at             # time of the wake-up that is queued, FOREVER when none is
    int64_t late_at             # from here on no slot that is free can be missed
    uint64_t requests           # input ports whose head wants this output
    int64_t flits               # sent since the fabric was made
    uint32_t latency            # ps
    uint32_t cycle
    int32_t held                # slots with a flit or one on the way; eject: 0, their return is known at once
    int32_t n_slots
    int32_t origin              # router; inject: endpoint
    uint8_t kind
    int8_t last_port            # that won
    uint8_t starved             # waits for a slot whose return is not yet known
    uint8_t touched
    int64_t head_at             # the head of the FIFO may request from here on; eject: the synapse server is free
    int64_t gone                # multicast: when the last copy of the head was sent
    int64_t queued_ps           # see queues.py
    Slot* slots                 # they are taken, and given back, in turn
    uint32_t credit             # ps
    int32_t slack               # who waits no longer than this gives its slot back before it can be missed
    int32_t first               # slot of the head; those held follow it
    int32_t n_queued
    int32_t to_router
    int32_t branches            # multicast: copies of the head still to be sent
    uint8_t in_port
    uint8_t turned              # the head has given up its outputs for the emergency route
    uint8_t dirty               # used in this tick, and
    uint8_t written             # its slots as well


cdef struct Mesh:
    Wheel wheel
    Channel* channels
    int64_t n_cores, n_routers, n_ports, first_link, order, policy
    const int32_t* in_channel                       # [router, port] -> channel whose FIFO feeds the port
    const int32_t* router
    const int32_t* inject
    const int32_t* eject
    const int32_t* out_channel
    const uint8_t* next_port
    const uint8_t* choices                          # adaptive routing: [2, router, router] links as bits, or NULL
    const uint16_t* x                               # of each router, where routes follow from coordinates
    const uint16_t* y
    const int64_t* root                             # multicast trees, or NULL
    const int64_t* node_start
    const int32_t* branch_channel
    const int64_t* branch_child
    const int32_t* axon_core
    const int64_t* service_ps
    const int32_t* source_endpoint
    Mutexes* mutexes                                # per channel, where the policy is mutex_tree, or NULL
    uint32_t* listed                                # outputs to be looked at in this window
    int64_t n_listed
    uint32_t* dirty                                 # channels used in this tick
    int64_t n_dirty
    int32_t* peak                                   # per channel, see queues.py; 1 is not written
    int64_t* next_packet                            # per endpoint, index into the seeds
    int64_t* last_packet
    int64_t* entry
    int64_t wait, emergency_wait                    # ps; 0: for ever, no emergency route
    const int32_t* detour                           # [channel] first link of the way round, or -1; NULL without
    const int32_t* rejoin                           # [channel] second link of a packet that came by the first
    int64_t* alarm                                  # [channel] earliest alarm queued for its FIFO
    uint8_t* aside                                  # [slot of all channels] the flit is half way round
    Slot* slots
    int64_t* drops                                  # [channel]
    int64_t* detours
    Hops off
    int64_t n_alarms, last_drop, last_dropped
    int64_t tick_now                                # of the tick being run
    const PacketSeed* seeds
    Times times
    bint open_loop                                  # gaps are times of making, not soma time since the packet before


cdef inline void mark(Mesh* m, Channel* c) noexcept nogil:
    """Remember that a channel was used, and has to be forgotten before the next tick."""
    if not c.dirty:
        c.dirty = 1
        m.dirty[m.n_dirty] = <uint32_t>(c - m.channels)
        m.n_dirty += 1


cdef inline void wake(Mesh* m, uint32_t channel, int64_t at) noexcept nogil:
    """Look at an output again at `at`, unless it will be looked at before then (and will find out itself)."""
    if m.channels[channel].wake_at > at:
        m.channels[channel].wake_at = at
        wheel_push(&m.wheel, at, channel, NO_PACKET, 0)


cdef inline void touch(Mesh* m, uint32_t channel) noexcept nogil:
    """Look at an output when all arrivals of the window are in."""
    if m.channels[channel].touched != LISTED:
        m.channels[channel].touched = LISTED
        m.listed[m.n_listed] = channel
        m.n_listed += 1


cdef inline int64_t grantable(Channel* o, int64_t claim) noexcept nogil:
    """When an output may be granted to a claim; FOREVER: not before a flit behind it leaves.

    Most flits do not wait, and give their slot back long before its turn comes again. That is not written down, so the
    slots of a channel without contention are never looked at: a sixth of the time on a mesh of 16x16.
    """
    cdef int64_t at = max(claim, o.free_at)
    cdef int32_t k
    if o.held == o.n_slots:
        return FOREVER
    if o.late_at > at:
        k = o.first + o.held
        at = max(at, o.slots[k if k < o.n_slots else k - o.n_slots].at)
    return at


cdef inline void give_back(Channel* c, int64_t arrival, int64_t now) noexcept nogil:
    """The slot of the head, which arrived at `arrival`, can be taken again a credit delay after `now`."""
    if now - arrival > c.slack:
        c.slots[c.first].at = c.late_at = now + c.credit
        c.written = 1
    c.first = c.first + 1 if c.first + 1 < c.n_slots else 0


cdef inline void come_back(Mesh* m, uint32_t channel, int64_t claim) noexcept nogil:
    """Look at an output again when it can be granted to a claim."""
    cdef Channel* o = &m.channels[channel]
    cdef int64_t at = grantable(o, claim)
    if at == FOREVER:
        o.starved = 1
    else:
        wake(m, channel, at)


cdef inline uint32_t onward(Mesh* m, int32_t router, uint32_t packet, uint32_t core, int64_t now) noexcept nogil:
    """The channel by which a packet leaves a router."""
    cdef int32_t there = m.router[core], port, dx, dy
    if there == router:
        return m.eject[core]
    if m.order:                             # a table of 4096 x 4096 ports would miss the cache at every hop
        dx = <int32_t>m.x[there] - m.x[router]
        dy = <int32_t>m.y[there] - m.y[router]
        port = (dx < 0) if dx != 0 and (m.order == 1 or dy == 0) else 2 + (dy < 0)
        return m.out_channel[router * m.n_ports + m.first_link + port]
    if m.choices != NULL:
        return emptiest(m, router, packet, there, now)
    return m.out_channel[router * m.n_ports + m.next_port[router * m.n_routers + there]]


cdef inline uint32_t emptiest(Mesh* m, int32_t router, uint32_t packet, int32_t there, int64_t now) noexcept nogil:
    """Adaptive routing: of the links allowed the one with fewest slots taken, then the lowest port."""
    cdef int32_t source = m.router[m.source_endpoint[m.seeds[packet].source]]
    cdef int64_t row = router * m.n_routers + there
    cdef uint64_t mask
    cdef int32_t taken, least = 0x7FFFFFFF, k
    cdef uint32_t channel, best = 0
    cdef Channel* c
    if m.x[router] == m.x[source]:                              # odd-even has a rule about the source's column
        row += m.n_routers * m.n_routers
    mask = m.choices[row]
    while mask:
        channel = m.out_channel[router * m.n_ports + m.first_link + lowest_bit(mask)]
        mask &= mask - 1
        c = &m.channels[channel]
        taken, k = c.held, c.first                              # slack is -1: the return of every slot is known
        while taken < c.n_slots:                                # the slot that was left last is back last
            k = k - 1 if k else c.n_slots - 1
            if c.slots[k].at <= now:
                break
            taken += 1
        if taken < least:
            least, best = taken, channel
    return best
