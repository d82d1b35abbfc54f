"""Keyword spotting on Loihi (Blouw et al. 2019, arXiv:1812.01739), from the raw logs of its power rails.

Networks and throughputs are published; ticks per inference and spikes are not. Both are swept: 5 to 20 ticks, 0.05 to
0.2 spikes per neuron and tick, with 10 and 0.1 as the assumption. Neurons get constant inputs, drawn at random, that
make them spike at the rate; weights are small and of both signs.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import Run
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report.cost import price
from chipsim.validation.case import Case, Range

LOGS = "blouw2019, logs/running"
TICKS, RATES = (5, 10, 20), (0.05, 0.1, 0.2)
ASSUMED_TICKS, ASSUMED_RATE = 10, 0.1
WARM, COUNTED = 40, 40                            # ticks until phases are mixed, ticks that are priced
SPOTS_PER_SECOND, NO_BRANCH_PER_SECOND = 297, 125.8
PER_SECOND, WITH_ONE = 114.3, 114.7               # inferences, mean over 1 to 10 branches, and with one
THRESHOLD = 500                                   # times 2^6


def neurons(net: NetworkBuilder, name: str, n: int, rate: float, rng: np.random.Generator) -> None:
    bias = np.round(rate * rng.uniform(0.5, 1.5, n) * THRESHOLD * 64 / 8)
    net.add_population(name, n, "loihi_lif", vth_mant=THRESHOLD, bias_mant=bias, bias_exp=3)


def dense(net: NetworkBuilder, pre: str, post: str, rng: np.random.Generator) -> None:
    shape = (net.populations[post].size, net.populations[pre].size)
    net.connect(pre, post, "dense", weights=rng.choice([-2.0, 2.0], shape), delay=1)


@cache
def simulated(chip: str, branches: int | None, rate: float) -> Run:
    """The spotter 390-256-256-29 (branches: None), or 390-256, so many branches of ten layers of 256, and 29."""
    rng, net = np.random.default_rng(1), NetworkBuilder("keywords")
    net.add_input("in", 390)
    neurons(net, "hidden", 256, rate, rng)
    neurons(net, "out", 29, rate, rng)
    dense(net, "in", "hidden", rng)
    for b in range(1 if branches is None else branches):
        before = "hidden"
        for layer in range(1 if branches is None else 10):
            neurons(net, name := f"b{b}.{layer}", 256, rate, rng)
            dense(net, before, name, rng)
            before = name
        dense(net, before, "out", rng)
    x = rng.random((WARM + COUNTED, 390)) < rate
    layout = compile(net.build(["out"]), chip)
    return simulate(layout, Stimulus.from_dense(x.astype(np.uint8)), record=())


def tick_energy(chip: str, branches: int | None, rate: float) -> float:
    """Joules of a tick, static power apart."""
    run = simulated(chip, branches, rate)
    return price(run.counts[WARM:], load_chip(chip), None).dynamic_J / COUNTED


def swept(figure, *args) -> Range:
    """figure(*args, ticks, rate) as assumed, and its least and most over the unknowns."""
    values = [figure(*args, t, r) for t in TICKS for r in RATES]
    return Range(figure(*args, ASSUMED_TICKS, ASSUMED_RATE), min(values), max(values))


def branch_power(chip: str, ticks: int, rate: float) -> float:
    return (tick_energy(chip, 3, rate) - tick_energy(chip, 1, rate)) / 2 * ticks * PER_SECOND


def spotter_energy(chip: str, ticks: int, rate: float) -> float:
    return tick_energy(chip, None, rate) * ticks


def beyond_no_branch(chip: str, ticks: int, rate: float) -> float:
    """J of a spotter's inference, less that of the net without branches at the spotter's rate over its own."""
    slower = NO_BRANCH_PER_SECOND / SPOTS_PER_SECOND
    return ticks * (tick_energy(chip, None, rate) - tick_energy(chip, 0, rate) * slower)


def slowdown() -> float:
    """Time of an inference with ten branches over that with one, where the board sets all of it but what ticks grow."""
    ten, one = (float(simulated("loihi", n, ASSUMED_RATE).tick_ps[WARM:].mean()) * 1e-12 for n in (10, 1))
    return 1 + (ten - one) * ASSUMED_TICKS * WITH_ONE


UNKNOWN = "unknown: ticks per inference (10 assumed, 5 to 20 swept), spikes per neuron and tick (0.1; 0.05 to 0.2)"
BRANCH = ("390-256, then 1 and 3 branches of ten layers of 256 neurons, 29 outputs, at 114.3 inferences/s; power per "
          "branch")
SPOTTER = "390-256-256-29; energy of an inference, static power apart"
KEYWORDS = tuple(
    case for chip in ("loihi", "loihi-calibrated") for case in (
        Case(name=f"power of a branch, {chip}", workload=BRANCH, unit="W", published=1.860e-3, tolerance=0.05,
             source=f"{LOGS}, fit over 1 to 10 branches", basis="predicted", note=UNKNOWN,
             measure=lambda chip=chip: swept(branch_power, chip)),
        Case(name=f"energy of an inference, {chip}", workload=SPOTTER, unit="J", published=46.8e-6, tolerance=0.05,
             source=f"{LOGS}, 13.9 mW over idle after a run / 297 inferences/s", basis="predicted",
             note=UNKNOWN + ". The measured figure has in it what the x86 cores do for an inference, which is not "
             "simulated: the same board with no branch at all, and 126 inferences/s, drew 11.2 mW over idle, four "
             "fifths of the 13.9 mW; the next row takes them away. The activity at which the power of a branch agrees "
             "gives the cores a tenth of the whole",
             measure=lambda chip=chip: swept(spotter_energy, chip)),
        Case(name=f"energy of an inference beyond the board without branches, {chip}", unit="J", tolerance=0.05,
             published=(110.2e-3 - 107.5e-3) / SPOTS_PER_SECOND, workload=SPOTTER + "; less 390-256 and 29 outputs "
             "without a branch, at the rates of either", source=f"{LOGS}, 110.2 mW at 297/s less 107.5 mW at 125.8/s",
             basis="predicted", note=UNKNOWN + ". What the x86 cores and the board take is assumed not to grow from "
             "126 to 297 inferences/s, so that the published figure is the most that the cores can take",
             measure=lambda chip=chip: swept(beyond_no_branch, chip)))) + (
    Case(name="time with ten branches over one", unit="", published=WITH_ONE / 114.0, tolerance=0.02,
         workload="390-256, 1 and 10 branches of ten layers of 256 neurons, 29 outputs: how much longer ticks get, of "
         "the 8.7 ms that the board takes with one branch", source=f"{LOGS}, inferences/s with 1 and 10 branches",
         basis="predicted", measure=slowdown, note="input and output of the board are not simulated; its time with one "
         "branch is taken as measured"),)
