"""How a chip's cores and neurons are divided among threads or processes: about the same work for each.

Work is what the compiled engine's CPU time goes to, per tick: see NS. As long as nothing is known of what spikes, every
source is taken to spike in one tick of a hundred.
"""
from __future__ import annotations

import numpy as np

from chipsim.compiler.layout import Layout

UNKNOWN = 0.01                              # spikes of a source in a tick
NS = dict(neuron=1.0, spike=10.0, segment=6.0, synapse=0.6)     # fitted to the rows of tools/bench.py chips
ALIGNED = 16                                # neurons: no two shares write to one cache line


def work_before(layout: Layout, rate: np.ndarray | float = UNKNOWN) -> np.ndarray:
    """float64[C+1]: ns that the cores before each take for a tick.

    rate   float64[S] spikes of each source in a tick, or of all alike
    """
    rate = np.broadcast_to(rate, layout.n_sources)
    packets = np.bincount(layout.out_axon, np.repeat(rate, np.diff(layout.out_start)), len(layout.axon_core))
    of_segment = np.repeat(packets, np.diff(layout.axon_start)) * (NS["segment"] + NS["synapse"] * layout.segment_size)
    core = np.repeat(layout.axon_core, np.diff(layout.axon_start))
    spikes = np.concatenate([[0.0], np.cumsum(rate[: layout.n_neurons])])[layout.core_start]
    own = np.diff(layout.core_start) * NS["neuron"] + np.diff(spikes) * NS["spike"]
    return np.concatenate([[0.0], np.cumsum(np.bincount(core, of_segment, layout.n_cores) + own)])


def core_borders(before: np.ndarray, n: int) -> np.ndarray:
    """int64[n+1]: n runs of cores with about the same work each; before: see `work_before`."""
    wanted = before[-1] * np.arange(1, n) / n
    inner = np.searchsorted(before, wanted)
    inner -= wanted - before[inner - 1] < before[inner] - wanted
    return np.concatenate([[0], inner, [len(before) - 1]])


def borders(layout: Layout, before: np.ndarray, n: int, *, whole_cores: bool) -> np.ndarray:
    """int64[.]: where at most n shares of the neurons begin, and where the last one ends; none of them is empty.

    whole_cores  borders are those of cores, since the soma server of a core is one
    """
    if n == 1 or layout.n_neurons == 0:
        return np.array([0, layout.n_neurons])
    if whole_cores:
        return np.unique(layout.core_start[core_borders(before, n)])
    inner = np.interp(before[-1] * np.arange(1, n) / n, before, layout.core_start)
    inner = np.round(inner / ALIGNED).astype(np.int64) * ALIGNED
    return np.unique(np.concatenate([[0], np.minimum(inner, layout.n_neurons), [layout.n_neurons]]))


def excess(layout: Layout, before: np.ndarray, low: np.ndarray) -> float:
    """How much more the share with most to do has than the mean, as a fraction; low: its borders."""
    work = np.diff(np.interp(low, layout.core_start, before))
    return float(work.max() / work.mean() - 1) if work.sum() else 0.0
