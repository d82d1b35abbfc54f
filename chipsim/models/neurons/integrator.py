"""Integrator that emits its potential (NIR `I`).

    v' = r x;   the input of one tick counts `gain` (1: as frameworks do; dt: as the equation says)
"""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons.framework import R, affine, input_gain, read
from chipsim.network.graph import Population

parameters = {"r": R}
spiking = False


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    return affine(population, av=1.0, bx=input_gain(population, dt) * p["r"])
