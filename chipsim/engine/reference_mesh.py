"""Time within a tick, plainly: soma servers make packets, a mesh of handshakes moves them, synapse servers take them.

`soma_work` says what each core's soma server does, `Mesh` what becomes of the packets; `analytic_tick` is the same
tick without queues. The compiled twin is fabric.pyx.
"""
from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.deadlock import deadlock
from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.topology import EJECT, INJECT, LOCAL

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

POLICIES = ("fcfs", "round_robin", "oldest")


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


def soma_work(plan: Plan, active: np.ndarray, sources: list[int]) -> list[Server]:
    """Per endpoint: visit the slots in order; a packet's gap is the soma time since the one before it."""
    layout = plan.layout
    servers = [Server() for _ in range(layout.n_cores + 1)]
    fired = {s for s in sources if s < layout.n_neurons}

    def packets(source: int) -> list[list[int]]:
        axons = [int(a) for a in layout.out_axon[layout.out_start[source] : layout.out_start[source + 1]]]
        return [axons] if plan.trees is not None and axons else [[a] for a in axons]

    for c in range(layout.n_cores):
        elapsed = 0
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


def analytic_tick(plan: Plan, servers: list[Server], work: np.ndarray) -> tuple[int, int]:
    """No queues: the busiest soma server, synapse server or channel bounds the tick.

    Ties go in this order, then to the lowest index.
    """
    load = np.zeros(plan.fabric.n_channels, np.int64)
    for e, server in enumerate(servers):
        for p in server.packets:
            for k in {k for axon in p.axons for k in route(plan, e, int(plan.axon_core[axon]))}:
                load[k] += 1
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


@dataclass
class Flit:
    """A packet, or a copy of it, in a FIFO."""

    packet: Packet
    node: int                                                # multicast: its place in the tree
    arrival: int
    wants: dict[int, int]                                    # outputs still to be taken -> tree node or -1 - delivery


@dataclass
class Output:
    """A channel with its sender's bookkeeping and the FIFO at its far end."""

    free_at: int = 0
    last_port: int = -1                                      # winner of the last grant, for ties
    credits: list[int] = field(default_factory=list)         # times at which slots taken become usable again
    held: int = 0                                            # slots taken whose return is not yet known
    queue: deque = field(default_factory=deque)              # of Flit
    head_at: int = 0                                         # the head of the queue may request from here on
    busy_until: int = 0                                      # eject channels: the synapse server behind


