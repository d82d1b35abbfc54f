"""Weights of layers that are multiplied whole: integers of few bits, one precision and one scale per layer.

A layer is a population with all projections onto it. Its weights are integers times one scale, so that what the
multipliers add up is exact and one product in the vector unit brings it back; the scale has 16 significant bits, with
which sums of up to 2^30 such products are exact in double precision, whatever their order. A projection may ask for
fewer bits than the chip has (`format: {weight_bits: 4}`); the largest of a layer's projections counts.
"""
from __future__ import annotations

from dataclasses import replace
from math import ceil, frexp, ldexp

import numpy as np

from chipsim.compiler.draft import Connection, Draft
from chipsim.compiler.lowering.weights import layer_bits, peak_of, values_of, with_values
from chipsim.errors import Diagnostic, ExpressError

SCALE_BITS = 16


def layer_weights(draft: Draft) -> Draft:
    """Connections with weights that are integers of their layer's bits times its scale, and an account of the error.

    Raises ExpressError (M248, M249) for a precision that the chip does not multiply at, of weights or activations.
    """
    have = draft.chip.schedule.operations
    problems = [
        Diagnostic("M248", f"projection `{c.name}` asks for weights of {c.native['weight_bits']} bits; "
                   f"{draft.chip.name} multiplies at {', '.join(map(str, sorted(have)))}",
                   file=c.origin, help="use one of these, or leave it out")
        for c in draft.connections if c.native and c.native.get("weight_bits", 8) not in have]
    problems += _wide_activations(draft)
    if problems:
        raise ExpressError(*dict.fromkeys(problems))
    report, connections = list(draft.approximations), list(draft.connections)
    for post in range(len(draft.nodes)):
        layer = [k for k, c in enumerate(connections) if c.post == post]
        bits, peak = layer_bits(draft, post), max((peak_of(connections[k]) for k in layer), default=0.0)
        scale = rounded_up(peak / ((1 << bits - 1) - 1)) if peak else 1.0
        for k in layer:
            connections[k] = _rounded(connections[k], bits, scale, report)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, connections=tuple(connections), approximations=tuple(report),
                   merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def _wide_activations(draft: Draft) -> list[Diagnostic]:
    """M249 for every population whose values reach a layer in more bits than an activation has."""
    found, most = [], (1 << draft.chip.fabric.packet_bits) - 1
    for i in sorted({c.pre for c in draft.connections}):
        node = draft.nodes[i]
        if node.model == "affine" and (node.params["reset"] == 0).any():
            sends = "values in floating point"
        elif node.model == "relu" and node.params["levels"].max() > most:
            sends = f"values of {node.params['levels'].max():.0f} levels"
        else:
            continue
        found.append(Diagnostic("M249", f"population `{node.name}` sends {sends} to another; activations of "
                                f"{draft.chip.name} have {draft.chip.fabric.packet_bits} bits",
                                file=node.population.origin, help=f"model `relu` with up to {most} levels"))
    return found


def rounded_up(scale: float) -> float:
    """The least number of SCALE_BITS significant bits that is not below `scale`."""
    mantissa, exponent = frexp(scale)
    return ldexp(ceil(ldexp(mantissa, SCALE_BITS)), exponent - SCALE_BITS)


def _rounded(c: Connection, bits: int, scale: float, report: list[dict]) -> Connection:
    exact = values_of(c.weight).astype(np.float64)
    held = np.round(exact / scale) * scale
    noise, power = float(((held - exact) ** 2).sum()), float((exact**2).sum())
    report.append(dict(
        what=f"weights of `{c.name}`", kind="rounding", bits=bits, scale=scale,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=float(np.mean((held == 0) & (exact != 0))) if exact.size else 0.0, saturated=0.0,
        size=f"{bits} bits, a step is {scale:.3g}"))
    return replace(c, weight=with_values(c.weight, held), bits=bits)
