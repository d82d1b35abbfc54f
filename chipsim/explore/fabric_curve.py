"""Latency over load, and the load at which the fabric saturates.

A load is sustained as long as packets take at most SLOW times as long as in the empty fabric, on average, and the
fabric delivers what is offered in time, but for LOST of it. The saturation search bisects between nothing and the load
at which the busiest channel is full, once per seed; its confidence interval is that of the mean over the seeds.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import ceil, floor, log10

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.engine.deadlock import refuse_cycles
from chipsim.explore.fabric_run import FabricBench, FabricRun
from chipsim.explore.fabric_stats import PS, FabricStats, stats_of
from chipsim.explore.traffic import Nodes, Packets, Traffic

SLOW = 3.0                                      # times the latency of the empty fabric
LOST = 0.03                                     # share of flits that may come later than SLOW latencies after the end
SEEDS, T_SEEDS = 5, 2.776                       # two-sided 95 % of Student's t with 4 degrees of freedom
RESOLUTION = 1 / 128                            # of the search, as a share of the channel bound
LEAST_PACKETS, LEAST_PER_NODE = 20_000, 100     # deliveries
LEAST_WITH_FANOUT, MOST_WITH_FANOUT = 20, 1 << 22       # packets per node, so that they fill the fabric; but deliveries


@dataclass(frozen=True)
class Point:
    """One load: flits per node and cycle as asked for, whether the fabric sustains it, and the measurement."""

    rate: float
    sustained: bool
    zero_load_s: float
    stats: FabricStats

    def to_dict(self) -> dict:
        """JSON-able."""
        return asdict(self)


@dataclass(frozen=True)
class Saturation:
    """Flits per node and cycle: largest load sustained, mean over seeds with 95 % confidence `half_width`.

    bound     load at which the busiest channel is full, mean over seeds: routes of a table, or by lot, cannot get
              beyond it; adaptive ones can, as it is then that of one of the paths they allow
    peak      most that was accepted at any load tried;  runs: lists run
    """

    rate: float
    half_width: float
    bound: float
    peak: float
    by_seed: tuple[float, ...]
    runs: int

    def to_dict(self) -> dict:
        """JSON-able."""
        return asdict(self)


class FabricLab:
    """A chip's fabric under one kind of traffic at any load; the same seed gives the same bits.

    cycles  length of every list; None: so many that LEAST_PACKETS deliveries, or `packets`, are expected
    Raises ChipError for a custom topology whose routes can deadlock.
    """

    def __init__(self, chip: ChipSpec, traffic: Traffic, *, cycles: int | None = None, packets: int | None = None,
                 seed: int = 0):
        self.bench, self.nodes = FabricBench(chip), Nodes.of(chip)
        refuse_cycles(chip.fabric, self.bench.plan)
        self.traffic, self.seed = traffic, seed
        deliveries = max(LEAST_PACKETS, LEAST_PER_NODE * chip.n_cores)
        self.cycles = cycles
        filling = min(LEAST_WITH_FANOUT * chip.n_cores, MOST_WITH_FANOUT // traffic.fanout)
        self.wanted = packets or max(deliveries // traffic.fanout, filling)

    def packets(self, rate: float | None = None, seed: int | None = None) -> Packets:
        """The list at a load (default: the traffic's)."""
        traffic = self.traffic if rate is None else replace(self.traffic, rate=rate)
        cycles = self.cycles or ceil(self.wanted * traffic.size / (traffic.rate * self.nodes.n))
        return traffic.packets(self.nodes, cycles, self.bench.cycle_ps, self.seed if seed is None else seed)

    def run(self, packets: Packets | None = None) -> FabricRun:
        """Move one list."""
        return self.bench.run(self.packets() if packets is None else packets)

    def point(self, rate: float, seed: int | None = None) -> Point:
        """Offer one load and measure it."""
        return self.measure(self.run(self.packets(rate, seed)), rate)

    def measure(self, run: FabricRun, rate: float | None = None) -> Point:
        """What a run says; `rate` defaults to what was offered."""
        stats = stats_of(run)
        zero = float((run.after_others + run.flight + run.serialisation)[~run.lost].mean())
        late = run.packets.size[run.lost | (run.done > run.window_ps + SLOW * zero)].sum()
        sustained = stats.mean_s <= SLOW * zero * PS and late <= LOST * run.packets.size.sum()
        return Point(stats.offered if rate is None else rate, bool(sustained), zero * PS, stats)

    def curve(self, rates: list[float]) -> list[Point]:
        """Measure several loads."""
        return [self.point(rate) for rate in rates]

    def saturation(self, seeds: int = SEEDS) -> Saturation:
        """Search for the largest load that is sustained."""
        found, bounds, peak, runs = [], [], 0.0, 0
        for seed in range(self.seed, self.seed + seeds):
            bound = self.bound(seed)
            most = 2 * bound if self.bench.plan.adaptive and self.bench.plan.by_vc != "xy_yx" else bound
            low, high = 0.0, min(most, self.most())
            while high - low > RESOLUTION * bound:
                point = self.point((low + high) / 2, seed)
                peak, runs = max(peak, point.stats.accepted), runs + 1
                low, high = (point.rate, high) if point.sustained else (low, point.rate)
            found.append((low + high) / 2)
            bounds.append(bound)
        spread = float(np.std(found, ddof=1)) if seeds > 1 else 0.0
        half = T_SEEDS * spread / seeds**0.5
        return Saturation(float(np.mean(found)), max(half, RESOLUTION * float(np.mean(bounds)) / 2),
                          float(np.mean(bounds)), peak, tuple(found), runs)

    def bound(self, seed: int | None = None) -> float:
        """Load at which the busiest channel is full, from the flows of a list; routes of a table."""
        return self.bench.bound(self.packets(self.most() / 2, seed))

    def most(self) -> float:
        """The largest rate that the process can offer."""
        return self.traffic.rate / self.traffic.chance

    def loads(self, points: int = 11) -> list[float]:
        """Loads for a curve from light to just beyond saturation, from a search with one seed."""
        knee = self.saturation(1).rate
        digits = max(4, 1 - floor(log10(knee)))
        return [round(float(r), digits) for r in np.linspace(knee / 10, min(1.1 * knee, self.most()), points)]
