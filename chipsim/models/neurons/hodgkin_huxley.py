"""Hodgkin-Huxley neuron (Hodgkin and Huxley 1952) with alpha-shaped synaptic currents, as NEST's hh_psc_alpha.

    c v' = -g_na m^3 h (v - e_na) - g_k n^4 (v - e_k) - g_leak (v - v_leak) + i_e + i_exc + i_inh
    m' = alpha_m (1 - m) - beta_m m, likewise h and n, with the squid's rates at a rest of -65 mV
    alpha function: j' = -j / tau, i' = j - i / tau; a spike raises j by e / tau times its weight, so i peaks at it
    spike where v comes down from a maximum above 0 mV, not within `refractory` of the one before; v is never reset

Units of NEST: mV, pF, nS, pA, times in seconds. Receptors exc, inh; without a name, by the sign of the weight.
Integrated by rk4 in SUBSTEPS per tick; NEST chooses its steps by an error of 1e-3.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, positive, read, rest_ticks, seconds, ticks_of
from chipsim.models.numerics import exp
from chipsim.network.graph import Population

parameters = {
    "c": positive("pF", 100.0, "capacitance of the membrane"),
    "g_na": Parameter("nS", 12000.0, low=0, doc="conductance of sodium"),
    "g_k": Parameter("nS", 3600.0, low=0, doc="conductance of potassium"),
    "g_leak": Parameter("nS", 30.0, low=0, doc="leak conductance"),
    "e_na": Parameter("mV", 50.0, doc="reversal potential of sodium"),
    "e_k": Parameter("mV", -77.0, doc="reversal potential of potassium"),
    "v_leak": Parameter("mV", -54.402, doc="reversal potential of the leak"),
    "v_init": Parameter("mV", -65.0, doc="potential at the start; the gates start from their equilibrium there"),
    "i_e": Parameter("pA", 0.0, doc="constant input"),
    "tau_exc": seconds(0.0002, "rise of the excitatory current"),
    "tau_inh": seconds(0.002, "rise of the inhibitory one"),
    "refractory": Parameter("s", 0.002, low=0, doc="time within which a maximum is no further spike"),
}
options: dict[str, tuple] = {}
spiking = True
SUBSTEPS = 8                     # at dt = 0.1 ms: v within 2.5e-4 mV of 64 substeps, over 100 ms at 55 spikes/s


def quotient(x: np.ndarray) -> np.ndarray:
    """x / (1 - e^-x), which is 1 at 0."""
    near = (x < 1e-5) & (x > -1e-5)
    safe = np.where(near, 1.0, x)
    return np.where(near, 1.0 + x * 0.5, safe / (1.0 - exp(-safe)))


def rates(v: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """(alpha, beta) of m, h, n in 1/ms for v in mV."""
    return ((quotient((v + 40.0) * 0.1), 4.0 * exp((v + 65.0) / -18.0)),
            (0.07 * exp((v + 65.0) * -0.05), 1.0 / (1.0 + exp((v + 35.0) * -0.1))),
            (0.1 * quotient((v + 55.0) * 0.1), 0.125 * exp((v + 65.0) / -80.0)))


class HodgkinHuxley(Kernel):
    name = "hodgkin_huxley"
    params = {"c": "f8", "g_na": "f8", "g_k": "f8", "g_leak": "f8", "e_na": "f8", "e_k": "f8", "v_leak": "f8",
              "bias": "f8", "tau_exc": "f8", "tau_inh": "f8", "step": "f8", "v0": "f8", "m0": "f8", "h0": "f8",
              "n0": "f8", "refractory": "i4"}
    state = {"v": "f8", "m": "f8", "h": "f8", "n": "f8", "j_exc": "f8", "i_exc": "f8", "j_inh": "f8", "i_inh": "f8",
             "wait": "i4"}
    initial = {"v": "v0", "m": "m0", "h": "h0", "n": "n0"}
    receptors = ("exc", "inh")
    by_sign = "signed"

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def slope(y):
            v, m, h, n, j_exc, i_exc, j_inh, i_inh = y
            ions = (p["g_na"] * m * m * m * h * (v - p["e_na"]) + p["g_k"] * n * n * n * n * (v - p["e_k"])
                    + p["g_leak"] * (v - p["v_leak"]))
            gates = [alpha * (1.0 - x) - beta * x for (alpha, beta), x in zip(rates(v), (m, h, n), strict=True)]
            return [(i_exc + i_inh + p["bias"] - ions) / p["c"], *gates,
                    -j_exc / p["tau_exc"], j_exc - i_exc / p["tau_exc"],
                    -j_inh / p["tau_inh"], j_inh - i_inh / p["tau_inh"]]

        def ahead(y, k, by):
            return [a + by * b for a, b in zip(y, k, strict=True)]

        names = list(HodgkinHuxley.state)[:-1]
        before, h = s["v"].copy(), p["step"]
        y = [s[name].copy() for name in names]
        for _ in range(SUBSTEPS):
            k1 = slope(y)
            k2 = slope(ahead(y, k1, h * 0.5))
            k3 = slope(ahead(y, k2, h * 0.5))
            k4 = slope(ahead(y, k3, h))
            y = [a + h / 6.0 * (d1 + 2.0 * d2 + 2.0 * d3 + d4)
                 for a, d1, d2, d3, d4 in zip(y, k1, k2, k3, k4, strict=True)]
        for name, value in zip(names, y, strict=True):
            s[name][:] = value
        s["j_exc"][:] = s["j_exc"] + x[0] * (np.e / p["tau_exc"])
        s["j_inh"][:] = s["j_inh"] + x[1] * (np.e / p["tau_inh"])
        spikes = (s["wait"] == 0) & (s["v"] >= 0.0) & (before > s["v"])
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return spikes.astype(np.float64), s["v"] == s["v"]


kernel = HodgkinHuxley


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds; inside, time is in ms."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    same = {name: p[name] for name in ("c", "g_na", "g_k", "g_leak", "e_na", "e_k", "v_leak")}
    gates = [alpha / (alpha + beta) for alpha, beta in rates(p["v_init"])]
    return same | {
        "bias": p["i_e"],
        "tau_exc": p["tau_exc"] * 1e3,
        "tau_inh": p["tau_inh"] * 1e3,
        "step": np.full(population.size, dt * 1e3 / SUBSTEPS),
        "v0": p["v_init"],
        **dict(zip(("m0", "h0", "n0"), gates, strict=True)),
        "refractory": rest_ticks(population, p["refractory"], dt),
    }
