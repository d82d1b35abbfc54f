"""Time within a tick, plainly: a mesh of handshakes moves the packets of soma servers, synapse servers take them.

What the soma servers do is reference_servers.py. The compiled twin is fabric.pyx.
"""
from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.arbiter import Arbiter, Claim
from chipsim.engine.deadlock import deadlock
from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE, LOST
from chipsim.engine.reference_servers import Packet, Server, next_channel
from chipsim.engine.topology import EJECT, INJECT

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

WAKE, TIMEOUT = -1, -2                                       # events that are not the arrival of a flit


@dataclass
class Flit:
    """A packet, or a copy of it, in a FIFO."""

    packet: Packet
    node: int                                                # multicast: its place in the tree
    arrival: int
    wants: dict[int, int]                                    # outputs still to be taken -> tree node or -1 - delivery
    aside: bool = False                                      # it is half way round a blocked link
    instead: dict[int, int] = field(default_factory=dict)    # emergency output -> the blocked link


@dataclass
class Output:
    """A channel with its sender's bookkeeping and the FIFO at its far end."""

    free_at: int = 0
    credits: list[int] = field(default_factory=list)         # times at which slots taken become usable again
    held: int = 0                                            # slots taken whose return is not yet known
    queue: deque = field(default_factory=deque)              # of Flit
    head_at: int = 0                                         # the head of the queue may request from here on
    turned: bool = False                                     # it has given up its outputs for the emergency route
    busy_until: int = 0                                      # eject channels: the synapse server behind


