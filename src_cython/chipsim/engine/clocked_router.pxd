"""One clocked router, one cycle: the compiled twin of reference_router.py, which says what each step means.

A router is looked at only in cycles in which a request of its could succeed (a flit or a credit came, or work is left
over). Exact, because an allocator's pointers move only when something is asked for and granted.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.allocators cimport WIDTH, Requests, after, ask, match, moved
from chipsim.engine.bits cimport flat_void, forced_void, lowest_bit
from chipsim.engine.clocked_queues cimport cross, cross_over, message, seal, write
from chipsim.engine.clocked_routes cimport begin, bit, branch
from chipsim.engine.clocked_state cimport (
    ACTIVE, IDLE, TAIL, WAITING, Flit, Masks, Routers, pairs, push_credit, push_flit)

cdef enum:
    SPECULATIVE = 62            # bit of the rank of requests that may come to nothing


# ---- VC allocation ----

cdef inline uint32_t head(Routers* f, int64_t r, uint8_t* b, int64_t iv) noexcept nogil:
    """Packet at the head of an input VC."""
    return f.queues[(r * f.pv + iv) * f.depth + pairs(b)[iv].head].packet


cdef inline void give_vc(Routers* f, uint8_t* b, int64_t iv, int64_t ov) noexcept nogil:
    cdef Masks* m = <Masks*>b
    m.free_out &= ~bit(ov)
    m.waiting &= ~bit(iv)
    pairs(b)[iv].port, pairs(b)[iv].vc = f.input_of[ov], f.vc_of[ov]
    pairs(b)[iv].state = ACTIVE


cdef inline uint64_t allocate_vcs(Routers* f, int64_t r, uint8_t* b, bint plain) noexcept nogil:
    """Input VCs that get an output VC."""
    cdef Masks* m = <Masks*>b
    cdef Requests* q = &f.requests
    cdef uint8_t won[WIDTH]
    cdef uint64_t bits = m.waiting, outputs, matched
    cdef int64_t iv, ov
    if bits & (bits - 1) == 0 and (plain or f.quick):              # one request, the common case: no allocator
        iv = lowest_bit(bits)
        outputs = pairs(b)[iv].wants & m.free_out
        if outputs == 0:
            return 0
        ov = after(outputs, b[f.at.accept + iv])
        moved(&f.vc_allocator, b + f.at.grant, b + f.at.accept, iv, ov)
        give_vc(f, b, iv, ov)
        return bits
    q.inputs = q.outputs = 0
    q.ranked = not plain and (f.by_age or f.min_adaptive)
    while bits:
        iv = lowest_bit(bits)
        bits &= bits - 1
        outputs = pairs(b)[iv].wants & m.free_out
        if outputs:
            ask(q, iv, outputs)
        while q.ranked and outputs:
            ov = lowest_bit(outputs)
            outputs &= outputs - 1
            q.rank[iv * WIDTH + ov] = 2 * f.age[head(f, r, b, iv)] if f.by_age else 0
            if f.min_adaptive and f.vc_of[ov] == 0 and 0 <= f.input_of[ov] - f.first_link < 4:
                q.rank[iv * WIDTH + ov] += 1            # the escape
    if q.inputs == 0:
        return 0
    matched = match(&f.vc_allocator, q, b + f.at.grant, b + f.at.accept, b + f.at.diagonals, won, plain)
    bits = matched
    while bits:
        iv = lowest_bit(bits)
        bits &= bits - 1
        give_vc(f, b, iv, won[iv])
    return matched


# ---- a flit leaves ----

cdef inline void hold(Routers* f, uint8_t* b, int64_t iv, bint on) noexcept nogil:
    """Join an input VC's port into the switch to its output's, or part them."""
    cdef Masks* m = <Masks*>b
    cdef int64_t a = f.into_switch[iv], out = pairs(b)[iv].port * f.out_speed + f.lane[iv]
    if on:
        m.held |= bit(a)
        m.joined |= bit(out)
        b[f.at.held_vc + a] = <uint8_t>iv
    else:
        m.held &= ~bit(a)
        m.joined &= ~bit(out)


cdef inline int give_slot(Routers* f, int64_t now, int64_t r, uint8_t* b, int64_t iv, bint plain) noexcept nogil:
    """The flit at the head of an input VC is gone, and its sender may know."""
    cdef int64_t h = pairs(b)[iv].head, channel = f.into[r * f.n_ports + f.input_of[iv]]
    pairs(b)[iv].head = <uint8_t>(h + 1 if h + 1 < f.depth else 0)
    pairs(b)[iv].count -= 1
    f.channels[channel].queued += now
    f.channels[channel].inside -= 1
    if not plain and f.queued:
        message(f, r, f.input_of[iv], f.vc_of[iv])
        return 0
    return push_credit(f, now, channel, f.vc_of[iv])


cdef inline forced_void passed(Routers* f, int64_t r, uint8_t* b, int64_t iv, int ends, int64_t left,
                               bint plain) noexcept nogil:
    """A flit has gone to the output VC that an input VC holds; `left`: flits that it can send after it."""
    cdef Masks* m = <Masks*>b
    cdef int64_t o = pairs(b)[iv].port, ov = o * f.vcs + pairs(b)[iv].vc
    cdef Flit* flit
    f.flit_hops += 1
    pairs(b)[ov].used += 1
    if pairs(b)[ov].used >= f.channels[f.out_of[r * f.n_ports + o]].slots:
        m.credit_out &= ~bit(ov)
    if not plain and f.by_packet:
        hold(f, b, iv, ends & TAIL == 0 and left > 0)
    if ends & TAIL:
        if f.when_empty:
            m.draining |= bit(ov)
        else:
            m.free_out |= bit(ov)
        m.asking &= ~bit(iv)
        pairs(b)[iv].state = IDLE
        if pairs(b)[iv].count:
            flit = &f.queues[(r * f.pv + iv) * f.depth + pairs(b)[iv].head]
            begin(f, r, b, iv, flit.packet, flit.to, plain)
    elif left == 0:
        m.asking &= ~bit(iv)


cdef inline int send_copy(Routers* f, int64_t now, int64_t r, uint8_t* b, int64_t iv) noexcept nogil:
    """As `send`: a flit of the next copy leaves, and its slot is free when no further copy needs it."""
    cdef int64_t o = pairs(b)[iv].port, v = pairs(b)[iv].vc, channel = f.out_of[r * f.n_ports + o]
    cdef int64_t h = pairs(b)[iv].head + b[f.at.copied + iv]
    cdef Flit* flit = &f.queues[(r * f.pv + iv) * f.depth + (h if h < f.depth else h - f.depth)]
    cdef int64_t place = branch(f, b, iv, flit.to), child = f.branch_child[place]
    cdef bint last = place + 1 == f.node_start[flit.to + 1]
    cdef uint32_t packet = flit.packet if child >= 0 else flit.packet + <uint32_t>(-1 - child)  # deliveries follow it
    cdef uint32_t to = <uint32_t>child if child >= 0 else 0
    cdef int ends = flit.ends
    if f.queued:
        cross(f, r, flit, packet, to, o, v)
    elif push_flit(f, now + 1 + f.traversal + f.channels[channel].hop_cycles, packet, to, channel, v, ends):
        return -1
    if not last:
        b[f.at.copied + iv] += 1
    elif give_slot(f, now, r, b, iv, False):
        return -1
    h = pairs(b)[iv].count - b[f.at.copied + iv]
    if ends & TAIL:
        b[f.at.branch + iv], b[f.at.copied + iv] = 0 if last else <uint8_t>(b[f.at.branch + iv] + 1), 0
    passed(f, r, b, iv, ends, h, False)
    return 0


cdef inline int send(Routers* f, int64_t now, int64_t r, uint8_t* b, int64_t iv, bint plain) noexcept nogil:
    """The flit at the head of an input VC leaves. -1: no memory."""
    cdef int64_t o = pairs(b)[iv].port, v = pairs(b)[iv].vc, h = pairs(b)[iv].head
    cdef int64_t channel = f.out_of[r * f.n_ports + o]
    cdef Flit* flit = &f.queues[(r * f.pv + iv) * f.depth + h]
    cdef int ends = flit.ends
    if not plain and f.multicast:
        return send_copy(f, now, r, b, iv)
    if not plain and f.queued:
        cross(f, r, flit, flit.packet, flit.to, o, v)
    elif push_flit(f, now + 1 + f.traversal + f.channels[channel].hop_cycles, flit.packet, flit.to, channel, v, ends):
        return -1
    if give_slot(f, now, r, b, iv, plain):
        return -1
    passed(f, r, b, iv, ends, pairs(b)[iv].count, plain)
    return 0


# ---- switch allocation ----

cdef inline bint may_send(Routers* f, int64_t r, uint8_t* b, int64_t o, int64_t ov, bint plain) noexcept nogil:
    """There is a credit for an output VC, and room in its output's queue."""
    return (<Masks*>b).credit_out >> ov & 1 and (plain or f.output_queue == 0
                                                 or f.output[r * f.n_ports + o].n < f.output_queue)


