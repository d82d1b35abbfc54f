"""What a chip is. The field is the documentation; SI units inside; YAML carries units, sources and provenance.

(Skeleton: names are the contract between rooms. chip/ completes it: ranges, docs, unions, loader, provenance.)
"""
from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of the chip file. `source`, `provenance` and `note` on a part hold for every number below it."""
    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str | None = None
    provenance: Literal["published", "measured", "derived", "estimated"] | None = None
    note: str | None = None


class Channel(Part):
    """One direction of a link between two routers, or between a core and its router."""
    latency: float          # s, grant at this output -> flit may request the next output (zero-load time of the hop)
    cycle: float            # s, least time between two flits on the channel
    credit: float           # s, flit leaves the FIFO at the far end -> its slot is usable again
    slots: int              # FIFO slots at the far end
    energy: float           # J per flit


class Channels(Part):
    inject: Channel         # core -> router
    eject: Channel          # router -> core; slots = the core's input FIFO
    east_west: Channel
    north_south: Channel


class Io(Part):
    """Where the host's spikes enter: a port of its own on one router."""
    router: tuple[int, int]


class Fabric(Part):
    topology: Literal["mesh"]
    width: int
    height: int
    cores_per_router: int
    routing: Literal["xy", "yx"] = "xy"
    cast: Literal["unicast"] = "unicast"           # one packet per target core
    arbitration: Literal["fcfs"] = "fcfs"          # first come, first served; ties in port order after the last winner
    packet_bits: int = 32
    channels: Channels
    io: Io


class SynapseMemory(Part):
    bits: int | None                                # per core; None: unlimited
    packing: Literal["loihi", "none"]               # rule by which synapses take up bits (compiler/packing.py)


class Weights(Part):
    bits: int | None = None                         # magnitude bits of a stored weight
    exponent_min: int = 0
    exponent_max: int = 0


class Delay(Part):
    min: int                                        # ticks from a spike to its effect; 0 only on chips without time
    max: int


class Neuron(Part):
    """The arithmetic of the soma and the range of its registers (None: no limit)."""
    model: Literal["affine", "loihi_lif"]
    profile: Literal["loihi", "lava", "nengo", "brian2loihi"] | None = None
    resets: tuple[Literal["zero", "value", "subtract", "multispike"], ...] = ("zero",)
    decay_bits: int | None = None
    threshold_mantissa_bits: int | None = None
    threshold_shift: int = 0
    bias_mantissa_bits: int | None = None
    bias_exponent_bits: int | None = None
    refractory_max: int | None = None


class Core(Part):
    neurons: int | None
    axons_in: int | None
    axons_out: int | None
    synapse_memory: SynapseMemory
    weights: Weights
    delay: Delay
    neuron: Neuron


class Cost(Part):
    """What one action takes. None for `time`: the action is not on any critical path."""
    energy: float = 0.0     # J
    time: float = 0.0       # s


class Barrier(Part):
    """Length of the barrier by number of tiles (routers) in use, linear between the points, level beyond them."""
    energy: float = 0.0
    tiles: dict[int, float]  # tiles -> s


class Static(Part):
    power: float            # W, whole chip


class Costs(Part):
    neuron_idle: Cost
    neuron_active: Cost
    spike: Cost
    axon_out: Cost
    axon_in: Cost
    host_spike: Cost
    synop_dense: Cost
    synop_sparse: Cost
    synop_conv: Cost
    reset: Cost             # per core in use, between samples
    barrier: Barrier | None
    static: Static


class Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    cite: str
    url: str | None = None


class ChipSpec(Part):
    name: str
    title: str
    year: int | None = None
    status: Literal["silicon", "model", "hypothetical"]
    description: str = ""
    sources: dict[str, Source] = {}
    time_base: Literal["barrier", "untimed"]        # untimed: no limits, no costs, no time (chip `ideal`)
    fabric: Fabric
    core: Core
    costs: Costs
