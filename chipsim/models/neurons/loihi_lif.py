"""Loihi's integer neuron: current-based leaky integrate-and-fire, bit for bit.

    q = a_in                                               a_in: summed weights of the tick, in units of 2^6
    u = sgn(u) (|u| (4096 - du - ds) >> 12) + q            decayed value truncated toward zero; 23 bit + sign
    v = sgn(v) (|v| (4096 - dv - dm) >> 12) + u + bias     clipped to [vmin, vmax]; 0 while refractory
    spike iff v > vth (strictly); then v = 0, and refract - 1 ticks of rest

Davies et al. 2018, eq. 1-3, with the orders of operation of three emulators as profiles; they differ in wraps, in the
decay offset ds and in saturation (compare nengo-loihi 1.1 `CompartmentState`, Lava 0.10 `PyLifModelBitAcc`,
Brian2Loihi). `loihi` is nengo-loihi's, which models the registers most completely: wraps at 21 and 23 bits, saturates
v at 23 bits.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel

#          ds: offset of the u decay   dm: offset of the v decay   *_wrap: bits besides the sign, 0 = none, -1 = Lava's
PROFILES: dict[str, dict[str, int]] = {
    "loihi": dict(ds=1, dm=0, q_wrap=21, u_wrap=23, sum_wrap=23, vmin=-(2**23) + 1, vmax=2**23 - 1),
    "nengo": dict(ds=1, dm=0, q_wrap=21, u_wrap=23, sum_wrap=23, vmin=-(2**23) + 1, vmax=2**23 - 1),
    "lava": dict(ds=1, dm=0, q_wrap=0, u_wrap=-1, sum_wrap=0, vmin=-(2**23) + 1, vmax=2**23 - 1),
    "brian2loihi": dict(ds=0, dm=0, q_wrap=0, u_wrap=0, sum_wrap=0, vmin=-(2**31) + 1, vmax=2**31 - 1),
}


def decay(x: np.ndarray, d: np.ndarray) -> np.ndarray:
    """sgn(x) * (|x| * (4096 - d) >> 12), for d in 0..4096."""
    x = x.astype(np.int64)
    return np.sign(x) * ((np.abs(x) * (4096 - d)) >> 12)


def wrap(x: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement to `bits` bits and a sign; 0: no wrap; -1: Lava's at 23 bits, which leaves +2^23 alone."""
    if bits == 0:
        return x
    if bits > 0:
        m = np.int64(1) << bits
        return ((x + m) & ((m << 1) - 1)) - m
    m = np.int64(1) << 23
    x = np.where(x > m, x - 2 * m, x)
    return np.where(x <= -m, x + 2 * m, x)


class LoihiLif(Kernel):
    name = "loihi_lif"
    params = {"du": "i4", "dv": "i4", "vth": "i4", "bias": "i4", "refract": "i4"}
    state = {"u": "i4", "v": "i4", "wait": "i4"}
    accumulator = "i4"
    mantissas = True
    options = PROFILES["loihi"]

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance every neuron by one tick in place; return (spikes int64[n], active bool[n]).

        x       int32[n], summed weights in units of 2^6
        active  the neuron had state, input or bias
        """
        active = (s["u"] != 0) | (s["v"] != 0) | (x != 0) | (p["bias"] != 0)
        q = wrap(x.astype(np.int64) << 6, o["q_wrap"])
        u = wrap(decay(s["u"], p["du"] + o["ds"]) + q, o["u_wrap"])
        total = wrap(u + p["bias"], o["sum_wrap"])
        v = np.clip(decay(s["v"], p["dv"] + o["dm"]) + total, o["vmin"], o["vmax"])
        v = np.where(s["wait"] > 0, 0, v)
        spikes = v > p["vth"]
        s["u"][:] = u
        s["v"][:] = np.where(spikes, 0, v)
        s["wait"][:] = np.maximum(np.where(spikes, p["refract"], s["wait"]) - 1, 0)
        return spikes.astype(np.int64), active


kernel = LoihiLif
