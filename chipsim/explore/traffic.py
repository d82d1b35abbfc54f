"""Traffic for the fabric alone: who sends to whom, and when, reproducible from the seed.

A list is a pattern (destinations.py) and a process (arrivals.py); lists written down beforehand are read in trace.py.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.errors import Diagnostic, UsageError
from chipsim.explore.arrivals import bernoulli, warped
from chipsim.explore.destinations import drawn_targets, targets
from chipsim.figures import count

PATTERNS = {
    "uniform": "every node, itself included, with the same chance",
    "transpose": "row and column swapped",
    "bitcomp": "all bits of the node's number inverted",
    "bitrev": "bits of the node's number in reverse order",
    "shuffle": "bits of the node's number rotated left",
    "tornado": "almost half way round in each dimension",
    "neighbor": "one step on in each dimension",
    "permutation": "a permutation drawn at random from the seed",
    "hotspot": "some nodes get a share each, the rest goes uniformly",
    "multicast": "several nodes drawn for each packet, all different",
}
PROCESSES = {
    "steady": "in each cycle with the same chance",
    "bursty": "each node on and off at random times of its own",
    "ticks": "all nodes at once, in the first cycles of every period",
}
CODES = {
    "F511": "There is no such traffic pattern, or none of such a process. `chipsim fabric --help` lists them.",
    "F512": "The pattern is not defined on this fabric: patterns over bits need a power of two of nodes, transpose "
            "needs as many columns as rows, and patterns over columns and rows need every place of the grid taken.",
    "F513": "The rate is impossible: a node offers more than nothing and at most one packet per cycle, within a burst "
            "too. A rate of flits counts a packet of four as four.",
    "F514": "A trace is CSV with the columns src, dst, a time (inject_cycle, or ready_ps in picoseconds), and if "
            "wanted packet_id and size (or size_flits), in whole numbers; nodes count from 0.",
    "F515": "A hotspot list is written NODE:SHARE,NODE:SHARE with shares of all packets that sum to at most 1.",
    "F519": "Packets of the pattern multicast have a number of targets, all different: at least one, and at most as "
            "many as there are nodes. Those of the other patterns have one.",
    "F516": "Fabrics that turn blocked packets aside and drop them (`fabric.blocked`) do so with whole packets, of one "
            "flit each.",
    "F517": "Chips with `time_base: untimed` have channels without latency; there is nothing to measure on them.",
    "F520": "Chips with `time_base: static_schedule` have no packets: what crosses a link and when is fixed with the "
            "layout, and nothing ever waits.",
    "F518": "Every packet stood longer at the head of a FIFO than `fabric.blocked` of the chip file allows, and was "
            "dropped. There is no latency to measure; lower the rate, or let packets wait longer.",
}


@dataclass(frozen=True, eq=False)
class Packets:
    """p deliveries in order of time, each of a packet of its own but for `fanout`.

    src, dst  int32[p] nodes (cores);  at int64[p] offered, in units of cycle_ps;  size int32[p] flits
    cycles    int: length of the time in which packets are offered
    fanout    so many in a row are what one node says to different targets at once: one packet where routers copy
              packets, else as many packets as targets
    """

    src: np.ndarray
    dst: np.ndarray
    at: np.ndarray
    size: np.ndarray
    cycles: int
    cycle_ps: int
    name: str
    fanout: int = 1

    def __len__(self) -> int:
        return len(self.src)


@dataclass(frozen=True)
class Nodes:
    """The cores of a chip as traffic sees them: `n` nodes; node = (x + columns * y) * per_router + local."""

    n: int
    columns: int
    rows: int
    per_router: int

    @classmethod
    def of(cls, chip: ChipSpec) -> Nodes:
        f = chip.fabric
        columns, rows = (f.n_places, 1) if f.topology in ("tree", "custom") else f.grid
        return cls(chip.n_cores, columns, rows, f.cores_per_router)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What to offer: `rate` in flits per node and cycle, packets of `size` flits.

    hotspots  ((node, share of all packets), ...) for the pattern hotspot
    fanout    targets of each packet of the pattern multicast; the rate counts its flits once
    burst, period   cycles: mean time on, and on and off together (bursty), or exactly so (ticks)
    """

    pattern: str = "uniform"
    process: str = "steady"
    rate: float = 0.05
    size: int = 1
    hotspots: tuple[tuple[int, float], ...] = ()
    burst: int = 50
    period: int = 500
    fanout: int = 1

    def __post_init__(self):
        for what, name, known in (("pattern", self.pattern, PATTERNS), ("process", self.process, PROCESSES)):
            if name not in known:
                raise UsageError(Diagnostic("F511", f"traffic {what} `{name}` does not exist",
                                            help="one of " + ", ".join(known)))
        if self.fanout < 1 or (self.fanout > 1 and self.pattern != "multicast"):
            raise UsageError(Diagnostic("F519", f"{count(self.fanout, 'targets')} of each packet of the pattern "
                                        f"`{self.pattern}`", help="one or more with the pattern `multicast`, else one"))
        if not 0 < self.burst <= self.period:
            raise UsageError(Diagnostic("F513", f"a burst of {self.burst} cycles in a period of {self.period}",
                                        help="a burst is at least one cycle and at most the period"))
        if not 0 < self.chance <= 1:
            raise UsageError(Diagnostic(
                "F513", f"a rate of {self.rate:g} flits per node and cycle is {self.chance:g} packets of "
                f"{count(self.size, 'flits')} per node and cycle" + (" of a burst" if self.process != "steady" else ""),
                help="more than 0 and at most 1: a smaller rate, or longer bursts"))

    @property
    def chance(self) -> float:
        """Probability that a node offers a packet in a cycle in which it is on."""
        on = 1.0 if self.process == "steady" else self.burst / self.period
        return self.rate / self.size / on

    def packets(self, nodes: Nodes, cycles: int, cycle_ps: int, seed: int = 0) -> Packets:
        """The list over so many cycles. Raises UsageError where the pattern is not defined on the fabric."""
        to = targets(self, nodes, seed)
        on = cycles
        if self.process != "steady":                        # more than needed on average, for nodes that are on longer
            on = min(cycles, round(1.3 * cycles * self.burst / self.period) + 10 * self.burst)
        src, at, draw = bernoulli(self.chance, nodes.n, on, seed, draws_target=to is None)
        dst = to[src] if to is not None else drawn_targets(self, nodes, draw)
        if self.process != "steady":
            at = warped(self, nodes.n, src, at, seed)
            order = np.lexsort((src, at))
            src, dst, at = src[order], dst[order], at[order]
            inside = at < cycles
            src, dst, at = src[inside], dst[inside], at[inside]
        src, at, dst = np.repeat(src, self.fanout), np.repeat(at, self.fanout), dst.ravel()
        return Packets(src.astype(np.int32), dst.astype(np.int32), at, np.full(len(src), self.size, np.int32), cycles,
                       cycle_ps, self.pattern + ("" if self.process == "steady" else f", {self.process}"), self.fanout)
