"""SpiNNaker 2: power with all processors asleep and all busy, and synaptic events per second, at both operating points.

Busy is a network that fills every millisecond of all 152 processors but the first with synaptic events; CoreMark kept
the silicon as busy. What a cycle takes was derived from those very figures, so the power is fitted; the throughput is
restated. With both operating points (`spinnaker2-dvfs`) the processors choose by their packets, core by core and tick
by tick, and have to come to the power of either.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report.report import Report, report
from chipsim.validation.case import Case, Range

TICKS = 20
SOURCE = "scholze2026, power states and throughput"
SOURCES, TARGETS = 100, 120                          # of a core: 12 000 events a tick at 300 MHz
THRESHOLD = 80                                       # packets: more than half of the sources, fewer than all
BURST_TICKS = 20


@cache
def busy(name: str, share: float) -> Report:
    chip = load_chip(name, set=(f"core.dvfs.packets={THRESHOLD}",) if name.endswith("-dvfs") else ())
    net = NetworkBuilder("events", dt=1e-3)
    net.add_population("sources", int(SOURCES * share), "lif_s1615", v_thresh=-70.0, i_offset=1e-3, tau_refrac=0.0)
    net.add_population("targets", TARGETS * (chip.n_cores - 1), "lif_s1615", v_thresh=0.0, i_offset=1e-3)
    net.connect("sources", "targets", weights=1.0, delay=1)
    layout = compile(net.build(), chip, neurons_per_core=TARGETS, effort="fast", objective="latency")
    return report(simulate(layout, ticks=TICKS, record=()))


def power(chip: str, share: float) -> float:
    watts = busy(chip, share).energy.mean_power_W
    assert watts is not None                        # timing is exact
    return watts


def throughput(chip: str, share: float) -> float:
    """Synaptic events per second if every tick were as short as the longest one had to be."""
    account = busy(chip, share)
    assert account.latency is not None and account.latency.use is not None
    return account.energy.n_sops / TICKS / account.latency.use.fastest_tick_s


def asleep(chip: str) -> float:
    """W with one silent neuron, the least that can be simulated: 2 uW of 565 mW."""
    net = NetworkBuilder("asleep", dt=1e-3)
    net.add_population("neuron", 1, "lif_s1615", v_thresh=0.0, i_offset=1e-3)
    watts = report(simulate(compile(net.build(), chip), ticks=TICKS, record=())).energy.mean_power_W
    assert watts is not None                        # timing is exact
    return watts


@cache
def arrays() -> tuple[float, float]:
    """(operations per second, W) with all MAC arrays at work: what 2048 inputs more add on one PE, 152 times."""
    found = []
    for inputs in (1024, 3072):
        net = NetworkBuilder("products", dt=1e-3)
        net.add_input("in", inputs)
        net.add_population("n", 4, "lif_s1615", v_thresh=1e4)
        net.connect("in", "n", weights=np.ones((4, inputs)), delay=1)
        spikes = np.zeros((3, inputs), np.uint8)
        spikes[0, 0] = 1
        run = simulate(compile(net.build(), "spinnaker2-mac"), Stimulus.from_dense(spikes), record=())
        found.append((int(run.busy_ps[1]) * 1e-12, report(run).energy.dynamic_J))
    (short, little), (long, much) = found
    return 152 * 2 * 2048 * 4 / (long - short), 152 * (much - little) / (long - short) + asleep("spinnaker2-mac")


@cache
def gesture_energy(share: float) -> float:
    """J with both operating points over J at 300 MHz, where all processors are busy in a share of the ticks."""
    spikes = np.zeros((BURST_TICKS, SOURCES), np.uint8)
    spikes[: round(share * BURST_TICKS)] = 1
    joules = []
    for name in ("spinnaker2-dvfs", "spinnaker2"):
        chip = load_chip(name, set=(f"core.dvfs.packets={THRESHOLD}",) if name.endswith("-dvfs") else ())
        net = NetworkBuilder("bursts", dt=1e-3)
        net.add_input("in", SOURCES)
        net.add_population("targets", TARGETS * chip.n_cores, "lif_s1615", v_thresh=1e4)
        net.connect("in", "targets", weights=1.0, delay=1)
        layout = compile(net.build(), chip, neurons_per_core=TARGETS, effort="fast", objective="latency")
        joules.append(report(simulate(layout, Stimulus.from_dense(spikes), record=())).energy.total_J)
    return joules[0] / joules[1]


def gesture_saving() -> Range:
    low, value, high = (gesture_energy(share) for share in (0.0, 0.5, 1.0))
    return Range(value, low, high)


PRODUCTS = "what 2048 inputs more add to the product on one PE, times 152, at 300 MHz"
BOTH = f"; processors choose, from {THRESHOLD} packets on 300 MHz"
FULL = "12 000 synaptic events in each ms on 151 PEs"
HALF = "6 000 synaptic events in each ms on 151 PEs"
PEER = "the silicon ran CoreMark instead; 120 neurons per PE are updated besides"
CASES = (
    Case(name="asleep, 0.8 V", workload="one silent neuron", unit="W", published=0.5647, tolerance=0.001,
         source=SOURCE, basis="restated", note="all PEs were asleep", measure=lambda: asleep("spinnaker2")),
    Case(name="asleep, 0.5 V", workload="one silent neuron", unit="W", published=0.2354, tolerance=0.001,
         source=SOURCE, basis="restated", note="all PEs were asleep", measure=lambda: asleep("spinnaker2-low")),
    Case(name="all busy, 300 MHz", workload=FULL, unit="W", published=1.2479, tolerance=0.05, source=SOURCE,
         basis="fitted", note=PEER, measure=lambda: power("spinnaker2", 1.0)),
    Case(name="all busy, 150 MHz", workload=HALF, unit="W", published=0.4246, tolerance=0.05, source=SOURCE,
         basis="fitted", note=PEER, measure=lambda: power("spinnaker2-low", 0.5)),
    Case(name="asleep, both points", workload="one silent neuron", unit="W", published=0.2354, tolerance=0.001,
         source=SOURCE, basis="restated", note="all PEs were asleep", measure=lambda: asleep("spinnaker2-dvfs")),
    Case(name="all busy, both points, upper", workload=FULL + BOTH, unit="W", published=1.2479, tolerance=0.05,
         source=SOURCE, basis="fitted", note=PEER, measure=lambda: power("spinnaker2-dvfs", 1.0)),
    Case(name="all busy, both points, lower", workload=HALF + BOTH, unit="W", published=0.4246, tolerance=0.05,
         source=SOURCE, basis="fitted", note=PEER, measure=lambda: power("spinnaker2-dvfs", 0.5)),
    Case(name="energy of gestures with both points over 300 MHz", unit="", published=0.741 / 1.023, tolerance=0.05,
         workload="12 000 synaptic events on each PE in half of the ticks, none in the others; with over without",
         source="scholze2026, DVS gestures, 0.741 J and 1.023 J", basis="predicted", measure=gesture_saving,
         note="neither the network nor its spikes are published: from no busy tick to all are swept"),
    Case(name="operations per second of all MAC arrays", workload=PRODUCTS, unit="Top/s", published=4.563,
         tolerance=0.01, source=SOURCE, basis="fitted", measure=lambda: arrays()[0] / 1e12),
    Case(name="power with all MAC arrays busy", workload=PRODUCTS, unit="W", published=2.219, tolerance=0.01,
         source=SOURCE, basis="fitted", measure=lambda: arrays()[1]),
    Case(name="synaptic events per second, 300 MHz", workload=FULL, unit="Hz", published=1.8e9, tolerance=0.05,
         source=SOURCE, basis="restated", measure=lambda: throughput("spinnaker2", 1.0)),
)
