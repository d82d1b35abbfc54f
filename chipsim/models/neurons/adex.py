"""Adaptive exponential integrate-and-fire (Brette and Gerstner 2005), with exponential synaptic currents or
conductances.

    c v' = g_leak (v_leak - v) + g_leak delta_t e^((v - v_t) / delta_t) - w + i_e + i_syn
    tau_w w' = a (v - v_leak) - w
    i_syn = s_exc + s_inh, or s_exc (e_exc - v) + s_inh (e_inh - v);   tau s' = -s, a spike adds its weight
    spike when v > v_peak;  then v = v_reset, w = w + b

Units of NEST: mV, pF, nS, pA, times in seconds. Receptors exc, inh; without a name, by the sign of the weight
(currents keep it, conductances are positive). Synaptic variables hold still during a tick.

convention   current | conductance     what the weights are: pA or nS
integrator   euler      forward Euler, as Brian2's `euler`
             exponential_euler   each variable exact while the rest, the exponential of v included, holds still: v by
                        its leak, w by tau_w, as Brian2's `exponential_euler`
             rk4        Runge-Kutta of fourth order, as Brian2's `rk4`
             nest       16 steps of rk4 in a tick, each with its own threshold test, and v_peak bounds the exponential:
                        close to NEST's aeif_psc_exp and aeif_cond_exp, which choose their steps as they go
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, positive, read, rest_ticks, seconds, ticks_of
from chipsim.models.numerics import exp
from chipsim.network.graph import Population

parameters = {
    "c": positive("pF", 281.0, "capacitance of the membrane"),
    "g_leak": positive("nS", 30.0, "leak conductance"),
    "v_leak": Parameter("mV", -70.6, doc="resting potential"),
    "v_t": Parameter("mV", -50.4, doc="onset of the spike"),
    "delta_t": positive("mV", 2.0, "sharpness of the onset"),
    "tau_w": seconds(0.144, "time constant of the adaptation"),
    "a": Parameter("nS", 4.0, doc="subthreshold adaptation"),
    "b": Parameter("pA", 80.5, doc="rise of w at a spike"),
    "v_peak": Parameter("mV", 0.0, doc="potential that counts as a spike"),
    "v_reset": Parameter("mV", -60.0, doc="potential after a spike"),
    "i_e": Parameter("pA", 0.0, doc="constant input"),
    "tau_exc": seconds(0.0002, "decay of the excitatory synapses"),
    "tau_inh": seconds(0.002, "decay of the inhibitory ones"),
    "e_exc": Parameter("mV", 0.0, doc="reversal potential"),
    "e_inh": Parameter("mV", -85.0, doc="reversal potential"),
    "refractory": Parameter("s", 0.0, low=0, doc="rest after a spike"),
}
options = {"convention": ("current", "conductance"), "integrator": ("euler", "exponential_euler", "rk4", "nest")}
STEPS = 16                       # of integrator `nest`; spikes of its golden files within 0.1 ms
spiking = True


class AdEx(Kernel):
    name = "adex"
    params = {
        "c": "f8",
        "g_leak": "f8",
        "v_leak": "f8",
        "v_t": "f8",
        "delta_t": "f8",
        "tau_w": "f8",
        "a": "f8",
        "b": "f8",
        "v_peak": "f8",
        "v_reset": "f8",
        "bias": "f8",
        "ae": "f8",
        "ai": "f8",
        "e_exc": "f8",
        "e_inh": "f8",
        "h": "f8",
        "refractory": "i4",
    }
    state = {"v": "f8", "w": "f8", "s_exc": "f8", "s_inh": "f8", "wait": "i4"}
    initial = {"v": "v_leak"}
    receptors = ("exc", "inh")
    by_sign = "signed"
    options = {"integrator": "euler", "conductance": False}

    @classmethod
    def bound(cls, options: dict) -> type[Kernel]:
        return AdExConductance if options["conductance"] else cls

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def slope(v, w):
            synapses = (s["s_exc"] * (p["e_exc"] - v) + s["s_inh"] * (p["e_inh"] - v) if o["conductance"]
                        else s["s_exc"] + s["s_inh"])
            bounded = np.minimum(v, p["v_peak"]) if o["integrator"] == "nest" else v
            onset = p["g_leak"] * p["delta_t"] * exp((bounded - p["v_t"]) / p["delta_t"])
            return ((p["g_leak"] * (p["v_leak"] - v) + onset + p["bias"] + synapses - w) / p["c"],
                    (p["a"] * (v - p["v_leak"]) - w) / p["tau_w"])

        def held(v, w):
            """v and w a step later, each by its own leak with everything else as it is."""
            g = p["g_leak"] + (s["s_exc"] + s["s_inh"] if o["conductance"] else 0.0)
            dv, dw = slope(v, w)
            return (v - dv * p["c"] / g * (exp(-g / p["c"] * p["h"]) - 1.0),
                    w - dw * p["tau_w"] * (exp(-p["h"] / p["tau_w"]) - 1.0))

        h, free = p["h"], s["wait"] == 0
        v, w, fired = s["v"].copy(), s["w"].copy(), s["v"] != s["v"]
        for _ in range(STEPS if o["integrator"] == "nest" else 1):
            k1 = slope(v, w)
            if o["integrator"] in ("rk4", "nest"):
                k2 = slope(v + h * 0.5 * k1[0], w + h * 0.5 * k1[1])
                k3 = slope(v + h * 0.5 * k2[0], w + h * 0.5 * k2[1])
                k4 = slope(v + h * k3[0], w + h * k3[1])
                k1 = tuple((d1 + 2.0 * d2 + 2.0 * d3 + d4) / 6.0 for d1, d2, d3, d4 in zip(k1, k2, k3, k4, strict=True))
            v_new, w_new = (v + h * k1[0], w + h * k1[1]) if o["integrator"] != "exponential_euler" else held(v, w)
            v = np.where(free, v_new, v)
            spikes = (v > p["v_peak"]) & free
            v = np.where(spikes, p["v_reset"], v)
            if o["integrator"] == "nest":                # in the upstroke v outgrows the step; w hardly moves in it
                w_new = np.where(spikes, w, w_new)
            w = np.where(spikes, w_new + p["b"], w_new)
            fired = fired | spikes
            free = free & ((p["refractory"] == 0) | ~spikes)
        s["v"][:], s["w"][:] = v, w
        s["s_exc"][:] = s["s_exc"] * p["ae"] + x[0]
        s["s_inh"][:] = s["s_inh"] * p["ai"] + x[1]
        s["wait"][:] = np.where(fired, p["refractory"], np.maximum(s["wait"] - 1, 0))
        return fired.astype(np.float64), v == v


class AdExConductance(AdEx):
    by_sign = "magnitude"


kernel = AdEx


def kernel_options(population: Population) -> dict[str, object]:
    return {"integrator": population.options.get("integrator", "euler"),
            "conductance": population.options.get("convention") == "conductance"}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds; inside, time is in ms."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    same = {
        name: p[name]
        for name in ("c", "g_leak", "v_leak", "v_t", "delta_t", "a", "b", "v_peak", "v_reset", "e_exc", "e_inh")
    }
    return same | {
        "tau_w": p["tau_w"] * 1e3,
        "bias": p["i_e"],
        "ae": np.exp(-dt / p["tau_exc"]),
        "ai": np.exp(-dt / p["tau_inh"]),
        "h": np.full(population.size, dt * 1e3 / (STEPS if population.options.get("integrator") == "nest" else 1)),
        "refractory": rest_ticks(population, p["refractory"], dt),
    }
