"""Loihi's neurons: the compiled twin of chipsim/models/neurons/loihi_lif.py."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from chipsim.engine.bits cimport wide_void
from chipsim.engine.neurons cimport Model, Slice


cdef enum:
    LARGE = 1 << 24
    BLOCK = 256


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


cdef bint narrow(const Model* m, const Slice* s) noexcept nogil:
    """All of the slice's arithmetic fits 32 bits: it wraps at 23 bits, and what it starts from is no larger."""
    cdef const int32_t* du = <const int32_t*>m.params[0]
    cdef const int32_t* dv = <const int32_t*>m.params[1]
    cdef const int32_t* vs = <const int32_t*>m.state[1]
    cdef int64_t n
    cdef int32_t large = 0
    for n in range(2, 5):
        if not 0 < m.options[n] < 24:
            return False
    if m.options[5] < -LARGE or m.options[6] > LARGE or not 0 <= m.options[0] <= 1 or not 0 <= m.options[1] <= 1:
        return False
    or_of(du + s.start, dv + s.start, vs + s.start, s.stop - s.start, &large)
    return <uint32_t>large < 2 * LARGE


cdef wide_void or_of(const int32_t* du, const int32_t* dv, const int32_t* vs, int64_t n, int32_t* bits) noexcept nogil:
    cdef int64_t k
    cdef int32_t all_bits = 0
    for k in range(n):
        all_bits |= (vs[k] ^ (vs[k] >> 31)) | (du[k] << 12) | (dv[k] << 12)       # negative ones set the highest bits
    bits[0] = all_bits


cdef inline int32_t decay32(int32_t x, int32_t keep) noexcept nogil:
    """As decay, |x| taken apart at bit 12 so that no product is longer than 32 bits."""
    cdef uint32_t size = <uint32_t>(x if x >= 0 else -x)
    cdef int32_t y = <int32_t>((size >> 12) * <uint32_t>keep) + (<int32_t>(size & 4095) * keep >> 12)
    return y if x >= 0 else -y


cdef wide_void lif32(const Model* m, const Slice* s, int64_t start, int64_t size) noexcept nogil:
    """The step of a block on 32 bits, without branches. Results go through blocks of their own: nothing overlaps, and
    the compiler makes vectors of it (a tick takes 1 ns a neuron instead of 4.6; bench.py engine).
    """
    cdef const int32_t* du = <const int32_t*>m.params[0] + start
    cdef const int32_t* dv = <const int32_t*>m.params[1] + start
    cdef const int32_t* vth = <const int32_t*>m.params[2] + start
    cdef const int32_t* bias = <const int32_t*>m.params[3] + start
    cdef const int32_t* refract = <const int32_t*>m.params[4] + start
    cdef int32_t* us = <int32_t*>m.state[0] + start
    cdef int32_t* vs = <int32_t*>m.state[1] + start
    cdef int32_t* wait = <int32_t*>m.state[2] + start
    cdef const int32_t* sums = <const int32_t*>s.sums + start
    cdef int32_t[BLOCK] new_u, new_v, new_wait
    cdef uint8_t[BLOCK] active
    cdef double[BLOCK] payload
    cdef int32_t keep_u = 4096 - <int32_t>m.options[0], keep_v = 4096 - <int32_t>m.options[1]
    cdef uint32_t mq = <uint32_t>1 << <int32_t>m.options[2], mu = <uint32_t>1 << <int32_t>m.options[3]
    cdef uint32_t ms = <uint32_t>1 << <int32_t>m.options[4]
    cdef int32_t vmin = <int32_t>m.options[5], vmax = <int32_t>m.options[6]
    cdef int64_t n
    cdef int32_t u, v, rest, spike
    cdef uint32_t x
    for n in range(size):
        x = ((<uint32_t>sums[n] << 6) + mq & 2 * mq - 1) - mq
        x = <uint32_t>decay32(us[n], keep_u - du[n]) + x
        u = <int32_t>((x + mu & 2 * mu - 1) - mu)
        x = (<uint32_t>u + <uint32_t>bias[n] + ms & 2 * ms - 1) - ms
        v = decay32(vs[n], keep_v - dv[n]) + <int32_t>x
        v = vmin if v < vmin else v
        v = vmax if v > vmax else v
        v = 0 if wait[n] > 0 else v
        spike = v > vth[n]
        rest = (refract[n] if spike else wait[n]) - 1
        new_u[n] = u
        new_v[n] = 0 if spike else v
        new_wait[n] = rest if rest > 0 else 0
        payload[n] = spike
        active[n] = (us[n] | vs[n] | sums[n] | bias[n]) != 0
    memcpy(us, new_u, size * sizeof(int32_t))
    memcpy(vs, new_v, size * sizeof(int32_t))
    memcpy(wait, new_wait, size * sizeof(int32_t))
    memcpy(s.active + start, active, size)
    memcpy(s.payload + start, payload, size * sizeof(double))


cdef void loihi_lif(const Model* m, const Slice* s) noexcept nogil:
    cdef int64_t start = s.start
    if not narrow(m, s):
        lif64(m, s)
        return
    while start < s.stop:
        lif32(m, s, start, BLOCK if s.stop - start > BLOCK else s.stop - start)
        start += BLOCK


cdef void lif64(const Model* m, const Slice* s) noexcept nogil:
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
