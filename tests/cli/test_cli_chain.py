"""The whole chain as a user drives it: check, compile, run, report, on the shipped network."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli import main
from chipsim.engine.run_file import load_run

ROOT = Path(__file__).parents[2]
NET, SPIKES = str(ROOT / "examples" / "digits.nir"), str(ROOT / "examples" / "digits_test.h5")
DIGITS = [NET, "--nir-dialect", "snntorch"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_json(capsys, *argv: str) -> dict:
    assert main(["run", *argv, "--format", "json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_run_tells_data_on_stdout_and_talk_on_stderr_and_stores_the_run(here, capsys):
    assert main(["run", *DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:5"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("digits → loihi   5 samples")
    assert [line.split()[0] for line in err.splitlines()] == ["compiled", "simulated", "saved"]
    assert [p.name for p in here.iterdir()] == ["digits.run.h5"]


def test_weights_are_kept_after_every_n_ticks_and_are_in_the_stored_run(here, capsys):
    learner = str(ROOT / "examples" / "digits_learning.yaml")
    assert main(["run", learner, "--chip", "loihi", "--input", SPIKES, "--samples", "0:2", "--quiet",
                 "--record", "features.w[0:8],cells.v@20"]) == 0
    run = load_run("digits_learning.run.h5")
    assert run.probed_ticks.tolist() == [19, 39]
    assert run.states["features", "w[0:8]"].shape == (2, 8 * 64) and run.states["cells", "v"].shape == (2, 64)
    assert main(["run", learner, "--chip", "loihi", "--input", SPIKES, "--record", "cells.v@0"]) == 2
    assert "0 is too small; 1 is the least" in capsys.readouterr().err


def test_a_dialect_that_nobody_named_is_noted(here, capsys):
    assert main(["run", NET, "--chip", "loihi", "--input", SPIKES, "--samples", "0:1", "--no-save"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("note") and "dialect `exact`" in first and "--nir-dialect" in first


def test_what_was_asked_for_and_is_not_there_is_noted(here, capsys):
    assert main(["run", *DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "359:2000", "--resume"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert "359:2000" in notes[0] and "360" in notes[0]
    assert "nothing to resume" in notes[1]


def test_a_stored_run_gives_the_same_report_again_and_another_at_other_costs(here, capsys):
    shown = run_json(capsys, *DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:5", "-o", "five.run.h5")
    assert main(["report", "five.run.h5", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown
    assert main(["report", "five.run.h5", "--costs", "loihi-calibrated", "--format", "json"]) == 0
    priced = json.loads(capsys.readouterr().out)
    assert priced["latency"] == shown["latency"]
    synops = shown["energy"]["by_component"]["synapse"]["actions"]["synop_dense"]["count"]
    each = {name: r["energy"]["by_component"]["synapse"]["actions"]["synop_dense"]["energy_J"] / synops
            for name, r in (("published", shown), ("calibrated", priced))}
    assert each == pytest.approx({"published": 23.6e-12, "calibrated": 35.5e-12})


def test_a_layout_runs_like_the_network_it_came_from(here, capsys):
    assert main(["compile", *DIGITS, "--chip", "loihi", "-o", "d.layout.h5"]) == 0
    table = capsys.readouterr().out
    assert "neurons" in table and "1 024" in table
    common = ("--input", SPIKES, "--samples", "3", "--no-save")
    assert run_json(capsys, "d.layout.h5", *common) == run_json(capsys, *DIGITS, "--chip", "loihi", *common)
    assert [p.name for p in here.iterdir()] == ["d.layout.h5"]


def test_compile_explains_placement_as_text_and_json(here, capsys):
    assert main(["compile", *DIGITS, "--chip", "loihi", "--neurons-per-core", "32", "--explain", "--quiet"]) == 0
    assert "from slot" in capsys.readouterr().out
    assert main(["compile", *DIGITS, "--chip", "loihi", "--neurons-per-core", "32", "--format", "json", "--quiet"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account["cores"] == 4 and account["neurons"] == 106
    assert sum(p["neurons"] for p in account["placement"]) == 106
    assert max(p["neurons"] for p in account["placement"]) == 32
    assert len({(p["core"], p["slot"]) for p in account["placement"]}) == len(account["placement"])


def test_all_held_out_images_on_the_ideal_chip_and_on_loihi(here, capsys):
    expected = float(np.load(ROOT / "examples" / "digits_expected.npz")["accuracy"])
    for chip, tolerance in (("ideal", 0.0), ("loihi", 0.01)):
        inference = run_json(capsys, *DIGITS, "--chip", chip, "--input", SPIKES, "--no-save")["inference"]
        assert inference["samples"] == 360
        assert abs(inference["accuracy"] - expected) <= tolerance + 1e-12, chip


def test_timing_levels_agree_on_everything_but_time(here, capsys):
    common = (*DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:2", "--no-save")
    exact, analytic, none = (run_json(capsys, *common, "--timing", t) for t in ("exact", "analytic", "none"))
    assert exact["traffic"]["packets"] == analytic["traffic"]["packets"] == none["traffic"]["packets"]
    assert exact["energy"]["n_sops"] == none["energy"]["n_sops"] > 0
    assert analytic["latency"]["total_s"] <= exact["latency"]["total_s"]
    assert none["latency"] is None and none["energy"]["static_J"] is None
    slowest = exact["latency"]["slowest_tick"]
    assert sum(slowest["parts_s"].values()) == pytest.approx(slowest["length_s"])


def test_both_engines_give_one_report(here, capsys):
    common = (*DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "7", "--no-save")
    assert run_json(capsys, *common) == run_json(capsys, *common, "--engine", "reference")


def test_the_page_comes_with_the_run_or_from_the_stored_one(here, capsys):
    common = (*DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:3", "--quiet")
    assert main(["run", *common, "--html", "a.html", "-o", "a.run.h5", "--format", "csv"]) == 0
    assert main(["report", "a.run.h5", "--format", "html", "-o", "b.html"]) == 0
    assert main(["report", "a.run.h5", "--format", "html"]) == 0
    pages = [(here / name).read_text("utf-8") for name in ("a.html", "b.html")]
    assert pages[0] == pages[1] and capsys.readouterr().out.endswith(pages[0])
    assert "lif1: 96 units" in pages[0] and "chipsim run " in pages[0]
    assert main(["run", *common, "--html", "c.html", "--record", "lif2", "--no-save"]) == 0
    assert "Not recorded: input, lif1" in (here / "c.html").read_text("utf-8")


def test_profile_divides_the_wall_time_on_stderr(here, capsys):
    assert main(["run", *DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:2", "--quiet", "--profile"]) == 0
    rows = {line[:22].strip(): line[22:].split() for line in capsys.readouterr().err.splitlines()}
    assert {"load and compile", "partition", "simulate", "function", "fabric", "save", "in all"} <= set(rows)
    laps = [float(rows[what][2]) for what in ("read input", "load and compile", "simulate", "report")]
    assert sum(laps) == pytest.approx(100, abs=0.5)


def test_a_timeline_comes_with_the_run(here, capsys):
    common = ["run", *DIGITS, "--input", SPIKES, "--samples", "0:3", "--quiet", "--no-save"]
    assert main([*common, "--chip", "loihi", "--trace", "a.pftrace", "--trace-ticks", "10:12"]) == 0
    assert b"tick 11" in (here / "a.pftrace").read_bytes() and b"tick 12" not in (here / "a.pftrace").read_bytes()
    assert main([*common, "--chip", "ideal", "--trace", "b.pftrace", "--trace-ticks", "10:12"]) == 2
    assert "has no time" in capsys.readouterr().err and not (here / "b.pftrace").exists()


def test_thresholds_decide_the_exit_code_after_the_report_is_told(here, capsys):
    common = ["run", *DIGITS, "--chip", "loihi", "--input", SPIKES, "--samples", "0:3", "--quiet"]
    assert main([*common, "--fail-if", "inference.accuracy < 10 %"]) == 0
    capsys.readouterr()
    assert main([*common, "--fail-if", "energy.per_inference > 1 nJ", "--fail-if", "ticks > 1"]) == 4
    out, err = capsys.readouterr()
    assert out.startswith("digits → loihi") and err.count("error[R501]") == 2
    assert main(["report", "digits.run.h5", "--fail-if", "latency.tick.mean > 1 ps"]) == 4
    (here / "digits.run.h5").unlink()
    assert main([*common, "--fail-if", "energy"]) == 2
    assert list(here.iterdir()) == []                 # a misspelt rule is told before the work


def test_the_four_verbs_from_python_and_their_notebook_views(here):
    import chipsim
    from chipsim.report.html import layout_html, network_html, run_html

    chip, network = chipsim.load_chip("loihi"), chipsim.load_network(NET, dialect="snntorch")
    layout = chipsim.compile(network, chip)
    run = chipsim.simulate(layout, chipsim.Stimulus.load(SPIKES), samples=slice(0, 4))
    report = chipsim.report(run)
    assert report.inference.samples == 4
    assert "lif1" in network_html(network) and "106 neurons" in network_html(network)
    assert "1 024" in layout_html(layout)
    assert "<b>4</b>" in run_html(run)
    assert "synapse" in report._repr_html_()


def test_check_takes_networks_and_chips(here, capsys):
    assert main(["check", NET, str(ROOT / "chipdefs" / "loihi.yaml")]) == 0
    assert capsys.readouterr().out == ""


BAD = {
    "a layout is compiled already": ("run d.layout.h5 --chip loihi --input {spikes}", 2, "U433", "--chip cannot"),
    "nor read in another dialect": ("run d.layout.h5 --nir-dialect norse --input {spikes}", 2, "U433", "--nir-dialect"),
    "compile a layout": ("compile d.layout.h5 --chip loihi", 2, "U434", "chipsim run d.layout.h5"),
    "report a layout": ("report d.layout.h5", 2, "U402", "layout"),
    "no chip": ("run {net} --input {spikes}", 2, "U433", "loihi-calibrated"),
    "unknown chip": ("run {net} --chip loihy --input {spikes}", 2, "E114", "did you mean `loihi`?"),
    "unknown costs, before anything runs": ("run {net} --chip loihi --input {spikes} --costs x", 2, "E114", "`x`"),
    "unknown dialect": ("run {net} --nir-dialect snntorc --chip loihi --input {spikes}", 2, "N2", "snntorch"),
    "unknown approximation": ("run {net} --chip loihi --approximate all --input {spikes}", 2, "U420", "reset"),
    "a network as input": ("run {net} --chip loihi --input {net}", 2, "S3", "digits.nir"),
    "samples beyond the last": ("run {net} --chip loihi --input {spikes} --samples 400:500", 2, "S3", "360"),
    "samples that do not divide": ("run {net} --chip loihi --input {spikes} --ticks-per-sample 7", 2, "S3", "7"),
    "a spike file as network": ("run {spikes} --chip loihi --input {spikes}", 2, "N2", "digits_test.h5"),
    "too small a chip": ("run {net} --chip loihi --set core.axons_in=8 --input {spikes}", 3, "M2", "8"),
}


@pytest.mark.parametrize("line, exit_code, code, phrase", BAD.values(), ids=BAD.keys())
def test_bad_input_is_answered_with_code_and_remedy(here, capsys, line, exit_code, code, phrase):
    assert main(["compile", *DIGITS, "--chip", "loihi", "-o", "d.layout.h5", "--quiet"]) == 0
    capsys.readouterr()
    assert main(line.format(net=NET, spikes=SPIKES).split()) == exit_code
    out, err = capsys.readouterr()
    assert out == "" and f"error[{code}" in err and phrase in err
    assert "Traceback" not in err
    assert [p.name for p in here.iterdir()] == ["d.layout.h5"]


def test_interrupt_leaves_no_broken_file(here):
    """Ctrl-C in the midst of a long simulation, as the terminal sends it."""
    slow = ["run", *DIGITS, "--chip", "loihi", "--input", SPIKES, "--engine", "reference"]
    began = time.monotonic()
    run = subprocess.Popen([sys.executable, "-m", "chipsim", *slow], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                           text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert run.stderr.readline().startswith("compiled")
    time.sleep(max(0.5, time.monotonic() - began))          # as long as it took to get here
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert re.fullmatch(r"interrupted after \d+ of 7920 ticks", err.strip())
    assert list(here.iterdir()) == []
