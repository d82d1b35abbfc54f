"""A calendar of events in integer picoseconds: two wheels of buckets, then a list for what lies further ahead.

Push and pop cost the same whatever is queued and however long nothing happens: an idle mesh is free. Events of equal
time come out together, in no particular order; whoever uses them must not depend on it. All of it is inline: every hop
pushes and pops once.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from chipsim.engine.bits cimport lowest_bit

cdef enum:
    NEAR_BITS = 7           # near bucket: 128 ps. Mesh latencies are several of them: most events skip the sorted one
    WHEEL_BITS = 10         # buckets of a wheel; near wheel 131 ns, far wheel 134 us
    N_BUCKETS = 1024
    N_WORDS = 16


cdef struct Timed:
    int64_t at              # ps
    uint32_t channel
    uint32_t packet         # NO_PACKET: a wake-up
    uint32_t node           # multicast: where in its tree the packet is
    uint32_t next           # in the same bucket


cdef struct Wheel:
    Timed* pool
    uint32_t used, capacity, free_list
    int64_t count           # events queued
    int64_t near_now        # bucket number being served, near wheel (ps >> NEAR_BITS)
    uint32_t near[N_BUCKETS]
    uint32_t far[N_BUCKETS]
    uint64_t near_map[N_WORDS]
    uint64_t far_map[N_WORDS]
    uint32_t beyond         # list of events past the far wheel
    Timed* current          # the bucket being served, sorted by time from `taken` on
    int64_t taken, filled, room
    Timed* scratch
    int64_t scratch_room


cdef enum:
    NONE = 0xFFFFFFFF
    SMALL = 24              # below this, insertion sort beats counting sort


cdef inline int wheel_open(Wheel* w) noexcept nogil:
    memset(w, 0, sizeof(Wheel))
    w.capacity, w.room, w.scratch_room = 4096, 1024, 1024
    w.pool = <Timed*>malloc(w.capacity * sizeof(Timed))
    w.current = <Timed*>malloc(w.room * sizeof(Timed))
    w.scratch = <Timed*>malloc(w.scratch_room * sizeof(Timed))
    if w.pool == NULL or w.current == NULL or w.scratch == NULL:
        return -1
    wheel_restart(w)
    return 0


cdef inline void wheel_close(Wheel* w) noexcept nogil:
    free(w.pool)
    free(w.current)
    free(w.scratch)


cdef inline void wheel_restart(Wheel* w) noexcept nogil:
    """Empty, at time 0."""
    w.used, w.free_list, w.count, w.near_now, w.beyond = 0, NONE, 0, 0, NONE
    w.taken = w.filled = 0
    memset(w.near, 0xFF, sizeof(w.near))
    memset(w.far, 0xFF, sizeof(w.far))
    memset(w.near_map, 0, sizeof(w.near_map))
    memset(w.far_map, 0, sizeof(w.far_map))


cdef inline void link(Wheel* w, uint32_t i) noexcept nogil:
    """Hang pool entry i into the bucket of its time, which lies after the one being served."""
    cdef int64_t bucket = w.pool[i].at >> NEAR_BITS
    cdef int64_t far = bucket >> WHEEL_BITS
    cdef int64_t here = w.near_now >> WHEEL_BITS
    cdef int64_t slot
    if far == here:
        slot = bucket & (N_BUCKETS - 1)
        w.pool[i].next = w.near[slot]
        w.near[slot] = i
        w.near_map[slot >> 6] |= <uint64_t>1 << (slot & 63)
    elif far - here < N_BUCKETS:
        slot = far & (N_BUCKETS - 1)
        w.pool[i].next = w.far[slot]
        w.far[slot] = i
        w.far_map[slot >> 6] |= <uint64_t>1 << (slot & 63)
    else:
        w.pool[i].next = w.beyond
        w.beyond = i


cdef inline int wheel_push(Wheel* w, int64_t at, uint32_t channel, uint32_t packet, uint32_t node) noexcept nogil:
    """Queue an event at `at` >= the time served last; negative when memory is exhausted."""
    cdef uint32_t i
    cdef int64_t k
    cdef void* grown
    w.count += 1
    if at >> NEAR_BITS <= w.near_now:                       # into the bucket being served, in its place
        if w.filled == w.room:
            grown = realloc(w.current, <size_t>(2 * w.room) * sizeof(Timed))
            if grown == NULL:
                return -1
            w.current = <Timed*>grown
            w.room *= 2
        k = w.filled
        w.filled += 1
        while k > w.taken and w.current[k - 1].at > at:
            w.current[k] = w.current[k - 1]
            k -= 1
        w.current[k].at, w.current[k].channel = at, channel
        w.current[k].packet, w.current[k].node = packet, node
        return 0
    if w.free_list != NONE:
        i = w.free_list
        w.free_list = w.pool[i].next
    else:
        if w.used == w.capacity:
            grown = realloc(w.pool, 2 * <size_t>w.capacity * sizeof(Timed))
            if grown == NULL:
                return -1
            w.pool = <Timed*>grown
            w.capacity *= 2
        i = w.used
        w.used += 1
    w.pool[i].at, w.pool[i].channel, w.pool[i].packet, w.pool[i].node = at, channel, packet, node
    link(w, i)
    return 0


cdef inline int64_t next_slot(uint64_t* bits, int64_t start) noexcept nogil:
    """First marked slot at or after `start`, -1 when there is none before the wheel's end."""
    cdef int64_t word = start >> 6
    cdef uint64_t m
    if start >= N_BUCKETS:
        return -1
    m = bits[word] >> (start & 63)
    if m:
        return start + lowest_bit(m)
    word += 1
    while word < N_WORDS:
        if bits[word]:
            return (word << 6) + lowest_bit(bits[word])
        word += 1
    return -1


