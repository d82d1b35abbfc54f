"""Emits its input unchanged every tick: readout of a sum that no neuron receives (NIR: a linear node onto `Output`)."""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons.framework import Parameter, affine
from chipsim.network.graph import Population

parameters: dict[str, Parameter] = {}
spiking = False


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size]; dt plays no part."""
    return affine(population, bx=1.0)
