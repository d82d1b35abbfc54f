"""Loihi's neurons: the compiled twin of chipsim/models/neurons/loihi_lif.py."""
from libc.stdint cimport int32_t, int64_t

from chipsim.engine.neurons cimport Model, Slice


cdef inline int64_t decay(int64_t x, int64_t d) noexcept nogil:
    return (x * (4096 - d)) >> 12 if x >= 0 else -((-x * (4096 - d)) >> 12)


cdef inline int64_t wrap(int64_t x, int64_t bits) noexcept nogil:
    """Two's complement to `bits` bits and a sign; -1: Lava's at 23 bits."""
    cdef int64_t m
    if bits == 0:
        return x
    if bits > 0:
        m = <int64_t>1 << bits
        return ((x + m) & ((m << 1) - 1)) - m
    m = <int64_t>1 << 23
    if x > m:
        x -= 2 * m
    if x <= -m:
        x += 2 * m
    return x


cdef void loihi_lif(const Model* m, const Slice* s) noexcept nogil:
    cdef const int32_t* du = <const int32_t*>m.params[0]
    cdef const int32_t* dv = <const int32_t*>m.params[1]
    cdef const int32_t* vth = <const int32_t*>m.params[2]
    cdef const int32_t* bias = <const int32_t*>m.params[3]
    cdef const int32_t* refract = <const int32_t*>m.params[4]
    cdef int32_t* us = <int32_t*>m.state[0]
    cdef int32_t* vs = <int32_t*>m.state[1]
    cdef int32_t* wait = <int32_t*>m.state[2]
    cdef int64_t ds = <int64_t>m.options[0], dm = <int64_t>m.options[1], q_wrap = <int64_t>m.options[2]
    cdef int64_t u_wrap = <int64_t>m.options[3], sum_wrap = <int64_t>m.options[4]
    cdef int64_t vmin = <int64_t>m.options[5], vmax = <int64_t>m.options[6]
    cdef const int32_t* sums = <const int32_t*>s.sums
    cdef int64_t n, q, u, v
    cdef bint spike
    for n in range(s.start, s.stop):
        s.active[n] = (us[n] | vs[n] | sums[n] | bias[n]) != 0
        q = wrap(<int64_t>sums[n] * 64, q_wrap)
        u = wrap(decay(us[n], du[n] + ds) + q, u_wrap)
        v = decay(vs[n], dv[n] + dm) + wrap(u + bias[n], sum_wrap)
        if v < vmin:
            v = vmin
        if v > vmax:
            v = vmax
        if wait[n] > 0:
            v = 0
        spike = v > vth[n]
        us[n] = <int32_t>u
        vs[n] = 0 if spike else <int32_t>v
        if spike:
            wait[n] = refract[n] - 1 if refract[n] > 1 else 0
        elif wait[n] > 0:
            wait[n] -= 1
        s.payload[n] = spike
