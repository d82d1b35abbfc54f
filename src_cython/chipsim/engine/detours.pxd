"""Blocked packets that turn aside: the way round the link they wait for; see reference_mesh.Mesh."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from chipsim.engine.buffers cimport add_hop
from chipsim.engine.mesh cimport ASIDE, TIMEOUT, Channel, Mesh
from chipsim.engine.wheel cimport wheel_push


cdef inline bint is_aside(Mesh* m, Channel* c) noexcept nogil:
    """The head of the FIFO is half way round a blocked link."""
    return m.rejoin != NULL and m.aside[&c.slots[c.first] - m.slots]


cdef inline void watch(Mesh* m, uint32_t channel, int64_t at) noexcept nogil:
    """Look at the head of the FIFO behind `channel` at `at`, unless an alarm comes before then."""
    if m.alarm[channel] > at:
        m.alarm[channel] = at
        wheel_push(&m.wheel, at, channel, TIMEOUT, 0)


cdef inline int32_t claimed(Mesh* m, int32_t output, bint turned) noexcept nogil:
    """The output that is claimed by a head which wants `output`."""
    return m.detour[output] if turned and m.detour[output] >= 0 else output


cdef inline int64_t leads_to(Mesh* m, Channel* c, uint32_t output, bint lossy) noexcept nogil:
    """Multicast: where an output leads the head of a FIFO, which may be on a detour or turn to one."""
    cdef uint32_t node = c.slots[c.first].wants
    cdef int64_t b = m.node_start[node]
    if lossy and is_aside(m, c):
        return node
    while claimed(m, m.branch_channel[b], lossy and c.turned) != <int32_t>output:
        b += 1
    return m.branch_child[b] if m.branch_channel[b] == <int32_t>output else m.branch_child[b] | ASIDE


cdef inline void turn_aside(Mesh* m, Channel* c, uint32_t packet, uint32_t output, bint trees) noexcept nogil:
    """Count the head of a FIFO that leaves by `output`, round the link it should have taken."""
    cdef int64_t source = m.seeds[packet].source, b
    cdef int32_t link = c.slots[c.first].wants
    if trees:
        b = m.node_start[link]
        while m.detour[m.branch_channel[b]] != <int32_t>output:
            b += 1
        link = m.branch_channel[b]
    m.detours[link] += 1
    if add_hop(&m.off, m.tick_now, source, link, -1) or add_hop(&m.off, m.tick_now, source, output, 1) or \
            add_hop(&m.off, m.tick_now, source, m.rejoin[output], 1):
        m.wheel.failed = True
