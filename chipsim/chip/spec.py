"""What a chip is. The field is the documentation; SI units inside; the YAML file carries units, sources and provenance.

A ChipSpec is frozen and complete: `load.py` makes one from a chip file, `ChipSpec.from_dict` from a stored run, and
either way it has passed the ranges declared here and the rules of `rules.py`.
"""
from __future__ import annotations

from collections import Counter
from html import escape
from math import log
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from chipsim.chip.fields import count, numbers_of, quantity
from chipsim.chip.rules import broken
from chipsim.errors import ChipError, Diagnostic

Kind = Literal["published", "measured", "derived", "estimated", "unstated"]


class Part(BaseModel):
    """A mapping of the chip file. There, `source`, `provenance` and `note` hold for every number below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(BaseModel):
    """Who says so: the number as written, its SI unit or what it counts, and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    value_text: str
    unit: str
    source: str = ""            # starts with a key of the chip's `sources`
    kind: Kind = "unstated"
    note: str = ""


class Channel(Part):
    """One direction of a link between two routers, or between a core and its router."""

    latency: float = quantity("s", ge=0, doc="grant of an output to the flit's next request: the hop without any wait")
    cycle: float = quantity("s", ge=0, doc="least time between two flits on the channel")
    credit: float = quantity("s", ge=0, doc="a flit leaves the FIFO at the far end to its slot being usable again")
    slots: int = count("flits", ge=1, doc="FIFO slots at the far end")
    energy: float = quantity("J", ge=0, doc="one flit over the channel")


class Channels(Part):
    """Channels of the fabric by class; a topology needs those it has."""

    inject: Channel = Field(description="core to router")
    eject: Channel = Field(description="router to core; `slots` is the core's input FIFO")
    east_west: Channel | None = Field(None, description="between routers of a row; all links of a custom topology")
    north_south: Channel | None = Field(None, description="between routers of a column")
    diagonal: Channel | None = Field(None, description="the third direction of a hexagonal torus")
    tree: Channel | None = Field(None, description="between the levels of a tree")
    interchip: Channel | None = Field(None, description="between routers of different chips")


class Io(Part):
    """Where the host's spikes enter: a port of its own on one router."""

    router: tuple[Annotated[int, count("routers", ge=0, doc="column or row")], int] = Field(
        description="column and row of the router with the host's port, from [0, 0]; tree, custom: its number and 0")


class Clock(Part):
    """Routers that work in step: input-queued, with virtual channels and iSLIP allocators.

    `latency` of a channel is then its length in time, rounded up to whole cycles, and `slots` the flits each of its
    virtual channels holds.
    """

    period: float = quantity("s", gt=0, doc="one cycle")
    vcs: int = count("channels", ge=1, le=8, default=1, doc="virtual channels of every input")
    routing_delay: int = count("cycles", ge=0, le=1, default=0, doc="cycles of route computation; 0: looked ahead")
    credit_delay: int = count("cycles", ge=0, le=16, default=1, doc="cycles from a credit's arrival to its use")
    traversal: int = count("cycles", ge=1, le=16, default=1, doc="cycles of switch traversal")
    allocator: Literal["islip", "round_robin", "oldest"] = Field(
        "islip", description="of virtual channels and of the switch, one iteration: outputs offer and inputs accept "
        "round robin; inputs choose and outputs pick round robin; or both take the packet offered first")
    reuse: Literal["at_once", "when_empty"] = Field(
        "at_once", description="when an output's virtual channel takes its next packet: as soon as the tail of the "
        "last has left, or when all its flits have left the far end")


class Blocked(Part):
    """How long a packet stands at the head of a FIFO; without this, until it can go on."""

    wait: float = quantity("s", gt=0, doc="for its output; then it turns to the emergency route, or is dropped")
    emergency_wait: float | None = quantity(
        "s", gt=0, default=None, doc="for the emergency route, the two links round a blocked one of a hexagonal torus; "
        "then it is dropped; null: no emergency route")


