"""Times of packets in the mesh, one rule at a time, from both sides and on both engines."""
from __future__ import annotations

import numpy as np
import pytest

from tests.mesh_lab import CREDIT, CYCLE, ENGINES, LATENCY, NS, Tick, chip

pytestmark = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.parametrize("source, target, links", [(0, 0, 0), (0, 3, 3), (3, 0, 3), (0, 11, 5), (9, 6, 2)])
def test_packet_alone_takes_the_latencies_of_its_channels_and_nothing_else(engine, source, target, links):
    hops = dict(inject_latency=7, eject_latency=11, east_west_latency=13, north_south_latency=17)
    x = abs(source % 4 - target % 4)
    tick = Tick([(source, target)], chip(4, 3, **hops, spike=2, axon_out=3, axon_in=19, synop_sparse=23), engine)
    assert tick.made[0] == tick.entered[0] == (2 + 3) * NS
    assert tick.arrived[0] - tick.entered[0] == (7 + 13 * x + 17 * (links - x) + 11) * NS
    assert tick.started[0] == tick.arrived[0]
    assert tick.done[0] - tick.started[0] == (19 + 23) * NS
    assert tick.length == tick.done[0]


@pytest.mark.parametrize("routing, first", [("xy", "east_west"), ("yx", "north_south")])
def test_dimension_order_decides_which_links_are_loaded(engine, routing, first):
    spec = chip(2, 2)
    spec = spec.model_copy(update={"fabric": spec.fabric.model_copy(update={"routing": routing})})
    run = Tick([(0, 3)], spec, engine).run
    leaving = (run.links["from_router"] == 0) & (run.links["to_router"] >= 0) & (run.link_packets > 0)
    assert run.links["kind"][leaving].tolist() == [dict(east_west=2, north_south=3)[first]]


@pytest.mark.parametrize("latency, cycle, credit, slots", [
    (5, 2, 3, 8), (5, 2, 3, 4), (5, 2, 3, 3), (5, 2, 3, 1), (20, 1, 1, 2), (1, 9, 1, 1), (7, 4, 1, 2)])
def test_channel_carries_one_flit_a_cycle_or_its_slots_in_a_round_trip(engine, latency, cycle, credit, slots):
    spec = chip(2, inject_cycle=1, eject_cycle=1, eject_credit=1, east_west_latency=latency, east_west_cycle=cycle,
                east_west_credit=credit, east_west_slots=slots)
    tick = Tick([(0, 1)] * 60, spec, engine)
    grants = [0]
    for i in range(1, 60):
        grants.append(max(grants[-1] + cycle, grants[i - slots] + latency + credit if i >= slots else 0))
    assert (tick.arrived - tick.arrived[0]).tolist() == [g * NS for g in grants]
    period = max(slots * cycle, latency + credit)
    assert (tick.arrived[slots + 1 :] - tick.arrived[1:-slots] == period * NS).all()


def test_full_fifo_stalls_the_soma_server(engine):
    flows = [(0, 1)] * 30
    slow = Tick(flows, chip(cores_per_router=2, axon_out=4, axon_in=50, inject_slots=2, eject_slots=3), engine)
    assert (slow.made[1:] == slow.entered[:-1] + 4 * NS).all()
    assert (np.diff(slow.entered)[8:] == 50 * NS).all()                 # the receiver's pace, once all FIFOs are full
    assert (np.diff(slow.done) == 50 * NS).all()
    assert slow.run.stall_ps.tolist() == [int((slow.entered - slow.made).sum()), 0]
    assert slow.run.stall_ps[0] > 20 * 40 * NS
    fast = Tick(flows, chip(cores_per_router=2, axon_out=4, axon_in=4, inject_slots=2, eject_slots=3), engine)
    assert fast.run.stall_ps.tolist() == [0, 0]
    assert (np.diff(fast.entered) == 4 * NS).all()


def test_packet_to_a_free_core_waits_behind_packets_to_a_busy_one(engine):
    spec = chip(cores_per_router=4, axon_in=1000, eject_slots=1)
    tick = Tick([(0, 1), (0, 1), (0, 1), (0, 1), (0, 2), (3, 2)], spec, engine)
    first = 2 * LATENCY * NS
    assert tick.arrived[0] == tick.arrived[5] == first                   # another core's packet meets no one
    assert (tick.started[:4] == first + 1000 * NS * np.arange(4)).all()
    last_blocker_leaves = tick.started[2] + CREDIT * NS                  # its slot is that of the third, once started
    assert tick.arrived[3] == last_blocker_leaves + LATENCY * NS
    assert tick.arrived[4] == last_blocker_leaves + (CYCLE + LATENCY) * NS
    assert tick.entered[4] < first                                       # it stood in the FIFO all that time


