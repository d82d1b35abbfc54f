"""Networks for analogue chips: weights of few bits, neurons of as many circuits as their synapses need.

All weights onto a population share one scale, that with the least squared error: the largest rather saturate than the
small ones vanish. A source that excites some neurons and inhibits others takes two rows of synapses, one per sign; a
neuron with more rows than a circuit's column has merges circuits. What circuits can be calibrated to: circuits.py.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft
from chipsim.compiler.lowering.circuits import circuits_of
from chipsim.errors import ExpressError

SCALES = np.linspace(0.3, 1.0, 36)          # of the largest weight, that the largest stored one may stand for


def analog(draft: Draft) -> Draft:
    """Nodes with parameters of `analog_lif` and their circuits, connections with the weights that the chip can hold."""
    report, problems = list(draft.approximations), []
    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        if node.is_input:
            continue
        incoming = [k for k, c in enumerate(connections) if c.post == i]
        params = circuits_of(draft, node, report, problems)
        scale = _scale([connections[k] for k in incoming], draft.chip.core.weights.bits)
        for k in incoming:
            connections[k] = _stored(connections[k], scale, draft.chip.core.weights.bits, report)
        rows = _rows([c for c in connections if c.post == i], connections)
        circuits = np.maximum(-(-rows // draft.chip.core.analog.rows), 1)
        nodes[i] = replace(node, params=params, circuits=circuits, options={})
        if circuits.max() > 1:
            report.append(dict(what=f"neurons of `{node.name}`", kind="merged circuits",
                               size=f"up to {circuits.max()} circuits for {rows.max()} synapses"))
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={}, merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def _values(c: Connection) -> np.ndarray:
    return c.weight.ravel() if c.is_dense else c.weight.data


def _scale(incoming: list[Connection], bits: int) -> float:
    """Weight of a synapse that stores 1: of all scales tried, that with the least squared error."""
    exact = np.abs(np.concatenate([_values(c) for c in incoming] or [np.zeros(0)]))
    peak, largest = exact.max(initial=0), (1 << bits) - 1
    if peak == 0:
        return 1.0
    scales = SCALES * peak / largest
    errors = [((np.minimum(np.round(exact / s), largest) * s - exact) ** 2).sum() for s in scales]
    return float(scales[int(np.argmin(errors))])


def _stored(c: Connection, scale: float, bits: int, report: list[dict]) -> Connection:
    """The connection with the weights that its synapses come to; those that store 0 are left out."""
    exact, largest = _values(c), (1 << bits) - 1
    level = np.minimum(np.round(np.abs(exact) / scale), largest)
    stored = np.sign(exact) * level * scale
    noise, power = float(((stored - exact) ** 2).sum()), float((exact**2).sum())
    report.append(dict(
        what=f"{('exciting', 'inhibiting')[c.receptor]} weights of `{c.name}`", kind="rounding", bits=bits, scale=scale,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=float(np.mean((stored == 0) & (exact != 0))) if exact.size else 0.0,
        saturated=float(np.mean(np.abs(exact) > (largest + 0.5) * scale)) if exact.size else 0.0,
        size=f"{bits} bits and the sign of a row"))
    matrix = csr_array(stored.reshape(c.weight.shape)) if c.is_dense else c.weight.copy()
    if not c.is_dense:
        matrix.data = stored
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return replace(c, weight=matrix, bits=bits)


def _rows(incoming: list[Connection], connections: list[Connection]) -> np.ndarray:
    """int64[post]: rows of synapses that each neuron needs, two for a source that has both signs somewhere."""
    rows = 0
    for pre in {c.pre for c in incoming}:
        own = [c for c in incoming if c.pre == pre]
        heard = sum((abs(c.weight) for c in own[1:]), abs(own[0].weight))
        signs = [np.zeros(heard.shape[1], bool) for _ in range(2)]
        for c in connections:
            if c.pre == pre and isinstance(c.weight, csr_array):
                for sign, seen in zip((1, -1), signs, strict=True):
                    seen[c.weight.indices[np.sign(c.weight.data) == sign]] = True
        rows = rows + (heard != 0).astype(np.int64) @ (signs[0].astype(np.int64) + signs[1])
    return np.asarray(rows, np.int64)
