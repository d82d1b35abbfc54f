"""Fabrics that stand still: the cycle of FIFOs that wait for each other, found when it happens or before it can.

A packet in the FIFO of one channel that needs the next makes the first depend on the second (Dally and Seitz 1987). A
fabric that blocks can stand still only if these dependencies form a cycle; routes without one never do.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from chipsim.errors import ChipError, Diagnostic, SimulationError

if TYPE_CHECKING:
    from chipsim.chip.fabric import Fabric
    from chipsim.engine.topology import FabricPlan

SHOWN = 8                                                   # channels of a cycle that a message names


class Deadlock(SimulationError):
    """A fabric stands still; `waiting`: (channel, packet at the head of its FIFO, channel it waits for)."""

    def __init__(self, waiting: list[tuple[int, int, int]], finding: Diagnostic):
        super().__init__(finding)
        self.waiting = waiting


def deadlock(waiting: list[tuple[int, int, int]], plan: FabricPlan) -> Deadlock:
    """The error for a fabric that stands still: the cycle among `waiting`, (channel, packet, channel it waits for)."""
    wanted = {channel: (packet, onward) for channel, packet, onward in waiting}
    channel, path = next(iter(wanted)), []
    while channel in wanted and channel not in path:
        path.append(channel)
        channel = wanted[channel][1]
    cycle = path[path.index(channel) :] if channel in path else path
    steps = [f"packet {wanted[k][0]} in the FIFO behind {plan.name(k)}, at port {plan.in_port[k]} of router "
             f"{plan.to_router[k]}, waits for {plan.name(wanted[k][1])}" for k in cycle[:SHOWN]]
    more = [f"and {len(cycle) - SHOWN} more"] if len(cycle) > SHOWN else []
    return Deadlock(waiting, Diagnostic(
        "F501", f"the fabric stands still with {len(waiting)} FIFOs waiting, in a cycle of {len(cycle)}: "
        + "; ".join(steps + more),
        help="routes with a cyclic channel dependency deadlock: use dimension order or a turn model on a mesh, virtual "
             "channels on a torus, or a tree of links"))


def refuse_cycles(fabric: Fabric, plan: FabricPlan) -> None:
    """ChipError if routes that follow a table could deadlock.

    The regular topologies have routes known to be right, or rings, which only a packet list fills: those run, and
    report a deadlock if it comes to one. Where blocked packets are dropped nothing stands still.
    """
    if fabric.topology == "custom" and not fabric.blocked and (cycle := cycle_of(plan)):
        raise ChipError(cyclic(plan, cycle))


def cyclic(plan: FabricPlan, cycle: list[int], severity: str = "error") -> Diagnostic:
    """The finding for a cycle of channels."""
    names = [plan.name(k) for k in cycle[:SHOWN]] + ["..."] * (len(cycle) > SHOWN) + [plan.name(cycle[0])]
    return Diagnostic(
        "F502", f"routes with a cyclic channel dependency, which can deadlock: {len(cycle)} channels wait for each "
        "other: " + ", ".join(names), severity=severity,
        help="leave a link out so that the rest is a tree, or use a mesh; on a torus, two or more virtual channels "
             "(`fabric.vcs`, with a clock `fabric.clock.vcs`) cut the rings")


def cycle_of(plan: FabricPlan) -> list[int] | None:
    """Links, each of which can wait for the next and the last for the first; None if there is no such cycle.

    A depth-first search over the links; those of a link are looked up once, so O(links x routers) in all. The classes
    of virtual channels that cut the rings of a clocked torus are not considered.
    """
    needs = _Needs(plan)
    done: set[int] = set()
    for root in np.flatnonzero(plan.endpoint < 0).tolist():
        path: dict[int, Iterator[int]] = {} if root in done else {root: iter(needs.of(root))}
        while path:                                         # from the root down, each with what is still to be visited
            last = next(reversed(path))
            channel = next(path[last], None)
            if channel is None:
                done.add(last)
                del path[last]
            elif channel in path:
                links = list(path)
                return links[links.index(channel) :]
            elif channel not in done:
                path[channel] = iter(needs.of(channel))
    return None


class _Needs:
    """Which links a packet behind a link may need next, over all targets that have a core."""

    def __init__(self, plan: FabricPlan):
        self.plan = plan
        receives = np.zeros(plan.n_routers, bool)
        receives[plan.router[plan.eject >= 0]] = True
        self.targets = np.flatnonzero(receives)
        self.reached = self._reached()

    def _reached(self) -> np.ndarray:
        """bool[R, R]: a packet for a router (column) can come to be at a router (row)."""
        plan = self.plan
        here = np.zeros((plan.n_routers, plan.n_routers), bool)
        here[np.ix_(np.unique(plan.router), self.targets)] = True
        if plan.choices is not None:
            return here
        new = here.copy()
        while True:
            at, to = np.nonzero(new & (np.arange(plan.n_routers)[:, None] != np.arange(plan.n_routers)))
            onward = plan.to_router[plan.out_channel[at, plan.next_port[at, to]]]
            new = np.zeros_like(here)
            new[onward, to] = ~here[onward, to]
            if not new.any():
                return here
            here |= new

    def of(self, channel: int) -> list[int]:
        plan, a, b = self.plan, int(self.plan.from_router[channel]), int(self.plan.to_router[channel])
        ports: set[int] = set()
        for at_source in (0, 1):
            to = self.targets[self._takes(at_source, a, self.targets, int(plan.out_port[channel]))]
            to = to[to != b]
            still = at_source and a % plan.columns == b % plan.columns
            ports |= {p for p in range(plan.n_ports) if self._takes(int(still), b, to, p).any()}
        return [int(plan.out_channel[b, p]) for p in sorted(ports) if plan.out_channel[b, p] >= 0]

    def _takes(self, at_source: int, router: int, to: np.ndarray, port: int) -> np.ndarray:
        """bool per target: a packet may take the port of a router; at_source: which is in its source's column."""
        plan = self.plan
        if plan.choices is None:
            return (plan.next_port[router, to] == port) & self.reached[router, to]
        bit = port - plan.first_link
        if not 0 <= bit < 8:
            return np.zeros(len(to), bool)
        return (plan.choices[at_source, router, to] >> bit & 1).astype(bool)
