"""How full the FIFOs behind the channels were.

A flit is in the FIFO behind a channel from its arrival until it leaves by the next one; behind an eject channel, which
is a core's input FIFO, until its synapse server starts on it. Arrivals of a time stamp come before departures: a flit
that passes straight through counts as one for that moment, and adds no time.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(eq=False)
class Queues:
    """queued_ps int64[K] time that flits spent in the FIFO behind each channel, summed; peak int32[K] most at once."""

    queued_ps: np.ndarray
    peak: np.ndarray

    @classmethod
    def none(cls, n_channels: int) -> Queues:
        """Of a fabric that nothing has crossed."""
        return cls(np.zeros(n_channels, np.int64), np.zeros(n_channels, np.int32))

    @classmethod
    def of_stays(cls, stays: list[list[tuple[int, int]]]) -> Queues:
        """From (arrival, departure) of every flit, per channel."""
        found = cls.none(len(stays))
        for k, pairs in enumerate(stays):
            if pairs:
                arrivals, departures = (np.sort(side) for side in np.array(pairs, np.int64).T)
                found.queued_ps[k] = departures.sum() - arrivals.sum()
                inside = np.arange(1, len(pairs) + 1) - np.searchsorted(departures, arrivals, "left")
                found.peak[k] = inside.max()
        return found

    def add(self, other: Queues) -> None:
        """Of another tick, or of the same ticks on another thread."""
        self.queued_ps += other.queued_ps
        np.maximum(self.peak, other.peak, out=self.peak)

    def since(self, before: Queues) -> Queues:
        """What has come since `before`; the peak is that of all."""
        return Queues(self.queued_ps - before.queued_ps, self.peak)
