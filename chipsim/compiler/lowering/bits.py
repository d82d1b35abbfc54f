"""Cut weights into bits: each source gets some axon types, each neuron a weight per type, each synapse a choice.

The weight of a synapse is the sum of its neuron's weights over the chosen types, of those its source has axons for. The
three are found in turns, as in k-means: choices and types for given weights, then weights by least squares.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDS = 12
STARTS = ((1.0, 0.5, 0.25, -1.0), (1.0, 0.4, -0.4, -1.0))        # two's complement; two of each sign


@dataclass(frozen=True, eq=False)
class Bits:
    """
    weights   int64[n, types] of each neuron     scale   float64[n]: whole units per unit of the given weights
    axons     int64[sources] with synapses: how many types each has
    choice    uint8[synapses]: bit t is set where the synapse uses the axon of type t
    snr_dB    of all weights
    """

    weights: np.ndarray
    scale: np.ndarray
    axons: np.ndarray
    choice: np.ndarray
    snr_dB: float


def cut(source: np.ndarray, post: np.ndarray, weight: np.ndarray, n_sources: int, n: int, *, types: int, rows: int,
        most: int, scale_max: np.ndarray) -> Bits:
    """Bits of the synapses (source, post, weight) [k] for a crossbar of `rows` axons.

    most       largest magnitude of a neuron's weight
    scale_max  float64[n]: most units that a neuron can count per unit of weight
    Every source gets as many axons as the neuron with most sources leaves room for; where all sources together leave
    rows over, those sources get one more that gain most by it.
    """
    heard = len(np.unique(source))
    fan_in = int(np.bincount(post, minlength=1).max(initial=0))
    each = int(np.clip(rows // max(fan_in, 1), 1, types))
    spare = max(0, rows - heard * each) if each < types else 0
    peak = np.zeros(n)
    np.maximum.at(peak, post, np.abs(weight))
    best = None
    for start in STARTS:
        s = peak[:, None] * np.array(start[:types])
        for _ in range(ROUNDS):
            allowed = _allowed(source, post, weight, s, n_sources, each, spare)
            choice = _choices(weight, _sums(s)[post], allowed[source])
            s = _least_squares(post, weight, choice, s)
        error = float(((weight - _sums(s)[post, choice]) ** 2).sum())
        if best is None or error < best[0]:
            best = error, s, allowed
    _, s, allowed = best
    largest = np.abs(s).max(axis=1)
    scale = np.minimum(np.where(largest > 0, most / np.where(largest > 0, largest, 1), scale_max), scale_max)
    whole = np.round(s * scale[:, None]).astype(np.int64)
    sums = _sums(whole / scale[:, None])[post]
    choice = _choices(weight, sums, allowed[source])
    stored = np.take_along_axis(sums, choice[:, None].astype(np.int64), axis=1)[:, 0]
    power, noise = float((weight**2).sum()), float(((weight - stored) ** 2).sum())
    axons = np.array([bin(m).count("1") for m in range(1 << types)])[allowed[np.unique(source)]]
    return Bits(whole, scale, axons, choice, 10 * np.log10(power / noise) if noise > 0 and power > 0 else 300.0)


def _sums(s: np.ndarray) -> np.ndarray:
    """[n, 2^types]: sum of a neuron's weights over every choice of types."""
    types = s.shape[1]
    masks = np.arange(1 << types)[:, None] >> np.arange(types) & 1
    return s @ masks.T


def _allowed(source, post, weight, s, n_sources: int, each: int, spare: int) -> np.ndarray:
    """uint8[sources]: the types of each source's axons, `each` of them, `spare` sources one more."""
    types = s.shape[1]
    error = (weight[:, None] - _sums(s)[post]) ** 2
    for mask in range(1 << types):                      # the best choice within a set: of its own and its subsets'
        for t in range(types):
            if mask >> t & 1:
                np.minimum(error[:, mask], error[:, mask ^ 1 << t], out=error[:, mask])
    size = np.array([bin(m).count("1") for m in range(1 << types)])
    total = np.stack([np.bincount(source, error[:, m], n_sources) for m in range(1 << types)], axis=1)
    sets = np.flatnonzero(size == each)
    chosen = sets[total[:, sets].argmin(axis=1)]
    if spare:
        larger = np.flatnonzero(size == each + 1)
        more = larger[total[:, larger].argmin(axis=1)]
        at = np.arange(n_sources)
        gain = total[at, chosen] - total[at, more]
        winners = np.argsort(-gain, kind="stable")[:spare]
        chosen[winners] = more[winners]
    return chosen.astype(np.uint8)


def _choices(weight: np.ndarray, sums: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """uint8[synapses]: the choice of allowed types whose sum is nearest; of equals the one of lowest number."""
    error = np.abs(weight[:, None] - sums)
    error[(np.arange(sums.shape[1]) & ~allowed[:, None].astype(np.int64)) != 0] = np.inf
    return error.argmin(axis=1).astype(np.uint8)


def _least_squares(post: np.ndarray, weight: np.ndarray, choice: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The neurons' weights that fit best for given choices; a type that is not chosen keeps its weight."""
    n, types = s.shape
    on = (choice[:, None] >> np.arange(types) & 1).astype(float)
    matrix = np.stack([np.bincount(post, on[:, a] * on[:, b], n) for a in range(types) for b in range(types)], axis=1)
    right = np.stack([np.bincount(post, on[:, a] * weight, n) for a in range(types)], axis=1)
    damped = matrix.reshape(n, types, types) + 1e-6 * np.eye(types)
    return np.linalg.solve(damped, (right + 1e-6 * s)[:, :, None])[:, :, 0]
