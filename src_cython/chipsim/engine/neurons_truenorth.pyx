"""TrueNorth's neuron: the compiled twin of chipsim/models/neurons/truenorth.py."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from chipsim.engine.draws cimport draw
from chipsim.engine.neurons cimport Model, Slice


cdef enum:                      # parameters, in the order of the kernel
    S = 0
    B = 4
    LAM = 8
    C = 9
    EPSILON = 10
    ALPHA = 11
    BETA = 12
    TM = 13
    GAMMA = 14
    KAPPA = 15
    R = 16


cdef inline int64_t sign(int64_t x) noexcept nogil:
    return (x > 0) - (x < 0)


cdef inline int64_t size(int64_t x) noexcept nogil:
    return x if x >= 0 else -x


cdef inline int64_t at(const Model* m, int i, int64_t n) noexcept nogil:
    return (<const int32_t*>m.params[i])[n]


cdef int64_t hits(const Model* m, const Slice* s, uint32_t neuron, int g, int64_t count, int64_t weight) noexcept nogil:
    """Of `count` spikes of type g, how many draw a rho of at most |weight|; 16 bytes to a block."""
    cdef uint32_t[4] words
    cdef int64_t k, n = 0
    for k in range(count):
        if k % 16 == 0:
            draw(words, m.seed, s.tick, neuron, s.stream, <uint32_t>(1 + 64 * g + k // 16))
        n += (words[k % 16 // 4] >> (8 * (k % 4)) & 255) <= size(weight)
    return n


cdef void truenorth(const Model* m, const Slice* s) noexcept nogil:
    cdef int32_t* vs = <int32_t*>m.state[0]
    cdef const int32_t* sums = <const int32_t*>s.sums
    cdef uint32_t[4] words
    cdef int64_t n, v, x, weight, lam, eta, high, low, gamma
    cdef bint spike, any_input
    cdef uint32_t neuron
    cdef int g
    for n in range(s.start, s.stop):
        v, lam, eta, any_input = vs[n], at(m, LAM, n), 0, False
        neuron = s.first + <uint32_t>(n - s.start)
        spike = v != 0 or lam != 0
        for g in range(4):
            x, weight = sums[g * s.n + n], at(m, S + g, n)
            if x == 0:
                continue
            any_input = True
            if at(m, B + g, n):
                v += hits(m, s, neuron, g, x, weight) * sign(weight)
            else:
                v += x * weight
        s.active[n] = spike or any_input
        if at(m, C, n) or at(m, TM, n):
            draw(words, m.seed, s.tick, neuron, s.stream, 0)
            if at(m, C, n):
                lam = (size(lam) >= <int64_t>(words[0] & 255)) * sign(lam)
            if at(m, TM, n):
                eta = <int64_t>(words[1] & ((<uint32_t>1 << at(m, TM, n)) - 1))
        v += (sign(v) if at(m, EPSILON, n) else 1) * lam
        high, low, gamma = at(m, ALPHA, n) + eta, at(m, BETA, n) + eta, at(m, GAMMA, n)
        spike = v >= high
        if spike:
            if gamma == 0:
                v = at(m, R, n)
            elif gamma == 1:
                v -= high
        elif at(m, KAPPA, n):
            if v < -at(m, BETA, n):
                v = -at(m, BETA, n)
        elif v < -low:
            if gamma == 0:
                v = -at(m, R, n)
            elif gamma == 1:
                v += low
        vs[n] = <int32_t>v
        s.payload[n] = spike