cdef inline int one_request(Routers* f, int64_t now, int64_t r, uint8_t* b, uint64_t asking,
                            bint plain) noexcept nogil:
    """The switch when a single input VC asks for it."""
    cdef int64_t iv = lowest_bit(asking), o = pairs(b)[iv].port, i = f.input_of[iv], v = f.vc_of[iv]
    if not (<Masks*>b).credit_out >> (o * f.vcs + pairs(b)[iv].vc) & 1:
        return 0
    moved(&f.switch_allocator, b + f.at.switch_grant, b + f.at.switch_accept, i, o)
    b[f.at.first + i] = <uint8_t>(v + 1 if v + 1 < f.vcs else 0)
    return send(f, now, r, b, iv, plain)


cdef inline void put_forward(Routers* f, int64_t r, uint8_t* b, int64_t iv, int64_t o, int64_t rank, uint64_t held,
                             uint64_t joined, bint plain) noexcept nogil:
    """An input VC asks for an output, unless one that shares its port into the switch goes before it."""
    cdef Requests* q = &f.requests
    cdef int64_t a = f.input_of[iv] if plain else f.into_switch[iv]
    cdef int64_t out = o if plain else o * f.out_speed + f.lane[iv]
    cdef int64_t place = a * WIDTH + out, mine, theirs
    if held >> a & 1 or joined >> out & 1:
        return
    if not plain and f.by_age:
        rank += 2 * f.age[head(f, r, b, iv)]
    if q.inputs >> a & 1 and q.row[a] >> out & 1:
        mine = f.vc_of[iv] - b[f.at.first + a]
        theirs = f.vc_of[f.forward[place]] - b[f.at.first + a]
        mine += f.vcs if mine < 0 else 0
        theirs += f.vcs if theirs < 0 else 0
        if q.ranked and rank != q.rank[place]:
            if rank > q.rank[place]:
                return
        elif mine > theirs:
            return
    else:
        ask(q, a, bit(out))
    f.forward[place] = <uint8_t>iv
    if q.ranked:
        q.rank[place] = rank