class Fabric(Part):
    """Routers, the channels between them, and the cores on them."""

    topology: Literal["mesh", "torus", "hex_torus", "tree", "custom"] = Field(description="how routers are joined")
    width: int = count("routers", ge=1, doc="routers in a row of a chip; 1 for tree and custom")
    height: int = count("routers", ge=1, doc="routers in a column of a chip; 1 for tree and custom")
    cores_per_router: int = count("cores", ge=1, doc="cores on each router")
    n_cores: int | None = count("cores", ge=1, default=None,
                                doc="cores in all, where the last routers have fewer; null: every place is taken")
    arity: int | None = count("children", ge=2, default=None, doc="tree: children of a router")
    levels: int | None = count("levels", ge=1, default=None, doc="tree: levels below the root; cores sit on the last")
    routers: int | None = count("routers", ge=1, default=None, doc="custom: number of routers")
    links: tuple[str, ...] = Field((), description="custom: two-way links, each written `3-4` for routers 3 and 4")
    routing: Literal["xy", "yx", "west_first", "north_last", "negative_first", "odd_even", "shortest"] = Field(
        "xy", description="dimension order, a turn model (adaptive, on a mesh), or fewest hops (tree, custom)")
    cast: Literal["unicast", "multicast"] = Field(
        "unicast", description="one packet per target core, or one per spike that the routers copy where paths part")
    arbitration: Literal["fcfs", "round_robin", "oldest"] = Field(
        "fcfs", description="clockless: who goes first at an output; equal claims in port order after the last winner")
    blocked: Blocked | None = Field(
        None, description="clockless: when a packet that cannot go on turns aside or is dropped; null: it waits")
    packet_bits: int = count("bit", ge=1, default=32, doc="length of a spike packet, one flit")
    clock: Clock | None = Field(None, description="clocked routers; null: handshakes, no clock")
    channels: Channels
    io: Io
    chips: tuple[int, int] | None = Field(                          # `system.chips`, for functions of a fabric alone
        None, json_schema_extra={"computed": True})

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Routers joined by each link of a custom topology; ValueError where one is not written `3-4`."""
        return tuple((int(a), int(b)) for a, _, b in (link.partition("-") for link in self.links))

    @property
    def grid(self) -> tuple[int, int]:
        """Routers in a row and in a column of the whole system, all chips together."""
        across, down = self.chips or (1, 1)
        return self.width * across, self.height * down

    @property
    def first_router(self) -> int:
        """Router of core 0: the first leaf of a tree, else router 0."""
        return (self.n_places - 1) // ((self.arity or 0) - 1) if self.topology == "tree" else 0

    @property
    def n_routers(self) -> int:
        """Routers of the whole system."""
        if self.topology == "tree":
            return self.first_router + self.n_places
        return (self.routers or 0) if self.topology == "custom" else self.grid[0] * self.grid[1]

    @property
    def n_places(self) -> int:
        """Routers that have cores: the leaves of a tree, else all."""
        return (self.arity or 0) ** (self.levels or 0) if self.topology == "tree" else self.n_routers


class SynapseMemory(Part):
    """Memory for the synapses of a core, and how they are packed into it."""

    bits: int | None = count("bit", ge=1, doc="synapse memory of a core; null: no limit")
    packing: Literal["loihi", "rows", "none"] = Field(description="rule by which synapses take up bits")
    kernels: Literal["unrolled", "shared"] = Field(
        "unrolled", description="convolutions: every use of a weight stored, or each kernel once per core")


class Weights(Part):
    """Range of a stored weight: a magnitude and an exponent shared by a projection."""

    bits: int | None = count("bit", ge=1, le=32, default=None, doc="magnitude of a stored weight; null: floating point")
    exponent_min: int = count("powers of two", default=0, doc="smallest exponent a projection's weights can share")
    exponent_max: int = count("powers of two", default=0, doc="largest exponent a projection's weights can share")
    sign: Literal["synapse", "source"] = Field(
        "synapse", description="synapse: each has a sign of its own; source: all synapses of a source have one sign")


class Delay(Part):
    """Ticks from a spike to its effect."""

    min: int = count("ticks", ge=0, doc="least ticks from a spike to its effect; 0 only on chips without time")
    max: int = count("ticks", ge=0, doc="most ticks from a spike to its effect")
    axon_max: int | None = count("ticks", ge=1, default=None,
                                 doc="most ticks that an axon holds a spike, on top of these; null: it holds none")


class Neuron(Part):
    """Arithmetic of the soma and range of its registers (null: no limit)."""

    models: tuple[str, ...] = Field(min_length=1, description="neuron models the cores compute")
    profile: Literal["loihi", "lava", "nengo", "brian2loihi"] | None = Field(
        None, description="whose rounding and overflow `loihi_lif` follows: the silicon's or an emulator's")
    resets: tuple[Literal["zero", "value", "subtract", "multispike"], ...] = Field(
        ("zero",), min_length=1, description="what may happen to the voltage at a spike")
    programs: tuple[Literal["real", "integer"], ...] = Field(
        ("real", "integer"), min_length=1, description="arithmetic that neurons of the model `program` may have")
    decay_bits: int | None = count("bit", ge=1, le=31, default=None, doc="decay register")
    threshold_mantissa_bits: int | None = count("bit", ge=1, le=31, default=None, doc="threshold register")
    threshold_shift: int = count("bit", ge=0, le=31, default=0, doc="left shift of the threshold register's value")
    bias_mantissa_bits: int | None = count("bit", ge=1, le=31, default=None, doc="mantissa of the bias, sign included")
    bias_exponent_bits: int | None = count("bit", ge=0, le=5, default=None, doc="exponent of the bias")
    refractory_max: int | None = count("ticks", ge=0, default=None, doc="longest refractory period")


class Learning(Part):
    """Learning engine of a core: sum-of-products rules, evaluated once per epoch."""

    targets: tuple[Literal["weight", "tag"], ...] = Field(
        ("weight",), min_length=1, description="variables of a synapse that a rule may change")
    traces: tuple[Literal["x1", "x2", "y1", "y2", "y3", "r1"], ...] = Field(
        description="traces of the axon (x), of the neuron (y) and of the reward (r1) that rules may read")
    epoch_max: int | None = count("ticks", ge=1, default=None, doc="longest epoch; null: no limit")
    delay_max: int = count("ticks", ge=0, le=63, default=0, doc="most ticks by which a rule can hear of spikes late")
    trace_bits: int | None = count("bit", ge=1, le=30, default=None, doc="bits of a trace; null: floating point")
    mantissa_bits: int | None = count("bit", ge=1, le=16, default=None, doc="mantissa of a product, without its sign")
    accumulator_bits: int | None = count("bit", ge=8, le=40, default=None, doc="accumulator, without its sign")
    fraction_bits: int | None = count("bit", ge=0, le=16, default=None,
                                      doc="bits of the accumulator below a whole weight; rounded away at random")


class Crossbar(Part):
    """Binary crossbar: an axon has a type, a synapse is a bit, a neuron has one signed weight for each type.

    A projection of other weights is cut into bits: a source drives an axon for each type its weights are made of, and
    each neuron chooses its weights of the types.
    """

    types: int = count("types", ge=1, le=4, doc="axon types; weights that a neuron has")
    weight_max: int = count("units", ge=1, doc="largest magnitude of a neuron's weight")


class TimeRange(Part):
    """Times that a circuit can be calibrated to, in the chip's own time."""

    min: float = quantity("s", ge=0, doc="shortest time that a circuit can be calibrated to")
    max: float = quantity("s", gt=0, doc="longest time that a circuit can be calibrated to")


