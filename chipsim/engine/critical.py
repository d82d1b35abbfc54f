"""What set the length of a tick: walk back from its end through whatever each event waited for."""
from __future__ import annotations

import numpy as np

from chipsim.engine.alone import alone
from chipsim.engine.outcome import LIMIT_LEARNING, LIMIT_LINK, LIMIT_SOMA, LIMITS, LOST
from chipsim.engine.plan import Plan
from chipsim.engine.topology import walk

PARTS = ("soma", "stall", "flight", "blocking", "synapse", "barrier")


def critical_path(plan: Plan, packets: dict[str, np.ndarray], limit: int, length_ps: int) -> dict:
    """Divide a tick's time along its critical path.

    packets   PACKET_FIELDS of the tick, each int64[n]
    Returns   {limit, core, router, length_ps, parts_ps: {soma, stall, flight, blocking, synapse, barrier}, and, where
              packets moved, busiest_channel and its flits}. The parts add up to the length, barrier included:
              soma      neurons visited and packets made        stall     waiting for the injection FIFO
              flight    channels crossed at zero load, tail            blocking  waiting in the mesh for others
              synapse   packets taken by a synapse server       barrier   synchronisation at the end
    Where the last thing to happen was that a blocked packet was dropped, all its time in the mesh is blocking, and
    `core` is the one that it did not reach.
    """
    layout, fabric = plan.layout, plan.fabric
    code, end = limit >> 24, limit & 0xFFFFFF
    parts = dict.fromkeys(PARTS, 0)
    parts["barrier"] = plan.barrier_ps
    endpoint = plan.endpoint[packets["source"]] if len(packets["source"]) else np.zeros(0, np.int32)
    target = layout.axon_core[packets["axon"]] if len(endpoint) else endpoint
    # A multicast packet counts once.
    _, once = np.unique(np.stack([endpoint, packets["entered_ps"]]), axis=1, return_index=True)
    stalls = np.zeros(len(endpoint), np.int64)
    stalls[once] = (packets["entered_ps"] - packets["made_ps"])[once]
    if code == LIMIT_LINK:
        p = int(np.where(packets["arrived_ps"] == LOST, packets["done_ps"], -1).argmax())
        end = int(target[p])
        before = (endpoint == endpoint[p]) & (packets["entered_ps"] <= packets["entered_ps"][p])
        parts["blocking"] = length_ps - int(packets["entered_ps"][p])
        parts["stall"] = int(stalls[before].sum())
        parts["soma"] = int(packets["entered_ps"][p]) - parts["stall"]
    elif code == LIMIT_SOMA:
        parts["stall"] = int(stalls[endpoint == end].sum())
        parts["soma"] = length_ps - parts["stall"]
    elif length_ps:
        there = np.flatnonzero((target == end) & (packets["arrived_ps"] != LOST))
        p = int(there[packets["done_ps"][there].argmax()])
        while packets["started_ps"][p] > packets["arrived_ps"][p]:
            parts["synapse"] += int(packets["done_ps"][p] - packets["started_ps"][p])
            p = served_before(packets, there, p)
        parts["synapse"] += int(packets["done_ps"][p] - packets["started_ps"][p])
        links = [int(c[0]) for c, _ in walk(fabric, endpoint[p : p + 1], target[p : p + 1])]
        path = [fabric.inject[endpoint[p]], *links, fabric.eject[end]]
        flight = zero_load_ps(plan, path)
        parts["flight"] = int(flight)
        parts["blocking"] = int(packets["arrived_ps"][p] - packets["entered_ps"][p]) - parts["flight"]
        before = (endpoint == endpoint[p]) & (packets["entered_ps"] <= packets["entered_ps"][p])
        parts["stall"] = int(stalls[before].sum())
        parts["soma"] = int(packets["entered_ps"][p]) - parts["stall"]
    host = end == layout.n_cores
    result = dict(limit=LIMITS[code], core=-1 if host else int(layout.cores[end]), host=host,
                  router=int(fabric.router[end]), length_ps=int(length_ps + plan.barrier_ps), parts_ps=parts)
    if len(endpoint):
        number = np.zeros(len(endpoint), np.int64)
        number[once] = 1
        every = np.arange(len(endpoint))
        packet = np.cumsum(number) if plan.trees is not None else every
        crossed = [(every, fabric.inject[endpoint]), (every, fabric.eject[target])]
        crossed += [(moving, channel) for channel, moving in walk(fabric, endpoint, target)]
        rows, channels = (np.concatenate(a) for a in zip(*crossed, strict=True))
        pairs = np.unique(packet[rows] * fabric.n_channels + channels)
        flits = fabric.flits * np.bincount(pairs % fabric.n_channels, minlength=fabric.n_channels)
        result |= dict(busiest_channel=int(flits.argmax()), busiest_flits=int(flits.max()),
                       packets=len(np.unique(packet)))
    return result


def served_before(packets: dict[str, np.ndarray], there: np.ndarray, p: int) -> int:
    """Of the packets `there`, to one core, the one whose end packet p waited for.

    Several may end then, all but one of which take no time: the one that does, else the one that came last.
    """
    ends = there[packets["done_ps"][there] == packets["started_ps"][p]]
    return int(ends[np.lexsort((-packets["arrived_ps"][ends], packets["started_ps"][ends]))[0]])


def add_learning(slowest: dict, plan: Plan, learning_ps: int, core: int, longest: bool) -> None:
    """Put a tick's learning phase into what `critical_path` gave; `longest`: it took more than all before it."""
    if not learning_ps:
        return
    slowest["parts_ps"]["learning"] = learning_ps
    slowest["length_ps"] += learning_ps
    if longest:
        slowest |= dict(limit=LIMITS[LIMIT_LEARNING], core=int(plan.layout.cores[core]), host=False,
                        router=int(plan.fabric.router[core]))


def zero_load_ps(plan: Plan, path: list[int]) -> int:
    """Time from entering the first channel of a path to leaving the last when nobody else is about."""
    fabric = plan.fabric
    if not plan.period_ps and fabric.flits == 1:
        return int(fabric.latency[path].sum())
    if not plan.period_ps:
        ends = (fabric.endpoint[[path[end]]] for end in (0, -1))
        return int(alone(fabric, *ends, np.array([fabric.flits]))[1][0])
    clock = plan.layout.chip.fabric.clock
    cycles = (fabric.hop_cycles[path] + 1).sum() + (len(path) - 1) * clock.router_cycles
    return int(cycles * plan.period_ps)