def test_equal_requests_go_in_port_order_after_the_last_winner(engine):
    """Port of core 1 wins alone; then cores 0, 1 and 2 ask at one time: 2, 0, 1."""
    flows = [(0, None), (0, 3), (1, 3), (1, 3), (2, None), (2, 3)]
    tick = Tick(flows, chip(cores_per_router=4, spike=100), engine)
    core_0, early, core_1, core_2 = tick.arrived
    start = (200 + 2 * LATENCY) * NS
    assert early == start - 100 * NS
    assert (core_2, core_0, core_1) == (start, start + CYCLE * NS, start + 2 * CYCLE * NS)


def test_earlier_request_goes_first_whatever_its_port(engine):
    """All ask while the output is busy; the one that asked first goes first, though others are next in port order."""
    flows = [(0, None), (0, None), (0, 3), (1, None), (1, 3), (2, 3)]
    tick = Tick(flows, chip(cores_per_router=4, spike=1, eject_cycle=50), engine)
    third, second, first = tick.arrived
    assert first == (1 + 2 * LATENCY) * NS
    assert (second, third) == (first + 50 * NS, first + 100 * NS)


def test_slot_of_the_input_fifo_is_free_when_its_packet_is_started(engine):
    spec = chip(cores_per_router=2, axon_in=100, eject_slots=2, eject_credit=7)
    tick = Tick([(0, 1)] * 6, spec, engine)
    leaves = tick.arrived - LATENCY * NS
    assert (leaves[3:] == tick.started[1:-2] + 7 * NS).all()             # the fourth takes the slot of the second


def test_input_lines_enter_at_the_host_port_at_its_pace(engine):
    from chipsim.compiler import compile
    from chipsim.engine import simulate
    from chipsim.network import NetworkBuilder, Stimulus

    net = NetworkBuilder("host", dt=1e-3)
    net.add_input("in", 5)
    net.add_population("n", 1, "loihi_lif", du=0, dv=0, vth_mant=100_000)
    net.connect("in", "n", weights=1, format=dict(weight_exponent=6))
    layout = compile(net.build(["n"]), chip(2, host_spike=6))
    run = simulate(layout, Stimulus.from_dense(np.ones((1, 1, 5))), record_packets=True, engine=engine)
    assert run.packets["made_ps"].tolist() == [6 * NS * k for k in range(1, 6)]
    assert (run.packets["arrived_ps"] - run.packets["made_ps"] == 2 * LATENCY * NS).all()


@pytest.mark.parametrize("slow, length, limit, index", [
    (dict(neuron_active=100), 12 * 100, 1, 0), (dict(axon_in=100), 6 * 100, 2, 1),
    (dict(inject_cycle=100), 11 * 100 + LATENCY, 3, None), (dict(eject_cycle=100), 5 * 100 + LATENCY, 3, None)])
def test_analytic_tick_is_as_long_as_its_busiest_server_or_channel(engine, slow, length, limit, index):
    """Twelve packets from core 0, six of them to core 1 and six to core 2; the last has to cross a busy channel too."""
    tick = Tick([(0, 1), (0, 2)] * 6, chip(cores_per_router=3, **slow), engine, timing="analytic")
    assert tick.length == length * NS
    code = int(tick.run.tick_limit[0])
    assert code >> 24 == limit and (index is None or code & 0xFFFFFF == index)
    if limit == 3:
        channel = code & 0xFFFFFF
        assert tick.run.links["kind"][channel] == (0 if "inject_cycle" in slow else 1)
        assert tick.run.link_packets[channel] == length // 100 + 1


@pytest.mark.parametrize("tiles, ns", [(1, 100), (2, 150), (3, 200), (5, 200)])
def test_barrier_takes_the_time_of_the_tiles_in_use(engine, tiles, ns):
    spec = chip(5, cores_per_router=2, barrier={1: 100, 3: 200, 32: 200})
    silent = [2 * k + side for k in range(tiles) for side in (0, 1)]
    run = Tick([(0, None)], spec, engine, silent).run
    assert run.barrier_ps.tolist() == [ns * NS]
    assert run.tick_ps.tolist() == [ns * NS]
