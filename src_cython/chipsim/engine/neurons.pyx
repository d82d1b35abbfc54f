"""Kernels of the neuron models (see neurons.pxd)."""
from libc.math cimport floor
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

import numpy as np


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


# ---- the kernels from Python, in place of the NumPy steps: for tests and for a look at one neuron ----

cdef void* held(dict keep, str name, array, dtype) except NULL:
    keep[name] = np.ascontiguousarray(array, dtype)
    return <void*><size_t>keep[name].ctypes.data


def loihi_step(dict s, dict p, dict o, x):
    """As LoihiLif.step: advance state `s` (int32 arrays, in place) by one tick; (spikes int64[n], active bool[n])."""
    cdef LoihiParams k
    cdef dict keep = {}
    cdef int64_t n = len(x)
    k.du = <const int32_t*>held(keep, "du", p["du"], np.int32)
    k.dv = <const int32_t*>held(keep, "dv", p["dv"], np.int32)
    k.vth = <const int32_t*>held(keep, "vth", p["vth"], np.int32)
    k.bias = <const int32_t*>held(keep, "bias", p["bias"], np.int32)
    k.refract = <const int32_t*>held(keep, "refract", p["refract"], np.int32)
    k.u = <int32_t*>held(keep, "u", s["u"], np.int32)
    k.v = <int32_t*>held(keep, "v", s["v"], np.int32)
    k.wait = <int32_t*>held(keep, "wait", s["wait"], np.int32)
    k.ds, k.dm, k.q_wrap, k.u_wrap, k.sum_wrap = o["ds"], o["dm"], o["q_wrap"], o["u_wrap"], o["sum_wrap"]
    k.vmin, k.vmax = o["vmin"], o["vmax"]
    cdef int32_t* sums = <int32_t*>held(keep, "sums", np.array(x, np.int32), np.int32)
    cdef uint8_t* active = <uint8_t*>held(keep, "active", np.zeros(n), np.uint8)
    cdef uint8_t* fired = <uint8_t*>held(keep, "fired", np.zeros(n), np.uint8)
    loihi_slice(&k, 0, n, sums, active, fired)
    for name in ("u", "v", "wait"):
        s[name][:] = keep[name]
    return keep["fired"].astype(np.int64), keep["active"].astype(bool)


def affine_step(dict s, dict p, dict o, x):
    """As Affine.step: advance state `s` (in place) by one tick; (payload float64[n], active bool[n])."""
    cdef AffineParams k
    cdef dict keep = {}
    cdef int64_t n = len(x)
    k.bias = <const double*>held(keep, "bias", p["bias"], np.float64)
    k.ai = <const double*>held(keep, "ai", p["ai"], np.float64)
    k.bi = <const double*>held(keep, "bi", p["bi"], np.float64)
    k.av = <const double*>held(keep, "av", p["av"], np.float64)
    k.bv = <const double*>held(keep, "bv", p["bv"], np.float64)
    k.bx = <const double*>held(keep, "bx", p["bx"], np.float64)
    k.cv = <const double*>held(keep, "cv", p["cv"], np.float64)
    k.vth = <const double*>held(keep, "vth", p["vth"], np.float64)
    k.v_reset = <const double*>held(keep, "v_reset", p["v_reset"], np.float64)
    k.v_min = <const double*>held(keep, "v_min", p["v_min"], np.float64)
    k.reset = <const uint8_t*>held(keep, "reset", p["reset"], np.uint8)
    k.ge = <const uint8_t*>held(keep, "ge", p["ge"], np.uint8)
    k.refractory = <const int32_t*>held(keep, "refractory", p["refractory"], np.int32)
    k.i = <double*>held(keep, "i", s["i"], np.float64)
    k.v = <double*>held(keep, "v", s["v"], np.float64)
    k.wait = <int32_t*>held(keep, "wait", s["wait"], np.int32)
    cdef double* sums = <double*>held(keep, "sums", np.array(x, np.float64), np.float64)
    cdef uint8_t* active = <uint8_t*>held(keep, "active", np.zeros(n), np.uint8)
    cdef double* payload = <double*>held(keep, "payload", np.zeros(n), np.float64)
    affine_slice(&k, 0, n, sums, active, payload)
    for name in ("i", "v", "wait"):
        s[name][:] = keep[name]
    return keep["payload"], keep["active"].astype(bool)
