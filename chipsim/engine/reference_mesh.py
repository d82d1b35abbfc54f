"""Time within a tick, defined plainly: soma servers make packets, handshakes move them, synapse servers take them.

`soma_work` says what each core's soma server does, `Mesh` what becomes of the packets; `analytic_tick` is the same
tick without queues. The compiled twin is fabric.pyx.
"""
from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.plan import Plan
from chipsim.engine.topology import EJECT, INJECT, LOCAL


@dataclass
class Packet:
    source: int
    axon: int
    gap: int                    # soma time between the previous packet's entry and this one's making
    made: int = 0
    entered: int = 0            # into the injection FIFO
    arrived: int = 0            # in the input FIFO of its core
    started: int = 0
    done: int = 0


@dataclass
class Server:
    """A soma server's work of one tick: packets in order, and what remains after the last."""

    packets: list[Packet] = field(default_factory=list)
    tail: int = 0


def soma_work(plan: Plan, active: np.ndarray, sources: list[int]) -> list[Server]:
    """Per endpoint: visit the slots in order; a packet's gap is the soma time since the one before it."""
    layout = plan.layout
    out = layout.out_start
    servers = [Server() for _ in range(layout.n_cores + 1)]
    fired = {s for s in sources if s < layout.n_neurons}
    for c in range(layout.n_cores):
        elapsed = 0
        for neuron in range(layout.core_start[c], layout.core_start[c + 1]):
            elapsed += plan.active_ps if active[neuron] else plan.idle_ps
            if neuron in fired:
                elapsed += plan.spike_ps
                for axon in layout.out_axon[out[neuron] : out[neuron + 1]]:
                    servers[c].packets.append(Packet(neuron, int(axon), elapsed + plan.axon_out_ps))
                    elapsed = 0
        servers[c].tail = elapsed
    for line in (s for s in sources if s >= layout.n_neurons):
        for axon in layout.out_axon[out[line] : out[line + 1]]:
            servers[-1].packets.append(Packet(line, int(axon), plan.host_ps))
    return servers


def analytic_tick(plan: Plan, servers: list[Server], work: np.ndarray) -> tuple[int, int]:
    """No queues: the busiest soma server, synapse server or channel bounds the tick (ties: this order, then index)."""
    load = np.zeros(plan.fabric.n_channels, np.int64)
    for e, server in enumerate(servers):
        for p in server.packets:
            for k in route(plan, e, int(plan.layout.axon_core[p.axon])):
                load[k] += plan.fabric.cycle[k]
    length, limit = 0, LIMIT_NONE << 24
    for code, busy in ((LIMIT_SOMA, [sum(p.gap for p in s.packets) + s.tail for s in servers]),
                       (LIMIT_SYNAPSE, work), (LIMIT_LINK, load)):
        for i, ps in enumerate(busy):
            if ps > length:
                length, limit = int(ps), code << 24 | i
    return length, limit


def next_channel(plan: Plan, router: int, core: int) -> int:
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
class Output:
    """A channel with its sender's bookkeeping and the FIFO at its far end."""

    free_at: int = 0
    last_port: int = -1                                      # winner of the last grant, for ties
    credits: list[int] = field(default_factory=list)         # times at which slots taken become usable again
    held: int = 0                                            # slots taken whose return is not yet known
    queue: deque = field(default_factory=deque)              # (packet, arrival)
    head_at: int = 0                                         # the head of the queue may request from here on
    busy_until: int = 0                                      # eject channels: the synapse server behind


