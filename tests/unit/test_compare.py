"""`chipsim compare`: a row per chip with the figures of its report, and a reason where there are none."""
from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.cli import main
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.explore.compare import Comparison, Row, compare
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report.report import report


@pytest.fixture(scope="module")
def network():
    net = NetworkBuilder("toy", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("out", 3, "lif", tau=0.01, v_threshold=0.5)
    net.connect("in", "out", "dense", weights=np.eye(3, 4) * 20)
    return net.build()


@pytest.fixture(scope="module")
def stimulus():
    x = np.zeros((10, 3, 4), np.uint8)
    x[:, np.arange(3), np.arange(3)] = 1
    return Stimulus.from_dense(x, labels=np.array([0, 1, 0]))


@pytest.fixture(scope="module")
def found(network, stimulus):
    small = load_chip("loihi", set=("core.neurons=1", "fabric.width=1", "fabric.height=1", "fabric.cores_per_router=2"))
    chips = ["loihi", "loihi-calibrated", "ideal", small.model_copy(update={"name": "small"})]
    return compare(network, chips, stimulus)


def test_a_row_has_the_figures_of_the_chips_own_report(found, network, stimulus):
    row, r = found.rows[1], report(simulate(compile(network, "loihi-calibrated"), stimulus))
    assert (row.chip, row.cores, row.cores_available) == ("loihi-calibrated", r.cores, 128)
    assert row.accuracy == r.inference.accuracy == pytest.approx(2 / 3)
    assert row.energy_per_inference_J == r.energy.per_inference_J
    assert row.energy_per_sop_J == r.energy.per_sop_J
    assert row.latency_s == r.latency.inference.mean_s and row.tick_s == r.latency.tick.mean_s
    assert row.set_by == next(iter(r.latency.set_by))
    assert row.estimated == r.sources.by_kind["estimated"] and row.numbers == sum(r.sources.by_kind.values())


def test_ratios_are_to_the_first_chip_that_has_an_energy(found):
    loihi, calibrated, ideal, _ = found.rows
    assert loihi.energy_ratio == 1
    assert calibrated.energy_ratio == calibrated.energy_J / loihi.energy_J > 1
    assert ideal.energy_J is ideal.energy_ratio is ideal.latency_s is None and ideal.accuracy == loihi.accuracy


def test_the_table_names_what_ratios_are_to_and_writes_them_in_plain_digits(found):
    loihi, calibrated, ideal, _ = found.rows
    assert "ratio is of energy, to the first chip;" in found.to_text()
    dear = replace(calibrated, energy_ratio=14_312.0)
    text = " ".join(Comparison("toy", (ideal, loihi, dear)).to_text().split())
    assert "ratio is of energy, to that of loihi;" in text and " 14 300 " in text
    assert Comparison("toy", (loihi,)).to_text().startswith("toy on 1 chip\n")


def test_a_chip_that_is_too_small_is_a_row_that_says_why(found):
    row = found.rows[3]
    assert row.chip == "small" and row.cores is None and row.code.startswith("M2") and "core" in row.why
    text = found.to_text()
    assert "cannot run it\n  small  " + row.why[:40] in text
    assert all(r.chip in text for r in found.rows)


def test_json_and_csv_have_the_same_rows_and_no_infinities(found):
    rows = json.loads(found.to_json())["chips"]
    read = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [r["chip"] for r in rows] == [r["chip"] for r in read] == ["loihi", "loihi-calibrated", "ideal", "small"]
    assert float(read[0]["energy_J"]) == rows[0]["energy_J"]
    assert read[2]["energy_J"] == "" and rows[2]["energy_J"] is None


def test_what_the_compiler_replaced_is_said(stimulus):
    net = NetworkBuilder("subtracting", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("out", 3, "lif", tau=0.01, v_threshold=0.5, reset="subtract")
    net.connect("in", "out", "dense", weights=np.eye(3, 4) * 20)
    network = net.build()
    refused = compare(network, ["loihi"], stimulus).rows[0]
    assert refused.code == "M240" and "subtracts" in refused.why and "--approximate reset" in refused.help
    replaced = compare(network, ["loihi"], stimulus, approximate=("reset",)).rows[0]
    assert not replaced.why and "reset to zero" in replaced.replaced[0]


def test_without_samples_figures_are_those_of_the_run():
    net = NetworkBuilder("free", dt=1e-3)
    net.add_population("n", 5, "lif", tau=0.01, v_threshold=0.5, v_leak=1.0)
    found = compare(net.build(), ["loihi"], ticks=20)
    row = found.rows[0]
    assert row.samples is row.energy_per_inference_J is None and row.latency_s == pytest.approx(20 * row.tick_s)
    assert "of the whole run" in found.to_text()


def test_the_plot_has_a_bar_per_chip_and_stands_when_nothing_ran(found, tmp_path):
    figure = found.plot()
    assert [len(ax.patches) for ax in figure.axes] == [4, 4]
    Comparison("none", (Row(chip="a", why="too small", code="M201"),)).plot().savefig(tmp_path / "none.png")


def test_the_command_prints_the_table_and_draws_it(examples_dir, tmp_path, capsys):
    command = ["compare", str(examples_dir / "digits.nir"), "--chips", "loihi,ideal", "--nir-dialect", "snntorch",
               "--input", str(examples_dir / "digits_test.h5"), "--samples", "0:2", "--plot", str(tmp_path / "c.svg")]
    assert main(command) == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[2].split()[:3] == ["chip", "cores", "accuracy"] and lines[3].startswith("loihi  2 of 128")
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")


def test_the_command_ends_with_3_when_no_chip_fits_and_2_when_the_question_is_wrong(tmp_path, capsys):
    (tmp_path / "big.yaml").write_text("populations:\n  n: {size: 4, model: loihi_lif, vth_mant: 1, bias_mant: 1}\n")
    net = str(tmp_path / "big.yaml")
    assert main(["compare", net, "--chips", "ideal", "--ticks", "5"]) == 3
    assert "cannot run it\n  ideal  " in capsys.readouterr().out
    assert main(["compare", net, "--ticks", "5"]) == 2
    assert "--chips" in capsys.readouterr().err
    assert main(["compare", net, "--chips", "loihi"]) == 2
    assert main(["compare", net, "--chips", "loihi", "--ticks", "5", "--plot", "a.txt"]) == 2
