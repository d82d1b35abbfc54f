"""Who goes next over a channel, and in which virtual channel."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.buffers cimport FOLLOWS
from chipsim.engine.mutex cimport mutex_winner, mutex_won
from chipsim.engine.wheel cimport wheel_push
from chipsim.engine.worm_fifos cimport leave, next_flit, request
from chipsim.engine.worms cimport (
    EJECT, FOREVER, HEAD, INJECT, OLDEST, ROUND_ROBIN, TAIL, VC_BIT, Fifo, Output, Slot, Source, Way, Worms, home_of,
    mark, size_of, slots_taken, wake)


cdef inline void arbitrate(Worms* m, uint32_t channel, int64_t now) noexcept nogil:
    """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
    cdef Output* o = &m.outputs[channel]
    cdef uint64_t unseen = o.requests, standing = 0
    cdef int64_t since[64]
    cdef int32_t vc[64]
    cdef int64_t claim, best_claim = FOREVER, others = FOREVER
    cdef int32_t i, rank, best_rank = 0, best = -1
    cdef bint blocked = False
    cdef Fifo* f
    cdef Way* way
    if o.kind == INJECT:
        enter(m, channel, now)
        return
    if unseen and o.free_at > now:
        wake(m, channel, o.free_at)
        return
    while unseen:
        i = lowest_bit(unseen)
        unseen &= unseen - 1
        f = fifo_at(m, o, i)
        way = way_to(f, channel)
        since[i] = max(next_flit(f, way).arrival, way.ready_at)
        if since[i] > now:                                  # not a claim yet
            others = min(others, since[i])
            continue
        vc[i] = vc_for(m, channel, f.packet, way, now)
        if vc[i] < 0:
            blocked = True
            continue
        standing |= <uint64_t>1 << i
        rank = i - o.last_input - 1
        if rank < 0:
            rank += m.n_inputs
        claim = since[i] if m.policy != ROUND_ROBIN else 0
        if m.policy == OLDEST:
            claim = m.times.made[f.packet]
        if claim < best_claim or (claim == best_claim and rank < best_rank):
            best_claim, best_rank, best = claim, rank, i
    if best < 0:
        if blocked:
            others = min(others, next_credit(m, channel, now))
        if others != FOREVER:
            wake(m, channel, others)
        return
    if m.mutexes != NULL:
        best = mutex_winner(&m.mutexes[channel], standing, since)
        mutex_won(&m.mutexes[channel], best, now + o.cycle)
    o.last_input = best
    if blocked or standing & (standing - 1):
        others = now
    f = fifo_at(m, o, best)
    way = way_to(f, channel)
    send(m, channel, f.packet, way.leads, way.sent, vc[best], now)
    way.vc, way.sent, way.ready_at = vc[best], way.sent + 1, now + m.outputs[f.channel].cycle
    if m.escape_vcs and f.n_ways > 1:
        way = decide(m, f, way)
    go_on(m, f, way, now)
    if others != FOREVER:
        wake(m, channel, max(o.free_at, others))


cdef inline Fifo* fifo_at(Worms* m, Output* o, int32_t i) noexcept nogil:
    """The FIFO of input i of the router before an output."""
    return &m.fifos[m.fifo_of[o.from_router * m.n_inputs + i]]


cdef inline Way* way_to(Fifo* f, uint32_t channel) noexcept nogil:
    """The way by which the packet in front of a FIFO takes an output."""
    cdef Way* way = f.ways
    while way.channel != <int32_t>channel:
        way += 1
    return way


cdef inline Way* decide(Worms* m, Fifo* f, Way* way) noexcept nogil:
    """A head that claimed several outputs goes by one; the claims on the others end."""
    cdef int32_t w
    for w in range(f.n_ways):
        if &f.ways[w] != way:
            m.outputs[f.ways[w].channel].requests &= ~(<uint64_t>1 << f.input)
    f.ways[0], f.n_ways = way[0], 1
    return f.ways


cdef inline int32_t vc_for(Worms* m, uint32_t channel, uint32_t packet, Way* way, int64_t now) noexcept nogil:
    """The VC by which a packet's next flit could cross a channel on its way, -1 if there is none."""
    cdef Fifo* f = &m.fifos[channel * m.vcs]
    cdef int32_t first = 0, end = m.vcs, v, taken, least = f.n_slots, best = -1
    cdef bint link = m.outputs[channel].endpoint < 0, past
    if way.vc >= 0:
        return way.vc if slots_taken(&f[way.vc], now) < f.n_slots else -1
    past = link and m.dateline and past_dateline(m, channel, packet)
    if link and m.escape_vcs:
        first = m.escape_vcs
        if size_of(m, packet) > 1:
            least = 1                                       # the FIFO has to be empty
    elif link and m.xy_yx and way.y_first:
        first = m.vcs // 2
    elif link and m.xy_yx:
        end = m.vcs // 2
    elif past:
        first = m.vcs - m.vcs // 2
    elif link and m.dateline:
        end = m.vcs - m.vcs // 2
    for v in range(first, end):
        if f[v].taken:
            continue
        taken = slots_taken(&f[v], now)
        if taken < least:
            least, best = taken, v
    if link and m.escape_vcs and way.escape and not f[past].taken and slots_taken(&f[past], now) < least:
        best = past
    return best


