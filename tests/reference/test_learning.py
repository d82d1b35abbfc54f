"""Learning in whole networks: both engines agree, golden weights come out of `simulate`, and everything is counted."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import probes, simulate
from chipsim.engine.run import A
from chipsim.engine.run_file import load_run, save_run
from chipsim.errors import ExpressError, UsageError
from chipsim.models.plasticity import FAMILIES, Plasticity, Trace
from chipsim.network import NetworkBuilder
from chipsim.network.stimulus import Stimulus
from chipsim.report import report

PAIR = Plasticity(dw="2^-2*x1*y0 - 2^-2*y1*x0", x1=Trace(16, 10), y1=Trace(16, 12))
RULES = [PAIR, replace(PAIR, t_epoch=3), FAMILIES["triplet"](), FAMILIES["multiplicative"](t_epoch=2),
         FAMILIES["reward"]("teacher"), FAMILIES["homeostatic"](target=20, every=1)]


def network(rules, seed=0, model="loihi_lif", n=9):
    """Input lines onto one population and from it onto a second, both plastic, and a teacher's line."""
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("learner")
    net.add_input("in", 7)
    net.add_input("teacher", 1)
    params = dict(du=2000, dv=300, vth_mant=rng.integers(60, 300, n))
    if model == "lif":
        params = dict(tau=5, v_threshold=60)
    net.add_population("a", n, model, **params)
    net.add_population("b", 5, model, **{k: v[:5] if np.ndim(v) else v for k, v in params.items()})
    net.connect("in", "a", weights=rng.integers(0, 120, (n, 7)), plasticity=rules[0], format={"sign": "excitatory"})
    weights = np.where(rng.random((5, n)) < 0.6, rng.integers(-100, 200, (5, n)), 0)
    net.connect("a", "b", "sparse", weights=weights, delay=2, plasticity=rules[1], name="second")
    net.connect("b", "b", "dense", weights=-20.0, delay=1)
    return net.build(["b"])


def stimulus(seed, ticks=30, samples=2):
    rng = np.random.default_rng(seed)
    x = (rng.random((ticks, samples, 8)) < 0.35).astype(float)
    x[..., 7] *= rng.integers(-3, 4, x.shape[:2])
    return Stimulus.from_dense(x)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=chips(), rules=st.tuples(st.sampled_from(RULES), st.sampled_from(RULES)), seed=st.integers(0, 2**32),
       update_ns=st.integers(0, 40))
def test_both_engines_learn_the_same_in_the_same_time(chip, rules, seed, update_ns):
    costs = chip.costs.model_copy(update={f"learn_{k}": chip.costs.spike.model_copy(update={"time": t * 1e-9})
                                          for k, t in (("trace", 1), ("read", 2), ("update", update_ns))})
    chip = chip.model_copy(update={"costs": costs})
    layout = compile(network(rules, seed), chip, neurons_per_core=6 if chip.n_cores >= 4 else None)
    given_ = stimulus(seed)
    fast = simulate(layout, given_, seed=seed, record_packets=True)
    assert_same_run(fast, simulate(layout, given_, seed=seed, record_packets=True, engine="reference"))
    assert_same_run(fast, simulate(layout, given_, seed=seed, record_packets=True, threads=2))
    analytic = simulate(layout, given_, seed=seed, timing="analytic")
    assert_same_run(analytic, simulate(layout, given_, seed=seed, timing="analytic", engine="reference"))
    assert (fast.counts.sum(0) == fast.core_counts.sum(0))[[A[f"learn_{k}"] for k in ("trace", "read", "update")]].all()


@pytest.mark.parametrize("rule", RULES[:5])
def test_floating_point_learning_agrees_on_the_ideal_chip(rule):
    layout = compile(network((rule, PAIR), model="lif"), "ideal")
    fast = simulate(layout, stimulus(1))
    plain = simulate(layout, stimulus(1), engine="reference")
    assert_same_run(fast, plain)
    moved = [np.abs(fast.weights[p.name][2] - p.weight).max() for p in layout.plastic]
    assert max(moved) > 1


def test_weights_learn_across_samples_and_are_what_the_next_run_starts_from():
    layout = compile(network((PAIR, PAIR)))
    run = simulate(layout, stimulus(3))
    first = run.weights["in -> a"][2]
    assert (first != layout.plastic[0].weight).any() and first.min() >= 0 and first.max() <= 255
    again = simulate(layout, stimulus(3), learning=False, weights=run.weights)
    assert np.array_equal(again.weights["in -> a"][2], first)
    assert again.counts[:, A["learn_update"]].sum() == 0 and again.learning_ps.sum() == 0
    learnt = layout.with_weights(run.weights)
    for p in learnt.plastic:
        assert np.array_equal(learnt.weight[p.place], p.stored[p.weight.astype(int) + 256])
    assert not np.array_equal(learnt.weight, layout.weight)
    matrix = run.weight_matrix("second")
    assert matrix.shape == (5, 9) and np.isnan(matrix).sum() == 45 - len(run.weights["second"][0])
    with pytest.raises(UsageError, match="U418"):
        layout.with_weights({"in -> a": run.weights["second"]})
    with pytest.raises(UsageError, match="none takes weights"):
        replace(layout, plastic=()).with_weights(run.weights)


