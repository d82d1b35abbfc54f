"""The fabric alone: closed forms, the parts of latency, statistics, saturation, deadlock."""
from __future__ import annotations

import json
import re

import numpy as np
import pytest
from fabric_curves import booksim_chip

from chipsim.chip import load_chip
from chipsim.engine import simulate
from chipsim.engine.deadlock import cycle_of
from chipsim.engine.topology import plan_fabric
from chipsim.errors import ChipError, SimulationError, UsageError
from chipsim.explore.fabric_curve import FabricLab
from chipsim.explore.fabric_run import FabricBench
from chipsim.explore.fabric_stats import half_width, jain, longest_queue, stats_of, warm_up
from chipsim.explore.traffic import Packets, Traffic

NS = 1000


def packets(rows, cycle_ps=1, cycles=None):
    """(src, dst, at, size) rows."""
    src, dst, at, size = np.array(rows, np.int64).T
    return Packets(src.astype(np.int32), dst.astype(np.int32), at, size.astype(np.int32), cycles or int(at.max()) + 1,
                   cycle_ps, "rows")


def one_by_one(n, size=1):
    """Every pair of n nodes, so far apart in time that none meets another."""
    return [(i // n, i % n, 100_000 * i, size) for i in range(n * n)]


@pytest.mark.parametrize("topology", ["mesh", "torus", "hex_torus"])
def test_a_packet_alone_takes_the_latencies_of_its_channels(topology):
    diagonal = ("fabric.channels.diagonal={latency: 5 ns, cycle: 1 ns, credit: 2 ns, slots: 4, energy: 1 pJ}",)
    chip = load_chip("loihi", set=(f"fabric.topology={topology}", "fabric.width=4", "fabric.height=3",
                                   "fabric.cores_per_router=1", *(diagonal if topology == "hex_torus" else ())))
    run = FabricBench(chip).run(packets(one_by_one(12)))
    assert np.array_equal(run.latency, run.flight) and not run.parts["blocking"].any()
    if topology == "mesh":
        x, y = np.arange(12) % 4, np.arange(12) // 4
        across = abs(x[:, None] - x).ravel() * 4100 + abs(y[:, None] - y).ravel() * 6500
        assert np.array_equal(run.latency, across + 2100)
        assert np.array_equal(run.hops, (abs(x[:, None] - x) + abs(y[:, None] - y)).ravel())


@pytest.mark.parametrize(("topology", "routing_delay", "size"), [("mesh", 0, 1), ("mesh", 1, 4), ("torus", 0, 3)])
def test_a_packet_alone_on_clocked_routers_takes_the_pipeline_of_each(topology, routing_delay, size):
    chip = booksim_chip(4, 2, 4, routing_delay, topology=topology)
    bench = FabricBench(chip)
    run = bench.run(packets([(s, d, at // 100, n) for s, d, at, n in one_by_one(16, size)], bench.cycle_ps))
    assert not run.parts["blocking"].any() and not run.parts["queueing"].any()
    if topology == "mesh":                                  # noc: inject + 2 + (D + 1)(rd + 4) + size - 1
        assert np.array_equal(run.latency, (2 + (run.hops + 1) * (routing_delay + 4) + size - 1) * bench.cycle_ps)


@pytest.mark.parametrize("slots", [1, 2, 3, 6, 12])
def test_a_channel_carries_what_its_cycle_or_its_slots_allow(slots):
    """Throughput of a handshake channel: min(1 / cycle, slots / (latency + credit))."""
    chip = load_chip("loihi", set=("fabric.width=3", "fabric.height=1", "fabric.cores_per_router=1",
                                   f"fabric.channels.east_west.slots={slots}"))
    n = 2000
    run = FabricBench(chip).run(packets([(0, 2, 0, 1)] * n))
    assert run.done[-1] - run.done[-1 - 12 * 50] == 12 * 50 * max(1163, (4100 + 2000) / slots)


@pytest.mark.parametrize("chip", [load_chip("loihi", set=("fabric.width=4",)), booksim_chip(4, 2, 4)],
                         ids=["handshakes", "clocked"])
def test_parts_sum_to_the_latency_and_flits_are_conserved(chip):
    lab = FabricLab(chip, Traffic(rate=0.12, size=1 if chip.fabric.clock is None else 3), packets=4000, seed=5)
    run = lab.run()
    assert np.array_equal(sum(run.parts.values()), run.latency)
    assert all((part >= 0).all() for part in run.parts.values())
    flits, plan = run.packets.size, run.plan
    assert run.load[plan.endpoint < 0].sum() == (run.hops * flits).sum()
    assert np.array_equal(run.load[plan.eject[: run.n_nodes]], np.bincount(run.packets.dst, flits, run.n_nodes))
    again = lab.run()
    assert np.array_equal(again.done, run.done) and stats_of(again) == stats_of(run)


def test_two_packets_for_one_core_are_told_apart_by_blocking():
    chip = load_chip("loihi", set=("fabric.width=3", "fabric.height=1", "fabric.cores_per_router=1"))
    run = FabricBench(chip).run(packets([(0, 1, 0, 1), (2, 1, 0, 1), (2, 1, 0, 1)]))
    assert run.parts["blocking"].tolist() == [1163, 0, 1163]            # first the port towards +x, then who came first
    assert run.parts["queueing"].tolist() == [0, 0, 1163]
    assert longest_queue(run) == 1


@pytest.mark.parametrize("clocked", [False, True])
def test_queue_of_a_link_is_the_time_its_flits_stand_behind_it(clocked):
    """Time in all FIFOs together is the blocking, and on clocked routers two cycles of pipeline per router."""
    chip = booksim_chip(4, 2, 4) if clocked else load_chip("loihi", set=("fabric.width=4",))
    run = FabricLab(chip, Traffic(rate=0.25, size=1), packets=3000, seed=2).run()
    links = run.plan.kind != 1                              # the nodes take all at once
    pipeline = (run.hops + 1).sum() * run.cycle_ps if clocked else 0
    assert run.queued[links].sum() == run.parts["blocking"].sum() + pipeline
    assert not run.queued[~links].any() and (run.peak[run.load > 0] >= 1).all() and not run.peak[run.load == 0].any()
    assert (run.peak <= run.plan.slots * (chip.fabric.clock.vcs if clocked else 1)).all() and run.peak.max() > 2


def test_warm_up_and_confidence_of_known_series():
    rng = np.random.default_rng(1)
    steady = rng.normal(100, 5, 4000)
    assert warm_up(steady) < 400
    assert 300 <= warm_up(np.concatenate([np.linspace(0, 100, 400), steady])) <= 600
    assert half_width(steady[:99]) is None
    covered = sum(abs(x.mean() - 100) <= half_width(x) * 1e12 for x in rng.normal(100, 5, (400, 400)))
    assert 360 <= covered <= 396                                        # 95 % of 400, five standard deviations


def test_fairness_is_one_for_equals_and_less_for_the_starved():
    chip = load_chip("loihi", set=("fabric.width=8", "fabric.height=1", "fabric.cores_per_router=1"))
    bench, row = FabricBench(chip), np.arange(7)
    light = bench.run(packets([(s, 7, 100_000 * i, 1) for i in range(20) for s in row], cycles=3_000_000))
    assert jain(light) == 1
    heavy = bench.run(packets([(s, 7, 1163 * i, 1) for i in range(500) for s in row]))
    assert jain(heavy) < 0.8                                # the parking lot: who is near the sink goes first


def test_saturation_of_a_row_is_its_middle_link():
    """Tornado on a row of clocked routers with ample buffers is bound by a link; the search ends just below it."""
    chip = load_chip("loihi", set=("fabric.width=2", "fabric.height=1", "fabric.cores_per_router=4"))
    lab = FabricLab(chip, Traffic(pattern="bitcomp"), packets=4000)     # all cross the one link, four to a side
    found = lab.saturation(3)
    assert abs(found.bound / 0.25 - 1) < 0.05 and 0.85 * found.bound < found.rate <= found.bound + found.half_width
    assert found == lab.saturation(3)
    point = lab.point(0.1)
    assert point.sustained and not lab.point(0.5).sustained
    assert point.stats.accepted == pytest.approx(0.1, rel=0.08)


RING = ("fabric.topology=custom", "fabric.routing=shortest", "fabric.width=1", "fabric.height=1", "fabric.routers=6",
        "fabric.cores_per_router=1", "fabric.io.router=[0, 0]", "fabric.links=['0-1','1-2','2-3','3-4','4-5','5-0']",
        "fabric.channels.east_west.slots=1")


def test_routes_with_a_cycle_are_refused_and_the_cycle_is_named():
    ring = load_chip("loihi", set=RING)
    with pytest.raises(ChipError) as error:
        FabricLab(ring, Traffic())
    found = error.value.diagnostics[0]
    assert found.code == "F502" and "6 channels" in found.message
    assert "router 0→router 1, router 1→router 2" in found.message
    line = load_chip("loihi", set=(*RING[:-2], "fabric.links=['0-1','1-2','2-3','3-4','4-5']"))
    assert FabricLab(line, Traffic(rate=0.01), packets=200).run().latency.min() > 0


@pytest.mark.parametrize(("settings", "length"), [
    (("fabric.topology=mesh",), 0), (("fabric.topology=mesh", "fabric.routing=odd_even"), 0),
    (("fabric.topology=mesh", "fabric.routing=west_first"), 0),
    (("fabric.topology=mesh", "fabric.routing=north_last"), 0),
    (("fabric.topology=mesh", "fabric.routing=negative_first"), 0), (("fabric.topology=mesh", "fabric.routing=yx"), 0),
    (("fabric.topology=torus",), 5), (("fabric.topology=torus", "fabric.width=6"), 6),
    (("fabric.topology=torus", "fabric.width=4"), 0), (("fabric.topology=torus", "fabric.width=3"), 0),
])
def test_turn_models_have_no_cycle_and_rings_of_five_do(settings, length):
    """Rings of three and four have none: of four, only even places go two hops forward and only odd ones back."""
    chip = load_chip("loihi", set=("fabric.width=5", "fabric.height=4", "fabric.cores_per_router=1", *settings))
    assert len(cycle_of(plan_fabric(chip.fabric, np.arange(chip.n_cores))) or ()) == length


@pytest.mark.parametrize("clocked", [False, True])
def test_a_deadlock_names_links_and_packets(clocked):
    chip = load_chip("loihi", set=(*RING, *(("fabric.clock.period=1 ns",) if clocked else ())))
    rows = [(s, (s + 3) % 6, i, 1) for i in range(40) for s in range(6)]
    with pytest.raises(SimulationError) as error:
        FabricBench(chip).run(packets(rows))
    message = error.value.diagnostics[0].message
    assert "in a cycle of 6" in message and re.search("router 2→router [13], at port", message)
    stuck = [int(word) for word in message.replace(",", "").split() if word.isdigit()]
    assert all(i < len(rows) for i in stuck)


def test_packets_of_several_flits_are_not_dropped_in_parts():
    with pytest.raises(UsageError, match="F516"):
        FabricBench(load_chip("loihi", set=("fabric.blocked.wait=50 ns",))).run(packets([(0, 1, 0, 2)]))


@pytest.mark.parametrize("vcs", [1, 2])
def test_latency_of_worms_falls_into_its_parts(vcs):
    """Alone, a packet has no blocking; in a crowd none has less, and what its flits carry is on the links."""
    spec = load_chip("loihi", set=("fabric.width=4", f"fabric.vcs={vcs}", "fabric.channels.east_west.slots=2",
                                   "fabric.channels.north_south.body_latency=5 ns"))
    rng = np.random.default_rng(0)
    drawn = rng.integers((0, 0, 1), (64, 64, 10), (50, 3))
    apart = [(int(s), int(d), 1_000_000 * i, int(n)) for i, (s, d, n) in enumerate(drawn)]
    run = FabricBench(spec).run(packets(apart))
    assert not run.parts["blocking"].any() and not run.parts["queueing"].any()
    assert (run.serialisation[run.packets.size > 1] > 0).all() and not run.serialisation[run.packets.size == 1].any()
    single = FabricBench(spec.model_copy(update={"fabric": spec.fabric.model_copy(update={"flit_bits": 8})}))
    assert single.run(packets([(0, 63, 0, 1)])).load.sum() == 2 + single.run(packets([(0, 63, 0, 1)])).hops[0]
    crowd = FabricLab(spec, Traffic(rate=0.3, size=3), packets=3000, seed=5).run()
    assert np.array_equal(sum(crowd.parts.values()), crowd.latency)
    assert all((part >= 0).all() for part in crowd.parts.values()) and crowd.parts["blocking"].any()
    links = crowd.plan.endpoint < 0
    assert crowd.load[links].sum() == (crowd.hops * crowd.packets.size).sum()


def test_simulate_refuses_what_can_deadlock_unless_told_to_run_it():
    from tests.mesh_lab import layout_of

    layout = layout_of([(c, (c + 3) % 6) for c in range(6)], load_chip("loihi", set=RING[:-1]))
    with pytest.raises(ChipError, match="F502"):
        simulate(layout, ticks=1)
    assert simulate(layout, ticks=1, check_routes=False).ticks == 1


def test_a_chip_without_time_is_refused():
    with pytest.raises(UsageError, match="F517"):
        FabricLab(load_chip("ideal"), Traffic())


def test_bench_times_both_kinds_of_routers(capsys, tmp_path):
    import bench

    assert bench.main(["fabric", "--repeats", "1", "--largest", "8", "--json", str(tmp_path / "b.json")]) == 0
    rows = json.loads((tmp_path / "b.json").read_text())
    assert [r["flit_hops"] > 10_000 for r in rows] == [True] * 8
    assert len(capsys.readouterr().out.splitlines()) == 9
