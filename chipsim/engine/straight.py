"""Routes in dimension order on a mesh, in closed form: two straight legs, counted by running sums.

Walking a million routes hop by hop takes seconds on a mesh of 64x64; the sums take a tenth of that and give the same.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chipsim.engine.topology import FabricPlan

PORTS = ((0, 1), (2, 3))                # of the positive and the negative direction, along x and y
STRAIGHT, BORDER = (2, 3), 6            # kinds of links along x and y, and of those that leave a chip


def is_straight(plan: FabricPlan) -> bool:
    """All routes of the fabric are in dimension order on a mesh."""
    return plan.order in (1, 2)


def hops(plan: FabricPlan, source: np.ndarray, target: np.ndarray, n_kinds: int) -> np.ndarray:
    """int64[n, kinds]: links by kind that a packet crosses between two endpoints, for n pairs."""
    count = np.zeros((len(source), n_kinds), np.int64)
    for axis, (_, begin, end) in enumerate(_legs(plan, plan.router[source], plan.router[target])):
        own = _line(plan, axis)
        borders = np.concatenate([[0], np.cumsum(plan.kind[own] == BORDER)])
        over = abs(borders[end] - borders[begin])
        count[:, BORDER] += over
        count[:, STRAIGHT[axis]] += abs(end - begin) - over
    return count


def loads(plan: FabricPlan, source: np.ndarray, target: np.ndarray, packets: np.ndarray) -> np.ndarray:
    """int64[K]: flits over each link when packets[i] go from endpoint source[i] to endpoint target[i]."""
    total = np.zeros(plan.n_channels, np.int64)
    size = (plan.columns, plan.n_routers // plan.columns)
    for axis, (line, begin, end) in enumerate(_legs(plan, plan.router[source], plan.router[target])):
        length, n_lines = size[axis], size[1 - axis]
        for port, (first, stop) in zip(PORTS[axis], ((begin, end), (end + 1, begin + 1)), strict=True):
            moves = first < stop
            width, weight = length + 1, packets[moves].astype(np.float64)
            change = sum(sign * np.bincount(line[moves] * width + at[moves], weight, n_lines * width)
                         for sign, at in ((1, first), (-1, stop)))
            load = np.cumsum(change.reshape(n_lines, width), axis=1)[:, :length].round().astype(np.int64)
            routers = np.arange(plan.n_routers).reshape(size[1], size[0])
            channel = plan.out_channel[routers if axis == 0 else routers.T, port + plan.first_link]
            total[channel[channel >= 0]] += load[channel >= 0]
    return total


def _legs(plan: FabricPlan, here: np.ndarray, there: np.ndarray):
    """Per axis: the row (column) that is followed, and the column (row) where that begins and ends."""
    (y0, x0), (y1, x1) = (np.divmod(r.astype(np.int64), plan.columns) for r in (here, there))
    row, column = (y0, x1) if plan.order == 1 else (y1, x0)
    return (row, x0, x1), (column, y0, y1)


def _line(plan: FabricPlan, axis: int) -> np.ndarray:
    """Links of the first row (column) in the positive direction; all others cross chips where it does."""
    routers = np.arange(plan.columns - 1) if axis == 0 else np.arange(
        0, plan.n_routers - plan.columns, plan.columns)
    return plan.out_channel[routers, PORTS[axis][0] + plan.first_link]
