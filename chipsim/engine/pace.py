"""Whether several threads are worth it, found by trying; results do not depend on it.

With little to do in a tick, or on a busy machine, one is faster.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

SOONEST, LATEST = 8, 512                    # chunks until the slower way is tried again; doubled while it stays slower


class Pace:
    """Wall seconds per tick of the last chunk that one thread advanced, and of the last that several did."""

    def __init__(self) -> None:
        self.seconds: dict[bool, float | None] = {False: None, True: None}
        self.wait, self.left = SOONEST, 0

    def choose(self) -> bool:
        """True: several threads."""
        for way in (True, False):
            if self.seconds[way] is None:
                return way
        faster = self.seconds[True] < self.seconds[False]
        self.left -= 1
        return faster if self.left >= 0 else not faster

    def took(self, together: bool, seconds: float) -> None:
        """Learn what a tick took."""
        known = None not in self.seconds.values()
        before = known and self.seconds[True] < self.seconds[False]
        self.seconds[together] = seconds
        if None in self.seconds.values():
            return
        if self.left < 0 or not known:                                  # the slower way has been tried
            same = known and before == (self.seconds[True] < self.seconds[False])
            self.wait = min(2 * self.wait, LATEST) if same else SOONEST
            self.left = self.wait

    @contextmanager
    def measured(self, n_ticks: int, n_shares: int) -> Iterator[bool]:
        """Choose for a chunk of ticks, and measure it."""
        if n_shares == 1 or n_ticks == 0:
            yield False
            return
        together, began = self.choose(), perf_counter()
        yield together
        self.took(together, (perf_counter() - began) / n_ticks)
