"""ODIN's leaky integrate-and-fire neuron: eight bits, no negative potential, a leak that is subtracted.

    v = min(max(v + x, 0), 255)                  x: weights of the events of a tick, of inhibiting sources negative
    v >= threshold: spike;  v = 0
    v = max(v - leak, 0)                         time reference event, at the end of the tick; leak 0: none

After the open RTL (Frenkel et al. 2019, lif_neuron_state.v). The chip adds event by event and tests the threshold after
each; here the events of a tick are added up first, so that a neuron spikes at most once a tick and excitation may make
up for inhibition that came before it.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read
from chipsim.network.graph import Population

parameters = {
    "threshold": Parameter("", None, low=1, high=255, integer=True, doc="potential that fires"),
    "leak": Parameter("per tick", 0, low=0, high=127, integer=True, doc="subtracted at every time reference event"),
}
options: dict[str, tuple] = {}
spiking = True


class OdinLif(Kernel):
    name = "odin_lif"
    params = {"threshold": "i4", "leak": "i4"}
    state = {"v": "i4"}
    accumulator = "i4"

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v = np.minimum(np.maximum(s["v"].astype(np.int64) + x, 0), 255)
        spikes = v >= p["threshold"]
        s["v"][:] = np.where(spikes, 0, np.maximum(v - p["leak"], 0)).astype(np.int32)
        return spikes.astype(np.int64), (v != 0) | (x != 0)


kernel = OdinLif


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers of the kernel [size]; dt plays no part."""
    return {name: value.astype(np.int32) for name, value in read(population, parameters).items()}
