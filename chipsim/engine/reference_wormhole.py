"""Time within a tick with virtual channels, or packets of several flits: wormholes without a clock, plainly.

The rules are those of reference_mesh.py with a FIFO per virtual channel (VC), and a packet as a head, flits and a tail;
they are the same where there is one of each. The parts stand in worm_parts.py, what a packet may choose in
worm_choices.py; the compiled twin is wormhole.pyx.
"""
from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.arbiter import Arbiter, Claim
from chipsim.engine.deadlock import deadlock
from chipsim.engine.outcome import LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.reference_servers import Packet, Server
from chipsim.engine.topology import EJECT, INJECT
from chipsim.engine.worm_choices import Choices
from chipsim.engine.worm_parts import Core, Fifo, Flit, Output, Source, Way

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

WAKE, SERVE = -1, -2                                         # events that are not the arrival of a flit


class Wormhole(Choices):
    """Routers, FIFOs and arbiters of one tick, from a quiet start; handshakes, no clock.

    A packet's head chooses its way as in reference_mesh.Mesh, and at its grant one of the output's VCs that it may
    take: of those that no packet holds and that have a free slot, the one with fewest slots taken, then the lowest. It
    holds the VC until its tail has been granted; the flits behind it follow there. A flit claims its output when it has
    arrived and the channel's cycle since the flit before it left the FIFO is over; each VC's FIFO has a way of its own
    into the router. An output goes to one of the claims that stand and have a VC with a slot, by the rules of
    arbiter.py, inputs numbered by port, then VC.

    A flit arrives a latency after its grant (`body_latency` behind a head), but not sooner than a cycle after the flit
    before it on the channel. A packet has entered when its head has; its source goes on with the next one meanwhile,
    which follows the tail. A synapse server takes the packet whose head came first, its flits as they come, and starts
    on it when the tail is there; slots are given back as flits are taken. A multicast packet sends its flits on by each
    of its ways at that way's pace; a flit leaves the FIFO with its last copy, a copy claims a cycle after the one
    before it on its way.
    """

    def __init__(self, plan: Plan):
        f = plan.fabric
        outputs = [Output(Arbiter(plan.arbitration, f.n_ports * f.vcs), [Fifo() for _ in range(f.vcs)])
                   for _ in range(f.n_channels)]
        super().__init__(plan, outputs)
        self.events: list[tuple[int, int, int]] = []          # (time, channel, index of the flit that arrives, or code)
        self.flying: list[Flit] = []
        self.load = np.zeros(f.n_channels, np.int64)          # flits sent
        self.stays: list[list[tuple[int, int]]] = [[] for _ in range(f.n_channels)]
        self.inputs: list[list[int]] = [[] for _ in range(f.n_routers)]
        for k, r in enumerate(f.to_router):
            if r >= 0:
                self.inputs[r].append(k)

    def run_tick(self, servers: list[Server]) -> tuple[int, int]:
        """Move everything; return the length of the tick in ps and what set it. SimulationError on a deadlock."""
        self.servers = servers
        self.number = {id(p): k for server in servers for k, p in enumerate(server.packets)}
        self.sources = [Source() for _ in servers]
        self.cores = {int(k): Core() for k in self.fabric.eject if k >= 0}
        for e, server in enumerate(servers):
            if server.packets:
                self.make(e, 0, 0)
        while self.events:
            now = self.events[0][0]
            touched, served = set(), set()
            while self.events and self.events[0][0] == now:
                _, channel, index = heapq.heappop(self.events)
                if index == WAKE:
                    touched.add(channel)
                elif index == SERVE or self.fabric.kind[channel] == EJECT:
                    served.add(channel)
                if index >= 0:
                    touched |= self.arrive(now, channel, self.flying[index])
            for channel in sorted(served):
                self.serve(now, channel)
            for channel in sorted(touched, key=lambda k: (self.crowd(now, k) if self.fabric.escape_vcs else 0, k)):
                self.arbitrate(now, channel)
        if waiting := list(self.stuck()):
            raise deadlock(waiting, self.fabric)
        ends = [(s.entry + server.tail, LIMIT_SOMA << 24 | e)
                for e, (s, server) in enumerate(zip(self.sources, servers, strict=True))]
        ends += [(self.cores[int(k)].busy_until, LIMIT_SYNAPSE << 24 | c)
                 for c, k in enumerate(self.fabric.eject) if k >= 0]
        length = max(ps for ps, _ in ends)
        return length, next(limit for ps, limit in ends if ps == length) if length else LIMIT_NONE << 24

    def stuck(self) -> Iterator[tuple[int, int, int]]:
        """(channel, packet's source, channel it waits for) of every FIFO before a router in which a packet waits."""
        for k, out in enumerate(self.outputs):
            for fifo in out.fifos:
                for way in fifo.ways:
                    if fifo.queue and self.next_flit(fifo, way):
                        yield k, fifo.queue[0].packet.source, way.channel
                        break

    def wake(self, at: int, channel: int, what: int = WAKE) -> None:
        heapq.heappush(self.events, (at, channel, what))

    def make(self, e: int, k: int, now: int) -> None:
        """The soma server starts on its packet k, which can go in when those before it are in."""
        packet = self.servers[e].packets[k]
        packet.made = now + packet.gap
        channel = int(self.fabric.inject[e])
        self.wake(max(packet.made, self.outputs[channel].free_at), channel)

    # ---- arrivals ----

    def arrive(self, now: int, channel: int, flit: Flit) -> set[int]:
        """A flit enters its FIFO behind `channel`; return the outputs that the packet in front asks for."""
        fifo = self.outputs[channel].fifos[flit.vc]
        fifo.queue.append(flit)
        flit.arrival = now
        if self.fabric.kind[channel] == EJECT:
            if flit.number == 0:
                self.cores[channel].order.append(flit.vc)
            return set()
        if flit.number == 0:
            flit.ways = self.ways(now, channel, flit)
            if len(fifo.queue) == 1:
                self.begin(fifo)
        return {way.channel for way in fifo.ways}

    def begin(self, fifo: Fifo) -> None:
        """A packet comes to the front of its FIFO."""
        fifo.ways = fifo.queue[0].ways
        for way in fifo.ways:
            way.ready_at = fifo.ready_at

    def serve(self, now: int, channel: int) -> None:
        """The synapse server behind an eject channel takes what there is."""
        core = self.cores[channel]
        while True:
            if core.vc < 0:
                if not core.order:
                    return
                if core.busy_until > now:
                    self.wake(core.busy_until, channel, SERVE)
                    return
                core.vc = core.order.popleft()
            queue = self.outputs[channel].fifos[core.vc].queue
            while queue and core.vc >= 0:
                flit = queue[0]
                self.leave(now, channel, core.vc)
                if flit.tail:
                    d = -1 - flit.leads
                    flit.packet.arrived[d], flit.packet.started[d] = flit.arrival, now
                    core.busy_until = now + int(self.plan.service_ps[flit.packet.axons[d]])
                    flit.packet.done[d] = core.busy_until
                    core.vc = -1
            if core.vc >= 0:
                return

    # ---- grants ----

    def next_flit(self, fifo: Fifo, way: Way) -> Flit | None:
        """What goes next by a way of the packet in front of a FIFO, if it has come."""
        at = way.sent - fifo.left
        flit = fifo.queue[at] if at < len(fifo.queue) else None
        return flit if flit and flit.number == way.sent else None

    def claims(self, channel: int) -> Iterator[tuple[Claim, int, Fifo | None, Way]]:
        """(claim, input channel, its FIFO, way) of every flit that wants this output."""
        f = self.fabric
        if f.kind[channel] == INJECT:
            source = self.sources[int(f.endpoint[channel])]
            packets = self.servers[int(f.endpoint[channel])].packets
            if source.packet < len(packets):
                packet = packets[source.packet]
                yield Claim(packet.made, packet.made, 0), -1, None, Way(channel, 0, source.vc, source.sent)
            return
        for k in self.inputs[int(f.from_router[channel])]:
            for v, fifo in enumerate(self.outputs[k].fifos):
                for way in fifo.ways:
                    if way.channel == channel and (flit := self.next_flit(fifo, way)):
                        yield Claim(max(flit.arrival, way.ready_at), flit.packet.made,
                                    int(f.in_port[k]) * self.vcs + v), k, fifo, way

    def arbitrate(self, now: int, channel: int) -> None:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        out = self.outputs[channel]
        wanted = list(self.claims(channel))
        if not wanted:
            return
        ready = max(min(w[0].since for w in wanted), out.free_at)
        if ready > now:
            self.wake(ready, channel)
            return
        standing = []
        for claim, source, fifo, way in wanted:
            packet = fifo.queue[0].packet if fifo else self.servers[self.fabric.endpoint[channel]].packets[
                self.sources[self.fabric.endpoint[channel]].packet]
            vc = self.vc_for(now, channel, packet, way)
            if claim.since <= now and vc >= 0:
                standing.append((claim, source, fifo, way, packet, vc))
        if not standing:                                      # slots that come back later wake it then
            for claim, *_ in wanted:
                if claim.since > now:
                    self.wake(claim.since, channel)
            return
        claim, source, fifo, way, packet, vc = standing[out.arbiter.winner([s[0] for s in standing])]
        self.grant(now, channel, source, fifo, way, packet, vc)
        out.arbiter.won(claim.input, out.free_at)
        self.wake(out.free_at, channel)

    def grant(self, now: int, channel: int, source: int, fifo: Fifo | None, way: Way, packet: Packet, vc: int) -> None:
        """Send a packet's next flit over a channel; source: the channel behind which it is, -1 for an endpoint."""
        out, f = self.outputs[channel], self.fabric
        number, tail = way.sent, way.sent + 1 == self.flits(packet)
        leads = way.leads
        if fifo is None and self.plan.trees is not None:
            leads = int(self.plan.trees.root[packet.source])
        out.free_at = now + int(f.cycle[channel])
        out.fifos[vc].taken = not tail
        out.fifos[vc].held += 1
        self.load[channel] += 1
        latency = f.body_latency if number else f.latency
        out.last_arrival = max(now + int(latency[channel]), out.last_arrival + int(f.cycle[channel]))
        self.flying.append(Flit(packet, number, tail, leads, vc))
        heapq.heappush(self.events, (out.last_arrival, channel, len(self.flying) - 1))
        if fifo is None:
            self.enter(now, int(f.endpoint[channel]), tail, vc)
            return
        way.vc, way.sent, way.ready_at = vc, number + 1, now + int(f.cycle[source])
        if f.escape_vcs:
            fifo.ways = [way]                                 # the others were alternatives
        while fifo.queue and fifo.ways and min(w.sent for w in fifo.ways) > fifo.left:
            self.leave(now, source, self.outputs[source].fifos.index(fifo))
        if following := fifo.ways and self.next_flit(fifo, way):
            self.wake(max(following.arrival, way.ready_at), channel)

    def enter(self, now: int, e: int, tail: bool, vc: int) -> None:
        """A flit has gone into an endpoint's channel."""
        source, packets = self.sources[e], self.servers[e].packets
        source.sent, source.vc = source.sent + 1, vc
        if source.sent == 1:
            packets[source.packet].entered = source.entry = now
            if source.packet + 1 < len(packets):
                self.make(e, source.packet + 1, now)
        if tail:
            source.packet, source.sent, source.vc = source.packet + 1, 0, -1

    def leave(self, now: int, channel: int, vc: int) -> None:
        """Take the first flit out of a FIFO, give its slot back; behind a tail the next packet begins."""
        fifo, f = self.outputs[channel].fifos[vc], self.fabric
        flit = fifo.queue.popleft()
        self.stays[channel].append((flit.arrival, now))
        fifo.held -= 1
        fifo.credits.append(now + int(f.credit[channel]))
        self.wake(fifo.credits[-1], channel)
        if f.kind[channel] == EJECT:
            return
        fifo.left += 1
        if flit.tail:
            fifo.left, fifo.ways, fifo.ready_at = 0, [], now + int(f.cycle[channel])
            if fifo.queue:
                self.begin(fifo)
                for way in fifo.ways:
                    self.wake(max(fifo.queue[0].arrival, fifo.ready_at), way.channel)
