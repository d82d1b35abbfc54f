"""What both engines share about learning: who feeds which learner, and what the learning phase counts and takes.

When an epoch ends, the tick gets a learning phase after its last packet: all cores in parallel advance the traces that
live on them, read their plastic synapses once, and update those for which a product is due; the phase lasts as long as
the core with most to do. An axon's traces live on every core that has synapses of it, a neuron's on its own.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.layout import Layout, PlasticProjection
from chipsim.compiler.lowering.learning import precision_of
from chipsim.engine.run import A
from chipsim.engine.topology import picoseconds
from chipsim.models.plasticity.learner import Precision, Synapses
from chipsim.models.plasticity.rule import X_TRACES, Y_TRACES

PRE, POST, REWARD = range(3)
PHASE = ("learn_trace", "learn_read", "learn_update")
PHASE_COLUMNS = [A[name] for name in PHASE]


@dataclass(frozen=True, eq=False)
class LearningPlan:
    """Of L learners and C cores.

    role_start  int64[S+1]; role_learner, role, role_unit int32[.]: what a spike of a source means to which learner
    core        per learner int32[n_post]: core of each neuron
    fixed       int64[L, C, 2]  traces advanced and synapses read at the end of an epoch
    ps          (trace, read, update) of one each
    """

    projections: tuple[PlasticProjection, ...]
    precision: Precision | None
    delay_max: int
    role_start: np.ndarray
    role_learner: np.ndarray
    role: np.ndarray
    role_unit: np.ndarray
    core: tuple[np.ndarray, ...]
    fixed: np.ndarray
    ps: tuple[int, int, int]

    def learners(self, kind: type, seed: int) -> list:
        """One learner per projection, of the plain or the compiled kind."""
        return [kind(p.rule, Synapses(len(p.pre_source), len(p.post_source), p.pre, p.post, p.weight,
                                      np.zeros(len(p.pre), np.int32)),
                     sign=p.sign, precision=self.precision, delay_max=self.delay_max, seed=seed, number=i,
                     grid=p.grid)
                for i, p in enumerate(self.projections)]

    def fixed_ps(self) -> np.ndarray:
        """int64[L, C]: what the traces and the reading take at the end of an epoch."""
        return self.fixed @ np.array(self.ps[:2], np.int64)


def plan_learning(layout: Layout, endpoint: np.ndarray) -> LearningPlan | None:
    """None where nothing learns. endpoint: core of each source."""
    if not layout.plastic or layout.chip.core.learning is None:
        return None
    roles, cores = [], layout.n_cores
    fixed = np.zeros((len(layout.plastic), cores, 2), np.int64)
    core_of_post = []
    for i, p in enumerate(layout.plastic):
        for role, sources in ((PRE, p.pre_source), (POST, p.post_source), (REWARD, p.reward_source)):
            unit = np.arange(len(sources))
            roles.append(np.stack([sources, np.full_like(unit, i), np.full_like(unit, role), unit]))
        core = endpoint[p.post_source]
        core_of_post.append(core.astype(np.int32))
        there = core[p.post]
        axons = np.unique(np.stack([there, p.pre]), axis=1)[0]
        x, y = (sum(getattr(p.rule, name).tau > 0 for name in names) for names in (X_TRACES, Y_TRACES))
        fixed[i, :, 0] = x * np.bincount(axons, minlength=cores) + y * np.bincount(core, minlength=cores)
        fixed[i, :, 1] = np.bincount(there, minlength=cores)
    source, learner, role, unit = np.concatenate(roles, axis=1)
    order = np.argsort(source, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=layout.n_sources))])
    costs = [getattr(layout.chip.costs, name) for name in PHASE]
    return LearningPlan(
        layout.plastic, precision_of(layout.chip.core.learning),
        layout.chip.core.delay.max - layout.chip.core.delay.min, start.astype(np.int64),
        *(a[order].astype(np.int32) for a in (learner, role, unit)), tuple(core_of_post), fixed,
        tuple(picoseconds(c.time) if c else 0 for c in costs))
