"""What must hold between the numbers of a chip's core: see rules.py."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chipsim.chip.misfit import Misfit

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec


def least_is_not_above_most(chip: ChipSpec) -> Iterator[Misfit]:
    d = chip.core.delay
    if d.min > d.max:
        yield Misfit("core.delay.max", f"`core.delay.max` is {d.max}, less than `core.delay.min`, which is {d.min}",
                     "a spike's delay lies between the two, both included")


def exponents_are_in_order(chip: ChipSpec) -> Iterator[Misfit]:
    w = chip.core.weights
    if w.exponent_min > w.exponent_max:
        yield Misfit("core.weights.exponent_max", f"`core.weights.exponent_max` is {w.exponent_max}, less than "
                     f"`core.weights.exponent_min`, which is {w.exponent_min}", "swap the two")


def analog_ranges_are_in_order(chip: ChipSpec) -> Iterator[Misfit]:
    analog = chip.core.analog
    if analog is None:
        return
    for name in ("tau_mem", "tau_syn", "refractory"):
        span = getattr(analog, name)
        if span.min > span.max:
            yield Misfit(f"core.analog.{name}", f"`core.analog.{name}.min` is above its max", "swap them")
    if not analog.potential_min <= analog.leak < analog.threshold <= analog.potential_max:
        yield Misfit("core.analog.leak", f"leak {analog.leak} and threshold {analog.threshold} do not lie in this "
                     f"order between {analog.potential_min} and {analog.potential_max}",
                     "give potentials in ascending order")
    if chip.core.weights.bits is None or chip.continuous is None:
        yield Misfit("core.analog", "`core.analog` needs `core.weights.bits` and `time_base: continuous`",
                     "analogue neurons have weights of few bits and live in continuous time")


def loihi_neurons_have_a_profile(chip: ChipSpec) -> Iterator[Misfit]:
    n = chip.core.neuron
    if "loihi_lif" in n.models and n.profile is None:
        yield Misfit("core.neuron", "the model `loihi_lif` of `core.neuron.models` needs `core.neuron.profile`",
                     "`profile: loihi` computes as the silicon does")


def fixed_point_learning_has_all_widths(chip: ChipSpec) -> Iterator[Misfit]:
    learning = chip.core.learning
    if learning is None or learning.trace_bits is None:
        return
    for name in ("mantissa_bits", "accumulator_bits", "fraction_bits"):
        if getattr(learning, name) is None:
            yield Misfit(f"core.learning.{name}",
                         f"`core.learning.trace_bits` needs `core.learning.{name}`, which is null",
                         "give all four widths, or none for floating point")


def learning_has_costs(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.core.learning is None:
        return
    for name in ("learn_trace", "learn_read", "learn_update"):
        if getattr(chip.costs, name) is None:
            yield Misfit(f"costs.{name}", f"`core.learning` needs `costs.{name}`, which is null",
                         f"write `{name}: {{energy: 0 pJ, time: 0 ns}}` with the chip's own numbers")


def packed_weights_have_bits(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.core.synapse_memory.packing != "none" and chip.core.weights.bits is None:
        yield Misfit("core.weights", f"`core.synapse_memory.packing: {chip.core.synapse_memory.packing}` needs "
                     "`core.weights.bits` to count a synapse's bits",
                     "say how wide a stored weight is, or use `packing: none`")


def crossbars_have_a_size(chip: ChipSpec) -> Iterator[Misfit]:
    core = chip.core
    if core.crossbar is None:
        return
    for name in ("neurons", "axons_in"):
        if getattr(core, name) is None:
            yield Misfit(f"core.{name}", f"`core.crossbar` needs `core.{name}`, which is null",
                         "say how many rows and columns the crossbar has")
    if core.synapse_memory.kernels != "unrolled":
        yield Misfit("core.synapse_memory.kernels", "a crossbar has a bit for every axon and neuron, and no kernels",
                     "write `kernels: unrolled`, or leave it out")
    if "truenorth" not in core.neuron.models:
        yield Misfit("core.neuron", "`core.crossbar` needs neurons with weights for axon types: the model `truenorth`",
                     "write `models: [truenorth]`, or leave `crossbar` out")


def matrices_have_a_cost(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.core.matrix is None:
        return
    if chip.costs.matrix is None:
        yield Misfit("costs.matrix", "`core.matrix` needs `costs.matrix`, which is null",
                     "write `matrix: {energy: 1.46 nJ, time: 1.5 us}` with the chip's own numbers")
    if chip.time_base == "continuous":
        yield Misfit("core.matrix", "a matrix is multiplied once in a tick, and continuous time has none",
                     "leave `matrix` out")
    if chip.core.learning is not None:
        yield Misfit("core.matrix", "the synapses of a matrix do not learn", "leave `learning` out, or `matrix`")


def conductances_are_in_order(chip: ChipSpec) -> Iterator[Misfit]:
    cells = chip.core.resistive
    if cells is None:
        return
    if cells.g_min >= cells.g_max:
        yield Misfit("core.resistive.g_min", f"`core.resistive.g_min` is {cells.g_min} uS, not below `g_max`, which is "
                     f"{cells.g_max} uS", "a weight is a difference of conductances between the two")
    from chipsim.models.devices import SPAN  # NumPy, which most chips do without here

    if cells.device != "ideal" and cells.g_max > SPAN:
        yield Misfit("core.resistive.g_max", f"cells of `{cells.device}` were measured up to {SPAN:g} uS",
                     f"use {SPAN:g} or less, or `device: ideal`")
    if "crossbar_lif" not in chip.core.neuron.models:
        yield Misfit("core.neuron", "`core.resistive` needs neurons behind converters: the model `crossbar_lif`",
                     "write `models: [crossbar_lif]`, or leave `resistive` out")
    if chip.core.analog is not None or chip.core.crossbar is not None:
        yield Misfit("core.resistive", "synapses are of one kind: `analog`, `crossbar` or `resistive`",
                     "leave the others out")


def operating_points_are_in_order(chip: ChipSpec) -> Iterator[Misfit]:
    dvfs = chip.core.dvfs
    if dvfs is None:
        return
    for name, low, high in (("clock", dvfs.low.clock, dvfs.high.clock), ("cycle", dvfs.low.cycle, dvfs.high.cycle),
                            ("asleep", dvfs.low.asleep, dvfs.high.asleep)):
        if low > high:
            yield Misfit(f"core.dvfs.low.{name}", f"`core.dvfs.low.{name}` is above that of `high`", "swap the two")
    for name in ("low", "high"):
        if (clock := getattr(dvfs, name).clock) % 1:
            yield Misfit(f"core.dvfs.{name}.clock", f"a clock of {clock} Hz is not a whole number of hertz",
                         "round it: times are scaled in whole numbers")
    if chip.fabric.blocked is not None:
        yield Misfit("core.dvfs", "operating points follow the packets sent to a core, of which a fabric that drops "
                     "packets loses some", "leave `dvfs` out, or `fabric.blocked`")
    if chip.core.matrix is not None:
        yield Misfit("core.dvfs", "operating points do not reach the blocks of a core's matrix",
                     "leave `dvfs` out, or `matrix`")
    if chip.core.learning is not None:
        yield Misfit("core.dvfs", "operating points do not reach the learning phase of a tick",
                     "leave `dvfs` out, or `learning`")


CORE_RULES = (least_is_not_above_most, exponents_are_in_order, analog_ranges_are_in_order, loihi_neurons_have_a_profile,
              fixed_point_learning_has_all_widths, learning_has_costs, packed_weights_have_bits,
              crossbars_have_a_size, matrices_have_a_cost, conductances_are_in_order,
              operating_points_are_in_order)
