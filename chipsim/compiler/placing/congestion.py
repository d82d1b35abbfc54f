"""The load of every link under a placement, and a second look at the placement that lowers the heaviest one.

Hops alone can put much traffic on few links (a multilayer perceptron gets a link 12 % heavier). Here swaps anneal the
sum of load^4, with the hops bounded; loads are those of the fabric's own routes, so any deterministic routing will do.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from chipsim.chip.fabric import Fabric
from chipsim.compiler.placing.links import relieve
from chipsim.engine.topology import LOCAL, plan_fabric

N_NEAR = 24                         # sites around one that a swap considers
EXTRA_HOPS = 0.05                   # what a lighter heaviest link may cost
HOT, COLD = 0.5, 0.005              # temperatures, in (load of the heaviest link)^4
MOVES = {"fast": 0, "normal": 5000, "best": 20000}          # per core
STEPS = {"fast": 0.0, "normal": 2e8, "best": 2e9}           # along links: a second is 1e8 to 2e8 of them


@dataclass(frozen=True, eq=False)
class Routes:
    """Where packets go.

    link     int32[R,R] first link from a router towards another, -1 when there
    towards  int32[K] router that a link leads to
    """

    link: np.ndarray
    towards: np.ndarray

    @classmethod
    def of(cls, fabric: Fabric) -> Routes:
        """The routes that a fabric's routers take (adaptive ones: a path they allow)."""
        plan = plan_fabric(fabric, np.zeros(0, int), host=False)
        port = plan.next_port.astype(int)
        here = np.arange(len(port))[:, None]
        link = np.where(port == LOCAL, -1, plan.out_channel[here, np.where(port == LOCAL, 0, port)])
        return cls(np.ascontiguousarray(link, np.int32), plan.to_router)

    def hops(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """int64[n]: links on the way from router source[i] to target[i]."""
        pairs, inverse = np.unique(source.astype(np.int64) * len(self.link) + target, return_inverse=True)
        here, there = np.divmod(pairs, len(self.link))
        count, moving = np.zeros(len(pairs), np.int64), np.flatnonzero(here != there)
        while len(moving):
            count[moving] += 1
            here[moving] = self.towards[self.link[here[moving], there[moving]]]
            moving = moving[here[moving] != there[moving]]
        return count[inverse]

    def loads(self, source: np.ndarray, target: np.ndarray, packets: np.ndarray) -> np.ndarray:
        """float64[K]: packets over each link when packets[i] go from router source[i] to target[i]."""
        load = np.zeros(len(self.towards))
        here, moving = np.array(source), np.flatnonzero(source != target)
        while len(moving):
            link = self.link[here[moving], target[moving]]
            np.add.at(load, link, packets[moving])
            here[moving] = self.towards[link]
            moving = moving[here[moving] != target[moving]]
        return load


def relieve_links(traffic: csr_array, sites: np.ndarray, router: np.ndarray, routes: Routes, *, cells: np.ndarray,
                  price: np.ndarray | None = None, pinned: np.ndarray | None = None, extra_hops: float = EXTRA_HOPS,
                  effort: str = "normal", seed: int = 0) -> np.ndarray:
    """Sites with a lighter heaviest link and at most (1 + extra_hops) times the hops; the ones given if none is found.
    Every 1 % more hops makes it at least 2 % lighter.

    traffic  [n,n] packets;  sites int[n] of each vertex;  router int[S], cells int[S,2] of each site of the floorplan
    price    float[K] hops that a link counts, 1 if not given
    pinned   int[n]: site that a vertex has to keep, -1: free
    """
    n, n_sites = traffic.shape[0], len(router)
    edges = traffic.tocoo()
    apart = edges.row != edges.col
    row, column, packets = edges.row[apart], edges.col[apart], edges.data[apart].astype(float)
    load = routes.loads(router[sites[row]], router[sites[column]], packets)
    price = np.ones(len(load)) if price is None else price
    heaviest = load.max(initial=0)
    fixed = np.zeros(n, bool) if pinned is None else np.asarray(pinned) >= 0
    movers = np.setdiff1d(np.concatenate([row, column]), np.flatnonzero(fixed)).astype(np.int32)
    if heaviest == 0 or not MOVES[effort] or not len(movers):
        return sites
    empty = np.setdiff1d(np.arange(n_sites), sites)
    site = np.concatenate([sites, empty]).astype(np.int32)                # empty sites hold vertices without traffic
    at = np.full(n_sites, -1, np.int32)
    at[site] = np.arange(len(site))
    at[sites[fixed]] = -1
    scaled = packets / heaviest
    start, neighbour, weight = _both_ways(row, column, scaled, len(site))
    # a move takes the traffic of two cores off their links and on to others, mostly there and back
    each = 8 * routes.hops(router[sites[row]], router[sites[column]]).mean() * len(neighbour) / len(movers)
    best = site.copy()
    relieve(start, neighbour, weight, router.astype(np.int32), site, at, movers, near(cells), routes.link,
            routes.towards, price.astype(np.float32), load / heaviest, (1 + extra_hops) * (load @ price) / heaviest,
            HOT, COLD, int(min(MOVES[effort] * len(movers), STEPS[effort] / each)), seed, best)
    return best[:n].astype(np.int64)


def _both_ways(row: np.ndarray, column: np.ndarray, packets: np.ndarray, n: int) -> tuple:
    """CSR with an entry per direction: packets to the neighbour, or minus those from it."""
    here, there = np.concatenate([row, column]), np.concatenate([column, row])
    order = np.argsort(here, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=n))]).astype(np.int64)
    return start, there[order].astype(np.int32), np.concatenate([packets, -packets])[order].astype(np.float32)


def near(cells: np.ndarray) -> np.ndarray:
    """int32[S, k]: the k sites on the nearest cells of each."""
    from scipy.spatial import cKDTree

    k = min(N_NEAR + 1, len(cells))
    return np.ascontiguousarray(cKDTree(cells).query(cells, k)[1].reshape(len(cells), k), dtype=np.int32)
