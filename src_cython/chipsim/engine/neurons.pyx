"""Kernels of the neuron models (see neurons.pxd)."""
from libc.math cimport floor
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset


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


cdef void loihi_slice(LoihiParams* p, int64_t start, int64_t stop, int32_t* sums, uint8_t* active,
                      uint8_t* fired) noexcept nogil:
    cdef int64_t n, q, u, v
    cdef bint spike
    for n in range(start, stop):
        active[n] = (p.u[n] | p.v[n] | sums[n] | p.bias[n]) != 0
        q = wrap(<int64_t>sums[n] * 64, p.q_wrap)
        u = wrap(decay(p.u[n], p.du[n] + p.ds) + q, p.u_wrap)
        v = decay(p.v[n], p.dv[n] + p.dm) + wrap(u + p.bias[n], p.sum_wrap)
        if v < p.vmin:
            v = p.vmin
        if v > p.vmax:
            v = p.vmax
        if p.wait[n] > 0:
            v = 0
        spike = v > p.vth[n]
        p.u[n] = <int32_t>u
        p.v[n] = 0 if spike else <int32_t>v
        if spike:
            p.wait[n] = p.refract[n] - 1 if p.refract[n] > 1 else 0
        elif p.wait[n] > 0:
            p.wait[n] -= 1
        fired[n] = spike
    memset(sums + start, 0, <size_t>(stop - start) * sizeof(int32_t))


cdef void affine_slice(AffineParams* p, int64_t start, int64_t stop, double* sums, uint8_t* active,
                       double* payload) noexcept nogil:
    cdef int64_t n
    cdef double x, v, v_old, vth, s, r
    cdef uint8_t mode
    cdef bint held, ge
    for n in range(start, stop):
        x = sums[n] + p.bias[n]
        v_old = p.v[n]
        active[n] = (p.i[n] != 0) | (v_old != 0) | (x != 0) | (p.cv[n] != 0)
        p.i[n] = p.ai[n] * p.i[n] + p.bi[n] * x
        v = p.av[n] * v_old + (p.bv[n] * p.i[n] + (p.bx[n] * x + p.cv[n]))
        vth, mode, ge, held = p.vth[n], p.reset[n], p.ge[n] > 0, p.wait[n] > 0
        if held:
            v = p.v_reset[n]
            s = 0
        elif mode == 0:
            s = v
        elif mode == 3:
            r = (v_old >= vth) if ge else (v_old > vth)
            v = v - r * vth
            s = (v >= vth) if ge else (v > vth)
            v = v - (s - r) * vth
        elif mode == 4:
            s = floor((v if v > 0 else 0.0) / vth)
            v = v - s * vth
        else:
            s = (v >= vth) if ge else (v > vth)
            if s != 0:
                if mode == 1:
                    v = p.v_reset[n]
                elif mode == 2:
                    v = v - vth
        p.v[n] = p.v_min[n] if v < p.v_min[n] else v
        payload[n] = s
        if s != 0 and mode != 0:
            p.wait[n] = p.refractory[n]
        elif held:
            p.wait[n] -= 1
        sums[n] = 0
