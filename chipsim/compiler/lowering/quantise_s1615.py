"""Float parameters to SpiNNaker's s16.15 registers and 16-bit weights, with an account of the error made.

Weights that reach a neuron are summed in ring buffers, one per receptor and tick of delay. A buffer has 16 bits and
saturates; its content is shifted left to become an s16.15 current, by one number per population and receptor. As in
sPyNNaker the shift is the smallest that holds the largest sum to be expected: the mean of the weights that arrive in a
tick and five standard deviations, at the measured rates (`--profile`), where that is less than all weights at once.
Without measured rates every source counts as spiking in every tick, and no buffer can saturate. A weight that learns
counts as the largest that its rule allows. Where weights have
fewer than 16 bits (`core.weights.bits`, the operands of a multiply-accumulate array), those of a projection share a
power of two besides.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.errors import Diagnostic
from chipsim.models.neurons import affine_s1615, lif_s1615
from chipsim.models.neurons.lif_s1615 import ONE

BUFFER, LARGEST = 0xFFFF, 2**15 - 1     # of a buffer, and of a stored weight
COARSEST = 14                           # of weights of few bits: a step is 2^14 and below LARGEST
SIGMAS = 5                              # sPyNNaker's `ring_buffer_sigma`


def ring_buffers(draft: Draft, node: Node, incoming: list[Connection], report: list[dict], problems: list[Diagnostic]
                 ) -> tuple[Node, list[Connection]]:
    """A node with all registers, and its incoming connections in units of its ring buffers."""
    params, scale = node.params, 1.0
    if node.model == "affine_s1615":
        problems += _inexpressible(draft, node, report)
        params, scale = affine_s1615.registers(params)
        report.append(dict(what=f"registers of `{node.name}`", kind="rounding", scale=scale,
                           size=f"at most {0.5 / ONE:.2g} of a coefficient, {0.5 / ONE / scale:.2g} of a potential"))
    elif node.model == "lif_s1615":
        params, scale = lif_s1615.registers(node.population, params, draft.network.dt)
    shifts = [_shift(draft, node, [c for c in incoming if c.receptor == r], scale) for r in (0, 1)]
    bits = draft.chip.core.weights.bits or 16
    stored = [_weights(c, scale, shifts[c.receptor], bits, report) for c in incoming]
    registers = {f"shift_{name}": np.full(node.size, shift, np.int32) for name, shift in zip("ei", shifts, strict=True)}
    return replace(node, params=params | registers), stored


def _inexpressible(draft: Draft, node: Node, report: list[dict]) -> list[Diagnostic]:
    p, found = node.params, []
    if (p["reset"] == 4).any():
        what, instead = "fires several spikes a tick", "one spike a tick, the threshold subtracted once"
        if "multispike" in draft.options.approximate:
            p["reset"][:] = np.where(p["reset"] == 4, 2, p["reset"])
            report.append(dict(what=f"population `{node.name}` {what}", kind="multispike", size=instead))
        else:
            found.append(Diagnostic("M240", f"population `{node.name}` {what}; {draft.chip.name} fires one",
                                    file=node.population.origin, help=f"--approximate multispike: {instead}"))
    if (p["reset"] == 0).any():
        found.append(Diagnostic("M240", f"population `{node.name}` emits its value every tick; {draft.chip.name} sends "
                                "spikes", file=node.population.origin,
                                help="read the voltage of a spiking population, or run on `ideal`"))
    return found


def _shift(draft: Draft, node: Node, incoming: list[Connection], scale: float) -> int:
    """Smallest left shift with which the expected sums and the largest weight fit."""
    mean, variance, most, largest = (np.zeros(node.size) for _ in range(4))
    for c in incoming:
        pre = draft.nodes[c.pre]
        rate = np.minimum(draft.options.rates.get(pre.name, np.ones(pre.size)), 1.0)
        weight = _largest(c)
        mean += weight @ rate
        variance += (weight * weight) @ rate
        most += weight.sum(axis=1)
        if weight.shape[1]:
            peak = weight.max(axis=1)
            largest = np.maximum(largest, peak.toarray().ravel() if hasattr(peak, "toarray") else peak)
    expected = np.minimum(mean + SIGMAS * np.sqrt(variance), most).max(initial=0) / BUFFER
    need = max(expected, largest.max(initial=0) / LARGEST) * scale * ONE
    exponents = draft.chip.core.weights
    shift = np.ceil(np.log2(need)) if need > 0 else 0
    return int(np.clip(shift, exponents.exponent_min, exponents.exponent_max))


def _largest(c: Connection) -> np.ndarray:
    """The connection's weights, as large as they may become; dense or CSR."""
    weight = abs(c.weight)
    if c.learning is not None and c.is_dense:
        weight = np.maximum(weight, c.learning.rule.w_max)
    elif c.learning is not None:
        weight.data = np.maximum(weight.data, c.learning.rule.w_max)
    return weight


def _weights(c: Connection, scale: float, shift: int, bits: int, report: list[dict]) -> Connection:
    """The connection's weights as whole numbers of the buffer's unit."""
    exact = (c.weight.ravel() if c.is_dense else c.weight.data) * (scale * ONE / 2.0**shift)
    peak, most = exact.max(initial=0), max(1, (1 << bits - 1) - 1)
    step = 1 << min(COARSEST, max(0, int(np.ceil(np.log2(peak / most))))) if peak > most else 1
    stored = np.minimum(np.round(exact / step) * step, LARGEST // step * step)
    noise, power = float(((stored - exact) ** 2).sum()), float((exact**2).sum())
    some = exact.size > 0
    report.append(dict(
        what=f"{('exciting', 'inhibiting')[c.receptor]} weights of `{c.name}`", kind="rounding", bits=bits,
        exponent=shift,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=float(np.mean((stored == 0) & (exact != 0))) if some else 0.0,
        saturated=float(np.mean(exact > LARGEST + 0.5)) if some else 0.0,
        size=f"{bits} bits, ring buffer shifted by {shift}"))
    whole, learning = stored.astype(np.int16), c.learning
    if learning is not None:
        grid = 2.0**shift / (scale * ONE)
        learning = replace(learning, sign="excitatory", weight=stored * grid, grid=grid)
    if c.is_dense:
        return replace(c, weight=whole.reshape(c.weight.shape), bits=bits, learning=learning)
    weight = c.weight.astype(np.int16)
    weight.data = whole
    return replace(c, weight=weight, bits=bits, learning=learning)
