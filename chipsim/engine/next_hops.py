"""Routes that a chip file writes down (`fabric.routing: table`): next hops, and all that is wrong with them.

1. entries become ports: of the entries that hold for a router and a target, the first one written counts, as in a TCAM;
then the default   2. every packet that cores or the host can make is followed to its target   3. what is found on the
way: no entry, a link that is not there, a fork by `straight`, a circle of routers, a circle of channels.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chipsim.chip.fabric import Fabric
from chipsim.chip.misfit import Misfit

DIRECTIONS = ("east", "west", "north", "south", "northeast", "southwest")    # link ports of meshes and tori, in order
NONE, STRAIGHT, NO_LINK, UNSEEN = -1, -2, -3, -4                             # instead of a port
SHOWN = 6                                                                   # targets or routers that a message names


@dataclass(frozen=True, eq=False)
class Entries:
    """What the file says, before any packet is followed.

    port   int16[R,R] link port at a router (row) for a target (column), or NONE, STRAIGHT, NO_LINK
    entry  int32[R,R] which entry says so, -1 without one;  paths: where each entry stands in the file
    to     int32[R,P] router behind each link port, -1 without a link
    """

    port: np.ndarray
    entry: np.ndarray
    paths: tuple[str, ...]
    to: np.ndarray

    def path(self, router: int, target: int) -> str:
        """Where the entry stands, or the table as a whole."""
        entry = int(self.entry[router, target])
        return self.paths[entry] if entry >= 0 else "fabric.table.routers"


def read_entries(fabric: Fabric, n_routers: int, links: list) -> tuple[Entries, list[Misfit]]:
    """The entries of a fabric with these links (from router, port, to router, ...), and those that make no sense."""
    to = np.full((n_routers, max((port for _, port, *_ in links), default=0) + 1), -1, np.int32)
    for a, port, b, *_ in links:
        to[a, port] = b
    port = np.full((n_routers, n_routers), NONE, np.int16)
    entry, paths, wrong = np.full((n_routers, n_routers), -1, np.int32), [], []
    lines = [(f"fabric.table.routers.{at}.{goal}", at, goal, way) for at, row in fabric.table.routers.items()
             for goal, way in row.items()]
    if fabric.table.default is not None:
        lines.append(("fabric.table.default", "all", "all", fabric.table.default))
    for path, at, goal, way in lines:
        here, there = routers_of(fabric, n_routers, at), routers_of(fabric, n_routers, goal)
        out = _ports(fabric, to, way)
        for text, found in ((at, here), (goal, there)):
            if found is None:
                wrong.append(_wrong(path, f"`{text}` does not name routers of this {fabric.topology} fabric, which has "
                                    f"{n_routers}", _how(fabric)))
        if out is None:
            wrong.append(_wrong(path, f"`{way}` is no way out of a router of this {fabric.topology} fabric",
                                _ways(fabric, to.shape[1])))
        if here is None or there is None or out is None:
            continue
        open_ = np.ix_(here, there)
        fresh = entry[open_] < 0
        port[open_] = np.where(fresh, out[here][:, None], port[open_])
        entry[open_] = np.where(fresh, len(paths), entry[open_])
        paths.append(path)
    return Entries(port, entry, tuple(paths), to), wrong


def routers_of(fabric: Fabric, n_routers: int, text: str) -> np.ndarray | None:
    """int64[.]: routers named by `5`, `4-7` or `all`; on a grid also by `x1y0`, and by two corners of a rectangle."""
    if text == "all":
        return np.arange(n_routers)
    ends = [part.strip() for part in text.split("-")]
    grid, (width, height) = fabric.topology not in ("tree", "custom"), fabric.grid
    if len(ends) <= 2 and all(e.isdigit() for e in ends):
        first, last = int(ends[0]), int(ends[-1])
        return np.arange(first, last + 1) if first <= last < n_routers else None
    corners = [re.fullmatch(r"x(\d+)y(\d+)", e) for e in ends]
    if not grid or len(ends) > 2 or not all(corners):
        return None
    (x0, y0), (x1, y1) = (map(int, c.groups()) for c in (corners[0], corners[-1]))
    if not (x0 <= x1 < width and y0 <= y1 < height):
        return None
    return (np.arange(y0, y1 + 1)[:, None] * width + np.arange(x0, x1 + 1)).ravel()


def _ports(fabric: Fabric, to: np.ndarray, way: str) -> np.ndarray | None:
    """int16[R]: the port that a way out means at each router; None where it means nothing at all."""
    grid = fabric.topology not in ("tree", "custom")
    if way == "straight":
        return np.full(len(to), STRAIGHT, np.int16) if grid else None
    if grid and way in DIRECTIONS[: to.shape[1]]:
        return np.full(len(to), DIRECTIONS.index(way), np.int16)
    neighbour = routers_of(fabric, len(to), way)
    if neighbour is None or len(neighbour) != 1:
        return None
    leads = to == neighbour[0]
    return np.where(leads.any(axis=1), leads.argmax(axis=1), NO_LINK).astype(np.int16)


def _wrong(path: str, message: str, help: str) -> Misfit:
    return Misfit(path, message, help, "E118")


def _how(fabric: Fabric) -> str:
    if fabric.topology in ("tree", "custom"):
        return "write `5`, `4-7` or `all`"
    return "write `5`, `4-7` or `all`; or `x2y0` for column 2 of row 0, `x0y0-x3y1` for a rectangle"


def _ways(fabric: Fabric, n_ports: int) -> str:
    if fabric.topology in ("tree", "custom"):
        return "name the neighbour that the link leads to by its number"
    return f"use {', '.join(DIRECTIONS[:n_ports])}, straight, or the neighbour that the link leads to"


def follow(fabric: Fabric, n_routers: int, links: list) -> tuple[np.ndarray, list[Misfit]]:
    """(uint8[R,R] port towards each router, 255 when there; what keeps packets from their targets).

    Where no packet can come, a port stands that leads somewhere.
    """
    entries, wrong = read_entries(fabric, n_routers, links)
    if wrong:
        return np.zeros((n_routers, n_routers), np.uint8), wrong
    sends, receives = _users(fabric, n_routers)
    port, wrong = _walk(fabric, entries, sends, receives)
    wrong += _circles(fabric, entries, port)
    somewhere = (entries.to >= 0).argmax(axis=1).astype(np.int16)[:, None]
    table = np.where(port >= 0, port, somewhere).astype(np.uint8)
    np.fill_diagonal(table, 255)
    return table, wrong


def _users(fabric: Fabric, n_routers: int) -> tuple[np.ndarray, np.ndarray]:
    """Routers at which packets are made, and those to which they go."""
    n_cores = fabric.n_cores or fabric.n_places * fabric.cores_per_router
    receives = np.unique(fabric.first_router + np.arange(n_cores) // fabric.cores_per_router)
    x, y = fabric.io.router
    host = x if fabric.topology in ("tree", "custom") else x + fabric.grid[0] * y
    return np.union1d(receives, host), receives


def _walk(fabric: Fabric, entries: Entries, sends: np.ndarray, receives: np.ndarray) -> tuple[np.ndarray, list[Misfit]]:
    """(int16[R,R] port taken where a packet comes, UNSEEN elsewhere; packets that cannot go on)."""
    taken = np.full_like(entries.port, UNSEEN)
    lost: dict[tuple[str, str], dict[int, list[int]]] = {}

    def note(why: str, at: np.ndarray, goal: np.ndarray) -> None:
        for r, d in zip(at.tolist(), goal.tolist(), strict=True):
            lost.setdefault((entries.path(r, d), why), {}).setdefault(r, []).append(d)

    here, goal = (a.ravel() for a in np.meshgrid(sends, receives, indexing="ij"))
    here, goal = here[here != goal], goal[here != goal]
    came = np.full(len(here), NONE, np.int16)                       # port by which a packet left the router before
    while len(here):
        said = entries.port[here, goal]
        port = np.where(said == STRAIGHT, came, said)
        fresh = taken[here, goal] == UNSEEN
        taken[here[fresh], goal[fresh]] = port[fresh]
        fork = taken[here, goal] != port
        parts = fork & (taken[here, goal] >= 0) & (port >= 0)               # else it is lost, which is said of it
        note("fork", here[parts], goal[parts])
        taken[here[parts], goal[parts]] = NONE
        fresh &= ~fork
        _, first = np.unique(here[fresh].astype(np.int64) * len(entries.to) + goal[fresh], return_index=True)
        here, goal, port, said = (a[fresh][first] for a in (here, goal, port, said))
        there = np.where(port >= 0, entries.to[here, np.maximum(port, 0)], -1)
        for why, stuck in (("entry", said == NONE), ("start", (said == STRAIGHT) & (port == NONE)),
                           ("link", (there < 0) & (port != NONE))):
            note(why, here[stuck], goal[stuck])
        on = (there >= 0) & (there != goal)
        here, goal, came = there[on], goal[on], port[on]
    return taken, [_misfit(fabric, path, why, places) for (path, why), places in lost.items()]


def _misfit(fabric: Fabric, path: str, why: str, places: dict[int, list[int]]) -> Misfit:
    """The finding of one kind at one entry: at which routers, for which targets."""
    router, goals = next(iter(places.items()))
    where, goal = _name(fabric, router), _names(fabric, sorted(set(goals)))
    more = f"; the same at {len(places) - 1} more routers" if len(places) > 1 else ""
    what, help = {
        "entry": (f"router {where} has no entry for packets to {goal}", "write one, or a `default`"),
        "start": (f"router {where} makes packets to {goal} and has no entry for them: they come from nowhere, so "
                  "`straight` leads nowhere", f"write an entry at router {where}"),
        "link": (f"packets to {goal} leave router {where} where it has no link", "name a way out that is there"),
        "fork": (f"packets to {goal} come to router {where} from several sides and would part there by `straight`",
                 f"write an entry at router {where}: a router has one way out for each target"),
    }[why]
    return _wrong(path, what + more, help)


def _circles(fabric: Fabric, entries: Entries, port: np.ndarray) -> Iterator[Misfit]:
    """Routers that send packets round in a circle."""
    n = len(port)
    goal = np.broadcast_to(np.arange(n), port.shape)
    there = np.where(port >= 0, entries.to[np.arange(n)[:, None], np.maximum(port, 0)], -1)
    there = np.where(there >= 0, there, goal)                               # what is lost goes round nowhere
    far = there
    for _ in range(n.bit_length()):                                         # twice as many hops each time
        far = far[far, goal]
    seen = set()
    for r, d in zip(*np.nonzero(far != goal), strict=True):
        circle = [int(far[r, d])]
        while (onward := int(there[circle[-1], d])) not in circle:
            circle.append(onward)
        if frozenset(circle) not in seen:
            seen.add(frozenset(circle))
            path = [*circle[:SHOWN], *(["..."] if len(circle) > SHOWN else []), circle[0]]
            way = " → ".join(p if isinstance(p, str) else _name(fabric, p) for p in path)
            yield _wrong(entries.path(circle[0], d), f"packets to {_name(fabric, d)} go round in a circle: {way}",
                         "let one of these routers send them elsewhere")


def _name(fabric: Fabric, router: int) -> str:
    width = fabric.grid[0]
    return f"{router}" if fabric.topology in ("tree", "custom") else f"({router % width},{router // width})"


def _names(fabric: Fabric, routers: list[int]) -> str:
    more = f" and {len(routers) - SHOWN} more" if len(routers) > SHOWN else ""
    return ", ".join(_name(fabric, r) for r in routers[:SHOWN]) + more
