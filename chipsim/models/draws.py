"""Random numbers that depend on nothing but what they are for: Philox 4x32-10, counter-based.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants as there and in Random123. The key is
the seed, the counter is (tick, neuron, stream, block); so a number does not depend on cores, threads or the order of
evaluation. src_cython/chipsim/engine/draws.pxd is the compiled twin.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LOW = np.uint64(0xFFFFFFFF)
_MULTIPLY = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[np.ndarray | int, ...], seed: int) -> np.ndarray:
    """uint64[4, n] of 32 random bits each, for counters of four words that broadcast to [n] and a seed of 64 bits."""
    c = [np.asarray(word).astype(np.uint64) & _LOW for word in np.broadcast_arrays(*counter)]
    k = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    for _ in range(10):
        first, second = _MULTIPLY[0] * c[0], _MULTIPLY[1] * c[2]
        shift = np.uint64(32)
        c = [
            (second >> shift) ^ c[1] ^ np.uint64(k[0]),
            second & _LOW,
            (first >> shift) ^ c[3] ^ np.uint64(k[1]),
            first & _LOW,
        ]
        k = [(k[0] + _WEYL[0]) & 0xFFFFFFFF, (k[1] + _WEYL[1]) & 0xFFFFFFFF]
    return np.stack(c)


def short_draws(index: np.ndarray, tick: int, stream: int, block: int, seed: int) -> np.ndarray:
    """float64[n] in [0, 1) of 16 bits each: number `index` of a stream and block; eight come out of one counter."""
    index = np.asarray(index).astype(np.uint64)
    words = philox((tick, index >> np.uint64(3), stream, block), seed)
    word = np.take_along_axis(words, (index[None] & np.uint64(7)).astype(np.int64) >> 1, 0)[0]
    return (word >> (index & np.uint64(1)) * np.uint64(16) & np.uint64(0xFFFF)) * 2.0**-16


@dataclass(frozen=True)
class Draws:
    """The random numbers of a run of neurons in one tick.

    stream  the population's number; neurons count within their population, from `first`
    """

    seed: int
    tick: int
    stream: int
    first: int

    def words(self, n: int, block: int) -> np.ndarray:
        """int64[4, n]: four words of 32 bits for each of n neurons; other blocks are other numbers."""
        return philox((self.tick, self.first + np.arange(n), self.stream, block), self.seed).astype(np.int64)


def drawn(specimen: int, stream: int, at: np.ndarray, row: np.ndarray | int = 0) -> np.ndarray:
    """float64[n] of mean 0 and variance 1, nearly normal: what belongs to a place of a chip, by its specimen's number
    and that of the quantity."""
    return normal(philox((at, row, stream, 0), specimen).astype(np.int64))


HALVES_MEAN, HALVES_STD = 8 * 65535 / 2, ((65536.0**2 - 1) * 8 / 12) ** 0.5


def normal(words: np.ndarray) -> np.ndarray:
    """float64[n] of mean 0 and variance 1, nearly normal: eight uniform numbers of 16 bits added up, from int64[4, n].

    No logarithm and no cosine, so that it is the same to the bit everywhere; nothing lies beyond 4.9.
    """
    total = words[0] * 0
    for word in words:
        total = total + (word & 0xFFFF) + (word >> 16)
    return (total - HALVES_MEAN) / HALVES_STD
