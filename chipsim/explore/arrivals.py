"""When nodes offer packets, from a counter through SplitMix64 (Steele, Lea and Flood 2014).

Every process is "each node offers a packet in each cycle with probability p", the Bernoulli process, on a clock that
stands still between bursts; so one generator serves all. Its numbers are the sequence of the seed, taken per cycle and
node: one number decides whether the node sends, and where the pattern draws its destination, the next one decides that.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chipsim.explore.traffic import Traffic

CHUNK = 1 << 20                                             # numbers drawn at a time
GAMMA, MIX1, MIX2 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
STREAM_BURSTS = 2


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


def warped(traffic: Traffic, n: int, src: np.ndarray, on_time: np.ndarray, seed: int) -> np.ndarray:
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
