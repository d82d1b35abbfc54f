"""Izhikevich's two-variable neuron (IEEE Transactions on Neural Networks 14, 2003).

    v' = 0.04 v^2 + 5 v + 140 - u + i;   u' = a (b v - u)          v in mV, time in ms
    spike when v >= 30 mV;  then v = c, u = u + d

i is i_e plus the weights of the spikes that arrive in the tick: a current for one tick.

convention   nest        forward Euler, both derivatives at the old state (NEST `consistent_integration`; Brian2
                         `euler`)
             published   the 2003 paper's: v in two half steps, then u with the new v (NEST without that flag)
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read, ticks_of
from chipsim.network.graph import Population

parameters = {
    "a": Parameter("1/ms", 0.02, doc="rate of recovery"), "b": Parameter("", 0.2, doc="coupling of u to v"),
    "c": Parameter("mV", -65.0, doc="v after a spike"), "d": Parameter("mV/ms", 8.0, doc="rise of u at a spike"),
    "i_e": Parameter("mV/ms", 0.0, doc="constant input"), "v_init": Parameter("mV", -65.0, doc="v at the start"),
    "v_threshold": Parameter("mV", 30.0, doc="peak of a spike"),
}
options = {"convention": ("nest", "published")}
spiking = True


class Izhikevich(Kernel):
    name = "izhikevich"
    params = {
        "a": "f8",
        "b": "f8",
        "c": "f8",
        "d": "f8",
        "bias": "f8",
        "vth": "f8",
        "h": "f8",
        "half": "f8",
        "ha": "f8",
        "v0": "f8",
        "u0": "f8",
    }
    state = {"v": "f8", "u": "f8"}
    initial = {"v": "v0", "u": "u0"}
    options = {"published": False}

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, u = s["v"].copy(), s["u"].copy()
        i = p["bias"] + x
        if o["published"]:
            v = v + p["half"] * (0.04 * v * v + 5.0 * v + 140.0 - u + i)
            v = v + p["half"] * (0.04 * v * v + 5.0 * v + 140.0 - u + i)
            u = u + p["ha"] * (p["b"] * v - u)
        else:
            du = p["ha"] * (p["b"] * v - u)
            v = v + p["h"] * (0.04 * v * v + 5.0 * v + 140.0 - u + i)
            u = u + du
        spikes = v >= p["vth"]
        s["v"][:] = np.where(spikes, p["c"], v)
        s["u"][:] = np.where(spikes, u + p["d"], u)
        return spikes.astype(np.float64), v == v


kernel = Izhikevich


def kernel_options(population: Population) -> dict[str, object]:
    return {"published": population.options.get("convention") == "published"}


def arithmetic_s1615(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers of the kernel `izhikevich_s1615` [size] but for its shifts."""
    from chipsim.models.neurons.izhikevich_s1615 import registers  # which takes this file's parameters

    return registers(population, dt)


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    h = np.full(population.size, ticks_of(dt) * 1e3)
    return {"a": p["a"], "b": p["b"], "c": p["c"], "d": p["d"], "bias": p["i_e"], "vth": p["v_threshold"], "h": h,
            "half": h / 2, "ha": h * p["a"], "v0": p["v_init"], "u0": p["b"] * p["v_init"]}


arithmetics = {"izhikevich": discretise, "izhikevich_s1615": arithmetic_s1615}
