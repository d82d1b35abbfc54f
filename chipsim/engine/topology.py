"""The fabric as arrays: routers, directed channels, ports; one builder per topology.

Endpoints are the cores in use, in the layout's order, then (unless left out) the host port. A channel is directed and
owns the FIFO at its far end. On a mesh or torus the ports of a router are 0 +x, 1 -x, 2 +y, 3 -y and then its
endpoints; where several cores share a router the endpoints' ports come first, as in BookSim's concentrated mesh (it
matters for ties only).
A topology is one function that lists links; routes are in routing.py.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chipsim.chip.fabric import Fabric
from chipsim.engine import routing, straight

KINDS = ("inject", "eject", "east_west", "north_south", "diagonal", "tree", "interchip")
INJECT, EJECT, EAST_WEST, NORTH_SOUTH, DIAGONAL, TREE, INTERCHIP = range(7)
LOCAL = routing.LOCAL

COMPASS = (0, 4, 2, 1, 5, 3)                              # link ports of a hexagonal torus, anticlockwise from east

Link = tuple[int, int, int, int, int]                     # from router, its port, to router, its port, kind


@dataclass(frozen=True, eq=False)
class FabricPlan:
    """R routers with up to P ports, E endpoints, K channels.

    router        int32[E]   router of each endpoint
    inject, eject int32[E]   channel of each endpoint (eject -1: the host port takes no packets)
    out_channel   int32[R,P] link leaving by a port, -1 where there is none
    next_port     uint8[R,R] port towards a router; LOCAL when there
    order         int        1, 2: on a mesh, dimension order x or y first, which needs no table; 0: everything else
    columns       int        routers in a row
    first_link    int        ports below it belong to endpoints (0 where they come last)
    choices       uint8[2,R,R] or None: links that adaptive routing may take (bit p: port first_link + p); [1] in the
                             source's column
    by_vc         str: routings (routing.BY_VC) in which the virtual channel of a packet says where it may go; "" else
    ring          uint8[R,2] or None: coordinates on a torus, for the VC classes that cut its rings
    kind          uint8[K]; from_router, to_router int32[K] (-1: an endpoint); endpoint int32[K] (-1: a link)
    in_port, out_port uint8[K]   ports at the far and the near router
    latency, cycle, credit int64[K] ps; slots int32[K], of each virtual channel
    body_latency  int64[K]   ps, of the flits behind a packet's head
    flits         int        of a spike packet
    vcs           int        virtual channels of a channel
    dateline      bool       they are in two classes, which cut the rings of a torus: see routing.past_dateline
    escape_vcs    int        the first so many are in dimension order, the rest go any shortest way; 0: all are alike
    hop_cycles    int64[K]   clocked fabrics: link latency in cycles
    cores         int32[C]   core number of each endpoint but the host port
    wait, emergency_wait     ps at the head of a FIFO before a packet gives up its output, and then the emergency route;
                             0: it waits for ever, there is no such route
    detour, rejoin int32[K] or None: the first link of the way round each link, -1 without one; and for a packet that
                             came by a link as the first of a detour, the second
    """

    router: np.ndarray
    inject: np.ndarray
    eject: np.ndarray
    out_channel: np.ndarray
    next_port: np.ndarray
    order: int
    columns: int
    first_link: int
    choices: np.ndarray | None
    by_vc: str
    ring: np.ndarray | None
    kind: np.ndarray
    from_router: np.ndarray
    to_router: np.ndarray
    endpoint: np.ndarray
    in_port: np.ndarray
    out_port: np.ndarray
    latency: np.ndarray
    cycle: np.ndarray
    credit: np.ndarray
    slots: np.ndarray
    body_latency: np.ndarray
    flits: int
    vcs: int
    dateline: bool
    escape_vcs: int
    hop_cycles: np.ndarray
    cores: np.ndarray
    wait: int
    emergency_wait: int
    detour: np.ndarray | None
    rejoin: np.ndarray | None

    @property
    def n_channels(self) -> int:
        return len(self.kind)

    @property
    def n_routers(self) -> int:
        return len(self.out_channel)

    @property
    def n_ports(self) -> int:
        return self.out_channel.shape[1]

    @property
    def wormhole(self) -> bool:
        """Packets of several flits or several virtual channels, without a clock: for engine/wormhole.pyx."""
        return self.flits > 1 or self.vcs > 1

    @property
    def adaptive(self) -> bool:
        """A packet's way is not that of the table alone."""
        return self.choices is not None or bool(self.by_vc)

    def name(self, channel: int) -> str:
        """What a channel is called in messages and reports."""
        e = int(self.endpoint[channel])
        core = int(self.cores[e]) if 0 <= e < len(self.cores) else -1
        return channel_name(int(self.kind[channel]), int(self.from_router[channel]), int(self.to_router[channel]), core,
                            self.columns)

    def port_to(self, router: int, endpoint: int) -> int:
        """Port by which a packet for an endpoint leaves a router."""
        port = int(self.next_port[router, self.router[endpoint]])
        return int(self.out_port[self.eject[endpoint]]) if port == LOCAL else port


