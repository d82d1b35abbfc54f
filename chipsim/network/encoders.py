"""Numbers as spike trains. All are deterministic; random ones use NumPy's counter-based Philox, keyed by the seed."""
from __future__ import annotations

import numpy as np

from chipsim.errors import Diagnostic, StimulusError
from chipsim.models.numerics import exp
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


def poisson(rates: np.ndarray, ticks: int, dt: float, seed: int = 0, labels: np.ndarray | None = None) -> Stimulus:
    """Poisson spike trains of rates[samples, lines] in Hz, ticks of dt seconds: a spike in a tick in which events
    fall."""
    rates = np.asarray(rates, float)
    if not np.all((rates >= 0) & np.isfinite(rates)) or dt <= 0:
        raise StimulusError(
            Diagnostic("S316", "rates or dt are below 0, NaN or infinite", help="give rates in Hz, dt in s")
        )
    return bernoulli(1 - exp(-rates * dt), ticks, seed, labels)


def phase(values: np.ndarray, ticks: int, period: int, labels: np.ndarray | None = None) -> Stimulus:
    """One spike per line and period, the earlier in it the larger values[samples, lines]: 1 first, near 0 last, 0
    never."""
    values = _unit(values, "values", ticks)
    if period < 1:
        raise StimulusError(Diagnostic("S316", f"a period of {period} ticks", help="give at least one tick"))
    when = np.round((1 - values) * (period - 1))
    return Stimulus.from_dense((np.arange(ticks)[:, None, None] % period == when) & (values > 0), labels, "phase")


def rank_order(values: np.ndarray, ticks: int, labels: np.ndarray | None = None) -> Stimulus:
    """One spike per line in the order of values[samples, lines], largest first, evenly over the ticks; 0 never.

    Only the order counts (Thorpe and Gautrais 1998); equal values go in the order of their lines.
    """
    values = _unit(values, "values", ticks)
    rank = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
    when = rank * ticks // values.shape[1]
    return Stimulus.from_dense((np.arange(ticks)[:, None, None] == when) & (values > 0), labels, "rank_order")


def population(values: np.ndarray, units: int, width: float = 1.5) -> np.ndarray:
    """Activations float64[samples, values * units] of Gaussian receptive fields, for any of the other encoders.

    Each of values[samples, values] (0..1) is seen by `units` neurons with centres from 0 to 1; their spread is the
    distance of two centres divided by `width` (Bohte, Kok and La Poutré 2002).
    """
    values = _unit(values, "values", 1)
    if units < 2 or width <= 0:
        raise StimulusError(
            Diagnostic("S316", f"{units} units of width {width}", help="two units or more, width above 0")
        )
    z = (values[:, :, None] - np.linspace(0, 1, units)) * (units - 1) * width
    return exp(-0.5 * z * z).reshape(len(values), -1)


def delta(signals: np.ndarray, threshold: float, labels: np.ndarray | None = None) -> Stimulus:
    """Send on delta: signals[ticks, samples, lines] become lines up (the first half) and down (the second).

    A line sends when its signal has moved by `threshold` or more since what was sent last, at first 0; the payload is
    the number of whole thresholds, so that their running sum stays within one threshold of the signal.
    """
    signals = np.asarray(signals, float)
    signals = signals[:, None] if signals.ndim == 2 else signals.reshape(*signals.shape[:2], -1)
    if threshold <= 0 or not np.isfinite(signals).all():
        raise StimulusError(
            Diagnostic("S316", f"threshold {threshold}, or a signal that is NaN", help="above 0; finite")
        )
    steps, sent = np.zeros(signals.shape), np.zeros(signals.shape[1:])
    for t, signal in enumerate(signals):
        steps[t] = np.trunc((signal - sent * threshold) / threshold)
        sent += steps[t]
    return Stimulus.from_dense(np.concatenate([np.maximum(steps, 0), np.maximum(-steps, 0)], axis=2), labels, "delta")


def _unit(values: np.ndarray, name: str, ticks: int) -> np.ndarray:
    values = np.asarray(values, float)
    values = values[None] if values.ndim == 1 else values.reshape(len(values), -1)
    if ticks < 1:
        raise StimulusError(Diagnostic("S301", f"{ticks} ticks", help="encode into at least one tick"))
    if not np.all((values >= 0) & (values <= 1)):
        raise StimulusError(Diagnostic("S315", f"{name} are outside 0..1, or NaN", help="divide by the largest value"))
    return values
