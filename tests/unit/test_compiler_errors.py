"""What a chip cannot hold or compute is said at once: who, what, need, have, remedy."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import REPLACEABLE, compile
from chipsim.compiler.partitioning.misfits import more_cores
from chipsim.engine import simulate
from chipsim.errors import ExpressError, FitError, UsageError
from chipsim.network import NetworkBuilder, Stimulus, load_network


def layers(*sizes, lines=4, weights=1.0, kind="dense", **options):
    net = NetworkBuilder("layers", dt=1e-3)
    net.add_input("in", lines)
    before = "in"
    for i, n in enumerate(sizes):
        net.add_population(f"p{i}", n, "lif", **({"tau": 0.01} | options))
        net.connect(before, f"p{i}", kind, weights=weights)
        before = f"p{i}"
    return net.build([before])


def refused(error, network, chip="loihi", **options):
    with pytest.raises(error) as e:
        compile(network, chip, **options)
    assert e.value.exit_code == 3
    assert all(d.help for d in e.value.diagnostics)
    return e.value.diagnostics


def tiny(*settings):
    return load_chip("loihi", set=("fabric.width=1", "fabric.height=1", "fabric.cores_per_router=2",
                                   "fabric.io.router=[0, 0]", *settings))


@pytest.mark.parametrize("setting, need, unit, times, others", [
    ("core.axons_in=10", "30", "input axons", "3.0", []),
    ("core.synapse_memory.bits=256", "1 920", "bits of synapse memory", "7.5", ["M203", "M202"]),
])
def test_neuron_that_fits_on_no_core_is_named_with_need_and_have(setting, need, unit, times, others):
    d, *more = refused(FitError, layers(5, lines=30), tiny(setting))
    assert [d.code for d in more] == others
    have = setting.partition("=")[2]
    assert d.code == "M201"
    assert d.message == (f"population `p0` does not fit on loihi: neuron 0 alone needs {need} {unit}, "
                         f"a core has {have} ({times} times as many)")


def test_neuron_that_reaches_too_many_cores_is_named():
    (d,) = refused(FitError, layers(1, 40), load_chip("loihi", set=("core.axons_out=3", "core.neurons=10")))
    assert d.code == "M201" and "`p0`" in d.message and "4 output axons, a core has 3" in d.message
    assert "larger cores" in d.help


def test_it_is_named_just_as_well_when_neurons_are_put_together_for_few_packets():
    chip = load_chip("loihi", set=("core.axons_out=1", "core.neurons=1"))
    found = refused(FitError, layers(1, 3), chip, objective="energy", effort="fast")
    assert found[0].code == "M201" and "3 output axons, a core has 1" in found[0].message


def test_every_misfit_is_said_at_once():
    chip = tiny("core.axons_in=10", "core.synapse_memory.bits=256")
    diagnostics = refused(FitError, layers(5, 30, 7, lines=30), chip)
    assert [(d.code, d.message.split("`")[1]) for d in diagnostics] == [("M201", "p0")] * 2 + [("M201", "p1")] + [
        ("M201", "p2")] * 2 + [("M203", "layers"), ("M202", "p2"), ("M202", "p0"), ("M202", "p1")]
    assert "30 input axons" in diagnostics[0].message and "bits" in diagnostics[1].message


def test_network_that_needs_too_many_cores_lists_its_populations_largest_first():
    diagnostics = refused(FitError, layers(50, 90, 30), tiny("core.neurons=20"))
    assert [d.code for d in diagnostics] == ["M203", "M202", "M202", "M202"]
    assert diagnostics[0].message == "network `layers` needs 9 cores, loihi has 2 (7 too many)"
    assert [d.message.split("`")[1] for d in diagnostics[1:]] == ["p1", "p0", "p2"]
    assert "takes 5 cores of loihi, bound by neurons (90 needed, 20 per core)" in diagnostics[1].message


def test_a_chip_of_one_router_is_told_to_grow_only_as_it_can():
    wide = load_chip("northpole", set=("fabric.width=1", "fabric.height=1"))
    assert more_cores(wide, 953) == "--set fabric.width=953"
    circuits = load_chip("brainscales2")
    assert more_cores(circuits, 58) == "--set fabric.cores_per_router=58"
    assert load_chip("brainscales2", set=("fabric.cores_per_router=58",)).n_cores == 58
    assert "another chip" in more_cores(circuits, 703)


def test_populations_share_cores_before_a_network_is_refused():
    layout = compile(layers(7, 7, 7, 7), tiny("core.neurons=14"))
    assert layout.n_cores == 2 and layout.usage["neurons"].tolist() == [14, 14]


def test_command_line_says_it_with_exit_code_3(tmp_path, capsys):
    from chipsim.cli import main

    (tmp_path / "net.yaml").write_text(
        "name: wide\npopulations:\n  in: {model: input, size: 5000}\n  p: {model: lif, size: 2, tau: 10 ms}\n"
        "projections:\n  - {from: in, to: p, weights: 1}\ndt: 1 ms\n")
    assert main(["compile", str(tmp_path / "net.yaml"), "--chip", "loihi", "-o", str(tmp_path / "x.layout.h5")]) == 3
    out, err = capsys.readouterr()
    assert out == "" and "error[M201]" in err and "5 000 input axons, a core has 4 096" in err and "= help:" in err
    assert [p.name for p in tmp_path.iterdir()] == ["net.yaml"]


INEXPRESSIBLE = [
    ("reset", "lif", dict(tau=0.01, reset="subtract"), "subtracts the threshold"),
    ("reset", "lif", dict(tau=0.02, reset="snntorch_subtract"), "subtracts the threshold"),
    ("multispike", "integrate_fire", dict(reset="multispike"), "fires several spikes"),
    ("v_min", "lif", dict(tau=0.01, v_min=-0.5), "bounds its voltage"),
]


@pytest.mark.parametrize("name, model, options, words", INEXPRESSIBLE)
def test_neuron_the_chip_cannot_compute_is_an_error_until_its_replacement_is_named(name, model, options, words):
    def network():
        net = NetworkBuilder("soft", dt=1e-3)
        net.add_input("in", 2)
        net.add_population("hidden", 3, model, **options)
        net.connect("in", "hidden", weights=4.0)
        return net.build(["hidden"])

    (d,) = refused(ExpressError, network())
    assert d.code == "M240" and "`hidden`" in d.message and words in d.message and "loihi" in d.message
    assert f"--approximate {name}" in d.help
    layout = compile(network(), "loihi", approximate=[name])
    (row,) = [a for a in layout.approximations if a["kind"] == name]
    assert "`hidden`" in row["what"] and row["size"]
    run = simulate(layout, Stimulus.from_dense(np.ones((10, 2))))
    assert len(run.spikes["hidden"][0]) > 0
    assert compile(network(), "ideal").approximations == ()                  # what computes it needs no replacement


def test_population_that_emits_values_has_no_place_on_a_chip_of_spikes():
    net = NetworkBuilder("readout", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("read", 1, "leaky", tau=0.01)
    net.connect("in", "read", weights=0.7)
    (d,) = refused(ExpressError, net.build(["read"]), approximate=list(REPLACEABLE))
    assert d.code == "M240" and "`read` emits its value" in d.message and "`ideal`" in d.help


def test_everything_inexpressible_is_said_at_once():
    net = NetworkBuilder("several", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("a", 2, "lif", tau=0.01, reset="subtract", v_min=-1.0)
    net.add_population("b", 2, "integrate_fire", reset="multispike")
    net.connect("in", "a")
    net.connect("a", "b")
    diagnostics = refused(ExpressError, net.build(["b"]))
    assert [d.help.split(":")[0] for d in diagnostics] == ["--approximate reset", "--approximate v_min",
                                                           "--approximate multispike"]


def loop(delay, back):
    net = NetworkBuilder("loop", dt=1e-3)
    net.add_input("in", 1)
    for name in "ab":
        net.add_population(name, 1, "lif", tau=0.01, v_threshold=0.05)
    net.connect("in", "a")
    net.connect("a", "b", delay=delay)
    net.connect("b", "a", delay=back)
    return net.build(["b"])


def test_feedback_faster_than_the_chip_is_an_error_until_it_is_allowed_to_be_slower():
    (d,) = refused(ExpressError, loop(0, 1))
    assert d.code == "M232" and "a -> b" in d.message + " -> a -> b" and "1 tick per projection" in d.message
    assert "--approximate delays" in d.help
    layout = compile(loop(0, 1), "loihi", approximate="delays")
    (row,) = [a for a in layout.approximations if a["kind"] == "delays"]
    assert row["what"] == "delay of `b -> a`" and row["size"] == "1 tick more"
    assert compile(loop(0, 2), "loihi").approximations == compile(loop(1, 1), "loihi").approximations


def test_feedback_that_a_crossbar_holds_in_several_types_is_slower_in_one_row():
    net = NetworkBuilder("loop", dt=1e-3)
    net.add_input("in", 1)
    for name, n in (("a", 20), ("b", 300)):
        net.add_population(name, n, "lif", tau=0.01)
    net.connect("in", "a")
    net.connect("a", "a", weights=np.random.default_rng(0).normal(size=(20, 20)), delay=1)
    net.connect("a", "b")
    layout = compile(net.build(["b"]), "truenorth", approximate="delays", effort="fast")
    rows = [(a["what"], a["size"]) for a in layout.approximations if a["kind"] == "delays"]
    assert rows == [("delay of `a -> a`", "1 tick more")]


def test_delay_longer_than_the_chip_has_is_an_error():
    net = NetworkBuilder("far", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("a", 1, "lif", tau=0.01)
    net.connect("in", "a", delay=200)
    (d,) = refused(ExpressError, net.build(["a"]))
    assert d.code == "M233" and "`in -> a`" in d.message and "has at most" in d.message


def test_population_in_another_chips_integers_is_an_error():
    net = NetworkBuilder("native", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 1, "loihi_lif", du=0, dv=0, vth_mant=10)
    net.connect("in", "n")
    (d,) = refused(ExpressError, net.build(["n"]), "ideal")
    assert d.code == "M230" and "`n`" in d.message and "loihi_lif" in d.message


@pytest.mark.parametrize("weight", [0.5, 256, -257])
def test_weight_that_is_no_mantissa_is_an_error(weight):
    net = NetworkBuilder("native", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 1, "loihi_lif", du=0, dv=0, vth_mant=10)
    net.connect("in", "n", weights=weight, format=dict(weight_exponent=0))
    (d,) = refused(ExpressError, net.build(["n"]))
    assert d.code == "M242" and f"{weight:g}" in d.message and "weight_exponent" in d.help


def test_bias_into_a_population_in_integers_is_an_error():
    net = NetworkBuilder("native", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 1, "loihi_lif", du=0, dv=0, vth_mant=10)
    net.connect("in", "n", bias=[3.0])
    (d,) = refused(ExpressError, net.build(["n"]))
    assert d.code == "M231" and "bias_mant" in d.help


@pytest.mark.parametrize("options, code, words", [
    (dict(approximate=["resets"]), "U420", "`resets`"), (dict(approximate="everything"), "U420", "`everything`"),
    (dict(neurons_per_core=0), "U421", "neurons_per_core=0"), (dict(seed=-1), "U428", "got -1"),
    (dict(rates={"p0": [1.0, np.inf]}), "U424", "rate of inf"),
    (dict(rates={"p0": [-1.0, 1.0]}), "U424", "rate of -1.0")])
def test_options_that_do_not_exist_are_refused(options, code, words):
    with pytest.raises(UsageError) as e:
        compile(layers(2), "loihi", **options)
    (d,) = e.value.diagnostics
    assert d.code == code and words in d.message and e.value.exit_code == 2


def test_the_highest_rates_that_are_taken_can_be_placed():
    net = layers(40, 40)
    rates = {name: np.full(p.size, 1e18) for name, p in net.populations.items()}
    assert compile(net, "loihi", rates=rates, neurons_per_core=4, objective="energy").n_cores >= 20


LIF, NATIVE, BITS = "model: lif, tau: 10 ms", "model: loihi_lif, vth_mant: 9", "model: truenorth, alpha: 2"


@pytest.mark.parametrize(("code", "chip", "model", "projections"), [
    ("M231", "loihi", NATIVE, ["{from: in, to: a, weights: 4, bias: 1}"]),
    ("M232", "loihi", LIF, ["{from: in, to: a}", "{from: a, to: a, kind: random, probability: 0.5, delay: 0}"]),
    ("M233", "loihi", LIF, ["{from: in, to: a}", "{from: a, to: a, delay: 64}"]),
    ("M242", "loihi", NATIVE, ["{from: in, to: a, weights: 4}", "{from: in, to: a, weights: 0.5}"]),
    ("M245", "truenorth", BITS, ["{from: in, to: a, receptor: g1}", "{from: in, to: a, receptor: g1}"]),
    ("M248", "northpole", LIF, ["{from: in, to: a, format: {weight_bits: 3}}"]),
])
def test_a_projection_that_is_refused_is_named_with_its_line(tmp_path, code, chip, model, projections):
    file = tmp_path / "net.yaml"
    head = ["dt: 1 ms", "populations:", "  in: {model: input, size: 3}", f"  a: {{size: 3, {model}}}", "projections:"]
    file.write_text("\n".join([*head, *(f"  - {each}" for each in projections)]))
    (found,) = refused(ExpressError, load_network(file), chip)
    assert (found.code, found.file) == (code, f"{file}:{5 + len(projections)}")