cdef inline bint past_dateline(Worms* m, uint32_t channel, uint32_t packet) noexcept nogil:
    """See routing.past_dateline."""
    cdef int64_t port = m.out_port[channel] - m.first_link, home = home_of(m, packet)
    cdef int64_t router = m.outputs[channel].from_router
    cdef const int32_t* at = m.y if port >> 1 == 1 else m.x
    if port & 1:
        return at[router] > at[home] or at[router] == 0
    return at[router] < at[home] or at[router] == (m.rows if port >> 1 == 1 else m.columns) - 1


cdef inline int64_t next_credit(Worms* m, uint32_t channel, int64_t now) noexcept nogil:
    """When the next slot of any VC comes back; an output that waits for those not known yet is woken by them."""
    cdef int64_t q, at = FOREVER
    m.outputs[channel].starved = 1
    for q in range(channel * m.vcs, (channel + 1) * m.vcs):
        slots_taken(&m.fifos[q], now)
        if m.fifos[q].n_credits:
            at = min(at, m.fifos[q].credits[m.fifos[q].credit_first])
    return at


cdef inline void send(Worms* m, uint32_t channel, uint32_t packet, int32_t leads, int32_t number, int32_t vc,
                      int64_t now) noexcept nogil:
    """Put a flit on a channel; the VC is the packet's from its head's grant to its tail's."""
    cdef Output* o = &m.outputs[channel]
    cdef Fifo* f = &m.fifos[channel * m.vcs + vc]
    cdef bint tail = number + 1 == size_of(m, packet)
    cdef uint32_t event = channel | <uint32_t>vc << VC_BIT | (TAIL if tail else 0) | (0 if number else HEAD)
    f.taken = not tail
    f.held += 1
    o.flits += 1
    o.free_at = now + o.cycle
    o.last_arrival = max(now + (o.body_latency if number else o.latency), o.last_arrival + o.cycle)
    mark(m, channel)
    if o.kind == EJECT and m.root != NULL:
        packet += -1 - leads
    wheel_push(&m.wheel, o.last_arrival, event, packet, <uint32_t>leads)


cdef inline void go_on(Worms* m, Fifo* f, Way* way, int64_t now) noexcept nogil:
    """A flit of the packet in front of a FIFO has been sent by a way: claim for the next, and out with what is done."""
    cdef Slot* following = next_flit(f, way)
    cdef int32_t least = way.sent, w
    m.outputs[way.channel].requests &= ~(<uint64_t>1 << f.input)
    if following != NULL:
        request(m, f, way, following.arrival, now)
    for w in range(f.n_ways):
        least = min(least, f.ways[w].sent)
    for _ in range(least - f.left):
        leave(m, f, now)


cdef inline void enter(Worms* m, uint32_t channel, int64_t now) noexcept nogil:
    """An endpoint's next flit goes into the fabric; with a head's grant the soma server starts on the next packet."""
    cdef Output* o = &m.outputs[channel]
    cdef Source* s = &m.sources[o.endpoint]
    cdef int64_t at
    cdef int32_t vc, leads = -1
    cdef Way way
    if s.packet == s.last:
        return
    at = max(o.free_at, m.times.made[s.packet])
    if at > now:
        wake(m, channel, at)
        return
    way.vc, way.escape, way.y_first = s.vc, False, False
    vc = vc_for(m, channel, <uint32_t>s.packet, &way, now)
    if vc < 0:
        at = next_credit(m, channel, now)
        if at != FOREVER:
            wake(m, channel, at)
        return
    if m.root != NULL:
        leads = <int32_t>m.root[m.seeds[s.packet].source]
    send(m, channel, <uint32_t>s.packet, leads, s.sent, vc, now)
    if s.sent == 0:
        s.entry = m.times.entered[s.packet] = now
        s.following = s.packet + 1
        while s.following < s.last and m.seeds[s.following].gap == FOLLOWS:
            m.times.made[s.following], m.times.entered[s.following] = m.times.made[s.packet], now
            s.following += 1
        if s.following < s.last:
            make(m, s.following, now)
    s.vc, s.sent = vc, s.sent + 1
    if s.sent == size_of(m, <uint32_t>s.packet):
        s.packet, s.sent, s.vc = s.following, 0, -1
    if s.packet != s.last:
        wake(m, channel, o.free_at)


cdef inline void make(Worms* m, int64_t packet, int64_t now) noexcept nogil:
    """The soma server starts on a packet."""
    m.times.made[packet] = m.seeds[packet].gap if m.open_loop else now + m.seeds[packet].gap
