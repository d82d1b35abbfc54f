"""How flits get through a router of handshakes: they arrive, claim outputs, are granted one, and leave their FIFO.

The rules are those of reference_mesh.Mesh. All of it is inline; `now` is the time of the step, within the window being
served.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.bits cimport fetch_one, forced_void, lowest_bit
from chipsim.engine.buffers cimport FOLLOWS
from chipsim.engine.detours cimport is_aside, leads_to, turn_aside, watch
from chipsim.engine.mesh cimport ASIDE, EJECT, FCFS, FOREVER, INJECT, MUTEX_TREE, ROUND_ROBIN, Channel, Mesh, Slot, \
    come_back, give_back, grantable, mark, touch, wake
from chipsim.engine.mutex cimport mutex_winner, mutex_won
from chipsim.engine.wheel cimport wheel_push


cdef inline void make(Mesh* m, int64_t endpoint, int64_t now) noexcept nogil:
    """The soma server starts on its next packet.

    What its axon stands for lies anywhere in memory: fetched here and in `enter`, a packet on 1024 cores takes 360 ns
    instead of 540, function included.
    """
    cdef int64_t p = m.next_packet[endpoint]
    fetch_one(&m.axon_core[m.seeds[p].axon])
    m.times.made[p] = m.seeds[p].gap if m.open_loop else now + m.seeds[p].gap
    come_back(m, m.inject[endpoint], m.times.made[p])


cdef inline forced_void arrive(Mesh* m, uint32_t channel, uint32_t packet, uint32_t wants, bint aside, int64_t now,
                               bint trees, bint lossy) noexcept nogil:
    """A flit enters the FIFO behind `channel`; if it is the head it asks for its outputs.

    wants   the output; multicast: the flit's tree node
    aside   it is half way round a blocked link
    """
    cdef Channel* c = &m.channels[channel]
    cdef int32_t at = c.first + c.n_queued
    cdef Slot* s
    if at >= c.n_slots:
        at -= c.n_slots
    s = &c.slots[at]
    s.at, s.packet, s.wants = now, packet, wants
    mark(m, c)
    c.written = 1
    c.n_queued += 1
    if lossy:
        if m.rejoin != NULL:
            s.wants &= ~<uint32_t>ASIDE
            m.aside[s - m.slots] = aside
        if c.head_at == now + c.cycle:                      # one that was dropped at this time was still there
            m.peak[channel] = max(m.peak[channel], c.n_queued + 1)
    if c.n_queued == 1:
        if c.head_at < now:
            c.head_at = now
        request(m, channel, trees, lossy)
        if lossy and m.wait:
            watch(m, channel, c.head_at + m.wait)


cdef inline bint pass_through(Mesh* m, uint32_t channel, uint32_t packet, uint32_t core, uint32_t wanted,
                              int64_t now) noexcept nogil:
    """A flit that finds its FIFO empty and its output idle leaves at once, without queue or arbiter. True: it did.

    What `arrive` and `arbitrate` would come to; most hops of most ticks are of this kind.
    """
    cdef Channel* c = &m.channels[channel]
    cdef Channel* o = &m.channels[wanted]
    if c.n_queued or c.head_at > now or o.requests or grantable(o, now) > now:
        return False
    mark(m, c)
    o.last_port = c.in_port
    if m.mutexes != NULL:
        mutex_won(&m.mutexes[wanted], c.in_port, now + o.cycle)
    give_back(c, now, now)
    part(m, channel, now)
    grant(m, wanted, packet, core, now, False)
    return True


cdef inline forced_void request(Mesh* m, uint32_t channel, bint trees, bint lossy) noexcept nogil:
    """The head of the FIFO behind `channel` puts its claim to every output it wants, which are looked at now."""
    cdef Channel* c = &m.channels[channel]
    cdef uint32_t wanted = c.slots[c.first].wants
    cdef int64_t b
    if not trees or lossy and is_aside(m, c):
        if trees:
            wanted, c.branches = m.rejoin[channel], 1
        m.channels[wanted].requests |= <uint64_t>1 << c.in_port
        touch(m, wanted)
        return
    c.branches = <int32_t>(m.node_start[wanted + 1] - m.node_start[wanted])
    for b in range(m.node_start[wanted], m.node_start[wanted + 1]):
        m.channels[m.branch_channel[b]].requests |= <uint64_t>1 << c.in_port
        touch(m, m.branch_channel[b])


cdef inline forced_void ask(Mesh* m, uint32_t channel, bint trees, bint lossy) noexcept nogil:
    """As `request`, for a head that may only claim from its head_at on: the outputs are woken then."""
    cdef Channel* c = &m.channels[channel]
    cdef uint32_t wanted = c.slots[c.first].wants
    cdef int64_t b
    if lossy and m.wait:
        watch(m, channel, c.head_at + m.wait)
    if not trees or lossy and is_aside(m, c):
        if trees:
            wanted, c.branches = m.rejoin[channel], 1
        m.channels[wanted].requests |= <uint64_t>1 << c.in_port
        come_back(m, wanted, c.head_at)
        return
    c.branches = <int32_t>(m.node_start[wanted + 1] - m.node_start[wanted])
    for b in range(m.node_start[wanted], m.node_start[wanted + 1]):
        m.channels[m.branch_channel[b]].requests |= <uint64_t>1 << c.in_port
        come_back(m, m.branch_channel[b], c.head_at)


cdef inline forced_void arbitrate(Mesh* m, uint32_t channel, int64_t until, bint trees, bint lossy) noexcept nogil:
    """Grant the output if it can be by `until`; otherwise, or if more wait, come back when it can be.

    A window is no longer than any cycle, so it sees one grant of an output at most.
    """
    cdef Channel* c = &m.channels[channel]
    cdef uint64_t claims = c.requests
    cdef const int32_t* fifos
    cdef int64_t at, claim, earliest = FOREVER, others = FOREVER
    cdef int32_t port, rank, best = -1, best_rank = 0
    if c.kind == INJECT:
        if m.next_packet[c.origin] == m.last_packet[c.origin]:
            return
        earliest = m.times.made[m.next_packet[c.origin]]
    elif claims == 0:
        return
    fifos = &m.in_channel[c.origin * m.n_ports]             # of an inject channel: none, and not looked at
    while claims:
        port = lowest_bit(claims)
        claims &= claims - 1
        claim = m.channels[fifos[port]].head_at
        rank = port - c.last_port - 1
        if rank < 0:
            rank += m.n_ports
        if claim < earliest or (claim == earliest and rank < best_rank):
            others, earliest, best, best_rank = earliest, claim, port, rank
        else:
            others = min(others, claim)
    at = grantable(c, earliest)
    if at == FOREVER:
        c.starved = 1
    elif at > until:
        wake(m, channel, at)
    elif c.kind == INJECT:
        enter(m, channel, at)
    else:
        if m.policy != FCFS and others <= at:
            port = preferred(m, channel, fifos, at)
            if port != best:
                best, others = port, earliest
        c.requests &= ~(<uint64_t>1 << best)
        c.last_port = best
        if m.mutexes != NULL:
            mutex_won(&m.mutexes[channel], best, at + c.cycle)
        hand_over(m, fifos[best], channel, at, trees, lossy)
        if others != FOREVER:
            come_back(m, channel, others)


cdef inline int32_t preferred(Mesh* m, uint32_t channel, const int32_t* fifos, int64_t now) noexcept nogil:
    """The port that wins of several whose claims stand: the next, the one whose packet is oldest, or by mutexes."""
    cdef Channel* c = &m.channels[channel]
    cdef Channel* source
    cdef uint64_t requests = c.requests, standing = 0
    cdef int64_t made = 0, best_made = FOREVER
    cdef int64_t claims[64]
    cdef int32_t port, rank, best = -1, best_rank = 0
    while requests:
        port = lowest_bit(requests)
        requests &= requests - 1
        source = &m.channels[fifos[port]]
        if source.head_at > now:
            continue
        standing |= <uint64_t>1 << port
        claims[port] = source.head_at
        rank = port - c.last_port - 1
        if rank < 0:
            rank += m.n_ports
        if m.policy != ROUND_ROBIN:
            made = m.times.made[source.slots[source.first].packet]
        if made < best_made or (made == best_made and rank < best_rank):
            best_made, best, best_rank = made, port, rank
    return mutex_winner(&m.mutexes[channel], standing, claims) if m.policy == MUTEX_TREE else best


cdef inline forced_void hand_over(Mesh* m, uint32_t fifo, uint32_t channel, int64_t now, bint trees,
                                  bint lossy) noexcept nogil:
    """The head of a FIFO goes out over a channel."""
    cdef Channel* source = &m.channels[fifo]
    cdef Slot* head = &source.slots[source.first]
    cdef uint32_t packet = head.packet
    cdef int64_t child
    if trees:
        source.branches -= 1
        child = leads_to(m, source, channel, lossy)
    else:
        child = m.axon_core[m.seeds[packet].axon] if m.channels[channel].kind != EJECT else 0
        if lossy and source.turned and channel != head.wants:
            child |= ASIDE
    if lossy and m.rejoin != NULL and child >= 0 and child & ASIDE:
        turn_aside(m, source, packet, channel, trees)
    grant(m, channel, packet, child, now, trees)
    if not trees:
        leave(m, fifo, now, trees, lossy)
        return
    source.gone = max(source.gone, now)
    if source.branches == 0:
        leave(m, fifo, source.gone, trees, lossy)


cdef inline void enter(Mesh* m, uint32_t channel, int64_t now) noexcept nogil:
    """The packet an endpoint waits to send goes into the fabric; the soma server starts on the next."""
    cdef int64_t endpoint = m.channels[channel].origin
    cdef int64_t p = m.next_packet[endpoint], last = m.last_packet[endpoint], k = p + 1
    fetch_one(&m.seeds[p + 8])
    fetch_one(&m.axon_core[m.seeds[min(p + 3, last - 1)].axon])
    fetch_one(&m.service_ps[m.seeds[p].axon])               # for the other end
    m.times.entered[p] = now
    while k < last and m.seeds[k].gap == FOLLOWS:
        m.times.made[k], m.times.entered[k] = m.times.made[p], now
        k += 1
    m.next_packet[endpoint] = k
    m.entry[endpoint] = now
    grant(m, channel, <uint32_t>p, m.axon_core[m.seeds[p].axon] if m.root == NULL else m.root[m.seeds[p].source], now,
          False)
    if k < last:
        make(m, endpoint, now)


cdef inline forced_void grant(Mesh* m, uint32_t channel, uint32_t packet, int64_t child, int64_t now,
                              bint trees) noexcept nogil:
    """Send a packet over a channel, for core `child`; multicast: to tree node `child`, or delivery -1 - child."""
    cdef Channel* c = &m.channels[channel]
    c.free_at = now + c.cycle
    c.flits += 1
    if c.kind != EJECT:
        c.held += 1
        wheel_push(&m.wheel, now + c.latency, channel, packet, <uint32_t>child)
    else:
        mark(m, c)
        take(m, c, <int64_t>packet - 1 - child if trees else packet, now + c.latency)


cdef inline void take(Mesh* m, Channel* c, int64_t delivery, int64_t arrival) noexcept nogil:
    """A packet comes to its core, whose synapse server starts on it when it is done with those before."""
    cdef int64_t started = max(arrival, c.head_at)
    cdef int32_t inside = 0, k = c.first
    c.queued_ps += started - arrival
    if c.head_at >= arrival:                                # others may still wait: how many are not started yet
        c.slots[k].at = c.late_at = started + c.credit
        c.written = 1
        while inside < c.n_slots and c.slots[k].at - c.credit >= arrival:
            k = k - 1 if k else c.n_slots - 1
            inside += 1
        m.peak[c - m.channels] = max(m.peak[c - m.channels], inside)
        c.first = c.first + 1 if c.first + 1 < c.n_slots else 0
    else:
        give_back(c, arrival, started)
    m.times.arrived[delivery] = arrival
    m.times.started[delivery] = started
    m.times.done[delivery] = c.head_at = started + m.service_ps[m.seeds[delivery].axon]


cdef inline forced_void part(Mesh* m, uint32_t channel, int64_t now) noexcept nogil:
    """The head of the FIFO behind `channel` is gone: its slot is counted, and waited for."""
    cdef Channel* c = &m.channels[channel]
    c.held -= 1
    c.head_at = now + c.cycle
    if c.starved:
        c.starved = 0
        wake(m, channel, now + c.credit)


cdef inline forced_void leave(Mesh* m, uint32_t channel, int64_t now, bint trees, bint lossy) noexcept nogil:
    """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
    cdef Channel* c = &m.channels[channel]
    cdef int32_t last
    c.queued_ps += now - c.slots[c.first].at
    if c.n_queued > 1:                                      # it is fullest when one leaves
        last = c.first + c.n_queued - 1
        if last >= c.n_slots:
            last -= c.n_slots
        last = c.n_queued - (c.slots[last].at > now)        # the last may come later in this window
        if last > m.peak[channel]:
            m.peak[channel] = last
    give_back(c, c.slots[c.first].at, now)
    c.n_queued -= 1
    c.turned = 0
    part(m, channel, now)
    if c.n_queued:
        c.head_at = max(c.head_at, c.slots[c.first].at)
        ask(m, channel, trees, lossy)