class Mesh:
    """Routers, FIFOs and arbiters of one tick, from a quiet start; handshakes, no clock.

    A flit may leave by an output when it is at the head of its FIFO and the FIFO's cycle since the last departure is
    over (its claim), the output's cycle is over, and a slot at the far end is free. Among the claims that stand at that
    time the earliest wins (fcfs), the next port after the last winner (round_robin), or the packet made first
    (oldest); equal ones go in port order after the last winner. All arrivals of a time stamp come before all
    grants of it, and every latency is at least 1 ps, so no grant can see another of the same time.

    Adaptive routing chooses on arrival, of the outputs it allows, the one with fewest slots taken (then the lowest
    port). A multicast packet claims all outputs of its node at once, leaves by each when that one is granted, and frees
    its slot with the last.
    """

    def __init__(self, plan: Plan):
        self.plan, self.fabric = plan, plan.fabric
        self.outputs = [Output() for _ in range(plan.fabric.n_channels)]
        self.events: list[tuple[int, int, int]] = []          # (time, channel, index of the flit that arrives or -1)
        self.flying: list[tuple[Packet, int]] = []
        self.load = np.zeros(plan.fabric.n_channels, np.int64)        # flits sent
        self.stays: list[list[tuple[int, int]]] = [[] for _ in range(plan.fabric.n_channels)]
        self.inputs: list[list[int]] = [[] for _ in range(plan.fabric.n_routers)]
        for k, r in enumerate(self.fabric.to_router):
            if r >= 0:
                self.inputs[r].append(k)

    def run_tick(self, servers: list[Server]) -> tuple[int, int]:
        """Move everything; return the length of the tick in ps and what set it. SimulationError on a deadlock."""
        self.servers = servers
        self.sent = [0] * len(servers)                        # packets that have entered, per endpoint
        self.entry = [0] * len(servers)                       # when the last one did
        for e, server in enumerate(servers):
            if server.packets:
                self.make(e, 0)
        while self.events:
            now = self.events[0][0]
            touched: set[int] = set()
            while self.events and self.events[0][0] == now:
                _, channel, index = heapq.heappop(self.events)
                touched |= {channel} if index < 0 else self.arrive(now, channel, *self.flying[index])
            for channel in sorted(touched):
                self.arbitrate(now, channel)
        if waiting := [(k, out.queue[0].packet.source, next(iter(out.queue[0].wants)))
                       for k, out in enumerate(self.outputs) if out.queue]:
            raise deadlock(waiting, self.fabric)
        length, limit = 0, LIMIT_NONE << 24
        for e, server in enumerate(servers):
            if self.entry[e] + server.tail > length:
                length, limit = self.entry[e] + server.tail, LIMIT_SOMA << 24 | e
        for c, k in enumerate(self.fabric.eject[:-1]):
            if self.outputs[k].busy_until > length:
                length, limit = self.outputs[k].busy_until, LIMIT_SYNAPSE << 24 | c
        return length, limit

    def make(self, e: int, now: int) -> None:
        """The soma server starts on its next packet."""
        packet = self.servers[e].packets[self.sent[e]]
        packet.made = now + packet.gap
        channel = int(self.fabric.inject[e])
        heapq.heappush(self.events, (max(packet.made, self.outputs[channel].free_at), channel, -1))

    def wants(self, now: int, channel: int, packet: Packet, node: int) -> dict[int, int]:
        """Outputs a flit needs at the router behind `channel`, and where each leads."""
        plan, f, router = self.plan, self.fabric, int(self.fabric.to_router[channel])
        if plan.trees is not None:
            branches = slice(plan.trees.node_start[node], plan.trees.node_start[node + 1])
            return dict(zip(plan.trees.branch_channel[branches].tolist(), plan.trees.branch_child[branches].tolist(),
                            strict=True))
        core = int(plan.axon_core[packet.axons[0]])
        if f.choices is None or f.router[core] == router:
            return {next_channel(plan, router, core): -1}
        home = router % f.columns == f.router[plan.endpoint[packet.source]] % f.columns
        mask = int(f.choices[int(home), router, f.router[core]])
        allowed = [int(f.out_channel[router, f.first_link + b]) for b in range(8) if mask >> b & 1]

        def taken(k: int) -> int:
            return self.outputs[k].held + sum(t > now for t in self.outputs[k].credits)

        return {min(allowed, key=lambda k: (taken(k), allowed.index(k))): -1}

    def arrive(self, now: int, channel: int, packet: Packet, node: int) -> set[int]:
        """A flit enters the FIFO behind `channel`; return the outputs its head asks for."""
        fifo = self.outputs[channel]
        if not fifo.queue:
            fifo.head_at = max(fifo.head_at, now)
        fifo.queue.append(Flit(packet, node, now, self.wants(now, channel, packet, node)))
        return set(fifo.queue[0].wants)

    def claims(self, channel: int) -> list[tuple[int, int, int, int]]:
        """(time, age, port, input channel) of every head that wants this output."""
        found = []
        for k in self.inputs[int(self.fabric.from_router[channel])]:
            fifo = self.outputs[k]
            if fifo.queue and channel in fifo.queue[0].wants:
                found.append((fifo.head_at, fifo.queue[0].packet.made, int(self.fabric.in_port[k]), k))
        return found

    def arbitrate(self, now: int, channel: int) -> None:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        out, f = self.outputs[channel], self.fabric
        if f.kind[channel] == INJECT:
            e = int(f.endpoint[channel])
            if self.sent[e] == len(self.servers[e].packets):
                return
            wanted = [(self.servers[e].packets[self.sent[e]].made, 0, 0, -1)]
        else:
            wanted = self.claims(channel)
        if not wanted:
            return
        ready = max(min(w[0] for w in wanted), out.free_at)
        if ready > now:
            heapq.heappush(self.events, (ready, channel, -1))
            return
        out.credits = [t for t in out.credits if t > now]
        if out.held + len(out.credits) >= f.slots[channel]:
            if out.credits:
                heapq.heappush(self.events, (min(out.credits), channel, -1))
            return                                            # else the departure that frees a slot comes back here
        rank = {"fcfs": lambda w: w[0], "round_robin": lambda w: 0, "oldest": lambda w: w[1]}[self.plan.arbitration]
        _, _, port, source = min((w for w in wanted if w[0] <= now),
                                 key=lambda w: (rank(w), (w[2] - out.last_port - 1) % f.n_ports))
        self.grant(now, channel, port, source)
        if f.kind[channel] != INJECT and len(wanted) > 1:
            heapq.heappush(self.events, (out.free_at, channel, -1))

    def grant(self, now: int, channel: int, port: int, source: int) -> None:
        out, f = self.outputs[channel], self.fabric
        if source < 0:
            e = int(f.endpoint[channel])
            packet = self.servers[e].packets[self.sent[e]]
            packet.entered = now
            leads = 0 if self.plan.trees is None else int(self.plan.trees.root[packet.source])
        else:
            flit = self.outputs[source].queue[0]
            packet, leads = flit.packet, flit.wants.pop(channel)
            if not flit.wants:
                self.leave(now, source)
        out.free_at, out.last_port = now + int(f.cycle[channel]), port
        self.load[channel] += 1
        arrival = now + int(f.latency[channel])
        if f.kind[channel] == EJECT:
            d = -1 - leads
            packet.arrived[d] = arrival
            packet.started[d] = max(arrival, out.busy_until)
            packet.done[d] = out.busy_until = packet.started[d] + int(self.plan.service_ps[packet.axons[d]])
            out.credits.append(packet.started[d] + int(f.credit[channel]))
            self.stays[channel].append((arrival, packet.started[d]))
        else:
            out.held += 1
            self.flying.append((packet, leads))
            heapq.heappush(self.events, (arrival, channel, len(self.flying) - 1))
        if source < 0:
            self.sent[e] += 1
            self.entry[e] = now
            if self.sent[e] < len(self.servers[e].packets):
                self.make(e, now)

    def leave(self, now: int, channel: int) -> None:
        """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
        fifo, f = self.outputs[channel], self.fabric
        self.stays[channel].append((fifo.queue.popleft().arrival, now))
        fifo.head_at = now + int(f.cycle[channel])
        if fifo.queue:
            fifo.head_at = max(fifo.head_at, fifo.queue[0].arrival)
            for onward in fifo.queue[0].wants:
                heapq.heappush(self.events, (fifo.head_at, onward, -1))
        fifo.held -= 1
        fifo.credits.append(now + int(f.credit[channel]))
        heapq.heappush(self.events, (now + int(f.credit[channel]), channel, -1))