class Mismatch(Part):
    """What stays of the differences between circuits after calibration: standard deviations, normally distributed."""

    threshold: int = count("LSB", ge=0, doc="of a neuron's threshold, per neuron")
    leak: int = count("LSB", ge=0, doc="of a neuron's resting potential, per neuron")
    time_constant: int = count("%", ge=0, le=50, doc="of a time constant, per neuron")
    synapse: int = count("%", ge=0, le=50, doc="of what a synapse's weight comes to, per synapse")


class Analog(Part):
    """Analogue neurons: columns of synapses on circuits that differ, are noisy, and reach what calibration reaches.

    Potentials count in steps of the converter that calibration reads them with (LSB); a network's resting potential and
    threshold are put on `leak` and `threshold`.
    """

    specimen: int = count("number", ge=0, doc="which chip of its kind: seed of the deviations of its circuits")
    rows: int = count("synapses", ge=1, doc="synapses in the column of a neuron circuit, one sign per row: a source of "
                      "both signs takes two; neurons with more merge several circuits")
    leak: int = count("LSB", ge=0, doc="where a network's resting potential goes")
    threshold: int = count("LSB", ge=0, doc="where a network's threshold goes")
    potential_min: int = count("LSB", ge=0, doc="lowest potential that a reset can go to")
    potential_max: int = count("LSB", ge=0, doc="highest potential that a reset can go to")
    tau_mem: TimeRange = Field(description="time constant of the membrane")
    tau_syn: TimeRange = Field(description="time constant of a synaptic current")
    refractory: TimeRange = Field(description="rest after a spike")
    noise: int = count("LSB", ge=0, doc="standard deviation of a resting neuron's potential over time")
    mismatch: Mismatch


