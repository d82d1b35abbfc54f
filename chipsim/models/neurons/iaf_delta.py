"""Leaky integrate-and-fire with delta synapses, solved exactly between ticks; the threshold may adapt.

    tau v' = (v_leak - v) + r i_e;   a spike adds its weight to v
    spike when v > v_threshold + theta;  then v = v_reset (or minus the threshold) and theta += threshold_step
    tau_threshold theta' = -theta
    for `refractory` after a spike v stands still and input is lost

convention   nest     iaf_psc_delta (Rotter and Diesmann 1999): input acts before the threshold test; fires at v >=
                      threshold
             brian2   a `LIF` with method exact: input acts after the test, and is lost in the tick of a spike; fires at
                      v > threshold; of a refractory period of n ticks, the spike's own tick is the first
reset        value (v_reset) | subtract (the threshold)
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import TAU, V_LEAK, Parameter, R, read, rest_ticks, ticks_of
from chipsim.network.graph import Population

parameters = {
    "tau": TAU, "v_leak": V_LEAK, "r": R, "i_e": Parameter("", 0.0, doc="constant input"),
    "v_threshold": Parameter("", 1.0, doc="threshold"),
    "v_reset": Parameter("", 0.0, doc="potential after a spike"),
    "refractory": Parameter("s", 0.0, low=0, doc="rest after a spike"),
    "tau_threshold": Parameter("s", 1.0, above=0, doc="time constant of the threshold's adaptation"),
    "threshold_step": Parameter("", 0.0, doc="rise of the threshold at a spike"),
}
options = {"convention": ("nest", "brian2"), "reset": ("value", "subtract")}
spiking = True


class IafDelta(Kernel):
    name = "iaf_delta"
    params = {"av": "f8", "cv": "f8", "vth": "f8", "v_reset": "f8", "v0": "f8", "keep_theta": "f8", "jump": "f8",
              "refractory": "i4"}
    state = {"v": "f8", "theta": "f8", "wait": "i4"}
    initial = {"v": "v0"}
    options = {"late": False, "subtract": False}

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free = s["wait"] == 0
        v = np.where(free, p["av"] * s["v"] + p["cv"], s["v"])
        s["theta"][:] = p["keep_theta"] * s["theta"]
        vth = p["vth"] + s["theta"]
        if o["late"]:
            spikes = (v > vth) & free
            v = np.where(free & ~spikes, v + x, v)
        else:
            v = np.where(free, v + x, v)
            spikes = v >= vth
        s["v"][:] = np.where(spikes, v - vth if o["subtract"] else p["v_reset"], v)
        s["theta"][:] = np.where(spikes, s["theta"] + p["jump"], s["theta"])
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return spikes.astype(np.float64), (v != 0) | (x != 0)


kernel = IafDelta


def kernel_options(population: Population) -> dict[str, object]:
    return {"late": population.options.get("convention") == "brian2",
            "subtract": population.options.get("reset") == "subtract"}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    keep = np.exp(-dt / p["tau"])
    target = p["v_leak"] + p["r"] * p["i_e"]
    return {"av": keep, "cv": -np.expm1(-dt / p["tau"]) * target, "vth": p["v_threshold"], "v_reset": p["v_reset"],
            "v0": p["v_leak"], "keep_theta": np.exp(-dt / p["tau_threshold"]), "jump": p["threshold_step"],
            "refractory": rest_ticks(population, p["refractory"], dt)}
