"""Load curves of BookSim 2: mean latency within 1 % or three standard errors, below 85 % of capacity.

A sample of the rows, spread over patterns, virtual channels, packet sizes and loads; `tools/bench.py fabric --curves`
goes through all of them.
"""
from __future__ import annotations

import pytest
from fabric_curves import CURVES, compare, curve_rows

EVERY = {"booksim_mesh_k4.csv": 29, "booksim_hotspot4_k4.csv": 5, "booksim_sensitivity_k8.csv": 3}


@pytest.mark.parametrize("name", CURVES)
def test_mean_latency_follows_booksim(validation_dir, name):
    rows = curve_rows(validation_dir / "noc" / name)[:: EVERY[name]]
    assert len(rows) >= 3
    wrong = [str(result) for row in rows if not (result := compare(row)).agrees]
    assert wrong == []
