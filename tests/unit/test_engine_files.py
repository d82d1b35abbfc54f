"""Layouts and runs on disk: what comes back is what went in, and what is no such file is said to be none."""
from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import load_run, save_run, simulate
from chipsim.errors import ChipsimError
from chipsim.network import Stimulus
from tests.reference.test_engines_agree import assert_same, assert_same_run, chips, integer_networks
from tests.unit.test_engine_account import ring

SMALL = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def assert_same_layout(a, b):
    for name, value in vars(a).items():
        if name == "chip":
            assert value.to_dict() == b.chip.to_dict()
        elif name in ("populations", "groups"):
            assert [vars(x) for x in value] == [vars(x) for x in getattr(b, name)]
        elif name == "log":                              # how long it took stays out of the file
            assert [{k: v for k, v in e.items() if k != "seconds"} for e in value] == [*getattr(b, name)]
        else:
            assert_same(value, getattr(b, name), name)


@SMALL
@given(chip=chips(), network=integer_networks(), profile=st.sampled_from(["loihi", "lava"]))
def test_layout_comes_back_equal_in_every_array(tmp_path_factory, chip, network, profile):
    neuron = chip.core.neuron.model_copy(update={"profile": profile})
    chip = chip.model_copy(update={"core": chip.core.model_copy(update={"neuron": neuron})})
    layout, path = compile(network, chip), tmp_path_factory.mktemp("layout") / "a.layout.h5"
    save_layout(layout, path)
    again = load_layout(path)
    assert_same_layout(layout, again)
    options = dict(ticks=6, record=("all", "p0.v"), record_packets=True)
    run = simulate(layout, **options)
    assert_same_run(run, simulate(again, **options))
    save_run(run, path)
    assert_same_run(run, load_run(path))


@pytest.mark.parametrize("options", [
    dict(), dict(timing="none"), dict(timing="analytic"), dict(record="all", record_packets=True), dict(record=()),
    dict(record=("n.v", "n.u")), dict(samples=[1])])
@pytest.mark.parametrize("chip", ["loihi", "ideal"])
def test_run_comes_back_equal_in_every_array(tmp_path, chip, options):
    x = np.random.default_rng(0).random((10, 3, 3))
    record = tuple(r.replace(".u", ".i") if chip == "ideal" else r for r in options.get("record", ("outputs",)))
    labels = None if "samples" in options else [0, 1, 0]
    layout = compile(ring(8), chip)
    stimulus = Stimulus.from_dense((x < 0.5).astype(float), labels)
    run = simulate(layout, stimulus, **(options | dict(record="all" if options.get("record") == "all" else record)))
    save_run(run, tmp_path / "a.run.h5")
    again = load_run(tmp_path / "a.run.h5")
    assert_same_run(run, again)
    assert run.meta == again.meta


