"""Every hop of recorded packets: their ticks once more through the plain routers, from what the run says of them.

When a packet was made, and how long its target took over it, stands in the run; the rest follows from the chip. Nothing
is estimated: the arrivals must come out as recorded, to the picosecond.
"""
from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from chipsim.chip import ChipSpec
from chipsim.chip.fabric import Clock
from chipsim.engine.multicast import build_trees
from chipsim.engine.reference_clocked import ClockedTick
from chipsim.engine.reference_mesh import Mesh
from chipsim.engine.reference_servers import Packet, Server
from chipsim.engine.reference_wormhole import Wormhole
from chipsim.engine.run import Run
from chipsim.engine.topology import FabricPlan, picoseconds, plan_fabric
from chipsim.engine.worm_parts import Fifo, Way


@dataclass(frozen=True, eq=False)
class Hops:
    """Flits over channels, in order of tick, channel and time; times in ps from the start of the tick, int64[h] each.

    packet   row in Run.packets (of a multicast packet: of its first delivery); a packet has a hop for each of its flits
    channel  as in Run.links
    granted  onto the channel;  left: from the FIFO behind it; behind an eject channel: taken by the synapse server
    """

    tick: np.ndarray
    channel: np.ndarray
    packet: np.ndarray
    granted: np.ndarray
    arrived: np.ndarray
    left: np.ndarray


class _Crossing(NamedTuple):
    """A flit over a channel; arrived -1: a latency after it was granted the channel."""

    channel: int
    packet: Packet
    granted: int
    flit: int = 0                                           # its number within the packet
    arrived: int = -1


class _Logged:
    """What all kinds of routers note of their flits."""

    log: list[_Crossing]
    gone: dict[tuple[int, int, int], int]                   # packet, router or -2 - eject channel, flit: its end


class _Handshakes(Mesh, _Logged):
    def grant(self, now: int, channel: int, port: int, source: int) -> None:
        e = int(self.fabric.endpoint[channel])
        packet = self.servers[e].packets[self.sent[e]] if source < 0 else self.outputs[source].queue[0].packet
        self.log.append(_Crossing(channel, packet, now))
        super().grant(now, channel, port, source)

    def leave(self, now: int, channel: int) -> None:
        self.gone[self.outputs[channel].queue[0].packet.source, int(self.fabric.to_router[channel]), 0] = now
        super().leave(now, channel)


class _Worms(Wormhole, _Logged):
    def grant(self, now: int, channel: int, source: int, fifo: Fifo | None, way: Way, packet: Packet, vc: int) -> None:
        flit = way.sent
        super().grant(now, channel, source, fifo, way, packet, vc)
        self.log.append(_Crossing(channel, packet, now, flit, self.outputs[channel].last_arrival))

    def leave(self, now: int, channel: int, vc: int) -> None:
        flit, router = self.outputs[channel].fifos[vc].queue[0], int(self.fabric.to_router[channel])
        self.gone[flit.packet.source, router if router >= 0 else -2 - channel, flit.number] = now
        super().leave(now, channel, vc)


class _Clocked(ClockedTick, _Logged):
    def entered(self, now: int, i: int) -> None:
        e, _, packet = self.packets[i]
        self.log.append(_Crossing(int(self.plan.inject[e]), packet, now * self.period))
        super().entered(now, i)

    def left(self, now: int, r: int, i: int, flit: Any) -> None:
        self.gone[self.packets[flit.packet][2].source, r, 0] = now * self.period
        super().left(now, r, i, flit)

    def depart(self, now: int, r: int, port: int, flit: Any) -> None:
        self.log.append(_Crossing(int(self.out[r, port]), self.packets[flit.packet][2], now * self.period))
        super().depart(now, r, port, flit)


def hops_of(run: Run) -> Hops:
    """All hops of the packets in `run.packets`, which must have times."""
    assert run.packets is not None
    chip = ChipSpec.from_dict(run.chip)
    fabric = plan_fabric(chip.fabric, run.cores)
    ticks = np.unique(run.packets["tick"])
    parts = [_tick(chip, fabric, run, np.flatnonzero(run.packets["tick"] == t)) for t in ticks.tolist()]
    table = np.concatenate([np.zeros((0, 6), np.int64), *parts])
    return Hops(*table[np.lexsort((table[:, 3], table[:, 1], table[:, 0]))].T)


def _tick(chip: ChipSpec, fabric: FabricPlan, run: Run, rows: np.ndarray) -> np.ndarray:
    """int64[h, 6]: the fields of Hops, for one tick, whose packets are in `rows`."""
    p = {name: column[rows] for name, column in (run.packets or {}).items()}
    place = {int(core): i for i, core in enumerate(run.cores)} | {-1: len(run.cores)}
    sender = np.array([place[c] for c in p["from_core"].tolist()], np.int64)
    target = np.array([place[c] for c in p["to_core"].tolist()], np.int32)
    first = np.ones(len(rows), bool)                        # the row stands for a packet of its own
    if chip.fabric.cast == "multicast":
        first[1:] = np.any([np.diff(a) != 0 for a in (sender, p["source"], p["made_ps"])], axis=0)
    begin = np.append(np.flatnonzero(first), len(rows))
    endpoint = sender[begin[:-1]].astype(np.int32)
    servers = [Server() for _ in range(len(run.cores) + 1)]
    free = [0] * len(servers)
    row_of: dict[int, int] = {}
    for i, (a, b) in enumerate(zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True)):
        e = int(endpoint[i])
        packet = Packet(i, list(range(a, b)), int(p["made_ps"][a]) - free[e])
        servers[e].packets.append(packet)
        row_of[i], free[e] = a, int(p["entered_ps"][a])
    trees = build_trees(fabric, endpoint, begin, target) if chip.fabric.cast == "multicast" else None
    clock = chip.fabric.clock
    plan: Any = SimpleNamespace(
        fabric=fabric, trees=trees, arbitration=chip.fabric.arbitration, endpoint=endpoint, axon_core=target,
        service_ps=p["done_ps"] - p["started_ps"], layout=SimpleNamespace(chip=chip),
        period_ps=picoseconds(clock.period) if clock else 0)
    mesh: Any = (_Clocked if clock else _Worms if fabric.wormhole else _Handshakes)(plan)
    mesh.log, mesh.gone = [], {}
    mesh.run_tick(servers)
    left: dict[tuple[int, int, int], int] = mesh.gone
    out = []
    for channel, packet, granted, flit, came in mesh.log:
        arrived = granted + _flight(fabric, channel, clock) if came < 0 else came
        row, router = row_of[packet.source], int(fabric.to_router[channel])
        if (packet.source, -2 - channel, flit) in left:
            gone = left[packet.source, -2 - channel, flit]
        elif router < 0:
            taken = row + next(d for d, a in enumerate(packet.axons) if target[a] == fabric.endpoint[channel])
            gone = int(p["started_ps"][taken])
        else:
            gone = left[packet.source, router, flit]
        out.append((int(p["tick"][0]), channel, int(rows[row]), granted, arrived, gone))
    return np.array(out, np.int64).reshape(-1, 6)


def _flight(fabric: FabricPlan, channel: int, clock: Clock | None) -> int:
    """ps from a flit's grant to its arrival behind the channel."""
    if clock is None:
        return int(fabric.latency[channel])
    return (int(fabric.hop_cycles[channel]) + 1) * picoseconds(clock.period)
