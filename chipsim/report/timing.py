"""How long it took: lengths of ticks and inferences, and what set the pace."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from chipsim.engine.run import Run
from chipsim.report.names import set_by

PS = 1e-12


@dataclass(frozen=True)
class Distribution:
    """Percentiles are values that occurred (nearest rank), in seconds."""

    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True)
class SlowestTick:
    """The longest tick, what set its length, and how time divides along its critical path.

    parts_s  soma, stall (injection FIFO full), flight, blocking (in the mesh), synapse, barrier, and learning at the
             end of an epoch: they add up to the length (engine/critical.py); empty with timing "analytic"
    """

    tick: int
    length_s: float
    set_by: str
    parts_s: dict[str, float]


@dataclass(frozen=True)
class Latency:
    """Times of a run, None throughout a Report whose run was simulated without them.

    total_s          all ticks together
    tick             distribution over ticks, barrier included
    barrier_share    of the total time
    inference        distribution over samples: all ticks of a sample, those its answer takes through the layers
                     included; None without samples
    inferences_per_s None without samples
    set_by           what set the length of how many ticks, most frequent first
    """

    total_s: float
    tick: Distribution
    barrier_share: float
    slowest_tick: SlowestTick | None
    set_by: dict[str, int]
    inference: Distribution | None
    inferences_per_s: float | None


def total_time(run: Run) -> float | None:
    """Seconds of chip time; None where the run has no times."""
    if run.timing == "none" or not run.ticks:
        return None
    total = int(run.tick_ps.sum()) * PS
    return total or None


def latency_of(run: Run) -> Latency | None:
    """Everything about time, or None where the run has no times (timing "none", chips without time)."""
    total = total_time(run)
    if total is None:
        return None
    inference = sample_times(run)
    return Latency(
        total_s=total,
        tick=_distribution(run.tick_ps),
        barrier_share=int(run.barrier_ps.sum()) * PS / total,
        slowest_tick=_slowest(run),
        set_by=_pace(run),
        inference=None if inference is None else _distribution(inference),
        inferences_per_s=None if inference is None else len(inference) / total,
    )


def sample_times(run: Run) -> np.ndarray | None:
    """Picoseconds of each sample, int64[samples]: the sum of its ticks."""
    if not run.samples:
        return None
    n, each = int(run.samples["count"]), int(run.samples["ticks"])
    return run.tick_ps[: n * each].reshape(n, each).sum(axis=1)


def _distribution(times_ps: np.ndarray) -> Distribution:
    p50, p99 = np.percentile(times_ps, (50, 99), method="inverted_cdf")
    return Distribution(float(times_ps.mean()) * PS, float(p50) * PS, float(p99) * PS, float(times_ps.max()) * PS)


def _slowest(run: Run) -> SlowestTick | None:
    if not run.slowest:
        return None
    tick = int(run.slowest["tick"])
    parts = {part: int(ps) * PS for part, ps in run.slowest.get("parts_ps", {}).items()}
    return SlowestTick(tick, int(run.tick_ps[tick]) * PS, set_by(run, int(run.tick_limit[tick])), parts)


def _pace(run: Run) -> dict[str, int]:
    limits, ticks = np.unique(run.tick_limit, return_counts=True)
    by_name: Counter[str] = Counter()
    for limit, n in zip(limits, ticks, strict=True):
        by_name[set_by(run, int(limit))] += int(n)
    return dict(by_name.most_common())
