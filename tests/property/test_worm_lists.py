"""Lists of packets of any number of flits: the compiled wormhole routers give the plain ones' times, flit for flit."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.engine.deadlock import Deadlock
from chipsim.engine.queues import Queues
from chipsim.engine.reference_servers import Packet, Server
from chipsim.engine.reference_wormhole import Wormhole as PlainWormhole
from chipsim.engine.topology import FabricPlan, plan_fabric
from chipsim.engine.wormhole import Wormhole

POLICIES = ["fcfs", "round_robin", "oldest", "mutex_tree"]


@dataclass(frozen=True, eq=False)
class Lane:
    """A fabric without neurons: an axon per core, whose server takes `service_ps` over a packet."""

    fabric: FabricPlan
    arbitration: str
    endpoint: np.ndarray
    axon_core: np.ndarray
    service_ps: np.ndarray
    can_stand_still: bool
    trees: None = None


class Listed(PlainWormhole):
    """Packets made at the time that stands as their gap, `size` flits each."""

    def flits(self, packet):
        return packet.size

    def make(self, e, k, now):
        super().make(e, k, 0)


@st.composite
def lanes(draw):
    topology, routing = draw(st.sampled_from([
        ("mesh", "xy"), ("mesh", "yx"), ("mesh", "odd_even"), ("torus", "xy"), ("torus", "yx"), ("hex_torus", "xy"),
        ("mesh", "minimal_adaptive"), ("torus", "minimal_adaptive"), ("mesh", "xy_yx")]))
    fewest = 1 if routing not in ("minimal_adaptive", "xy_yx") else 2 if topology == "mesh" else 3
    lines = [f"fabric.topology={topology}", f"fabric.routing={routing}", f"fabric.vcs={draw(st.integers(fewest, 4))}",
             f"fabric.width={draw(st.integers(2, 5))}", f"fabric.height={draw(st.integers(1, 3))}",
             f"fabric.cores_per_router={draw(st.integers(1, 2))}", "fabric.io.router=[0, 0]"]
    for name in ("inject", "eject", "east_west", "north_south", "diagonal"):
        latency, cycle, credit = (draw(st.integers(1, 7)) for _ in range(3))
        body = draw(st.integers(1, latency))
        lines.append(f"fabric.channels.{name}={{latency: {latency} ns, body_latency: {body} ns, "
                     f"cycle: {cycle} ns, credit: {credit} ns, slots: {draw(st.integers(1, 5))}, energy: 1 pJ}}")
    chip = load_chip("loihi", set=tuple(lines))
    n = chip.n_cores
    cores, service_ps = np.arange(n, dtype=np.int32), np.full(n, draw(st.integers(0, 20_000)), np.int64)
    return Lane(plan_fabric(chip.fabric, cores), draw(st.sampled_from(POLICIES)), cores, cores, service_ps,
                "torus" in topology and chip.fabric.n_vcs == 1)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(lane=lanes(), seed=st.integers(0, 2**32), load=st.integers(1, 12))
def test_lists_of_worms_arrive_as_in_the_plain_routers(lane, seed, load):
    rng, n = np.random.default_rng(seed), len(lane.endpoint)
    source = np.sort(rng.integers(0, n, load * n)).astype(np.uint32)
    target, size = rng.integers(0, n, len(source)).astype(np.uint32), rng.integers(1, 7, len(source))
    start = np.searchsorted(source, np.arange(n + 2))
    ready = rng.integers(0, 200, len(source)) * 1000
    ready = ready[np.lexsort((ready, source))]             # each source sends its own in order of time
    servers = [Server() for _ in range(n + 1)]
    for s, d, at, flits in zip(source, target, ready, size, strict=True):
        servers[s].packets.append(Packet(int(s), [int(d)], int(at)))
        servers[s].packets[-1].size = int(flits)
    plain, fast = Listed(lane), Wormhole(lane)
    try:
        times = fast.move(start, ready, source, target, size)
    except Deadlock:
        assert lane.can_stand_still
        try:
            plain.run_tick(servers)
        except Deadlock:
            return
        raise AssertionError("only the compiled routers stand still") from None
    plain.run_tick(servers)
    expected = [[p.made, p.entered, p.arrived[0], p.started[0], p.done[0]] for s in servers for p in s.packets]
    assert np.array_equal(times, np.array(expected).T)
    assert np.array_equal(fast.loads(), plain.load)
    queues = Queues.of_stays(plain.stays)
    assert np.array_equal(fast.occupancy()[0], queues.queued_ps) and np.array_equal(fast.occupancy()[1], queues.peak)
