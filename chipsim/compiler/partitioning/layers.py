"""Spread every layer over the cores of a chip that evaluates them whole, one after the other.

Only one layer runs at a time, so that each may use all cores, and every core has a piece of many layers. A layer of n
cycles on one core takes n / p on p of them, and its activations cross a square of p cores, about 2 sqrt(p) hops of a
cycle each: the sum is least at p = n^(2/3). Layers begin at the core after the last one of the layer before, so that
memories fill evenly.
"""
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np

from chipsim.compiler.avoid import Avoid
from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.partitioning.demand import Demand, limits_for
from chipsim.compiler.partitioning.misfits import too_few
from chipsim.compiler.partitioning.spread import spread
from chipsim.compiler.partitioning.tally import tally
from chipsim.compiler.partitioning.tiles import tileable, tiles
from chipsim.errors import FitError


def layers(draft: Draft) -> Draft:
    """Fill `cores`; population by population (spread.py) where memories are too full for an even spread. FitError."""
    chip, cap, demand = draft.chip, limits_for(draft), Demand(draft)
    n_cores = chip.n_cores - len((draft.options.avoid or Avoid()).dead(chip.fabric))
    cores: list[list[Piece]] = [[] for _ in range(n_cores)]
    first = 0
    for i in draft.in_order():
        size = draft.nodes[i].size
        parts = min(size, n_cores, ceil(cycles_of(demand, i) ** (2 / 3)))
        if cap["neurons"] is not None:
            parts = max(parts, -(-size // cap["neurons"]))
        if parts > n_cores:
            raise FitError(too_few(draft, parts))
        for piece in _cut(demand, i, parts, cap):
            cores[first % n_cores].append(piece)
            first += 1
    used = tuple(tuple(pieces) for pieces in cores if pieces)
    found = tally(demand, used)
    if found.over(cap | {"neurons": None}):
        return spread(draft)
    return replace(draft, cores=used, tally=found,
                   merit={"cores": len(used), "of": chip.n_cores, "objective": "latency"})


def cycles_of(demand: Demand, i: int) -> float:
    """Cycles that node i takes on one core: of the multipliers, or of the vector unit if that needs more."""
    chip = demand.draft.chip
    incoming = demand.incoming[i]
    per_cycle = chip.schedule.operations[max((c.bits for c in incoming), default=max(chip.schedule.operations))]
    updates = demand.draft.nodes[i].size * chip.costs.neuron_active.time / chip.costs.matrix.time
    return max(1.0, updates, sum(2 * c.n_synapses for c in incoming) / per_cycle)


def _cut(demand: Demand, i: int, parts: int, cap: dict[str, int | None]) -> list[Piece]:
    """Node i in so many pieces of about the same size, images in boxes."""
    size = demand.draft.nodes[i].size
    if tileable(demand, i, cap) and (boxes := tiles(demand, i, cap | {"neurons": -(-size // parts)})):
        return boxes
    bounds = np.linspace(0, size, parts + 1).round().astype(int).tolist()
    return [Piece(i, a, b) for a, b in pairwise(bounds) if b > a]