class Mesh:
    """Routers, FIFOs and arbiters of one tick, from a quiet start; handshakes, no clock.

    A flit may leave by an output when it is at the head of its FIFO and the FIFO's cycle since the last departure is
    over (its claim), the output's cycle is over, and a slot at the far end is free. Among the claims that stand at that
    time the earliest wins (fcfs), the next port after the last winner (round_robin), or the packet made first
    (oldest); equal ones go in port order after the last winner. Or mutexes between pairs decide (arbiter.py).
    All arrivals of a time stamp come before all grants of it, and every latency is at least 1 ps, so no grant can see
    another of the same time.

    Adaptive routing chooses on arrival, of the outputs it allows, the one with fewest slots taken (then the lowest
    port). A multicast packet claims all outputs of its node at once, leaves by each when that one is granted, and frees
    its slot with the last.

    Where blocked packets do not wait for ever, a head that has had a claim for `wait` turns: for each link it still
    wants it claims the first link of the detour round it instead, from then on; cores it goes on claiming, and links
    when it is itself on a detour. After a further `emergency_wait` (without detours: after `wait`) what is left of it
    is dropped. A packet on a detour takes the second link whatever its target, and is then where it would have been.
    Heads turn and are dropped after the arrivals of a time stamp and before its grants.
    """

    def __init__(self, plan: Plan):
        self.plan, self.fabric = plan, plan.fabric
        self.outputs = [Output() for _ in range(plan.fabric.n_channels)]
        self.arbiters = [Arbiter(plan.arbitration, plan.fabric.n_ports) for _ in self.outputs]
        self.events: list[tuple[int, int, int]] = []          # (time, channel, index of the flit that arrives or -1)
        self.flying: list[tuple[Packet, int, bool]] = []
        self.load = np.zeros(plan.fabric.n_channels, np.int64)        # flits sent
        self.stays: list[list[tuple[int, int]]] = [[] for _ in range(plan.fabric.n_channels)]
        self.drops, self.detours = np.zeros_like(self.load), np.zeros_like(self.load)   # by the link that was blocked
        self.off_route: list[tuple[int, int, int]] = []       # (source, channel, +1 crossed besides, -1 not crossed)
        self.last_drop = (0, 0)                               # time, channel
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
            overdue: set[int] = set()
            while self.events and self.events[0][0] == now:
                _, channel, index = heapq.heappop(self.events)
                if index == TIMEOUT:
                    overdue.add(channel)
                else:
                    touched |= {channel} if index == WAKE else self.arrive(now, channel, *self.flying[index])
            for channel in sorted(overdue):
                touched |= self.time_out(now, channel)
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
        if self.last_drop[0] > length:
            length, limit = self.last_drop[0], LIMIT_LINK << 24 | self.last_drop[1]
        return length, limit

    def make(self, e: int, now: int) -> None:
        """The soma server starts on its next packet."""
        packet = self.servers[e].packets[self.sent[e]]
        packet.made = now + packet.gap
        channel = int(self.fabric.inject[e])
        heapq.heappush(self.events, (max(packet.made, self.outputs[channel].free_at), channel, WAKE))

    def wants(self, now: int, channel: int, packet: Packet, node: int, aside: bool) -> dict[int, int]:
        """Outputs a flit needs at the router behind `channel`, and where each leads."""
        plan, f, router = self.plan, self.fabric, int(self.fabric.to_router[channel])
        if aside:
            return {int(f.rejoin[channel]): node}
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

    def arrive(self, now: int, channel: int, packet: Packet, node: int, aside: bool) -> set[int]:
        """A flit enters the FIFO behind `channel`; return the outputs its head asks for."""
        fifo = self.outputs[channel]
        fifo.queue.append(Flit(packet, node, now, self.wants(now, channel, packet, node, aside), aside))
        if len(fifo.queue) == 1:
            fifo.head_at = max(fifo.head_at, now)
            self.watch(channel)
        return set(fifo.queue[0].wants)

    def watch(self, channel: int) -> None:
        """The head of the FIFO behind `channel` claims its outputs, but not for ever."""
        fifo, f = self.outputs[channel], self.fabric
        if f.wait:
            patience = f.emergency_wait if fifo.turned else f.wait
            heapq.heappush(self.events, (fifo.head_at + patience, channel, TIMEOUT))

    def time_out(self, now: int, channel: int) -> set[int]:
        """Turn or drop the head of the FIFO behind `channel` if it is its time; return the outputs it asks for."""
        fifo, f = self.outputs[channel], self.fabric
        if not fifo.queue or now != fifo.head_at + (f.emergency_wait if fifo.turned else f.wait):
            return set()
        flit = fifo.queue[0]
        if fifo.turned or not f.emergency_wait:
            for k, leads in flit.wants.items():
                blocked = flit.instead.get(k, k)
                self.drops[blocked] += 1
                self.last_drop = max(self.last_drop, (now, blocked))
                self.lose(now, flit.packet, blocked, leads)
            self.leave(now, channel)
            return set()
        if not flit.aside:
            flit.instead = {int(f.detour[k]): k for k in flit.wants if f.detour[k] >= 0}
        around = {k: way for way, k in flit.instead.items()}
        flit.wants = {around.get(k, k): leads for k, leads in flit.wants.items()}
        fifo.turned, fifo.head_at = True, now
        self.watch(channel)
        return set(flit.wants)

    def lose(self, now: int, packet: Packet, channel: int, leads: int) -> None:
        """What would have crossed `channel` is dropped: it misses that channel and all behind it."""
        plan, f = self.plan, self.fabric
        self.off_route.append((packet.source, channel, -1))
        if f.kind[channel] == EJECT:
            d = -1 - leads
            packet.arrived[d] = packet.started[d] = LOST
            packet.done[d] = now
        elif plan.trees is None:
            core = int(plan.axon_core[packet.axons[0]])
            self.lose(now, packet, next_channel(plan, int(f.to_router[channel]), core), -1)
        else:
            for b in range(plan.trees.node_start[leads], plan.trees.node_start[leads + 1]):
                self.lose(now, packet, int(plan.trees.branch_channel[b]), int(plan.trees.branch_child[b]))

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
            heapq.heappush(self.events, (ready, channel, WAKE))
            return
        out.credits = [t for t in out.credits if t > now]
        if out.held + len(out.credits) >= f.slots[channel]:
            if out.credits:
                heapq.heappush(self.events, (min(out.credits), channel, WAKE))
            return                                            # else the departure that frees a slot comes back here
        standing = [w for w in wanted if w[0] <= now]
        _, _, port, source = standing[self.arbiters[channel].winner([Claim(*w[:3]) for w in standing])]
        self.grant(now, channel, port, source)
        if f.kind[channel] != INJECT and len(wanted) > 1:
            heapq.heappush(self.events, (out.free_at, channel, WAKE))

    def grant(self, now: int, channel: int, port: int, source: int) -> None:
        out, f, aside = self.outputs[channel], self.fabric, False
        if source < 0:
            e = int(f.endpoint[channel])
            packet = self.servers[e].packets[self.sent[e]]
            packet.entered = now
            leads = 0 if self.plan.trees is None else int(self.plan.trees.root[packet.source])
        else:
            flit = self.outputs[source].queue[0]
            packet, leads = flit.packet, flit.wants.pop(channel)
            if aside := channel in flit.instead:
                link = flit.instead[channel]
                self.detours[link] += 1
                self.off_route += [(packet.source, link, -1), (packet.source, channel, 1),
                                   (packet.source, int(f.rejoin[channel]), 1)]
            if not flit.wants:
                self.leave(now, source)
        out.free_at = now + int(f.cycle[channel])
        self.arbiters[channel].won(port, out.free_at)
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
            self.flying.append((packet, leads, aside))
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
        fifo.head_at, fifo.turned = now + int(f.cycle[channel]), False
        if fifo.queue:
            fifo.head_at = max(fifo.head_at, fifo.queue[0].arrival)
            self.watch(channel)
            for onward in fifo.queue[0].wants:
                heapq.heappush(self.events, (fifo.head_at, onward, WAKE))
        fifo.held -= 1
        fifo.credits.append(now + int(f.credit[channel]))
        heapq.heappush(self.events, (now + int(f.credit[channel]), channel, WAKE))
