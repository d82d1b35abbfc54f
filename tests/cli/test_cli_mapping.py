"""Options of the mapping on the command line: objective, effort, measured traffic, and one core explained."""
from __future__ import annotations

import json

import pytest

from chipsim.cli import main

DIGITS = ["examples/digits.nir", "--chip", "loihi", "--nir-dialect", "snntorch"]


@pytest.fixture(autouse=True)
def in_the_tree(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def account(capsys, *options):
    assert main(["compile", *DIGITS, "--quiet", "--format", "json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_populations_share_a_core_for_few_packets_and_stand_apart_for_latency(capsys):
    assert account(capsys, "--objective", "latency")["cores"] == 2
    together = account(capsys, "--objective", "energy", "--effort", "fast")
    assert together["cores"] == 1
    partition = next(p for p in together["passes"] if p["pass"] == "partition")
    assert partition["objective"] == "energy" and partition["packets_per_tick"] == 64      # the 64 input lines


def test_small_networks_stand_population_by_population_by_default(capsys):
    assert account(capsys)["placement"] == account(capsys, "--objective", "latency")["placement"]


def test_neurons_per_core_holds_for_shared_cores(capsys):
    found = account(capsys, "--objective", "energy", "--neurons-per-core", "20", "--effort", "fast")
    assert found["utilisation"]["neurons"]["max"] <= 20 and found["cores"] >= 6


def test_traffic_of_a_run_steers_the_next_compilation(capsys, tmp_path):
    run = tmp_path / "first.run.h5"
    assert main(["run", *DIGITS, "--input", "examples/digits_test.h5", "--samples", "2", "--quiet",
                 "-o", str(run)]) == 0
    capsys.readouterr()
    measured = account(capsys, "--objective", "energy", "--effort", "fast", "--profile", str(run))
    packets = next(p for p in measured["passes"] if p["pass"] == "partition")["packets_per_tick"]
    assert 0 < packets < 64                             # lines spike in some ticks only


def test_a_core_is_explained(capsys):
    assert main(["compile", *DIGITS, "--quiet", "--explain-core", "0"]) == 0
    text = capsys.readouterr().out
    assert "lif1" in text and "96" in text and "1 024" in text
    assert "closest to its limit: neurons" in text and "what would relieve it: " in text


def test_an_empty_core_has_nothing_to_explain(capsys):
    assert main(["compile", *DIGITS, "--quiet", "--explain-core", "99"]) == 2
    error = capsys.readouterr().err
    assert "U425" in error and "nothing stands on core 99" in error and "cores in use: 0, 1" in error
