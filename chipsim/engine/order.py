"""An order of the channels in which every packet crosses them: what the streaming pass goes through.

Dimension order on a mesh has one: rows eastward and westward, then columns, away from where packets come from. Other
tables have one if no channel can wait for itself (Dally and Seitz 1987), trees always.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chipsim.engine.topology import FabricPlan

LINK = -1                                                   # endpoint of a channel between two routers
MOST_ROUTERS = 512                                          # for which all pairs are looked at


def sweep_order(plan: FabricPlan) -> np.ndarray | None:
    """int32[K] channels, each after all from which its packets can come; None where there is no such order, where
    routes are chosen on the way, or where there are too many routers to tell."""
    if plan.choices is not None:
        return None
    links = np.flatnonzero(plan.endpoint == LINK)
    if plan.order:
        between = _dimension_order(plan, links)
    elif plan.n_routers <= MOST_ROUTERS:
        found = _sorted(links, *_turns(plan))
        if found is None:
            return None
        between = found
    else:
        return None
    inject, eject = plan.inject, plan.eject[plan.eject >= 0]
    return np.concatenate([inject, between, eject]).astype(np.int32)


def _dimension_order(plan: FabricPlan, links: np.ndarray) -> np.ndarray:
    """Row by row and column by column, so that what one channel leaves behind is at hand for the next."""
    x, y = plan.from_router[links] % plan.columns, plan.from_router[links] // plan.columns
    step = plan.to_router[links] - plan.from_router[links]
    vertical = np.abs(step) >= plan.columns if plan.columns > 1 else np.ones(len(links), bool)
    along, across = np.where(vertical, y, x), np.where(vertical, x, y)
    late = vertical if plan.order == 1 else ~vertical
    return links[np.lexsort((np.where(step > 0, along, -along), across, step < 0, late))]


def _turns(plan: FabricPlan) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of links that some route takes one after the other, reachable or not."""
    routers = np.arange(plan.n_routers)
    targets = np.unique(plan.router[plan.eject >= 0])
    here, there = (a.ravel() for a in np.meshgrid(routers, targets, indexing="ij"))
    here, there = here[here != there], there[here != there]
    first = plan.out_channel[here, plan.next_port[here, there]]
    behind = plan.to_router[first]
    on = behind != there
    second = plan.out_channel[behind[on], plan.next_port[behind[on], there[on]]]
    pairs = np.unique(np.stack([first[on], second], 1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _sorted(links: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """Topological order of the links (Kahn 1962), None if they form a cycle."""
    waits = dict.fromkeys(links.tolist(), 0)
    onward: dict[int, list[int]] = {k: [] for k in waits}
    for a, b in zip(before.tolist(), after.tolist(), strict=True):
        onward[a].append(b)
        waits[b] += 1
    ready, order = deque(k for k, n in waits.items() if n == 0), []
    while ready:
        order.append(ready.popleft())
        for b in onward[order[-1]]:
            waits[b] -= 1
            if waits[b] == 0:
                ready.append(b)
    return np.array(order, np.int64) if len(order) == len(links) else None
