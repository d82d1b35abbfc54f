"""ODIN against the cycle counts of its open register-transfer description (ChFrenkel/ODIN, doc/README.md, 2.2.1).

The counts are in the chip file as times; a case measures them from outside, by what one event more makes a tick longer.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import Run
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report
from chipsim.validation.case import Case

SOURCE = "odin, doc/README.md 2.2.1"
CLOCK_HZ = 75e6
N = 128


@cache
def crossbar(events: int) -> Run:
    """128 inputs onto 256 neurons, half of which also send to all; `events` inputs spike in the second of two ticks."""
    rng = np.random.default_rng(0)
    net = NetworkBuilder("crossbar")
    net.add_input("in", N)
    net.add_population("a", N, "odin_lif", threshold=255)
    net.add_population("b", N, "odin_lif", threshold=255)
    for post in ("a", "b"):
        net.connect("in", post, weights=rng.integers(1, 8, (N, N)), delay=1)
        net.connect("a", post, weights=rng.integers(1, 8, (N, N)), delay=1)
    spikes = np.zeros((2, N), np.uint8)
    spikes[1, :events] = 1
    return simulate(compile(net.build(["b"]), "odin"), Stimulus.from_dense(spikes), record=())


def cycles(ps: float) -> float:
    return ps * 1e-12 * CLOCK_HZ


def spike_event() -> float:
    few, many = (int(crossbar(n).tick_ps[1]) for n in (3, 103))
    return cycles((many - few) / 100)


def time_reference() -> float:
    return cycles(int(crossbar(3).tick_ps[0]))


def sops_per_event() -> float:
    return report(crossbar(103)).energy.n_sops / 103


def energy_per_sop() -> float:
    """At the highest rate: ticks full of events."""
    found = report(crossbar(N)).energy
    few = report(crossbar(3)).energy
    return (found.total_J - few.total_J) / (found.n_sops - few.n_sops)


CASES = (
    Case(name="neuron spike event", workload="128 inputs on a full crossbar; 103 events in a tick against 3",
         unit="cycles", published=513, tolerance=1e-6, source=SOURCE, basis="restated", measure=spike_event),
    Case(name="time reference event, all neurons", workload="256 neurons, a tick without events", unit="cycles",
         published=512, tolerance=1e-6, source=SOURCE, basis="restated", measure=time_reference),
    Case(name="synaptic operations of an event", workload="128 inputs on a full crossbar", unit="SOPs", published=256,
         tolerance=0, source=SOURCE, basis="predicted", measure=sops_per_event),
    Case(name="energy per synaptic operation", workload="128 inputs on a full crossbar; 128 events in a tick against 3",
         unit="J", published=12.7e-12, tolerance=0.01, source="frenkel2019, table 1", basis="fitted",
         measure=energy_per_sop, note="incremental energy is published, static power is fitted to this figure"),
)