cdef inline int allocate_switch(Routers* f, int64_t now, int64_t r, uint8_t* b, uint64_t asking, uint64_t hoping,
                                uint64_t free_out, uint64_t held, uint64_t joined,
                                bint plain) noexcept nogil:
    """Give the switch to input VCs in `asking`, and to those in `hoping`, which asked for a VC of `free_out` just now.

    held, joined: ports into and out of the switch that are taken
    """
    cdef Masks* m = <Masks*>b
    cdef Requests* q = &f.requests
    cdef uint8_t won[WIDTH]
    cdef uint64_t matched, outputs
    cdef uint64_t vcs = bit(f.vcs) - 1
    cdef int64_t iv, o, a
    q.inputs = q.outputs = 0
    q.ranked = not plain and (f.by_age or f.speculative)
    while asking:
        iv = lowest_bit(asking)
        asking &= asking - 1
        o = pairs(b)[iv].port
        if may_send(f, r, b, o, o * f.vcs + pairs(b)[iv].vc, plain):
            put_forward(f, r, b, iv, o, 0, held, joined, plain)
    asking = hoping
    while asking:
        iv = lowest_bit(asking)
        asking &= asking - 1
        outputs = pairs(b)[iv].wants & free_out & m.credit_out
        while outputs:
            o = f.input_of[lowest_bit(outputs)]
            if may_send(f, r, b, o, lowest_bit(outputs), plain):
                put_forward(f, r, b, iv, o, <int64_t>1 << SPECULATIVE, held, joined, plain)
            outputs &= ~(vcs << (o * f.vcs))
    if q.inputs == 0:
        return 0
    matched = match(&f.switch_allocator, q, b + f.at.switch_grant, b + f.at.switch_accept, b + f.at.diagonals + 1, won,
                    plain)
    while matched:
        a = lowest_bit(matched)
        matched &= matched - 1
        iv = f.forward[a * WIDTH + won[a]]
        o = f.vc_of[iv] + (1 if plain else f.in_speed)
        while o >= f.vcs:                               # rarely twice: no division
            o -= f.vcs
        b[f.at.first + a] = <uint8_t>o
        if hoping >> iv & 1:
            o = pairs(b)[iv].port
            if m.waiting >> iv & 1 or o != won[a] // f.out_speed \
                    or not m.credit_out >> (o * f.vcs + pairs(b)[iv].vc) & 1:
                continue                                # the speculation failed
        if send(f, now, r, b, iv, plain):
            return -1
    return 0


