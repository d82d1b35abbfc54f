"""Partition a hypergraph of neurons under all limits of a core: several starts, multilevel annealing, the best is kept.

1. starts: vertices in order; in order, but with layers begun on cores of their own; greedy growth by overlap
2. no structure: where growth gains little over the order, clusters will not gain either: only the best start is refined
3. cycles: clusters of clusters down to a few vertices per core, annealing on the way back; then again within the cores
4. the vertices themselves are annealed once more, from colder
Work is budgeted in list entries looked at, not in seconds, so that the result depends on the seed alone.
"""
from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from chipsim.compiler.partitioning import kahypar
from chipsim.compiler.partitioning.coarsen import cluster
from chipsim.compiler.partitioning.group import contracted, near_twins
from chipsim.compiler.partitioning.grow import grow, in_order
from chipsim.compiler.partitioning.hypergraph import Hypergraph, outputs_of
from chipsim.compiler.partitioning.limits import UNLIMITED, Capacities
from chipsim.compiler.partitioning.refine import Refinement

GAIN = 0.85         # growth that costs more than this share of the order found no structure
MARGIN = 1.1        # 819, 782, 833 cores with 1, 1.1, 1.2 for a sheet of 262 144 neurons; 995 without growing anew
ENOUGH = 5          # work per pin below which refining is left out: 0.1 % fewer packets for a fifth of the time
FEW = 600_000       # pins of a network that is annealed whether or not growth found structure


@dataclass(frozen=True)
class Effort:
    """work: list entries per pin and cycle, between floor and ceiling; vain: per pin, where no structure was found;
    spare: shares of extra cores that are tried; most_pins: larger networks are not coarsened, only the best start is
    refined."""

    work: float
    floor: float
    ceiling: float
    vain: float
    cycles: int
    spare: tuple[float, ...]
    most_pins: int = UNLIMITED