def test_learning_is_counted_priced_and_part_of_the_tick():
    layout = compile(network((replace(PAIR, t_epoch=4), PAIR)))
    run, off = simulate(layout, stimulus(4)), simulate(layout, stimulus(4), learning=False)
    ends = np.arange(run.ticks) % 4 == 3
    synapses = [len(p.pre) for p in layout.plastic]
    assert np.array_equal(run.counts[:, A["learn_read"]], np.where(ends, synapses[0], 0) + synapses[1])
    assert np.array_equal(run.counts[:, A["learn_trace"]], np.where(ends, 7 + 9, 0) + 9 + 5)
    updates = run.counts[:, A["learn_update"]]
    per_core = run.core_counts[:, A["learn_update"]]
    assert 0 < updates.sum() == per_core.sum() and updates.max() <= sum(synapses)
    assert run.learning_ps.max() <= updates.max() * 6_100 and run.learning_ps.sum() >= per_core.max() * 6_100
    learning = report(run).energy.by_component["learning"]
    assert learning.energy_J == pytest.approx(120e-12 * updates.sum())
    assert "learning" in report(run).latency.slowest_tick.parts_s
    assert sum(run.slowest["parts_ps"].values()) == run.slowest["length_ps"] == run.tick_ps.max()
    assert report(off).energy.by_component["learning"].energy_J == 0 and run.tick_ps.sum() > off.tick_ps.sum()


def test_layouts_and_runs_come_back_from_disk_with_their_rules_and_weights(tmp_path):
    layout = compile(network((RULES[4], PAIR)))
    save_layout(layout, tmp_path / "a.h5")
    stored = load_layout(tmp_path / "a.h5")
    assert [p.rule for p in stored.plastic] == [RULES[4], PAIR]
    run = simulate(stored, stimulus(5))
    assert_same_run(run, simulate(layout, stimulus(5)))
    save_run(run, tmp_path / "b.h5")
    assert_same_run(run, load_run(tmp_path / "b.h5"))


@pytest.mark.parametrize(("rule", "words"), [
    (replace(PAIR, dd="x0*x1"), "delay"),
    (replace(PAIR, t_epoch=64), "at most 63"),
    (replace(PAIR, dw="0.3*x1*y0"), "times a power of two"),
    (replace(PAIR, dw="x0*(w - 0.5)"), "whole numbers"),
    (replace(PAIR, x1=Trace(200, 5)), "0 to 127"),
    (replace(PAIR, dw="x0*w*w*w*w*w*w"), "more than the engine"),
])
def test_a_rule_the_chip_does_not_have_is_refused(rule, words):
    with pytest.raises(ExpressError, match="M260") as error:
        compile(network((rule, PAIR)))
    assert words in str(error.value) and error.value.exit_code == 3


STORED = dict(rule="pair", a_plus=0.01, a_minus=0.012, tau_plus=20, tau_minus=20, impulse=1.0, coincident="neither",
              w_min=0, w_max=0.8)


def on_spinnaker(plasticity=STORED, sign=1.0, weight=0.5):
    rng = np.random.default_rng(0)
    net = NetworkBuilder("stored", dt=1e-3)
    net.add_input("in", 20)
    net.add_population("a", 7, "lif", tau=5e-3, v_threshold=1.0)
    net.connect("in", "a", weights=sign * rng.uniform(0, weight, (7, 20)), plasticity=plasticity, name="learning")
    return compile(net.build(["a"]), "spinnaker")


def test_weights_of_sixteen_bits_learn_in_steps_of_their_unit_with_both_engines(tmp_path):
    layout = on_spinnaker()
    given_ = Stimulus.from_dense((np.random.default_rng(1).random((150, 1, 20)) < 0.3).astype(float))
    run = simulate(layout, given_)
    assert_same_run(run, simulate(layout, given_, engine="reference"))
    grid, learnt = layout.plastic[0].grid, run.weights["learning"][2]
    assert np.array_equal(learnt / grid, np.rint(learnt / grid))
    assert np.abs(learnt - layout.plastic[0].weight).max() > 0.05
    assert learnt.min() >= 0 and learnt.max() <= 0.8 and run.counts[:, A["learn_update"]].sum() > 1000
    save_layout(layout.with_weights(run.weights), tmp_path / "a.h5")
    again = simulate(load_layout(tmp_path / "a.h5"), given_, learning=False)
    assert np.array_equal(again.weights["learning"][2], learnt)


def test_ring_buffers_hold_the_largest_weight_that_a_rule_allows():
    small, large = (on_spinnaker({**STORED, "w_max": w}, weight=0.1).plastic[0] for w in (0.1, 6.0))
    assert large.grid > small.grid and 6.0 / large.grid <= 2**15 - 1 < 6.0 / small.grid