# ---- a cycle ----

cdef inline uint64_t route(Routers* f, uint8_t* b) noexcept nogil:
    """A cycle of route computation; input VCs that are through with it."""
    cdef Masks* m = <Masks*>b
    cdef uint64_t bits = m.routing, routed = 0
    cdef int64_t iv
    while bits:
        iv = lowest_bit(bits)
        bits &= bits - 1
        pairs(b)[iv].routed += 1
        if pairs(b)[iv].routed >= f.routing_delay:
            routed |= bit(iv)
    m.routing &= ~routed
    return routed


cdef inline void ready(Routers* f, uint8_t* b, uint64_t routed) noexcept nogil:
    """Those whose route is known ask for an output VC from the next step on."""
    (<Masks*>b).waiting |= routed
    while routed:
        pairs(b)[lowest_bit(routed)].state = WAITING
        routed &= routed - 1


cdef inline bint can_progress(Routers* f, uint8_t* b) noexcept nogil:
    """A request of the next step could succeed."""
    cdef Masks* m = <Masks*>b
    cdef uint64_t bits = m.asking
    cdef int64_t iv
    if m.routing:
        return True
    while bits:
        iv = lowest_bit(bits)
        bits &= bits - 1
        if m.credit_out >> (pairs(b)[iv].port * f.vcs + pairs(b)[iv].vc) & 1:
            return True
    bits = m.waiting
    while bits:
        if pairs(b)[lowest_bit(bits)].wants & m.free_out:
            return True
        bits &= bits - 1
    return False


cdef inline int special(Routers* f, int64_t now, int64_t r, uint8_t* b) noexcept nogil:
    """`work` for routers with speculation, held connections, speedups, batches or output queues."""
    cdef Masks* m = <Masks*>b
    cdef uint64_t asking, hoping, free_out, routed, won, held, joined, sends
    cdef int64_t _step, iv, o
    cdef int more = 0
    for _step in range(f.steps):
        asking, free_out, held, joined = m.asking, m.free_out, m.held, m.joined
        hoping = m.waiting if f.speculative else 0
        routed = route(f, b)
        if f.queued:
            cross_over(f, now, r, True)
        won = allocate_vcs(f, r, b, False) if m.waiting else 0
        sends = held
        while sends:
            iv = b[f.at.held_vc + lowest_bit(sends)]
            sends &= sends - 1
            o = pairs(b)[iv].port
            asking &= ~bit(iv)
            if not may_send(f, r, b, o, o * f.vcs + pairs(b)[iv].vc, False):
                hold(f, b, iv, False)
            elif send(f, now, r, b, iv, False):
                return -1
        if allocate_switch(f, now, r, b, asking, hoping, free_out, held, joined, False):
            return -1
        while won:                                      # a head may have left already, or been copied and kept
            iv = lowest_bit(won)
            won &= won - 1
            if pairs(b)[iv].state == ACTIVE and pairs(b)[iv].count > (b[f.at.copied + iv] if f.multicast else 0):
                m.asking |= bit(iv)
        ready(f, b, routed)
        if f.queued:
            cross_over(f, now, r, False)
            seal(f, r)
    if f.queued:
        more = write(f, now, r)
        if more < 0:
            return -1
    return more or m.held != 0 or can_progress(f, b)


cdef inline int work(Routers* f, int64_t now, int64_t r, bint plain) noexcept nogil:
    """A cycle of a router; 1 when something could succeed in the next one, -1: no memory."""
    cdef uint8_t* b = f.blocks + r * f.at.stride
    cdef Masks* m = <Masks*>b
    cdef uint64_t asking = m.asking, routed, won = 0
    if not plain and f.special:
        return special(f, now, r, b)
    routed = route(f, b) if m.routing else 0
    if m.waiting and m.free_out:
        won = allocate_vcs(f, r, b, plain)
    if asking & (asking - 1):
        if allocate_switch(f, now, r, b, asking, 0, 0, 0, 0, plain):
            return -1
    elif asking:
        if one_request(f, now, r, b, asking, plain):
            return -1
    m.asking |= won
    if routed:
        ready(f, b, routed)
    return can_progress(f, b)


cdef inline flat_void plain_work(Routers* f, int64_t now, int64_t r, int* more) noexcept nogil:
    """`work` for plain routers, without a branch for what they have not."""
    more[0] = work(f, now, r, True)
