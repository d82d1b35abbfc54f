"""ISAAC-CE against the arithmetic of its design study (Shafiee et al. 2016, table I): a model, not silicon.

The chip file has the power of a multiplier and of all else from that table, so that these cases test the account: all
2016 multipliers of the chip at work in every tick of 100 ns, each on 128 x 128 weights of 16 bits.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report
from chipsim.validation.case import Case

SOURCE = "shafiee2016, table I"
MULTIPLIERS, TICKS, WIDTH = 168 * 12, 4, 8


@cache
def busy() -> tuple[float, float]:
    """(W of the chip, operations per second of 16 bits) with every multiplier busy; a thin network on each."""
    net = NetworkBuilder("busy", dt=1e-6)
    net.add_input("in", 128)
    net.add_population("n", MULTIPLIERS, "lif", tau=1e-2, v_threshold=1e6)
    net.connect("in", "n", weights=np.random.default_rng(0).normal(size=(MULTIPLIERS, 128)))
    spikes = np.zeros((TICKS, 128), np.uint8)
    spikes[:, 0] = 1
    layout = compile(net.build(["n"]), "isaac", neurons_per_core=1, effort="fast", objective="latency")
    run = simulate(layout, Stimulus.from_dense(spikes), record=(), timing="none")
    blocks = int(run.counts[1:, A["matrix"]].sum()) / (TICKS - 1)
    energy = report(run).energy.by_component["synapse"].actions["matrix"].each_J
    static = layout.chip.static_power
    period = layout.chip.costs.matrix.time
    return blocks * energy / period + static, blocks * 128 * 128 * 2 / (16 * period)


CASES = (
    Case(name="power, all multipliers busy", workload="2016 multipliers, each at work in every 100 ns", unit="W",
         published=65.8, tolerance=0.01, source=SOURCE, basis="restated", measure=lambda: busy()[0]),
    Case(name="operations per second, 16 bit", workload="2016 multipliers, inputs of 16 bits one after the other",
         unit="Top/s", published=40.9, tolerance=0.02, source=SOURCE, basis="predicted",
         measure=lambda: busy()[1] / 1e12),
)
