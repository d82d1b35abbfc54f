"""Rectified and rounded to few bits: what a layer of values hands on, as multipliers of integers take it.

    a = step min(max(rint((1/step) x), 0), levels)       x: summed weights of the tick; no memory

The value is emitted every tick. With a step that is a power of two, sums of such values and rounded weights are exact.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, positive, read
from chipsim.network.graph import Population

parameters = {
    "step": positive("", 1 / 64, "value of one level"),
    "levels": Parameter("", 255, low=1, high=65535, integer=True, doc="levels above 0: 255 with 8 bits"),
}
options: dict[str, tuple] = {}
spiking = False


class Relu(Kernel):
    name = "relu"
    params = {"bias": "f8", "per_step": "f8", "step": "f8", "levels": "f8"}
    state = {"v": "f8"}

    @staticmethod
    def step(s: dict, p: dict, o: dict, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = sums + p["bias"]
        s["v"][:] = np.minimum(np.maximum(np.rint(x * p["per_step"]), 0.0), p["levels"]) * p["step"]
        return s["v"].copy(), x != 0

    @staticmethod
    def emits_values(p: dict) -> bool:
        return True


kernel = Relu


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the kernel [size]; dt plays no part."""
    p = read(population, parameters)
    return p | {"bias": np.zeros(population.size), "per_step": 1 / p["step"]}
