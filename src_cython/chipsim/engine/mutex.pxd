"""Trees of two-input mutexes: the compiled twin of arbiter.py. Nodes as in a heap, 1 is the root."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from chipsim.engine.bits cimport lowest_bit
from chipsim.engine.held cimport Held


cdef struct Mutexes:        # of one output, for `width` inputs, a power of two of at most 64
    int64_t* released       # [width] time from which on a mutex is free for whoever claims
    uint8_t* last           # [width] side that had it last
    int64_t width


cdef Mutexes* make_mutexes(Held owner, int64_t n, int64_t width) except NULL


cdef inline int32_t mutex_winner(Mutexes* m, uint64_t standing, const int64_t* claims) noexcept nogil:
    """The input that gets the output. standing: inputs that claim, at least one; claims[input]: since when."""
    cdef int64_t at[128]
    cdef uint8_t who[128]
    cdef uint64_t marks = standing
    cdef int64_t k, low, high
    cdef int32_t i
    cdef int64_t never = 0x7FFFFFFFFFFFFFFF
    if marks & (marks - 1) == 0:
        return lowest_bit(marks)
    for k in range(m.width, 2 * m.width):
        at[k] = never
    while marks:
        i = lowest_bit(marks)
        marks &= marks - 1
        at[m.width + i], who[m.width + i] = claims[i], <uint8_t>i
    for k in range(m.width - 1, 0, -1):
        low, high = max(at[2 * k], m.released[k]), max(at[2 * k + 1], m.released[k])
        who[k] = who[2 * k] if low < high or (low == high and m.last[k]) else who[2 * k + 1]
        at[k] = min(at[2 * k], at[2 * k + 1])
    return who[1]


cdef inline void mutex_won(Mutexes* m, int64_t i, int64_t until) noexcept nogil:
    """Input i is granted the output, whose cycle lasts `until`."""
    cdef int64_t k = m.width + i
    while k > 1:
        m.released[k >> 1], m.last[k >> 1] = until, k & 1
        k >>= 1


cdef inline void mutex_reset(Mutexes* m) noexcept nogil:
    cdef int64_t k
    for k in range(m.width):
        m.released[k], m.last[k] = 0, 1
