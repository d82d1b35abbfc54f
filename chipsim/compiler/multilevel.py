"""Partition a hypergraph of neurons under all limits of a core: several starts, multilevel annealing, the best is kept.

1. starts: vertices in order; in order, but with layers begun on cores of their own; greedy growth by overlap
2. no structure: where growth gains little over the order, clusters will not gain either: only the best start is refined
3. cycles: clusters of clusters down to a few vertices per core, annealing on the way back; then again within the cores
Work is budgeted in list entries looked at, not in seconds, so that the result depends on the seed alone.
"""
from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from chipsim.compiler.coarsen import cluster
from chipsim.compiler.group import contracted, near_twins
from chipsim.compiler.grow import grow, in_order
from chipsim.compiler.hypergraph import Hypergraph
from chipsim.compiler.limits import UNLIMITED, Capacities
from chipsim.compiler.refine import Refinement

GAIN = 0.85         # growth that costs more than this share of the order found no structure
FEW = 600_000       # pins of a network that is annealed whether or not growth found structure


@dataclass(frozen=True)
class Effort:
    """work: list entries per pin and cycle, between floor and ceiling; spare: shares of extra cores that are tried;
    most_pins: larger networks are not coarsened, only the best start is refined."""

    work: float
    floor: float
    ceiling: float
    cycles: int
    spare: tuple[float, ...]
    most_pins: int = UNLIMITED


EFFORTS = {
    "fast": Effort(30, 6e6, 100e6, 1, (0.0,), 20_000_000),
    "normal": Effort(300, 500e6, 2e9, 3, (0.03,)),
    "best": Effort(1000, 3e9, 5e9, 3, (0.0, 0.03)),
}


@dataclass(frozen=True, eq=False)
class Partition:
    """cores int32[n_vertices]; cost in packets per tick; tried: (what, cores, cost) in the order it was done."""

    cores: np.ndarray
    cost: float
    tried: tuple[tuple[str, int, float], ...]
    structured: bool
    fits: bool          # False: out-axons are exceeded on a core that holds a single vertex

    @property
    def n_cores(self) -> int:
        return int(self.cores.max(initial=-1)) + 1


def partition_hypergraph(graph: Hypergraph, limits: Capacities, effort: str = "normal", seed: int = 0,
                         breaks: np.ndarray | None = None, max_cores: int = UNLIMITED) -> Partition:
    """The cheapest partition found. Every vertex alone must fit a core.

    breaks     bool[n_vertices]: vertices that begin a layer
    max_cores  partitions with more cores are kept only when there is none with fewer
    """
    plan = EFFORTS[effort]
    tried: list[tuple[str, int, float]] = []
    best: tuple[tuple, np.ndarray] | None = None

    def keep(what: str, refinement: Refinement) -> None:
        nonlocal best
        cores, cost = _numbered(refinement.cores), refinement.cost
        n = int(cores.max(initial=-1)) + 1
        tried.append((what, n, cost))
        over = refinement.use("axons_out").max(initial=0) > limits.axons_out
        rank = (over, max(0, n - max_cores), cost, n)
        if best is None or rank < best[0]:
            best = rank, cores

    order = np.arange(graph.n_vertices)
    starts = {"order": in_order(graph, order, limits), "growth": grow(graph, limits)}
    if breaks is not None and breaks.any():
        starts["layers"] = in_order(graph, order, limits, breaks)
    costs = {}
    for what, cores in starts.items():
        refinement = _refinement(graph, cores, limits, seed)
        costs[what] = refinement.cost
        keep(what, refinement)
    structured = costs["growth"] < GAIN * costs["order"]
    n_pins, few = graph.n_pins, min(starts.values(), key=lambda c: c.max())
    work = min(max(plan.work * n_pins, plan.floor), plan.ceiling)
    coarsen = (structured or n_pins < FEW) and n_pins <= plan.most_pins
    if coarsen:
        base, group = _base(graph, limits, int(few.max()) + 1, seed)
        for spare in plan.spare:
            n_cores = ceil((int(few.max()) + 1) * (1 + spare))
            cores = _cycles(base, limits, n_cores, plan.cycles, work, seed)
            refinement = _refinement(graph, cores if base is graph else cores[group], limits, seed)
            if base is not graph:
                refinement.descend(10, int(work))
            keep(f"{plan.cycles} cycles", refinement)
    what = min(costs, key=costs.get)
    if not coarsen or not structured or costs[what] == best[0][2]:
        refinement = _refinement(graph, starts[what], limits, seed)
        if not structured or coarsen:
            unit = refinement.temper()
            refinement.anneal(0.15 * unit, 0.03 * unit, int(work))
        refinement.descend(10, int(work))
        keep(f"refined {what}", refinement)
    return Partition(best[1], best[0][2], tuple(tried), bool(structured), not best[0][0])


