"""Networks on crossbar chips: bits of weights, one target per neuron, relays, delays."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.compile import PASSES, draft_of
from chipsim.compiler.lowering.bits import cut
from chipsim.compiler.lowering.relay import relay
from chipsim.engine import simulate
from chipsim.errors import ExpressError, FitError
from chipsim.network import load_network
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ("fabric.width=16", "fabric.height=16")


def chip(*more):
    return load_chip("truenorth", set=(*SMALL, *more))


def layered(rng, sizes, delays, feedback=0):
    """A chain of layers, the last one perhaps feeding back to the first."""
    net = NetworkBuilder("layers", dt=1e-3)
    net.add_input("in", sizes[0])
    names = ["in"]
    for i, (n, delay) in enumerate(zip(sizes[1:], delays, strict=True)):
        names.append(net.add_population(f"layer{i}", n, "lif", tau=10e-3, v_threshold=1.0))
        net.connect(names[-2], names[-1], "dense", weights=rng.normal(0, 4.0, (n, sizes[i])), delay=delay)
    if feedback:
        net.connect(names[-1], names[1], "sparse", weights=rng.normal(0, 2.0, (sizes[1], sizes[-1])), delay=feedback)
    return net.build(names[1:])


def spikes_on(network, on, stimulus, ticks, engine="compiled"):
    """Population -> bool[ticks, n], without the ticks of its depth."""
    layout = compile(network, on)
    run = simulate(layout, stimulus, ticks=ticks, record="all", timing="none", engine=engine)
    found = {}
    for p in layout.populations:
        if p.is_input or p.name.endswith(".relays"):
            continue
        tick, index = run.spikes[p.name]
        dense = np.zeros((ticks, int(np.prod(p.shape))), bool)
        dense[tick, index] = True
        found[p.name] = dense[p.depth :]
    return found, layout


def check_structure(layout):
    """What the silicon cannot do otherwise, read off the tables."""
    c = layout.chip.core
    fan_out = np.diff(layout.out_start)
    assert (fan_out[: layout.n_neurons] <= 1).all()
    assert (np.diff(layout.axon_start) == 1).all()
    assert np.array_equal(np.sort(layout.out_axon), np.arange(fan_out.sum()))
    assert (layout.weight == 1).all() and layout.n_receptors == c.crossbar.types
    assert layout.segment_delay.min() >= c.delay.min and layout.segment_delay.max() <= c.delay.max
    axons = np.bincount(layout.axon_core, minlength=layout.n_cores)
    assert (axons <= c.axons_in).all() and np.array_equal(axons, layout.usage["axons_in"])
    assert (np.diff(layout.core_start) <= c.neurons).all()
    for g in range(len(layout.segment_start)):
        slots = layout.slots_of(g)
        assert len(np.unique(slots)) == len(slots)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4),
       feedback=st.sampled_from([0, 4, 6]), rows=st.sampled_from([64, 40]),
       engine=st.sampled_from(["compiled"] * 3 + ["reference"]))
def test_relays_change_nothing_but_the_depth(seed, sizes, feedback, rows, engine):
    rng = np.random.default_rng(seed)
    network = layered(rng, sizes, rng.integers(0, 3, len(sizes) - 1).tolist(), feedback)
    stimulus = Stimulus.from_dense((rng.random((30, sizes[0])) < 0.4).astype(np.uint8))
    tiny = (f"core.axons_in={rows}", "core.neurons=20")
    got, layout = spikes_on(network, chip(*tiny), stimulus, 30, engine)
    check_structure(layout)
    want, _ = spikes_on(network, chip(*tiny, "core.targets_per_neuron=null"), stimulus, 30)
    for name, spikes in got.items():
        n = min(len(spikes), len(want[name]))
        assert np.array_equal(spikes[:n], want[name][:n]), name


def test_a_chain_computes_what_its_bits_and_registers_say():
    """Spikes of two layers against a few lines of integers."""
    rng = np.random.default_rng(3)
    network = layered(rng, [40, 50, 20], [0, 0])
    x = (rng.random((60, 40)) < 0.3).astype(np.int64)
    draft = draft_of(network, chip())
    for step in PASSES[: PASSES.index(relay)]:
        draft = step(draft)
    expected, into = {}, x
    for node in draft.nodes[1:]:
        p = {k: v.astype(np.int64) for k, v in node.params.items()}
        matrix = sum(p[f"s{c.receptor}"][:, None] * c.weight.toarray().astype(np.int64)
                     for c in draft.connections if draft.nodes[c.post] is node)
        v, out = np.zeros(node.size, np.int64), np.zeros((60, node.size), bool)
        for t in range(60):
            v = v + matrix @ into[t]
            v = v + np.sign(v) * p["lam"]
            out[t] = v >= p["alpha"]
            v[out[t]] = 0
        expected[node.name], into = out, out.astype(np.int64)
    got, layout = spikes_on(network, chip(), Stimulus.from_dense(x.astype(np.uint8)), 60)
    check_structure(layout)
    assert expected["layer1"].sum() > 50
    for name, spikes in got.items():
        assert np.array_equal(spikes, expected[name][: len(spikes)]), name


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_sources=st.integers(1, 60), n=st.integers(1, 12), rows=st.integers(60, 256))
def test_bits_stay_within_rows_types_and_weights(seed, n_sources, n, rows):
    rng = np.random.default_rng(seed)
    post, source = np.nonzero(rng.random((n, n_sources)) < 0.7)
    weight = rng.normal(0, 1, len(post))
    bits = cut(source, post, weight, n_sources, n, types=4, rows=rows, most=255, scale_max=np.full(n, 1e9))
    assert (np.abs(bits.weights) <= 255).all() and bits.axons.max(initial=0) <= 4
    axons = dict(zip(np.unique(source).tolist(), bits.axons.tolist(), strict=True))
    assert all(sum(axons[i] for i in source[post == j].tolist()) <= rows for j in range(n))
    used = np.zeros((n_sources, 4), bool)
    for t in range(4):
        used[source[bits.choice >> t & 1 > 0], t] = True
    assert (used.sum(1)[np.unique(source)] <= bits.axons).all()
    on = bits.choice[:, None] >> np.arange(4) & 1
    stored = (on * bits.weights[post]).sum(1) / bits.scale[post]
    noise = ((stored - weight) ** 2).sum()
    assert noise < 1e-6 or bits.snr_dB == pytest.approx(10 * np.log10((weight**2).sum() / noise))


@pytest.mark.parametrize("levels", [(0.0, 0.7), (-0.7, 0.0, 0.7), (-1.0, -0.5, 0.0, 0.5, 1.0)])
def test_few_levels_are_kept_exactly(levels):
    rng = np.random.default_rng(1)
    post, source = np.divmod(np.arange(300), 30)
    weight = rng.choice(levels, 300)
    bits = cut(source, post, weight, 30, 10, types=4, rows=256, most=255, scale_max=np.full(10, 1e9))
    assert bits.snr_dB > 45


def test_more_rows_for_a_source_keep_weights_better():
    rng = np.random.default_rng(2)
    post, source = np.divmod(np.arange(64 * 20), 64)
    weight = rng.normal(0, 1, len(post))
    snr = [cut(source, post, weight, 64, 20, types=4, rows=rows, most=255, scale_max=np.full(20, 1e9)).snr_dB
           for rows in (64, 128, 160, 192, 256)]
    assert snr == sorted(snr) and snr[-1] > 18


def test_the_shipped_digits_lose_less_than_three_points():
    """349 of 360 in the framework."""
    network = load_network(str(EXAMPLES / "digits.nir"), dialect="snntorch")
    layout = compile(network, load_chip("truenorth"))
    check_structure(layout)
    run = simulate(layout, Stimulus.load(EXAMPLES / "digits_test.h5", ticks_per_sample=20), timing="none")
    correct = (run.samples["predicted"] == run.samples["labels"]).sum()
    assert abs(correct - 349) <= 0.03 * 360


def native(net, name, n, **registers):
    return net.add_population(name, n, "truenorth", **(dict(s0=1, alpha=1) | registers))


def test_a_network_in_the_chips_own_terms_needs_bits():
    net = NetworkBuilder("n")
    net.add_input("in", 2)
    native(net, "a", 2)
    net.connect("in", "a", "dense", weights=2 * np.ones((2, 2)), receptor="g1")
    with pytest.raises(ExpressError, match="a crossbar has bits"):
        compile(net.build(["a"]), chip())


def twice(**second):
    net = NetworkBuilder("n")
    net.add_input("in", 2)
    native(net, "a", 3)
    for name, more in (("first", {}), ("second", second)):
        net.connect("in", "a", "dense", weights=np.ones((3, 2)), **({"receptor": "g1", "name": name} | more))
    return net.build(["a"])


def test_two_projections_cannot_have_the_same_bit():
    with pytest.raises(ExpressError, match="`first` and `second` join neuron 0 of `in` to neuron 0 of `a` more than"):
        compile(twice(), chip())
    for apart in ({"receptor": "g2"}, {"delay": 1}):
        assert compile(twice(**apart), chip()).usage["axons_in"].tolist() == [4]


def test_out_axons_of_a_crossbar_count_types_where_neurons_have_several_targets():
    net = NetworkBuilder("n")
    native(net, "a", 3, lam=1)
    native(net, "b", 3)
    for receptor in ("g0", "g1", "g2"):
        net.connect("a", "b", "dense", weights=np.ones((3, 3)), receptor=receptor, delay=1)
    more = ("core.targets_per_neuron=null", "core.axons_out=4")
    layout = compile(net.build(["b"]), chip(*more))
    sent = np.diff(np.concatenate([[0], np.cumsum(np.diff(layout.out_start))])[layout.core_start])
    assert layout.usage["axons_out"].tolist() == sent.tolist() and sent.max() <= 4 and sent.sum() == 9


def test_a_loop_that_relays_do_not_leave_time_for_is_refused_by_name():
    net = NetworkBuilder("n")
    native(net, "a", 2, lam=1)
    net.connect("a", "a", "dense", weights=np.ones((2, 2)), delay=1, receptor="g0")
    net.connect("a", "a", "dense", weights=np.ones((2, 2)), delay=2, receptor="g1")
    with pytest.raises(ExpressError, match="2 ticks per projection"):
        compile(net.build(["a"]), chip())


def test_a_loop_of_one_target_each_needs_no_relay():
    net = NetworkBuilder("n")
    native(net, "a", 2, lam=1, alpha=3, r=0)
    net.connect("a", "a", "dense", weights=np.ones((2, 2)), delay=1, receptor="g0")
    layout = compile(net.build(["a"]), chip())
    check_structure(layout)
    assert [p.name for p in layout.populations] == ["a"]


def test_more_sources_than_rows_are_refused_with_need_and_have():
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", 300)
    net.add_population("a", 2, "lif", tau=10e-3, v_threshold=1.0)
    net.connect("in", "a", "dense", weights=np.ones((2, 300)))
    with pytest.raises(FitError, match=r"300 .*axons.* 256") as refused:
        compile(net.build(["a"]), chip())
    assert refused.value.diagnostics[0].code == "M201"


def test_more_targets_than_a_core_of_relays_are_refused():
    net = NetworkBuilder("n")
    native(net, "a", 1, lam=1)
    net.add_input("in", 1)
    net.connect("in", "a", receptor="g0")
    for i in range(9):
        native(net, f"b{i}", 1)
        net.connect("a", f"b{i}", "dense", weights=np.ones((1, 1)), receptor="g0", delay=1)
    with pytest.raises(FitError, match="9 target axons; a core of relays has 8"):
        compile(net.build(["a"]), chip("core.neurons=8"), neurons_per_core=1, objective="latency")


@pytest.mark.parametrize(("model", "params", "options", "message"), [
    ("cuba_lif", dict(tau_syn=5e-3, tau_mem=10e-3, v_threshold=1.0), {}, "has a synaptic current"),
    ("leaky", dict(tau=10e-3), {}, "emits its value every tick"),
])
def test_what_the_neurons_cannot_do_is_refused(model, params, options, message):
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("a", 2, model, **params)
    net.connect("in", "a", "dense", weights=np.ones((2, 2)))
    with pytest.raises(ExpressError, match=message):
        compile(net.build(["a"]), chip())