class Core(Part):
    """What one core holds and computes; null means no limit."""

    neurons: int | None = count("neurons", ge=1, doc="neurons of a core; null: no limit")
    axons_in: int | None = count("axons", ge=1, doc="input axons of a core; null: no limit")
    axons_out: int | None = count("axons", ge=1, doc="output axons of a core; null: no limit")
    targets_per_neuron: int | None = count("axons", ge=1, le=1, default=None,
                                           doc="output axons of one neuron; more take relay neurons. null: no limit")
    crossbar: Crossbar | None = Field(None, description="binary crossbar; null: every synapse has a weight of its own")
    neuron_configs: int | None = count("configurations", ge=1, default=None,
                                       doc="different decays and refractory periods on a core; null: no limit")
    axon_channels: int | None = count("channels", ge=1, le=1 << 16, default=None, doc=(
        "channels of a pixel that share an axon where kernels are shared (population axons); null: none do"))
    synapse_memory: SynapseMemory
    weights: Weights
    delay: Delay
    neuron: Neuron
    learning: Learning | None = Field(None, description="learning engine; null: synapses stay as they are")
    analog: Analog | None = Field(None, description="analogue neurons; null: digital ones")


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
    learn_trace: Cost | None = Field(None, description="a trace advanced over an epoch")
    learn_read: Cost | None = Field(None, description="plastic synapse read at the end of an epoch")
    learn_update: Cost | None = Field(
        None, description="rule evaluated for a synapse with a product due, and the synapse written")
    reset: Cost = Field(description="reset of a core in use, between samples")
    barrier: Barrier | None = Field(description="end of a tick on chips with time base `barrier`; null: none")
    static: Static
    voltage: Scaling | None = Field(None, description="what another supply voltage changes; null: not known")


class Tick(Part):
    """Tick of chips with time base `fixed_tick`."""

    period: float = quantity("s", gt=0, doc="length of a tick, whatever there is to do in it")
    late: Literal["stretch", "next_tick", "drop"] = Field(
        "stretch", description="what becomes of packets that a core has not dealt with when the period ends. stretch: "
        "the tick lasts until they are; next_tick: they act as many ticks later; drop: never")


class System(Part):
    """Several chips that work together: chips of a mesh or torus, side by side."""

    chips: tuple[Annotated[int, count("chips", ge=1, doc="chips in a row or column")], int] = Field(
        description="chips in a row and in a column; links between them are of class `interchip`")


class Continuous(Part):
    """Time of chips with time base `continuous`: a tick is the step in which neurons are integrated."""

    acceleration: int = count("times", ge=1, doc="how many times as fast as the network's own time the chip runs")
    step: float = quantity("s", gt=0, doc="hardware time of a tick where the network has no dt; else dt / acceleration")


