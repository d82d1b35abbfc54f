"""What every core holds and hears, counted once from the synapses, for the passes that need it one after the other."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.partitioning.demand import RESOURCES, Demand


@dataclass(frozen=True, eq=False)
class Tally:
    """usage: resource -> int64[C]; heard: per core, (node, int32[.] its units that reach the core, each once)."""

    cores: tuple[tuple[Piece, ...], ...]
    usage: dict[str, np.ndarray]
    heard: tuple[list[tuple[int, np.ndarray]], ...]

    def over(self, cap: dict[str, int | None]) -> dict[str, float]:
        """Resource -> need / have of the fullest core, where that is too much."""
        need = {name: int(used.max(initial=0)) for name, used in self.usage.items()}
        return {name: need[name] / have for name, have in cap.items() if have is not None and need[name] > have}


def tally_of(draft: Draft) -> Tally:
    """The tally of the draft's cores, counted anew unless the draft brings it along."""
    if draft.tally is not None and draft.tally.cores is draft.cores:
        return draft.tally
    return tally(Demand(draft), draft.cores)


def tally(demand: Demand, cores: tuple[tuple[Piece, ...], ...]) -> Tally:
    usage = {name: np.zeros(len(cores), np.int64) for name in RESOURCES}
    reach = [np.zeros(n.size, np.int64) for n in demand.draft.nodes]
    home = [np.full(n.size, len(cores)) for n in demand.draft.nodes]
    for c, pieces in enumerate(cores):
        for p in pieces:
            home[p.node][p.rows] = c
    bundles, crossbar = np.zeros(len(cores) + 1, np.int64), demand.draft.chip.core.crossbar
    heard = []
    for c, pieces in enumerate(cores):
        found = demand.reach(pieces)
        for pre, units in found.single.items() if crossbar is None else demand.by_type(pieces):
            reach[pre][units] += 1
        for pre, units in found.bundled.items():            # channels of a pixel share an axon if one core sends them
            key = demand.bundles(pre, units)
            span = int(key.max(initial=0)) + 1
            bundles += np.bincount(np.unique(home[pre][units] * span + key) // span, minlength=len(bundles))
        usage["axons_in"][c], usage["synapse_bits"][c] = demand.axons_in(pieces, found), found.bits
        usage["neurons"][c] = demand.of(pieces, "neurons")
        usage["neuron_configs"][c] = demand.of(pieces, "neuron_configs")
        heard.append(found.senders())
    for c, pieces in enumerate(cores):
        usage["axons_out"][c] = bundles[c] + sum(int(reach[p.node][p.rows].sum()) for p in pieces)
    return Tally(cores, usage, tuple(heard))
