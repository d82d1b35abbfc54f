"""Where a packet may go at a router without a clock, and by which virtual channel (VC); for reference_wormhole.py."""
from __future__ import annotations

from typing import TYPE_CHECKING

from chipsim.engine.reference_servers import Packet, next_channel
from chipsim.engine.routing import past_dateline
from chipsim.engine.topology import INJECT
from chipsim.engine.worm_parts import Fifo, Flit, Output, Way
from chipsim.models.draws import philox

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

ORDER_STREAM = 0                                             # of draws: packet k of endpoint e goes x or y first


class Choices:
    """What depends on the fabric's routing.

    With `xy_yx` routing it is drawn for each packet, by its number at its endpoint, whether it goes x first or y first;
    on links the lower half of the VCs is for the former, the upper for the latter.

    With `minimal_adaptive` routing a head claims every output on a shortest way, and goes by the one that is granted
    first. It may take there any VC but the first, which is to escape to and taken in dimension order only (on a torus
    the first two, one on each side of the dateline): Duato's condition (1993). For it to hold, a packet of several
    flits takes a VC only when all its slots are free. Of outputs that are granted at one time those with fewest slots
    taken come first, then the lowest; of VCs that are equal, the escape is taken last.
    """

    def __init__(self, plan: Plan, outputs: list[Output]):
        self.plan, self.fabric, self.vcs, self.outputs = plan, plan.fabric, plan.fabric.vcs, outputs
        self.number: dict[int, int] = {}                      # id of a packet -> which of its endpoint's it is

    def flits(self, packet: Packet) -> int:
        """How many flits a packet has."""
        return self.fabric.flits

    def ways(self, now: int, channel: int, head: Flit) -> list[Way]:
        """The outputs that a packet takes at the router behind `channel`."""
        plan, f, router = self.plan, self.fabric, int(self.fabric.to_router[channel])
        if plan.trees is not None:
            branches = slice(plan.trees.node_start[head.leads], plan.trees.node_start[head.leads + 1])
            return [Way(k, child) for k, child in zip(plan.trees.branch_channel[branches].tolist(),
                                                      plan.trees.branch_child[branches].tolist(), strict=True)]
        core = int(plan.axon_core[head.packet.axons[0]])
        direct = next_channel(plan, router, core)
        if f.by_vc == "xy_yx" and f.router[core] != router:
            y_first = self.goes_y_first(channel, head)
            dy = int(f.router[core]) // f.columns - router // f.columns
            up = int(f.out_channel[router, f.first_link + (2 if dy > 0 else 3)])
            return [Way(up if y_first and dy else direct, -1, y_first=y_first)]
        if f.choices is None or f.router[core] == router:
            return [Way(direct, -1)]
        home = router % f.columns == self.home(head.packet) % f.columns
        mask = int(f.choices[int(home), router, f.router[core]])
        allowed = [int(f.out_channel[router, f.first_link + b]) for b in range(8) if mask >> b & 1]
        if f.escape_vcs:
            return [Way(k, -1, escape=k == direct) for k in allowed]
        return [Way(min(allowed, key=lambda k: (self.crowd(now, k), allowed.index(k))), -1)]

    def goes_y_first(self, channel: int, head: Flit) -> bool:
        """With `xy_yx`: drawn where a packet enters, told by its VC from there on."""
        if self.fabric.kind[channel] != INJECT:
            return head.vc >= self.vcs // 2
        number, e = self.number[id(head.packet)], int(self.fabric.endpoint[channel])
        return bool(philox((number, e, ORDER_STREAM, 0), 0)[0] % 2)

    def crowd(self, now: int, channel: int) -> int:
        """Slots taken behind a channel, as its sender knows."""
        return sum(self.taken(now, fifo) for fifo in self.outputs[channel].fifos)

    def home(self, packet: Packet) -> int:
        """The router of the endpoint that sends a packet."""
        return int(self.fabric.router[self.plan.endpoint[packet.source]])

    def taken(self, now: int, fifo: Fifo) -> int:
        """Slots taken of a FIFO, as its sender knows."""
        fifo.credits = [t for t in fifo.credits if t > now]
        return fifo.held + len(fifo.credits)

    def vc_for(self, now: int, channel: int, packet: Packet, way: Way) -> int:
        """The VC by which a packet's next flit could cross a channel, -1 if there is none."""
        fifos, slots = self.outputs[channel].fifos, int(self.fabric.slots[channel])
        if way.vc >= 0:
            return way.vc if self.taken(now, fifos[way.vc]) < slots else -1
        if self.fabric.escape_vcs and self.fabric.endpoint[channel] < 0 and self.flits(packet) > 1:
            slots = 1                                        # the FIFO has to be empty
        free = [v for v in self.vcs_of(channel, packet, way)
                if not fifos[v].taken and self.taken(now, fifos[v]) < slots]
        return min(free, key=lambda v: self.taken(now, fifos[v]), default=-1)

    def vcs_of(self, channel: int, packet: Packet, way: Way) -> list[int]:
        """VCs of a channel that a packet may take, those it likes best first: on the rings of a torus one half."""
        f = self.fabric
        if f.endpoint[channel] >= 0:
            return list(range(self.vcs))
        if f.by_vc == "xy_yx":
            return list(range(self.vcs // 2, self.vcs) if way.y_first else range(self.vcs // 2))
        past = past_dateline(f, self.home(packet), channel) if f.dateline else 0
        if f.escape_vcs:
            return [*range(f.escape_vcs, self.vcs), *[past] * way.escape]
        upper = self.vcs - self.vcs // 2 if f.dateline else self.vcs
        return list(range(upper, self.vcs) if past else range(upper))
