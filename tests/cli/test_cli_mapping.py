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


def test_a_core_is_explained_in_json(capsys):
    core = account(capsys, "--explain-core", "0")
    assert (core["core"], core["router"], core["neurons"]) == (0, [0, 0], {"lif1": 96})
    assert core["resources"]["neurons"] == {"unit": "neurons", "used": 96, "limit": 1024}
    assert core["closest"] == "neurons" and "core.neurons" in core["remedy"]


def test_pieces_of_a_population_on_a_core_are_one_row_of_the_explanation(capsys, tmp_path):
    net = tmp_path / "image.yaml"
    net.write_text("dt: 1 ms\npopulations:\n  in: {model: input, shape: [1, 8, 8]}\n"
                   "  image: {model: lif, shape: [2, 8, 8], tau: 20 ms}\n"
                   "projections:\n  - {from: in, to: image, kind: conv2d, kernel: 3, padding: 1}\n")
    command = ["compile", str(net), "--chip", "truenorth", "--set", "core.axons_in=20", "--effort", "fast",
               "--objective", "energy", "--quiet"]
    assert main([*command, "--format", "json"]) == 0
    placed = json.loads(capsys.readouterr().out)
    assert len(placed["placement"]) > placed["cores"] > 1
    assert main([*command, "--explain"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("image ") and ".." in line]
    assert len(rows) == placed["cores"] and any(" of " in row for row in rows)


def test_an_empty_core_has_nothing_to_explain(capsys):
    assert main(["compile", *DIGITS, "--quiet", "--explain-core", "99"]) == 2
    error = capsys.readouterr().err
    assert "U425" in error and "nothing stands on core 99" in error and "cores in use: 0, 1" in error


def test_accuracy_is_checked_on_samples_against_floating_point(capsys):
    found = account(capsys, "--check-accuracy", "examples/digits_test.h5")["accuracy"]
    assert found["samples"] == 360 and [p["population"] for p in found["populations"]] == ["lif1", "lif2"]
    assert all(0 < p["count_error"] < 0.1 for p in found["populations"])
    outputs = found["outputs"]
    assert 0.97 < outputs["agreement"] < 1 and abs(outputs["accuracy_float"] - outputs["accuracy_chip"]) < 0.03


def test_a_network_against_itself_in_floating_point_has_no_error(capsys):
    options = ["examples/digits.nir", "--chip", "ideal", "--nir-dialect", "snntorch", "--quiet", "--format", "json"]
    assert main(["compile", *options, "--check-accuracy", "examples/digits_test.h5"]) == 0
    found = json.loads(capsys.readouterr().out)["accuracy"]
    assert found["outputs"]["agreement"] == 1 and all(p["count_error"] == 0 for p in found["populations"])


def test_quantisation_has_a_row_per_layer(capsys):
    assert main(["compile", *DIGITS, "--quiet", "--quantisation"]) == 0
    rows = capsys.readouterr().out.split("threshold error\n")[1].splitlines()
    assert [row.split()[0] for row in rows] == ["thresholds", "weights"] * 2
    assert all(30 < float(row.split(" 0 %")[0].split()[-1]) < 50 for row in rows[1::2])   # 8 bits, none saturated: dB


def test_weights_of_the_same_network_leave_a_layout_as_it_was(capsys, tmp_path):
    old, new = tmp_path / "old.layout.h5", tmp_path / "new.layout.h5"
    assert main(["compile", *DIGITS, "--quiet", "-o", str(old)]) == 0
    assert main(["compile", DIGITS[0], *DIGITS[3:], "--reweigh", str(old), "-o", str(new)]) == 0
    assert "reweighed  digits → loihi" in capsys.readouterr().err
    assert new.read_bytes() == old.read_bytes()


def test_what_was_measured_holds_for_new_weights_too(capsys, tmp_path):
    """Ranges of converters depend on it."""
    run, old, new = (str(tmp_path / name) for name in ("a.run.h5", "old.layout.h5", "new.layout.h5"))
    digits = [DIGITS[0], *DIGITS[3:], "--quiet"]
    assert main(["run", *digits, "--chip", "neurram", "--input", "examples/digits_test.h5", "--samples", "0:4",
                 "--timing", "none", "-o", run]) == 0
    assert main(["compile", *digits, "--chip", "neurram", "--profile", run, "-o", old]) == 0
    assert main(["compile", *digits, "--reweigh", old, "--profile", run, "-o", new]) == 0
    with open(old, "rb") as before, open(new, "rb") as after:
        assert before.read() == after.read()


@pytest.mark.parametrize("option", [("--chip", "loihi"), ("--set", "core.neurons=9"), ("--effort", "fast"),
                                    ("--objective", "cores"), ("--neurons-per-core", "3"), ("--avoid", "dead.yaml")])
def test_what_cannot_change_an_old_layout_is_refused(capsys, option):
    assert main(["compile", DIGITS[0], *DIGITS[3:], "--reweigh", "old.layout.h5", *option]) == 2
    assert f"U433]: `--reweigh` keeps chip and places of `old.layout.h5`: {option[0]}" in capsys.readouterr().err


def test_placement_and_routing_tables_name_routers_of_several_chips_alike(capsys):
    assert main(["compile", DIGITS[0], *DIGITS[3:], "--chip", "spinnaker48", "--set", "core.neurons=4", "--quiet",
                 "--effort", "fast", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {tuple(p["router"]) for p in found["placement"]} <= {tuple(t["router"]) for t in found["routing"]}


def test_what_may_be_replaced_adds_up_over_options(capsys):
    options = [DIGITS[0], *DIGITS[3:], "--chip", "brainscales2", "--quiet", "--format", "json"]
    replaced = ["--approximate", "synapse", "--approximate", "calibration"]
    assert main(["compile", *options, *replaced[2:]]) == 3 and "--approximate synapse" in capsys.readouterr().err
    assert main(["compile", *options, *replaced]) == 0
    assert "synapse" in {a["kind"] for a in json.loads(capsys.readouterr().out)["approximations"]}


def test_accuracy_is_checked_on_a_chip_with_relays(capsys):
    options = [DIGITS[0], *DIGITS[3:], "--chip", "truenorth", "--quiet", "--format", "json"]
    assert main(["compile", *options, "--set", "core.neurons=128", "--check-accuracy", "examples/digits_test.h5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"]["outputs"]["accuracy_float"] - found["accuracy"]["outputs"]["accuracy_chip"] < 0.03
    assert [p["population"] for p in found["accuracy"]["populations"]] == ["lif1", "lif2"]
    thresholds = [a for a in found["approximations"] if "threshold" in a["what"]]
    assert all(0 <= a["threshold_error"] < 0.02 for a in thresholds) and len(thresholds) == 2


def test_quantisation_has_a_row_for_every_converter(capsys):
    options = [DIGITS[0], *DIGITS[3:], "--chip", "neurram", "--quiet", "--quantisation"]
    assert main(["compile", *options]) == 0
    rows = capsys.readouterr().out.split("threshold error\n")[1].splitlines()
    assert [row.split()[:4] for row in rows] == [["sums", "of", "lif1", "4"], ["sums", "of", "lif2", "4"]]
