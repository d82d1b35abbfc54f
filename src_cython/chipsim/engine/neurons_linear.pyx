"""Linear neurons in floating point: the compiled twin of chipsim/models/neurons/affine.py."""
from libc.math cimport floor
from libc.stdint cimport int32_t, int64_t, uint8_t

from chipsim.engine.neurons cimport Model, Slice


cdef void affine(const Model* m, const Slice* k) noexcept nogil:
    cdef const double* bias = <const double*>m.params[0]
    cdef const double* ai = <const double*>m.params[1]
    cdef const double* bi = <const double*>m.params[2]
    cdef const double* av = <const double*>m.params[3]
    cdef const double* bv = <const double*>m.params[4]
    cdef const double* bx = <const double*>m.params[5]
    cdef const double* cv = <const double*>m.params[6]
    cdef const double* threshold = <const double*>m.params[7]
    cdef const double* v_reset = <const double*>m.params[8]
    cdef const double* v_min = <const double*>m.params[9]
    cdef const uint8_t* reset = <const uint8_t*>m.params[10]
    cdef const uint8_t* at_threshold = <const uint8_t*>m.params[11]
    cdef const int32_t* refractory = <const int32_t*>m.params[12]
    cdef double* i = <double*>m.state[0]
    cdef double* vs = <double*>m.state[1]
    cdef int32_t* wait = <int32_t*>m.state[2]
    cdef const double* sums = <const double*>k.sums
    cdef int64_t n
    cdef double x, v, v_old, vth, s, r
    cdef uint8_t mode
    cdef bint held, ge
    for n in range(k.start, k.stop):
        x = sums[n] + bias[n]
        v_old = vs[n]
        k.active[n] = (i[n] != 0) | (v_old != 0) | (x != 0) | (cv[n] != 0)
        i[n] = ai[n] * i[n] + bi[n] * x
        v = av[n] * v_old + (bv[n] * i[n] + (bx[n] * x + cv[n]))
        vth, mode, ge, held = threshold[n], reset[n], at_threshold[n] > 0, wait[n] > 0
        if held:
            v = v_reset[n]
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
                    v = v_reset[n]
                elif mode == 2:
                    v = v - vth
        vs[n] = v_min[n] if v < v_min[n] else v
        k.payload[n] = s
        if s != 0 and mode != 0:
            wait[n] = refractory[n]
        elif held:
            wait[n] -= 1
