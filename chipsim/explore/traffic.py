"""Traffic for the fabric alone: who sends to whom, and when, reproducible from the seed.

A list is a pattern (destinations) and a process (times). Every process is the Bernoulli process, "each node offers a
packet in each cycle with probability p", on a clock that stands still between bursts; so one generator serves all. Its
numbers are the SplitMix64 sequence of the seed, taken per cycle and node: one number decides whether the node sends,
and where the pattern draws its destination, the next one decides that.
"""
from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.errors import Diagnostic, UsageError
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
CHUNK = 1 << 20                                             # numbers drawn at a time
GAMMA, MIX1, MIX2 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
STREAM_PERMUTATION, STREAM_BURSTS = 1, 2


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
            at = _warped(self, nodes.n, src, at, seed)
            order = np.lexsort((src, at))
            src, dst, at = src[order], dst[order], at[order]
            inside = at < cycles
            src, dst, at = src[inside], dst[inside], at[inside]
        src, at, dst = np.repeat(src, self.fanout), np.repeat(at, self.fanout), dst.ravel()
        return Packets(src.astype(np.int32), dst.astype(np.int32), at, np.full(len(src), self.size, np.int32), cycles,
                       cycle_ps, self.pattern + ("" if self.process == "steady" else f", {self.process}"), self.fanout)


# ---- random numbers: a counter through SplitMix64 (Steele, Lea and Flood 2014) ----

def splitmix64(seed: int, first: int, n: int) -> np.ndarray:
    """uint64[n]: numbers `first`, `first` + 1, ... of the sequence of a seed."""
    return mixed(np.uint64(seed & (1 << 64) - 1) + GAMMA * (np.arange(first + 1, first + n + 1, dtype=np.uint64)))


def mixed(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * MIX1
    z = (z ^ (z >> np.uint64(27))) * MIX2
    return z ^ (z >> np.uint64(31))


def unit(z: np.ndarray) -> np.ndarray:
    """float64 in [0, 1)."""
    return (z >> np.uint64(11)) * 2.0**-53


def stream(seed: int, *keys: int) -> int:
    """Seed of an independent sequence."""
    for key in keys:
        seed = int(splitmix64(seed, 0, 1)[0]) ^ key * int(MIX2) & (1 << 64) - 1
    return seed


# ---- times ----

def bernoulli(chance: float, n: int, cycles: int, seed: int, *, draws_target: bool) -> tuple[np.ndarray, ...]:
    """(src int64[p], cycle int64[p], draw uint64[p]): each of n nodes sends with that chance in each cycle.

    With `draws_target`, the number after one that made a packet is the packet's own (`draw`) and decides nothing else.
    """
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.uint64))]
    tests, first, taken = cycles * n, 0, False              # taken: the first number belongs to the packet before it
    base = 0                                                # tests done
    while base < tests:
        z = splitmix64(seed, first, CHUNK + 1)
        hit = unit(z[:CHUNK]) < chance
        hit[0] &= not taken
        at = np.flatnonzero(hit)
        before = int(taken)                                 # numbers of this chunk that were no tests
        if draws_target and len(at):                        # in a row of hits every second one is a target
            start = np.concatenate([[True], np.diff(at) != 1])
            in_row = np.arange(len(at)) - np.maximum.accumulate(np.where(start, np.arange(len(at)), 0))
            at = at[in_row % 2 == 0]
            taken = bool(len(at)) and at[-1] == CHUNK - 1
            test = base + at - before - np.arange(len(at))
            base += CHUNK - before - len(at) + taken
        else:
            taken = False
            test = base + at - before
            base += CHUNK - before
        inside = test < tests
        parts.append((test[inside], z[at[inside] + 1]))
        first += CHUNK
    test = np.concatenate([p[0] for p in parts])
    return test % n, test // n, np.concatenate([p[1] for p in parts])