EFFORTS = {
    "fast": Effort(15, 6e6, 400e6, 5, 1, (0.0,), 20_000_000),
    "normal": Effort(300, 250e6, 1e9, 100, 2, (0.03,)),
    "best": Effort(1000, 1e9, 3e9, 1000, 3, (0.03, 0.0)),
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

    @property
    def kept(self) -> str:
        """Which of those tried it is."""
        return next(what for what, n, cost in self.tried if n == self.n_cores and cost == self.cost)


def partition_hypergraph(graph: Hypergraph, limits: Capacities, effort: str = "normal", seed: int = 0,
                         breaks: np.ndarray | None = None, max_cores: int = UNLIMITED,
                         partitioner: str = "chipsim") -> Partition:
    """The cheapest partition found. Every vertex alone must fit a core.

    breaks       bool[n_vertices]: vertices that begin a layer
    max_cores    partitions with more cores are kept only when there is none with fewer
    partitioner  "mtkahypar": its partition is one more start (kahypar.py)
    """
    plan = EFFORTS[effort]
    tried: list[tuple[str, int, float]] = []
    best: tuple[tuple, np.ndarray] | None = None

    def keep(what: str, cores: np.ndarray, cost: float) -> None:
        nonlocal best
        cores = _numbered(cores)
        n = int(cores.max(initial=-1)) + 1
        tried.append((what, n, cost))
        rank = (len(_crowded(graph, cores, limits)) > 0, max(0, n - max_cores), cost, n)
        if best is None or rank < best[0]:
            best = rank, cores

    order = np.arange(graph.n_vertices)
    starts = {"order": in_order(graph, order, limits), "growth": _grown(graph, limits)}
    if breaks is not None and breaks[1:].any():
        starts["layers"] = in_order(graph, order, limits, breaks)
    few = min(starts.values(), key=lambda c: c.max())
    costs = {}
    for what, cores in starts.items():
        starts[what] = _within_outputs(graph, cores, limits)
        costs[what] = outputs_of(graph, starts[what])[0]
        keep(what, starts[what], costs[what])
    structured = costs["growth"] < GAIN * costs["order"]
    n_pins = graph.n_pins
    work = min(max(plan.work * n_pins, plan.floor), plan.ceiling)
    coarsen = (structured or n_pins < FEW) and n_pins <= plan.most_pins
    if coarsen or partitioner == "mtkahypar":
        base, group = _base(graph, limits, int(few.max()) + 1, seed)
    hopeless = np.inf if structured else min(costs.values())
    if coarsen:
        for turn, spare in enumerate(plan.spare):
            n_cores = ceil((int(few.max()) + 1) * (1 + spare))
            cores = _cycles(base, limits, n_cores, plan.cycles, work, seed + 100_000 * turn, hopeless=hopeless)
            refinement = _refinement(graph, cores if base is graph else cores[group], limits, seed)
            keep(f"{plan.cycles} cycles", refinement.cores, refinement.cost)
            _polish(refinement, work / 2)
            keep("polished", refinement.cores, refinement.cost)
    if partitioner == "mtkahypar":
        n_cores = ceil((int(few.max()) + 1) * (1 + kahypar.SPARE))
        cores = kahypar.blocks(base, limits, n_cores, seed)
        if coarsen:
            cores = _cycles(base, limits, n_cores, plan.cycles, work, seed, cores)
        refinement = _refinement(graph, cores if base is graph else cores[group], limits, seed)
        refinement.descend(10, int(work))
        keep(partitioner, refinement.cores, refinement.cost)
    what = min(costs, key=costs.get)
    if work > ENOUGH * n_pins and (not coarsen or costs[what] == best[0][2]):
        refinement = _refinement(graph, starts[what], limits, seed)
        if not structured or coarsen:
            _polish(refinement, work if structured else min(work, plan.vain * n_pins))
        else:
            refinement.descend(10, int(work))
        keep(f"refined {what}", refinement.cores, refinement.cost)
    return Partition(best[1], best[0][2], tuple(tried), bool(structured), not best[0][0])


def _grown(graph: Hypergraph, limits: Capacities) -> np.ndarray:
    """int32[n_vertices]: cores by greedy growth. If they send more than they can they are cut, or grown again with what
    their vertices would send from cores that small: whichever makes fewer packets."""
    cores, sequence = grow(graph, limits)
    if not len(_crowded(graph, cores, limits)):
        return cores
    smaller = in_order(graph, sequence, limits, outputs=outputs_of(graph, cores)[1])
    expected = (outputs_of(graph, smaller)[1] * MARGIN).astype(np.int32)
    both = [_within_outputs(graph, each, limits) for each in (cores, grow(graph, limits, expected)[0])]
    return min(both, key=lambda each: outputs_of(graph, each)[0])


def _crowded(graph: Hypergraph, cores: np.ndarray, limits: Capacities) -> np.ndarray:
    """int64[.]: cores that send more than they have out-axons."""
    if limits.axons_out >= UNLIMITED:
        return np.zeros(0, np.int64)
    sent = np.bincount(cores, weights=outputs_of(graph, cores)[1])
    return np.flatnonzero(sent > limits.axons_out)


def _within_outputs(graph: Hypergraph, cores: np.ndarray, limits: Capacities) -> np.ndarray:
    """The partition with cores that send too much cut into parts of about equal output, until none does or those that
    do hold a single vertex."""
    while len(crowded := _crowded(graph, cores, limits)):
        n = int(cores.max()) + 1
        members = np.flatnonzero(np.isin(cores, crowded))
        members = members[np.argsort(cores[members], kind="stable")]
        first = np.flatnonzero(np.diff(cores[members], prepend=-1))
        size = np.diff(np.append(first, len(members)))
        if (size == 1).all():
            break
        sends = outputs_of(graph, cores)[1][members] + 1.0
        before = np.cumsum(sends) - sends / 2
        whole = np.add.reduceat(sends, first)
        parts = np.ceil(whole / limits.axons_out)
        own = np.repeat(np.arange(len(first)), size)
        part = ((before - (np.cumsum(whole) - whole)[own]) * (parts / whole)[own]).astype(np.int64)
        cores = cores.copy()
        moved = part > 0
        cores[members[moved]] = n + (np.cumsum(parts) - parts)[own[moved]] + part[moved] - 1
        cores = _numbered(cores)
    return cores


def _refinement(graph: Hypergraph, cores: np.ndarray, limits: Capacities, seed: int, n_cores: int = 0) -> Refinement:
    """Ready to refine, with the limit of out-axons kept."""
    cores = _within_outputs(graph, cores, limits)
    return Refinement(graph, cores, limits, max(n_cores, int(cores.max(initial=0)) + 1), seed)


def _base(graph: Hypergraph, limits: Capacities, n_cores: int, seed: int) -> tuple[Hypergraph, np.ndarray | None]:
    """Near twins as one vertex where they are many: annealing them apart costs more than it gains (ResNet-20: 1.28
    packets per spike with groups of near twins, 1.50 with groups of exact ones, in a third of the time)."""
    near = near_twins(graph, max(1, int(graph.size[: graph.n_vertices].sum()) // (8 * n_cores)), seed)
    if near.max() + 1 > 0.7 * graph.n_vertices:
        return graph, None
    return contracted(graph, near, limits, 8)


def _polish(refinement: Refinement, work: float) -> None:
    """Anneal the finest level once more, from so cold that little is lost: 1 % fewer packets on a sheet of 4096
    neurons, where annealing from 0.1 units of temperature loses what the cycles have found."""
    unit = refinement.temper()
    refinement.anneal(0.04 * unit, 0.01 * unit, int(work))
    refinement.descend(10, int(work))


def _cycles(graph: Hypergraph, limits: Capacities, n_cores: int, cycles: int, work: float, seed: int,
            cores: np.ndarray | None = None, hopeless: float = np.inf) -> np.ndarray:
    """Coarsen and anneal; from the second time on, or from the partition given, within it and from a lower
    temperature. No further cycle follows one that ends above the cost `hopeless`."""
    for cycle in range(cycles):
        begun = cores is not None
        levels = _levels(graph, limits, n_cores, seed + 1000 * cycle, cores)
        share = int(work / len(levels))
        for depth in range(len(levels) - 1, -1, -1):
            level, group = levels[depth]
            if depth == len(levels) - 1:
                cores = grow(level, limits)[0] if cores is None else _of_groups(cores, levels)
            refinement = _refinement(level, cores, limits, seed + depth, n_cores)
            unit, before = refinement.temper(), refinement.cost
            hot = 1.0 if not begun and depth == len(levels) - 1 else 0.1
            refinement.anneal(hot * unit, 0.05 * unit, share)
            refinement.descend(10, share)
            if refinement.cost < before or (not begun and depth == len(levels) - 1):
                cores = refinement.cores
            else:                                       # too short an annealing for so many vertices
                refinement = _refinement(level, cores, limits, seed + depth, n_cores)
                refinement.descend(10, share)
                cores = refinement.cores
            if group is not None:
                cores = cores[group]
        if refinement.cost > hopeless:
            break
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
