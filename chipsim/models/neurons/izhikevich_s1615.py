"""Izhikevich's neuron in s16.15 fixed point with SpiNNaker's closed form of the midpoint rule.

Runge-Kutta of second order, both stages written out and simplified by hand (Hopkins and Furber, Neural Computation
27(10), 2015; sPyNNaker `neuron_model_izh_impl`), h in ms:

    alpha = 140 + i - u + (5 + 0.04 v) v;    eta = v + h alpha / 2;    beta = h a (b v - u) / 2
    v = v + h (140 + i - u - beta + (5 + 0.04 eta) eta);   u = u + a h (b eta - u - beta)
    spike when v >= 30 mV;  then v = c, u = u + d, and the next step is 1.85 h long

The longer step makes up for a threshold that is only looked at once a tick. i is i_e plus the ring buffers of the tick
before, as currents of one tick. A product of two numbers is truncated, as ARM's `mulsa3` does.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import read, ticks_of
from chipsim.models.neurons.izhikevich import parameters
from chipsim.models.neurons.lif_s1615 import ONE, buffered, fixed
from chipsim.network.graph import Population

AFTER_SPIKE = 1.85                      # SIMPLE_TQ_OFFSET of sPyNNaker
FIVE, SQUARE, CONSTANT = 5 * ONE, round(0.04 * ONE), 140 * ONE


def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of two s16.15 numbers (int64 arrays), truncated, wrapped to 32 bits."""
    return ((a * b) >> 15).astype(np.int32).astype(np.int64)


class IzhikevichS1615(Kernel):
    name = "izhikevich_s1615"
    params = {"a": "i4", "b": "i4", "c": "i4", "d": "i4", "i_offset": "i4", "vth": "i4", "h": "i4", "h_spike": "i4",
              "v0": "i4", "u0": "i4", "shift_e": "i4", "shift_i": "i4"}
    state = {"v": "i4", "u": "i4", "i": "i4", "h": "i4"}
    initial = {"v": "v0", "u": "u0", "i": "i_offset", "h": "h"}
    accumulator = "i4"
    receptors = ("exc", "inh")
    by_sign = "magnitude"

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = {name: p[name].astype(np.int64) for name in IzhikevichS1615.params}
        v, u, i, h = (s[name].astype(np.int64) for name in ("v", "u", "i", "h"))
        rest = CONSTANT + i - u
        alpha = rest + times(FIVE + times(SQUARE, v), v)
        eta = v + (times(h, alpha) >> 1)
        beta = times(times(h, times(p["b"], v) - u) >> 1, p["a"])
        v = v + times(h, rest - beta + times(FIVE + times(SQUARE, eta), eta))
        u = u + times(times(p["a"], h), times(p["b"], eta) - u - beta)
        spikes = v.astype(np.int32) >= p["vth"]
        s["v"][:] = np.where(spikes, p["c"], v).astype(np.int32)
        s["u"][:] = np.where(spikes, u + p["d"], u).astype(np.int32)
        s["h"][:] = np.where(spikes, p["h_spike"], p["h"])
        s["i"][:] = (p["i_offset"] + buffered(x[0], p["shift_e"]) - buffered(x[1], p["shift_i"])).astype(np.int32)
        return spikes.astype(np.float64), h == h


kernel = IzhikevichS1615


def registers(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers [size] but for the shifts, for ticks of dt seconds, of a population of the model `izhikevich`."""
    p = read(population, parameters)
    h = np.full(population.size, ticks_of(dt) * 1e3)
    return {**{name: fixed(p[name]) for name in "abcd"}, "i_offset": fixed(p["i_e"]), "vth": fixed(p["v_threshold"]),
            "h": fixed(h), "h_spike": fixed(h * AFTER_SPIKE), "v0": fixed(p["v_init"]),
            "u0": fixed(p["b"] * p["v_init"])}
