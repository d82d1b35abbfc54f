"""The floating-point arithmetic: two linear state variables, a threshold, a reset. Every NIR neuron is a case of it.

    x = sum + bias                       summed weights of the tick
    i = ai i + bi x                      synaptic current
    v = av v + (bv i + (bx x + cv))      membrane; i is the current of this tick
    then threshold and reset by `reset`:
      0  none: the neuron emits v itself every tick (leaky readouts, integrators)
      1  s = v > vth;  v = v_reset where s
      2  s = v > vth;  v = v - vth where s
      3  as snnTorch's `subtract` with reset_delay=False: r = v_old > vth; v -= r vth; s = v > vth; v -= (s - r) vth
      4  several spikes a tick: s = floor(max(v, 0) / vth);  v = v - s vth;  s is the payload
      5  s = v > vth, no reset (NIR Threshold)
    v = max(v, v_min); for `refractory` ticks after a spike v = v_reset and nothing is emitted.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel


class Affine(Kernel):
    name = "affine"
    params = {"bias": "f8", "ai": "f8", "bi": "f8", "av": "f8", "bv": "f8", "bx": "f8", "cv": "f8", "vth": "f8",
              "v_reset": "f8", "v_min": "f8", "reset": "u1", "ge": "u1", "refractory": "i4"}
    state = {"i": "f8", "v": "f8", "wait": "i4"}

    @staticmethod
    def step(s: dict, p: dict, options: dict, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance every neuron by one tick in place; return (payload float64[n], active bool[n])."""
        x = sums + p["bias"]
        active = (s["i"] != 0) | (s["v"] != 0) | (x != 0) | (p["cv"] != 0)
        v_old = s["v"].copy()
        s["i"][:] = p["ai"] * s["i"] + p["bi"] * x
        v = p["av"] * s["v"] + (p["bv"] * s["i"] + (p["bx"] * x + p["cv"]))
        held = s["wait"] > 0
        v = np.where(held, p["v_reset"], v)
        vth, reset = p["vth"], p["reset"]

        def over(v):
            return np.where(p["ge"] > 0, v >= vth, v > vth)

        emitted = over(v).astype(np.float64)
        after = np.where((reset == 1) & (emitted > 0), p["v_reset"], v)
        after = np.where(reset == 2, v - emitted * vth, after)
        r = over(v_old).astype(np.float64)
        late = v - r * vth
        s3 = over(late).astype(np.float64)
        after = np.where(reset == 3, late - (s3 - r) * vth, after)
        with np.errstate(divide="ignore", invalid="ignore"):
            s4 = np.floor(np.maximum(v, 0.0) / vth)
        s4 = np.where(reset == 4, s4, 0.0)
        after = np.where(reset == 4, v - s4 * vth, after)
        emitted = np.where(reset == 0, v, np.where(reset == 3, s3, np.where(reset == 4, s4, emitted)))
        emitted = np.where(held, 0.0, emitted)
        after = np.where(held, v, after)
        s["v"][:] = np.where(after < p["v_min"], p["v_min"], after)
        spiked = (emitted != 0) & (reset != 0)
        s["wait"][:] = np.where(spiked, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return emitted, active

    @staticmethod
    def emits_values(p: dict) -> bool:
        return bool((p["reset"] == 0).all())


kernel = Affine
