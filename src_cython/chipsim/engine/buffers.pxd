"""Buffers that grow by doubling, for what a tick produces; no Python object inside."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc


cdef enum:
    FOLLOWS = -1            # gap of a further delivery of the multicast packet before it


cdef struct PacketSeed:
    int64_t gap             # ps of soma time since the packet before it entered the fabric, or FOLLOWS
    uint32_t source
    uint32_t axon


cdef struct Seeds:
    PacketSeed* at
    int64_t n
    int64_t capacity


cdef struct Event:
    double payload
    int64_t tick
    uint32_t source


cdef struct Events:
    Event* at
    int64_t n
    int64_t capacity


cdef struct Hop:             # a flit that crossed a channel besides its route (by 1), or did not cross it (-1)
    int64_t tick
    int64_t source
    int64_t channel
    int64_t by


cdef struct Hops:
    Hop* at
    int64_t n
    int64_t capacity


cdef inline int add_seed(Seeds* b, int64_t gap, uint32_t source, uint32_t axon) noexcept nogil:
    """Append; -1 when memory is exhausted."""
    cdef void* grown
    if b.n == b.capacity:
        grown = realloc(b.at, <size_t>(2 * b.capacity + 1024) * sizeof(PacketSeed))
        if grown == NULL:
            return -1
        b.at = <PacketSeed*>grown
        b.capacity = 2 * b.capacity + 1024
    b.at[b.n].gap = gap
    b.at[b.n].source = source
    b.at[b.n].axon = axon
    b.n += 1
    return 0


cdef inline int room_for_seeds(Seeds* b, int64_t n) noexcept nogil:
    """Make room for n in all; -1 when memory is exhausted."""
    cdef void* grown
    if n > b.capacity:
        grown = realloc(b.at, <size_t>n * sizeof(PacketSeed))
        if grown == NULL:
            return -1
        b.at = <PacketSeed*>grown
        b.capacity = n
    return 0


cdef inline int add_event(Events* b, int64_t tick, uint32_t source, double payload) noexcept nogil:
    """Append; -1 when memory is exhausted."""
    cdef void* grown
    if b.n == b.capacity:
        grown = realloc(b.at, <size_t>(2 * b.capacity + 1024) * sizeof(Event))
        if grown == NULL:
            return -1
        b.at = <Event*>grown
        b.capacity = 2 * b.capacity + 1024
    b.at[b.n].tick = tick
    b.at[b.n].source = source
    b.at[b.n].payload = payload
    b.n += 1
    return 0


cdef inline int add_hop(Hops* b, int64_t tick, int64_t source, int64_t channel, int64_t by) noexcept nogil:
    """Append; -1 when memory is exhausted."""
    cdef void* grown
    if b.n == b.capacity:
        grown = realloc(b.at, <size_t>(2 * b.capacity + 1024) * sizeof(Hop))
        if grown == NULL:
            return -1
        b.at = <Hop*>grown
        b.capacity = 2 * b.capacity + 1024
    b.at[b.n].tick, b.at[b.n].source, b.at[b.n].channel, b.at[b.n].by = tick, source, channel, by
    b.n += 1
    return 0
