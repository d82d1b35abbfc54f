"""Both ends of a clocked fabric: sources that send a flit a cycle, soma servers that make packets, synapse servers that
take them; and what a flit or a credit sets off where its channel ends. Period 0: sources are lists, and sinks take
everything at once.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.buffers cimport FOLLOWS, PacketSeed
from chipsim.engine.clocked_routes cimport begin, port_to
from chipsim.engine.clocked_state cimport (
    ACTIVE, FROM_NODE, HEAD, IDLE, TAIL, Flit, Masks, Routers, pairs, push_credit, push_flit)
from chipsim.engine.draws cimport draw
from chipsim.engine.heap cimport Heap, heap_push
from chipsim.engine.servers cimport Times

cdef enum:
    NOWHERE = 0xFFFFFFFF
    CREDIT = 1                  # kinds of timed events
    READY = 0
    ORDER_STREAM = 0            # of draws: packet k of endpoint e goes x or y first


cdef struct Node:
    uint32_t first              # packets waiting, a list through next_packet
    uint32_t last
    int32_t vc                  # of the packet being sent, -1: none
    int32_t last_vc
    uint32_t sent
    uint32_t packets            # begun


cdef struct Ends:
    int64_t n                   # endpoints: cores, then the host
    const int32_t* inject       # [endpoint] channel
    uint64_t* sending           # bit per endpoint with packets to send
    Node* nodes
    int32_t* node_used          # [endpoint, vc]
    Heap timed
    int64_t period              # ps; servers at the endpoints
    const int64_t* service_ps
    const PacketSeed* seeds
    Times times
    int64_t* last_packet        # per endpoint, of the tick
    int64_t* entry
    int64_t* busy
    int64_t* queued_ps          # before a synapse server, per channel
    int64_t* started            # [endpoint, ring] of packets that may not have been started yet
    int32_t* first_started
    int64_t ring_size
    const int32_t* size         # of the run, per packet
    int64_t* head_inject
    int64_t* head_arrive
    int64_t* arrive
    uint32_t* next_packet


cdef inline bint follows(Routers* f, Ends* s, int64_t p, int64_t k) noexcept nogil:
    """Delivery k is one of multicast packet p's."""
    return f.multicast and k < s.last_packet[f.src[p]] and s.seeds[k].gap == FOLLOWS


cdef inline int make(Routers* f, Ends* s, int64_t p, int64_t now_ps, int64_t earliest) noexcept nogil:
    """A soma server starts on a packet, which can go in at the first edge after it is made."""
    cdef int64_t made = now_ps + s.seeds[p].gap, edge = (made + s.period - 1) // s.period
    cdef int64_t k = p
    while k == p or follows(f, s, p, k):
        s.times.made[k] = made
        k += 1
    return heap_push(&s.timed, max(earliest, edge), <uint32_t>p, READY)


cdef inline void offer(Routers* f, Ends* s, int64_t now, uint32_t p) noexcept nogil:
    """A packet joins the queue of its source."""
    cdef int64_t e = f.src[p]
    f.age[p] = now
    s.next_packet[p] = NOWHERE
    if s.nodes[e].first == NOWHERE:
        s.nodes[e].first = p
    else:
        s.next_packet[s.nodes[e].last] = p
    s.nodes[e].last = p
    s.sending[e >> 6] |= <uint64_t>1 << (e & 63)


cdef inline void wait_for_server(Routers* f, Ends* s, uint32_t channel, int64_t ps, int64_t started) noexcept nogil:
    """A packet stands in a core's input FIFO until it is started."""
    cdef int64_t e = f.channels[channel].endpoint
    cdef int64_t* ring = s.started + e * s.ring_size
    cdef int32_t k = s.first_started[e]
    s.queued_ps[channel] += started - ps
    while f.channels[channel].inside and ring[k] < ps:
        k = k + 1 if k + 1 < s.ring_size else 0
        f.channels[channel].inside -= 1
    s.first_started[e] = k
    ring[(k + f.channels[channel].inside) % s.ring_size] = started
    f.channels[channel].inside += 1
    f.channels[channel].peak = max(f.channels[channel].peak, f.channels[channel].inside)


cdef inline int serve(Routers* f, Ends* s, int64_t now, Flit* flit) noexcept nogil:
    """A packet reaches its synapse server, which gives the slot back when it begins with it."""
    cdef int64_t p = flit.packet, e = f.channels[flit.channel].endpoint, ps = now * s.period, at
    s.times.arrived[p] = ps
    s.times.started[p] = max(ps, s.busy[e])
    s.times.done[p] = s.busy[e] = s.times.started[p] + s.service_ps[s.seeds[p].axon]
    wait_for_server(f, s, flit.channel, ps, s.times.started[p])
    at = (s.times.started[p] + s.period - 1) // s.period
    if at <= now:
        return push_credit(f, now, flit.channel, flit.vc)
    return heap_push(&s.timed, at, flit.channel * 8 + flit.vc, CREDIT)


