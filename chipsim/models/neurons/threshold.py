"""Heaviside step of the input (NIR `Threshold`): a spike in every tick in which x > threshold. No memory."""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons.framework import Parameter, affine, read
from chipsim.network.graph import Population

parameters = {"threshold": Parameter("", 1.0, doc="threshold")}
spiking = True


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size]; dt plays no part."""
    arrays = affine(population, bx=1.0, vth=read(population, parameters)["threshold"])
    arrays["reset"][:] = 5
    return arrays
