"""What blocked packets cost: deliveries that were dropped, and hops on detours or not taken.

Counts of a run follow from its spikes; where packets turn aside or are dropped, the difference is a ledger of
corrections. Both engines fill a `Losses` tick by tick; `ledger` says what it changes.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.outcome import LOST
from chipsim.engine.run import ACTIONS, SYNOPS, A

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

LOST_FIELDS = ("tick", "source", "axon", "made_ps", "dropped_ps")
OFF_ROUTE = ("tick", "source", "channel", "by")


@dataclass(eq=False)
class Losses:
    """Of a whole run; K channels.

    lost       rows of LOST_FIELDS: deliveries that did not come about; times from the start of their tick
    off_route  rows of OFF_ROUTE: a flit that crossed a channel besides its route (by 1), or did not cross it (-1)
    drops      int64[K] flits dropped while they waited for a channel;  detours  int64[K] sent round it instead
    """

    drops: np.ndarray
    detours: np.ndarray
    lost: list[np.ndarray] = field(default_factory=list)
    off_route: list[np.ndarray] = field(default_factory=list)

    def add(self, tick: np.ndarray, source: np.ndarray, axon: np.ndarray, times: np.ndarray,
            off_route: np.ndarray) -> None:
        """Note some ticks.

        tick, source, axon  int[p] of every delivery;  times int64[5, p]: made, entered, arrived, started, done
        off_route           int64[n, 4] rows of OFF_ROUTE
        """
        made, _, arrived, _, done = times
        gone = np.flatnonzero(arrived == LOST)
        if len(gone):
            self.lost.append(np.stack([tick[gone], source[gone], axon[gone], made[gone], done[gone]], axis=1))
        if len(off_route):
            rows, counts = np.unique(off_route, axis=0, return_counts=True)
            rows[:, 3] *= counts
            self.off_route.append(rows)

    def lost_packets(self) -> dict[str, np.ndarray]:
        """LOST_FIELDS -> int64[n], ordered by tick, source, axon."""
        rows = np.concatenate([np.zeros((0, len(LOST_FIELDS)), np.int64), *self.lost])
        rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        return dict(zip(LOST_FIELDS, rows.T.copy(), strict=True))

    def ledger(self, plan: Plan, first: int) -> Ledger:
        """What the counts that follow from spikes have to be changed by, ticks counted from `first`."""
        off = np.concatenate([np.zeros((0, len(OFF_ROUTE)), np.int64), *self.off_route])
        lost = self.lost_packets()
        target = plan.axon_core[lost["axon"]].astype(np.int64)
        parts = [(off[:, 0], off[:, 1], plan.endpoint[off[:, 1]].astype(np.int64),
                  A["hop_inject"] + plan.fabric.kind[off[:, 2]].astype(np.int64), off[:, 3])]
        undone = [(A["axon_in"], np.full(len(target), -1)), (A["row_fetch"], -plan.fetched[lost["axon"]])]
        undone += [(A[name], -plan.axon_synops[lost["axon"], i]) for i, name in enumerate(SYNOPS)]
        parts += [(lost["tick"], lost["source"], target, np.full(len(target), action), by) for action, by in undone]
        tick, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Ledger(tick - first, *rest)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Rows int64[n]: in this tick, of spikes of this source, this core did this action `by` times more."""

    tick: np.ndarray
    source: np.ndarray
    core: np.ndarray
    action: np.ndarray
    by: np.ndarray

    def correct(self, counts: np.ndarray, core_counts: np.ndarray) -> None:
        """counts int64[ticks, ACTIONS], core_counts int64[C, ACTIONS]; what the host's port did is in no core."""
        np.add.at(counts, (self.tick, self.action), self.by)
        mine = self.core < len(core_counts)
        np.add.at(core_counts, (self.core[mine], self.action[mine]), self.by[mine])

    def of_sources(self, sources: np.ndarray) -> np.ndarray:
        """int64[ACTIONS]: sum over the spikes of these sources."""
        mine = np.isin(self.source, sources)
        changes = np.zeros(len(ACTIONS), np.int64)
        np.add.at(changes, self.action[mine], self.by[mine])
        return changes
