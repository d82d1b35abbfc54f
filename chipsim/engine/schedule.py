"""What a run is asked for: the stimulus on the run's own time line."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from chipsim.network.stimulus import Stimulus


class Schedule:
    """The stimulus on the run's own time line: samples end to end, each with the ticks its answer needs."""

    def __init__(self, layout: Layout, stimulus: Stimulus | None, ticks: int | None):
        self.count, self.labels, self.reset_every, self.depth = 1, None, 0, 0
        self.line, self.value = np.zeros(0, np.uint32), None
        if stimulus is None:
            self.ticks = self.per_sample = int(ticks or 0)
            self.start = np.zeros(self.ticks + 1, np.int64)
            return
        self.line, self.value, self.labels = stimulus.line, stimulus.value, stimulus.labels
        self.count = stimulus.n_samples
        self.sampled = self.count > 1 or self.labels is not None
        given = stimulus.ticks if ticks is None else int(ticks)
        if self.sampled:
            self.depth = max((p.depth for p in layout.populations if p.name in layout.outputs), default=0)
        self.per_sample = given + self.depth
        self.reset_every = self.per_sample if self.sampled else 0
        self.ticks = self.count * self.per_sample
        start = np.asarray(stimulus.start, np.int64)
        at = np.arange(self.count)[:, None] * stimulus.ticks + np.minimum(np.arange(self.per_sample), stimulus.ticks)
        if given < stimulus.ticks:                              # cut short: later events must not leak into the tail
            keep = np.repeat((np.arange(len(start) - 1) % stimulus.ticks) < given, np.diff(start))
            lengths = np.where((np.arange(len(start) - 1) % stimulus.ticks) < given, np.diff(start), 0)
            start = np.concatenate([[0], np.cumsum(lengths)])
            self.line = self.line[keep]
            self.value = None if self.value is None else self.value[keep]
        self.start = np.append(start[at.ravel()], start[-1])

    sampled = False


def schedule_of(layout: Layout, stimulus: Stimulus | None, ticks: int | None) -> Schedule:
    if stimulus is None and not ticks:
        raise UsageError(Diagnostic("U413", "neither input nor a number of ticks is given",
                                    help="--input FILE, or --ticks N for a network that spikes by itself"))
    if ticks is not None and ticks < 1:
        raise UsageError(Diagnostic("U414", f"a run needs at least one tick, got {ticks}"))
    if stimulus is not None:
        names = ", ".join(f"`{p.name}` {'x'.join(map(str, p.shape))}" for p in layout.populations if p.is_input)
        stimulus.check_lines(layout.n_lines, f"network `{layout.network}` ({names})")
    return Schedule(layout, stimulus, ticks)