def test_values_and_biases_that_begin_late_come_back(tmp_path):
    from chipsim.network import NetworkBuilder

    net = NetworkBuilder("late", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("v", 2, "integrator", r=1.0)
    net.connect("in", "v", weights=np.eye(2), bias=[0.5, -1], delay=2)
    layout = compile(net.build(["v"]), "ideal")
    assert layout.first_input is not None
    save_layout(layout, tmp_path / "a.h5")
    assert_same_layout(layout, load_layout(tmp_path / "a.h5"))
    run = simulate(load_layout(tmp_path / "a.h5"), ticks=4)
    assert run.values["v"].tolist() == [[0, 0], [0, 0], [0.5, -1], [1, -2]]
    save_run(run, tmp_path / "b.h5")
    assert_same_run(run, load_run(tmp_path / "b.h5"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    layout = compile(ring(4), "loihi")
    save_layout(layout, folder / "a.layout.h5")
    save_run(simulate(layout, ticks=5), folder / "a.run.h5")
    return folder


READERS = [(load_layout, "a.layout.h5"), (load_run, "a.run.h5")]


def refusal(reader, path):
    with pytest.raises(ChipsimError) as e:
        reader(path)
    d = e.value.diagnostics[0]
    assert d.code == "E117" or str(path) in d.message and d.help
    assert e.value.exit_code == 2
    return d


@pytest.mark.parametrize("reader, name", READERS)
def test_file_that_is_not_there(tmp_path, reader, name):
    assert refusal(reader, tmp_path / name).code == "U401"
    assert refusal(reader, tmp_path).code == "U401"


@pytest.mark.parametrize("reader, name", READERS)
def test_file_of_the_other_kind(files, reader, name):
    other = {"a.layout.h5": "a.run.h5", "a.run.h5": "a.layout.h5"}[name]
    d = refusal(reader, files / other)
    assert d.code == "U402" and "holds a " in d.message


@pytest.mark.parametrize("reader, name", READERS)
def test_hdf5_of_somebody_else(tmp_path, reader, name):
    with h5py.File(tmp_path / name, "w") as h:
        h["x"] = 1
    d = refusal(reader, tmp_path / name)
    assert d.code == "U402" and "no chipsim data" in d.message


@pytest.mark.parametrize("reader, name", READERS)
def test_file_of_a_newer_version(files, tmp_path, reader, name):
    (tmp_path / name).write_bytes((files / name).read_bytes())
    with h5py.File(tmp_path / name, "r+") as h:
        h.attrs["chipsim_version"] = 99
    d = refusal(reader, tmp_path / name)
    assert d.code == "U403" and "format 99" in d.message


def test_run_of_an_older_version(files, tmp_path):
    (tmp_path / "a.run.h5").write_bytes((files / "a.run.h5").read_bytes())
    with h5py.File(tmp_path / "a.run.h5", "r+") as h:
        h.attrs["chipsim_version"] = 1
    d = refusal(load_run, tmp_path / "a.run.h5")
    assert d.code == "U403" and "older" in d.message and "chipsim run" in d.help


@pytest.mark.parametrize("reader, name", READERS)
@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "text", "no_facts", "facts_broken", "array_gone",
                                    "fact_gone", "chip_broken"])
def test_damaged_file(files, tmp_path, reader, name, damage):
    raw, path = (files / name).read_bytes(), tmp_path / name
    path.write_bytes({"cut": raw[: len(raw) // 2], "noise": bytes(255 - b for b in raw[:512]) + raw[512:], "empty": b"",
                      "text": b"chip: loihi\n"}.get(damage, raw))
    if damage not in ("cut", "noise", "empty", "text"):
        with h5py.File(path, "r+") as h:
            facts = h["facts"][()].decode()
            if damage == "array_gone":
                del h["arrays/cores"]
            else:
                del h["facts"]
            if damage == "facts_broken":
                h["facts"] = facts[:-10]
            elif damage == "fact_gone":
                h["facts"] = facts.replace('"limits"', '"borders"')
            elif damage == "chip_broken":
                h["facts"] = facts.replace('"fabric"', '"fabrik"')
    if damage == "chip_broken" and reader is load_run:
        return                                                          # the report reads the chip, and says so
    assert refusal(reader, path).code == ("E117" if damage == "chip_broken" else "U404")


@pytest.mark.parametrize("table, at, value", [
    ("out_axon", 0, 10**6), ("out_axon", 2, -1), ("axon_core", 0, 9), ("target", -1, 200), ("segment_bank", 0, 7),
    ("segment_delay", 0, -1), ("segment_delay", 0, 10**8), ("segment_start", 1, -5), ("segment_start", 1, 10**9),
    ("segment_size", 0, -1), ("segment_size", 0, 10**6), ("segment_slot", 0, 200), ("segment_slot", 0, -1),
    ("core_start", -1, 5), ("axon_start", 0, 1), ("out_start", -1, 10**9), ("groups", 0, 3), ("cores", 0, 128),
    ("segment_format", 0, 3), ("segment_receptor", 0, 1)])
def test_layout_whose_tables_point_outside_is_refused_not_run(files, tmp_path, table, at, value):
    path = tmp_path / "a.layout.h5"
    path.write_bytes((files / "a.layout.h5").read_bytes())
    with h5py.File(path, "r+") as h:
        h[f"arrays/{table}"][at if at >= 0 else len(h[f"arrays/{table}"]) + at] = value
    d = refusal(load_layout, path)
    named = "population_index" if table == "core_start" else table       # one neuron more: its tables are too short
    assert d.code == "U404" and f"`{named}`" in d.message


def test_writing_into_nowhere_leaves_nothing(tmp_path):
    layout = compile(ring(4), "loihi")
    with pytest.raises((ChipsimError, OSError)):
        save_layout(layout, tmp_path / "missing" / "a.layout.h5")
    assert list(tmp_path.iterdir()) == []
