"""Float parameters to ODIN's registers of eight bits and weights of three, with an account of the error made.

All of a population is scaled by one number, so that the largest weight onto it is 7 (`core.weights.bits`) or its
threshold 255, whichever comes first. ODIN's neuron has no decay: what it loses in a tick is a constant, here the decay
at a third of the threshold, as on TrueNorth (crossbar.py), and it has no potential below zero. A source has one sign;
what has both is refused (M247).
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.compiler.lowering.crossbar import LEAK
from chipsim.errors import Diagnostic

MOST, MOST_LEAK = 255, 127              # of a threshold, a leak
WIDEST = 15                             # bits of a weight beside its sign, in the layout


def odin_registers(draft: Draft, node: Node, incoming: list[Connection], report: list[dict],
                   problems: list[Diagnostic]) -> tuple[Node, list[Connection]]:
    """A node with parameters of `odin_lif` in place of those of `affine`, and its connections with stored weights."""
    p = node.params
    problems += _inexpressible(draft, node, report)
    threshold, gain = p["vth"], np.where(p["bi"] * p["bv"] != 0, p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12),
                                         p["bx"])
    scaled = [_scaled(c, gain) for c in incoming]
    peak = max((float(np.abs(_values(c)).max(initial=0)) for c in scaled), default=0.0)
    bits = min(draft.chip.core.weights.bits or WIDEST, WIDEST)
    scale = min(MOST / threshold.max(initial=1e-12), ((1 << bits) - 1) / peak if peak else np.inf)
    vth = np.clip(np.ceil(threshold * scale), 1, MOST)
    lost = np.clip(np.round((1 - p["av"]) * LEAK * threshold * scale), 0, MOST_LEAK)
    report += [dict(what=f"thresholds of `{node.name}`", kind="rounding", scale=scale,
                    size=f"{vth.min():.0f} to {vth.max():.0f}, at most {np.abs(vth / scale / threshold - 1).max():.2g} "
                    "relative", threshold_error=float(np.abs(vth / scale / threshold - 1).max())),
               dict(what=f"decays of `{node.name}`", kind="leak",
                    size=f"a constant of at most {lost.max():.0f} per tick, the decay at a third of the threshold; no "
                    "potential below 0")]
    registers = {"threshold": vth.astype(np.int32), "leak": lost.astype(np.int32)}
    return replace(node, params=registers, options={}), [_stored(c, scale, bits, report) for c in scaled]


def _inexpressible(draft: Draft, node: Node, report: list[dict]) -> list[Diagnostic]:
    """What the neuron does that ODIN's cannot; allowed replacements go to the report instead."""
    p, found = node.params, []
    for kind, present, cannot, instead in (
        ("readout", (p["reset"] == 0).any(), "emits its value every tick; the chip sends spikes", None),
        ("no reset", (p["reset"] == 5).any(), "spikes without a reset in every tick", None),
        ("v_reset", (p["v_reset"] != 0).any(), "resets elsewhere than to zero", None),
        ("constant", ((p["cv"] != 0) | (p["bias"] != 0)).any(), "has a constant input; the chip has none", None),
        ("refractory", (p["refractory"] > 0).any(), "has a refractory period; the chip has none", None),
        ("reset", np.isin(p["reset"], (2, 3)).any(), "subtracts the threshold on a spike; the chip resets to zero",
         "reset to zero"),
        ("multispike", (p["reset"] == 4).any(), "fires several spikes a tick; the chip fires one", "one spike a tick"),
        ("current", (p["bi"] * p["bv"] != 0).any(), "has a synaptic current; the chip has a membrane alone",
         "input to the voltage, of the same sum"),
    ):
        if present and instead and kind in draft.options.approximate:
            report.append(dict(what=f"population `{node.name}` {cannot}", kind=kind, size=instead))
        elif present:
            help = f"--approximate {kind}: {instead}" if instead else "leave it out, or choose a chip that has it"
            found.append(Diagnostic("M240", f"population `{node.name}` {cannot} ({draft.chip.name})",
                                    file=node.population.origin, help=help))
    return found


def _values(c: Connection) -> np.ndarray:
    return c.weight.ravel() if c.is_dense else c.weight.data


def _with(c: Connection, values: np.ndarray) -> Connection:
    if c.is_dense:
        return replace(c, weight=values.reshape(c.weight.shape))
    return replace(c, weight=type(c.weight)((values, c.weight.indices, c.weight.indptr), shape=c.weight.shape))


def _scaled(c: Connection, gain: np.ndarray) -> Connection:
    """The connection with what its weights add to the voltage."""
    if c.is_dense:
        return _with(c, (c.weight * gain[:, None]).ravel())
    return _with(c, c.weight.data * np.repeat(gain, np.diff(c.weight.indptr)))


def _stored(c: Connection, scale: float, bits: int, report: list[dict]) -> Connection:
    exact = _values(c) * scale
    stored = np.clip(np.round(exact), 1 - (1 << bits), (1 << bits) - 1)
    noise, power = float(((stored - exact) ** 2).sum()), float((exact**2).sum())
    report.append(dict(
        what=f"weights of `{c.name}`", kind="rounding", bits=bits,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=float(np.mean((stored == 0) & (exact != 0))) if exact.size else 0.0, saturated=0.0,
        size=f"{bits} bits and the sign of a source"))
    return replace(_with(c, stored.astype(np.int16)), bits=bits)