def _warped(traffic: Traffic, n: int, src: np.ndarray, on_time: np.ndarray, seed: int) -> np.ndarray:
    """Cycles int64[p] of packets offered at `on_time`, counted in cycles in which their source is on."""
    if traffic.process == "ticks":
        return on_time // traffic.burst * traffic.period + on_time % traffic.burst
    at = np.empty_like(on_time)
    n_bursts = 2 * (int(on_time.max(initial=0)) // traffic.burst + 8)
    for node in range(n):
        mine = np.flatnonzero(src == node)
        u = unit(splitmix64(stream(seed, STREAM_BURSTS, node), 0, 2 * n_bursts)).reshape(2, -1)
        on, off = _geometric(u[0], traffic.burst), _geometric(u[1], traffic.period - traffic.burst)
        at[mine] = on_time[mine] + np.cumsum(off)[np.searchsorted(np.cumsum(on), on_time[mine], "right") % n_bursts]
    return at


def _geometric(u: np.ndarray, mean: float) -> np.ndarray:
    """int64: 1, 2, ... with that mean; 0 where the mean is."""
    if mean <= 1:
        return np.full(len(u), int(mean), np.int64)
    return 1 + np.floor(np.log1p(-u) / np.log1p(-1 / mean)).astype(np.int64)


# ---- destinations ----

def targets(traffic: Traffic, nodes: Nodes, seed: int) -> np.ndarray | None:
    """int64[n] destination of every node; None where each packet draws its own."""
    name, n = traffic.pattern, nodes.n
    node = np.arange(n)
    if name in ("uniform", "hotspot", "multicast"):
        return None
    if name == "permutation":
        return np.argsort(splitmix64(stream(seed, STREAM_PERMUTATION), 0, n), kind="stable")
    if name in ("bitcomp", "bitrev", "shuffle"):
        bits = n.bit_length() - 1
        if n != 1 << bits:
            raise _undefined(name, f"needs a power of two of nodes, the chip has {n}")
        if name == "bitcomp":
            return ~node & (n - 1)
        if name == "shuffle":
            return (node << 1 | node >> max(0, bits - 1)) & (n - 1)
        return sum((node >> b & 1) << (bits - 1 - b) for b in range(bits)) + 0 * node
    columns, rows, local = nodes.columns, nodes.rows, node % nodes.per_router
    if n != columns * rows * nodes.per_router:
        raise _undefined(name, f"needs every place taken: {n} cores on {columns}x{rows} routers of {nodes.per_router}")
    x, y = node // nodes.per_router % columns, node // nodes.per_router // columns
    if name == "transpose":
        if columns != rows:
            raise _undefined(name, f"needs as many columns as rows, the chip has {columns} and {rows}")
        x, y = y, x
    elif name == "tornado":
        x, y = (x + (columns + 1) // 2 - 1) % columns, (y + (rows + 1) // 2 - 1) % rows
    else:
        x, y = (x + 1) % columns, (y + 1) % rows
    return (x + columns * y) * nodes.per_router + local


def drawn_targets(traffic: Traffic, nodes: Nodes, draw: np.ndarray) -> np.ndarray:
    """int64[p] destinations from a number per packet; [p, fanout] of the pattern multicast."""
    n = nodes.n
    if traffic.pattern == "multicast":
        if traffic.fanout > n:
            raise UsageError(Diagnostic("F519", f"packets with {count(traffic.fanout, 'targets')} on a chip of "
                                        f"{count(n, 'nodes')}", help=f"at most {n}, each node once"))
        return distinct_targets(n, traffic.fanout, draw)
    if traffic.pattern == "uniform":
        return (draw % np.uint64(n)).astype(np.int64)
    hot = np.array([h[0] for h in traffic.hotspots], np.int64)
    share = np.cumsum([h[1] for h in traffic.hotspots])
    if not len(hot):
        raise UsageError(Diagnostic("F515", "the pattern `hotspot` without hotspots: `--hotspots` is missing",
                                    help="write them with their shares of all packets, as --hotspots 27:0.3,36:0.2"))
    if hot.min() < 0 or hot.max() >= n or share[-1] > 1 + 1e-9 or min(np.diff(share, prepend=0)) <= 0:
        written = ",".join(f"{a}:{s:g}" for a, s in traffic.hotspots)
        raise UsageError(Diagnostic("F515", f"hotspots `{written}`" if written else "which nodes are hot?",
                                    help=f"give nodes 0 to {n - 1} with shares that sum to at most 1: 27:0.3,36:0.2"))
    u = unit(draw)
    which = np.searchsorted(share, u, "right")
    to = hot[np.minimum(which, len(hot) - 1)]
    if share[-1] < 1 - 1e-9:
        rest = which == len(hot)
        to[rest] = np.minimum((u[rest] - share[-1]) / (1 - share[-1]) * n, n - 1).astype(np.int64)
    return to


def distinct_targets(n: int, fanout: int, draw: np.ndarray) -> np.ndarray:
    """int64[p, fanout] of n nodes: the first places of a shuffle (Fisher and Yates), each decided by a number of the
    sequence that the packet's own number seeds."""
    to = np.empty((len(draw), fanout), np.int64)
    some = max(1, CHUNK // n)                               # packets whose places are held at a time
    step = GAMMA * np.arange(1, fanout + 1, dtype=np.uint64)
    for first in range(0, len(draw), some):
        own = draw[first : first + some]
        rows, place = np.arange(len(own)), np.tile(np.arange(n), (len(own), 1))
        for i in range(fanout):
            j = i + (mixed(own + step[i]) % np.uint64(n - i)).astype(np.int64)
            to[first : first + some, i] = place[rows, j]
            place[rows, j] = place[:, i]
    return to


def _undefined(name: str, why: str) -> UsageError:
    return UsageError(Diagnostic("F512", f"pattern `{name}` {why}",
                                 help="uniform, permutation and hotspot are defined on every fabric"))


# ---- traces ----

def load_trace(path: Path, nodes: Nodes, cycle_ps: int) -> Packets:
    """Packets of a CSV file, in its order of time; see F514 for its columns. Raises UsageError with file and line."""
    def wrong(line: int, message: str) -> UsageError:
        return UsageError(Diagnostic("F514", message, file=str(path), line=line, column=1,
                                     help="columns src, dst, inject_cycle or ready_ps, size; `chipsim explain F514`"))

    with open(path, newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        columns = reader.fieldnames or ()
        time = next((c for c in ("inject_cycle", "ready_ps") if c in columns), None)
        size = next((c for c in ("size", "size_flits") if c in columns), None)
        if missing := [c for c in ("src", "dst") if c not in columns] + ["inject_cycle or ready_ps"] * (time is None):
            raise wrong(1, f"no column {' and '.join(missing)}; it has {', '.join(columns) or 'none'}")
        unit_ps = cycle_ps if time == "inject_cycle" else 1
        most = (nodes.n - 1, nodes.n - 1, 2**62 // unit_ps, 2**31 - 1)
        rows = list(_numbers(reader, ("src", "dst", str(time), *([size] if size else [])), most, wrong))
    if not rows:
        raise wrong(1, "the trace holds no packet")
    table = np.array(rows, np.int64)
    table = table[np.argsort(table[:, 2], kind="stable")]
    return Packets(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2],
                   table[:, 3].astype(np.int32) if size else np.ones(len(table), np.int32), int(table[-1, 2]) + 1,
                   unit_ps, path.name)


def _numbers(reader: csv.DictReader, columns: tuple[str, ...], most: tuple[int, ...], wrong) -> Iterator[list[int]]:
    least = (0, 0, 0, 1)
    for row in reader:
        try:
            values = [int(row[c]) for c in columns]
        except (TypeError, ValueError):
            raise wrong(reader.line_num, f"not whole numbers: {', '.join(str(row[c]) for c in columns)}") from None
        for name, value, low, high in zip(columns, values, least, most, strict=False):
            if not low <= value <= high:
                raise wrong(reader.line_num, f"{name} is {value}; " + (
                    f"nodes go from 0 to {high}" if name in ("src", "dst") else
                    f"{low} is the least" if value < low else f"{high} is the most"))
        yield values
