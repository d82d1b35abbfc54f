"""The compiled engine gives the plain engine's numbers, every one, on networks and chips nobody chose."""
from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.outcome import LOST
from chipsim.engine.run import HOPS, A
from chipsim.errors import SimulationError
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Dense, Sparse
from chipsim.network.stimulus import Stimulus


def assert_same(a, b, name="run"):
    """Equal in every array, to the bit."""
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, name
        assert np.array_equal(a, b), f"{name} differs at {np.argwhere(a != b)[:5].tolist()}"
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), name
        for key in a:
            assert_same(a[key], b[key], f"{name}.{key}")
    elif isinstance(a, tuple):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{name}[{i}]")
    else:
        assert a == b, name


def assert_same_run(a, b):
    for f in fields(a):
        if f.name != "meta":
            assert_same(getattr(a, f.name), getattr(b, f.name), f.name)


def in_two_threads(layout, stimulus, **options):
    """A run in many chunks, the ticks of each shared out however few packets they have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chipsim.engine.compiled.TICKS", (2, 5))
        patch.setattr("chipsim.engine.fabrics.WORTH_A_THREAD", 0)
        return simulate(layout, stimulus, threads=2, **options)


FABRICS = [("mesh", "xy"), ("mesh", "yx"), ("mesh", "west_first"), ("mesh", "north_last"), ("mesh", "negative_first"),
           ("mesh", "odd_even"), ("tree", "shortest")]
RINGS = [("torus", "xy"), ("hex_torus", "xy"), ("custom", "shortest")]     # without virtual channels these can deadlock


@st.composite
def chips(draw, fabrics=FABRICS, casts=("unicast", "multicast"), lossy=False, clocked=True):
    """Small fabrics with short FIFOs and times that collide: contention, stalls and ties in every example.

    Delays are whole nanoseconds, of which no two fall into one window of the engine's calendar, or of similar length
    and uneven: then several times do.
    """
    ns, ps = "{} ns".format, "{} ps".format
    delays, costs = draw(st.sampled_from([(st.integers(1, 9).map(ns), st.integers(0, 12).map(ns)),
                                          (st.integers(1024, 2600).map(ps), st.integers(0, 1500).map(ps))]))
    topology, routing = draw(st.sampled_from(fabrics))
    cast = "unicast" if "_" in routing else draw(st.sampled_from(casts))
    arbitration = draw(st.sampled_from(["fcfs", "round_robin", "oldest", "mutex_tree"]))
    settings = [f"fabric.topology={topology}", f"fabric.routing={routing}", f"fabric.cast={cast}",
                f"fabric.arbitration={arbitration}",
                f"fabric.cores_per_router={draw(st.integers(1, 3))}"]
    width, height = (1, 1) if topology in ("tree", "custom") else (draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    chips = (draw(st.integers(1, 2)), 1) if topology == "mesh" else (1, 1)
    settings += [f"fabric.width={width}", f"fabric.height={height}", f"system.chips=[{chips[0]},{chips[1]}]",
                 f"fabric.io.router=[{draw(st.integers(0, width - 1))},{draw(st.integers(0, height - 1))}]"]
    if topology == "tree":
        settings += ["fabric.arity=2", f"fabric.levels={draw(st.integers(1, 3))}"]
    if topology == "custom":
        settings += ["fabric.routers=5", "fabric.links=[0-1,1-2,2-3,3-0,3-4]"]
    in_step = ("mesh", "torus", "tree") if cast == "unicast" else ("mesh", "tree")
    if clocked and topology in in_step and arbitration not in ("mutex_tree", "oldest") and draw(st.booleans()):
        settings += [f"fabric.clock.period={draw(st.integers(1, 3))} ns", f"fabric.clock.vcs={draw(st.integers(2, 3))}",
                     f"fabric.clock.routing_delay={draw(st.integers(0, 1))}",
                     f"fabric.clock.connection={draw(st.sampled_from(['flit', 'packet']))}",
                     f"fabric.clock.speculation={draw(st.sampled_from(['none', 'switch']))}",
                     f"fabric.clock.internal_speedup={draw(st.integers(1, 2))}"]
    elif lossy and draw(st.booleans()):
        settings.append(f"fabric.blocked.wait={draw(st.integers(1, 60))} ns")
        if topology == "hex_torus":
            settings.append(f"fabric.blocked.emergency_wait={draw(st.integers(1, 60))} ns")
    for channel in ("inject", "eject", "east_west", "north_south", "diagonal", "tree", "interchip"):
        for key in ("latency", "cycle", "credit"):
            settings.append(f"fabric.channels.{channel}.{key}={draw(delays)}")
        settings.append(f"fabric.channels.{channel}.slots={draw(st.integers(1, 4))}")
        settings.append(f"fabric.channels.{channel}.energy=1 pJ")
    for action in ("neuron_idle", "neuron_active", "spike", "axon_out", "axon_in", "synop_dense", "synop_sparse"):
        settings.append(f"costs.{action}.time={draw(costs)}")
    return load_chip("loihi", set=tuple(settings))


@st.composite
def integer_networks(draw):
    """Two or three recurrent populations of Loihi neurons with random weights, delays, biases; several cores each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = [int(rng.integers(2, 14)) for _ in range(draw(st.integers(1, 3)))]
    lines = int(rng.integers(1, 6))
    populations = {"in": Population("in", (lines,), "input")}
    for i, n in enumerate(sizes):
        params = dict(du=rng.integers(0, 4096, n), dv=rng.integers(0, 4096, n), vth_mant=rng.integers(1, 400, n),
                      bias_mant=rng.integers(-300, 2000, n), bias_exp=rng.integers(0, 4, n),
                      refract=rng.integers(1, 5, n))
        if draw(st.booleans()):
            params = {k: v[:1] for k, v in params.items()}
        populations[f"p{i}"] = Population(f"p{i}", (n,), "loihi_lif", params)
    projections = []
    names = list(populations)
    for post in names[1:]:
        for pre in names:
            if pre != "in" and rng.random() < 0.4:
                continue
            shape = (populations[post].size, populations[pre].size)
            exponent = draw(st.sampled_from([-3, -1, 0, 2]))
            form = dict(weight_exponent=exponent, weight_bits=draw(st.sampled_from([4, 8])), sign="mixed")
            if rng.random() < 0.5:
                op = Dense(rng.integers(-256, 256, shape).astype(float))
            else:
                w = random_array(shape, density=0.5, rng=rng, data_sampler=lambda size: rng.integers(-256, 256, size))
                op = Sparse(w.astype(float).tocsr())
            projections.append(Projection(pre, post, (op,), int(rng.integers(0, 4)) + (pre != "in"), form))
    return Network("random", populations, tuple(projections), outputs=(names[-1],))


