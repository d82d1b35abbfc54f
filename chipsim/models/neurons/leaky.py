"""Leaky integrator that emits its potential (NIR `LI`, sinabs `ExpLeak`, rockpool `ExpSynTorch`).

    tau v' = (v_leak - v) + r x
"""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons.framework import TAU, V_LEAK, R, affine, decay, read
from chipsim.network.graph import Population

parameters = {"tau": TAU, "r": R, "v_leak": V_LEAK}
spiking = False


def membrane(population: Population, p: dict[str, np.ndarray], dt: float | None) -> dict[str, np.ndarray]:
    """Factors av, bx, cv of one tick; with `impulse` and `rockpool` v_leak is a bias added every tick."""
    keep, gain = decay(population, p["tau"], dt)
    r = 1.0 if population.options.get("integrator") == "rockpool" else p["r"]
    return {"av": keep, "bx": gain * r, "cv": gain * p["v_leak"]}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    factors = membrane(population, p, dt)
    if population.options.get("integrator") == "rockpool":      # an ExpSynTorch decays its input as well
        factors["bx"] = factors["av"]
    return affine(population, **factors)
