"""The passes one by one, on cases that can be worked out on paper."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import PASSES, compile
from chipsim.compiler.compile import rates_of
from chipsim.compiler.partitioning.packing import loihi_bits
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.engine.run_file import load_run, save_run
from chipsim.network import NetworkBuilder, Stimulus, load_network

sys.path.insert(0, str(Path(__file__).parents[1]))
from uncompiled import synapses_of_layout


def chain(delays, extra=()):
    """in -> a -> b -> c with these delays, and further (pre, post, delay)."""
    net = NetworkBuilder("chain", dt=1e-3)
    net.add_input("in", 1)
    names = ["in", "a", "b", "c"]
    for name in names[1:]:
        net.add_population(name, 1, "integrate_fire")
    for pre, post, delay in [*zip(names, names[1:], delays, strict=False), *extra]:
        net.connect(pre, post, delay=delay)
    return net.build(["c"])


def ticks(layout):
    """(pre, post) -> ticks on the chip, from the tables."""
    sources = {int(s): p.name for p in layout.populations for s in layout.neurons_of(p.name)}
    found = {}
    for s, pre in sources.items():
        for axon in layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]:
            base = layout.core_start[layout.axon_core[axon]]
            for g in range(layout.axon_start[axon], layout.axon_start[axon + 1]):
                for slot in layout.slots_of(g):
                    found[pre, sources[int(base + slot)]] = int(layout.segment_delay[g])
    return found


@pytest.mark.parametrize("delays, extra, depths, on_chip", [
    ((0, 0, 0), (), dict(a=1, b=2, c=3), {("in", "a"): 1, ("a", "b"): 1, ("b", "c"): 1}),
    ((0, 2, 0), (), dict(a=1, b=0, c=1), {("in", "a"): 1, ("a", "b"): 1, ("b", "c"): 1}),
    ((1, 1, 1), (), dict(a=0, b=0, c=0), {("in", "a"): 1, ("a", "b"): 1, ("b", "c"): 1}),
    ((0, 0, 0), [("in", "c", 0)], dict(a=1, b=2, c=3), {("in", "c"): 3, ("b", "c"): 1}),
    ((0, 0, 0), [("c", "a", 3)], dict(a=1, b=2, c=3), {("c", "a"): 1}),
    ((0, 0, 0), [("a", "a", 1)], dict(a=1, b=2, c=3), {("a", "a"): 1}),
])
def test_depth_is_what_a_layer_lags_behind_and_short_cuts_wait_for_it(delays, extra, depths, on_chip):
    layout = compile(chain(delays, extra), "loihi")
    assert {p.name: p.depth for p in layout.populations if not p.is_input} == depths
    assert ticks(layout).items() >= on_chip.items()


def test_chip_without_time_keeps_the_networks_own_delays():
    layout = compile(chain((0, 2, 0), [("in", "c", 0)]), "ideal")
    assert {p.depth for p in layout.populations} == {0}
    assert ticks(layout) == {("in", "a"): 0, ("a", "b"): 2, ("b", "c"): 0, ("in", "c"): 0}


def weights_and_report(weights, v_threshold=1.0):
    net = NetworkBuilder("hand", dt=1e-3)
    net.add_input("in", len(weights))
    net.add_population("n", 1, "integrate_fire", v_threshold=v_threshold)
    net.connect("in", "n", weights=np.array([weights], float), name="w")
    layout = compile(net.build(["n"]), "loihi")
    return layout, {a["what"]: a for a in layout.approximations}


def test_report_of_rounded_weights_has_the_noise_one_finds_on_paper():
    """1 becomes 254, the largest mantissa of mixed sign; 127 and -63.5 go to even numbers, 128 and -64; 0.76 to 0."""
    layout, report = weights_and_report([1.0, 0.5, -0.25, 0.003])
    assert layout.weight.tolist() == [254, 128, -64, 0]
    row = report["weights of `w`"]
    power, noise = 254**2 + 127**2 + 63.5**2 + 0.762**2, 1.0 + 0.25 + 0.762**2
    assert row["snr_dB"] == pytest.approx(10 * np.log10(power / noise), abs=1e-9)
    assert (row["bits"], row["exponent"], row["zeroed"], row["saturated"]) == (8, 0, 0.25, 0.0)
    assert layout.params["vth"].tolist() == [254 * 64]
    assert report["thresholds of `n`"]["threshold_error"] == 0


def test_weights_that_are_even_mantissas_are_exact():
    layout, report = weights_and_report([1.0, 2 / 254, -128 / 254])
    assert layout.weight.tolist() == [254, 2, -128]
    assert report["weights of `w`"]["snr_dB"] == 300


def test_large_threshold_limits_the_scale_and_its_rounding_is_reported():
    layout, report = weights_and_report([1.0], v_threshold=300.3)
    row = report["thresholds of `n`"]
    scale = 2**21 / 300.3                                       # the membrane keeps two bits of headroom
    assert row["scale"] == pytest.approx(scale)
    assert layout.params["vth"].tolist() == [2**21]
    assert layout.weight.tolist() == [round(scale / 64)]


def test_weights_of_one_sign_have_the_whole_mantissa():
    """Excitatory and inhibitory modes keep no bit for the sign (Davies et al. 2018): half the rounding error."""
    weights = np.linspace(0.03, 1, 40)
    errors = {}
    for name, sign in (("mixed", np.resize([1, -1], 40)), ("exciting", np.ones(40)), ("inhibiting", -np.ones(40))):
        layout, report = weights_and_report(weights * sign)
        assert np.abs(layout.weight).max() == 254 and (name == "mixed") == (layout.weight % 2 == 0).all()
        errors[name] = report["weights of `w`"]["snr_dB"]
    assert errors["exciting"] == errors["inhibiting"] and 5 < errors["exciting"] - errors["mixed"] < 7


@pytest.mark.parametrize("tau, model", [(0.02, "lif"), (0.0033, "lif"), (0.02, "cuba_lif")])
def test_decays_are_registers_of_twelve_bits_and_the_error_is_reported(tau, model):
    net = NetworkBuilder("decay", dt=1e-3)
    net.add_input("in", 1)
    times = dict(tau=tau) if model == "lif" else dict(tau_mem=tau, tau_syn=0.004)
    net.add_population("n", 1, model, **times)
    net.connect("in", "n")
    layout = compile(net.build(["n"]), "loihi")
    assert layout.params["dv"].tolist() == [round(4096 * 1e-3 / tau)]
    kept = 0.25 if model == "cuba_lif" else 1.0                 # of a current; without one the chip's u forgets at once
    assert layout.params["du"].tolist() == [4096 * kept - 1]
    error = abs(round(4096e-3 / tau) / 4096 - 1e-3 / tau)
    (row,) = [a for a in layout.approximations if a["what"] == "decays of `n`"]
    assert float(row["size"].split()[2]) == pytest.approx(error, rel=0.06)


def test_zero_weights_are_stored_in_dense_rows_only():
    def stored(kind):
        net = NetworkBuilder("zeros", dt=1e-3)
        net.add_input("in", 3)
        net.add_population("n", 2, "integrate_fire")
        net.connect("in", "n", kind, weights=np.array([[1.0, 0, 0], [1.0, 0, 2.0]]))
        return len(compile(net.build(["n"]), "loihi").target)

    assert (stored("dense"), stored("sparse")) == (6, 3)


@pytest.mark.parametrize("n, weight, delay, index, bits", [
    (1, 8, 0, 0, 64), (6, 8, 0, 0, 64), (7, 8, 0, 0, 128), (64, 8, 0, 0, 576), (65, 8, 0, 0, 640),
    (10, 8, 0, 10, 192), (64, 8, 6, 12, 1728), (10, 7, 0, 0, 128), (0, 8, 0, 0, 0)])
def test_synapse_lists_are_packed_into_words_of_64_bits(n, weight, delay, index, bits):
    assert int(loihi_bits(np.array([n]), weight, delay, index)[0]) == bits


def test_passes_are_a_list_one_may_change_and_the_log_names_them():
    seen = []

    def watch(draft):
        seen.append(len(draft.connections))
        return draft

    layout = compile(chain((0, 0, 0)), "loihi", passes=(*PASSES, watch))
    assert seen == [3]
    assert [row["pass"] for row in layout.log] == [p.__name__ for p in PASSES] + ["watch"]


def test_compiling_twice_gives_the_same_layout(examples_dir):
    network = load_network(examples_dir / "digits.nir", dialect="snntorch")
    chip = load_chip("loihi", set=("core.neurons=16",))
    one, two = compile(network, chip), compile(network, chip)
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, getattr(two, name)), name


@pytest.mark.parametrize(("unit", "dtype"), [(1 / 8, np.float32), (0.1, np.float64)])
def test_weights_are_stored_in_single_precision_where_that_is_exact(unit, dtype):
    net = NetworkBuilder("n")
    net.add_input("in", 9)
    net.add_population("a", 7, "lif", tau=4.0, v_threshold=0.3)
    weights = np.random.default_rng(0).integers(-9, 20, (7, 9)) * unit
    net.connect("in", "a", weights=weights)
    layout = compile(net.build(["a"]), "ideal")
    assert layout.weight.dtype == dtype and layout.target.dtype == np.uint16
    assert sorted(layout.weight.tolist()) == sorted(weights[weights != 0].tolist())
    given = Stimulus.from_dense((np.random.default_rng(1).random((30, 9)) < 0.3).astype(float))
    fast, plain = (simulate(layout, given, engine=engine, record=("a.v",)) for engine in ("compiled", "reference"))
    assert np.array_equal(fast.states["a", "v"], plain.states["a", "v"]) and fast.source_spikes[:7].sum() > 10


def test_boxes_of_convolutions_are_cut_for_few_packets_or_for_few_cores():
    net = NetworkBuilder("layers", dt=1e-3)
    net.add_input("in", (8, 16, 16))
    net.add_population("a", (32, 16, 16), "lif", tau=0.02)
    net.connect("in", "a", "conv2d", kernel=5, padding=2, weights=0.5)
    cores, packets = {}, {}
    for objective in ("energy", "cores"):
        layout = compile(net.build(), "loihi", neurons_per_core=250, objective=objective, effort="fast")
        cores[objective], packets[objective] = layout.n_cores, len(layout.out_axon)
    assert packets["energy"] < packets["cores"] and cores["energy"] > cores["cores"]


def image(kernels, **neurons):
    """Convolutions of one image onto one population, one after the other."""
    net = NetworkBuilder("image", dt=1e-3)
    net.add_input("in", (1, 4, 4))
    net.add_population("p", (2, 2, 2), "lif", **({"tau": 0.01} | neurons))
    for w in kernels:
        net.connect("in", "p", "conv2d", weights=np.full((2, 1, 3, 3), w))
    return net.build(["p"])


def test_two_convolutions_of_one_image_reach_the_neurons_that_they_are_for():
    """Their synapses stand in one segment, the second ones behind the first, which begin at a higher slot."""
    layout = compile(image((1.0, -2.0)), "loihi")
    for g in range(len(layout.segment_start)):
        assert layout.slots_of(g).max() < 8
    spikes = simulate(layout, Stimulus.from_dense(np.ones((4, 1, 16))), timing="none", record="all").spikes["p"]
    assert len(spikes[0]) == 0


def test_an_image_of_many_time_constants_keeps_to_the_configurations_of_a_core():
    taus = np.linspace(0.005, 0.03, 8).reshape(2, 2, 2)
    layout = compile(image([1.0], tau=taus), load_chip("loihi", set=("core.neuron_configs=3",)))
    assert layout.usage["neuron_configs"].max() <= 3 and layout.n_cores >= 3


def test_packets_fall_where_neurons_are_put_together_by_the_spikes_of_a_run(tmp_path):
    """Two lines spike in every tick, two hardly ever; each neuron hears one of either kind."""
    net = NetworkBuilder("skewed", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("p", 8, "lif", tau=0.01)
    weights = np.zeros((8, 4))
    weights[np.arange(8), np.arange(8) % 2] = weights[np.arange(8), 2 + np.arange(8) // 4] = 0.1
    net.connect("in", "p", "sparse", weights=weights)
    network, chip = net.build(["p"]), load_chip("loihi", set=("core.neurons=4",))
    busy = np.zeros((20, 1, 4))
    busy[:, :, :2], busy[7, :, 2:] = 1, 1
    packets, rates = [], None
    for _ in range(2):
        layout = compile(network, chip, objective="energy", effort="fast", rates=rates)
        run = simulate(layout, Stimulus.from_dense(busy), timing="none")
        save_run(run, tmp_path / "first.run.h5")
        rates = rates_of(load_run(tmp_path / "first.run.h5"))
        packets.append(int(run.counts[:, A["axon_in"]].sum()))
    assert np.allclose(rates["in"] * 20, [20, 20, 1, 1]) and rates["p"].shape == (8,)
    assert packets == [82, 44]


def test_traffic_of_a_run_with_relays_steers_the_next_compilation():
    net = NetworkBuilder("fan", dt=1e-3)
    net.add_input("in", 2)
    for name in "abc":
        net.add_population(name, 3, "lif", tau=0.01)
        net.connect("in" if name == "a" else "a", name, "dense", weights=1.0)
    network = net.build(["b", "c"])
    layout = compile(network, "truenorth")
    assert "a.relays" in {p.name for p in layout.populations}
    rates = rates_of(simulate(layout, Stimulus.from_dense(np.ones((5, 1, 2))), timing="none"))
    assert sorted(rates) == ["a", "b", "c", "in"]
    assert compile(network, "truenorth", rates=rates).n_cores == layout.n_cores


@pytest.mark.parametrize("chip", ["loihi", "loihi2", "spinnaker", "spinnaker2", "brainscales2", "isaac", "northpole",
                                  "odin"])
def test_what_rounding_lost_is_what_one_finds_in_synapse_memory(chip):
    """Signal to noise and zeroed weights, from the stored weights at the scale that fits them best."""
    weights = np.random.default_rng(5).normal(0, 0.3, (20, 30)) ** 3
    weights = np.abs(weights) if chip == "odin" else weights
    net = NetworkBuilder("two", dt=1e-3)
    net.add_input("in", 30)
    net.add_population("p", 20, "cuba_lif" if chip == "brainscales2" else "lif",
                       **(dict(tau_mem=0.01, tau_syn=0.005) if chip == "brainscales2" else {"tau": 0.01}))
    net.connect("in", "p", "sparse", weights=weights, name="w")
    mismatch = [f"core.analog.mismatch.{k}=0" for k in ("threshold", "leak", "time_constant", "synapse")]
    spec = load_chip(chip, set=tuple(mismatch) if chip == "brainscales2" else ())
    layout = compile(net.build(["p"]), spec, approximate=["v_min", "calibration"])
    stored = np.zeros((2, 20, 30))
    for (_, pre, _, post, _, receptor, _, w), n in synapses_of_layout(layout).items():
        stored[receptor, post, pre] += n * w
    for a in (a for a in layout.approximations if "snr_dB" in a):
        sign = (-1 if "inhib" in a["what"] else 1) if "iting" in a["what"] else 0
        exact = weights * (np.sign(weights) == sign) if sign else weights
        held = np.abs(stored[int(sign < 0)]) * sign * (exact != 0) if sign else stored.sum(axis=0)
        held = held * (exact * held).sum() / (held * held).sum()
        assert a["snr_dB"] == pytest.approx(10 * np.log10((exact**2).sum() / ((held - exact) ** 2).sum()), abs=0.4)
        some = exact != 0
        assert a["zeroed"] == pytest.approx(np.mean(held[some] == 0)) and a["saturated"] < 0.05
