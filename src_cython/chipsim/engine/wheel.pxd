"""A calendar of events in integer picoseconds: two wheels of buckets, then a list for what lies further ahead.

Push and pop cost the same whatever is queued and however long nothing happens: an idle mesh is free. A bucket comes out
whole; whoever cannot use it in any order has it sorted, and finds events of equal time together, in no particular
order. A bucket is a chain of chunks, of which the one that was given back last is taken first: what is pushed is then
written, and read, where the cache is warm. All of it is inline: every hop pushes and pops once.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from chipsim.engine.bits cimport lowest_bit

cdef enum:
    SORTED_BITS = 7         # width of a bucket that is sorted: 128 ps
    WHEEL_BITS = 10         # buckets of a wheel; with buckets of 1 ns the near wheel reaches 1 us, the far wheel 1 ms
    N_BUCKETS = 1024
    N_WORDS = 16
    CHUNK = 10              # events: 256 bytes with the head
    NONE = 0xFFFFFFFF
    SMALL = 24              # below this, insertion sort beats counting sort


cdef struct Timed:
    int64_t at              # ps
    uint32_t channel
    uint32_t packet         # NO_PACKET: a wake-up
    uint32_t node           # the core it goes to; multicast: where in its tree the packet is
    uint32_t wants          # left to whoever serves it


cdef struct Chunk:
    uint32_t n
    uint32_t next           # chunk of the same bucket, full
    Timed events[CHUNK]
    int64_t _


cdef struct Wheel:
    Chunk* chunks
    uint32_t used, capacity, free_list
    int64_t bits            # a near bucket is 1 << bits ps wide
    bint in_order           # buckets are sorted
    bint failed             # memory is exhausted: events are missing
    int64_t near_now        # bucket number being served, near wheel (ps >> bits)
    uint32_t near[N_BUCKETS]
    uint32_t far[N_BUCKETS]
    uint64_t near_map[N_WORDS]
    uint64_t far_map[N_WORDS]
    uint32_t beyond         # events past the far wheel
    Timed* current          # the bucket being served; what is left of it starts at `taken`
    int64_t taken, filled, room
    Timed* scratch


cdef inline int wheel_open(Wheel* w, int64_t window) noexcept nogil:
    """A calendar for events that cause none sooner than `window` ps after them. Negative when memory is exhausted.

    Where that is long enough, a bucket is as wide as fits into the window: nothing that happens in it can cause
    anything else in it, and it is not sorted.
    """
    memset(w, 0, sizeof(Wheel))
    w.bits = SORTED_BITS
    while w.bits < 40 and (<int64_t>2 << w.bits) <= window:
        w.bits += 1
    w.in_order = window < (1 << SORTED_BITS)
    w.capacity, w.room = 256, 1024
    w.chunks = <Chunk*>malloc(w.capacity * sizeof(Chunk))
    w.current = <Timed*>malloc(w.room * sizeof(Timed))
    w.scratch = <Timed*>malloc(w.room * sizeof(Timed))
    if w.chunks == NULL or w.current == NULL or w.scratch == NULL:
        return -1
    wheel_restart(w)
    return 0


cdef inline void wheel_close(Wheel* w) noexcept nogil:
    free(w.chunks)
    free(w.current)
    free(w.scratch)


cdef inline void wheel_restart(Wheel* w) noexcept nogil:
    """Empty, at time 0."""
    w.used, w.free_list, w.near_now, w.beyond, w.failed = 0, NONE, 0, NONE, False
    w.taken = w.filled = 0
    memset(w.near, 0xFF, sizeof(w.near))
    memset(w.far, 0xFF, sizeof(w.far))
    memset(w.near_map, 0, sizeof(w.near_map))
    memset(w.far_map, 0, sizeof(w.far_map))


cdef inline Timed* new_chunk(Wheel* w, uint32_t* bucket) noexcept nogil:
    """Another chunk for a bucket, whose chunks are full; its first event, which counts already. NULL: no memory."""
    cdef uint32_t i = w.free_list
    cdef void* grown
    if i != NONE:
        w.free_list = w.chunks[i].next
    else:
        if w.used == w.capacity:
            grown = realloc(w.chunks, 2 * <size_t>w.capacity * sizeof(Chunk))
            if grown == NULL:
                w.failed = True
                return NULL
            w.chunks = <Chunk*>grown
            w.capacity *= 2
        i = w.used
        w.used += 1
    w.chunks[i].n, w.chunks[i].next = 1, bucket[0]
    bucket[0] = i
    return w.chunks[i].events


cdef inline Timed* place(Wheel* w, int64_t at) noexcept nogil:
    """Where an event of a time after the bucket that is being served goes; NULL: no memory."""
    cdef int64_t bucket = at >> w.bits, far = bucket >> WHEEL_BITS, here = w.near_now >> WHEEL_BITS, slot
    cdef uint32_t* head
    cdef Chunk* chunk
    if far == here:
        slot = bucket & (N_BUCKETS - 1)
        head = &w.near[slot]
        w.near_map[slot >> 6] |= <uint64_t>1 << (slot & 63)
    elif far - here < N_BUCKETS:
        slot = far & (N_BUCKETS - 1)
        head = &w.far[slot]
        w.far_map[slot >> 6] |= <uint64_t>1 << (slot & 63)
    else:
        head = &w.beyond
    if head[0] != NONE:
        chunk = &w.chunks[head[0]]
        if chunk.n < CHUNK:
            chunk.n += 1
            return &chunk.events[chunk.n - 1]
    return new_chunk(w, head)


cdef inline Timed* squeeze_in(Wheel* w, int64_t at) noexcept nogil:
    """A place in the bucket being served, in order of time if that is kept; NULL: no memory."""
    cdef int64_t k = w.filled
    if reserve(w, k + 1):
        return NULL
    w.filled += 1
    while w.in_order and k > w.taken and w.current[k - 1].at > at:
        w.current[k] = w.current[k - 1]
        k -= 1
    return &w.current[k]


cdef inline bint reserve(Wheel* w, int64_t n) noexcept nogil:
    """Room for n events in the bucket being served. True: no memory."""
    cdef int64_t room = w.room
    cdef void* larger
    if n <= room:
        return False
    while room < n:
        room *= 2
    larger = realloc(w.current, <size_t>room * sizeof(Timed))
    if larger != NULL:
        w.current = <Timed*>larger
        larger = realloc(w.scratch, <size_t>room * sizeof(Timed))
    if larger == NULL:
        w.failed = True
        return True
    w.scratch = <Timed*>larger
    w.room = room
    return False


cdef inline void wheel_push(Wheel* w, int64_t at, uint32_t channel, uint32_t packet, uint32_t node) noexcept nogil:
    """Queue an event at `at` >= the time served last."""
    cdef Timed* e = place(w, at) if at >> w.bits > w.near_now else squeeze_in(w, at)
    if e != NULL:
        e.at, e.channel, e.packet, e.node = at, channel, packet, node


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


cdef inline void scatter(Wheel* w, uint32_t i) noexcept nogil:
    """Put the events of a chain of chunks where they belong by now, and give the chunks back."""
    cdef uint32_t following, k
    cdef Timed* there
    cdef Timed e
    while i != NONE:
        following = w.chunks[i].next
        for k in range(w.chunks[i].n):
            e = w.chunks[i].events[k]                           # `place` may move the chunks
            there = place(w, e.at)
            if there != NULL:
                there[0] = e
        w.chunks[i].next = w.free_list
        w.free_list = i
        i = following


cdef inline bint advance_far(Wheel* w) noexcept nogil:
    """Open the next far bucket that holds events: spread it over the near wheel. False: nothing is queued."""
    cdef int64_t here = w.near_now >> WHEEL_BITS, slot, far
    cdef uint32_t i, k
    slot = next_slot(w.far_map, (here & (N_BUCKETS - 1)) + 1)
    if slot < 0:
        slot = next_slot(w.far_map, 0)
    if slot >= 0:
        far = here + ((slot - here) & (N_BUCKETS - 1))
    elif w.beyond == NONE:
        return False
    else:                                                       # all of it lies beyond: go to the earliest
        i = w.beyond
        far = w.chunks[i].events[0].at >> (w.bits + WHEEL_BITS)
        while i != NONE:
            for k in range(w.chunks[i].n):
                far = min(far, w.chunks[i].events[k].at >> (w.bits + WHEEL_BITS))
            i = w.chunks[i].next
    w.near_now = far << WHEEL_BITS
    i = w.beyond                                                # what now comes within reach
    w.beyond = NONE
    scatter(w, i)
    slot = far & (N_BUCKETS - 1)
    i = w.far[slot]
    w.far[slot] = NONE
    w.far_map[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    scatter(w, i)
    return True


cdef inline bint wheel_fill(Wheel* w) noexcept nogil:
    """Go to the next bucket that holds events. False: nothing is queued, or memory is exhausted."""
    cdef int64_t slot
    cdef uint32_t i, following
    w.taken = w.filled = 0
    while True:
        slot = next_slot(w.near_map, (w.near_now & (N_BUCKETS - 1)) + 1)
        if slot >= 0:
            w.near_now = (w.near_now >> WHEEL_BITS << WHEEL_BITS) + slot
            break
        if not advance_far(w):
            return False
        slot = w.near_now & (N_BUCKETS - 1)
        if w.near[slot] != NONE:
            break
    i = w.near[slot]
    w.near[slot] = NONE
    w.near_map[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    while i != NONE:
        if reserve(w, w.filled + CHUNK):
            return False
        memcpy(&w.current[w.filled], w.chunks[i].events, w.chunks[i].n * sizeof(Timed))
        w.filled += w.chunks[i].n
        following = w.chunks[i].next
        w.chunks[i].next = w.free_list
        w.free_list = i
        i = following
    if w.in_order:
        sort(w)
    return True
