"""The cortical microcircuit's layout, made row by row: the paper's numbers, and a layout like any other."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler.layout_file import load_layout, save_layout
from chipsim.engine import simulate
from chipsim.validation.microcircuit import INHIBITION, NAMES, PROBABILITY, SIZES, WEIGHT, microcircuit

SCALE = 0.02


@pytest.fixture(scope="module")
def layout():
    return microcircuit(load_chip("spinnaker48"), SCALE)


def test_the_paper_has_299_million_synapses():
    n = np.array(SIZES, float)
    pairs = n[:, None] * n[None, :]
    assert np.sum(np.log1p(-PROBABILITY) / np.log1p(-1 / pairs)) == pytest.approx(299e6, rel=0.01)


def test_populations_are_joined_with_the_probabilities_of_the_paper(layout):
    sizes = np.array([p.shape[0] for p in layout.populations])
    first = np.concatenate([[0], np.cumsum(sizes)])
    source = np.empty(len(layout.axon_core), np.int64)
    source[layout.out_axon] = np.repeat(np.arange(layout.n_sources), np.diff(layout.out_start))
    pre = np.searchsorted(first, source, side="right") - 1
    post = np.array([g.population for g in layout.groups])[layout.axon_core]
    found = np.zeros((8, 8))
    np.add.at(found, (post, pre), layout.segment_size)
    pairs = np.outer(sizes, sizes).astype(float)
    wanted = np.log1p(-PROBABILITY) / np.log1p(-1 / pairs)
    assert np.abs(found - wanted).max() <= len(layout.groups)
    assert np.array_equal(layout.segment_receptor, pre % 2)
    for kind, mean, unit in ((0, WEIGHT, 0.125), (1, -INHIBITION * WEIGHT, 0.5)):
        there = np.repeat((pre % 2 == kind) & ~((pre == 2) & (post == 0)), layout.segment_size)
        assert layout.weight[there].mean() * unit == pytest.approx(mean, rel=0.01)
    delays = layout.segment_delay[pre % 2 == 0] * 0.1
    assert delays.mean() == pytest.approx(1.5, rel=0.05) and delays.min() >= 0.1


def test_it_can_be_stored_and_runs_alike_in_both_engines(layout, tmp_path):
    save_layout(layout, tmp_path / "circuit.layout.h5")
    stored = load_layout(tmp_path / "circuit.layout.h5")
    runs = [simulate(stored, ticks=12, record="all", engine=engine, timing="none")
            for engine in ("compiled", "reference")]
    assert sum(len(runs[0].spikes[name][0]) for name in NAMES) > 100
    assert all(np.array_equal(runs[0].spikes[name], runs[1].spikes[name]) for name in NAMES)
