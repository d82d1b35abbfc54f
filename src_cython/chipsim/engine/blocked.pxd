"""Packets that have been blocked too long: they turn aside, or are dropped; see reference_mesh.Mesh.

One alarm per FIFO is queued, for the earliest time at which its head may have to; most find another head and are put
off.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.handshake cimport leave
from chipsim.engine.buffers cimport add_hop
from chipsim.engine.detours cimport claimed, is_aside, watch
from chipsim.engine.mesh cimport EJECT, FOREVER, LOCAL, TIMEOUT, Channel, Mesh, touch
from chipsim.engine.servers cimport LOST


cdef inline void time_out_all(Mesh* m, int64_t first, int64_t last, int64_t now) noexcept nogil:
    """Serve the alarms among the events [first, last) of a time stamp."""
    cdef int64_t i
    cdef uint32_t channel
    m.n_alarms = 0
    for i in range(first, last):
        channel = m.wheel.current[i].channel
        if m.wheel.current[i].packet == TIMEOUT and m.alarm[channel] == now:
            m.alarm[channel] = FOREVER
            time_out(m, channel, now)


cdef inline void time_out(Mesh* m, uint32_t channel, int64_t now) noexcept nogil:
    """Turn or drop the head of the FIFO behind `channel` if it is its time, else look again when it will be."""
    cdef Channel* c = &m.channels[channel]
    cdef int64_t due = c.head_at + (m.emergency_wait if c.turned else m.wait), b, n
    cdef uint64_t bit = <uint64_t>1 << c.in_port, pending = 0
    cdef int32_t own[64]
    cdef int64_t leads[64]
    cdef bint last = c.turned or not m.emergency_wait, aside = is_aside(m, c)
    cdef uint32_t head, packet
    cdef Channel* o
    if c.n_queued == 0:
        return
    if due > now:
        watch(m, channel, due)
        return
    head, packet = c.slots[c.first].wants, c.slots[c.first].packet
    if m.root == NULL:
        own[0], leads[0], n = head, -1, 1
    elif aside:
        own[0], leads[0], n = m.rejoin[channel], head, 1
    else:
        n = m.node_start[head + 1] - m.node_start[head]
        for b in range(n):
            own[b] = m.branch_channel[m.node_start[head] + b]
            leads[b] = m.branch_child[m.node_start[head] + b]
    for b in range(n):                                          # what is left of it: claims that still stand
        o = &m.channels[claimed(m, own[b], c.turned and not aside)]
        if o.requests & bit:
            pending |= <uint64_t>1 << b
    for b in range(n):
        if pending >> b & 1:
            m.channels[claimed(m, own[b], c.turned and not aside)].requests &= ~bit
    for b in range(n):
        if not pending >> b & 1:
            continue
        if last:
            m.drops[own[b]] += 1
            if now > m.last_drop or own[b] > m.last_dropped:
                m.last_drop, m.last_dropped = now, own[b]
            lose(m, packet, own[b], leads[b], now)
        else:
            o = &m.channels[claimed(m, own[b], not aside)]
            o.requests |= bit
            touch(m, claimed(m, own[b], not aside))
    if last:
        leave(m, channel, now, m.root != NULL, True)
        return
    c.turned, c.head_at = 1, now
    watch(m, channel, now + m.emergency_wait)


cdef inline void lose(Mesh* m, uint32_t packet, int32_t channel, int64_t leads, int64_t now) noexcept nogil:
    """What would have crossed `channel` is dropped: it misses that channel and all behind it."""
    cdef int64_t d = packet, b
    if add_hop(&m.off, m.tick_now, m.seeds[packet].source, channel, -1):
        m.wheel.failed = True
    if m.channels[channel].kind == EJECT:
        if m.root != NULL:
            d += -1 - leads
        m.times.arrived[d] = m.times.started[d] = LOST
        m.times.done[d] = now
    elif m.root == NULL:
        lose(m, packet, by_table(m, m.channels[channel].to_router, packet), -1, now)
    else:
        for b in range(m.node_start[leads], m.node_start[leads + 1]):
            lose(m, packet, m.branch_channel[b], m.branch_child[b], now)


cdef inline int32_t by_table(Mesh* m, int32_t router, uint32_t packet) noexcept nogil:
    """The channel by which the table sends a packet on from a router."""
    cdef int32_t core = m.axon_core[m.seeds[packet].axon]
    cdef uint8_t port = m.next_port[router * m.n_routers + m.router[core]]
    return m.eject[core] if port == LOCAL else m.out_channel[router * m.n_ports + port]
