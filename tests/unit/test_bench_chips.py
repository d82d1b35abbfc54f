"""The benchmark of whole chips: its layouts are sound and as busy as asked, and its table says what is missed."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bench_chips
import bench_layouts

from chipsim.chip import load_chip
from chipsim.compiler import save_layout
from chipsim.compiler.layout_file import check
from chipsim.engine import simulate


@pytest.mark.parametrize("near", [None, 1])
def test_a_crowd_spikes_as_often_as_asked_and_no_further_than_asked(near):
    chip = load_chip("loihi", set=("fabric.width=4", "fabric.height=4", "fabric.cores_per_router=1"))
    layout = bench_layouts.crowd(chip, neurons=64, axons=64, synapses=8, activity=0.05, near=near)
    check(layout)
    run = simulate(layout, ticks=200, record=("all",), record_packets=range(150, 200))
    assert np.mean(run.spikes["all"][0] >= 100) * run.source_spikes.sum() / 100 / layout.n_neurons == pytest.approx(
        0.05, rel=0.15)
    (y0, x0), (y1, x1) = (np.divmod(run.packets[end], 4) for end in ("from_core", "to_core"))
    furthest = max(abs(y1 - y0).max(), abs(x1 - x0).max())
    assert furthest == (3 if near is None else near)


def test_the_table_says_which_targets_are_missed():
    figures = dict(row="loihi-none", what="", tick_ms=[1.0, 2.0, 3.0], wall_ms=1.5, spikes=1.0, packets=2.0, events=3.0,
                   load_s=0.1, peak_GB=0.2)
    lines = [bench_chips.table([figures | {"ticks/s": speed}])[-1] for speed in (499.0, 501.0)]
    assert "MISSED: ticks/s 499 > 500" in lines[0] and "met: ticks/s 501 > 500" in lines[1]


def test_a_row_is_measured_from_its_file_on_two_threads(tmp_path):
    row = bench_chips.Row("16 cores", lambda: bench_chips.mesh(4, 4), "exact", 20, 20, threads=2)
    save_layout(row.make(), tmp_path / "mesh.layout.h5")
    figures = bench_chips.measured(row, tmp_path / "mesh.layout.h5", 2)
    assert figures["packets"] > figures["spikes"] > 0 and figures["events"] == 16 * figures["packets"]