@st.composite
def stimuli(draw, lines, ticks=8):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    samples = draw(st.integers(1, 3))
    rate = draw(st.sampled_from([0.1, 0.5, 1.0]))
    return Stimulus.from_dense((rng.random((ticks, samples, lines)) < rate).astype(np.uint8))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=chips(FABRICS + RINGS, lossy=True), network=integer_networks(), data=st.data())
@pytest.mark.parametrize("profile", ["loihi", "lava"])
def test_integer_runs_agree_in_every_spike_count_and_picosecond(profile, chip, network, data):
    chip = chip.model_copy(update={"core": chip.core.model_copy(
        update={"neuron": chip.core.neuron.model_copy(update={"profile": profile})})})
    n_cores = sum(-(-p.size // 4) for p in network.populations.values() if p.model != "input")
    layout = compile(network, chip, neurons_per_core=4 if n_cores <= chip.n_cores else None)
    stimulus = data.draw(stimuli(network.populations["in"].size))
    options = dict(record=("all", "p0.v", "p0.u"), record_packets=True, check_routes=False)
    try:
        fast = simulate(layout, stimulus, **options)
    except SimulationError as stuck:                        # rings without virtual channels do deadlock: then both must
        assert chip.fabric.topology in {name for name, _ in RINGS} and "stands still" in str(stuck)
        with pytest.raises(SimulationError):
            simulate(layout, stimulus, engine="reference", **options)
        return
    plain = simulate(layout, stimulus, engine="reference", **options)
    assert_same_run(fast, plain)
    assert_same_run(fast, in_two_threads(layout, stimulus, **options))
    delivered = int(fast.counts[:, A["axon_in"]].sum())
    lost = len(fast.lost["tick"]) if fast.lost else 0
    assert lost == (fast.packets["arrived_ps"] == LOST).sum()
    assert delivered == len(fast.packets["tick"]) - lost == int(fast.latency.sum())
    assert fast.link_packets[fast.links["kind"] == 1].sum() == delivered
    kinds = np.bincount(fast.links["kind"], weights=fast.link_packets, minlength=len(HOPS))
    assert np.array_equal(kinds, fast.counts[:, [A[h] for h in HOPS]].sum(0))
    analytic = simulate(layout, stimulus, timing="analytic")
    assert_same_run(analytic, simulate(layout, stimulus, timing="analytic", engine="reference"))
    if chip.fabric.routing == "xy" and chip.fabric.clock is None and not lost:    # what is dropped keeps nobody busy
        assert (analytic.tick_ps <= fast.tick_ps).all()
