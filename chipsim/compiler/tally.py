"""What every core holds and hears, counted once from the synapses, for the passes that need it one after the other."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.demand import RESOURCES, Demand
from chipsim.compiler.draft import Draft, Piece


@dataclass(frozen=True, eq=False)
class Tally:
    """usage: resource -> int64[C]; heard: per core, node -> int32[.] its units that reach the core, each once."""

    cores: tuple[tuple[Piece, ...], ...]
    usage: dict[str, np.ndarray]
    heard: tuple[dict[int, np.ndarray], ...]

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
    heard = []
    for c, pieces in enumerate(cores):
        sources, usage["synapse_bits"][c] = demand.reach(pieces)
        for pre, units in sources.items():
            reach[pre][units] += 1
        usage["axons_in"][c] = demand.axons_in(pieces, sources)
        usage["neurons"][c] = demand.of(pieces, "neurons")
        usage["neuron_configs"][c] = demand.of(pieces, "neuron_configs")
        heard.append(sources)
    for c, pieces in enumerate(cores):
        usage["axons_out"][c] = sum(int(reach[p.node][p.rows].sum()) for p in pieces)
    return Tally(cores, usage, tuple(heard))
