"""Current-based leaky integrate-and-fire (NIR `CubaLIF`, snnTorch `Synaptic`, rockpool `LIFTorch`).

    tau_syn i' = -i + w_in x;   tau_mem v' = (v_leak - v) + r i;   spike and reset if v > v_threshold
"""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons import cuba_leaky
from chipsim.models.neurons.framework import FIRING, firing, read
from chipsim.network.graph import Population

parameters = cuba_leaky.parameters | FIRING
spiking = True


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    return firing(population, p, dt, **cuba_leaky.membrane(population, p, dt))
