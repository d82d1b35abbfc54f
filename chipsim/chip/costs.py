"""Classes of a chip file's `costs`: energy and time of each action, and what the supply voltage makes of them."""
from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from chipsim.chip.fields import Part, count, quantity


class Cost(Part):
    """What one action takes; both sides are always written down."""

    energy: float = quantity("J", ge=0, doc="energy of one action")
    time: float = quantity("s", ge=0, doc="time one action keeps its server busy")


class Barrier(Part):
    """Barrier at the end of a tick, by number of tiles (routers) in use: linear between the points, level beyond."""

    energy: float = quantity("J", ge=0, doc="energy of one barrier")
    tiles: dict[Annotated[int, count("tiles", ge=1, doc="tiles in use")],
                Annotated[float, quantity("s", ge=0, doc="length of the barrier with so many tiles in use")]] = Field(
        min_length=1, description="number of tiles in use: length of the barrier")

    @field_validator("tiles")
    @classmethod
    def _in_order(cls, tiles: dict[int, float]) -> dict[int, float]:
        return dict(sorted(tiles.items()))


class Scaling(Part):
    """How energies go with the supply voltage: those of actions with its square, static power by a power law."""

    nominal: float = quantity("V", gt=0, doc="supply voltage at which the costs hold")
    min: float = quantity("V", gt=0, doc="lowest supply voltage")
    max: float = quantity("V", gt=0, doc="highest supply voltage")
    static_at_max: float = quantity("W", gt=0, doc="static power of one chip at the highest supply voltage; with that "
                                                   "at the nominal one it gives the power law")


class Static(Part):
    """Power drawn as long as the chip is on."""

    power: float = quantity("W", ge=0, doc="power of one whole chip when it does nothing")


class Costs(Part):
    """Energy and time of each action the engine counts."""

    neuron_idle: Cost = Field(description="visit of a neuron that has no state, input or bias")
    neuron_active: Cost = Field(description="update of a neuron that has")
    spike: Cost = Field(description="spike-out of the soma")
    axon_out: Cost = Field(description="packet made by a core")
    axon_in: Cost = Field(description="packet taken by a synapse server")
    row_fetch: Cost | None = Field(None, description="synapses of an in-axon fetched from memory outside the core, "
                                   "where there are several; null: the core has them")
    host_spike: Cost = Field(description="packet made by the host's port")
    synop_dense: Cost = Field(description="synaptic operation, synapses stored dense")
    synop_sparse: Cost = Field(description="synaptic operation, synapses stored with an index each")
    synop_conv: Cost = Field(description="synaptic operation, weights shared by a convolution")
    matrix: Cost | None = Field(None, description="a block of a core's matrix multiplied by its inputs; on a "
                               "static schedule, a cycle of a core's multipliers")
    learn_trace: Cost | None = Field(None, description="a trace advanced over an epoch")
    learn_read: Cost | None = Field(None, description="plastic synapse read at the end of an epoch")
    learn_update: Cost | None = Field(
        None, description="rule evaluated for a synapse with a product due, and the synapse written")
    reset: Cost = Field(description="reset of a core in use, between samples")
    barrier: Barrier | None = Field(description="end of a tick on chips with time base `barrier`; null: none")
    static: Static
    voltage: Scaling | None = Field(None, description="what another supply voltage changes; null: not known")