cdef inline void take_credit(Routers* f, Ends* s, uint32_t what) noexcept nogil:
    """A slot at the far end of a channel's VC is free again."""
    cdef int64_t r = what >> 6, o = what & 63, e
    cdef uint8_t* b
    cdef Masks* m
    if what & FROM_NODE:
        e = (what & ~<uint32_t>FROM_NODE) >> 3
        s.node_used[e * f.vcs + (what & 7)] -= 1
        if s.nodes[e].first != NOWHERE:
            s.sending[e >> 6] |= <uint64_t>1 << (e & 63)
        return
    b = f.blocks + r * f.at.stride
    m = <Masks*>b
    pairs(b)[o].used -= 1
    m.credit_out |= <uint64_t>1 << o
    if m.draining >> o & 1 and pairs(b)[o].used == 0:
        m.draining &= ~(<uint64_t>1 << o)
        m.free_out |= <uint64_t>1 << o
    if m.waiting | m.asking | m.routing:
        f.active[r >> 6] |= <uint64_t>1 << (r & 63)


cdef inline int receive(Routers* f, Ends* s, int64_t now, Flit* flit) noexcept nogil:
    """A flit at the end of its channel; 1 when it was its packet's last, negative: no memory."""
    cdef int64_t r = f.channels[flit.channel].to_router, iv, k
    cdef uint8_t* b
    if r < 0:
        if s.period:
            return -1 if serve(f, s, now, flit) else 1
        if flit.ends & HEAD:
            s.head_arrive[flit.packet] = now
        if flit.ends & TAIL:
            s.arrive[flit.packet] = now
        if push_credit(f, now, flit.channel, flit.vc):
            return -1
        return 1 if flit.ends & TAIL else 0
    b = f.blocks + r * f.at.stride
    iv = f.channels[flit.channel].in_port * f.vcs + flit.vc
    f.channels[flit.channel].queued -= now
    f.channels[flit.channel].inside += 1
    if f.channels[flit.channel].inside > f.channels[flit.channel].peak:
        f.channels[flit.channel].peak = f.channels[flit.channel].inside
    k = pairs(b)[iv].head + pairs(b)[iv].count
    if k >= f.depth:
        k -= f.depth
    f.queues[(r * f.pv + iv) * f.depth + k] = flit[0]
    pairs(b)[iv].count += 1
    if pairs(b)[iv].state == IDLE:
        if f.plain:
            begin(f, r, b, iv, flit.packet, flit.to, True)
        else:
            begin(f, r, b, iv, flit.packet, flit.to, False)
    elif pairs(b)[iv].state == ACTIVE:
        (<Masks*>b).asking |= <uint64_t>1 << iv
    f.active[r >> 6] |= <uint64_t>1 << (r & 63)
    return 0


cdef inline int send_from(Routers* f, Ends* s, int64_t now, int64_t e) noexcept nogil:
    """One flit a cycle; the VC is chosen when a packet comes to the front: the first after the last with room."""
    cdef Node* q = &s.nodes[e]
    cdef int64_t channel = s.inject[e], k, v, first = 0, n = f.vcs
    cdef int64_t room = f.channels[channel].slots, enough = 1 if f.when_empty else room
    cdef uint32_t p = q.first
    cdef uint32_t words[4]
    cdef int ends = 0
    if q.vc < 0:
        if f.share:                                 # VCs kept for the output of its first router
            n, first = f.share, f.share * port_to(f, f.router[e], f.dst[p])
        for k in range(1, n + 1):
            v = first if q.last_vc < first or q.last_vc >= first + n else first + (q.last_vc - first + k) % n
            if s.node_used[e * f.vcs + v] < enough:
                q.vc = <int32_t>v
                break
        if q.vc < 0:
            s.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
            return 0
        q.last_vc, q.sent = q.vc, 0
        if f.xy_yx:
            draw(words, 0, q.packets, <uint32_t>e, ORDER_STREAM, 0)
            f.y_first[p] = words[0] & 1
            q.packets += 1
        s.head_inject[p] = now
        if s.period:
            s.entry[e] = now * s.period
            k = p
            while k == p or follows(f, s, p, k):
                s.times.entered[k] = s.entry[e]
                k += 1
            if k < s.last_packet[e] and make(f, s, k, s.entry[e], now + 1):
                return -1
    if s.node_used[e * f.vcs + q.vc] >= room:
        s.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
        return 0
    s.node_used[e * f.vcs + q.vc] += 1
    if q.sent == 0:
        ends |= HEAD
    q.sent += 1
    if q.sent == <uint32_t>s.size[p]:
        ends |= TAIL
    v = q.vc
    if ends & TAIL:
        q.vc = -1
        q.first = s.next_packet[p]
        if q.first == NOWHERE:
            s.sending[e >> 6] &= ~(<uint64_t>1 << (e & 63))
    return push_flit(f, now + f.channels[channel].hop_cycles + 1, p, f.dst[p], channel, v, ends)