class Source(BaseModel):
    """A publication, data set or program that numbers come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cite: str = Field(description="authors, title, where, year")
    url: str | None = Field(None, description="where to read it")


class ChipSpec(Part):
    """A chip: fabric, cores, memories, the model it computes, its time base, what each action costs and who says so.

    All numbers are in SI units (s, J, W) or plain counts. `provenance` has an entry for every number, under its dotted
    path: `chip.provenance["costs.synop_dense.energy"].source`. Raises pydantic.ValidationError on wrong values.
    """

    name: str = Field(description="name of the chip on the command line and in reports", min_length=1)
    title: str = Field(description="name of the chip in words")
    year: int | None = Field(None, description="year of publication")
    status: Literal["silicon", "model", "hypothetical"] = Field(
        description="silicon: it was made; model: somebody else's design study; hypothetical: nobody's chip yet")
    description: str = Field("", description="what the file describes, and what it leaves out")
    sources: dict[str, Source] = Field(
        default_factory=dict, description="key: publication; every `source` starts with one of these keys")
    time_base: Literal["barrier", "fixed_tick", "continuous", "untimed"] = Field(
        description="barrier: a tick ends when all cores are done and have met; fixed_tick: after a fixed period; "
        "continuous: neurons live in time of their own, spikes act when they arrive; untimed: no time at all")
    voltage: float | None = quantity("V", gt=0, default=None, doc="supply voltage; null: the one its costs hold at")
    tick: Tick | None = Field(None, description="of chips with time base `fixed_tick`; null: no fixed tick")
    system: System | None = Field(None, description="several chips; null: one chip")
    continuous: Continuous | None = Field(None, description="of chips with time base `continuous`; null: on others")
    fabric: Fabric
    core: Core
    costs: Costs
    provenance: dict[str, Provenance] = Field(default_factory=dict, json_schema_extra={"computed": True})

    @field_validator("fabric")
    @classmethod
    def _of_all_chips(cls, fabric: Fabric, info: ValidationInfo) -> Fabric:
        system = info.data.get("system")
        return fabric.model_copy(update={"chips": system.chips if system else None})

    @model_validator(mode="after")
    def _whole(self) -> ChipSpec:
        if misfits := broken(self):
            raise ValueError("; ".join(m.message for m in misfits))
        stated = self.provenance
        complete = {path: stated.get(path) or Provenance(value_text=text, unit=unit)
                    for path, text, unit in numbers_of(self)}
        stated.clear()
        stated.update(complete)
        return self

    @property
    def n_routers(self) -> int:
        """Routers of the whole system."""
        return self.fabric.n_routers

    @property
    def dynamic_scale(self) -> float:
        """What the supply voltage makes of the energy of an action."""
        law = self.costs.voltage
        return (self.voltage / law.nominal) ** 2 if law and self.voltage else 1.0

    @property
    def static_power(self) -> float:
        """Watts of the whole system when it does nothing, at its supply voltage."""
        law, power = self.costs.voltage, self.costs.static.power
        if law and self.voltage and power:
            power *= (self.voltage / law.nominal) ** (log(law.static_at_max / power) / log(law.max / law.nominal))
        return self.n_chips * power

    @property
    def n_chips(self) -> int:
        """Chips of the whole system."""
        return self.system.chips[0] * self.system.chips[1] if self.system else 1

    @property
    def n_cores(self) -> int:
        """Cores of the whole system."""
        return self.fabric.n_cores or self.fabric.n_places * self.fabric.cores_per_router

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: plain SI numbers, provenance beside them. `ChipSpec.from_dict` gives back an equal chip."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ChipSpec:
        """The chip that `to_dict` wrote, also after a detour through JSON text. Raises ChipError if it did not."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = [(".".join(map(str, e["loc"])) or "as a whole", e["msg"]) for e in error.errors(include_url=False)]
            raise ChipError(*(Diagnostic("E117", f"stored chip: {at}: {what}") for at, what in wrong)) from None

    def kinds(self) -> dict[str, int]:
        """How many numbers are published, measured, derived, estimated, unstated."""
        return dict(Counter(p.kind for p in self.provenance.values()).most_common())

    def __repr__(self) -> str:
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.kinds().items())
        return (f"<ChipSpec {self.name}: {self.n_cores} cores on a {self.fabric.width}x{self.fabric.height} "
                f"{self.fabric.topology}, {' '.join(self.core.neuron.models)}, {self.time_base}; numbers: {kinds}>")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(path)}</code></td><td>{escape(p.value_text)}</td><td>{escape(p.kind)}</td>"
            f"<td>{escape(p.source)}</td><td>{escape(p.note)}</td></tr>" for path, p in self.provenance.items())
        return (f"<b>{escape(self.title)}</b><br>{escape(repr(self)[1:-1])}"
                f"<details><summary>{len(self.provenance)} numbers and their sources</summary><table>"
                f"<tr><th>number</th><th>value</th><th>provenance</th><th>source</th><th>note</th></tr>{rows}</table></details>")
