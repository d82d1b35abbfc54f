"""Place a graph on a floorplan so that its packets travel few hops: sum over pairs of packets x hops.

1. bisect the graph again and again: aligned runs of 2^k vertices become clusters, aligned runs of 2^k sites along a
Hilbert curve their places   2. anneal the coarsest clusters, split each and its place in two, anneal again at a lower
temperature, down to single cores   3. on small chips: several starts, and robust tabu search from each.
On a grid of 4096 cores (optimum 1 hop) bisection alone gives 4.7 hops, all of it 1.37 (`tools/bench.py placement`). Of
large dense graphs a sample of the pairs is placed.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, triu

from chipsim.compiler.arguments import checked_pins, checked_seed, checked_traffic
from chipsim.compiler.placing.annealing import anneal
from chipsim.compiler.placing.bisection import halve, match
from chipsim.compiler.placing.floorplan import Floorplan
from chipsim.compiler.placing.tabu import tabu
from chipsim.errors import Diagnostic, FitError, UsageError

COARSEST = 64                   # clusters at the start; 16 and 256 end 5 and 14 % higher (grid of 4096)
REHEAT, COLD = 2.0, 0.3         # temperatures below the coarsest level, in units of a cluster's typical traffic x hops
FLOOR = 1 / 8                   # of the moves of the last level, that each coarser one gets at least
SMALL, MIDDLE = 256, 1024       # sites up to which tabu search, and several starts, pay
EFFORTS = {"fast": (1, 100, 1e6), "normal": (2, 1500, 8e6), "best": (4, 6000, 4e7)}  # starts, moves a core, tabu pairs
MOST_MOVES = 1e8                # of a level: two minutes in all at `best` (65 536 cores)
NEIGHBOURS = {"fast": 64, "normal": 256, "best": 1024}      # of a core, on average; of more a sample is looked at

SPOT = np.dtype([("x", "f4"), ("y", "f4"), ("a", "i4"), ("b", "i4"), ("column", "i4"), ("row", "i4")])
EDGE = np.dtype([("to", "i4"), ("weight", "f4")])


@dataclass(frozen=True, eq=False)
class Ground:
    """The free sites of a floorplan in curve order, and what kernels want to know of them."""

    floorplan: Floorplan
    free: np.ndarray            # int64[n] sites
    first: np.ndarray           # int32[rows, columns] first of the cell's free sites, as a position in `free`
    count: np.ndarray           # int32[rows, columns]

    @classmethod
    def of(cls, floorplan: Floorplan, taken: np.ndarray) -> Ground:
        free = floorplan.curve[~np.isin(floorplan.curve, taken)]
        shape = floorplan.cells.max(axis=0)[::-1] + 1
        first, count = np.full(shape, len(free), np.int32), np.zeros(shape, np.int32)
        column, row = floorplan.cells[free].T
        np.add.at(count, (row, column), 1)
        np.minimum.at(first, (row, column), np.arange(len(free), dtype=np.int32))
        return cls(floorplan, free, first, count)

    def steps(self) -> tuple[float, float]:
        """Hops that a cell's width counts: near by, and on average over the floorplan, dear borders included."""
        here = np.tile(self.free, 3)
        there = np.concatenate([np.roll(self.free, shift) for shift in (1, len(self.free) // 2, len(self.free) // 3)])
        cells = np.abs(self.floorplan.cells[here] - self.floorplan.cells[there]).sum(axis=1)
        apart = cells > 0
        step = self.floorplan.hops(here[apart], there[apart]) / cells[apart]
        if not step.any():                                  # one cell, or hops that cost nothing
            return 1.0, 1.0
        cheap = float(np.median(step)) or 1.0
        return cheap, max(float(step.mean()), cheap)

    def spots(self, sites: np.ndarray) -> np.ndarray:
        """SPOT[len(sites)] of single sites."""
        f, spots = self.floorplan, np.zeros(len(sites), SPOT)
        spots["x"], spots["y"] = f.along[sites].T
        if f.first is not None:
            spots["a"], spots["b"] = f.first[sites], f.second[sites]
        spots["column"], spots["row"] = f.cells[sites].T
        return spots

    def coarse(self, level: int) -> np.ndarray:
        """SPOT per run of 2^level free sites: the middle of their coordinates, the table entry of one in the middle."""
        n = -(-len(self.free) >> level)
        begin = np.arange(n) << level
        end = np.minimum(begin + (1 << level), len(self.free))
        spots = self.spots(self.free[(begin + end) // 2])
        if level:
            along, cells = self.floorplan.along[self.free].T, self.floorplan.cells[self.free].T
            for name, values in zip(("x", "y", "column", "row"), (*along, *cells), strict=True):
                spots[name] = np.add.reduceat(values.astype(float), begin) / (end - begin)
        return spots


def order_by_bisection(graph: csr_array, key: int) -> np.ndarray:
    """int64[n]: vertices so that every aligned run of 2^k in this order is a cluster with little traffic to the others.

    Halves all blocks of a depth at once, by multilevel Fiduccia-Mattheyses, from one block down to pairs.
    """
    n = graph.shape[0]
    order = np.arange(n)
    for depth in reversed(range(max(n - 1, 1).bit_length())):
        run = 1 << depth                                     # blocks of 2 run become two of `run`, the last one shorter
        begin = np.arange(0, n, 2 * run)
        block = np.append(begin, n).astype(np.int64)
        target = np.minimum(np.diff(block), run)
        inside = _within(graph[order][:, order], np.repeat(np.arange(len(begin)), np.diff(block)))
        side = _halve(inside, np.ones(n, np.int64), block, target, key + depth)
        order = order[np.lexsort((np.arange(n), side, np.repeat(np.arange(len(begin)), np.diff(block))))]
    return order


def _halve(graph: csr_array, size: np.ndarray, block: np.ndarray, target: np.ndarray, key: int) -> np.ndarray:
    """int8[n]: side of each vertex; side 0 of block b has exactly target[b] of size when vertices have size 1."""
    n, n_blocks = len(size), len(target)
    of = np.repeat(np.arange(n_blocks), np.diff(block))
    whole = np.bincount(of, weights=size, minlength=n_blocks).astype(np.int64)
    start, neighbour, weight = _arrays(graph)
    slack = np.maximum.reduceat(size, block[:-1]) // 2
    if n > 24 * n_blocks:
        order = np.random.Generator(np.random.Philox(key=[key, n])).permutation(n).astype(np.int32)
        partner = match(start, neighbour, weight, size, np.maximum(whole // 12, 2)[of], order)
        leader = np.flatnonzero(np.arange(n) <= partner)
        if len(leader) < 0.95 * n:
            number = np.empty(n, np.int64)
            number[leader] = number[partner[leader]] = np.arange(len(leader))
            coarse = _contracted(graph, number, len(leader))
            sizes = np.bincount(number, weights=size).astype(np.int64)
            bounds = np.searchsorted(of[leader], np.arange(n_blocks + 1))
            side = np.ascontiguousarray(_halve(coarse, sizes, bounds, target, key)[number])
            halve(start, neighbour, weight, size, side, block, target, slack, 0, key)
            return side
    side = np.ones(n, np.int8)
    halve(start, neighbour, weight, size, side, block, target, slack, 8, key)
    return side


def _arrays(graph: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data.astype(np.float32)


def edges_of(graph: csr_array) -> np.ndarray:
    """EDGE[nnz]"""
    edges = np.empty(graph.nnz, EDGE)
    edges["to"], edges["weight"] = graph.indices, graph.data
    return edges


def _contracted(graph: csr_array, number: np.ndarray, n: int) -> csr_array:
    """The graph of the clusters `number`, without what stays inside one."""
    e = graph.tocoo()
    row, column = number[e.row], number[e.col]
    apart = row != column
    return coo_array((e.data[apart], (row[apart], column[apart])), shape=(n, n)).tocsr()


def _within(graph: csr_array, of: np.ndarray) -> csr_array:
    """Only the traffic inside blocks."""
    e = graph.tocoo()
    inside = of[e.row] == of[e.col]
    return coo_array((e.data[inside], (e.row[inside], e.col[inside])), shape=graph.shape).tocsr()


def _multilevel(graph: csr_array, n: int, ground: Ground, fixed: np.ndarray, moves: float, key: int) -> np.ndarray:
    """int64[n]: the vertex on each free site in curve order; `fixed` are the SPOTs of vertices n and beyond."""
    rank = np.empty(n, np.int64)                             # of each vertex: its free site, along the curve
    rank[order_by_bisection(graph[:n][:, :n], key)] = np.arange(n)
    n_fixed, (cheap, dear) = graph.shape[0] - n, ground.steps()
    top = max(0, (-(-n // COARSEST) - 1).bit_length())
    for k in reversed(range(top + 1)):
        m = -(-n >> k)                                       # runs, and clusters: numbered by the run they stand on
        coarse = _contracted(graph, np.append(rank >> k, m + np.arange(n_fixed)), m + n_fixed)
        if not coarse.nnz:
            break
        site, at = np.arange(m + n_fixed, dtype=np.int32), np.arange(m, dtype=np.int32)
        movers = np.flatnonzero(np.diff(coarse.indptr)[:m]).astype(np.int32)
        if n % (1 << k):                                     # the last run is short: only its cluster fits it
            movers = movers[movers != m - 1]
            at[m - 1] = -1
        spacing = 2 ** (k / 2)                               # cells between neighbouring runs
        unit = coarse.data.mean() * np.sqrt(coarse.nnz / (m + n_fixed)) * spacing * cheap
        hot, wide = (np.sqrt(m) / 4 * dear / cheap, max(ground.first.shape) / 2) if k == top else (REHEAT, 4 * spacing)
        anneal(coarse.indptr.astype(np.int64), edges_of(coarse), np.concatenate([ground.coarse(k), fixed]), site, at,
               movers, ground.first, ground.count, k, *ground.floorplan.period, ground.floorplan.table, hot * unit,
               COLD * unit, max(wide, 1.0), spacing, int(min(moves * max(len(movers), FLOOR * n), MOST_MOVES)), key + k)
        rank = (site.astype(np.int64)[rank >> k] << k) + (rank & ((1 << k) - 1))
    return np.argsort(rank)


def _polish(graph: csr_array, n: int, ground: Ground, sites_of_fixed: np.ndarray, at: np.ndarray, n_busy: int,
            steps: int, key: int) -> np.ndarray:
    """Robust tabu search from a placement."""
    hops = ground.floorplan.hops
    flow = graph[:n][:, :n].toarray()
    pull = np.zeros((n, n))
    if len(sites_of_fixed):
        pull += graph[:n][:, n:] @ hops(sites_of_fixed[:, None], ground.free[None, :])
    place = np.empty(n, np.int32)
    place[at] = np.arange(n)
    tabu(flow, hops(ground.free[:, None], ground.free[None, :]), pull, place, n_busy, steps, key)
    return np.argsort(place)


def place_graph(traffic: csr_array, floorplan: Floorplan, *, pinned: np.ndarray | None = None, effort: str = "normal",
                seed: int = 0) -> np.ndarray:
    """A site for every vertex, so that packets x hops is small. Same seed, same placement.

    traffic   [n, n] packets from row to column, any unit up to 1e30; the diagonal does not count
    pinned    int[n]: a site that is given, -1: free; several vertices may be pinned to one site, none else comes there
    effort    fast, normal or best
    Returns int64[n] sites, all different but for pinned ones. FitError when there are fewer sites than vertices,
    UsageError.
    """
    if effort not in EFFORTS:
        raise UsageError(Diagnostic("U422", f"no effort `{effort}`", help="one of " + ", ".join(EFFORTS)))
    starts, moves, pairs = EFFORTS[effort]
    traffic, seed = checked_traffic(traffic), checked_seed(seed)
    n = traffic.shape[0]
    pinned = checked_pins(pinned, n, floorplan.n_sites)
    free = np.flatnonzero(pinned < 0)
    fixed = np.flatnonzero(pinned >= 0)
    ground = Ground.of(floorplan, pinned[fixed])
    n_sites = len(ground.free)
    if len(free) > n_sites:
        raise FitError(Diagnostic("M250", f"{len(free)} cores are in use, {n_sites} places are free", help=(
            "a larger chip, or fewer dead or pinned cores")))
    if not len(free):
        return pinned
    number = np.empty(n, np.int64)                           # free vertices, idle ones to fill all sites, fixed ones
    number[free], number[fixed] = np.arange(len(free)), n_sites + np.arange(len(fixed))
    graph = csr_array(traffic + traffic.T)
    graph.eliminate_zeros()
    graph = _contracted(graph, number, n_sites + len(fixed))
    graph = _thinned(graph, max(NEIGHBOURS[effort], SMALL) * len(free), seed)
    small = n_sites <= SMALL
    best = None
    for start in range(starts if n_sites <= MIDDLE else 1):
        at = _multilevel(graph, n_sites, ground, ground.spots(pinned[fixed]), moves, seed * 1000003 + 8191 * start)
        if small:
            at = _polish(graph, n_sites, ground, pinned[fixed], at, len(free),
                         min(int(2 * pairs / (n_sites * len(free))), 1000 * len(free)), seed * 1000003 + start)
        cost = _cost(graph, np.append(ground.free[np.argsort(at)], pinned[fixed]), floorplan)
        if best is None or cost < best[0]:
            best = cost, at
    sites = pinned.copy()
    sites[free] = ground.free[np.argsort(best[1])[: len(free)]]
    return sites


def _thinned(graph: csr_array, most: int, key: int) -> csr_array:
    """About `most` entries of a symmetric graph, of the same expected traffic: light pairs are drawn by their traffic
    and weigh more then, heavy pairs stay as they are."""
    if graph.nnz <= most:
        return graph
    e = coo_array(triu(graph, 1))
    order = np.sort(e.data)
    heavier, lighter = len(order) - 1 - np.arange(len(order)), np.cumsum(order)
    i = np.flatnonzero(heavier + lighter / order > most / 2)[-1]
    limit = lighter[i] / (most / 2 - heavier[i])        # heavier ones and lighter / limit are `most`
    drawn = np.random.Generator(np.random.Philox(key=[key, graph.nnz])).random(e.nnz) < e.data / limit
    pair = e.row[drawn], e.col[drawn]
    half = coo_array((np.maximum(e.data[drawn], limit), pair), shape=graph.shape)
    return csr_array(half + half.T)


def _cost(graph: csr_array, sites: np.ndarray, floorplan: Floorplan) -> float:
    """Packets x hops of vertices on these sites."""
    e = graph.tocoo()
    return float((e.data * floorplan.hops(sites[e.row], sites[e.col])).sum())
