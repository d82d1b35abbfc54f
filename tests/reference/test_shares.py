"""A chip in shares, one thread each: is its run, bit for bit, that of one thread?"""
from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run
from test_ranks import two_layers

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.function import Function
from chipsim.engine.pace import Pace
from chipsim.engine.plan import plan
from chipsim.network import NetworkBuilder, Stimulus


@pytest.fixture(autouse=True)
def several_threads(monkeypatch):
    """Every other chunk of a few ticks on several threads, or beside the mesh, whatever is faster."""
    turns = defaultdict(count)
    monkeypatch.setattr(Pace, "choose", lambda self: next(turns[id(self)]) % 2 == 0)
    monkeypatch.setattr("chipsim.engine.compiled.TICKS", (2, 5))


def wide(seed, model="lif", n=90, **params):
    """A layer of which shares have whole groups, and parts of one."""
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("wide", dt=1e-3)
    net.add_input("in", 5)
    net.add_population("a", n, model, **params)
    net.add_population("b", n // 2, model, **params)
    net.connect("in", "a", weights=rng.normal(0.3, 0.5, (n, 5)))
    net.connect("a", "b", weights=np.where(rng.random((n // 2, n)) < 0.3, rng.normal(0, 0.5, (n // 2, n)), 0), delay=3)
    net.connect("b", "a", weights=rng.normal(0, 0.5, (n, n // 2)), delay=1)
    return net.build(["b"])


def events(seed, lines, ticks=80, rate=0.4):
    return Stimulus.from_dense((np.random.default_rng(seed).random((ticks, lines)) < rate).astype(float))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), threads=st.integers(2, 5))
def test_a_core_is_divided_between_its_neurons_where_no_time_is_kept(seed, threads):
    chip = load_chip("ideal", set=("core.delay.min=1",))
    layout = compile(wide(seed, tau=4e-3, v_threshold=0.7), chip)
    assert layout.n_cores == 1
    assert Function(plan(layout), np.zeros(layout.n_sources, bool), False, 0, threads).n_shares == threads
    options = dict(record=("all", "a.v", "b.v"), seed=seed % 7)
    one = simulate(layout, events(seed, 5), **options)
    assert one.source_spikes[: layout.n_neurons].sum() > 50
    assert_same_run(simulate(layout, events(seed, 5), threads=threads, **options), one)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_random_draws_do_not_depend_on_the_shares(seed):
    net = NetworkBuilder("noisy")
    net.add_input("in", 20)
    net.add_population("a", 200, "truenorth", s0=3, s1=-2, c=1, lam=100, tm=5, alpha=9)
    rng = np.random.default_rng(seed)
    net.connect("in", "a", weights=np.where(rng.random((200, 20)) < 0.4, 1.0, 0.0))
    layout = compile(net.build(["a"]), "truenorth", neurons_per_core=64)
    options = dict(record=("all", "a.v"), seed=seed % 5)
    for timing in ("none", "exact"):
        one = simulate(layout, events(seed, 20), timing=timing, **options)
        assert one.source_spikes[:200].sum() > 50
        assert_same_run(simulate(layout, events(seed, 20), threads=3, timing=timing, **options), one)


def test_samples_are_reset_in_every_share():
    layout = compile(two_layers("loihi_lif", 3, du=2000, dv=300, vth_mant=60), "loihi", neurons_per_core=8)
    given_ = Stimulus.from_dense((np.random.default_rng(3).random((25, 4, 7)) < 0.4).astype(float))
    assert_same_run(simulate(layout, given_, threads=3, record=("all", "a.v"), record_packets=True),
                    simulate(layout, given_, record=("all", "a.v"), record_packets=True))


def test_a_run_goes_on_with_another_number_of_threads(tmp_path):
    layout = compile(two_layers("loihi_lif", 9, du=2000, dv=300, vth_mant=60), "loihi", neurons_per_core=8)
    given_ = events(9, 7, ticks=60)

    def stop(done, of, told):
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(layout, given_, save=tmp_path / "a.run.h5", checkpoint_every=10, threads=3, progress=stop)
    run = simulate(layout, given_, save=tmp_path / "a.run.h5", resume=True, threads=2)
    assert run.meta["resumed"] >= 10
    assert_same_run(run, simulate(layout, given_))


@pytest.fixture
def uneven():
    """A layout of which a few cores spike in every tick, and most never do."""
    net = NetworkBuilder("uneven")
    net.add_input("in", 5)
    net.add_population("busy", 40, "loihi_lif", du=4095, dv=0, vth_mant=2, bias_mant=70)
    net.add_population("calm", 160, "loihi_lif", du=4095, dv=0, vth_mant=60_000)
    net.connect("in", "calm", weights=np.full((160, 5), 2.0))
    net.connect("busy", "busy", weights=np.full((40, 40), 2.0), delay=1)
    return compile(net.build(["calm"]), "loihi", neurons_per_core=20)


def in_shares(layout, threads):
    return Function(plan(layout), np.zeros(layout.n_sources, bool), True, 0, threads)


def on(function, chunks):
    """`chunks` times 16 ticks without input."""
    return [function.advance(16, np.zeros(17, np.int64), np.zeros(0, np.uint32), None, 0, []) for _ in range(chunks)]


def test_borders_move_to_where_the_spikes_are(uneven):
    function, one = in_shares(uneven, 2), in_shares(uneven, 1)
    before = function.ranges[0].stop
    for _ in range(10):
        assert all(map(np.array_equal, on(function, 1)[0], on(one, 1)[0]))
        assert all(map(np.array_equal, function.packets.by_tick(), one.packets.by_tick()))
    assert function.ranges[0].stop != before
    assert np.array_equal(function.active_per_core(), one.active_per_core())


def test_borders_stay_where_the_spikes_are_when_a_part_of_the_run_is_taken(uneven):
    """The spikes of the ticks since are not divided by all ticks of the run."""
    function, whole = in_shares(uneven, 2), in_shares(uneven, 2)
    on(function, 31)                                               # looked at after 64 ticks, and after 512
    function.forget()
    on(function, 1)
    on(whole, 32)
    assert function.ranges == whole.ranges


def test_borders_of_a_run_that_goes_on_move_to_where_the_spikes_are(uneven):
    function, fresh = in_shares(uneven, 2), in_shares(uneven, 2)
    function.restore(function.snapshot() | {"tick": np.array(10_000)})
    on(function, 10)
    on(fresh, 10)
    assert function.ranges == fresh.ranges


def test_segments_that_cannot_be_divided_leave_the_chip_whole():
    layout = compile(wide(1, tau=4e-3, v_threshold=0.7), load_chip("ideal", set=("core.delay.min=1",)))
    layout = replace(layout, target=np.asarray(layout.target).copy(), weight=np.asarray(layout.weight).copy())
    first, n = int(layout.segment_start[0]), int(layout.segment_size[0])
    for array in (layout.target, layout.weight):
        array[first : first + n] = array[first : first + n][::-1].copy()
    assert Function(plan(layout), np.zeros(layout.n_sources, bool), False, 0, 2).n_shares == 1
    assert_same_run(simulate(layout, events(1, 5), threads=2), simulate(layout, events(1, 5)))


def test_an_error_in_one_share_ends_the_others():
    layout = compile(wide(1, tau=4e-3, v_threshold=0.7), load_chip("ideal", set=("core.delay.min=1",)))
    function = Function(plan(layout), np.zeros(layout.n_sources, bool), False, 0, 3)
    too_short = [("v", np.arange(layout.n_neurons), np.zeros((2, layout.n_neurons)))]
    with pytest.raises(IndexError):
        for _ in range(2):
            function.advance(9, np.zeros(10, np.int64), np.zeros(0, np.uint32), None, 0, too_short)


@pytest.mark.parametrize("sent", [1, 2])
def test_threads_do_not_wait_for_others_that_were_never_sent_for(monkeypatch, sent):
    """Ctrl-C while threads are sent for, or no thread to be had: those on their way return, and the process ends."""
    layout = compile(wide(1, tau=4e-3, v_threshold=0.7), load_chip("ideal", set=("core.delay.min=1",)))
    function = Function(plan(layout), np.zeros(layout.n_sources, bool), False, 0, 3)
    submit, under_way = ThreadPoolExecutor.submit, []

    def interrupted(*call):
        under_way.append(submit(*call))
        if len(under_way) == sent:
            raise KeyboardInterrupt
        return under_way[-1]

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        function.advance(9, np.zeros(10, np.int64), np.zeros(0, np.uint32), None, 0, [])
    assert not wait(under_way, timeout=60).not_done
