"""Numbers as spike trains. All are deterministic; random ones use NumPy's counter-based Philox, keyed by the seed."""
from __future__ import annotations

import numpy as np

from chipsim.errors import Diagnostic, StimulusError
from chipsim.network.stimulus import Stimulus


def bernoulli(rates: np.ndarray, ticks: int, seed: int = 0, labels: np.ndarray | None = None) -> Stimulus:
    """A spike with probability rates[samples, lines] (0..1) in every tick, independently.

    Tick t of sample s draws the same numbers whatever the other samples and the number of ticks are.
    """
    rates = _unit(rates, "rates", ticks)
    x = np.empty((ticks, *rates.shape), bool)
    for s, row in enumerate(rates):
        generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, s, 0]))
        x[:, s] = generator.random((ticks, len(row))) < row
    return Stimulus.from_dense(x, labels, f"bernoulli(seed={seed})")


def regular(rates: np.ndarray, ticks: int, labels: np.ndarray | None = None) -> Stimulus:
    """Evenly spaced spikes: a spike in each tick in which rates[samples, lines] * (t + 1) passes a whole number."""
    rates = _unit(rates, "rates", ticks)
    passed = np.floor(rates * np.arange(ticks + 1)[:, None, None] + 1e-9)
    return Stimulus.from_dense(np.diff(passed, axis=0), labels, "regular")


def latency(values: np.ndarray, ticks: int, labels: np.ndarray | None = None) -> Stimulus:
    """One spike per line, the earlier the larger values[samples, lines]: 1 in tick 0, near 0 in the last, 0 never."""
    values = _unit(values, "values", ticks)
    when = np.round((1 - values) * (ticks - 1))
    return Stimulus.from_dense((np.arange(ticks)[:, None, None] == when) & (values > 0), labels, "latency")


def _unit(values: np.ndarray, name: str, ticks: int) -> np.ndarray:
    values = np.asarray(values, float)
    values = values[None] if values.ndim == 1 else values.reshape(len(values), -1)
    if ticks < 1:
        raise StimulusError(Diagnostic("S301", f"{ticks} ticks", help="encode into at least one tick"))
    if not np.all((values >= 0) & (values <= 1)):
        raise StimulusError(Diagnostic("S315", f"{name} are outside 0..1, or NaN", help="divide by the largest value"))
    return values
