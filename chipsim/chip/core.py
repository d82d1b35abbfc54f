"""Classes of a chip file's `core`: what one core holds and computes."""
from __future__ import annotations

from typing import Literal

from pydantic import Field

from chipsim.chip.fields import Part, count, quantity


class SynapseMemory(Part):
    """Memory for the synapses of a core, and how they are packed into it."""

    bits: int | None = count("bit", ge=1, doc="synapse memory of a core; null: no limit")
    packing: Literal["loihi", "rows", "arrays", "none"] = Field(description="rule by which synapses take up bits")
    kernels: Literal["unrolled", "shared", "distributed"] = Field(
        "unrolled", description="convolutions: every use of a weight stored, each kernel once per core, or once on "
        "the chip, its cores having a part each")


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
    dependencies: tuple[Literal["x0", "y0", "u"], ...] = Field(
        ("x0", "y0", "u"), min_length=1,
        description="what a product may depend on: a spike of the axon (x0), one of the neuron (y0), neither (u)")
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


class Resistive(Part):
    """Synapses that are pairs of memristive cells: a weight is the difference of two conductances, and a tick's sum of
    currents is read by a converter, as the model `crossbar_lif` computes it."""

    specimen: int = count("number", ge=0, doc="which chip of its kind: seed of the deviations of its cells")
    device: Literal["ideal", "wan2022_second", "wan2022_day", "wan2022_two_days"] = Field(
        description="how far cells are from what was programmed; second, day: so long after programming")
    g_min: int = count("uS", ge=0, doc="conductance of a cell that stands for nothing")
    g_max: int = count("uS", ge=1, doc="conductance of the largest weight")
    read_noise: int = count("%", ge=0, le=50, doc="standard deviation of a conductance from one read to the next")
    converter_bits: int = count("bit", ge=2, le=16, doc="what a converter tells apart, sign included")


class Matrix(Part):
    """All synapses of a core at once: the matrix of its in-axons and neurons is multiplied in blocks.

    A core does so in the tick after packets have come to it, whatever came, before it visits its neurons; the action
    `matrix` is one block. Without packets it does not.
    """

    rows: int = count("axons", ge=1, doc="in-axons of a block")
    columns: int = count("neurons", ge=1, doc="neurons of a block")
    phases: int = count("times", ge=1, default=1, doc="times that a block is multiplied: one per bit of an input's "
                        "magnitude, where they come one after the other")


class OperatingPoint(Part):
    """A supply voltage and the clock it allows."""

    clock: float = quantity("Hz", gt=0, doc="clock of the core")
    cycle: float = quantity("J", gt=0, doc="a cycle of work, above a core that sleeps at this point")
    asleep: float = quantity("W", ge=0, doc="a core at this point, whether it works or not")


class Dvfs(Part):
    """Operating points between which every core chooses in every tick, by the packets that it is sent in it.

    The chip's costs hold at `high`. A core at `low` takes longer by the ratio of the clocks, and less energy for the
    same work by that of the cycles; once its work is done a core rests at `low`, which `costs.static` includes.
    """

    packets: int = count("packets", ge=0, doc="from so many packets in a tick on a core works at `high`")
    low: OperatingPoint
    high: OperatingPoint


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
    resistive: Resistive | None = Field(None, description="memristive synapses; null: digital memory, or `analog`")
    matrix: Matrix | None = Field(None, description="synapses multiplied all at once; null: packet by packet")
    dvfs: Dvfs | None = Field(None, description="operating points chosen core by core; null: the costs always hold")
