"""A clocked mesh, cycle by cycle, plainly: input-queued routers with virtual channels and iSLIP allocators.

Semantics are those of BookSim 2's `iq` router (single iteration of separable round-robin allocation, credits,
wormhole):

cycle t of a router   1. flits and credits whose time has come arrive
                      2. virtual-channel allocation: heads ask for every free VC of their output (credits not asked)
                      3. switch allocation among VCs that held an output VC before this cycle and have a credit
                      4. a winner's flit leaves (received latency + 2 cycles later); its slot's credit goes back
The flit takes `traversal` cycles to cross the switch (received latency + 1 + traversal later). With `reuse:
when_empty` an output VC is given away only when all credits of its last packet are back. Adaptive routes are chosen
when a packet comes to the head of its VC: of the outputs it may take, the one with fewest slots taken, then the lowest.
Route computation takes `routing_delay` cycles before step 2; with 0 it is looked ahead. A VC keeps its output VC until
its tail has won the switch; the output VC can be given away in the next cycle. Allocators (`match`) do one iteration; a
pointer moves past the winner only when a grant is accepted.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.outcome import LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.topology import FabricPlan

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan
    from chipsim.engine.reference_servers import Server

IDLE, ROUTING, WAITING, ACTIVE = range(4)
Pointers = Callable[[int], int]


@dataclass(frozen=True)
class Clocked:
    """Parameters of the routers: virtual channels and pipeline delays in cycles."""

    vcs: int = 1
    routing_delay: int = 0
    credit_delay: int = 1
    traversal: int = 1
    allocator: str = "islip"
    reuse: str = "at_once"

    @classmethod
    def of(cls, clock) -> Clocked:
        """From the `clock` of a chip."""
        return cls(clock.vcs, clock.routing_delay, clock.credit_delay, clock.traversal, clock.allocator, clock.reuse)


@dataclass
class Flit:
    packet: int
    head: bool
    tail: bool
    vc: int = 0
    arrival: int = 0            # ps, in the FIFO where it is


@dataclass
class InputVc:
    state: int = IDLE
    queue: deque = field(default_factory=deque)
    port: int = -1              # output port of the packet at the head
    vc: int = -1                # output VC it holds
    routed: int = 0             # cycles of route computation done
    accept: int = 0             # VC allocation: pointer over output VCs


@dataclass
class OutputVc:
    holder: tuple | None = None
    used: int = 0               # slots taken at the far end, as far as this end knows
    grant: int = 0              # VC allocation: pointer over input VCs
    draining: bool = False      # its packet's tail has left; with reuse when_empty it is still held


class Router:
    def __init__(self, n_ports: int, vcs: int):
        self.inputs = [[InputVc() for _ in range(vcs)] for _ in range(n_ports)]
        self.outputs = [[OutputVc() for _ in range(vcs)] for _ in range(n_ports)]
        self.grant = [0] * n_ports          # switch allocation: pointer over inputs, per output
        self.accept = [0] * n_ports         # and over outputs, per input
        self.first_vc = [0] * n_ports       # VC of an input that is put forward first


@dataclass
class Source:
    waiting: deque = field(default_factory=deque)
    used: list[int] = field(default_factory=list)
    vc: int = -1                # VC of the packet being sent
    last: int = -1
    sent: int = 0


class ClockedMesh:
    """Packets src -> dst (endpoints) of `size` flits, offered at `cycle`; see `run`."""

    def __init__(self, plan: FabricPlan, routers: Clocked, period: int = 1):
        self.plan, self.p, self.period = plan, routers, period
        self.n_ports = plan.n_ports
        self.into = {(int(plan.to_router[k]), int(plan.in_port[k])): k for k in range(plan.n_channels)
                     if plan.to_router[k] >= 0}
        self.out = {(int(plan.from_router[k]), int(plan.out_port[k])): k for k in range(plan.n_channels)
                    if plan.from_router[k] >= 0}

    def run(self, src, dst, cycle, size) -> dict[str, np.ndarray]:
        """Arrays [packets] head_inject, head_arrive, arrive: cycles in which the head enters the injection channel, in
        which head and tail are read from the ejection channel. One FIFO per source, in the order of the arrays."""
        self.begin(src, dst, size)
        for i in range(len(src)):
            self.later(self.offered, int(cycle[i]), i)
        self.move()
        return self.times

    def begin(self, src, dst, size) -> None:
        """Empty routers, and packets that nobody has offered yet."""
        self.src, self.dst, self.size = src, dst, size
        self.times = {name: np.full(len(src), -1, np.int64) for name in ("head_inject", "head_arrive", "arrive")}
        self.age = np.zeros(len(src), np.int64)     # cycle in which a packet was offered
        self.routers = [Router(self.n_ports, self.p.vcs) for _ in range(self.plan.n_routers)]
        self.sources = [Source(used=[0] * self.p.vcs) for _ in self.plan.router]
        self.flits: dict[int, list] = {}            # cycle -> (channel, flit) received
        self.credits: dict[int, list] = {}          # cycle -> (channel, vc)
        self.offered: dict[int, list] = {}          # cycle -> packet
        self.load = np.zeros(self.plan.n_channels, np.int64)
        self.stays: list[list[tuple[int, int]]] = [[] for _ in range(self.plan.n_channels)]

    def move(self) -> None:
        """Cycle by cycle until every packet has arrived."""
        plan = self.plan
        left, now = len(self.src), 0
        while left:
            for channel, vc in self.credits.pop(now, ()):
                if plan.from_router[channel] < 0:
                    self.sources[plan.endpoint[channel]].used[vc] -= 1
                else:
                    out = self.routers[plan.from_router[channel]].outputs[plan.out_port[channel]][vc]
                    out.used -= 1
                    if out.draining and out.used == 0:
                        out.holder, out.draining = None, False
            for channel, flit in self.flits.pop(now, ()):
                left -= self.receive(now, int(channel), flit)
            for i in self.offered.pop(now, ()):
                self.sources[self.src[i]].waiting.append(i)
                self.age[i] = now
            for e, source in enumerate(self.sources):
                self.inject(now, e, source)
            for r, router in enumerate(self.routers):
                self.work(now, r, router)
            now += 1

    def receive(self, now: int, channel: int, flit: Flit) -> bool:
        """A flit at the end of a channel; True when it was a packet's last."""
        plan = self.plan
        if plan.to_router[channel] < 0:
            if flit.head:
                self.times["head_arrive"][flit.packet] = now
            if flit.tail:
                self.times["arrive"][flit.packet] = now
            self.later(self.credits, self.taken(now, channel, flit) + self.credit_time(channel), (channel, flit.vc))
            return flit.tail
        vc = self.routers[plan.to_router[channel]].inputs[plan.in_port[channel]][flit.vc]
        vc.queue.append(flit)
        flit.arrival = now * self.period
        if vc.state == IDLE:
            self.start(int(plan.to_router[channel]), vc)
        return False

    def taken(self, now: int, channel: int, flit: Flit) -> int:
        """Cycle in which an endpoint gives the slot of a flit back: at once."""
        self.stays[channel].append((now * self.period, now * self.period))
        return now

    def entered(self, now: int, i: int) -> None:
        """A packet's head has gone into its source's channel."""

    def start(self, router: int, vc: InputVc) -> None:
        """The packet at the head of an input VC begins."""
        packet, plan = vc.queue[0].packet, self.plan
        vc.port = plan.port_to(router, int(self.dst[packet]))
        there = plan.router[self.dst[packet]]
        if plan.choices is not None and there != router:
            home = int(router % plan.columns == plan.router[self.src[packet]] % plan.columns)
            allowed = [plan.first_link + b for b in range(8) if plan.choices[home, router, there] >> b & 1]
            outputs = self.routers[router].outputs
            vc.port = min(allowed, key=lambda o: (sum(v.used for v in outputs[o]), o))
        vc.state, vc.routed = (ROUTING, 0) if self.p.routing_delay else (WAITING, 0)

    def credit_time(self, channel: int) -> int:
        """Cycles until a credit is usable at the sender; the source nodes use theirs at once."""
        delay = self.p.credit_delay if self.plan.from_router[channel] >= 0 else 0
        return int(self.plan.hop_cycles[channel]) + 1 + delay

    @staticmethod
    def later(events: dict[int, list], at: int, what: tuple) -> None:
        events.setdefault(at, []).append(what)

    def inject(self, now: int, e: int, source: Source) -> None:
        """One flit a cycle; a packet's VC is chosen when it comes to the front: the first after the last with room."""
        if not source.waiting:
            return
        i, channel = source.waiting[0], int(self.plan.inject[e])
        room = int(self.plan.slots[channel])
        if source.vc < 0:
            order = [0] if source.last < 0 else [(source.last + k) % self.p.vcs for k in range(1, self.p.vcs + 1)]
            free = [v for v in order if source.used[v] < (room if self.p.reuse == "at_once" else 1)]
            if not free:
                return
            source.vc = source.last = free[0]
            source.sent = 0
            self.times["head_inject"][i] = now
            self.entered(now, i)
        if source.used[source.vc] >= room:
            return
        source.sent += 1
        source.used[source.vc] += 1
        flit = Flit(i, source.sent == 1, source.sent == self.size[i], source.vc)
        self.later(self.flits, now + int(self.plan.hop_cycles[channel]) + 1, (channel, flit))
        self.load[channel] += 1
        if flit.tail:
            source.waiting.popleft()
            source.vc = -1

    def work(self, now: int, r: int, router: Router) -> None:
        vcs = range(self.p.vcs)
        ready = [(i, v) for i in range(self.n_ports) for v in vcs
                 if router.inputs[i][v].state == ACTIVE and router.inputs[i][v].queue]
        routed = []
        for i in range(self.n_ports):
            for v in vcs:
                vc = router.inputs[i][v]
                if vc.state == ROUTING:
                    vc.routed += 1
                    if vc.routed >= self.p.routing_delay:
                        routed.append(vc)
        self.allocate_vcs(router)
        self.allocate_switch(now, r, router, ready)
        for vc in routed:
            vc.state = WAITING

    def match(self, wants: dict[int, dict[int, int]], grant: Pointers, accept: Pointers, n: int) -> dict[int, int]:
        """Input -> output, one iteration. wants: input -> output -> packet. Pointers move where a match is made.

        islip        every output offers itself to the next input after its pointer; an input takes the next offer
        round_robin  every input asks for the next output after its pointer; an output takes the next input
        oldest       an input asks for the output of its oldest packet, an output takes the oldest; equal ones as above
        """
        by_age = self.p.allocator == "oldest"

        def first(of: dict[int, int], pointer: int) -> int:
            return min(of, key=lambda k: (self.age[of[k]] if by_age else 0, (k - pointer) % n))

        asked: dict[int, dict[int, int]] = {}
        if self.p.allocator == "islip":
            for i, outputs in wants.items():
                for o, packet in outputs.items():
                    asked.setdefault(o, {})[i] = packet
            offers: dict[int, dict[int, int]] = {}
            for o, inputs in asked.items():
                offers.setdefault(first(inputs, grant(o)), {})[o] = 0
            return {i: first(outputs, accept(i)) for i, outputs in offers.items()}
        for i, outputs in wants.items():
            o = first(outputs, accept(i))
            asked.setdefault(o, {})[i] = outputs[o]
        return {first(inputs, grant(o)): o for o, inputs in asked.items()}

    def allocate_vcs(self, router: Router) -> None:
        n, vcs = self.n_ports, self.p.vcs
        wants: dict[int, dict[int, int]] = {}
        for k in range(n * vcs):
            vc = router.inputs[k // vcs][k % vcs]
            if vc.state == WAITING:
                packet = vc.queue[0].packet
                free = {vc.port * vcs + w: packet for w in self.vc_range(packet, vc.port)
                        if router.outputs[vc.port][w].holder is None}
                if free:
                    wants[k] = free
        won = self.match(wants, lambda k: router.outputs[k // vcs][k % vcs].grant,
                         lambda k: router.inputs[k // vcs][k % vcs].accept, n * vcs)
        for k, taken in won.items():
            vc, (o, w) = router.inputs[k // vcs][k % vcs], divmod(taken, vcs)
            router.outputs[o][w].holder = divmod(k, vcs)
            router.outputs[o][w].grant = (k + 1) % (n * vcs)
            vc.accept = (taken + 1) % (n * vcs)
            vc.state, vc.vc = ACTIVE, w

    def vc_range(self, packet: int, port: int) -> range:
        """VCs a packet may take at an output: on a torus one half, by whether its way round crosses the seam."""
        plan, vcs = self.plan, self.p.vcs
        link = port - plan.first_link
        if plan.ring is None or not 0 <= link < 4:
            return range(vcs)
        here = plan.ring[plan.router[self.src[packet]], link // 2]
        there = plan.ring[plan.router[self.dst[packet]], link // 2]
        crosses = there < here if link % 2 == 0 else there > here
        return range(vcs // 2, vcs) if crosses else range(vcs - vcs // 2)

    def allocate_switch(self, now: int, r: int, router: Router, ready: list[tuple]) -> None:
        n, vcs = self.n_ports, self.p.vcs
        forward: dict[tuple, int] = {}              # (input, output) -> VC put forward

        def rank(i: int, v: int) -> tuple:
            age = self.age[router.inputs[i][v].queue[0].packet] if self.p.allocator == "oldest" else 0
            return age, (v - router.first_vc[i]) % vcs

        for i, v in ready:
            vc = router.inputs[i][v]
            if router.outputs[vc.port][vc.vc].used >= self.plan.slots[self.out[r, vc.port]]:
                continue
            best = forward.get((i, vc.port))
            if best is None or rank(i, v) < rank(i, best):
                forward[i, vc.port] = v
        wants: dict[int, dict[int, int]] = {}
        for (i, o), v in forward.items():
            wants.setdefault(i, {})[o] = router.inputs[i][v].queue[0].packet
        for i, o in self.match(wants, router.grant.__getitem__, router.accept.__getitem__, n).items():
            router.grant[o], router.accept[i] = (i + 1) % n, (o + 1) % n
            v = forward[i, o]
            router.first_vc[i] = (v + 1) % vcs
            self.send(now, r, router, i, v)

    def send(self, now: int, r: int, router: Router, i: int, v: int) -> None:
        vc = router.inputs[i][v]
        flit = vc.queue.popleft()
        out = router.outputs[vc.port][vc.vc]
        out.used += 1
        channel = self.out[r, vc.port]
        self.later(self.flits, now + 1 + self.p.traversal + int(self.plan.hop_cycles[channel]),
                   (channel, Flit(flit.packet, flit.head, flit.tail, vc.vc)))
        self.load[channel] += 1
        upstream = self.into[r, i]
        self.stays[upstream].append((flit.arrival, now * self.period))
        self.later(self.credits, now + self.credit_time(upstream), (upstream, v))
        if flit.tail:
            if self.p.reuse == "at_once":
                out.holder = None
            else:
                out.draining = True
            vc.state = IDLE
            if vc.queue:
                self.start(r, vc)


class ClockedTick(ClockedMesh):
    """The clocked mesh of one tick, between soma servers that make packets and synapse servers that take them.

    A packet goes in at the first clock edge after it is made, a source's next one a cycle later at the earliest. A
    synapse server gives a slot back at the first edge after it begins with the packet.
    """

    def __init__(self, plan: Plan):
        clock = plan.layout.chip.fabric.clock
        super().__init__(plan.fabric, Clocked.of(clock), plan.period_ps)
        self.whole = plan

    def run_tick(self, servers: list[Server]) -> tuple[int, int]:
        """As reference_mesh.Mesh.run."""
        self.servers = servers
        self.packets = [(e, k, p) for e, server in enumerate(servers) for k, p in enumerate(server.packets)]
        self.number = {(e, k): i for i, (e, k, _) in enumerate(self.packets)}
        self.entry, self.busy = [0] * len(servers), [0] * (len(servers) - 1)
        cores = [int(self.whole.axon_core[p.axons[0]]) for _, _, p in self.packets]
        self.begin([e for e, _, _ in self.packets], cores, [1] * len(self.packets))
        for e, server in enumerate(servers):
            if server.packets:
                self.make(e, 0, 0, 0)
        self.move()
        ends = [(self.entry[e] + s.tail, LIMIT_SOMA << 24 | e) for e, s in enumerate(servers)]
        ends += [(ps, LIMIT_SYNAPSE << 24 | c) for c, ps in enumerate(self.busy)]
        length = max(ps for ps, _ in ends)
        return length, next(limit for ps, limit in ends if ps == length) if length else 0

    def make(self, e: int, k: int, now_ps: int, earliest: int) -> None:
        packet = self.servers[e].packets[k]
        packet.made = now_ps + packet.gap
        self.later(self.offered, max(earliest, -(-packet.made // self.period)), self.number[e, k])

    def entered(self, now: int, i: int) -> None:
        e, k, packet = self.packets[i]
        packet.entered = self.entry[e] = now * self.period
        if k + 1 < len(self.servers[e].packets):
            self.make(e, k + 1, packet.entered, now + 1)

    def taken(self, now: int, channel: int, flit: Flit) -> int:
        packet, core = self.packets[flit.packet][2], int(self.plan.endpoint[channel])
        packet.arrived[0] = now * self.period
        packet.started[0] = max(packet.arrived[0], self.busy[core])
        packet.done[0] = self.busy[core] = packet.started[0] + int(self.whole.service_ps[packet.axons[0]])
        self.stays[channel].append((packet.arrived[0], packet.started[0]))
        return max(now, -(-packet.started[0] // self.period))
