"""Packets that are blocked: when they turn aside, what is dropped, and who is charged for it."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chipsim.chip import check_chip, load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.deadlock import refuse_cycles
from chipsim.engine.outcome import LIMIT_LINK, LOST
from chipsim.engine.plan import plan
from chipsim.engine.run import HOPS, A
from chipsim.engine.run_file import load_run, save_run
from chipsim.engine.topology import plan_fabric
from chipsim.errors import ChipError, UsageError
from chipsim.explore.fabric_curve import FabricLab
from chipsim.explore.fabric_stats import stats_of
from chipsim.explore.traffic import Traffic
from chipsim.report import report
from chipsim.report.trace import to_trace
from tests.mesh_lab import CREDIT, CYCLE, ENGINES, LATENCY, NS, Tick, chip, layout_of
from tests.reference.test_engines_agree import assert_same_run, in_two_threads, integer_networks, stimuli

HEXAGONAL = ("fabric.topology=hex_torus",
             "fabric.channels.diagonal={latency: 5 ns, cycle: 2 ns, credit: 3 ns, slots: 8, energy: 1 pJ}")
COMPASS = {"east": 1, "north-east": 5, "north": 4, "west": 3, "south-west": 15, "south": 12}     # cores of a 4x4 torus
NAMES = list(COMPASS)


def impatient(wait, emergency=None):
    return f"fabric.blocked={{wait: {wait} ns" + (f", emergency_wait: {emergency} ns}}" if emergency else "}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", NAMES)
def test_a_blocked_packet_goes_round_the_triangle_after_its_wait(engine, way):
    """The second packet finds its link taken for 1 us; it turns anticlockwise after 20 ns, then back."""
    slow = ("east_west", "diagonal", "north_south")[NAMES.index(way) % 3]
    spec = chip(4, 4, more=(*HEXAGONAL, impatient(20, 30), f"fabric.channels.{slow}.cycle=1 us"))
    tick = Tick([(0, COMPASS[way])] * 2, spec, engine)
    asked = (LATENCY + CYCLE) * NS
    assert tick.arrived[1] == asked + (20 + 3 * LATENCY) * NS
    links = tick.run.links
    first = int(np.flatnonzero((links["from_router"] == 0) & (links["to_router"] == COMPASS[way]))[0])
    assert tick.run.link_detours.tolist() == [int(k == first) for k in range(len(links["kind"]))]
    middle = COMPASS[NAMES[(NAMES.index(way) + 1) % 6]]
    taken = {(a, b) for a, b, n in zip(links["from_router"], links["to_router"], tick.run.link_packets, strict=True)
             if n and a >= 0 and b >= 0}
    assert taken == {(0, COMPASS[way]), (0, middle), (middle, COMPASS[way])}
    assert not len(tick.run.lost["tick"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_packet_is_dropped_when_the_emergency_route_is_blocked_too(engine):
    """Links east and north-east take a flit a microsecond: the first goes east, the second round, the third nowhere."""
    spec = chip(4, 4, more=(*HEXAGONAL, impatient(20, 30), "fabric.channels.east_west.cycle=1 us",
                            "fabric.channels.diagonal.cycle=1 us"))
    tick = Tick([(0, 1)] * 3, spec, engine)
    asked = LATENCY + CYCLE + 20 + CYCLE                     # the third claims when the second has turned and gone
    assert tick.run.packets["arrived_ps"].tolist()[2] == tick.run.packets["started_ps"].tolist()[2] == LOST
    assert tick.run.lost["dropped_ps"].tolist() == [(asked + 20 + 30) * NS] == [tick.length]
    assert tick.run.link_drops.sum() == tick.run.link_detours.sum() == 1
    assert int(tick.run.tick_limit[0]) >> 24 == LIMIT_LINK


@pytest.mark.parametrize("engine", ENGINES)
def test_a_core_that_does_not_take_its_packets_loses_them(engine):
    """One slot, 1 us per packet: the slot of the first is free once it is started, so the third is the first to go."""
    spec = chip(2, 1, more=(impatient(50),), axon_in=1000, eject_slots=1)
    tick = Tick([(0, 1)] * 5, spec, engine)
    third_asks = (2 * LATENCY + CREDIT + CYCLE + LATENCY - LATENCY) * NS
    assert (tick.arrived != LOST).tolist() == [True, True, False, False, False]
    dropped = tick.run.lost["dropped_ps"]
    assert dropped[0] == third_asks + 50 * NS + LATENCY * NS
    assert (np.diff(dropped) == (50 + CYCLE) * NS).all()
    assert tick.run.counts[0, A["axon_in"]] == 2 and tick.run.core_counts[:, A["axon_in"]].tolist() == [0, 2]
    assert tick.run.counts[0, A["synop_sparse"]] == 2


@st.composite
def crowded_chips(draw):
    """Short waits at slow links with a slot or two, and cores that make packets faster than they take them."""
    topology = draw(st.sampled_from(["hex_torus", "hex_torus", "hex_torus", "torus", "custom"]))
    wait = st.integers(1, 40)
    more = [f"fabric.topology={topology}", f"fabric.cast={draw(st.sampled_from(['unicast', 'multicast']))}",
            f"fabric.arbitration={draw(st.sampled_from(['fcfs', 'round_robin', 'oldest', 'mutex_tree']))}",
            impatient(draw(wait), draw(wait) if topology == "hex_torus" and draw(st.booleans()) else None),
            "costs.row_fetch={energy: 1 pJ, time: 1 ns}"]
    for name in ("inject", "eject", "east_west", "north_south", "diagonal"):
        latency, cycle, credit = (draw(st.integers(1, 20)) for _ in range(3))
        more.append(f"fabric.channels.{name}={{latency: {latency} ns, cycle: {cycle} ns, credit: {credit} ns, "
                    f"slots: {draw(st.integers(1, 2))}, energy: 1 pJ}}")
    width, height = draw(st.integers(2, 4)), draw(st.integers(2, 3))
    if topology == "custom":
        width = height = 1
        more += ["fabric.routing=shortest", "fabric.routers=5", "fabric.links=[0-1,1-2,2-3,3-0,3-4]"]
    return chip(width, height, draw(st.integers(1, 2)), more, axon_in=draw(st.integers(0, 60)),
                neuron_active=draw(st.integers(0, 2)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=crowded_chips(), network=integer_networks(), data=st.data())
def test_engines_agree_on_what_is_lost_and_every_hop_is_charged(chip, network, data):
    n_cores = sum(-(-p.size // 4) for p in network.populations.values() if p.model != "input")
    layout = compile(network, chip, neurons_per_core=4 if n_cores <= chip.n_cores else None)
    stimulus = data.draw(stimuli(network.populations["in"].size))
    options = dict(record=("all",), record_packets=True)
    fast = simulate(layout, stimulus, **options)
    assert_same_run(fast, simulate(layout, stimulus, engine="reference", **options))
    assert_same_run(fast, in_two_threads(layout, stimulus, **options))
    kinds = np.bincount(fast.links["kind"], weights=fast.link_packets, minlength=len(HOPS))
    assert np.array_equal(kinds, fast.counts[:, [A[h] for h in HOPS]].sum(0))
    assert np.array_equal(sum(np.array([p["counts"][h] for h in HOPS]) for p in fast.populations), kinds)
    assert (fast.packets["arrived_ps"] == LOST).sum() == len(fast.lost["tick"])
    fetched = plan(layout).fetched[fast.packets["axon"][fast.packets["arrived_ps"] != LOST]].sum()
    assert fast.counts[:, A["row_fetch"]].sum() == fast.core_counts[:, A["row_fetch"]].sum() == fetched
    assert (fast.link_drops <= len(fast.lost["tick"])).all() and (fast.core_counts >= 0).all()


def test_a_run_with_losses_is_kept_reported_and_traced(tmp_path):
    spec = chip(4, 4, more=(*HEXAGONAL, impatient(20, 30), "fabric.channels.east_west.cycle=1 us",
                            "fabric.channels.diagonal.cycle=1 us"))
    run = Tick([(0, 1)] * 3, spec).run
    save_run(run, tmp_path / "a.run.h5")
    assert_same_run(load_run(tmp_path / "a.run.h5"), run)
    blocked = report(run).traffic.blocked
    assert (blocked.lost, blocked.detours, blocked.worst) == (1, 1, "(0,0)→E")
    assert "1 delivery lost, 1 detour; most dropped at (0,0)→E: 1" in str(report(run))
    assert len(to_trace(run)) > 100
    assert report(Tick([(0, 1)] * 3, chip(4, 4)).run).traffic.blocked is None


@pytest.mark.parametrize(("more", "message"), [
    ((impatient(20, 30),), "a mesh has no triangles"),
    ((impatient(20), "fabric.clock.period=1 ns"), "clocked routers wait for credits"),
    (("fabric.blocked={wait: 0.1 ps}",), "the finest time step is 1 ps")])
def test_policies_that_a_fabric_cannot_follow_are_refused(more, message):
    assert any(message in str(d.message) for d in check_chip("loihi", set=more))


def test_the_fabric_alone_counts_what_it_loses():
    spec = load_chip("loihi", set=("fabric.cores_per_router=1", "fabric.width=6", "fabric.height=6", *HEXAGONAL,
                                   "fabric.channels.east_west.cycle=8 ns", impatient(3, 5)))
    run = FabricLab(spec, Traffic(rate=0.9), packets=4000).run()
    stats = stats_of(run)
    assert 0 < stats.lost == run.lost.sum() < stats.packets and stats.measured < stats.packets
    ejected = run.load[run.plan.eject[: run.n_nodes]]
    assert np.array_equal(ejected, np.bincount(run.packets.dst[~run.lost], minlength=run.n_nodes))
    assert all(np.array_equal(sum(run.parts.values())[k], run.latency[k]) for k in (run.lost, ~run.lost))
    assert (run.parts["blocking"] >= 0).all()
    with pytest.raises(UsageError, match=r"F518.*all were dropped"):
        stats_of(replace(run, lost=np.ones(len(run.lost), bool)))


def test_fabrics_that_drop_may_have_routes_in_a_circle():
    ring = ("fabric.topology=custom", "fabric.routing=shortest", "fabric.routers=5", "fabric.width=1",
            "fabric.height=1", "fabric.links=[0-1,1-2,2-3,3-4,4-0]", "fabric.cores_per_router=1", "fabric.n_cores=null")
    refuse_cycles(load_chip("loihi", set=(*ring, impatient(50))).fabric, None)
    with pytest.raises(ChipError, match="F502"):
        spec = load_chip("loihi", set=ring)
        refuse_cycles(spec.fabric, plan_fabric(spec.fabric, np.arange(5)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spike_that_was_dropped_does_not_act(engine):
    """Core 1 takes two of five packets; its neuron sums two of the five weights."""
    flows = [(0, 1)] * 5
    spec = chip(2, 1, more=(impatient(50),), axon_in=1000, eject_slots=1)
    layout = layout_of(flows, spec)
    layout = replace(layout, weight=np.full_like(layout.weight, 2))
    lossy, whole = (simulate(layout, ticks=2, engine=engine, record=["r1.u"], timing=t) for t in ("exact", "none"))
    assert 5 * lossy.states["r1", "u"][1, 0] == 2 * whole.states["r1", "u"][1, 0] != 0
    assert sum(p["lost_packets"] for p in lossy.populations) == len(lossy.lost["tick"]) > 0


def test_losses_of_a_run_in_parts_are_those_of_the_run_in_one_piece(tmp_path):
    spec = chip(2, 1, more=(impatient(50),), axon_in=1000, eject_slots=1)
    layout = layout_of([(0, 1)] * 5, spec)
    options = dict(ticks=7, record_packets=True)
    stored = simulate(layout, save=tmp_path / "a.run.h5", checkpoint_every=2, **options)
    assert_same_run(stored, simulate(layout, **options))
