"""Integrate-and-fire without leak (NIR `IF`, sinabs `IAF`).

    v' = r x;   spike and reset if v > v_threshold
    The input of one tick counts `gain` (1: as frameworks do; dt: as the equation says).
"""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons.framework import FIRING, R, firing, input_gain, read
from chipsim.network.graph import Population

parameters = {"r": R} | FIRING
spiking = True


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    return firing(population, p, dt, av=1.0, bx=input_gain(population, dt) * p["r"])
