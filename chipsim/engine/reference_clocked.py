"""A clocked mesh, cycle by cycle, plainly: channels, sources and sinks between the routers of reference_router.py.

cycle t     1. flits and credits whose time has come arrive     2. sources send, one flit each     3. every router takes
            its steps, then sends what is in its output queues: a flit is received latency + 1 cycles later
Adaptive routes are chosen when a packet comes to the head of its VC: of the outputs it may take, the one with fewest
slots taken, then the lowest.
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.outcome import LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.reference_router import Clocked, Flit, InputVc, Option, Router
from chipsim.engine.topology import FabricPlan
from chipsim.models.draws import philox

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan
    from chipsim.engine.reference_servers import Server


ORDER_STREAM = 0                # of draws: packet k of endpoint e goes x or y first


@dataclass
class Source:
    waiting: deque = field(default_factory=deque)
    used: list[int] = field(default_factory=list)
    vc: int = -1                # VC of the packet being sent
    last: int = -1
    sent: int = 0
    packets: int = 0            # begun


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
        self.y_first = np.zeros(len(src), bool)     # with xy_yx
        self.routers = [Router(self, r) for r in range(self.plan.n_routers)]
        self.sources = [Source(used=[0] * self.p.vcs) for _ in self.plan.router]
        self.flits: dict[int, list] = {}            # cycle -> (channel, flit) received
        self.credits: dict[int, list] = {}          # cycle -> (channel, vc)
        self.offered: dict[int, list] = {}          # cycle -> packet
        self.load = np.zeros(self.plan.n_channels, np.int64)
        self.stays: list[list[tuple[int, int]]] = [[] for _ in range(self.plan.n_channels)]

    def move(self) -> None:
        """Cycle by cycle until every packet has arrived."""
        plan = self.plan
        left, now = self.deliveries(), 0
        while left:
            for channel, vc in self.credits.pop(now, ()):
                if plan.from_router[channel] < 0:
                    self.sources[plan.endpoint[channel]].used[vc] -= 1
                else:
                    self.routers[plan.from_router[channel]].credit(int(plan.out_port[channel]), vc)
            for channel, flit in self.flits.pop(now, ()):
                left -= self.receive(now, int(channel), flit)
            for i in self.offered.pop(now, ()):
                self.sources[self.src[i]].waiting.append(i)
                self.age[i] = now
            for e, source in enumerate(self.sources):
                self.inject(now, e, source)
            for router in self.routers:
                for _ in range(self.p.internal_speedup):
                    router.step(now)
                router.write(now)
            now += 1

    def deliveries(self) -> int:
        return len(self.src)

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
        flit.arrival = now * self.period
        self.routers[plan.to_router[channel]].receive(int(plan.in_port[channel]), flit)
        return False

    def taken(self, now: int, channel: int, flit: Flit) -> int:
        """Cycle in which an endpoint gives the slot of a flit back: at once."""
        self.stays[channel].append((now * self.period, now * self.period))
        return now

    def entered(self, now: int, i: int) -> None:
        """A packet's head has gone into its source's channel."""

    def root(self, i: int) -> int:
        """Where in its multicast tree a packet begins."""
        return 0

    # ---- what a router asks of its surroundings ----

    def room(self, r: int, port: int) -> int:
        """Slots at the far end of an output, of each VC."""
        return int(self.plan.slots[self.out[r, port]])

    def left(self, now: int, r: int, i: int, flit: Flit) -> None:
        """A flit has left the FIFO of an input."""
        self.stays[self.into[r, i]].append((flit.arrival, now * self.period))

    def copy(self, vc: InputVc) -> tuple[Flit, int, bool]:
        """The flit an input VC sends, where in its tree the packet will be, and whether no further copy needs it."""
        return vc.queue[0], 0, True

    def depart(self, now: int, r: int, port: int, flit: Flit) -> None:
        """A flit goes out on a channel."""
        channel = self.out[r, port]
        self.later(self.flits, now + int(self.plan.hop_cycles[channel]) + 1, (channel, flit))
        self.load[channel] += 1

    def give_back(self, now: int, r: int, i: int, v: int) -> None:
        """A slot of an input is free; its sender will know."""
        self.later(self.credits, now + self.credit_time(self.into[r, i]), (self.into[r, i], v))

    def options(self, router: Router, packet: int, i: int, v: int) -> list[Option]:
        """Where a packet in VC v of input i may go."""
        plan, vcs, r = self.plan, self.p.vcs, router.r
        port, there = plan.port_to(r, int(self.dst[packet])), plan.router[self.dst[packet]]
        if there == r:
            return [Option(port, range(vcs))]
        if plan.by_vc:
            return self.by_vc(r, int(there), packet, i, v)
        if plan.choices is not None:
            home = int(r % plan.columns == plan.router[self.src[packet]] % plan.columns)
            allowed = [plan.first_link + b for b in range(8) if plan.choices[home, r, there] >> b & 1]
            port = min(allowed, key=lambda o: (sum(out.used for out in router.outputs[o]), o))
        if self.p.vc_use == "next_output":
            channel, share = self.out[r, port], vcs // self.n_ports
            beyond = plan.port_to(int(plan.to_router[channel]), int(self.dst[packet]))
            return [Option(port, range(beyond * share, (beyond + 1) * share))]
        return [Option(port, self.ring_class(packet, port))]

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
            mine = self.first_vcs(e, i)
            at = mine.index(source.last) if source.last in mine else -1
            order = [mine[(at + k) % len(mine)] for k in range(1, len(mine) + 1)] if at >= 0 else mine[:1]
            free = [v for v in order if source.used[v] < (room if self.p.reuse == "at_once" else 1)]
            if not free:
                return
            source.vc = source.last = free[0]
            source.sent = 0
            self.y_first[i] = self.plan.by_vc == "xy_yx" and philox((source.packets, e, ORDER_STREAM, 0), 0)[0] % 2
            source.packets += 1
            self.times["head_inject"][i] = now
            self.entered(now, i)
        if source.used[source.vc] >= room:
            return
        source.sent += 1
        source.used[source.vc] += 1
        flit = Flit(i, source.sent == 1, source.sent == self.size[i], source.vc, node=self.root(i))
        self.later(self.flits, now + int(self.plan.hop_cycles[channel]) + 1, (channel, flit))
        self.load[channel] += 1
        if flit.tail:
            source.waiting.popleft()
            source.vc = -1

    def by_vc(self, r: int, there: int, packet: int, i: int, v: int) -> list[Option]:
        """xy_yx: a packet goes x first or y first, as it is drawn, with half of the VCs for each order.
        minimal_adaptive: any VC but 0 of an output on a shortest way; or VC 0 of the x-first way, and then to the end.
        xy_escape: minimal_adaptive, but of the outputs only that of the x-first way.
        """
        plan, vcs = self.plan, self.p.vcs
        dx, dy = there % plan.columns - r % plan.columns, there // plan.columns - r // plan.columns
        along = [plan.first_link + (0 if dx > 0 else 1), plan.first_link + (2 if dy > 0 else 3)]
        if plan.by_vc == "xy_yx":
            y_first = bool(self.y_first[packet])
            port = along[0] if dx and not (y_first and dy) else along[1]
            return [Option(port, range(vcs // 2, vcs) if y_first else range(vcs // 2))]
        options = [Option(along[0] if dx else along[1], range(1), rank=1)]
        if v > 0 or plan.from_router[self.into[r, i]] < 0:
            ways = [port for port, d in zip(along, (dx, dy), strict=True) if d]
            options += [Option(port, range(1, vcs)) for port in (ways[:1] if plan.by_vc == "xy_escape" else ways)]
        return options

    def first_vcs(self, e: int, i: int) -> range:
        """VCs of an injection channel that a packet may take."""
        if self.p.vc_use == "any":
            return range(self.p.vcs)
        share, port = self.p.vcs // self.n_ports, self.plan.port_to(int(self.plan.router[e]), int(self.dst[i]))
        return range(port * share, (port + 1) * share)

    def ring_class(self, packet: int, port: int) -> range:
        """VCs a packet may take at an output: on a torus one half, by whether its way round crosses the seam."""
        plan, vcs = self.plan, self.p.vcs
        link = port - plan.first_link
        if plan.ring is None or not 0 <= link < 4:
            return range(vcs)
        here = plan.ring[plan.router[self.src[packet]], link // 2]
        there = plan.ring[plan.router[self.dst[packet]], link // 2]
        crosses = there < here if link % 2 == 0 else there > here
        return range(vcs // 2, vcs) if crosses else range(vcs - vcs // 2)


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
        k = 0 if self.whole.trees is None else -1 - flit.node
        packet.arrived[k] = now * self.period
        packet.started[k] = max(packet.arrived[k], self.busy[core])
        packet.done[k] = self.busy[core] = packet.started[k] + int(self.whole.service_ps[packet.axons[k]])
        self.stays[channel].append((packet.arrived[k], packet.started[k]))
        return max(now, -(-packet.started[k] // self.period))

    # ---- multicast: a router sends the copies of a packet one after the other, in the order of their channels ----

    def deliveries(self) -> int:
        return sum(len(p.axons) for _, _, p in self.packets)

    def root(self, i: int) -> int:
        return 0 if self.whole.trees is None else int(self.whole.trees.root[self.packets[i][2].source])

    def options(self, router: Router, packet: int, i: int, v: int) -> list[Option]:
        if self.whole.trees is None:
            return super().options(router, packet, i, v)
        vc = router.inputs[i][v]
        return [Option(int(self.plan.out_port[self.branch(vc)[0]]), range(self.p.vcs))]

    def copy(self, vc: InputVc) -> tuple[Flit, int, bool]:
        if self.whole.trees is None:
            return super().copy(vc)
        _, child, last = self.branch(vc)
        return vc.queue[vc.copied], child, last

    def branch(self, vc: InputVc) -> tuple[int, int, bool]:
        """(channel of the copy to be sent, where in the tree it leads, whether it is the last)"""
        trees, node = self.whole.trees, vc.queue[0].node
        b = int(trees.node_start[node]) + vc.branch
        return int(trees.branch_channel[b]), int(trees.branch_child[b]), b + 1 == trees.node_start[node + 1]
