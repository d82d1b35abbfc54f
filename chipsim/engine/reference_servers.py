"""Soma servers, plainly: what each core's server makes of its spikes, and how long a tick is without queues.

`soma_work` gives the packets of a tick with the time each takes to make, `analytic_tick` the length of a tick in which
nothing waits for anything else. What becomes of the packets in the fabric is reference_mesh.py.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.levels import stretched
from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.run import ACTIONS, SYNOPS, A
from chipsim.engine.topology import EJECT, LOCAL

if TYPE_CHECKING:
    from chipsim.engine.levels import Levels
    from chipsim.engine.plan import Plan


@dataclass
class Packet:
    """One packet, and what becomes of it at each of its targets (one, unless the fabric is multicast)."""

    source: int
    axons: list[int]
    gap: int                    # soma time between the previous packet's entry and this one's making
    made: int = 0
    entered: int = 0            # into the injection FIFO
    arrived: list[int] = field(default_factory=list)        # in the input FIFO of the core, per axon
    started: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.arrived, self.started, self.done = ([0] * len(self.axons) for _ in range(3))


@dataclass
class Server:
    """A soma server's work of one tick: packets in order, and what remains after the last."""

    packets: list[Packet] = field(default_factory=list)
    tail: int = 0


def soma_work(plan: Plan, active: np.ndarray, sources: list[int], blocks: np.ndarray) -> list[Server]:
    """Per endpoint: multiply the blocks int64[C] of its matrix, then visit the slots in order; a packet's gap is the
    soma time since the one before it."""
    layout = plan.layout
    servers = [Server() for _ in range(layout.n_cores + 1)]
    fired = {s for s in sources if s < layout.n_neurons}

    def packets(source: int) -> list[list[int]]:
        axons = [int(a) for a in layout.out_axon[layout.out_start[source] : layout.out_start[source + 1]]]
        return [axons] if plan.trees is not None and axons else [[a] for a in axons]

    for c in range(layout.n_cores):
        elapsed = int(blocks[c]) * plan.block_ps
        for neuron in range(layout.core_start[c], layout.core_start[c + 1]):
            elapsed += int(plan.compartments[neuron]) * (plan.active_ps if active[neuron] else plan.idle_ps)
            if neuron in fired:
                elapsed += plan.spike_ps
                for axons in packets(neuron):
                    servers[c].packets.append(Packet(neuron, axons, elapsed + plan.axon_out_ps))
                    elapsed = 0
        servers[c].tail = elapsed
    for line in (s for s in sources if s >= layout.n_neurons):
        servers[-1].packets += [Packet(line, axons, plan.host_ps) for axons in packets(line)]
    return servers


def settle_plainly(levels: Levels, servers: list[Server], active: np.ndarray,
                   sources: list[int]) -> tuple[np.ndarray, int]:
    """Choose a level for every core in one tick and slow down those at the lower point; twin of Levels.settle.

    Packets to a core at the lower point then name the second copy of their in-axons, see `Levels.timed`.
    Returns (int64[ACTIONS] actions done at the lower point, ps of work at the upper one).
    """
    plan, layout = levels.plan, levels.plan.layout
    received: list[list[int]] = [[] for _ in range(layout.n_cores)]
    for server in servers:
        for p in server.packets:
            for axon in p.axons:
                received[plan.axon_core[axon]].append(axon)
    counts, high_ps = np.zeros(len(ACTIONS), np.int64), 0
    for c, (server, axons) in enumerate(zip(servers, received, strict=False)):
        if len(axons) >= levels.packets:
            high_ps += sum(p.gap for p in server.packets) + server.tail + int(plan.service_ps[axons].sum())
            continue
        for neuron in range(layout.core_start[c], layout.core_start[c + 1]):
            counts[A["neuron_active" if active[neuron] else "neuron_idle"]] += plan.compartments[neuron]
            counts[A["spike"]] += neuron in sources
        counts[A["axon_out"]] += len(server.packets)
        counts[A["axon_in"]] += len(axons)
        for axon in axons:
            counts[A["row_fetch"]] += plan.fetched[axon]
            for name, n in zip(SYNOPS, plan.axon_synops[axon], strict=True):
                counts[A[name]] += n
        server.tail = stretched(server.tail, levels.longer)
        for p in server.packets:
            p.gap = stretched(p.gap, levels.longer)
    for server in servers:
        for p in server.packets:
            p.axons = [a + levels.n_axons * (len(received[plan.axon_core[a]]) < levels.packets) for a in p.axons]
    return counts, high_ps


def analytic_tick(plan: Plan, servers: list[Server], work: np.ndarray) -> tuple[int, int]:
    """No queues: the busiest soma server, synapse server or channel bounds the tick.

    Ties go in this order, then to the lowest index.
    """
    load = np.zeros(plan.fabric.n_channels, np.int64)
    for e, server in enumerate(servers):
        for p in server.packets:
            for k in {k for axon in p.axons for k in route(plan, e, int(plan.axon_core[axon]))}:
                load[k] += plan.fabric.flits
    load = np.where(load > 0, (load - 1) * plan.fabric.cycle + plan.fabric.latency, 0)
    length, limit = 0, LIMIT_NONE << 24
    for code, busy in ((LIMIT_SOMA, [sum(p.gap for p in s.packets) + s.tail for s in servers]),
                       (LIMIT_SYNAPSE, work), (LIMIT_LINK, load)):
        for i, ps in enumerate(busy):
            if ps > length:
                length, limit = int(ps), code << 24 | i
    return length, limit


def next_channel(plan: Plan, router: int, core: int) -> int:
    """The channel by which the table sends a packet for a core on from a router."""
    f = plan.fabric
    port = f.next_port[router, f.router[core]]
    return int(f.eject[core] if port == LOCAL else f.out_channel[router, port])


def route(plan: Plan, endpoint: int, core: int) -> list[int]:
    """Channels from an endpoint to a core, both ends included."""
    channels = [int(plan.fabric.inject[endpoint])]
    while plan.fabric.kind[channels[-1]] != EJECT:
        channels.append(next_channel(plan, int(plan.fabric.to_router[channels[-1]]), core))
    return channels
