"""Packets of several flits, virtual channels without a clock: the rules one at a time, and that the engines agree."""
from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chipsim.chip import check_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.routing import past_dateline
from chipsim.engine.run import HOPS, A
from chipsim.engine.topology import FabricPlan, plan_fabric, walk
from chipsim.errors import SimulationError
from chipsim.explore.fabric_curve import FabricLab
from chipsim.explore.traffic import Traffic
from chipsim.models.draws import philox
from chipsim.report import report
from tests.mesh_lab import CREDIT, CYCLE, ENGINES, LATENCY, NS, Tick, chip
from tests.reference.test_engines_agree import (
    FABRICS,
    RINGS,
    assert_same_run,
    chips,
    in_two_threads,
    integer_networks,
    stimuli,
)

FOUR = ("fabric.flit_bits=8",)                              # loihi's packets have 32 bits


def lanes(vcs, *more):
    return (f"fabric.vcs={vcs}", *more)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("body", [None, 3, 4])
def test_a_tail_follows_its_head_a_cycle_a_flit(engine, body):
    """Flits a cycle apart, over three links; that the flits behind the head fly faster does not let them catch up."""
    more = (*FOUR, *(f"fabric.channels.{c}.body_latency={body} ns" for c in ("inject", "east_west", "eject") if body))
    tick = Tick([(0, 3)], chip(4, more=more), engine)
    assert tick.arrived[0] - tick.entered[0] == (5 * LATENCY + 3 * CYCLE) * NS
    assert tick.run.link_packets[tick.run.link_packets > 0].tolist() == [4] * 5
    assert [tick.run.counts[0, A[hop]] for hop in HOPS[:3]] == [4, 4, 12]
    r = report(tick.run)
    assert (r.traffic.mean_hops, r.traffic.busiest_link.packets) == (3, 1)
    assert r.energy.by_component["network"].energy_J == pytest.approx(4 * (3 * 3.0e-12 + 2 * 0.85e-12))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tail_waits_for_slots_that_flits_before_it_have_left(engine):
    """Two slots: the third flit of four needs the first one's, a round trip later."""
    tick = Tick([(0, 1)], chip(2, east_west_slots=2, more=FOUR), engine)
    third = 2 * LATENCY + CREDIT                            # is granted the link: the first one's slot is back
    assert tick.arrived[0] == (third + LATENCY + CYCLE + LATENCY) * NS


