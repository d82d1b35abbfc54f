"""The fabric as arrays: channels, ports and the next-hop table that the engines walk.

Endpoints are the cores in use, in the layout's order, then the host port. Channels are directed and own the FIFO at
their far end. Ports of a router: 0 +x, 1 -x, 2 +y, 3 -y, then one per local endpoint. A deterministic router is one
function that fills `next_port`.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.chip.spec import Fabric

INJECT, EJECT, EAST_WEST, NORTH_SOUTH = range(4)
KINDS = ("inject", "eject", "east_west", "north_south")
LINK_PORTS = 4
OPPOSITE = (1, 0, 3, 2)                                   # leaving by +x arrives at the neighbour's -x port
LOCAL = 255                                               # next_port at the destination router


@dataclass(frozen=True, eq=False)
class FabricPlan:
    """R routers, E endpoints, K channels.

    router        int32[E]   router of each endpoint
    inject, eject int32[E]   channel of each endpoint (eject -1: the host port takes no packets)
    out_channel   int32[R,4] link leaving by a port, -1 at the edge
    next_port     uint8[R,R] port towards a router; LOCAL when there
    kind          uint8[K]; from_router, to_router int32[K] (-1: an endpoint); endpoint int32[K] (-1: a link)
    in_port       uint8[K]   port at the far router
    latency, cycle, credit int64[K] ps; slots int32[K]
    """

    router: np.ndarray
    inject: np.ndarray
    eject: np.ndarray
    out_channel: np.ndarray
    next_port: np.ndarray
    kind: np.ndarray
    from_router: np.ndarray
    to_router: np.ndarray
    endpoint: np.ndarray
    in_port: np.ndarray
    latency: np.ndarray
    cycle: np.ndarray
    credit: np.ndarray
    slots: np.ndarray

    @property
    def n_channels(self) -> int:
        return len(self.kind)


def picoseconds(seconds: float) -> int:
    return round(seconds * 1e12)


def xy_ports(width: int, height: int, first: str = "x") -> np.ndarray:
    """Next-hop table of dimension-order routing on a mesh, router = x + width * y; uint8[R, R]."""
    r = np.arange(width * height)
    x, y = r % width, r // width
    dx = x[None, :] - x[:, None]
    dy = y[None, :] - y[:, None]
    along_x = np.where(dx > 0, 0, 1)
    along_y = np.where(dy > 0, 2, 3)
    if first == "x":
        ports = np.where(dx != 0, along_x, np.where(dy != 0, along_y, LOCAL))
    else:
        ports = np.where(dy != 0, along_y, np.where(dx != 0, along_x, LOCAL))
    return ports.astype(np.uint8)


ROUTERS = {"xy": lambda f: xy_ports(f.width, f.height, "x"), "yx": lambda f: xy_ports(f.width, f.height, "y")}


def plan_fabric(fabric: Fabric, cores: np.ndarray) -> FabricPlan:
    """Channels of the whole mesh, with endpoints only for the cores in use (int[C], core numbers) and the host port."""
    width, height = fabric.width, fabric.height
    n_routers = width * height
    rows: list[tuple] = []                                # kind, from, to, endpoint, in_port
    out_channel = np.full((n_routers, LINK_PORTS), -1, np.int32)
    for r in range(n_routers):
        x, y = r % width, r // width
        for port, (nx, ny) in enumerate(((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))):
            if 0 <= nx < width and 0 <= ny < height:
                out_channel[r, port] = len(rows)
                rows.append((EAST_WEST if port < 2 else NORTH_SOUTH, r, nx + width * ny, -1, OPPOSITE[port]))
    io_router = fabric.io.router[0] + width * fabric.io.router[1]
    router = np.append(np.asarray(cores) // fabric.cores_per_router, io_router).astype(np.int32)
    local = np.append(np.asarray(cores) % fabric.cores_per_router, fabric.cores_per_router)
    inject = np.full(len(router), -1, np.int32)
    eject = np.full(len(router), -1, np.int32)
    for e, r in enumerate(router):
        inject[e] = len(rows)
        rows.append((INJECT, -1, int(r), e, LINK_PORTS + int(local[e])))
        if e < len(cores):
            eject[e] = len(rows)
            rows.append((EJECT, int(r), -1, e, 0))
    kind, source, target, endpoint, in_port = (np.array(c) for c in zip(*rows, strict=True))
    spec = [getattr(fabric.channels, k) for k in KINDS]
    return FabricPlan(
        router=router, inject=inject, eject=eject, out_channel=out_channel, next_port=ROUTERS[fabric.routing](fabric),
        kind=kind.astype(np.uint8), from_router=source.astype(np.int32), to_router=target.astype(np.int32),
        endpoint=endpoint.astype(np.int32), in_port=in_port.astype(np.uint8),
        latency=np.array([picoseconds(spec[k].latency) for k in kind], np.int64),
        cycle=np.array([picoseconds(spec[k].cycle) for k in kind], np.int64),
        credit=np.array([picoseconds(spec[k].credit) for k in kind], np.int64),
        slots=np.array([spec[k].slots for k in kind], np.int32))


def flows_to_channels(plan: FabricPlan, source: np.ndarray, target: np.ndarray, packets: np.ndarray) -> np.ndarray:
    """Flits per channel, int64[K], when `packets[i]` go from endpoint source[i] to endpoint target[i]."""
    loads = np.zeros(plan.n_channels, np.int64)
    np.add.at(loads, plan.inject[source], packets)
    np.add.at(loads, plan.eject[target], packets)
    for channel, moving in walk(plan, source, target):
        np.add.at(loads, channel, packets[moving])
    return loads


def walk(plan: FabricPlan, source: np.ndarray, target: np.ndarray):
    """Yield, hop by hop, (link taken int32[m], which pairs still move int64[m]) of all pairs of endpoints at once."""
    here, there = plan.router[source].copy(), plan.router[target]
    moving = np.flatnonzero(here != there)
    while len(moving):
        channel = plan.out_channel[here[moving], plan.next_port[here[moving], there[moving]]]
        yield channel, moving
        here[moving] = plan.to_router[channel]
        moving = moving[here[moving] != there[moving]]
