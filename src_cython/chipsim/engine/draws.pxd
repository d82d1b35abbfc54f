"""Philox 4x32-10: the compiled twin of chipsim/models/draws.py."""
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t


cdef inline void philox(uint32_t* c, uint64_t seed) noexcept nogil:
    """Replace the four counter words by four random words."""
    cdef uint32_t k0 = <uint32_t>seed, k1 = <uint32_t>(seed >> 32)
    cdef uint64_t a, b
    cdef int _round
    for _round in range(10):
        a = <uint64_t>0xD2511F53 * c[0]
        b = <uint64_t>0xCD9E8D57 * c[2]
        c[0] = <uint32_t>(b >> 32) ^ c[1] ^ k0
        c[1] = <uint32_t>b
        c[2] = <uint32_t>(a >> 32) ^ c[3] ^ k1
        c[3] = <uint32_t>a
        k0 += <uint32_t>0x9E3779B9
        k1 += <uint32_t>0xBB67AE85


cdef inline void draw(uint32_t* words, uint64_t seed, uint32_t tick, uint32_t neuron, uint32_t stream,
                      uint32_t block) noexcept nogil:
    """words[4] of a neuron of a population (the stream) in a tick."""
    words[0], words[1], words[2], words[3] = tick, neuron, stream, block
    philox(words, seed)


cdef inline void draw_eights(uint16_t* out, const uint32_t* eights, int64_t n, uint64_t seed, uint32_t tick,
                             uint32_t stream, uint32_t block) noexcept nogil:
    """out[8 n]: the numbers 8 e to 8 e + 7 of each e of `eights` [n], as draws.short_draws counts them.

    0.7 ns a number, 5 ns where one of the eight is wanted; sixteen counters side by side are no faster without AVX2.
    """
    cdef int64_t k
    cdef int w
    cdef uint32_t words[4]
    for k in range(n):
        draw(words, seed, tick, eights[k], stream, block)
        for w in range(4):
            out[8 * k + 2 * w], out[8 * k + 2 * w + 1] = <uint16_t>words[w], <uint16_t>(words[w] >> 16)
