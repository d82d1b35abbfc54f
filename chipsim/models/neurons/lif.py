"""Leaky integrate-and-fire (NIR `LIF`, snnTorch `Leaky`, Norse `LIFBox`, sinabs `LIF`).

    tau v' = (v_leak - v) + r x;   spike and reset if v > v_threshold
"""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons import leaky
from chipsim.models.neurons.framework import FIRING, firing, read
from chipsim.network.graph import Population

parameters = leaky.parameters | FIRING
spiking = True


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    return firing(population, p, dt, **leaky.membrane(population, p, dt))
