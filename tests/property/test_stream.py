"""One pass over the channels: where it says that it is exact, it gives the events' times; and when it says so."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.engine.fabric import Fabric
from chipsim.engine.order import sweep_order
from chipsim.engine.topology import FabricPlan, plan_fabric

CHANNELS = ("inject", "eject", "east_west", "north_south", "tree", "interchip")


@dataclass
class Lane:
    """What the fabric asks of a plan: core i takes packets in service_ps[i]."""

    fabric: FabricPlan
    arbitration: str
    service_ps: np.ndarray
    trees: None = None

    @property
    def axon_core(self):
        return np.arange(len(self.service_ps), dtype=np.int32)

    endpoint = axon_core


def lane(service_ps=0, **settings_):
    """A 4x3 mesh of Loihi's channels unless the settings (dots written __) say otherwise; one service time for all."""
    lines = dict(fabric__width=4, fabric__height=3, fabric__cores_per_router=2) | settings_
    chip = load_chip("loihi", set=tuple(f"{k.replace('__', '.')}={v}" for k, v in lines.items()))
    plan = plan_fabric(chip.fabric, np.arange(chip.n_cores))
    return Lane(plan, chip.fabric.arbitration, np.full(chip.n_cores, service_ps, np.int64))


def lists(plan, n, span_ps, seed):
    """(endpoint_start, ready_ps, source, axon) of n random packets over a time."""
    rng = np.random.default_rng(seed)
    nodes = len(plan.service_ps)
    source, ready = np.sort(rng.integers(0, nodes, n)), rng.integers(0, span_ps, n)
    ready = ready[np.lexsort((ready, source))]
    start = np.searchsorted(source, np.arange(nodes + 2))
    return start, ready, source.astype(np.uint32), rng.integers(0, nodes, n).astype(np.uint32)


def moved(plan, packets, stream):
    fabric = Fabric(plan, stream=stream)
    times = fabric.move(*packets)
    return fabric, times


def assert_equal_by_events(plan, packets):
    """Also once more on the same object: nothing of a list is left behind."""
    fast, times = moved(plan, packets, True)
    slow, expected = moved(plan, packets, False)
    assert np.array_equal(times, expected)
    assert np.array_equal(fast.loads(), slow.loads())
    assert all(np.array_equal(a, b) for a, b in zip(fast.occupancy(), slow.occupancy(), strict=True))
    assert np.array_equal(fast.move(*packets), expected)
    return fast


@st.composite
def cases(draw):
    topology = draw(st.sampled_from(["mesh", "tree", "custom"]))
    arbitration = draw(st.sampled_from(["fcfs", "round_robin", "oldest"]))
    lines = dict(fabric__topology=topology, fabric__arbitration=arbitration,
                 fabric__cores_per_router=draw(st.integers(1, 3)), fabric__routing="shortest", fabric__width=1,
                 fabric__height=1)
    if topology == "mesh":
        lines |= dict(fabric__routing=draw(st.sampled_from(["xy", "yx"])), fabric__width=draw(st.integers(1, 5)),
                      fabric__height=draw(st.integers(1, 4)), system__chips=f"[{draw(st.integers(1, 2))}, 1]")
    elif topology == "tree":
        lines |= dict(fabric__arity=2, fabric__levels=draw(st.integers(1, 3)))
    else:
        lines |= dict(fabric__routers=6, fabric__links="['0-1','1-2','2-3','3-4','1-5']")
    delays = draw(st.sampled_from([st.integers(1, 9).map("{} ns".format), st.integers(1024, 2600).map("{} ps".format)]))
    for channel in CHANNELS:
        times = ", ".join(f"{k}: {draw(delays)}" for k in ("latency", "cycle", "credit"))
        lines[f"fabric__channels__{channel}"] = f"{{{times}, slots: {draw(st.integers(1, 8))}, energy: 1 pJ}}"
    plan = lane(service_ps=draw(st.sampled_from([0, 500, 7000, 40_000])), fabric__io__router="[0, 0]", **lines)
    n = draw(st.integers(1, 120))
    return plan, lists(plan, n, n * draw(st.sampled_from([300, 3000, 30_000])), draw(st.integers(0, 2**32)))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_the_pass_gives_the_times_of_the_events_on_traffic_nobody_chose(case):
    assert_equal_by_events(*case)


@pytest.mark.parametrize("gap_ps, held", [(20_000, True), (300, False)])
def test_the_pass_holds_on_light_traffic_and_knows_when_it_does_not(gap_ps, held):
    plan = lane()
    packets = lists(plan, 1000, 1000 * gap_ps, seed=3)
    fast = assert_equal_by_events(plan, packets)
    assert (fast.stream.tried, fast.stream.held) == (2, 2 * held)


def test_packets_that_meet_are_part_of_the_pass():
    """Twelve cores send to one at the same time: they queue, and no FIFO fills."""
    plan = lane(service_ps=2000)
    n = 12
    packets = (np.minimum(np.arange(26), n), np.zeros(n, np.int64), np.arange(n, dtype=np.uint32),
               np.full(n, 13, np.uint32))
    fast = assert_equal_by_events(plan, packets)
    assert fast.stream.held == 2
    _, times = moved(plan, packets, True)
    assert (np.sort(times[3])[1:] - np.sort(times[3])[:-1] >= 2000).all()


def test_a_queue_that_overflows_goes_event_by_event():
    """One core sends more than the slow core's FIFOs can hold, and others pass the same way."""
    plan = lane(service_ps=1_000_000)
    n = 60
    to = np.where(np.arange(n) % 2, 7, 5).astype(np.uint32)
    packets = (np.where(np.arange(26) > 0, n, 0), np.arange(n, dtype=np.int64) * 1163, np.zeros(n, np.uint32), to)
    fast = assert_equal_by_events(plan, packets)
    assert fast.stream.held == 0


@pytest.mark.parametrize("lines, has_order", [
    ({}, True), (dict(fabric__routing="yx"), True), (dict(fabric__routing="odd_even"), False),
    (dict(fabric__topology="torus", fabric__width=5), False), (dict(fabric__topology="torus", fabric__width=4), True)])
def test_an_order_of_channels_exists_where_routes_have_no_cycle(lines, has_order):
    """Nor have rings of three and four: packets that go two hops in one start from every other router."""
    plan = lane(**lines).fabric
    order = sweep_order(plan)
    assert (order is not None) == has_order
    if has_order:
        rank = np.empty(plan.n_channels, np.int64)
        rank[order] = np.arange(plan.n_channels)
        assert sorted(order) == list(range(plan.n_channels))
        for k in np.flatnonzero(plan.endpoint < 0):
            for t in set(plan.router[plan.eject >= 0].tolist()) - {int(plan.to_router[k])}:
                a, b = int(plan.from_router[k]), int(plan.to_router[k])
                if a != t and plan.out_channel[a, plan.next_port[a, t]] == k:
                    assert rank[plan.out_channel[b, plan.next_port[b, t]]] > rank[k]
