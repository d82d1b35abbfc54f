"""`chipsim sweep`: every combination once, gone on with when cut off, and reasons where a variant cannot run."""
import json
from pathlib import Path

import pytest

from chipsim.cli import main
from chipsim.explore import sweep as module

NET = """\
populations: {in: {size: 4, model: input}, a: {size: 40, model: loihi_lif, vth_mant: 100, bias_mant: 300}}
projections: [{from: in, to: a, weights: 1}]
outputs: [a]
"""
GRID = ["--grid", "core.neurons=4,20,many", "--grid", "fabric.n_cores=8,128"]


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    return ["sweep", "net.yaml", "--chip", "loihi", "--ticks", "5", "--quiet", "--format", "json", *GRID]


def test_every_combination_is_a_row_or_a_reason(net, capsys):
    assert main(net) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [tuple(p["values"].values()) for p in points] == [(n, c) for n in ("4", "20", "many") for c in ("8", "128")]
    assert [p["row"]["code"] for p in points] == ["M203", "", "", "", "E105", "E105"]
    assert [p["row"]["cores"] for p in points] == [None, 10, 2, 2, None, None]
    assert any(p["best"] for p in points) and not any(p["best"] for p in points if p["row"]["why"])


def test_a_log_that_was_cut_off_is_gone_on_with(net, capsys, monkeypatch):
    assert main([*net, "--log", "rows.jsonl"]) == 0
    whole = capsys.readouterr().out
    lines = Path("rows.jsonl").read_text().splitlines(keepends=True)
    Path("rows.jsonl").write_text("".join(lines[:3]) + lines[3][:20] + "\n")
    done = []
    monkeypatch.setattr(module, "simulate", lambda *a, f=module.simulate, **k: (done.append(1), f(*a, **k))[1])
    assert main([*net, "--log", "rows.jsonl"]) == 0
    assert capsys.readouterr().out == whole
    assert len(done) == 1
    assert main([*net, "--seed", "1", "--log", "rows.jsonl"]) == 0          # another sweep shares none of the rows
    assert len(done) == 4


def test_variants_in_two_processes_are_the_same_points_and_the_same_rows_in_the_log(net, capsys):
    assert main([*net, "--log", "one.jsonl"]) == 0
    one = capsys.readouterr().out
    assert main([*net, "--log", "two.jsonl", "--jobs", "2"]) == 0
    assert capsys.readouterr().out == one
    assert sorted(Path("one.jsonl").read_text().split("\n")) == sorted(Path("two.jsonl").read_text().split("\n"))


def test_a_log_of_other_weights_is_not_gone_on_with(net, capsys, monkeypatch):
    assert main([*net, "--log", "rows.jsonl"]) == 0
    Path("net.yaml").write_text(NET.replace("weights: 1", "weights: 2"))
    done = []
    monkeypatch.setattr(module, "simulate", lambda *a, f=module.simulate, **k: (done.append(1), f(*a, **k))[1])
    assert main([*net, "--log", "rows.jsonl"]) == 0
    assert len(done) == 3


def test_what_is_no_grid_is_refused(net, capsys):
    assert main([*net[:-4], "--grid", "core.neurons"]) == 2
    assert "is no axis of a grid" in capsys.readouterr().err
