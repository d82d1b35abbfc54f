"""The benchmark against peers: networks are handed on whole, and a time counts only where the counts agree."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bench_networks
import bench_peers

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import SYNOPS, A


def result(cpu_s, spikes=10):
    return dict(run=dict(cpu_s=cpu_s, wall_s=cpu_s), load=dict(cpu_s=0.0, wall_s=0.0), spikes=spikes, events=1000,
                version="", peak_MB=1.0)


@pytest.fixture
def runs(monkeypatch):
    """What each simulator gives; those not named are not installed."""
    given = {"chipsim none": result(2.0)}
    monkeypatch.setattr(bench_peers, "prepared", lambda folder, name, make, chip, ticks: None)
    monkeypatch.setattr(bench_peers, "run", lambda python, name, work: given.get(name))
    return given


def test_who_takes_long_runs_once(runs, monkeypatch):
    names = []
    monkeypatch.setattr(bench_peers, "run", lambda python, name, work: names.append(name))
    bench_peers.measure(Path(), "", 3)
    assert names.count("SANA-FE cycle") == 1 and names.count("SANA-FE detailed") == 3


def test_the_ratio_is_to_chipsim_on_the_same_network(runs):
    runs["NEST"] = result(9.0)
    rows, wrong = bench_peers.measure(Path(), "", 2)
    assert {r["simulator"]: r["ratio"] for r in rows} == {"chipsim none": None, "NEST": 4.5} and not wrong


def test_simulators_that_disagree_are_named(runs):
    runs["NEST"] = result(9.0, spikes=11)
    _, wrong = bench_peers.measure(Path(), "", 1)
    assert wrong == ["random, as in NEST: NEST counts 11 spikes, chipsim none 10"]


def test_edges_are_the_synapses_that_chipsim_counts():
    network = bench_networks.random(n=60, fan_in=7)
    run = simulate(compile(network, "ideal"), ticks=300)
    edges = bench_networks.edges(network)
    fan_out = np.bincount(edges["pre"], minlength=60)
    assert len(edges["weight"]) == 60 * 7
    assert (fan_out * run.source_spikes).sum() == run.counts[:, [A[name] for name in SYNOPS]].sum() > 0


def test_the_page_keeps_its_last_part_until_it_is_made_anew(runs, monkeypatch, tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nold\n\n## Large networks\n\nmeasured before\n", encoding="utf-8")
    monkeypatch.setattr(bench_peers, "PAGE", page)
    monkeypatch.setattr(bench_peers, "printed", lambda *subject: f"figures of {' '.join(subject)}")
    assert bench_peers.main(["--write", "--repeats", "1", "--work", str(tmp_path)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "figures of chips\n" in text and "old" not in text and text.endswith("measured before\n")
    assert bench_peers.main(["--write", "--large", "--repeats", "1", "--work", str(tmp_path)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "figures of chips billion" in text and "figures of compile" in text and "before" not in text.partition(
        "## Large networks")[2]
