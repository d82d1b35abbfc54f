"""Allocators of clocked routers on bit masks: the compiled twin of reference_allocators.py, which says what each is."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from chipsim.engine.bits cimport lowest_bit

cdef enum:
    ISLIP = 0
    ROUND_ROBIN = 1
    WAVEFRONT = 2
    WIDTH = 64                  # inputs and outputs, at most


cdef struct Requests:           # a matrix by rows; only those of `inputs` are set
    uint64_t inputs
    uint64_t outputs            # asked for by anyone
    uint64_t row[WIDTH]         # outputs an input asks for
    bint ranked
    int64_t rank[WIDTH * WIDTH]     # of [input, output], less is more urgent; its last bit counts for inputs only


cdef struct Allocator:
    int kind
    int iterations
    int n_inputs
    int n_outputs


cdef inline int after(uint64_t m, int pointer) noexcept nogil:
    """First set bit at or cyclically after `pointer`."""
    cdef uint64_t high = m >> pointer
    return pointer + lowest_bit(high) if high else lowest_bit(m)


cdef inline void ask(Requests* q, int64_t i, uint64_t outputs) noexcept nogil:
    """An input asks for outputs besides those it has asked for."""
    if not q.inputs >> i & 1:
        q.inputs |= <uint64_t>1 << i
        q.row[i] = 0
    q.outputs |= outputs
    q.row[i] |= outputs


cdef inline uint64_t askers(Requests* q, uint64_t inputs, int64_t o) noexcept nogil:
    """Those of `inputs` that ask for an output."""
    cdef uint64_t found = 0
    cdef int i
    while inputs:
        i = lowest_bit(inputs)
        found |= (q.row[i] >> o & 1) << i
        inputs &= inputs - 1
    return found


cdef inline void moved(const Allocator* a, uint8_t* grant, uint8_t* accept, int64_t i, int64_t o) noexcept nogil:
    """Both pointers go past a match."""
    grant[o] = <uint8_t>(i + 1 if i + 1 < a.n_inputs else 0)
    accept[i] = <uint8_t>(o + 1 if o + 1 < a.n_outputs else 0)


cdef inline uint64_t match(const Allocator* a, Requests* q, uint8_t* grant, uint8_t* accept, uint8_t* diagonal,
                           uint8_t* won, bint plain) noexcept nogil:
    """Inputs that get an output, won[input]; plain: by one iteration of iSLIP."""
    if plain or a.kind == ISLIP:
        return islip(a, q, grant, accept, won, 1 if plain else a.iterations)
    if a.kind == ROUND_ROBIN:
        return round_robin(a, q, grant, accept, won)
    return wavefront(a, q, diagonal, won)


cdef inline uint64_t islip(const Allocator* a, Requests* q, uint8_t* grant, uint8_t* accept, uint8_t* won,
                           int iterations) noexcept nogil:
    cdef uint64_t offers[WIDTH]
    cdef uint64_t matched = 0, left = q.outputs, offered, bits, asking
    cdef int64_t i, o
    cdef int iteration
    for iteration in range(iterations):
        offered, bits = 0, left
        while bits:
            o = lowest_bit(bits)
            bits &= bits - 1
            asking = askers(q, q.inputs & ~matched, o)
            if asking == 0:
                continue
            i = after(asking, grant[o])
            if not offered >> i & 1:
                offered |= <uint64_t>1 << i
                offers[i] = 0
            offers[i] |= <uint64_t>1 << o
        if offered == 0:
            break
        matched |= offered
        while offered:
            i = lowest_bit(offered)
            offered &= offered - 1
            o = after(offers[i], accept[i])
            won[i] = <uint8_t>o
            left &= ~(<uint64_t>1 << o)
            if iteration == 0:
                moved(a, grant, accept, i, o)
    return matched


cdef inline uint64_t round_robin(const Allocator* a, Requests* q, uint8_t* grant, uint8_t* accept,
                                 uint8_t* won) noexcept nogil:
    cdef uint64_t asks[WIDTH]
    cdef uint64_t asked = 0, matched = 0, bits = q.inputs, best
    cdef int64_t i, o, k
    while bits:
        i = lowest_bit(bits)
        bits &= bits - 1
        o = after(q.row[i], accept[i])
        best = q.row[i] if q.ranked else 0
        while best:                                             # in the order of ties
            k = after(best, accept[i])
            best &= ~(<uint64_t>1 << k)
            if q.rank[i * WIDTH + k] < q.rank[i * WIDTH + o]:
                o = k
        if not asked >> o & 1:
            asked |= <uint64_t>1 << o
            asks[o] = 0
        asks[o] |= <uint64_t>1 << i
    while asked:
        o = lowest_bit(asked)
        asked &= asked - 1
        i = after(asks[o], grant[o])
        best = asks[o] if q.ranked else 0
        while best:
            k = after(best, grant[o])
            best &= ~(<uint64_t>1 << k)
            if q.rank[k * WIDTH + o] >> 1 < q.rank[i * WIDTH + o] >> 1:
                i = k
        won[i] = <uint8_t>o
        matched |= <uint64_t>1 << i
        moved(a, grant, accept, i, o)
    return matched


cdef inline uint64_t wavefront(const Allocator* a, Requests* q, uint8_t* diagonal, uint8_t* won) noexcept nogil:
    cdef uint64_t matched = 0, outputs = q.outputs, bits
    cdef int64_t square = max(a.n_inputs, a.n_outputs), p, i, o, rank = 0, following
    cdef bint more = q.inputs != 0, first = True
    if not more:
        return 0
    while more:                                                 # rank by rank, the most urgent first
        following, more = 0, False
        if q.ranked:
            bits = q.inputs
            while bits:
                i = lowest_bit(bits)
                bits &= bits - 1
                for o in range(a.n_outputs):
                    if q.row[i] >> o & 1 and (first or q.rank[i * WIDTH + o] > rank) \
                            and (not more or q.rank[i * WIDTH + o] < following):
                        following, more = q.rank[i * WIDTH + o], True
            if not more:
                break
            rank, first = following, False
        for p in range(square):
            bits = outputs
            while bits:
                o = lowest_bit(bits)
                bits &= bits - 1
                i = diagonal[0] + p - o
                i += square if i < 0 else (-square if i >= square else 0)
                if i < a.n_inputs and q.inputs >> i & 1 and q.row[i] >> o & 1 and not matched >> i & 1 \
                        and (not q.ranked or q.rank[i * WIDTH + o] == rank):
                    won[i] = <uint8_t>o
                    matched |= <uint64_t>1 << i
                    outputs &= ~(<uint64_t>1 << o)
    diagonal[0] = <uint8_t>(diagonal[0] + 1 if diagonal[0] + 1 < square else 0)
    return matched
