"""Keys of a multicast chip's packets: sources that go to the same cores share an aligned block of them.

A packet carries a key and no address; routers know keys by their high bits. So the key says where its source stands:
row and column of the router, core, then the block of a class of sources, then the source. Host lines have a region of
their own above all cores. Blocks are padded to powers of two; what no source has is nobody's, and a mask may catch it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chipsim.chip.fabric import Fabric
from chipsim.compiler.draft import Draft
from chipsim.compiler.partitioning.tally import tally_of
from chipsim.errors import Diagnostic, FitError

ALL = 1 << 30                                               # more sets of targets than a group of sources has
NO_KEY = 0xFFFFFFFF                                         # of a source that sends nothing
KEY_BITS = 32                                               # of a multicast packet on SpiNNaker and SpiNNaker 2


@dataclass(frozen=True, eq=False)
class Classes:
    """K classes of sources on one core that go to the same cores; classes without targets are left out.

    of      int32[S] class of each source, -1 without targets; sources are the units of all nodes, node by node
    home    int64[K] core (of the draft; their number: the host's port)
    size    int64[K] sources
    start   int64[K+1], target int32[.]: cores that a class goes to, in ascending order
    shared  groups of sources on one core that go wherever one of them does
    """

    of: np.ndarray
    home: np.ndarray
    size: np.ndarray
    start: np.ndarray
    target: np.ndarray
    shared: int = 0


class Senders:
    """Every source of a draft with its core, its groups, and the cores that hear it.

    groups  [0] those of one node on one core; [1] all of one core (host lines: of one node)
    """

    def __init__(self, draft: Draft):
        self.heard, n_cores = tally_of(draft).heard, len(draft.cores)
        self.first = np.cumsum([0] + [node.size for node in draft.nodes])
        self.home = np.full(self.first[-1], n_cores, np.int64)
        for c, pieces in enumerate(draft.cores):
            for p in pieces:
                self.home[self.first[p.node] + p.indices] = c
        node = np.repeat(np.arange(len(draft.nodes)), np.diff(self.first))
        fine = self.home * len(draft.nodes) + node
        coarse = np.where(self.home < n_cores, self.home * len(draft.nodes), fine)
        self.groups = tuple(np.unique(code, return_inverse=True)[1] for code in (fine, coarse))
        rng = np.random.Generator(np.random.Philox(key=[0, n_cores]))
        self.n_targets = np.zeros(len(self.home), np.int32)
        self.mark = np.zeros((len(self.home), 2), np.uint64)          # of the set of cores: equal where that is
        codes = rng.integers(0, 2**64, (n_cores, 2), np.uint64)
        for c, units in self.by_core():
            self.mark[units] += codes[c]
            self.n_targets[units] += 1

    def by_core(self) -> Iterator[tuple[int, np.ndarray]]:
        """(core, the sources int64[.] that it hears, each once) for all cores."""
        for c, reach in enumerate(self.heard):
            yield c, np.concatenate([self.first[node] + units for node, units in reach] or [np.zeros(0, np.int64)])

    def classes(self, most: int, coarse: bool = False) -> Classes:
        """Sources of a group that go to the same cores; of groups with more than `most` such sets, all sources."""
        sends, groups = np.flatnonzero(self.n_targets), self.groups[coarse]
        rows = np.stack([groups[sends].astype(np.uint64), *self.mark[sends].T], axis=1)
        order = np.lexsort(rows.T[::-1])
        new = np.r_[True, (rows[order][1:] != rows[order][:-1]).any(axis=1)] if len(order) else np.zeros(0, bool)
        alike = np.empty(len(sends), np.int64)
        alike[order] = np.cumsum(new) - 1
        group = groups[sends[order[new]]]                             # of each class
        sets = np.bincount(group, minlength=int(groups.max(initial=-1)) + 1)
        crowded = sets > most
        merged = np.where(crowded[group], len(group) + group, np.arange(len(group)))
        _, of_sends = np.unique(merged[alike], return_inverse=True)
        n = int(of_sends.max(initial=-1)) + 1
        of = np.full(len(self.home), -1, np.int32)
        of[sends] = of_sends
        home, size = np.zeros(n, np.int64), np.bincount(of_sends, minlength=n)
        home[of_sends] = self.home[sends]
        last, rows = np.empty(n, np.int64), []
        for _, units in self.by_core():
            found, place = of[units], np.arange(len(units))
            last[found] = place
            rows.append(found[last[found] == place])                  # each class that the core hears, once
        row = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        target = np.repeat(np.arange(len(rows), dtype=np.int32), [len(r) for r in rows])[np.argsort(row, kind="stable")]
        start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
        return Classes(of, home, size, start, target, int(crowded.sum()))


@dataclass(frozen=True, eq=False)
class Keys:
    """base uint32[K] and bits uint8[K]: the block of each class; source uint32[S]: key of each source, or NO_KEY."""

    base: np.ndarray
    bits: np.ndarray
    source: np.ndarray


def allot(classes: Classes, fabric: Fabric, places: np.ndarray) -> Keys:
    """A block for every class, and a key for every source of it.

    places  int[C] core of the chip for each core of the draft
    Raises FitError (M256) when they do not fit into 32 bits.
    """
    n_cores = len(places)
    bits = np.ceil(np.log2(np.maximum(classes.size, 1))).astype(np.int64)
    order = np.lexsort((np.arange(len(bits)), -bits, classes.home))   # on a core, the large blocks first: all aligned
    begin = np.zeros(len(bits), np.int64)
    ends = np.cumsum(1 << bits[order])
    first = np.searchsorted(classes.home[order], np.arange(n_cores + 2))
    before = np.r_[0, ends][first]
    begin[order] = np.r_[0, ends[:-1]] - np.repeat(before[:-1], np.diff(first)) if len(bits) else 0
    taken = np.diff(before)
    within = _bits(taken[:n_cores].max(initial=1))
    router, local = fabric.first_router + places // fabric.cores_per_router, places % fabric.cores_per_router
    core_bits, column_bits = _bits(fabric.cores_per_router), _bits(fabric.grid[0])
    row, column = np.divmod(router, fabric.grid[0])
    base = (((row << column_bits | column) << core_bits) | local) << within
    above = _bits(int(base.max(initial=0)) + (1 << within))
    host = 1 << max(above, _bits(taken[n_cores]))
    if host + taken[n_cores] > NO_KEY:
        need = _bits(host + int(taken[n_cores]) + 1)
        raise FitError(Diagnostic("M256", f"keys of all sources take {need} bits, a packet has {KEY_BITS}",
                                  help="fewer cores per router, or neurons that spread over fewer cores"))
    begin += np.append(base, host)[classes.home]
    rank = np.zeros(len(classes.of), np.int64)
    sends = np.flatnonzero(classes.of >= 0)
    by_class = sends[np.argsort(classes.of[sends], kind="stable")]
    rank[by_class] = np.arange(len(sends)) - np.repeat(np.cumsum(classes.size) - classes.size, classes.size)
    key = np.full(len(classes.of), NO_KEY, np.uint32)
    key[sends] = begin[classes.of[sends]] + rank[sends]
    return Keys(begin.astype(np.uint32), bits.astype(np.uint8), key)


def _bits(n: int) -> int:
    """Bits that number n things."""
    return max(0, int(n) - 1).bit_length()