def channel_name(kind: int, here: int, there: int, core: int, columns: int) -> str:
    """A channel as people point at it: "(3,1)→E", "core 17→router", "router→core 17", "host→router"."""
    if kind == INJECT:
        return "host→router" if core < 0 else f"core {core}→router"
    if kind == EJECT:
        return f"router→core {core}"
    if columns == 1 and kind in (EAST_WEST, TREE):          # a tree, or a custom topology: routers without rows
        return f"router {here}→router {there}"
    step = {1: "E", -1: "W"} if kind == EAST_WEST else {columns: "N", -columns: "S"}
    name = step.get(there - here, f"({there % columns},{there // columns})")
    return f"({here % columns},{here // columns})→{name}"


def picoseconds(seconds: float) -> int:
    return round(seconds * 1e12)


def plan_fabric(fabric: Fabric, cores: np.ndarray, *, host: bool = True) -> FabricPlan:
    """Channels of the whole fabric, with endpoints only for the cores in use (int[C], their numbers) and the host."""
    links, n_routers, n_link_ports = TOPOLOGIES[fabric.topology](fabric)
    cores = np.asarray(cores)
    per_router = fabric.cores_per_router
    router, local = fabric.first_router + cores // per_router, cores % per_router
    if host:
        router = np.append(router, host_router(fabric))
        local = np.append(local, per_router)
    first_local, first_link = (0, per_router) if per_router > 1 else (n_link_ports, 0)
    port = np.where(local < per_router, first_local + local, n_link_ports + per_router)
    n_ports = n_link_ports + per_router + host

    rows = [(kind, a, b, -1, in_port + first_link, out_port + first_link) for a, out_port, b, in_port, kind in links]
    inject, eject = np.full(len(router), -1, np.int32), np.full(len(router), -1, np.int32)
    for e, r in enumerate(router):
        inject[e] = len(rows)
        rows.append((INJECT, -1, int(r), e, int(port[e]), 0))
        if e < len(cores):
            eject[e] = len(rows)
            rows.append((EJECT, int(r), -1, e, 0, int(port[e])))
    kind, source, target, endpoint, in_port, out_port = np.array(rows, np.int64).reshape(-1, 6).T
    out_channel = np.full((n_routers, n_ports), -1, np.int32)
    between = np.flatnonzero((source >= 0) & (target >= 0))
    out_channel[source[between], out_port[between]] = between

    used = sorted(set(kind.tolist()))
    spec = {k: getattr(fabric.channels, KINDS[k]) for k in used}
    times = {name: np.array([picoseconds(getattr(spec[k], name)) for k in kind], np.int64)
             for name in ("latency", "cycle", "credit")}
    body = [spec[k].latency if spec[k].body_latency is None else spec[k].body_latency for k in kind]
    period = picoseconds(fabric.clock.period) if fabric.clock else 0
    blocked = fabric.blocked
    emergency_wait = picoseconds(blocked.emergency_wait) if blocked and blocked.emergency_wait else 0
    detour, rejoin = None, None
    if emergency_wait:
        detour, rejoin = _round(out_channel[:, first_link:], source, target, out_port - first_link)
    next_port = routing.next_ports(fabric, n_routers, links)
    if first_link or next_port.dtype != np.uint8:
        next_port = np.where(next_port == LOCAL, LOCAL, next_port + first_link).astype(np.uint8)
    return FabricPlan(
        router=router.astype(np.int32), inject=inject, eject=eject, out_channel=out_channel, next_port=next_port,
        order={"xy": 1, "yx": 2}.get(fabric.routing, 0) if fabric.topology == "mesh" else 0,
        columns=fabric.grid[0], first_link=first_link, choices=routing.choices(fabric),
        by_vc=fabric.routing if fabric.routing in routing.BY_VC else "", ring=routing.rings(fabric),
        kind=kind.astype(np.uint8), from_router=source.astype(np.int32), to_router=target.astype(np.int32),
        endpoint=endpoint.astype(np.int32), in_port=in_port.astype(np.uint8), out_port=out_port.astype(np.uint8),
        slots=np.array([spec[k].slots for k in kind], np.int32),
        body_latency=np.array([picoseconds(t) for t in body], np.int64), flits=fabric.flits, vcs=fabric.n_vcs,
        dateline=fabric.dateline, escape_vcs=fabric.escape_vcs,
        hop_cycles=np.maximum(1, -(-times["latency"] // period)) if period else np.ones(len(kind), np.int64),
        cores=cores.astype(np.int32), wait=picoseconds(blocked.wait) if blocked else 0, emergency_wait=emergency_wait,
        detour=detour, rejoin=rejoin, **times)


def _round(out_channel: np.ndarray, source: np.ndarray, target: np.ndarray,
           port: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(detour, rejoin) of a hexagonal torus, as SpiNNaker's routers go round: a blocked way east is gone north-east,
    then south. `port`: link port by which each channel leaves."""
    detour, rejoin = np.full(len(source), -1, np.int32), np.full(len(source), -1, np.int32)
    for k in np.flatnonzero((source >= 0) & (target >= 0)):
        at = COMPASS.index(port[k])
        detour[k] = out_channel[source[k], COMPASS[(at + 1) % 6]]
        rejoin[k] = out_channel[target[k], COMPASS[at - 2]]
    return detour, rejoin


# ---- topologies: (links, number of routers, link ports of a router) ----

def mesh(fabric: Fabric) -> tuple[list[Link], int, int]:
    """2D mesh; where a link leaves its chip it is of class interchip."""
    return _grid(fabric, ((1, 0), (0, 1)), wrap=False)


def torus(fabric: Fabric) -> tuple[list[Link], int, int]:
    """2D mesh with its rows and columns closed to rings."""
    return _grid(fabric, ((1, 0), (0, 1)), wrap=True)


def hex_torus(fabric: Fabric) -> tuple[list[Link], int, int]:
    """Torus with a diagonal: ports +x, -x, +y, -y, +x+y, -x-y, as SpiNNaker's chips are joined."""
    return _grid(fabric, ((1, 0), (0, 1), (1, 1)), wrap=True)


def _grid(fabric: Fabric, directions: tuple, wrap: bool) -> tuple[list[Link], int, int]:
    width, height = fabric.grid
    links = []
    for r in range(width * height):
        x, y = r % width, r // width
        for axis, (dx, dy) in enumerate(directions):
            for sign, port in ((1, 2 * axis), (-1, 2 * axis + 1)):
                nx, ny = x + sign * dx, y + sign * dy
                if wrap:
                    if (dx and width == 1) or (dy and height == 1):
                        continue
                    nx, ny = nx % width, ny % height
                if 0 <= nx < width and 0 <= ny < height:
                    border = (nx // fabric.width, ny // fabric.height) != (x // fabric.width, y // fabric.height)
                    kind = INTERCHIP if border else (EAST_WEST, NORTH_SOUTH, DIAGONAL)[axis]
                    links.append((r, port, nx + width * ny, port ^ 1, kind))
    return links, width * height, 2 * len(directions)


def tree(fabric: Fabric) -> tuple[list[Link], int, int]:
    """Complete tree, root 0, children of r: arity*r + 1 ...; cores on the leaves. Port 0 is up, 1 + i to child i."""
    n_inner = fabric.first_router
    links = []
    for r in range(n_inner):
        for i in range(fabric.arity):
            child = fabric.arity * r + 1 + i
            links += [(r, 1 + i, child, 0, TREE), (child, 0, r, 1 + i, TREE)]
    return links, fabric.n_routers, 1 + fabric.arity


def custom(fabric: Fabric) -> tuple[list[Link], int, int]:
    """Routers joined by a list of two-way links; ports in the order of the list."""
    ports: dict[int, int] = {}
    links = []
    for a, b in fabric.pairs:
        pa, pb = ports.get(a, 0), ports.get(b, 0)
        ports[a], ports[b] = pa + 1, pb + 1
        links += [(a, pa, b, pb, EAST_WEST), (b, pb, a, pa, EAST_WEST)]
    return links, fabric.routers, max(ports.values(), default=1)


TOPOLOGIES = {"mesh": mesh, "torus": torus, "hex_torus": hex_torus, "tree": tree, "custom": custom}


def host_router(fabric: Fabric) -> int:
    if fabric.topology in ("tree", "custom"):
        return fabric.io.router[0]
    return fabric.io.router[0] + fabric.grid[0] * fabric.io.router[1]


# ---- what flows where ----

def flows_to_channels(plan: FabricPlan, source: np.ndarray, target: np.ndarray, packets: np.ndarray) -> np.ndarray:
    """Flits per channel, int64[K], when `packets[i]` go from endpoint source[i] to endpoint target[i]."""
    loads = np.zeros(plan.n_channels, np.int64)
    np.add.at(loads, plan.inject[source], packets)
    np.add.at(loads, plan.eject[target], packets)
    if straight.is_straight(plan):
        return loads + straight.loads(plan, source, target, packets)
    for channel, moving in walk(plan, source, target):
        np.add.at(loads, channel, packets[moving])
    return loads


def walk(plan: FabricPlan, source: np.ndarray, target: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, hop by hop, (link taken int32[m], which pairs still move int64[m]) of all pairs of endpoints at once."""
    here, there = plan.router[source].copy(), plan.router[target]
    moving = np.flatnonzero(here != there)
    while len(moving):
        channel = plan.out_channel[here[moving], plan.next_port[here[moving], there[moving]]]
        yield channel, moving
        here[moving] = plan.to_router[channel]
        moving = moving[here[moving] != there[moving]]
