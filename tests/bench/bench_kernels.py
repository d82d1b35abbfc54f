"""Speed of the function engine's kernels, a hundred ticks each; see also `tools/bench.py engine`."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bench_engine
import bench_networks

from chipsim.compiler import compile
from chipsim.engine.function import Function
from chipsim.engine.plan import plan
from chipsim.validation.microcircuit import microcircuit

TICKS = 100
LAYOUTS = {
    "loihi_lif without input": lambda: bench_engine.cells(10_000),
    "integer synapses": lambda: bench_engine.spiking(5_000, bench_engine.SPACIOUS),
    "floating-point synapses": lambda: compile(bench_networks.random(5_000, 500), "ideal"),
    "shared kernels": lambda: compile(bench_networks.gesture(), "loihi"),
    "lif_s1615": lambda: microcircuit(bench_engine.load_chip("spinnaker48"), scale=0.05),
    "pair STDP": lambda: bench_engine.learner(*bench_engine.LEARNERS["pair STDP"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_function(benchmark, name):
    layout = LAYOUTS[name]()
    function = Function(plan(layout), np.zeros(layout.n_sources, bool), False)
    on = np.random.default_rng(1).random((TICKS, layout.n_lines)) < 0.05
    start, line = np.concatenate([[0], np.cumsum(on.sum(1))]), np.nonzero(on)[1].astype(np.uint32)
    counts, _ = benchmark(function.advance, TICKS, start, line, None, 0, [])
    assert len(counts) == TICKS
