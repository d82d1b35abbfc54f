"""Packets with several targets on the fabric alone: copied by routers, or sent one by one."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.engine import fabric as handshakes
from chipsim.engine.topology import walk
from chipsim.engine.wormhole import Wormhole
from chipsim.errors import ChipError, UsageError
from chipsim.explore.destinations import distinct_targets
from chipsim.explore.fabric_curve import FabricLab
from chipsim.explore.fabric_run import FabricBench
from chipsim.explore.fabric_stats import longest_queue, stats_of
from chipsim.explore.traffic import Nodes, Packets, Traffic

SMALL = ("fabric.width=4", "fabric.height=3", "fabric.cores_per_router=2")
LINKS = ("inject", "east_west", "north_south")
CLOCK = "fabric.clock={period: 1 ns, vcs: 2}"


def chip(cast, *settings):
    return load_chip("loihi", set=(*SMALL, f"fabric.cast={cast}", *settings))


def test_targets_of_a_packet_differ_and_every_node_is_drawn_alike():
    draw = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    to = distinct_targets(10, 4, draw)
    assert (np.diff(np.sort(to, 1), axis=1) > 0).all()
    assert np.abs(np.bincount(to[:, 0], minlength=10) / 2000 - 1).max() < 0.1
    assert np.abs(np.bincount(to.ravel(), minlength=10) / 8000 - 1).max() < 0.05
    assert (np.sort(distinct_targets(10, 10, draw[:50]), 1) == np.arange(10)).all()
    assert distinct_targets(10, 1, draw).shape == (20_000, 1)
    p = Traffic(pattern="multicast", fanout=3, rate=0.2, size=2).packets(Nodes(16, 4, 4, 1), 5000, 1, 3)
    assert abs(p.size[::3].sum() / (16 * 5000) / 0.2 - 1) < 0.03
    assert (p.src.reshape(-1, 3) == p.src[::3, None]).all() and (p.at.reshape(-1, 3) == p.at[::3, None]).all()


@pytest.mark.parametrize(("settings", "size", "fanout"), [
    ((), 1, 5), ((), 1, 24), ((), 3, 5), (("fabric.vcs=2",), 2, 24), ((CLOCK,), 1, 5), ((CLOCK,), 4, 24),
    ((CLOCK, "fabric.clock.speculation=switch", *(f"fabric.channels.{c}.slots=4" for c in LINKS)), 4, 3),
    (("fabric.topology=torus",), 1, 8)],
    ids=["handshakes", "to all", "worms", "virtual channels", "clocked", "clocked worms to all", "speculation",
         "torus"])
def test_every_target_is_served_once_and_no_link_carries_more_than_with_unicast(settings, size, fanout):
    """What a link carries is a copy of every packet with a target behind it, whatever the number of targets."""
    traffic = Traffic(pattern="multicast", fanout=fanout, rate=0.6 * size / fanout, size=size)
    labs = [FabricLab(chip(cast, *settings), traffic, packets=400, seed=4) for cast in ("multicast", "unicast")]
    copied, single = (lab.run() for lab in labs)
    assert copied.copied and not single.copied and np.array_equal(copied.packets.dst, single.packets.dst)
    for run in (copied, single):
        assert run.once and (run.done > run.made).all() and not run.lost.any()
        assert np.array_equal(sum(run.parts.values()), run.latency)
        assert all((part >= 0).all() for part in run.parts.values())
    assert (copied.load <= single.load).all() and copied.load.sum() < single.load.sum()
    plan, p, crossed = copied.plan, copied.packets, set()
    for channel, moving in walk(plan, p.src, p.dst):
        crossed |= set(zip((moving // fanout).tolist(), channel.tolist(), strict=True))
    carried = size * np.bincount([c for _, c in crossed], minlength=plan.n_channels)
    links = plan.endpoint < 0
    assert np.array_equal(copied.load[links], carried[links])
    assert np.array_equal(copied.load[plan.inject[: copied.n_nodes]], np.bincount(p.src[::fanout], p.size[::fanout],
                                                                                 copied.n_nodes))


def test_both_kinds_of_handshake_routers_copy_at_the_same_times(monkeypatch):
    lab = FabricLab(chip("multicast"), Traffic(pattern="multicast", fanout=6, rate=0.05), packets=500)
    quick = lab.run()

    class ByFlit:
        def __init__(self, plan):
            self.engine = Wormhole(plan)
            self.loads, self.occupancy = self.engine.loads, self.engine.occupancy

        def move(self, *packets):
            return self.engine.move(*packets, np.ones(len(packets[1]), np.int32))

    monkeypatch.setattr(handshakes, "Fabric", ByFlit)
    by_flit = lab.run()
    assert quick.parts["blocking"].any()
    for name in ("made", "entered", "done", "load"):
        assert np.array_equal(getattr(quick, name), getattr(by_flit, name)), name


def one_packet(fabric, targets, size=1):
    n = len(targets)
    bench = FabricBench(fabric)
    return bench.run(Packets(np.zeros(n, np.int32), np.array(targets, np.int32), np.zeros(n, np.int64),
                             np.full(n, size, np.int32), 1, bench.cycle_ps, "one", n))


def test_a_packet_alone_is_copied_at_once_by_handshakes_and_copy_by_copy_with_a_clock():
    row = ("fabric.height=1", "fabric.cores_per_router=1")
    free = one_packet(chip("multicast", *row), [3, 1, 2])
    assert np.array_equal(free.latency, free.flight) and longest_queue(free) == 0
    clocked = one_packet(chip("multicast", *row, CLOCK), [3, 1, 2])
    assert clocked.parts["blocking"].tolist() == [0, 2 * 1000, 2 * 1000]       # a flit, and the output VC of the next
    single = one_packet(chip("unicast", *row), [3, 1, 2])
    assert single.parts["queueing"].tolist() == single.after_others.tolist() and single.after_others[2] > 0
    assert longest_queue(single) == 2 and longest_queue(clocked) == 0


def test_rates_count_a_packet_once_and_latencies_each_delivery():
    traffic = Traffic(pattern="multicast", fanout=24, rate=0.005)
    for cast in ("multicast", "unicast"):
        lab = FabricLab(chip(cast), traffic, packets=600, seed=1)
        stats = stats_of(lab.run())
        assert stats.deliveries == 24 * stats.packets and stats.copied == (cast == "multicast") and stats.once
        assert stats.offered == pytest.approx(0.005, rel=0.1)
        assert stats.accepted == pytest.approx(stats.offered, rel=0.1)
        bound = lab.bound()
        full = lab.bench.cycle_ps / (24 * lab.bench.plan.cycle[lab.bench.plan.eject[0]])
        assert bound == pytest.approx(full, rel=0.01) if cast == "multicast" else bound < full
        assert lab.point(0.2 * bound).sustained and not lab.point(1.5 * bound).sustained


def test_packets_longer_than_a_fifo_are_refused_as_in_the_chip_file():
    lines = ("fabric.channels.east_west.slots=3", "fabric.flit_bits=8", "fabric.packet_bits=32")
    with pytest.raises(ChipError) as of_file:
        chip("multicast", *lines)
    for clock in ((), (CLOCK,)):
        with pytest.raises(UsageError) as of_list:
            one_packet(chip("multicast", lines[0], *clock), [1, 2], size=4)
        assert {d.code for d in of_list.value.diagnostics} == {"E109"}
        assert of_file.value.diagnostics[0].message in of_list.value.diagnostics[0].message


@pytest.mark.parametrize("what", [dict(fanout=0), dict(fanout=17), dict(fanout=2, pattern="uniform")])
def test_a_fanout_of_none_more_than_all_or_of_another_pattern_is_refused(what):
    with pytest.raises(UsageError, match="F519"):
        Traffic(**{"pattern": "multicast", **what}).packets(Nodes(16, 4, 4, 1), 100, 1)
