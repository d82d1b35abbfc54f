"""Routes: which port a packet takes towards a router. A deterministic router is one function that fills a table.

next_ports   uint8[R,R] for every topology and algorithm (adaptive ones: a path they allow, for loads and energy)
choices      uint8[2,R,R] for adaptive algorithms: every port they allow, as bits

Routes that the chip file writes down are read in next_hops.py. Whether routes can deadlock is answered in deadlock.py.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from chipsim.chip.fabric import Fabric
from chipsim.engine.next_hops import follow
from chipsim.errors import ChipError, Diagnostic

if TYPE_CHECKING:
    from chipsim.engine.topology import FabricPlan

BY_VC = ("xy_yx", "minimal_adaptive", "xy_escape")             # the virtual channel of a packet says where it may go
LOCAL = 255                                               # next_port at the destination router


def _offsets(width: int, height: int) -> tuple[np.ndarray, ...]:
    """Coordinates x, y [R] and offsets dx, dy [R,R] from a router (row) to a target (column)."""
    r = np.arange(width * height, dtype=np.int32)
    x, y = r % width, r // width
    return x, y, x[None, :] - x[:, None], y[None, :] - y[:, None]


def dimension_order(fabric: Fabric) -> np.ndarray:
    """Along one dimension, then the other; on a torus the shorter way round.

    Of equal ways those from even places are positive and those from odd ones negative, so that both carry the same.
    """
    width, height = fabric.grid
    x_first = fabric.routing != "yx"
    along = [_along(n, first_port, fabric.topology == "torus") for n, first_port in ((width, 0), (height, 2))]
    table = np.empty((height, width, height, width), np.uint8)                # of 4.3 GB for 65 536 routers: no copies
    for y, row in enumerate(table):
        ports = along[0][:, None, :], along[1][y][None, :, None]
        first, then = ports if x_first else ports[::-1]
        row[:] = np.where(first != LOCAL, first, then)
    return table.reshape(width * height, width * height)


def _along(n: int, first_port: int, ring: bool) -> np.ndarray:
    """uint8[n, n]: port from one place of a row towards another, LOCAL at it."""
    d = _round(n) if ring else np.arange(n)[None, :] - np.arange(n)[:, None]
    return np.where(d == 0, LOCAL, np.where(d > 0, first_port, first_port + 1)).astype(np.uint8)


def _round(n: int) -> np.ndarray:
    """int[n, n]: steps from one place of a ring to another, the shorter way."""
    d = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    odd = (np.arange(n) % 2 == 1)[:, None]
    return np.where((2 * d < n) | ((2 * d == n) & ~odd), d, d - n)


def hexagonal(fabric: Fabric) -> np.ndarray:
    """On the hexagonal torus: along the diagonal while both offsets have its sign, else along x, then y."""
    width, height = fabric.grid
    dx, dy = np.arange(width)[None, :], np.arange(height)[:, None]       # only offsets round the torus matter
    best = np.full((height, width), np.inf)
    x, y = np.zeros((2, height, width), np.int64)
    for ax in (dx, dx - width):                           # of the ways round, the one with fewest hops
        for ay in (dy, dy - height):
            hops = np.where(ax * ay > 0, np.maximum(abs(ax), abs(ay)), abs(ax) + abs(ay))
            better = hops < best
            best, x, y = np.where(better, hops, best), np.where(better, ax, x), np.where(better, ay, y)
    straight = np.where(x != 0, np.where(x > 0, 0, 1), np.where(y != 0, np.where(y > 0, 2, 3), LOCAL))
    port = np.where(x * y > 0, np.where(x > 0, 4, 5), straight).astype(np.uint8)
    table, twice = np.empty((height, width, height, width), np.uint8), np.tile(port, (2, 2))
    for row in range(height):
        for column in range(width):
            table[row, column] = twice[height - row : 2 * height - row, width - column : 2 * width - column]
    return table.reshape(width * height, width * height)


def shortest_paths(n_routers: int, links: list) -> np.ndarray:
    """Fewest hops over any links; of equal paths the one by the lowest port."""
    into: list[list[tuple[int, int]]] = [[] for _ in range(n_routers)]
    for a, port, b, _, _ in links:
        into[b].append((a, port))
    table = np.full((n_routers, n_routers), LOCAL, np.int64)
    for target in range(n_routers):
        distance = np.full(n_routers, -1)
        distance[target] = 0
        queue = deque([target])
        while queue:
            b = queue.popleft()
            for a, port in into[b]:
                if distance[a] < 0:
                    distance[a] = distance[b] + 1
                    table[a, target] = port
                    queue.append(a)
                elif distance[a] == distance[b] + 1:
                    table[a, target] = min(table[a, target], port)
    return table


TURN_MODELS = ("west_first", "north_last", "negative_first", "odd_even")


def choices(fabric: Fabric) -> np.ndarray | None:
    """uint8[2,R,R]: bit p set when an adaptive algorithm may take port p; [1]: where router and source share a column.

    Turn models of Glass and Ni (1992), +y taken as north, and Chiu's odd-even (2000), on a mesh; or all shortest ways,
    on a torus of two equal ones that of dimension order. All are minimal.
    """
    if fabric.routing not in (*TURN_MODELS, "minimal_adaptive"):
        return None
    width, height = fabric.grid
    x, y, dx, dy = _offsets(width, height)
    if fabric.topology == "torus":
        dx, dy = _round(width)[np.ix_(x, x)], _round(height)[np.ix_(y, y)]
    east, west, north, south = (dx > 0) * 1, (dx < 0) * 2, (dy > 0) * 4, (dy < 0) * 8
    anything = east | west | north | south
    if fabric.routing == "minimal_adaptive":
        mask = anything
    elif fabric.routing == "west_first":
        mask = np.where(west > 0, west, anything)
    elif fabric.routing == "north_last":
        mask = np.where(anything == north, north, anything & ~4)
    elif fabric.routing == "negative_first":
        negative = west | south
        mask = np.where(negative > 0, negative, anything)
    else:
        odd_here, odd_there = (x % 2 == 1)[:, None], (x % 2 == 1)[None, :]
        vertical = north | south
        masks = []
        for at_source in (False, True):
            eastward = np.where(vertical == 0, east, np.where(odd_here | at_source, vertical, 0)
                                | np.where(odd_there | (dx != 1), east, 0))
            westward = west | np.where(odd_here, 0, vertical)
            masks.append(np.where(dx == 0, vertical, np.where(dx > 0, eastward, westward)))
        return np.stack(masks).astype(np.uint8)
    return np.stack([mask, mask]).astype(np.uint8)


def next_ports(fabric: Fabric, n_routers: int, links: list) -> np.ndarray:
    """int[R,R] link port towards each router, LOCAL when there. ChipError for a table that does not lead there."""
    if fabric.routing == "table":
        table, wrong = follow(fabric, n_routers, links)
        if wrong:
            raise ChipError(*(Diagnostic(m.code, m.message, help=m.help) for m in wrong))
        return table
    if fabric.topology in ("tree", "custom"):
        return shortest_paths(n_routers, links)
    if fabric.topology == "hex_torus":
        return hexagonal(fabric)
    if fabric.routing in TURN_MODELS:
        allowed = choices(fabric)
        lowest = allowed[1] & -allowed[1].astype(np.int16)
        return np.where(lowest == 0, LOCAL, np.log2(np.maximum(lowest, 1)).astype(np.int64))
    return dimension_order(fabric)


def rings(fabric: Fabric) -> np.ndarray | None:
    """uint8[R,2] coordinates, on a torus only."""
    if fabric.topology != "torus":
        return None
    width, height = fabric.grid
    x, y, _, _ = _offsets(width, height)
    return np.stack([x, y], axis=1).astype(np.uint8)


def past_dateline(plan: FabricPlan, home: int, channel: int) -> int:
    """0 or 1: the class of virtual channels in which a packet from router `home` crosses a link of a torus.

    1 from the seam of a ring on, 0 before it (Dally and Seitz 1987). Along x and along the diagonal the seam lies
    between the last column and the first, along y between the rows: no packet of class 0 crosses it, none of class 1
    crosses it twice, since no route goes round more than once.
    """
    axis, back = divmod(int(plan.out_port[channel]) - plan.first_link, 2)
    width = plan.columns if axis != 1 else plan.n_routers // plan.columns
    here, start = (divmod(int(r), plan.columns)[axis != 1] for r in (plan.from_router[channel], home))
    return int(here > start or here == 0) if back else int(here < start or here == width - 1)
