"""How a chip's cores and neurons are divided among threads or processes: about the same work for each."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.compiler.layout import Layout

if TYPE_CHECKING:
    from chipsim.engine.plan import Plan

ALIGNED = 16                                # neurons: no two shares write to one cache line


def work_before(layout: Layout) -> np.ndarray:
    """int64[C+1]: neurons and synapses on the cores before each."""
    synapses = np.bincount(np.repeat(layout.axon_core, np.diff(layout.axon_start)), layout.segment_size,
                           layout.n_cores).astype(np.int64)
    return np.concatenate([[0], np.cumsum(synapses + np.diff(layout.core_start))])


def core_borders(layout: Layout, n: int) -> np.ndarray:
    """int64[n+1]: runs of cores, with about the same number of neurons and synapses each."""
    before = work_before(layout)
    return np.concatenate([[0], np.searchsorted(before, before[-1] * np.arange(1, n) / n), [layout.n_cores]])


def borders(plan: Plan, n: int, *, whole_cores: bool) -> np.ndarray:
    """int64[.]: where at most n shares of the neurons begin, and where the last one ends; none of them is empty.

    whole_cores  borders are those of cores, since the soma server of a core is one
    One share is all there is where something learns, or spikes act in the tick they are made in.
    """
    layout = plan.layout
    if n == 1 or layout.n_neurons == 0 or plan.learning is not None or plan.same_tick:
        return np.array([0, layout.n_neurons])
    if whole_cores:
        return np.unique(layout.core_start[core_borders(layout, n)])
    before = work_before(layout)
    inner = np.interp(before[-1] * np.arange(1, n) / n, before, layout.core_start)
    inner = np.round(inner / ALIGNED).astype(np.int64) * ALIGNED
    return np.unique(np.concatenate([[0], np.minimum(inner, layout.n_neurons), [layout.n_neurons]]))