def _refinement(graph: Hypergraph, cores: np.ndarray, limits: Capacities, seed: int, n_cores: int = 0) -> Refinement:
    """Ready to refine, with the out-axon limit kept: cores that break it are halved until none does."""
    while True:
        refinement = Refinement(graph, cores, limits, max(n_cores, int(cores.max(initial=0)) + 1), seed)
        over = refinement.use("axons_out") > limits.axons_out
        if not over.any():
            return refinement
        cores, n = cores.copy(), int(cores.max()) + 1
        for c in np.flatnonzero(over):
            members = np.flatnonzero(cores == c)
            if len(members) > 1:
                cores[members[len(members) // 2 :]] = n
                n += 1
        if n == int(refinement.cores.max()) + 1:
            return refinement


def _base(graph: Hypergraph, limits: Capacities, n_cores: int, seed: int) -> tuple[Hypergraph, np.ndarray | None]:
    """Near twins as one vertex where they are many: annealing them apart costs more than it gains (ResNet-20: 1.28
    packets per spike with groups of near twins, 1.50 with groups of exact ones, in a third of the time)."""
    near = near_twins(graph, max(1, int(graph.size[: graph.n_vertices].sum()) // (8 * n_cores)), seed)
    if near.max() + 1 > 0.7 * graph.n_vertices:
        return graph, None
    return contracted(graph, near, limits, 8)


def _cycles(graph: Hypergraph, limits: Capacities, n_cores: int, cycles: int, work: float,
            seed: int) -> np.ndarray:
    """Coarsen and anneal; from the second time on within the partition found, from a lower temperature."""
    cores = None
    for cycle in range(cycles):
        levels = _levels(graph, limits, n_cores, seed + 1000 * cycle, cores)
        share = int(work / len(levels))
        for depth in range(len(levels) - 1, -1, -1):
            level, group = levels[depth]
            if depth == len(levels) - 1:
                cores = grow(level, limits) if cores is None else _of_groups(cores, levels)
            refinement = _refinement(level, cores, limits, seed + depth, n_cores)
            unit, before = refinement.temper(), refinement.cost
            hot = 1.0 if cycle == 0 and depth == len(levels) - 1 else 0.1
            refinement.anneal(hot * unit, 0.05 * unit, share)
            refinement.descend(10, share)
            if refinement.cost < before or (cycle == 0 and depth == len(levels) - 1):
                cores = refinement.cores
            else:                                       # too short an annealing for so many vertices
                refinement = _refinement(level, cores, limits, seed + depth, n_cores)
                refinement.descend(10, share)
                cores = refinement.cores
            if group is not None:
                cores = cores[group]
    return cores


def _levels(graph: Hypergraph, limits: Capacities, n_cores: int, seed: int,
            cores: np.ndarray | None) -> list[tuple[Hypergraph, np.ndarray | None]]:
    """Finest first: a hypergraph, and which of its vertices each vertex of the finer one went into."""
    total = int(graph.size[: graph.n_vertices].sum())
    most = max(1, total // (3 * n_cores))
    levels: list[tuple[Hypergraph, np.ndarray | None]] = [(graph, None)]
    while (level := levels[-1][0]).n_vertices > 15 * n_cores:
        group, _ = cluster(level, most, seed + len(levels), cores)
        smaller, group = contracted(level, group, limits)
        if smaller.n_vertices > 0.95 * level.n_vertices:
            break
        if cores is not None:
            coarse = np.empty(smaller.n_vertices, np.int32)
            coarse[group] = cores
            cores = coarse
        levels.append((smaller, group))
    return levels


def _of_groups(cores: np.ndarray, levels: list) -> np.ndarray:
    for level, group in levels[1:]:
        coarse = np.empty(level.n_vertices, np.int32)
        coarse[group] = cores
        cores = coarse
    return cores


def _numbered(cores: np.ndarray) -> np.ndarray:
    """Without gaps, int32."""
    used = np.unique(cores)
    return np.searchsorted(used, cores).astype(np.int32)
