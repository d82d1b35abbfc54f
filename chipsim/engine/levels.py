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
from chipsim.engine.settling import settle

if TYPE_CHECKING:
    from chipsim.engine.packets import Packets
    from chipsim.engine.plan import Plan

Ps = TypeVar("Ps", int, np.ndarray)
# What a core does at its level: columns of Run.counts, in the order of settling.pyx.
DONE = [A[name] for name in ("neuron_active", "neuron_idle", "spike", "axon_out", "axon_in", "row_fetch", *SYNOPS)]


@dataclass(frozen=True, eq=False)
class Levels:
    """Operating points of the cores of a plan.

    plan      as it was given
    timed     with every in-axon twice: `a` for a core at the upper point, `a + n_axons` for one at the lower
    packets   from so many in a tick on a core works at the upper point
    longer    clock of the upper point / clock of the lower
    held      int64[C] updates of a core's neurons in a tick, active or not
    """

    plan: Plan
    timed: Plan
    packets: int
    longer: Fraction
    held: np.ndarray

    @classmethod
    def of(cls, plan: Plan) -> Levels | None:
        """None on chips whose cores have one operating point."""
        dvfs = plan.layout.chip.core.dvfs
        if dvfs is None:
            return None
        longer = Fraction(int(dvfs.high.clock), int(dvfs.low.clock))
        timed = replace(plan, axon_core=np.tile(plan.axon_core, 2),
                        service_ps=np.concatenate([plan.service_ps, stretched(plan.service_ps, longer)]))
        held = np.bincount(plan.endpoint[: plan.layout.n_neurons], plan.compartments, plan.layout.n_cores)
        return cls(plan, timed, dvfs.packets, longer, held.astype(np.int64))

    @property
    def n_axons(self) -> int:
        """In-axons of the layout."""
        return len(self.plan.axon_core)

    def settle(self, packets: Packets) -> tuple[np.ndarray, np.ndarray]:
        """Choose a level for each core and tick of a chunk, and slow its servers down.

        Returns (int64[ticks, ACTIONS] actions done at the lower point, int64[ticks] ps of work at the upper one, summed
        over cores).
        """
        plan = self.plan
        done, high_ps = settle(*packets.servers(), plan.axon_core, plan.service_ps, plan.fetched, plan.axon_synops,
                               self.held, self.packets, self.longer.numerator, self.longer.denominator)
        counts = np.zeros((len(done), len(ACTIONS)), np.int64)
        counts[:, DONE] = done
        return counts, high_ps


def stretched(ps: Ps, longer: Fraction) -> Ps:
    """A time at the lower operating point, rounded to whole ps; 64 bits hold every step, for clocks up to 3 GHz."""
    over, under = longer.numerator, longer.denominator
    return ps // under * over + (ps % under * over + under // 2) // under
