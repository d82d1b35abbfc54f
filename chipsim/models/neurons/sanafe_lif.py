"""Leaky integrate-and-fire with a coarse potential, as SANA-FE's model of Loihi's soma computes it.

    v *= leak (not in the first tick);  v = trunc(64 v) / 64, toward zero
    v += i_e + x, unless refractory;   spike when v > v_threshold, then v = v_reset

Boyle et al., IEEE TCAD 2025, SANA-FE 2.2.9. A neuron counts as updated in every tick in which its potential is not 0
before the step, or it has input, constant or not, or `force` is set. Input whose weights add up to 0 does not make a
neuron active here; in SANA-FE it does.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read
from chipsim.network.graph import Population

parameters = {
    "v_threshold": Parameter("", None, doc="a spike is above it"),
    "v_reset": Parameter("", 0.0, doc="potential after a spike"),
    "i_e": Parameter("", 0.0, doc="added in every tick"),
    "v_init": Parameter("", 0.0, doc="potential at the start"),
    "leak": Parameter("", 1.0, doc="factor of the potential in a tick"),
    "refractory": Parameter("ticks", 0, low=0, integer=True, doc="ticks after a spike without bias and input"),
    "force": Parameter("", 0, low=0, high=1, integer=True, doc="updated in every tick, whatever happens"),
}
options: dict[str, tuple] = {}
spiking = True
STEPS = 64.0                                      # of the potential per unit


class SanafeLif(Kernel):
    name = "sanafe_lif"
    params = {"v_threshold": "f8", "v_reset": "f8", "i_e": "f8", "v_init": "f8", "leak": "f8", "refractory": "i4",
              "force": "i4"}
    state = {"v": "f8", "wait": "i4", "begun": "i4"}
    initial = {"v": "v_init"}

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        active = (s["v"] != 0) | (x != 0) | (p["i_e"] != 0) | (p["force"] != 0)
        v = s["v"] * np.where(s["begun"] != 0, p["leak"], 1.0)
        v = np.sign(v) * np.floor(np.abs(v) * STEPS) / STEPS
        v = np.where(s["wait"] > 0, v, v + (p["i_e"] + x))
        spikes = v > p["v_threshold"]
        s["v"][:] = np.where(spikes, p["v_reset"], v)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        s["begun"][:] = np.where(s["begun"] == 0, 1, s["begun"])
        return spikes.astype(np.float64), active


kernel = SanafeLif


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size]; dt plays no part."""
    p = read(population, parameters)
    return {name: p[name].astype(dtype) for name, dtype in SanafeLif.params.items()}
