"""What a run says of itself adds up: critical path, counts, timing levels, samples, threads, recordings."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import UsageError
from chipsim.network import NetworkBuilder, Stimulus
from tests.mesh_lab import ENGINES, FIRING, LATENCY, NS, SILENT, Tick, chip
from tests.reference.test_engines_agree import assert_same_run, chips, integer_networks, stimuli

SMALL = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
MESHES = chips([("mesh", "xy"), ("mesh", "yx")], ["unicast"]).filter(lambda chip: chip.n_chips == 1)
NOT_TIME = ("counts", "core_counts", "source_spikes", "link_packets", "spikes", "values", "states", "samples")


def blame(tick):
    parts = tick.run.slowest["parts_ps"]
    assert sum(parts.values()) == tick.run.slowest["length_ps"] == tick.run.tick_ps[0]
    return tick.run.slowest["limit"], tick.run.slowest["core"], max(parts, key=parts.get)


@pytest.mark.parametrize("engine", ENGINES)
def test_slowest_tick_is_blamed_on_what_set_it(engine):
    """Five ticks made slow in five ways; nothing else differs but the time that was made long."""
    quick = dict(barrier={1: 1, 32: 1}, cores_per_router=4)
    flows = [(0, 3)] * 12
    slow_soma = Tick([*flows, (0, None), (1, 3)], chip(**quick, neuron_active=100), engine)
    assert blame(slow_soma) == ("soma", 0, "soma")
    assert slow_soma.run.slowest["parts_ps"] == dict(soma=13 * 100 * NS, stall=0, flight=0, blocking=0, synapse=0,
                                                     barrier=1 * NS)
    slow_synapses = Tick(flows, chip(**quick, axon_in=100, inject_slots=20), engine)
    assert blame(slow_synapses) == ("synapse", 3, "synapse")
    assert slow_synapses.run.slowest["parts_ps"]["synapse"] == 12 * 100 * NS
    slow_link = Tick([(0, 3), (1, 3), (2, 3)] * 4, chip(**quick, eject_cycle=100, inject_slots=20), engine)
    assert blame(slow_link)[::2] == ("synapse", "blocking")
    assert slow_link.run.slowest["parts_ps"]["flight"] == 2 * LATENCY * NS
    short_fifo = Tick(flows, chip(**quick, eject_cycle=100, inject_slots=1), engine)
    assert blame(short_fifo)[::2] == ("synapse", "stall")
    far = Tick([(0, 7)], chip(8, barrier={1: 1, 32: 1}, east_west_latency=100), engine)
    assert blame(far) == ("synapse", 7, "flight")
    assert far.run.slowest["parts_ps"]["flight"] == (7 * 100 + 2 * LATENCY) * NS


@pytest.mark.parametrize("engine", ENGINES)
def test_packets_that_take_no_time_are_not_what_others_waited_for(engine):
    """Two packets of the host come to a busy core, and are done when it is with the neuron's, in no time."""
    net = NetworkBuilder("free")
    net.add_input("in", 2)
    net.add_population("a", 1, "loihi_lif", **FIRING)
    net.add_population("b", 2, "loihi_lif", **SILENT)
    net.connect("in", "b", "dense", weights=np.ones((2, 2)))
    net.connect("a", "b", "sparse", weights=np.ones((2, 1)))
    layout = compile(net.build(), chip(2, host_spike=10, synop_sparse=100, synop_dense=0))
    slowest = simulate(layout, Stimulus.from_dense(np.ones((1, 2))), engine=engine).slowest
    assert slowest["parts_ps"]["synapse"] == 200 * NS
    assert sum(slowest["parts_ps"].values()) == slowest["length_ps"]


@SMALL
@given(chip=MESHES, network=integer_networks(), data=st.data())
def test_parts_of_the_critical_path_add_up_to_the_slowest_tick(chip, network, data):
    layout = compile(network, chip)
    run = simulate(layout, data.draw(stimuli(network.populations["in"].size)))
    slowest = run.slowest
    assert all(ps >= 0 for ps in slowest["parts_ps"].values())
    assert sum(slowest["parts_ps"].values()) == slowest["length_ps"] == run.tick_ps.max()
    assert slowest["tick"] == run.tick_ps.argmax()


@SMALL
@given(chip=chips([("mesh", "xy"), ("mesh", "yx")], ["unicast"]), network=integer_networks(), data=st.data())
def test_every_packet_sent_is_taken_and_counted_where_it_went(chip, network, data):
    layout = compile(network, chip)
    run = simulate(layout, data.draw(stimuli(network.populations["in"].size)), record=("all",), record_packets=True)
    p = run.packets
    for before, after in (("made", "entered"), ("entered", "arrived"), ("arrived", "started"), ("started", "done")):
        assert (p[f"{before}_ps"] <= p[f"{after}_ps"]).all()
    n_packets = np.diff(layout.out_start)
    assert len(p["tick"]) == (run.source_spikes * n_packets).sum()
    assert (np.bincount(p["source"], minlength=layout.n_sources) == run.source_spikes * n_packets).all()
    taken = np.bincount(layout.axon_core[p["axon"]], minlength=layout.n_cores)
    assert (run.core_counts[:, A["axon_in"]] == taken).all()
    assert (run.counts[:, A["axon_in"]] == np.bincount(p["tick"], minlength=run.ticks)).all()
    synapses = np.add.reduceat(layout.segment_size, layout.axon_start[:-1])
    names = [A[f"synop_{kind}"] for kind in ("dense", "sparse", "conv")]
    assert run.counts[:, names].sum() == synapses[p["axon"]].sum() == run.core_counts[:, names].sum()
    assert (flits_recounted(layout, p) == run.link_packets).all()


