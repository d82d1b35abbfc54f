"""What to compute: populations of neurons, projections between them, and the lines spikes come in on.

A Network says nothing of any chip. Parameters are physical (seconds, and the dimensionless voltages frameworks train
with), except for models that belong to one chip (`loihi_lif`), whose parameters are that chip's own integers.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from os import PathLike

import numpy as np

from chipsim.models.plasticity.rule import Plasticity
from chipsim.network.linear import LinearOp


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons that share a model; `input` populations are lines that spikes come in on and have no dynamics.

    shape    of the population, channel first for images: (C, H, W)
    model    a name in `chipsim.models.neurons`, or "input"
    params   parameter name -> array broadcastable to `shape` (units in the model's docstring)
    options  what a file format leaves open and a framework decides: reset, integrator, multispike, v_min ...
    origin   where it was written (file:line or node name), for messages
    axon_delay  ticks by which all its spikes are late, wherever they go
    """

    name: str
    shape: tuple[int, ...]
    model: str
    params: dict[str, np.ndarray] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    origin: str = ""
    axon_delay: int = 0

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, eq=False)
class Projection:
    """Spikes of `pre`, through a chain of linear operators, onto `post`.

    ops      applied in order; shapes chain from pre.shape to post.shape
    delay    ticks beyond the synchronous semantics of the frameworks: 0 means that a spike acts in the step in which it
             was emitted (feed-forward), 1 that it acts one step later (what every framework does on a recurrent edge)
    receptor which input of the target's model it goes to, by name; "": its first, or by the sign of the weights where
             the model says so (chipsim.models.kernels.Kernel)
    format   integer synapse format for networks given in a chip's own numbers, for example
             {"weight_exponent": 0, "weight_bits": 8, "sign": "mixed"}; None: the compiler quantises
    plasticity  the rule by which the weights learn; None: they stay as they are
    box      ticks in a row in which a spike acts with its weight, from its delay on (a box-shaped synaptic response)
    """

    pre: str
    post: str
    ops: tuple[LinearOp, ...]
    delay: int = 0
    format: dict[str, object] | None = None
    name: str = ""
    origin: str = ""
    receptor: str = ""
    plasticity: Plasticity | None = None
    box: int = 1


@dataclass(frozen=True, eq=False)
class Network:
    """Populations by name, projections, which populations are read out, and the length of a tick in the model's time.

    dt       seconds of model time per tick; None where the network does not say
    dialect  which framework's step semantics the populations' options express
    notes    what the importer assumed or ignored, one sentence each
    """

    name: str
    populations: dict[str, Population]
    projections: tuple[Projection, ...]
    outputs: tuple[str, ...] = ()
    dt: float | None = None
    dialect: str = "exact"
    notes: tuple[str, ...] = ()
    origin: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.populations.values() if p.model == "input")

    @property
    def n_neurons(self) -> int:
        return sum(p.size for p in self.populations.values() if p.model != "input")

    def save(self, path: str | PathLike) -> None:
        """Write .h5, to be read by `load_network`."""
        from chipsim.network.store import save
        save(self, path)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{p.name}[{'x'.join(map(str, p.shape))}]" for p in self.populations.values())
        return f"<Network {self.name}: {self.n_neurons} neurons, {len(self.projections)} projections; {sizes}>"
