"""What a run of the fabric says: throughput, latency and its parts, links, queues, fairness.

Packets offered before the warm-up's end are not measured. The warm-up ends where the standard error of the batch means
that remain is smallest (MSER-5, White 1997); confidence intervals are those of the means of 20 batches.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from chipsim.errors import Diagnostic, UsageError
from chipsim.explore.fabric_run import PARTS, FabricRun
from chipsim.figures import count

BATCHES, T_BATCHES = 20, 2.093                  # two-sided 95 % of Student's t with 19 degrees of freedom
PS = 1e-12
QUANTILES = {"p50": 50, "p95": 95, "p99": 99, "p999": 99.9}


@dataclass(frozen=True)
class Link:
    """A channel: `flits` over it; `utilisation` is the share of the time to the last delivery in which it was busy;
    flits in the FIFO behind it, `queue` on average over that time and `queue_peak` at most."""

    name: str
    flits: int
    utilisation: float
    queue: float
    queue_peak: int


@dataclass(frozen=True)
class FabricStats:
    """Times in s; rates in flits per node and cycle; `half_width_s`: 95 % confidence of the mean, None if too short.

    packets   made; each has `fanout` targets, its flits count once in the rates, and latencies are per delivery.
              copied: the routers copied them, else each target was sent one
    deliveries, measured, lost   of all targets: those that came; behind the warm-up; dropped, which have no latency
    once      every node was sent the flits of its deliveries and no other
    link_flits   over all links between routers

    parts_s   mean of queueing, blocking, serialisation, flight: they sum to the mean latency
    fairness  Jain's index over sources of accepted flits per offered flit: 1 when all are served alike
    waiting   packets in source queues on average, most_waiting: in the fullest source queue at any time
    in_flight deliveries under way in the fabric on average
    """

    packets: int
    fanout: int
    copied: bool
    deliveries: int
    once: bool
    lost: int
    measured: int
    warm_up_s: float
    window_s: float
    cycle_s: float
    offered: float
    accepted: float
    mean_s: float
    half_width_s: float | None
    min_s: float
    max_s: float
    quantiles_s: dict[str, float]
    parts_s: dict[str, float]
    mean_hops: float
    link_flits: int
    mean_utilisation: float
    busiest: tuple[Link, ...]
    fairness: float
    waiting: float
    most_waiting: int
    in_flight: float
    drain_s: float

    def to_dict(self) -> dict:
        """JSON-able."""
        return asdict(self)


def stats_of(run: FabricRun, links: int = 8) -> FabricStats:
    """Measure a run; of its links, the `links` busiest are named. A run needs at least one packet."""
    latency, size, came = run.latency, run.packets.size, np.flatnonzero(~run.lost)
    if not len(came):
        raise UsageError(Diagnostic("F518", f"none of the {count(len(latency), 'packets')} arrived, all were dropped",
                                    help="a lower rate, or a longer `fabric.blocked.wait`"))
    warm = warm_up(latency[came])
    fanout = run.packets.fanout
    first = int(came[warm]) // fanout * fanout if warm else 0
    offered = np.arange(len(latency)) >= first
    measured = offered & ~run.lost
    begin = int(run.made[first]) if first else 0
    span = max(1, run.window_ps - begin)
    cycles = span / run.cycle_ps * run.n_nodes
    accepted = size[~run.lost & (run.done >= begin) & (run.done < run.window_ps)].sum()
    ends = max(int(run.done.max()), 1)
    busy = utilisation(run)
    links_only = busy[run.plan.endpoint < 0]
    top = np.argsort(-busy, kind="stable")[:links]
    mine = latency[measured]
    return FabricStats(
        packets=len(latency) // fanout, fanout=fanout, copied=run.copied, deliveries=len(came), once=run.once,
        lost=int(run.lost.sum()), measured=int(measured.sum()), warm_up_s=begin * PS,
        window_s=run.window_ps * PS, cycle_s=run.cycle_ps * PS,
        offered=float(size[offered].sum() / cycles / fanout), accepted=float(accepted / cycles / fanout),
        mean_s=float(mine.mean() * PS), half_width_s=half_width(mine),
        min_s=float(mine.min() * PS), max_s=float(mine.max() * PS),
        quantiles_s={name: float(np.percentile(mine, q) * PS) for name, q in QUANTILES.items()},
        parts_s={name: float(part[measured].mean() * PS) for name, part in run.parts.items()},
        mean_hops=float(run.hops[measured].mean()),
        link_flits=int(run.load[run.plan.endpoint < 0].sum()),
        mean_utilisation=float(links_only.mean()) if len(links_only) else 0.0,
        busiest=tuple(Link(run.plan.name(int(k)), int(run.load[k]), float(busy[k]), float(run.queued[k] / ends),
                           int(run.peak[k])) for k in top if run.load[k]),
        fairness=jain(run, begin), waiting=float((run.entered - run.made)[run.entering].sum() / ends),
        most_waiting=longest_queue(run), in_flight=float((run.done - run.entered).sum() / ends),
        drain_s=run.drain_ps * PS)


def warm_up(latency: np.ndarray) -> int:
    """Packets to leave out at the start: MSER-5 over batches of five, at most half of them."""
    means = latency[: len(latency) // 5 * 5].reshape(-1, 5).mean(1)
    if len(means) < 4:
        return 0
    n = len(means) - np.arange(len(means) // 2)             # batches that remain after leaving out 0, 1, ...
    total, squares = (np.cumsum(m[::-1])[::-1][: len(n)] for m in (means, means**2))
    return 5 * int(np.argmin((squares - total**2 / n) / n**2))


def half_width(latency: np.ndarray) -> float | None:
    """Half the 95 % confidence interval of the mean in s, from the means of 20 batches; None below 100 packets."""
    if len(latency) < 5 * BATCHES:
        return None
    means = latency[: len(latency) // BATCHES * BATCHES].reshape(BATCHES, -1).mean(1)
    return float(T_BATCHES * means.std(ddof=1) / BATCHES**0.5 * PS)


def utilisation(run: FabricRun) -> np.ndarray:
    """float64[K]: share of the time until the last delivery in which a channel could take no other flit."""
    cycle = np.full(run.plan.n_channels, run.cycle_ps) if run.clocked else run.plan.cycle
    return run.load * cycle / max(1, int(run.done.max(initial=0)))


def jain(run: FabricRun, begin: int = 0) -> float:
    """(sum x)^2 / (n sum x^2) over sources with traffic; x: flits delivered in the window per flit offered in it."""
    inside, sources = run.made >= begin, run.packets.src
    offered = np.bincount(sources, run.packets.size * inside, run.n_nodes)
    done = np.bincount(sources, run.packets.size * (inside & ~run.lost & (run.done < run.window_ps)), run.n_nodes)
    x = done[offered > 0] / offered[offered > 0]
    return float(x.sum() ** 2 / (len(x) * (x**2).sum())) if x.any() else 1.0


def longest_queue(run: FabricRun) -> int:
    """Most packets that waited in one source at a time."""
    source, made, entered = (a[run.entering] for a in (run.packets.src, run.made, run.entered))
    order = np.lexsort((np.arange(len(made)), source))
    src, made, entered = source[order], made[order], entered[order]
    most = 0
    for a, b in zip(*_groups(src), strict=True):
        behind = np.arange(b - a) + 1 - np.searchsorted(entered[a:b], made[a:b], "right")
        most = max(most, int(behind.max()))
    return most


def _groups(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.flatnonzero(np.diff(ordered)) + 1
    return np.concatenate([[0], edges]), np.concatenate([edges, [len(ordered)]])


__all__ = ["PARTS", "FabricStats", "Link", "half_width", "jain", "longest_queue", "stats_of", "utilisation", "warm_up"]
