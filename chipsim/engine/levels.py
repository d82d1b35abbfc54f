"""Operating points of cores that follow their load (`core.dvfs` of a chip): who works at which, tick by tick.

A core that is sent fewer packets in a tick than the chip's threshold works at the lower point, as in the software of
SpiNNaker 2, which compares the packets that wait when its timer strikes (Hoeppner et al., IEEE TCAS-I 66(8), 2019). All
times of its two servers are then longer by the ratio of the clocks. What depends on it:

- the fabric: gaps and tails of soma servers are stretched, and packets to such a core name a second copy of their
  in-axon, which is served more slowly. Fabrics need not know of it.
- counts: which of a tick's actions were done at the lower point, and how long cores worked at the upper one. A core has
  one processor, which works as long as both its servers together.

The plain twin of `settle` is `settle_plainly` in reference_servers.py.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from chipsim.engine.run import ACTIONS, SYNOPS, A

if TYPE_CHECKING:
    from chipsim.engine.function import Function
    from chipsim.engine.plan import Plan

Ps = TypeVar("Ps", int, np.ndarray)


@dataclass(frozen=True, eq=False)
class Levels:
    """Operating points of the cores of a plan.

    plan      as it was given
    timed     with every in-axon twice: `a` for a core at the upper point, `a + n_axons` for one at the lower
    packets   from so many in a tick on a core works at the upper point
    longer    clock of the upper point / clock of the lower
    """

    plan: Plan
    timed: Plan
    packets: int
    longer: Fraction

    @classmethod
    def of(cls, plan: Plan) -> Levels | None:
        """None on chips whose cores have one operating point."""
        dvfs = plan.layout.chip.core.dvfs
        if dvfs is None:
            return None
        longer = Fraction(int(dvfs.high.clock), int(dvfs.low.clock))
        timed = replace(plan, axon_core=np.tile(plan.axon_core, 2),
                        service_ps=np.concatenate([plan.service_ps, stretched(plan.service_ps, longer)]))
        return cls(plan, timed, dvfs.packets, longer)

    @property
    def n_axons(self) -> int:
        """In-axons of the layout."""
        return len(self.plan.axon_core)

    def settle(self, function: Function) -> tuple[np.ndarray, np.ndarray]:
        """Choose a level for each core and tick of the chunk that `function` advanced last, and slow its servers down.

        Returns (int64[ticks, ACTIONS] actions done at the lower point, int64[ticks] ps of work at the upper one, summed
        over cores).
        """
        plan, cores = self.plan, self.plan.layout.n_cores
        seeds, start, tail_ps, work = function.servers()
        ticks = len(tail_ps)
        row = np.repeat(np.arange(ticks * (cores + 1)), np.diff(start))            # host port first, then the cores
        sender = row % (cores + 1) - 1
        axon = seeds["axon"].astype(np.int64)
        target = row // (cores + 1) * cores + plan.axon_core[axon]                  # [tick, core], flat

        def sums(index: np.ndarray, values: np.ndarray) -> np.ndarray:
            out = np.zeros((ticks, cores), np.int64)
            np.add.at(out.reshape(-1), index, values)
            return out

        made = (sender >= 0) & (seeds["gap"] >= 0)                                  # not the host's, not a copy
        mine = row[made] // (cores + 1) * cores + sender[made]
        received = sums(target, np.ones(len(axon), np.int64))
        low = received < self.packets
        active, spikes = work[:, 1:, 0], work[:, 1:, 1]
        held = np.bincount(plan.endpoint[: plan.layout.n_neurons], plan.compartments, cores).astype(np.int64)
        counts = np.zeros((ticks, len(ACTIONS)), np.int64)
        done = {"neuron_active": active, "neuron_idle": held - active, "spike": spikes,
                "axon_out": sums(mine, np.ones(len(mine), np.int64)), "axon_in": received,
                "row_fetch": sums(target, plan.fetched[axon])}
        done |= {name: sums(target, plan.axon_synops[axon, i]) for i, name in enumerate(SYNOPS)}
        for name, of_core in done.items():
            counts[:, A[name]] = (of_core * low).sum(axis=1)
        busy = sums(mine, seeds["gap"][made]) + tail_ps[:, 1:] + sums(target, plan.service_ps[axon])
        slow = made.copy()
        slow[made] = low.reshape(-1)[mine]
        seeds["gap"][slow] = stretched(seeds["gap"][slow], self.longer)
        seeds["axon"][low.reshape(-1)[target]] += self.n_axons
        tail_ps[:, 1:][low] = stretched(tail_ps[:, 1:][low], self.longer)
        return counts, (busy * ~low).sum(axis=1)


def stretched(ps: Ps, longer: Fraction) -> Ps:
    """A time at the lower operating point, rounded to whole ps."""
    return (ps * longer.numerator + longer.denominator // 2) // longer.denominator
