"""Checks of graphs, rates and seeds given from Python: compiled passes take every index and number as it is."""
from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, issparse

from chipsim.errors import Diagnostic, UsageError

# Sums over a network are float32 in places, and end at 3e38.
MOST_SPIKES = 1e18          # of a neuron in a tick
MOST_PACKETS = 1e30         # from a core to another
MOST_SEEDS = 1 << 40        # seeds are multiplied on the way, and stay below 2^63


def checked_seed(seed: int) -> int:
    """The seed. UsageError U428 unless it is from 0 to 2^40 - 1."""
    if not 0 <= seed < MOST_SEEDS:
        raise _wrong(f"a seed is a whole number from 0 to 2^40 - 1, got {seed}")
    return int(seed)


def checked_rates(rates: np.ndarray, n: int) -> np.ndarray:
    """float64[n] spikes per tick. UsageError U428 unless they are as many, finite and not negative."""
    rates = np.ascontiguousarray(rates, np.float64)
    if rates.shape != (n,):
        raise _wrong(f"rates of {rates.size} neurons, there are {n}")
    if (fault := fault_of(rates, MOST_SPIKES)) is not None:
        raise _wrong(f"a rate of {rates[fault]} spikes per tick, of neuron {fault}")
    return rates


def fault_of(counts: np.ndarray, most: float) -> int | None:
    """The first entry that is no count: negative, not a number, or beyond `most`."""
    wrong = np.flatnonzero(~((counts >= 0) & (counts <= most)))
    return int(wrong[0]) if len(wrong) else None


def checked_csr(indptr: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int64[n + 1], int32[entries]) of a square graph. UsageError U428 if they do not describe one."""
    indptr, indices = np.asarray(indptr), np.asarray(indices)
    if indptr.ndim != 1 or indices.ndim != 1 or not len(indptr) or any(
            len(a) and a.dtype.kind not in "iu" for a in (indptr, indices)):
        raise _wrong("`indptr` and `indices` are two rows of whole numbers, `indptr` with one more than there are "
                     "neurons")
    n = len(indptr) - 1
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        raise _wrong(f"`indptr` rises from 0 to the {len(indices)} entries of `indices`")
    if len(indices) and not 0 <= indices.min() <= indices.max() < n:
        raise _wrong(f"`indices` go from {indices.min()} to {indices.max()}, there are {n} neurons")
    return np.ascontiguousarray(indptr, np.int64), np.ascontiguousarray(indices, np.int32)


def checked_traffic(traffic: csr_array) -> csr_array:
    """float64[n, n]. UsageError U428 unless it is square, finite and not negative."""
    traffic = traffic if issparse(traffic) else np.asarray(traffic)
    if traffic.ndim != 2 or traffic.shape[0] != traffic.shape[1]:
        raise _wrong(f"traffic from every core to every core is square, got {list(traffic.shape)}")
    traffic = csr_array(traffic, dtype=np.float64)
    if (fault := fault_of(traffic.data, MOST_PACKETS)) is not None:
        raise _wrong(f"traffic of {traffic.data[fault]} packets")
    return traffic


def checked_pins(pinned: np.ndarray | None, n: int, n_sites: int) -> np.ndarray:
    """int64[n], -1 where not pinned. UsageError U428 if they are of other number, or name sites that are not there."""
    pinned = np.full(n, -1) if pinned is None else np.asarray(pinned)
    if pinned.shape != (n,):
        raise _wrong(f"pins of {pinned.size} cores, there are {n}")
    if pinned.max(initial=-1) >= n_sites:
        raise _wrong(f"site {pinned.max()} is pinned to, there are {n_sites}")
    return pinned.astype(np.int64)


def checked_cells(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The cells int32[S,2]. UsageError U428 unless all lie within (columns, rows)."""
    if len(cells) and not ((cells >= 0) & (cells < shape)).all():
        raise _wrong(f"cells reach from {cells.min(axis=0).tolist()} to {cells.max(axis=0).tolist()}, there are "
                     f"{shape[0]} x {shape[1]}")
    return cells


def _wrong(what: str) -> UsageError:
    return UsageError(Diagnostic("U428", what))