cdef inline void sort(Wheel* w) noexcept nogil:
    """Order the current bucket by time: by insertion when short, else by counting the 128 times it can hold."""
    cdef int64_t i, j, n = w.filled, total = 0, c
    cdef int64_t counts[129]
    cdef Timed e
    if n <= SMALL:
        for i in range(1, n):
            e = w.current[i]
            j = i
            while j > 0 and w.current[j - 1].at > e.at:
                w.current[j] = w.current[j - 1]
                j -= 1
            w.current[j] = e
        return
    memset(counts, 0, sizeof(counts))
    for i in range(n):
        counts[w.current[i].at & 127] += 1
    for i in range(128):
        c = counts[i]
        counts[i] = total
        total += c
    for i in range(n):
        j = w.current[i].at & 127
        w.scratch[counts[j]] = w.current[i]
        counts[j] += 1
    w.current, w.scratch = w.scratch, w.current
    w.room, w.scratch_room = w.scratch_room, w.room


cdef inline void advance_far(Wheel* w) noexcept nogil:
    """Open the next far bucket that holds events: spread it over the near wheel. There is at least one event ahead."""
    cdef int64_t here = w.near_now >> WHEEL_BITS, slot, far
    cdef uint32_t i, following
    slot = next_slot(w.far_map, (here & (N_BUCKETS - 1)) + 1)
    if slot < 0:
        slot = next_slot(w.far_map, 0)
    if slot >= 0:
        far = here + ((slot - here) & (N_BUCKETS - 1))
    else:                                                       # all of it lies beyond: go to the earliest
        i = w.beyond
        far = w.pool[i].at >> (NEAR_BITS + WHEEL_BITS)
        while i != NONE:
            if w.pool[i].at >> (NEAR_BITS + WHEEL_BITS) < far:
                far = w.pool[i].at >> (NEAR_BITS + WHEEL_BITS)
            i = w.pool[i].next
    w.near_now = far << WHEEL_BITS
    i = w.beyond                                                # what now comes within reach
    w.beyond = NONE
    while i != NONE:
        following = w.pool[i].next
        link(w, i)
        i = following
    slot = far & (N_BUCKETS - 1)
    i = w.far[slot]
    w.far[slot] = NONE
    w.far_map[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    while i != NONE:
        following = w.pool[i].next
        link(w, i)
        i = following


cdef inline int wheel_fill(Wheel* w) noexcept nogil:
    """Go to the next bucket that holds events and sort it. 1: there is one; 0: nothing is queued; -1: no memory."""
    cdef int64_t slot
    cdef uint32_t i, following
    cdef void* grown
    w.taken = w.filled = 0
    if w.count == 0:
        return 0
    while True:
        slot = next_slot(w.near_map, (w.near_now & (N_BUCKETS - 1)) + 1)
        if slot >= 0:
            w.near_now = (w.near_now >> WHEEL_BITS << WHEEL_BITS) + slot
            break
        advance_far(w)
        slot = w.near_now & (N_BUCKETS - 1)
        if w.near[slot] != NONE:
            break
    i = w.near[slot]
    w.near[slot] = NONE
    w.near_map[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    while i != NONE:
        if w.filled == w.room:
            grown = realloc(w.current, <size_t>(2 * w.room) * sizeof(Timed))
            if grown == NULL:
                return -1
            w.current = <Timed*>grown
            w.room *= 2
        w.current[w.filled] = w.pool[i]
        w.filled += 1
        following = w.pool[i].next
        w.pool[i].next = w.free_list
        w.free_list = i
        i = following
    if w.scratch_room < w.filled:
        grown = realloc(w.scratch, <size_t>(2 * w.filled) * sizeof(Timed))
        if grown == NULL:
            return -1
        w.scratch = <Timed*>grown
        w.scratch_room = 2 * w.filled
    sort(w)
    return 1
