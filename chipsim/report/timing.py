"""How long it took: lengths of ticks and inferences, and what set the pace."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from chipsim.engine.run import Run
from chipsim.engine.topology import picoseconds
from chipsim.report.frame import Frame, frame_of
from chipsim.report.names import set_by

PS = 1e-12
MOST_OVERRUNS = 20                  # that a report names; Run.busy_ps has all


@dataclass(frozen=True)
class Distribution:
    """Percentiles are values that occurred (nearest rank), in seconds."""

    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True)
class SlowestTick:
    """The longest tick (with a fixed tick: the one with the longest work), what set its length, and how time
    divides along its critical path.

    parts_s  soma, stall (injection FIFO full), flight, blocking (in the mesh), synapse, barrier, and learning at the
             end of an epoch: they add up to the length (engine/critical.py); empty with timing "analytic". On a static
             schedule multiply, move, update and fill of its layers
    """

    tick: int
    length_s: float
    set_by: str
    parts_s: dict[str, float]


@dataclass(frozen=True)
class TickUse:
    """How much of their fixed tick the chips used.

    busy_s          from the start of a tick until all was done, over ticks
    share           mean of that / period
    fastest_tick_s  the shortest period in which every tick of this run would have been done
    overruns        ticks whose work outlasted the period; `longest_overruns` has those that did by most
    """

    period_s: float
    busy: Distribution
    share: float
    fastest_tick_s: float
    overruns: int
    longest_overruns: tuple[Overrun, ...]


@dataclass(frozen=True)
class Overrun:
    """A tick that was late: when all was done, how long after the period, and what set that time."""

    tick: int
    busy_s: float
    late_s: float
    set_by: str


@dataclass(frozen=True)
class Flow:
    """Continuous time: hardware runs `acceleration` times as fast as the network's own time, in steps of `step_s`.

    model_time_s  the run in the network's own time
    until_acted   from the start of a step until the last spike made in it has reached its synapses, over steps; None
                  where packets have no times
    """

    step_s: float
    acceleration: int
    model_time_s: float
    until_acted: Distribution | None


@dataclass(frozen=True)
class Latency:
    """Times of a run, None throughout a Report whose run was simulated without them.

    total_s          all ticks together
    tick             distribution over ticks, barrier included
    barrier_share    of the total time
    inference        distribution over samples: all ticks of a sample, those its answer takes through the layers
                     included; None without samples
    inferences_per_s None without samples
    set_by           what set the length of how many ticks (with a fixed tick: of their work), most frequent first;
                     empty with timing "none"
    use              of a fixed tick; None on other chips and with timing "none"
    flow             of continuous time; None on other chips
    frame            of a static schedule; None on other chips
    """

    total_s: float
    tick: Distribution
    barrier_share: float
    slowest_tick: SlowestTick | None
    set_by: dict[str, int]
    inference: Distribution | None
    inferences_per_s: float | None
    use: TickUse | None
    flow: Flow | None = None
    frame: Frame | None = None


def total_time(run: Run) -> float | None:
    """Seconds of chip time; None where the run has no times."""
    return int(run.tick_ps.sum()) * PS or None


def latency_of(run: Run, n_cores: int) -> Latency | None:
    """Everything about time, or None where the run has no times (timing "none", chips without time). n_cores: of the
    chip."""
    total = total_time(run)
    if total is None:
        return None
    inference = sample_times(run)
    return Latency(
        total_s=total,
        tick=_distribution(run.tick_ps),
        barrier_share=int(run.barrier_ps.sum()) * PS / total,
        slowest_tick=_slowest(run),
        set_by=_pace(run) if run.timing != "none" else {},
        inference=None if inference is None else _distribution(inference),
        inferences_per_s=None if inference is None else len(inference) / total,
        use=_use(run) if run.timing != "none" else None,
        flow=_flow(run, total),
        frame=frame_of(run, n_cores),
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
    return SlowestTick(tick, int(run.busy_ps[tick]) * PS, set_by(run, int(run.tick_limit[tick])), parts)


def _use(run: Run) -> TickUse | None:
    if run.chip.get("tick") is None:
        return None
    period = picoseconds(run.chip["tick"]["period"])
    late = np.flatnonzero(run.busy_ps > period)
    worst = late[np.argsort(-run.busy_ps[late], kind="stable")[:MOST_OVERRUNS]]
    busy = _distribution(run.busy_ps)
    return TickUse(
        period * PS, busy, busy.mean_s / (period * PS), busy.max_s, len(late),
        tuple(Overrun(int(t), int(run.busy_ps[t]) * PS, int(run.busy_ps[t] - period) * PS,
                      set_by(run, int(run.tick_limit[t]))) for t in worst))


def _flow(run: Run, total_s: float) -> Flow | None:
    if run.chip.get("continuous") is None:
        return None
    faster = run.chip["continuous"]["acceleration"]
    return Flow(int(run.tick_ps.min()) * PS, faster, total_s * faster,
                _distribution(run.busy_ps) if run.timing == "exact" else None)


def _pace(run: Run) -> dict[str, int]:
    limits, ticks = np.unique(run.tick_limit, return_counts=True)
    by_name: Counter[str] = Counter()
    for limit, n in zip(limits, ticks, strict=True):
        by_name[set_by(run, int(limit))] += int(n)
    return dict(by_name.most_common())
