"""Loihi's compartments: noise, activity bounds, dendrites, axon delays, box synapses; and what they take of a core."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.engine.run import A
from chipsim.errors import ExpressError, NetworkError
from chipsim.models.draws import Draws
from chipsim.models.neurons.loihi_compartment import LoihiCompartment, discretise, drawn, parameters
from chipsim.models.neurons.loihi_lif import PROFILES, LoihiLif
from chipsim.network import NetworkBuilder, Stimulus, load_network
from chipsim.network.graph import Population

ENGINES = ("compiled", "reference")
JOINS = ("add", "max", "min", "or", "pass")
PLAIN = dict(noise="none", join="add", dendrites=0)


def registers(n, **values):
    return discretise(Population("p", (n,), "loihi_compartment", {k: np.asarray(v) for k, v in values.items()}), None)


def fresh(kernel, p, n):
    return {k: (p[kernel.initial[k]] if k in kernel.initial else np.zeros(n, np.int32)).copy() for k in kernel.state}


def stepped(options, p, inputs, draws=None):
    """Spikes of a few ticks by the plain step, and the states after them."""
    options = PROFILES["loihi"] | PLAIN | options
    kernel = LoihiCompartment.bound(options)
    n = len(p["vth"])
    s, spikes = fresh(kernel, p, n), []
    for t, x in enumerate(inputs):
        x = np.asarray(x, np.int32)
        more = (Draws(draws, t, 0, 0),) if draws is not None else ()
        spikes.append(kernel.step(s, p, options, x, *more)[0])
    return np.array(spikes), s


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), profile=st.sampled_from(sorted(PROFILES)))
def test_without_anything_more_it_is_the_plain_neuron(seed, profile):
    rng, n = np.random.default_rng(seed), 50
    p = registers(n, du=rng.integers(0, 4096, n), dv=rng.integers(0, 4096, n), vth_mant=rng.integers(0, 3000, n),
                  bias_mant=rng.integers(-4096, 4096, n), bias_exp=rng.integers(0, 8, n), refract=rng.integers(1, 5, n))
    plain = {k: p[k] for k in ("du", "dv", "vth", "refract")} | {"bias": p["drive"]}
    s, t = fresh(LoihiCompartment.bound(PLAIN), p, n), {k: np.zeros(n, np.int32) for k in LoihiLif.state}
    for _ in range(8):
        x = rng.integers(-3000, 3000, n).astype(np.int32) * rng.integers(0, 2, n).astype(np.int32)
        spikes, active = LoihiCompartment.step(s, p, PROFILES[profile] | PLAIN, x)
        expected, on = LoihiLif.step(t, plain, PROFILES[profile], x)
        assert np.array_equal(spikes, expected) and np.array_equal(active, on)
        assert all(np.array_equal(s[k], t[k]) for k in t)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), noise=st.sampled_from(("none", "current", "voltage", "threshold")),
       join=st.sampled_from(JOINS), dendrites=st.integers(0, 4))
def test_the_native_step_equals_the_numpy_step_to_the_bit(seed, noise, join, dendrites):
    rng, n = np.random.default_rng(seed), 300
    options = PROFILES["loihi"] | dict(noise=noise, join=join, dendrites=dendrites)
    kernel = LoihiCompartment.bound(options)
    p = registers(n, **{k: rng.integers(int(q.low), int(q.high) + 1, n) if rng.random() < 0.5 else q.default or 0
                        for k, q in parameters.items()})
    native = native_step(kernel, options)
    assert native is not None
    plain, fast = fresh(kernel, p, n), fresh(kernel, p, n)
    for t in range(5):
        x = rng.integers(-40000, 40000, (dendrites + 1, n) if dendrites else n).astype(np.int32)
        draws = (Draws(seed, t, 3, 7),) if kernel.random else ()
        a, b = kernel.step(plain, p, options, x, *draws), native(fast, p, options, x, *draws)
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
        assert all(np.array_equal(plain[k], fast[k]) for k in plain)


def test_noise_is_uniform_in_its_range_around_its_offset():
    p = registers(20_000, vth_mant=1, noise_exp=7, noise_offset=2)
    values = drawn(p, Draws(1, 0, 0, 0).words(20_000, 0)[0])
    assert (values.min(), values.max()) == (128 - 127, 128 + 127)
    assert values.mean() == pytest.approx(128, abs=2) and len(np.unique(values)) == 255
    assert np.array_equal(drawn(registers(3, vth_mant=1, noise_exp=9), np.array([0, 2**31, 2**32 - 1])), [-508, 0, 508])
    assert np.array_equal(drawn(registers(2, vth_mant=1, noise_exp=6), np.array([0, 2**32 - 1])), [-64, 63])   # floor


@pytest.mark.parametrize("where, u, v", [("current", True, True), ("voltage", False, True),
                                         ("threshold", False, False)])
def test_noise_goes_where_it_is_asked_to(where, u, v):
    spikes, s = stepped(dict(noise=where), registers(200, vth_mant=20, bias_mant=1280 if where == "threshold" else 0,
                                                     du=4095, dv=4095), [np.zeros(200)], draws=5)
    assert bool(s["u"].any()) is u
    assert bool(s["v"][spikes[0] == 0].any()) is (v or where == "threshold")
    if where == "threshold":                                   # v = vth: about half of the draws put the bar below it
        assert 60 < spikes[0].sum() < 140


def test_the_threshold_rises_above_the_bounds_of_activity_and_falls_below_them():
    lively = registers(1, vth_mant=1, bias_mant=100, activity_decay=4096, activity_impulse=50, activity_max=20,
                       activity_gain=2)
    spikes, s = stepped({}, lively, [[0]] * 3)
    assert spikes.ravel().tolist() == [1, 0, 1] and s["threshold"].tolist() == [64 + 2 * 2 * 30]
    idle = registers(1, vth_mant=10, activity_min=5, activity_gain=3)
    assert stepped({}, idle, [[0]] * 4)[1]["threshold"].tolist() == [640 - 4 * 15]


@pytest.mark.parametrize("join, expected", [("add", 30 + 20 - 10), ("max", 30), ("min", -10)])
def test_the_soma_takes_the_sum_the_most_or_the_least_of_its_compartments(join, expected):
    p = registers(1, vth_mant=10**5, dv=4095)
    _, s = stepped(dict(join=join, dendrites=2), p, [[[30], [20], [-10]]])
    assert s["v"].tolist() == [expected * 64]


def test_dendrites_keep_a_voltage_of_their_own():
    p = registers(1, vth_mant=10**5, dv=4095, dendrite_dv=2048)
    _, s = stepped(dict(dendrites=1), p, [[[0], [100]], [[0], [0]]])
    assert s["v1"].tolist() == [3200] and s["u1"].tolist() == [0]


def test_a_dendrite_above_its_threshold_makes_the_soma_spike_or_lets_its_input_pass():
    p = registers(1, vth_mant=50, dendrite_vth=10)
    inputs = [[[60], [0]], [[0], [11]], [[60], [11]]]
    assert stepped(dict(join="or", dendrites=1), p, inputs)[0].ravel().tolist() == [1, 1, 1]
    assert stepped(dict(join="pass", dendrites=1), p, inputs)[0].ravel().tolist() == [0, 0, 1]
    resting = registers(1, vth_mant=50, dendrite_vth=10, refract=3)
    assert stepped(dict(join="or", dendrites=1), resting, [[[0], [11]]] * 3)[0].ravel().tolist() == [1, 0, 0]


def dendritic(dendrites, n=40, **params):
    net = NetworkBuilder("tree")
    net.add_input("in", n)
    net.add_population("tree", n, "loihi_compartment", vth_mant=20, dendrites=dendrites, **params)
    net.connect("in", "tree", "one_to_one", weights=12.0, receptor="soma" if dendrites else "")
    for k in range(1, dendrites + 1):
        net.connect("in", "tree", "one_to_one", weights=10.0, receptor=f"d{k}", delay=k)
    net.connect("tree", "tree", "one_to_one", weights=-3.0, receptor="soma" if dendrites else "", delay=2)
    return net.build()


@pytest.mark.parametrize("options", [dict(dendrites=0, noise="voltage", noise_exp=12), dict(dendrites=2),
                                     dict(dendrites=3, join="or", dendrite_vth=9, noise="threshold")])
def test_engines_agree_on_whole_networks_in_spikes_counts_and_times(options):
    x = (np.random.default_rng(0).random((25, 40)) < 0.3).astype(np.uint8)
    layout = compile(dendritic(**options), "loihi", neurons_per_core=32)
    fast, plain = (simulate(layout, Stimulus.from_dense(x), engine=e, seed=4, record=("tree", "tree.v"))
                   for e in ENGINES)
    assert np.array_equal(fast.states["tree", "v"], plain.states["tree", "v"]) and len(fast.spikes["tree"][0]) > 20
    assert np.array_equal(fast.counts, plain.counts) and np.array_equal(fast.tick_ps, plain.tick_ps)
    assert np.array_equal(fast.core_counts, plain.core_counts) and np.array_equal(fast.soma_ps, plain.soma_ps)


def test_noise_does_not_depend_on_how_neurons_are_spread_over_cores():
    x = np.zeros((20, 40), np.uint8)
    net = dendritic(0, noise="current", noise_exp=12)
    runs = [simulate(compile(net, "loihi", neurons_per_core=n), Stimulus.from_dense(x), seed=9) for n in (7, 40)]
    assert np.array_equal(runs[0].spikes["tree"], runs[1].spikes["tree"]) and len(runs[0].spikes["tree"][0]) > 5


def test_dendrites_take_places_on_the_core_and_cost_an_update_each():
    layout = compile(dendritic(3), load_chip("loihi", set=("core.neurons=64",)))
    assert layout.usage["neurons"].tolist() == [64, 64, 32] and layout.n_cores == 3
    run = simulate(layout, ticks=5, stimulus=None)
    assert run.counts[:, [A["neuron_idle"], A["neuron_active"]]].sum(1).tolist() == [160] * 5
    assert np.array_equal(run.core_counts[:, A["neuron_idle"]], [5 * 64, 5 * 64, 5 * 32])


def late(chip="ideal", box=1, axon_delay=0, delay=0):
    net = NetworkBuilder("late")
    net.add_input("in", 1)
    net.add_population("a", 1, "loihi_lif" if chip == "loihi" else "threshold",
                       **({"vth_mant": 0} if chip == "loihi" else {"threshold": 0.5}), axon_delay=axon_delay)
    net.add_population("b", 1, "loihi_lif" if chip == "loihi" else "integrator", **(
        {"vth_mant": 10**4} if chip == "loihi" else {}))
    net.connect("in", "a", weights=4.0)
    net.connect("a", "b", weights=3.0, box=box, delay=delay)
    return net.build(["b"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spike_acts_in_as_many_ticks_as_its_box_is_long_each_a_synaptic_operation(engine):
    x = np.zeros((9, 1), np.uint8)
    x[0] = 1
    run = simulate(compile(late("loihi", box=3), "loihi"), Stimulus.from_dense(x), record=("b.v",), engine=engine)
    assert (np.diff(run.states["b", "v"].ravel()) // 64).tolist() == [0, 2, 2, 2, 0, 0, 0, 0]     # mixed sign: 3 is 2
    assert run.counts[:, A["synop_dense"]].sum() == 1 + 3


@pytest.mark.parametrize("chip, at_once", [("ideal", 0), ("loihi", 2)])
def test_an_axon_delay_moves_all_effects_by_as_many_ticks(chip, at_once):
    x = np.zeros((9, 1), np.uint8)
    x[0] = 1

    def first(axon_delay):
        run = simulate(compile(late(chip, axon_delay=axon_delay), chip), Stimulus.from_dense(x), record=("b.v",))
        return int(np.flatnonzero(run.states["b", "v"].ravel())[0])

    assert (first(0), first(4), first(7)) == (at_once, 4, 7)          # a tick per layer is the least on loihi


def test_an_axon_delay_takes_no_synapse_memory_and_a_synapses_delay_does():
    def bits(**delays):
        net = NetworkBuilder("memory")
        net.add_population("a", 1, "loihi_lif", vth_mant=0, bias_mant=1, axon_delay=delays.get("axon", 0))
        net.add_population("b", 64, "loihi_lif", vth_mant=1)
        net.connect("a", "b", delay=1 + delays.get("synapse", 0))
        layout = compile(net.build(), "loihi")
        return layout.usage["synapse_bits"].sum(), layout.segment_delay.max()

    assert bits() == (576, 1) and bits(axon=7) == (576, 8) and bits(synapse=7) == (768, 8)


def test_chips_without_axon_delays_say_so():
    with pytest.raises(ExpressError, match=r"M237.*axon delay of 16 ticks; axons of loihi delay by at most 15"):
        compile(late("loihi", axon_delay=16), "loihi")
    bare = load_chip("loihi", set=("core.delay.axon_max=null",))
    with pytest.raises(ExpressError, match=r"M237.*axons of loihi do not delay"):
        compile(late("loihi", axon_delay=1), bare)


def test_a_network_file_has_words_for_all_of_it_and_a_stored_network_keeps_them(tmp_path):
    (tmp_path / "net.yaml").write_text(
        "populations:\n  in: {size: 2, model: input}\n"
        "  tree: {size: 2, model: loihi_compartment, vth_mant: 9, dendrites: 1, join: max, noise: current,\n"
        "         axon_delay: 3}\n"
        "projections:\n  - {from: in, to: tree, weights: 4, receptor: d1, box: 2}\n")
    net = load_network(tmp_path / "net.yaml")
    net.save(tmp_path / "net.h5")
    for found in (net, load_network(tmp_path / "net.h5")):
        tree, (projection,) = found.populations["tree"], found.projections
        assert tree.axon_delay == 3 and tree.options == {"dendrites": 1, "join": "max", "noise": "current"}
        assert projection.box == 2
        assert compile(found, "loihi").segment_delay.tolist() == [1, 2] * 2


@pytest.mark.parametrize("line, words", [
    ("{size: 2, model: loihi_compartment, vth_mant: 9, join: xor}", "option `join` of population `p` is 'xor'"),
    ("{size: 2, model: loihi_compartment, vth_mant: 9, dendrites: 9}", "option `dendrites` of population `p` is 9"),
    ("{size: 2, model: loihi_lif, vth_mant: 9, axon_delay: -1}", "has the axon delay -1"),
])
def test_what_makes_no_sense_is_refused_in_its_line(tmp_path, line, words):
    (tmp_path / "net.yaml").write_text(f"populations:\n  in: {{size: 2, model: input}}\n  p: {line}\n"
                                       "projections:\n  - {from: in, to: p, weights: 4}\n")
    with pytest.raises(NetworkError) as refused:
        load_network(tmp_path / "net.yaml")
    assert words in str(refused.value)
