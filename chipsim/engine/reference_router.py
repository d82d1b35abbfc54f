"""One input-queued router with virtual channels, step by step, plainly. Semantics are those of BookSim 2's `iq` router.

A step, on the state at its begin     1. VC allocation: heads ask for every free VC of their outputs (credits not asked)
                                      2. held connections that have a flit and a credit send it
                                      3. switch allocation among VCs that hold an output VC and have a credit; heads
                                         that still wait for one ask too when `speculative`, and lose the switch when
                                         they did not get a VC with a credit in this very step
                                      4. the crossbar: flits that won before arrive in the output queues
A cycle has `internal_speedup` steps; after them every output queue sends one flit and every input one
message of credits, which names all slots left in one step.

VCs of an input share `input_speedup` ports of the switch (VC v has port v mod speedup), inputs share `output_speedup`
ports of an output likewise. A VC keeps its output VC until its tail has won the switch; the output VC can be given away
in the next step, or with `reuse: when_empty` when all its credits are back. With `connection: packet` a connection in
the switch stays until the packet's tail has passed, or a flit or a credit is missing. Route computation takes
`routing_delay` cycles before step 1; with 0 it is looked ahead. `crossbar: batches` lets flits into a crossbar of
several cycles only when it is empty, as BookSim does; else it is a pipeline.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from chipsim.engine.reference_allocators import Allocator, Wants

if TYPE_CHECKING:
    from chipsim.engine.reference_clocked import ClockedMesh

IDLE, ROUTING, WAITING, ACTIVE = range(4)


@dataclass(frozen=True)
class Clocked:
    """Parameters of the routers: keys of `fabric.clock`, times in cycles."""

    vcs: int = 1
    routing_delay: int = 0
    credit_delay: int = 1
    traversal: int = 1
    allocator: str = "islip"
    reuse: str = "at_once"
    iterations: int = 1
    priority: str = "none"
    speculation: str = "none"
    connection: str = "flit"
    input_speedup: int = 1
    output_speedup: int = 1
    internal_speedup: int = 1
    crossbar: str = "pipeline"
    output_queue: int | None = None
    vc_use: str = "any"

    @classmethod
    def of(cls, clock) -> Clocked:
        """From the `clock` of a chip."""
        return cls(**{f.name: getattr(clock, f.name) for f in fields(cls)})

    @property
    def by_age(self) -> bool:
        return self.priority == "age" or self.allocator == "oldest"

    def matcher(self, n_inputs: int, n_outputs: int) -> Allocator:
        """`oldest` is `round_robin` with ranks by age."""
        return Allocator("round_robin" if self.allocator == "oldest" else self.allocator, n_inputs, n_outputs,
                         self.iterations)


@dataclass(frozen=True)
class Option:
    """Output a packet may leave by, with the VCs it may take there; those with less `rank` first."""

    port: int
    vcs: Sequence[int]
    rank: int = 0


@dataclass
class Flit:
    packet: int
    head: bool
    tail: bool
    vc: int = 0
    arrival: int = 0            # ps, in the FIFO where it is
    node: int = 0               # multicast: where in its tree the packet is


@dataclass
class InputVc:
    state: int = IDLE
    queue: deque = field(default_factory=deque)
    options: list[Option] = field(default_factory=list)
    port: int = -1              # output port and VC that the packet at the head holds
    vc: int = -1
    routed: int = 0             # cycles of route computation done
    branch: int = 0             # multicast: copies of the packet that have left, flits of the next that have
    copied: int = 0

    @property
    def ready(self) -> bool:
        """A flit is there to be sent."""
        return len(self.queue) > self.copied


@dataclass
class OutputVc:
    holder: tuple | None = None
    used: int = 0               # slots taken at the far end, as far as this end knows
    draining: bool = False      # its packet's tail has left; with reuse when_empty it is still held


@dataclass
class Crossing:
    """A flit between switch allocation and its output queue."""

    flit: Flit
    port: int
    done: int | None = None     # cycle; None: not begun


class Router:
    """Router `r` of a mesh, which says where packets may go and takes what leaves."""

    def __init__(self, mesh: ClockedMesh, r: int):
        p, n_ports = mesh.p, mesh.n_ports
        self.mesh, self.p, self.r = mesh, p, r
        self.inputs = [[InputVc() for _ in range(p.vcs)] for _ in range(n_ports)]
        self.outputs = [[OutputVc() for _ in range(p.vcs)] for _ in range(n_ports)]
        self.vc_allocator = p.matcher(n_ports * p.vcs, n_ports * p.vcs)
        self.switch = p.matcher(n_ports * p.input_speedup, n_ports * p.output_speedup)
        self.first_vc = [k % p.input_speedup for k in range(n_ports * p.input_speedup)]  # is put forward first
        self.held: dict[int, tuple[int, int]] = {}      # port into the switch -> (VC, port out of the switch)
        self.crossings: deque[Crossing] = deque()
        self.queues: list[deque[Flit]] = [deque() for _ in range(n_ports)]
        self.credits: list[deque[list[int]]] = [deque() for _ in range(n_ports)]

    def all_vcs(self):
        return ((i, v, vc) for i, vcs in enumerate(self.inputs) for v, vc in enumerate(vcs))

    def receive(self, i: int, flit: Flit) -> None:
        vc = self.inputs[i][flit.vc]
        vc.queue.append(flit)
        if vc.state == IDLE:
            self.start(i, flit.vc)

    def start(self, i: int, v: int) -> None:
        """The packet at the head of an input VC begins, or its next copy."""
        vc = self.inputs[i][v]
        vc.options = self.mesh.options(self, vc.queue[0].packet, i, v)
        vc.state, vc.routed = (ROUTING, 0) if self.p.routing_delay else (WAITING, 0)

    def credit(self, port: int, v: int) -> None:
        """A slot at the far end of an output VC is free again."""
        out = self.outputs[port][v]
        out.used -= 1
        if out.draining and out.used == 0:
            out.holder, out.draining = None, False

    def has_credit(self, port: int, v: int) -> bool:
        return self.outputs[port][v].used < self.mesh.room(self.r, port)

    def has_queue(self, port: int) -> bool:
        return self.p.output_queue is None or len(self.queues[port]) < self.p.output_queue

    # ---- one step ----

    def step(self, now: int) -> None:
        routed = []
        for _, _, vc in self.all_vcs():
            if vc.state == ROUTING:
                vc.routed += 1
                if vc.routed >= self.p.routing_delay:
                    routed.append(vc)
        given = self.allocate_vcs()
        sends, dropped = self.held_connections()
        sends += self.allocate_switch(given)
        self.cross(now)
        for vc in routed:
            vc.state = WAITING
        for (i, v), (port, w) in given.items():
            vc = self.inputs[i][v]
            vc.state, vc.port, vc.vc = ACTIVE, port, w
            self.outputs[port][w].holder = (i, v)
        for a in dropped:
            del self.held[a]
        freed: dict[int, list[int]] = {}
        for a, v, b in sends:
            if self.send(now, a, v, b):
                freed.setdefault(a // self.p.input_speedup, []).append(v)
        for i, vcs in freed.items():
            self.credits[i].append(vcs)
        while self.crossings and self.crossings[0].done is not None and self.crossings[0].done <= now:
            crossing = self.crossings.popleft()
            self.queues[crossing.port].append(crossing.flit)

    def age(self, vc: InputVc) -> int:
        return int(self.mesh.age[vc.queue[0].packet]) if self.p.by_age else 0

    def allocate_vcs(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(input, VC) -> (output, VC)."""
        vcs = self.p.vcs
        wants: Wants = {}
        for i, v, vc in self.all_vcs():
            if vc.state == WAITING:
                wants[i * vcs + v] = {o.port * vcs + w: (0, self.age(vc), o.rank) for o in vc.options for w in o.vcs
                                      if self.outputs[o.port][w].holder is None}
        return {divmod(k, vcs): divmod(taken, vcs) for k, taken in self.vc_allocator.match(wants).items()}

    def held_connections(self) -> tuple[list[tuple[int, int, int]], list[int]]:
        """(those that send: port into the switch, VC, port out of it; those that end for want of a credit)"""
        sends, dropped = [], []
        for a, (v, b) in sorted(self.held.items()):
            vc = self.inputs[a // self.p.input_speedup][v]
            if self.has_credit(vc.port, vc.vc) and self.has_queue(vc.port):
                sends.append((a, v, b))
            else:
                dropped.append(a)
        return sends, dropped

    def allocate_switch(self, given: dict[tuple[int, int], tuple[int, int]]) -> list[tuple[int, int, int]]:
        """(port into the switch, VC, port out of it) of those that send."""
        p = self.p
        forward: dict[tuple[int, int], tuple[tuple, int]] = {}      # (port in, port out) -> (rank, VC put forward)
        busy = {b for _, b in self.held.values()}
        for i, v, vc in self.all_vcs():
            a = i * p.input_speedup + v % p.input_speedup
            for port, speculative in self.asks(vc):
                b = port * p.output_speedup + i % p.output_speedup
                if a in self.held or b in busy:
                    continue
                rank = ((int(speculative), self.age(vc), 0), (v - self.first_vc[a]) % p.vcs)
                if (a, b) not in forward or rank < forward[a, b][0]:
                    forward[a, b] = rank, v
        wants: Wants = {}
        for (a, b), (rank, _) in forward.items():
            wants.setdefault(a, {})[b] = rank[0]
        sends = []
        for a, b in sorted(self.switch.match(wants).items()):
            v, i = forward[a, b][1], a // p.input_speedup
            self.first_vc[a] = (v + p.input_speedup) % p.vcs
            if self.inputs[i][v].state == WAITING:
                port, w = given.get((i, v), (-1, -1))
                if port != b // p.output_speedup or not self.has_credit(port, w):
                    continue                            # the speculation failed
            sends.append((a, v, b))
        return sends

    def asks(self, vc: InputVc) -> list[tuple[int, bool]]:
        """(output, whether speculatively) that an input VC asks the switch for."""
        if vc.state == ACTIVE and vc.ready:
            return [(vc.port, False)] if self.has_credit(vc.port, vc.vc) and self.has_queue(vc.port) else []
        if vc.state == WAITING and self.p.speculation == "switch":
            return [(port, True) for port in {o.port: 0 for o in vc.options} if self.has_queue(port)
                    and any(self.outputs[port][w].holder is None and self.has_credit(port, w)
                            for o in vc.options if o.port == port for w in o.vcs)]
        return []

    def send(self, now: int, a: int, v: int, b: int) -> bool:
        """A flit of the packet at the head of an input VC has won the switch; with the last copy its slot is free."""
        i = a // self.p.input_speedup
        vc = self.inputs[i][v]
        flit, node, last = self.mesh.copy(vc)
        out = self.outputs[vc.port][vc.vc]
        out.used += 1
        if last:
            vc.queue.popleft()
            self.mesh.left(now, self.r, i, flit)
        else:
            vc.copied += 1
        self.crossings.append(Crossing(Flit(flit.packet, flit.head, flit.tail, vc.vc, node=node), vc.port))
        self.held.pop(a, None)
        if flit.tail:
            if self.p.reuse == "at_once":
                out.holder = None
            else:
                out.draining = True
            vc.branch, vc.copied, vc.state = (0 if last else vc.branch + 1), 0, IDLE
            if vc.queue:
                self.start(i, v)
        elif vc.ready and self.p.connection == "packet":
            self.held[a] = (v, b)
        return last

    def cross(self, now: int) -> None:
        """Flits begin to cross, until the first on its way when they go in batches."""
        for crossing in self.crossings:
            if crossing.done is None:
                crossing.done = now + self.p.traversal - 1
            elif self.p.crossbar == "batches":
                break

    def write(self, now: int) -> None:
        """A flit of every output and a message of credits of every input go on their way."""
        for port, queue in enumerate(self.queues):
            if queue:
                self.mesh.depart(now, self.r, port, queue.popleft())
        for i, messages in enumerate(self.credits):
            if messages:
                for v in messages.popleft():
                    self.mesh.give_back(now, self.r, i, v)
