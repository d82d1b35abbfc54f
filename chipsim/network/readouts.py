"""Spikes as numbers again: what a population of a Run says about each sample."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from chipsim.engine.run import Run


def spike_counts(run: Run, population: str) -> np.ndarray:
    """float64[samples, neurons]: spikes of each neuron, graded ones by their payload."""
    if population in run.values:
        return run.values[population].reshape(_samples(run)[0], -1, run.values[population].shape[1]).sum(1)
    samples, ticks, when, index, n = _spikes(run, population)
    counts = np.zeros((samples, n))
    np.add.at(counts, (when // ticks, index), 1)
    return counts


def first_spikes(run: Run, population: str) -> np.ndarray:
    """float64[samples, neurons]: tick of the first spike within the sample; infinite for a neuron that is silent."""
    samples, ticks, when, index, n = _spikes(run, population)
    first = np.full((samples, n), np.inf)
    np.minimum.at(first, (when // ticks, index), when % ticks)
    return first


def membrane(run: Run, population: str, variable: str = "v", how: str = "last") -> np.ndarray:
    """float64[samples, neurons]: a state variable at the end of the sample ("last"), its "max" or its "mean" over it.

    The run must have recorded it: simulate(..., record=["out.v"]).
    """
    states = run.states.get((population, variable))
    if states is None:
        raise UsageError(Diagnostic("U417", f"the run holds no `{population}.{variable}`",
                                    help=f"run it with record=[\"{population}.{variable}\"]"))
    if (every := run.meta.get("record_every", 1)) > 1:
        raise UsageError(Diagnostic("U417", f"the run holds `{population}.{variable}` of every {every}th tick only",
                                    help="record states after every tick (record_every=1)"))
    by_sample = states.reshape(_samples(run)[0], -1, states.shape[1]).astype(float)
    reduce = {"last": lambda a: a[:, -1], "max": lambda a: a.max(1), "mean": lambda a: a.mean(1)}
    if how not in reduce:
        raise UsageError(Diagnostic("U417", f"`{how}` is no way to read a membrane", help="one of last, max, mean"))
    return reduce[how](by_sample)


def _samples(run: Run) -> tuple[int, int]:
    """Number of samples, ticks of each."""
    count = run.samples["count"] if run.samples else 1
    return count, run.ticks // count


def _spikes(run: Run, population: str) -> tuple[int, int, np.ndarray, np.ndarray, int]:
    if population not in run.spikes:
        raise UsageError(
            Diagnostic(
                "U417",
                f"the run holds no spikes of `{population}`",
                help="recorded are " + (", ".join(run.spikes) or "none") + "; simulate(..., record=...)",
            )
        )
    size = next(p["size"] for p in run.populations if p["name"] == population)
    return *_samples(run), *run.spikes[population], size