class Mesh:
    """Routers, FIFOs and arbiters of one tick, from a quiet start; handshakes, no clock.

    A flit may leave by an output when it is at the head of its FIFO and the FIFO's cycle since the last departure is
    over (its request), the output's cycle is over, and a slot at the far end is free. Among the requests that stand at
    that time the earliest wins; equal times go in port order after the last winner. All arrivals of a time stamp come
    before all grants of it, and every latency is at least 1 ps, so no grant can see another of the same time.
    """

    def __init__(self, plan: Plan):
        self.plan, self.fabric = plan, plan.fabric
        self.outputs = [Output() for _ in range(plan.fabric.n_channels)]
        self.events: list[tuple[int, int, int]] = []          # (time, channel, index of the packet that arrives or -1)
        self.packets: list[Packet] = []
        n_ports = int(self.fabric.in_port.max()) + 1
        n_routers = len(self.fabric.out_channel)
        self.inputs: list[list[int]] = [[] for _ in range(n_routers)]
        for k, r in enumerate(self.fabric.to_router):
            if r >= 0:
                self.inputs[r].append(k)
        self.n_ports = n_ports

    def run(self, servers: list[Server]) -> tuple[int, int]:
        self.servers = servers
        self.sent = [0] * len(servers)                        # packets that have entered, per endpoint
        self.entry = [0] * len(servers)                       # when the last one did
        for e, server in enumerate(servers):
            if server.packets:
                self.make(e, 0)
        while self.events:
            now = self.events[0][0]
            touched = set()
            while self.events and self.events[0][0] == now:
                _, channel, index = heapq.heappop(self.events)
                touched.add(channel if index < 0 else self.arrive(now, channel, self.packets[index]))
            for channel in sorted(touched):
                self.arbitrate(now, channel)
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

    def arrive(self, now: int, channel: int, packet: Packet) -> int:
        """A flit enters the FIFO behind `channel`; return the output it will ask for."""
        fifo = self.outputs[channel]
        if not fifo.queue:
            fifo.head_at = max(fifo.head_at, now)
        fifo.queue.append((packet, now))
        head = fifo.queue[0][0]
        return next_channel(self.plan, int(self.fabric.to_router[channel]), int(self.plan.layout.axon_core[head.axon]))

    def requests(self, channel: int) -> list[tuple[int, int, int]]:
        """(time, port, input channel) of every head that wants this output."""
        router = int(self.fabric.from_router[channel])
        found = []
        for k in self.inputs[router]:
            if self.outputs[k].queue:
                head = self.outputs[k].queue[0][0]
                if next_channel(self.plan, router, int(self.plan.layout.axon_core[head.axon])) == channel:
                    found.append((self.outputs[k].head_at, int(self.fabric.in_port[k]), k))
        return found

    def arbitrate(self, now: int, channel: int) -> None:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        out, f = self.outputs[channel], self.fabric
        if f.kind[channel] == INJECT:
            e = int(f.endpoint[channel])
            if self.sent[e] == len(self.servers[e].packets):
                return
            wanted = [(self.servers[e].packets[self.sent[e]].made, 0, -1)]
        else:
            wanted = self.requests(channel)
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
        waiting = [w for w in wanted if w[0] <= now]
        _, port, source = min(waiting, key=lambda w: (w[0], (w[1] - out.last_port - 1) % self.n_ports))
        self.grant(now, channel, port, source)
        if f.kind[channel] != INJECT and len(wanted) > 1:
            heapq.heappush(self.events, (out.free_at, channel, -1))

    def grant(self, now: int, channel: int, port: int, source: int) -> None:
        out, f = self.outputs[channel], self.fabric
        if source < 0:
            e = int(f.endpoint[channel])
            packet = self.servers[e].packets[self.sent[e]]
            packet.entered = now
        else:
            packet = self.leave(now, source)
        out.free_at, out.last_port = now + int(f.cycle[channel]), port
        arrival = now + int(f.latency[channel])
        if f.kind[channel] == EJECT:
            packet.arrived = arrival
            packet.started = max(arrival, out.busy_until)
            packet.done = out.busy_until = packet.started + int(self.plan.service_ps[packet.axon])
            out.credits.append(packet.started + int(f.credit[channel]))
        else:
            out.held += 1
            self.packets.append(packet)
            heapq.heappush(self.events, (arrival, channel, len(self.packets) - 1))
        if source < 0:
            self.sent[e] += 1
            self.entry[e] = now
            if self.sent[e] < len(self.servers[e].packets):
                self.make(e, now)

    def leave(self, now: int, channel: int) -> Packet:
        """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
        fifo, f = self.outputs[channel], self.fabric
        packet, _ = fifo.queue.popleft()
        fifo.head_at = now + int(f.cycle[channel])
        if fifo.queue:
            fifo.head_at = max(fifo.head_at, fifo.queue[0][1])
            head = fifo.queue[0][0]
            onward = next_channel(self.plan, int(f.to_router[channel]), int(self.plan.layout.axon_core[head.axon]))
            heapq.heappush(self.events, (fifo.head_at, onward, -1))
        fifo.held -= 1
        fifo.credits.append(now + int(f.credit[channel]))
        heapq.heappush(self.events, (now + int(f.credit[channel]), channel, -1))
        return packet
