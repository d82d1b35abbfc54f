"""Flits come and go: what enters a FIFO, claims the outputs on its way, and leaves; what synapse servers take."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.wheel cimport wheel_push
from chipsim.engine.worms cimport (
    CHANNEL, EJECT, HEAD, NOBODY, SERVE, TAIL, VC_BIT, Fifo, Output, Sink, Slot, Way, Worms, crowd_of, give_back,
    goes_y_first, home_of, look, size_of, slot_at, touch, wake)


cdef inline void arrive(Worms* m, uint32_t event, uint32_t packet, uint32_t leads, int64_t now) noexcept nogil:
    """A flit enters its FIFO; a head learns its way, and what is in front claims it."""
    cdef int32_t vc = event >> VC_BIT & 7, w
    cdef Output* o = &m.outputs[event & CHANNEL]
    cdef Fifo* f = &m.fifos[(event & CHANNEL) * m.vcs + vc]
    cdef Slot* slot = slot_at(f, f.n_queued)
    slot.arrival, slot.packet, slot.leads = now, packet, leads
    f.n_queued += 1
    o.inside += 1
    if o.inside > o.peak:
        o.peak = o.inside
    if o.kind == EJECT:
        slot.leads = event & TAIL
        if event & HEAD:
            line_up(&m.sinks[o.endpoint], vc)
        look(m, f.channel)
    elif event & HEAD:
        if m.root == NULL:
            slot.leads = onward(m, o.to_router, packet, m.xy_yx and goes_y_first(m, f, packet), now)
        if f.packet == NOBODY:
            begin(m, f, now)
    elif f.packet == packet:
        for w in range(f.n_ways):
            if f.ways[w].sent == f.left + f.n_queued - 1:
                request(m, f, &f.ways[w], now, now)


cdef inline void line_up(Sink* sink, int32_t vc) noexcept nogil:
    """A packet's head has come to a core."""
    cdef int32_t at = sink.first + sink.n_waiting
    sink.order[at - sink.size if at >= sink.size else at] = <uint8_t>vc
    sink.n_waiting += 1


cdef inline uint32_t onward(Worms* m, int32_t router, uint32_t packet, bint y_first, int64_t now) noexcept nogil:
    """The channel by which a packet leaves a router; adaptive: of those allowed the one with fewest slots taken."""
    cdef int32_t core = m.axon_core[m.seeds[packet].axon], there = m.router[core]
    cdef int64_t row
    cdef uint8_t port
    cdef int32_t held, least = 0x7FFFFFFF, channel, best = -1
    cdef uint64_t mask
    if there == router:
        return m.eject[core]
    if m.order:                                             # from coordinates, see handshake.pxd
        if m.x[router] != m.x[there] and (m.order == 1 or m.y[router] == m.y[there]):
            port = 0 if m.x[router] < m.x[there] else 1
        else:
            port = 2 if m.y[router] < m.y[there] else 3
        return m.out_channel[router * m.n_ports + m.first_link + port]
    if y_first and m.y[router] != m.y[there]:
        return m.out_channel[router * m.n_ports + m.first_link + (2 if m.y[router] < m.y[there] else 3)]
    row = router * m.n_routers + there
    if m.choices == NULL or m.escape_vcs:
        return m.out_channel[router * m.n_ports + m.next_port[row]]
    mask = m.choices[row]
    if m.x[router] == m.x[home_of(m, packet)]:
        mask = m.choices[m.n_routers * m.n_routers + row]
    while mask:
        channel = m.out_channel[router * m.n_ports + m.first_link + lowest_bit(mask)]
        mask &= mask - 1
        held = crowd_of(m, channel, now)
        if held < least:
            least, best = held, channel
    return best


cdef inline void begin(Worms* m, Fifo* f, int64_t now) noexcept nogil:
    """A packet comes to the front of its FIFO, and claims its outputs."""
    cdef Slot* slot = slot_at(f, 0)
    cdef Way* way = f.ways
    cdef int64_t b
    f.packet, f.left, f.n_ways = slot.packet, 0, 1
    if m.escape_vcs and m.outputs[slot.leads].kind != EJECT:
        choose_later(m, f, now)
        return
    if m.root == NULL:
        way.ready_at, way.channel, way.leads, way.sent, way.vc = f.ready_at, slot.leads, -1, 0, -1
        way.y_first = m.xy_yx and goes_y_first(m, f, slot.packet)
        request(m, f, way, slot.arrival, now)
        return
    f.n_ways = <int32_t>(m.node_start[slot.leads + 1] - m.node_start[slot.leads])
    for b in range(m.node_start[slot.leads], m.node_start[slot.leads + 1]):
        way.ready_at, way.channel, way.sent, way.vc = f.ready_at, m.branch_channel[b], 0, -1
        way.leads = <int32_t>m.branch_child[b]
        request(m, f, way, slot.arrival, now)
        way += 1