@pytest.mark.parametrize(("plasticity", "sign", "words"), [
    ({k: v for k, v in STORED.items() if k != "w_max"}, 1, "no largest weight"),
    (dict(rule="homeostatic", w_max=1), 1, "counts by u"),
    (STORED, np.array([[1.0], [-1.0]] * 3 + [[1.0]]), "told apart by the sign"),
])
def test_what_stored_weights_cannot_learn_is_refused(plasticity, sign, words):
    with pytest.raises(ExpressError, match=words):
        on_spinnaker(plasticity, sign)


def test_a_chip_without_learning_engine_and_synapses_that_cannot_learn_are_refused():
    with pytest.raises(ExpressError, match="cores of loihi do not"):
        compile(network((PAIR, PAIR)), load_chip("loihi", set=("core.learning=null",)))
    with pytest.raises(ExpressError, match=r"M261.*trained units"):
        compile(network((PAIR, PAIR), model="lif"))
    net = NetworkBuilder()
    net.add_input("in", (1, 5, 5))
    net.add_population("a", (2, 3, 3), "lif", tau=5, v_threshold=1)
    net.connect("in", "a", "conv2d", weights=np.ones((2, 1, 3, 3)), plasticity=PAIR)
    with pytest.raises(ExpressError, match=r"M261.*shares its weights"):
        compile(net.build(), "ideal")


PROBES = ("second.w", "second.w[1:3]", "b.v")


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=chips(), seed=st.integers(0, 2**32), every=st.sampled_from([1, 4, 7, 100]),
       timing=st.sampled_from(["exact", "analytic", "none"]))
def test_recorded_weights_are_those_of_the_plain_engine_for_any_number_of_threads(chip, seed, every, timing):
    layout = compile(network((PAIR, RULES[1]), seed), chip, neurons_per_core=6 if chip.n_cores >= 4 else None)
    options = dict(seed=seed, record=PROBES, record_every=every, timing=timing)
    fast = simulate(layout, stimulus(seed), **options)
    assert fast.states["second", "w"].shape == (fast.ticks // every, len(layout.plastic[1].pre))
    assert_same_run(fast, simulate(layout, stimulus(seed), engine="reference", **options))
    assert_same_run(fast, simulate(layout, stimulus(seed), threads=2, **options))


def test_a_recorded_weight_is_what_a_run_of_so_many_ticks_ends_with():
    layout = compile(network((PAIR, PAIR)), "loihi")
    once = stimulus(3, ticks=40, samples=1)
    run = simulate(layout, once, record=PROBES, record_every=10)
    assert run.probed_ticks.tolist() == [9, 19, 29, 39]
    for k, tick in enumerate(run.probed_ticks):
        shorter = simulate(layout, once, ticks=int(tick) + 1, record="b.v")
        assert np.array_equal(run.states["second", "w"][k], shorter.weights["second"][2])
        assert np.array_equal(run.states["b", "v"][k], shorter.states["b", "v"][-1])
    assert (np.diff(run.states["second", "w"], axis=0) != 0).any()
    some = (run.weights["second"][1] >= 1) & (run.weights["second"][1] < 3)
    assert np.array_equal(run.states["second", "w[1:3]"], run.states["second", "w"][:, some])
    assert np.array_equal(run.weight_matrix("second", 3), run.weight_matrix("second"), equal_nan=True)


def test_weights_that_do_not_learn_are_recorded_as_they_are():
    layout = compile(network((PAIR, PAIR)), "loihi")
    run = simulate(layout, stimulus(3), learning=False, record="second.w", record_every=20)
    assert (run.states["second", "w"] == layout.plastic[1].weight).all() and len(run.states["second", "w"]) == 3


@pytest.mark.parametrize(("record", "every", "message"), [
    ("third.w", 1, "`third.w` cannot be recorded.*weights: .*second.w"),
    ("second.w[5]", 1, "the projection reaches 5 neurons"),
    ("second.w[3:2]", 1, "no such neurons"),
    ("second.w", 0, "after every 0 ticks")])
def test_weights_that_there_are_not_cannot_be_recorded(record, every, message):
    with pytest.raises(UsageError, match=f"(?s)U415.*{message}"):
        simulate(compile(network((PAIR, PAIR)), "loihi"), stimulus(0), record=record, record_every=every)


def test_what_would_not_fit_memory_is_refused_unless_the_run_is_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(probes, "MOST_BYTES", 1 << 14)
    layout = compile(network((PAIR, PAIR)), "loihi")
    with pytest.raises(UsageError, match=r"U419.*numbers 60 times"):
        simulate(layout, stimulus(0), record="in -> a.w")
    simulate(layout, stimulus(0), record="in -> a.w", record_every=3)
    stored = simulate(layout, stimulus(0), record="in -> a.w", save=tmp_path / "r.run.h5")
    assert len(stored.states["in -> a", "w"]) == 60
