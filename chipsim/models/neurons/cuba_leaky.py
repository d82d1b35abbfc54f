"""Current-based leaky integrator that emits its potential (NIR `CubaLI`).

    tau_syn i' = -i + w_in x;   tau_mem v' = (v_leak - v) + r i
"""
from __future__ import annotations

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.neurons.framework import TAU, V_LEAK, W_IN, R, affine, decay, mixed, read
from chipsim.network.graph import Population

parameters = {"tau_syn": TAU, "tau_mem": TAU, "r": R, "v_leak": V_LEAK, "w_in": W_IN}
spiking = False


def membrane(population: Population, p: dict[str, np.ndarray], dt: float | None) -> dict[str, np.ndarray]:
    """Factors ai, bi, av, bv, bx, cv of one tick.

    The exact solution for an input x constant over the tick, with s = e^(-dt/tau_syn), m = e^(-dt/tau_mem):
        i' = s i + (1 - s) w x
        v' = m v + (1 - m) (v_leak + r w x) + r k (i - w x),   k = (s - m) tau_syn / (tau_syn - tau_mem)
    or k = m dt / tau_mem for equal time constants. The kernel uses i', so i = (i' - (1 - s) w x) / s is put in.
    """
    s, gain_syn = decay(population, p["tau_syn"], dt)
    m, gain_mem = decay(population, p["tau_mem"], dt)
    r, w = p["r"], p["w_in"]
    integrator = population.options.get("integrator", "euler")
    if integrator == "rockpool":
        return {"ai": s, "bi": s, "av": m, "bv": np.ones_like(m), "cv": p["v_leak"]}
    euler = {"ai": s, "bi": gain_syn * w, "av": m, "bv": gain_mem * r, "cv": gain_mem * p["v_leak"]}
    if integrator != "exponential":
        return euler
    if s.min() < 1e-7:
        raise NetworkError(Diagnostic(
            "N220", f"population `{population.name}` (cuba): dt is {-np.log(s.min()):.0f} times tau_syn",
            file=population.origin, help="take dt below 16 tau_syn, or the model without synaptic current"))
    k = mixed(p["tau_syn"], p["tau_mem"], 1.0 if dt is None else dt)
    return euler | {"bv": r * k / s, "bx": r * w * (gain_mem - k - k / s * gain_syn)}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    return affine(population, **membrane(population, p, dt))
