"""A packet that is alone in a fabric without a clock: when its head and its tail arrive.

What the rules of reference_wormhole.py come to when nothing is in the way: each flit is granted a channel when it has
arrived, when the flit before it has cleared both its FIFO and the channel, and when a slot is free, which a flit some
way ahead has to have left.
"""
from __future__ import annotations

import numpy as np

from chipsim.engine.topology import FabricPlan, walk


def alone(plan: FabricPlan, source: np.ndarray, target: np.ndarray,
          flits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(head, tail, hops) int64[n] of n packets between endpoints, each in an empty fabric, by the table's routes.

    flits       int[n] of each packet
    head, tail  ps from the head's entry until the head and the tail are out
    hops        links between routers
    """
    paths = [plan.inject[source].astype(np.int64)[:, None]]
    for channel, moving in walk(plan, source, target):
        paths.append(np.full((len(source), 1), -1))
        paths[-1][moving, 0] = channel
    path = np.concatenate([*paths, np.full((len(source), 1), -1)], axis=1)
    length = (path >= 0).sum(1)
    path[np.arange(len(source)), length] = plan.eject[target]
    crossed = path >= 0
    cycle, credit, slots = (np.where(crossed, a[path], 0) for a in (plan.cycle, plan.credit, plan.slots))
    last = length                                                   # place of the eject channel
    rows = np.arange(len(source))
    most = int(flits.max(initial=1))
    left = np.zeros((most, *path.shape), np.int64)                  # when a flit leaves the FIFO behind a channel
    head, tail = np.zeros(len(source), np.int64), np.zeros(len(source), np.int64)
    granted_before, arrived_before = (np.full(path.shape, -(1 << 60)) for _ in range(2))
    for j in range(most):
        latency = np.where(crossed, (plan.body_latency if j else plan.latency)[path], 0)
        granted, arrived = np.zeros_like(path), np.zeros_like(path)
        at = np.zeros(len(source), np.int64)                        # when the flit may claim the channel
        for h in range(path.shape[1]):
            since = at if h == 0 else np.maximum(at, granted_before[:, h] + cycle[:, h - 1])
            since = np.maximum(since, granted_before[:, h] + cycle[:, h])
            ahead = j - slots[:, h]
            freed = left[np.maximum(ahead, 0), rows, h] + credit[:, h]
            granted[:, h] = np.where(ahead >= 0, np.maximum(since, freed), since)
            arrived[:, h] = np.maximum(granted[:, h] + latency[:, h], arrived_before[:, h] + cycle[:, h])
            at = np.where(crossed[:, h], arrived[:, h], at)
        left[j, :, :-1] = granted[:, 1:]
        left[j, rows, last] = arrived[rows, last]                   # a core that waits for it takes it at once
        granted_before, arrived_before = granted, arrived
        tail = np.where(j < flits, arrived[rows, last], tail)
        head = tail if j == 0 else head
    return head, tail, length - 1