def flits_recounted(layout, packets):
    """Flits per channel, by walking each packet from router to router on paper."""
    f, links = layout.chip.fabric, {}
    run_links = simulate(layout, ticks=1, timing="none").links
    for k, (a, b, kind, core) in enumerate(zip(*(run_links[n] for n in ("from_router", "to_router", "kind", "core")),
                                               strict=True)):
        links[int(a), int(b), int(core) if kind < 2 else None] = k
    count = np.zeros(len(run_links["kind"]), int)
    core_of = np.repeat(layout.cores, np.diff(layout.core_start))
    for source, axon in zip(packets["source"], packets["axon"], strict=True):
        host = source >= layout.n_neurons
        home = -1 if host else int(core_of[source])
        end = int(layout.cores[layout.axon_core[axon]])
        x, y = f.io.router if host else divmod(home // f.cores_per_router, f.grid[0])[::-1]
        y_end, x_end = divmod(end // f.cores_per_router, f.grid[0])
        count[links[-1, x + f.grid[0] * y, home]] += 1
        for axis in f.routing:
            while (x != x_end) if axis == "x" else (y != y_end):
                here = x + f.grid[0] * y
                if axis == "x":
                    x += 1 if x_end > x else -1
                else:
                    y += 1 if y_end > y else -1
                count[links[here, x + f.grid[0] * y, None]] += 1
        count[links[x + f.grid[0] * y, -1, end]] += 1
    return count


@SMALL
@given(chip=MESHES, network=integer_networks(), data=st.data())
def test_timing_levels_differ_in_time_alone(chip, network, data):
    layout = compile(network, chip)
    stimulus = data.draw(stimuli(network.populations["in"].size))
    runs = {t: simulate(layout, stimulus, timing=t, record=("all", "p0.v")) for t in ("none", "analytic", "exact")}
    for name in NOT_TIME:
        values = [getattr(r, name) for r in runs.values()]
        for other in values[1:]:
            np.testing.assert_equal(other, values[0])
    assert not runs["none"].tick_ps.any()
    assert (runs["analytic"].tick_ps <= runs["exact"].tick_ps).all()


@SMALL
@given(network=integer_networks(), seed=st.integers(0, 99))
def test_samples_leave_nothing_behind(network, seed):
    rng = np.random.default_rng(seed)
    x = (rng.random((7, 5, network.populations["in"].size)) < 0.5).astype(float)
    layout, order = compile(network, "loihi"), rng.permutation(5)
    state = ("p0.v", "p0.u")
    run = simulate(layout, Stimulus.from_dense(x), record=("all", *state))
    shuffled = simulate(layout, Stimulus.from_dense(x[:, order]), record=("all", *state))
    assert (run.samples["output_counts"][order] == shuffled.samples["output_counts"]).all()

    def by_sample(a):
        return a.reshape(5, -1, *a.shape[1:])

    assert (by_sample(run.tick_ps)[order] == by_sample(shuffled.tick_ps)).all()
    assert (by_sample(run.counts)[order] == by_sample(shuffled.counts)).all()
    for key in run.states:
        assert (by_sample(run.states[key])[order] == by_sample(shuffled.states[key])).all()


def test_number_of_threads_cannot_be_seen():
    net = ring(40)
    layout = compile(net, "loihi", neurons_per_core=7)
    x = np.random.default_rng(5).random((300, 3)) < 0.3
    one = simulate(layout, Stimulus.from_dense(x.astype(float)), record=("all",), record_packets=True)
    assert len(one.packets["tick"]) > 1000
    for threads in (2, 3):
        assert_same_run(one, simulate(layout, Stimulus.from_dense(x.astype(float)), record=("all",),
                                      record_packets=True, threads=threads))


def ring(n):
    net = NetworkBuilder("ring", dt=1e-3)
    net.add_input("in", 3)
    net.add_population("n", n, "lif", tau=0.01, v_threshold=0.2)
    net.connect("in", "n", weights=np.random.default_rng(1).normal(1, 1, (n, 3)))
    net.connect("n", "n", "random", probability=0.3, weights=0.6, seed=2, delay=1)
    return net.build(["n"])


@pytest.fixture(scope="module")
def layout():
    return compile(ring(6), "loihi")


def test_recordings_are_asked_for_by_name(layout):
    x = Stimulus.from_dense(np.ones((9, 3)))
    assert set(simulate(layout, x).spikes) == {"n"}
    assert set(simulate(layout, x, record="all").spikes) == {"in", "n"}
    assert set(simulate(layout, x, record="in").spikes) == {"in"}
    run = simulate(layout, x, record=["n.v"])
    assert run.spikes == {} and run.states["n", "v"].shape == (9, 6)
    assert simulate(layout, x, record=()).states == {}


@pytest.mark.parametrize("name", ["m", "n.w", "n.", ".v", "v", "", "n.v.u"])
def test_recording_of_something_else_lists_what_there_is(layout, name):
    with pytest.raises(UsageError) as e:
        simulate(layout, ticks=1, record=[name])
    (d,) = e.value.diagnostics
    assert d.code == "U415" and f"`{name}`" in d.message
    assert "populations: in, n; variables: u, v, wait" in d.help


@pytest.mark.parametrize("options, code", [
    (dict(timing="fast"), "U410"), (dict(engine="gpu"), "U411"), (dict(samples=[0]), "U412"),
    (dict(ticks=None), "U413"), (dict(ticks=0), "U413"), (dict(ticks=-3), "U414")])
def test_calls_that_make_no_sense_are_answered(layout, options, code):
    with pytest.raises(UsageError) as e:
        simulate(layout, **(dict(ticks=1) | options))
    assert [d.code for d in e.value.diagnostics] == [code]
