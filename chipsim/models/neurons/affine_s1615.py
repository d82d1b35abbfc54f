"""The linear neuron of affine.py in SpiNNaker's s16.15 fixed point: what its cores make of a framework's network.

    x = (exc << shift_e) - (inh << shift_i) + bias         ring buffers, 16 bits each, saturated
    i = ai i + bi x
    v = av v + (bv i + (bx x + cv))                        products rounded to nearest, sums of 32 bits
    then threshold and reset as in affine.py, resets 1 (value), 2 (subtract), 3 (snnTorch's late subtract), 5 (none)

Potentials are multiplied by a power of two, one per population, so that they use the 17 bits before the point well
(compiler/quantise_s1615.py). Receptors: exc, inh; without a name, by the sign of the weight, as positive numbers.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.lif_s1615 import ONE, buffered, fixed, product

COEFFICIENTS = ("ai", "bi", "av", "bv", "bx")
POTENTIALS = ("bias", "cv", "vth", "v_reset", "v_min")
ROOM = 8                                    # a population's largest potential is brought below 2^8 of the 2^16


class AffineS1615(Kernel):
    name = "affine_s1615"
    params = {"bias": "i4", "ai": "i4", "bi": "i4", "av": "i4", "bv": "i4", "bx": "i4", "cv": "i4", "vth": "i4",
              "v_reset": "i4", "v_min": "i4", "reset": "i4", "refractory": "i4", "shift_e": "i4", "shift_i": "i4"}
    state = {"i": "i4", "v": "i4", "wait": "i4"}
    accumulator = "i4"
    receptors = ("exc", "inh")
    by_sign = "magnitude"

    @staticmethod
    def step(s: dict, p: dict, o: dict, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = {name: p[name].astype(np.int64) for name in AffineS1615.params}
        i, old = s["i"].astype(np.int64), s["v"].astype(np.int64)
        x = buffered(sums[0], p["shift_e"]) - buffered(sums[1], p["shift_i"]) + p["bias"]
        active = (i != 0) | (old != 0) | (x != 0) | (p["cv"] != 0)
        i = product(p["ai"], i) + product(p["bi"], x)
        held, vth, reset = s["wait"] > 0, p["vth"], p["reset"]
        v = product(p["av"], old) + (product(p["bv"], i) + (product(p["bx"], x) + p["cv"]))
        v = np.where(held, p["v_reset"], v)
        over = np.where((reset == 3) & (old >= vth), v - vth, v) >= vth
        spikes = over & ~held
        after = np.where(over & (reset == 1), p["v_reset"], v)
        after = np.where(over & ((reset == 2) | (reset == 3)), v - vth, after)
        s["i"][:] = i.astype(np.int32)
        s["v"][:] = np.maximum(np.where(held, v, after), p["v_min"]).astype(np.int32)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"].astype(np.int64) - 1, 0))
        return spikes.astype(np.float64), active


kernel = AffineS1615


def registers(params: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], float]:
    """Registers of the kernel [n] but for the shifts, and the factor from the network's potentials to the chip's.

    params  of the kernel `affine`; a neuron that fires above its threshold gets the next larger one
    """
    peak = max(float(np.abs(params[name]).max(initial=0)) for name in ("vth", "v_reset"))
    scale = 2.0 ** (ROOM - np.ceil(np.log2(peak))) if peak > 0 else 1.0
    out = {name: fixed(params[name]) for name in COEFFICIENTS} | {name: fixed(params[name] * scale)
                                                                  for name in POTENTIALS}
    exact = params["vth"] * (scale * ONE)
    out["vth"] = np.where(params["ge"] > 0, np.ceil(exact), np.floor(exact) + 1).astype(np.int32)
    return out | {name: params[name].astype(np.int32) for name in ("reset", "refractory")}, scale
