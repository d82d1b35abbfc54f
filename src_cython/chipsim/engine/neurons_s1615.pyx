"""SpiNNaker's LIF in s16.15: the compiled twin of chipsim/models/neurons/lif_s1615.py."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from chipsim.engine.bits cimport wide_void
from chipsim.engine.neurons cimport Model, Slice


cdef enum:
    HALF = 1 << 14
    LARGEST = 0xFFFF                # of a ring buffer
    BLOCK = 256


cdef inline int64_t product(int64_t a, int64_t b) noexcept nogil:
    """Of two s16.15 numbers, rounded to nearest."""
    return (a * b + HALF) >> 15


cdef inline int32_t decayed(int32_t i, int32_t keep, int32_t x, int32_t shift, int32_t init) noexcept nogil:
    """A synaptic current a tick later, with what comes in from its ring buffer."""
    cdef int64_t buffer = x if x < LARGEST else LARGEST
    return <int32_t>((<int64_t>i * <uint32_t>keep >> 32) + product(<int64_t>(<uint64_t>buffer << shift), init))


cdef wide_void block(const Model* m, const Slice* s, int64_t start, int64_t size) noexcept nogil:
    """Results go through blocks of their own: nothing overlaps, and the compiler makes vectors of it."""
    cdef const int32_t* exp_tc = <const int32_t*>m.params[0] + start
    cdef const int32_t* r_membrane = <const int32_t*>m.params[1] + start
    cdef const int32_t* v_rest = <const int32_t*>m.params[2] + start
    cdef const int32_t* v_reset = <const int32_t*>m.params[3] + start
    cdef const int32_t* v_thresh = <const int32_t*>m.params[4] + start
    cdef const int32_t* i_offset = <const int32_t*>m.params[5] + start
    cdef const int32_t* decay_e = <const int32_t*>m.params[6] + start
    cdef const int32_t* decay_i = <const int32_t*>m.params[7] + start
    cdef const int32_t* init_e = <const int32_t*>m.params[8] + start
    cdef const int32_t* init_i = <const int32_t*>m.params[9] + start
    cdef const int32_t* shift_e = <const int32_t*>m.params[10] + start
    cdef const int32_t* shift_i = <const int32_t*>m.params[11] + start
    cdef const int32_t* refractory = <const int32_t*>m.params[12] + start
    cdef int32_t* vs = <int32_t*>m.state[0] + start
    cdef int32_t* exc = <int32_t*>m.state[1] + start
    cdef int32_t* inh = <int32_t*>m.state[2] + start
    cdef int32_t* wait = <int32_t*>m.state[3] + start
    cdef const int32_t* x_exc = <const int32_t*>s.sums + start
    cdef const int32_t* x_inh = x_exc + s.n
    cdef int32_t[BLOCK] new_v, new_exc, new_inh, new_wait
    cdef uint8_t[BLOCK] active
    cdef double[BLOCK] payload
    cdef int64_t n, v, alpha, rest
    cdef int32_t spike
    for n in range(size):
        active[n] = (vs[n] != v_rest[n]) | ((exc[n] | inh[n] | x_exc[n] | x_inh[n] | i_offset[n]) != 0)
        alpha = product(<int64_t>exc[n] - inh[n] + i_offset[n], r_membrane[n]) + v_rest[n]
        v = vs[n] if wait[n] > 0 else alpha - product(exp_tc[n], alpha - vs[n])
        spike = (wait[n] <= 0) & (v >= v_thresh[n])
        rest = <int64_t>wait[n] - 1
        rest = rest if rest > 0 else 0
        new_v[n] = v_reset[n] if spike else <int32_t>v
        new_wait[n] = refractory[n] if spike else <int32_t>rest
        new_exc[n] = decayed(exc[n], decay_e[n], x_exc[n], shift_e[n], init_e[n])
        new_inh[n] = decayed(inh[n], decay_i[n], x_inh[n], shift_i[n], init_i[n])
        payload[n] = spike
    memcpy(vs, new_v, size * sizeof(int32_t))
    memcpy(exc, new_exc, size * sizeof(int32_t))
    memcpy(inh, new_inh, size * sizeof(int32_t))
    memcpy(wait, new_wait, size * sizeof(int32_t))
    memcpy(s.active + start, active, size)
    memcpy(s.payload + start, payload, size * sizeof(double))


cdef void lif_s1615(const Model* m, const Slice* s) noexcept nogil:
    cdef int64_t start = s.start
    while start < s.stop:
        block(m, s, start, BLOCK if s.stop - start > BLOCK else s.stop - start)
        start += BLOCK
