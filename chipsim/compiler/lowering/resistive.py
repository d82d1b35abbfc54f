"""Networks for memristive crossbars: weights as pairs of conductances, sums through converters of few bits.

The largest weight onto a population is the whole span of conductance; a weight is the difference of two cells, one of
which rests at the lowest. `resistive` finds what the converters show and how much reading adds, before neurons have a
place; `programmed` draws what each cell was really programmed to, when they have.

A converter's range holds the sum of a tick at its mean and four standard deviations away from it, where every source
spikes in a tick with the probability that was measured (compile's `rates`), or in one of five.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from chipsim.chip.core import Resistive
from chipsim.compiler.draft import Connection, Draft
from chipsim.models.devices import spread
from chipsim.models.draws import drawn

RATE, WITHIN = 0.2, 4.0
CELL, PARTNER = 8, 9                                    # streams, beside those of mismatch.py


def resistive(draft: Draft) -> Draft:
    """Nodes with parameters of `crossbar_lif`, connections with the weights that conductances can stand for."""
    chip, bits = draft.chip.core.resistive, draft.chip.core.weights.bits
    assert chip is not None
    report = list(draft.approximations)
    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        if node.is_input:
            continue
        incoming = [k for k, c in enumerate(connections) if c.post == i]
        peak = _peak([connections[k] for k in incoming])
        for k in incoming:
            connections[k] = _rounded(connections[k], peak, bits, report)
        mean, square, read = np.zeros(node.size), np.zeros(node.size), np.zeros(node.size)
        unit = _unit(chip, peak)
        for c in (connections[k] for k in incoming):
            rate = draft.options.rates.get(nodes[c.pre].name, np.full(nodes[c.pre].size, RATE))
            rate = np.clip(rate, 0.01, 1.0)
            on = _mapped(c.weight, lambda w, unit=unit: np.abs(w) / unit + chip.g_min)       # uS; its partner: g_min
            cells = _mapped(on, lambda g: g**2 + chip.g_min**2) @ rate
            mean += c.weight @ rate
            square += _mapped(c.weight, np.square) @ rate
            read += cells * (chip.read_noise / 100 * unit) ** 2
        top = (1 << (chip.converter_bits - 1)) - 1
        lsb = float((np.abs(mean) + WITHIN * np.sqrt(square)).max(initial=0)) / (top + 0.5) or 1.0
        n = node.size
        nodes[i] = replace(node, options={}, params=node.params | {
            "lsb": np.full(n, lsb), "top": np.full(n, float(top)), "noise": np.sqrt(read)})
        report.append(dict(what=f"sums of `{node.name}`", kind="converter", bits=chip.converter_bits, lsb=lsb,
                           size=f"{chip.converter_bits} bits, a step is {lsb / peak:.2g} of the largest weight; noise "
                           f"{np.sqrt(read).max(initial=0) / lsb:.2g} steps"))
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report))


def programmed(draft: Draft, column: list[np.ndarray]) -> Draft:
    """Weights as the cells of this specimen came out; column: per node int64[size], each neuron's on the whole chip."""
    chip = draft.chip.core.resistive
    assert chip is not None
    connections = list(draft.connections)
    peaks = [_peak([c for c in connections if c.post == i]) for i in range(len(draft.nodes))]
    before = np.concatenate([[0], np.cumsum([node.size for node in draft.nodes])])
    off = 0.0                                           # largest deviation, in weights of the largest
    for k, c in enumerate(connections):
        unit = _unit(chip, peaks[c.post])
        matrix = csr_array(c.weight) if not c.is_dense else c.weight
        post, pre = (np.indices(matrix.shape).reshape(2, -1) if c.is_dense else
                     (np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices))
        exact = matrix.ravel() if c.is_dense else matrix.data
        off_target = [drawn(chip.specimen, stream, column[c.post][post], before[c.pre] + pre)
                      for stream in (CELL, PARTNER)]
        on = np.abs(exact) / unit + chip.g_min
        cell = np.maximum(on + spread(chip.device, on) * off_target[0], 0)
        partner = np.maximum(chip.g_min + spread(chip.device, np.float64(chip.g_min)) * off_target[1], 0)
        held = np.where(exact < 0, -1, 1) * (cell - partner) * unit
        off = max(off, float(np.std(held - exact) / peaks[c.post]) if len(exact) else 0.0)
        connections[k] = replace(c, weight=held.reshape(matrix.shape) if c.is_dense else
                                 csr_array((held, matrix.indices, matrix.indptr), shape=matrix.shape))
    if chip.device == "ideal":
        return draft
    report = dict(what=f"cells of specimen {chip.specimen}", kind="mismatch",
                  size=f"{chip.device}: weights off by up to {100 * off:.2g} % of the largest (standard deviation)")
    return replace(draft, connections=tuple(connections), approximations=(*draft.approximations, report),
                   merit={"specimen": chip.specimen})


def _unit(chip: Resistive, peak: float) -> float:
    """Weight of 1 uS between the cells of a pair."""
    return peak / (chip.g_max - chip.g_min)


def _peak(incoming: list[Connection]) -> float:
    """The largest magnitude of the weights onto a population; 1 without any."""
    return max((float(np.abs(_values(c)).max(initial=0)) for c in incoming), default=0.0) or 1.0


def _values(c: Connection) -> np.ndarray:
    return c.weight.ravel() if c.is_dense else c.weight.data


def _mapped(weight, change: Callable[[np.ndarray], np.ndarray]):
    """A matrix with its stored values changed."""
    if isinstance(weight, np.ndarray):
        return change(weight)
    return csr_array((change(weight.data), weight.indices, weight.indptr), shape=weight.shape)


def _rounded(c: Connection, peak: float, bits: int | None, report: list[dict]) -> Connection:
    """Weights in the levels that cells are programmed to; as they are where any conductance is one."""
    weight = c.weight.astype(np.float64)
    if bits is None:
        return replace(c, weight=weight)
    step = peak / ((1 << bits) - 1)
    rounded = _mapped(weight, lambda w: np.round(w / step) * step)
    exact, held = (w.ravel() if c.is_dense else w.data for w in (weight, rounded))
    noise, power = float(((held - exact) ** 2).sum()), float((exact**2).sum())
    report.append(dict(what=f"weights of `{c.name}`", kind="rounding", bits=bits,
                       snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
                       zeroed=float(np.mean((held == 0) & (exact != 0))) if exact.size else 0.0, saturated=0.0,
                       size=f"{bits} bits and a sign"))
    return replace(c, weight=rounded, bits=bits)