cdef inline void choose_later(Worms* m, Fifo* f, int64_t now) noexcept nogil:
    """Claim every output on a shortest way; `leads` of the head is the one in dimension order."""
    cdef Slot* slot = slot_at(f, 0)
    cdef int64_t router = m.outputs[f.channel].to_router
    cdef uint64_t mask = m.choices[router * m.n_routers + m.router[m.axon_core[m.seeds[slot.packet].axon]]]
    cdef Way* way = f.ways
    f.n_ways = 0
    while mask:
        way.ready_at, way.leads, way.sent, way.vc = f.ready_at, -1, 0, -1
        way.channel = m.out_channel[router * m.n_ports + m.first_link + lowest_bit(mask)]
        way.escape = way.channel == <int32_t>slot.leads
        mask &= mask - 1
        f.n_ways += 1
        request(m, f, way, slot.arrival, now)
        way += 1


cdef inline void request(Worms* m, Fifo* f, Way* way, int64_t arrival, int64_t now) noexcept nogil:
    """A flit that came to a FIFO at `arrival` puts its claim to the next output on its way."""
    cdef Output* o = &m.outputs[way.channel]
    cdef int64_t since = max(arrival, way.ready_at)
    o.requests |= <uint64_t>1 << f.input
    if since <= now:
        touch(m, way.channel)
    else:
        wake(m, way.channel, max(since, o.free_at))


cdef inline Slot* next_flit(Fifo* f, Way* way) noexcept nogil:
    """What goes next by a way of the packet in front of a FIFO, NULL while it has not come."""
    cdef Slot* slot
    if way.sent - f.left >= f.n_queued:
        return NULL
    slot = slot_at(f, way.sent - f.left)
    return slot if slot.packet == f.packet else NULL


cdef inline void leave(Worms* m, Fifo* f, int64_t now) noexcept nogil:
    """Take the first flit out of a FIFO, give its slot back; behind a tail the next packet begins."""
    cdef Output* o = &m.outputs[f.channel]
    o.queued_ps += now - f.slots[f.first].arrival
    o.inside -= 1
    f.first = f.first + 1 if f.first + 1 < f.n_slots else 0
    f.n_queued -= 1
    give_back(f, now + o.credit)
    if o.starved:
        o.starved = 0
        wake(m, f.channel, now + o.credit)
    if o.kind == EJECT:
        return
    f.left += 1
    if f.left == size_of(m, f.packet):
        f.packet, f.n_ways, f.ready_at = NOBODY, 0, now + o.cycle
        if f.n_queued:
            begin(m, f, now)


cdef inline void serve(Worms* m, uint32_t channel, int64_t now) noexcept nogil:
    """The synapse server behind an eject channel takes what there is."""
    cdef Sink* sink = &m.sinks[m.outputs[channel].endpoint]
    cdef Fifo* f
    cdef Slot* slot
    cdef uint32_t d
    while True:
        if sink.vc < 0:
            if sink.n_waiting == 0:
                return
            if sink.busy_until > now:
                if sink.wake_at != sink.busy_until:
                    sink.wake_at = sink.busy_until
                    wheel_push(&m.wheel, sink.busy_until, channel, SERVE, 0)
                return
            sink.vc = sink.order[sink.first]
            sink.first = sink.first + 1 if sink.first + 1 < sink.size else 0
            sink.n_waiting -= 1
        f = &m.fifos[channel * m.vcs + sink.vc]
        while sink.vc >= 0:
            if f.n_queued == 0:
                return
            slot = slot_at(f, 0)
            if slot.leads:                                  # the tail
                d = slot.packet
                m.times.arrived[d], m.times.started[d] = slot.arrival, now
                sink.busy_until = now + m.service_ps[m.seeds[d].axon]
                m.times.done[d], sink.vc = sink.busy_until, -1
            leave(m, f, now)
