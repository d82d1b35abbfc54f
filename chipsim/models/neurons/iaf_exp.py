"""Leaky integrate-and-fire with two exponential synaptic currents (CUBA), solved exactly between ticks.

    tau v' = (v_leak - v) + r (i_e + i_exc + i_inh)
    tau_exc i_exc' = -i_exc,  tau_inh i_inh' = -i_inh;   a spike adds its weight to one of them
    spike when v > v_threshold;  then v = v_reset, and v stands still for `refractory`

Receptors: exc, inh; without a name, by the sign of the weight, which it keeps. Both conventions have an input act on
the potential from the next tick on.

convention   nest     iaf_psc_exp (Rotter and Diesmann 1999; r = tau / C): fires at v >= threshold
             brian2   method exact: fires at v > threshold; of a refractory period of n ticks, the spike's own is the
                      first
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import TAU, V_LEAK, Parameter, R, mixed, read, rest_ticks, ticks_of
from chipsim.network.graph import Population

parameters = {
    "tau": TAU,
    "tau_exc": TAU,
    "tau_inh": TAU,
    "v_leak": V_LEAK,
    "r": R,
    "i_e": Parameter("", 0.0, doc="constant input"),
    "v_threshold": Parameter("", 1.0, doc="threshold"),
    "v_reset": Parameter("", 0.0, doc="potential after a spike"),
    "v_init": Parameter("", 0.0, doc="potential at the start; v_leak where it is not given"),
    "refractory": Parameter("s", 0.0, low=0, doc="rest after a spike"),
}
options = {"convention": ("nest", "brian2")}
spiking = True


class IafExp(Kernel):
    name = "iaf_exp"
    params = {"av": "f8", "cv": "f8", "ke": "f8", "ki": "f8", "ae": "f8", "ai": "f8", "vth": "f8", "v_reset": "f8",
              "v0": "f8", "refractory": "i4"}
    state = {"v": "f8", "i_exc": "f8", "i_inh": "f8", "wait": "i4"}
    initial = {"v": "v0"}
    receptors = ("exc", "inh")
    by_sign = "signed"
    options = {"above": False}

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free = s["wait"] == 0
        i_exc, i_inh = s["i_exc"], s["i_inh"]
        active = (s["v"] != 0) | (i_exc != 0) | (i_inh != 0) | (x[0] != 0) | (x[1] != 0) | (p["cv"] != 0)
        v = np.where(free, p["av"] * s["v"] + p["cv"] + i_exc * p["ke"] + i_inh * p["ki"], s["v"])
        s["i_exc"][:] = i_exc * p["ae"] + x[0]
        s["i_inh"][:] = i_inh * p["ai"] + x[1]
        spikes = (v > p["vth"] if o["above"] else v >= p["vth"]) & free
        s["v"][:] = np.where(spikes, p["v_reset"], v)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return spikes.astype(np.float64), active


kernel = IafExp


def kernel_options(population: Population) -> dict[str, object]:
    return {"above": population.options.get("convention") == "brian2"}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    start = p["v_init"] if "v_init" in population.params else p["v_leak"]
    return {"av": np.exp(-dt / p["tau"]), "cv": -np.expm1(-dt / p["tau"]) * (p["v_leak"] + p["r"] * p["i_e"]),
            "ke": p["r"] * mixed(p["tau_exc"], p["tau"], dt), "ki": p["r"] * mixed(p["tau_inh"], p["tau"], dt),
            "ae": np.exp(-dt / p["tau_exc"]), "ai": np.exp(-dt / p["tau_inh"]), "vth": p["v_threshold"],
            "v_reset": p["v_reset"], "v0": start, "refractory": rest_ticks(population, p["refractory"], dt)}


def values_of(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """The parameters themselves [size]; the compiler makes registers of `lif_s1615` or circuits of them, with the
    weights."""
    return read(population, parameters)


arithmetics = {"iaf_exp": discretise, "lif_s1615": values_of, "analog_lif": values_of}