@pytest.mark.parametrize("engine", ENGINES)
def test_packets_of_one_virtual_channel_do_not_mix(engine):
    """Cores 0 and 1 send to 2 and 3 over one link; the packet that won first has it until its tail has gone."""
    flows = [(0, 4), (1, 5)]
    one = Tick(flows, chip(2, cores_per_router=4, more=FOUR), engine)
    assert one.arrived[1] - one.arrived[0] == 4 * CYCLE * NS
    two = Tick(flows, chip(2, cores_per_router=4, more=lanes(2, *FOUR)), engine)
    assert two.arrived[1] - two.arrived[0] == CYCLE * NS      # flit by flit in turns
    assert two.arrived[0] == one.arrived[0] + 3 * CYCLE * NS


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vcs", [1, 2])
def test_a_packet_overtakes_those_to_a_busy_core_in_another_virtual_channel(engine, vcs):
    """The last of four packets waits before core 4, which takes 1 us over each; one to core 5 comes after it."""
    flows = [(0, 4)] * 4 + [(1, None)] * 10 + [(1, 5)]
    tick = Tick(flows, chip(2, cores_per_router=4, axon_in=1000, eject_slots=1, east_west_slots=2, spike=10,
                            more=lanes(vcs)), engine)
    assert (tick.arrived[-1] < 200 * NS) == (vcs == 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_core_starts_on_a_packet_when_its_tail_is_there(engine):
    """One slot per channel is enough: flits are taken as they come; the second packet waits in the fabric."""
    tick = Tick([(0, 1)] * 2, chip(2, axon_in=100, eject_slots=1, more=FOUR), engine)
    assert (tick.started == [tick.arrived[0], max(tick.arrived[1], tick.done[0])]).all()
    assert tick.started[1] == tick.done[0] + 3 * (LATENCY + CREDIT) * NS      # its other flits cross one by one then


@pytest.mark.parametrize("engine", ENGINES)
def test_copies_of_a_packet_go_at_the_pace_of_their_way(engine):
    """One packet to a busy core and a free one: the copy to the free one arrives whole."""
    spec = chip(2, cores_per_router=4, axon_in=1000, eject_slots=1, eject_credit=500, inject_slots=8,
                more=("fabric.cast=multicast", *FOUR))
    run = Tick([(0, 1), (0, 5)], spec, engine).run
    assert run.link_packets.sum() == 2 * 4 + 4 + 2 * 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vcs", [1, 2])
def test_virtual_channels_cut_the_rings_of_a_torus(engine, vcs):
    """Every core of a ring sends packets half way round, all at once, through FIFOs of one slot."""
    flows = [(c, (c + 2) % 5) for c in range(5) for _ in range(6)]
    spec = chip(5, east_west_slots=1, inject_slots=1, more=lanes(vcs, "fabric.topology=torus", *FOUR))
    if vcs == 1:
        with pytest.raises(SimulationError, match="F501"):
            Tick(flows, spec, engine)
    else:
        assert (Tick(flows, spec, engine).arrived > 0).all()


@pytest.mark.parametrize(("topology", "width", "height"), [("torus", 5, 4), ("torus", 2, 3), ("hex_torus", 5, 4),
                                                           ("hex_torus", 4, 4)])
def test_no_class_of_virtual_channels_waits_in_a_circle(topology, width, height):
    """The dependencies between (link, class) of all routes have an order (Dally and Seitz 1987)."""
    import networkx

    diagonal = "fabric.channels.diagonal={latency: 1 ns, cycle: 1 ns, credit: 1 ns, slots: 1, energy: 1 pJ}"
    fabric = chip(width, height, more=lanes(2, f"fabric.topology={topology}", diagonal)).fabric
    plan, n = plan_fabric(fabric, np.arange(width * height)), width * height
    waits = networkx.DiGraph()
    pairs = np.array([(a, b) for a in range(n) for b in range(n)])
    before = np.full(len(pairs), -1)
    for channel, moving in walk(plan, pairs[:, 0], pairs[:, 1]):
        for k, i in zip(channel.tolist(), moving.tolist(), strict=True):
            here = 2 * k + past_dateline(plan, int(plan.router[pairs[i, 0]]), k)
            if before[i] >= 0:
                waits.add_edge(before[i], here)
            before[i] = here
    assert len(waits) > n and networkx.is_directed_acyclic_graph(waits)


ADAPTIVE = "fabric.routing=minimal_adaptive"


def links_taken(tick):
    links = tick.run.links
    used = (tick.run.link_packets > 0) & (links["from_router"] >= 0) & (links["to_router"] >= 0)
    return set(zip(links["from_router"][used].tolist(), links["to_router"][used].tolist(), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_head_goes_by_the_shortest_way_that_is_free_first(engine):
    """The link east takes a flit a microsecond. After the first packet went there, the second goes north, then east."""
    spec = chip(2, 2, east_west_cycle=1000, more=lanes(2, ADAPTIVE))
    tick = Tick([(0, 1), (0, 3)], spec, engine)
    assert links_taken(tick) == {(0, 1), (0, 2), (2, 3)} and tick.length < 100 * NS
    assert links_taken(Tick([(0, 1), (0, 3)], chip(2, 2, more=lanes(2)), engine)) == {(0, 1), (1, 3)}


@pytest.mark.parametrize("engine", ENGINES)
def test_of_free_ways_the_one_with_fewest_slots_taken_is_gone(engine):
    """East and north are both free for the second packet, but east holds a flit more; then both are as full."""
    spec = chip(2, 2, cores_per_router=2, spike=2, axon_in=1000, eject_slots=1, more=lanes(2, ADAPTIVE))
    tick = Tick([(0, 6)] * 3, spec, engine)
    grants = {(a, b): n for a, b, n in zip(*(tick.run.links[k].tolist() for k in ("from_router", "to_router")),
                                            tick.run.link_packets.tolist(), strict=True)}
    assert (grants[0, 1], grants[0, 2]) == (2, 1)


@pytest.mark.parametrize("vcs", [2, 3])
def test_packets_go_x_first_or_y_first_by_lot_and_stay_with_it(vcs):
    """Twenty packets to the far corner, each by the one or the other corner beside it; the engines draw the same."""
    spec = chip(3, 3, more=lanes(vcs, "fabric.routing=xy_yx"))
    ticks = [Tick([(0, 8)] * 20, spec, engine) for engine in ENGINES]
    assert_same_run(ticks[0].run, ticks[1].run)
    assert links_taken(ticks[0]) == {(0, 1), (1, 2), (2, 5), (5, 8), (0, 3), (3, 6), (6, 7), (7, 8)}
    links = ticks[0].run.links
    first = {(a, b): n for a, b, n in zip(links["from_router"].tolist(), links["to_router"].tolist(),
                                          ticks[0].run.link_packets.tolist(), strict=True)}
    orders = philox((np.arange(20), 0, 0, 0), 0)[0] % 2
    assert (first[0, 1], first[0, 3]) == ((orders == 0).sum(), (orders == 1).sum())


@pytest.mark.parametrize("size", [1, 5])
def test_either_order_does_not_stand_still(size):
    spec = chip(6, 6, inject_slots=2, eject_slots=1, east_west_slots=2, north_south_slots=2,
                more=lanes(2, "fabric.routing=xy_yx"))
    run = FabricLab(spec, Traffic(rate=1.0, size=size), packets=8000, seed=1).run()
    assert (run.done > run.entered).all()


def test_either_order_carries_twice_the_transposed_traffic():
    """Every packet of a row turns into the same column: in x order alone one link has them all."""
    labs = [FabricLab(chip(4, 4, more=lanes(2, f"fabric.routing={r}")), Traffic(pattern="transpose"), packets=8000)
            for r in ("xy", "xy_yx")]
    assert labs[1].bound() == pytest.approx(2 * labs[0].bound(), rel=0.05)
    one, both = (lab.saturation(1).rate for lab in labs)
    assert both > 1.6 * one


@pytest.mark.parametrize("topology", ["mesh", "torus"])
def test_the_way_to_escape_is_one_of_the_shortest(topology):
    plan = plan_fabric(chip(4, 6, more=lanes(3, ADAPTIVE, f"fabric.topology={topology}")).fabric, np.arange(24))
    here, there = np.nonzero(~np.eye(24, dtype=bool))
    way = plan.next_port[here, there] - plan.first_link
    assert (plan.choices[0][here, there] >> way & 1).all()


@pytest.mark.parametrize(("topology", "vcs"), [("mesh", 2), ("torus", 3)])
def test_adaptive_worms_longer_than_their_fifos_do_not_stand_still(topology, vcs):
    spec = chip(6, 6, inject_slots=2, eject_slots=1, east_west_slots=2, north_south_slots=2,
                more=lanes(vcs, ADAPTIVE, f"fabric.topology={topology}"))
    run = FabricLab(spec, Traffic(rate=1.0, size=5), packets=8000, seed=1).run()
    assert (run.done > run.entered).all()


@st.composite
def worms(draw, fabrics=FABRICS + RINGS):
    """The chips of test_engines_agree with up to three virtual channels and packets of one to four flits."""
    spec = draw(chips(fabrics, clocked=False))
    f, flit_bits = spec.fabric, draw(st.sampled_from([None, 16, 11, 8]))
    channels = {}
    for name in type(f.channels).model_fields:
        if channel := getattr(f.channels, name):
            body = draw(st.sampled_from([None, 1e-9, channel.latency]))
            slots = channel.slots + (3 if f.cast == "multicast" else 0)
            channels[name] = channel.model_copy(update=dict(slots=slots, body_latency=body))
    f = f.model_copy(update=dict(vcs=draw(st.integers(1, 3)), flit_bits=flit_bits,
                                 channels=f.channels.model_copy(update=channels)))
    return spec.model_copy(update={"fabric": f})


def crowd(data, chip, network):
    n_cores = sum(-(-p.size // 4) for p in network.populations.values() if p.model != "input")
    layout = compile(network, chip, neurons_per_core=4 if n_cores <= chip.n_cores else None)
    return layout, data.draw(stimuli(network.populations["in"].size))


OPTIONS = dict(record=("all",), record_packets=True, check_routes=False)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=worms(), network=integer_networks(), data=st.data())
def test_engines_agree_on_worms_in_every_picosecond(chip, network, data):
    layout, stimulus = crowd(data, chip, network)
    try:
        fast = simulate(layout, stimulus, **OPTIONS)
    except SimulationError:                                 # rings without classes: then both stand still
        assert chip.fabric.topology in {name for name, _ in RINGS} and not chip.fabric.dateline
        with pytest.raises(SimulationError):
            simulate(layout, stimulus, engine="reference", **OPTIONS)
        return
    assert_same_run(fast, simulate(layout, stimulus, engine="reference", **OPTIONS))
    assert_same_run(fast, in_two_threads(layout, stimulus, **OPTIONS))
    flits, delivered = chip.fabric.flits, int(fast.counts[:, A["axon_in"]].sum())
    assert fast.link_packets[fast.links["kind"] == 1].sum() == flits * delivered
    kinds = np.bincount(fast.links["kind"], weights=fast.link_packets, minlength=len(HOPS))
    assert np.array_equal(kinds, fast.counts[:, [A[h] for h in HOPS]].sum(0))
    assert (fast.link_peak <= fast.links["slots"]).all()
    analytic = simulate(layout, stimulus, timing="analytic")
    assert_same_run(analytic, simulate(layout, stimulus, timing="analytic", engine="reference"))
    if chip.fabric.routing == "xy":
        assert (analytic.tick_ps <= fast.tick_ps).all()
    assert fast.slowest["parts_ps"]["blocking"] >= 0


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=chips(FABRICS + RINGS, clocked=False), network=integer_networks(), data=st.data())
@pytest.mark.parametrize("engine", ENGINES)
def test_wormhole_routers_do_with_single_flits_what_the_others_do(engine, chip, network, data):
    layout, stimulus = crowd(data, chip, network)
    try:
        usual = simulate(layout, stimulus, engine=engine, **OPTIONS)
    except SimulationError:
        return
    with patch.object(FabricPlan, "wormhole", True):
        assert_same_run(usual, simulate(layout, stimulus, engine=engine, **OPTIONS))


@pytest.mark.parametrize(("more", "message"), [
    (("fabric.vcs=2", "fabric.clock.period=1 ns"), "clocked routers have virtual channels of their own"),
    (("fabric.arbitration=mutex_tree", "fabric.clock.period=1 ns"), "mutexes are those of routers without a clock"),
    (("fabric.flit_bits=8", "fabric.clock.period=1 ns"), "clocked routers carry a spike in one"),
    (("fabric.vcs=2", "fabric.blocked.wait=50 ns"), "turned aside and dropped whole"),
    (("fabric.flit_bits=1", "fabric.cast=multicast"), "16 slots for packets of 32 flits"),
    (("fabric.channels.inject.body_latency=1 us",), "the flits behind a head take longer than it"),
    (("fabric.channels.east_west.latency=1e9 s",), "times are 64-bit numbers of ps"),
    (("fabric.vcs=8",), "the engine holds 64 in all"),
    ((ADAPTIVE,), "needs 2 virtual channels: 1 in dimension order"),
    ((ADAPTIVE, "fabric.topology=torus", "fabric.vcs=2"), "needs 3 virtual channels: 2 in dimension order"),
    ((ADAPTIVE, "fabric.vcs=2", "fabric.cast=multicast"), "copies of a packet go where its tree says"),
    ((ADAPTIVE, "fabric.topology=torus", "fabric.clock.period=1 ns", "fabric.clock.vcs=3"),
     "no virtual channels to escape to"),
    (("fabric.routing=xy_yx",), "`xy_yx` deadlocks without virtual channels of two classes"),
    (lanes(2, "fabric.routing=xy_yx", "fabric.cast=multicast"), "copies of a packet go where its tree says")])
def test_what_worms_cannot_do_is_refused(more, message):
    assert any(message in str(d.message) for d in check_chip("loihi", set=more))
