"""Leaky integrate-and-fire as analogue circuits compute it: exponential synaptic currents, a membrane, a comparator,
and noise.

    i_exc = ae i_exc + x_exc;   i_inh = ai i_inh + x_inh             x: weights that arrive in this step
    v = av v + ge i_exc + gi i_inh + he x_exc + hi x_inh + cv + noise n
    v >= vth: spike;  v = v_reset, and stays there for `refractory` steps

n is normal with variance 1, drawn per neuron and step. The potential's own fluctuation is then noise / sqrt(1 - av^2).
Parameters are per neuron, since no two circuits are alike (compiler/mismatch.py).
"""
from __future__ import annotations

import numpy as np

from chipsim.models.draws import Draws, normal
from chipsim.models.kernels import Kernel


class AnalogLif(Kernel):
    name = "analog_lif"
    params = {"ae": "f8", "ai": "f8", "av": "f8", "ge": "f8", "gi": "f8", "he": "f8", "hi": "f8", "cv": "f8",
              "vth": "f8", "v_reset": "f8", "v0": "f8", "noise": "f8", "refractory": "i4"}
    state = {"v": "f8", "i_exc": "f8", "i_inh": "f8", "wait": "i4"}
    initial = {"v": "v0"}
    receptors = ("exc", "inh")
    by_sign = "signed"
    random = True

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        free = s["wait"] == 0
        i_exc, i_inh = p["ae"] * s["i_exc"] + x[0], p["ai"] * s["i_inh"] + x[1]
        current = p["ge"] * i_exc + p["gi"] * i_inh + (p["he"] * x[0] + p["hi"] * x[1])
        v = p["av"] * s["v"] + current + (p["cv"] + p["noise"] * normal(draws.words(len(s["v"]), 0)))
        v = np.where(free, v, p["v_reset"])
        spikes = (v >= p["vth"]) & free
        s["i_exc"][:], s["i_inh"][:] = i_exc, i_inh
        s["v"][:] = np.where(spikes, p["v_reset"], v)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return spikes.astype(np.float64), s["v"] == s["v"]


kernel = AnalogLif
