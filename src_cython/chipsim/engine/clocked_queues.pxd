"""What leaves a clocked router whose outputs may have several flits at once: crossbar, output queues, credits.

Twin of the crossbar, `queues` and `credits` of reference_router.Router. Rings are as large as credits let them fill.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.clocked_state cimport Crossing, Flit, Ring, Routers, push_credit, push_flit


cdef inline void cross(Routers* f, int64_t r, const Flit* flit, uint32_t packet, uint32_t to, int64_t port,
                       int64_t vc) noexcept nogil:
    """A flit is before the crossbar."""
    cdef Ring* ring = &f.crossing[r]
    cdef int64_t room = f.pv * f.depth
    cdef Crossing* c = &f.crossings[r * room + (ring.first + ring.n) % room]
    c.flit, c.port, c.done = flit[0], port, -1
    c.flit.vc, c.flit.packet, c.flit.to = <uint8_t>vc, packet, to
    ring.n += 1


cdef inline void message(Routers* f, int64_t r, int64_t i, int64_t v) noexcept nogil:
    """A slot was left in this step; message 0 of an input collects those of the step, `seal` ends it."""
    cdef int64_t place = r * f.n_ports + i, room = f.vcs * f.depth + 1
    cdef Ring* ring = &f.message[place]
    f.messages[place * room + (ring.first + ring.n) % room] |= <uint8_t>(1 << v)


cdef inline void seal(Routers* f, int64_t r) noexcept nogil:
    """The step's messages of credits are complete."""
    cdef int64_t i, place, room = f.vcs * f.depth + 1
    cdef Ring* ring
    for i in range(f.n_ports):
        place = r * f.n_ports + i
        ring = &f.message[place]
        if f.messages[place * room + (ring.first + ring.n) % room]:
            ring.n += 1
            f.messages[place * room + (ring.first + ring.n) % room] = 0


cdef inline void cross_over(Routers* f, int64_t now, int64_t r, bint begins) noexcept nogil:
    """Flits before the crossbar begin, or those that are through join their output's queue."""
    cdef Ring* ring = &f.crossing[r]
    cdef Ring* queue
    cdef int64_t k, room = f.pv * f.depth, most = f.vcs * f.depth
    cdef Crossing* c
    if begins:
        for k in range(ring.n):
            c = &f.crossings[r * room + (ring.first + k) % room]
            if c.done < 0:
                c.done = now + f.traversal - 1
            elif f.batches:
                break
        return
    while ring.n:
        c = &f.crossings[r * room + ring.first]
        if c.done < 0 or c.done > now:
            break
        queue = &f.output[r * f.n_ports + c.port]
        f.outputs[(r * f.n_ports + c.port) * most + (queue.first + queue.n) % most] = c.flit
        queue.n += 1
        ring.first = (ring.first + 1) % <int>room
        ring.n -= 1


cdef inline int write(Routers* f, int64_t now, int64_t r) noexcept nogil:
    """A flit of every output and a message of credits of every input go on their way; 1: more is to come, -1: no
    memory."""
    cdef int64_t k, most = f.vcs * f.depth, place, channel
    cdef Ring* ring
    cdef Flit* flit
    cdef uint64_t vcs
    cdef bint more = f.crossing[r].n > 0
    for k in range(f.n_ports):
        place = r * f.n_ports + k
        ring = &f.output[place]
        if ring.n:
            flit = &f.outputs[place * most + ring.first]
            channel = f.out_of[place]
            ring.first = (ring.first + 1) % <int>most
            ring.n -= 1
            if push_flit(f, now + 1 + f.channels[channel].hop_cycles, flit.packet, flit.to, channel, flit.vc,
                         flit.ends):
                return -1
        more = more or ring.n > 0
        ring = &f.message[place]
        if ring.n:
            vcs = f.messages[place * (most + 1) + ring.first]
            f.messages[place * (most + 1) + ring.first] = 0
            ring.first = (ring.first + 1) % <int>(most + 1)
            ring.n -= 1
            while vcs:
                if push_credit(f, now, f.into[place], lowest_bit(vcs)):
                    return -1
                vcs &= vcs - 1
        more = more or ring.n > 0
    return more
