"""A binary heap of timed things, for what lies further ahead than a wheel's reach."""
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport realloc


cdef struct Due:
    int64_t at
    uint32_t what
    uint32_t kind


cdef struct Heap:
    Due* at
    int64_t n
    int64_t room


cdef inline int heap_push(Heap* h, int64_t at, uint32_t what, uint32_t kind) noexcept nogil:
    """Negative when memory is exhausted."""
    cdef int64_t k, up
    cdef void* grown
    if h.n == h.room:
        grown = realloc(h.at, <size_t>(2 * h.room + 256) * sizeof(Due))
        if grown == NULL:
            return -1
        h.at = <Due*>grown
        h.room = 2 * h.room + 256
    k = h.n
    h.n += 1
    while k:
        up = (k - 1) >> 1
        if h.at[up].at <= at:
            break
        h.at[k] = h.at[up]
        k = up
    h.at[k].at, h.at[k].what, h.at[k].kind = at, what, kind
    return 0


cdef inline Due heap_pop(Heap* h) noexcept nogil:
    """The earliest; equal times in no particular order, on which nothing may depend."""
    cdef Due top = h.at[0]
    cdef Due last
    cdef int64_t k = 0, down
    h.n -= 1
    last = h.at[h.n]
    while True:
        down = 2 * k + 1
        if down >= h.n:
            break
        if down + 1 < h.n and h.at[down + 1].at < h.at[down].at:
            down += 1
        if h.at[down].at >= last.at:
            break
        h.at[k] = h.at[down]
        k = down
    h.at[k] = last
    return top
