"""Leaky integrate-and-fire with two exponential synaptic conductances (COBA).

    c v' = g_leak (v_leak - v) + g_exc (e_exc - v) + g_inh (e_inh - v) + i_e
    tau_exc g_exc' = -g_exc,  tau_inh g_inh' = -g_inh;   a spike adds its weight to one of them
    spike when v > v_threshold;  then v = v_reset, and v stands still for `refractory`

Units of NEST: mV, pF, nS, pA, times in seconds. Receptors exc, inh; without a name, negative weights go to inh as
positive conductances. Integrated by exponential Euler, exact while the conductances hold still, which is the whole
tick here (Brian2's `exponential_euler`; MacGregor 1987); inputs act from the next tick on.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, positive, read, rest_ticks, seconds, ticks_of
from chipsim.models.numerics import exp
from chipsim.network.graph import Population

parameters = {
    "c": positive("pF", 250.0, "capacitance of the membrane"),
    "g_leak": positive("nS", 16.6667, "leak conductance"),
    "v_leak": Parameter("mV", -70.0, doc="resting potential"),
    "e_exc": Parameter("mV", 0.0, doc="reversal potential"),
    "e_inh": Parameter("mV", -85.0, doc="reversal potential"),
    "i_e": Parameter("pA", 0.0, doc="constant input"),
    "tau_exc": seconds(0.0002, "decay of the conductance"),
    "tau_inh": seconds(0.002, "decay of the conductance"),
    "v_threshold": Parameter("mV", -55.0, doc="threshold"),
    "v_reset": Parameter("mV", -60.0, doc="potential after a spike"),
    "refractory": Parameter("s", 0.002, low=0, doc="rest after a spike"),
}
options: dict[str, tuple] = {}
spiking = True


class IafCond(Kernel):
    name = "iaf_cond"
    params = {"rate": "f8", "g_leak": "f8", "drive": "f8", "e_exc": "f8", "e_inh": "f8", "ae": "f8", "ai": "f8",
              "vth": "f8", "v_reset": "f8", "v0": "f8", "refractory": "i4"}
    state = {"v": "f8", "g_exc": "f8", "g_inh": "f8", "wait": "i4"}
    initial = {"v": "v0"}
    receptors = ("exc", "inh")
    by_sign = "magnitude"

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free = s["wait"] == 0
        g_exc, g_inh = s["g_exc"], s["g_inh"]
        g = p["g_leak"] + g_exc + g_inh
        target = (p["drive"] + g_exc * p["e_exc"] + g_inh * p["e_inh"]) / g
        v = np.where(free, target + (s["v"] - target) * exp(-g * p["rate"]), s["v"])
        s["g_exc"][:] = g_exc * p["ae"] + x[0]
        s["g_inh"][:] = g_inh * p["ai"] + x[1]
        spikes = (v >= p["vth"]) & free
        s["v"][:] = np.where(spikes, p["v_reset"], v)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return spikes.astype(np.float64), s["v"] == s["v"]


kernel = IafCond


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    return {
        "rate": dt * 1e3 / p["c"],
        "g_leak": p["g_leak"],
        "drive": p["g_leak"] * p["v_leak"] + p["i_e"],
        "e_exc": p["e_exc"],
        "e_inh": p["e_inh"],
        "ae": np.exp(-dt / p["tau_exc"]),
        "ai": np.exp(-dt / p["tau_inh"]),
        "vth": p["v_threshold"],
        "v_reset": p["v_reset"],
        "v0": p["v_leak"],
        "refractory": rest_ticks(population, p["refractory"], dt),
    }
