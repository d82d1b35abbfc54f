"""No two analogue circuits are alike: what calibration leaves of their differences, drawn for the places neurons have.

A deviation belongs to a circuit or a synapse of the chip, and depends on the specimen (core.analog.specimen), the core
and the place alone. So a network placed elsewhere meets other deviations, and all networks on one specimen the same.
"""
from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from chipsim.compiler.draft import Draft
from chipsim.compiler.lowering.resistive import programmed
from chipsim.models.draws import drawn

THRESHOLD, LEAK, TAU_MEM, TAU_SYN_EXC, TAU_SYN_INH, SYNAPSE = range(6)      # streams


def mismatch(draft: Draft) -> Draft:
    """Parameters and weights as the circuits that were given out have them; nothing to do on digital chips."""
    if draft.chip.core.resistive is not None:
        return programmed(draft, _circuits(draft))
    chip = draft.chip.core.analog
    if chip is None:
        return draft
    circuit = _circuits(draft)
    sigma, deviation = chip.mismatch, partial(drawn, chip.specimen)

    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        if node.is_input:
            continue
        p, at = node.params, circuit[i]
        slower = [np.maximum(1 + sigma.time_constant / 100 * deviation(stream, at), 0.1)
                  for stream in (TAU_MEM, TAU_SYN_EXC, TAU_SYN_INH)]
        av, ae, ai = (keep ** (1 / s) for keep, s in zip((p["av"], p["ae"], p["ai"]), slower, strict=True))
        rest = p["v0"] + sigma.leak * p["lsb"] * deviation(LEAK, at)
        nodes[i] = replace(node, params=p | {
            "av": av, "ae": ae, "ai": ai, "v0": rest, "cv": (1 - av) * rest,
            "vth": p["vth"] + sigma.threshold * p["lsb"] * deviation(THRESHOLD, at)})
        first = np.zeros(node.size, np.int64)                   # rows of a neuron that are taken
        for k, c in enumerate(connections):
            if c.post != i:
                continue
            n = np.diff(c.weight.indptr)
            post = np.repeat(np.arange(node.size), n)
            row = first[post] + np.arange(len(post)) - c.weight.indptr[post]
            weight = c.weight.copy()
            weight.data = weight.data * np.maximum(1 + sigma.synapse / 100 * deviation(SYNAPSE, at[post], row), 0)
            connections[k] = replace(c, weight=weight)
            first += n
    report = dict(what=f"circuits of specimen {chip.specimen}", kind="mismatch",
                  size=f"thresholds {sigma.threshold} LSB, rest {sigma.leak} LSB, time constants "
                  f"{sigma.time_constant} %, synapses {sigma.synapse} % (standard deviations), where a threshold is "
                  f"{chip.threshold - chip.leak} LSB above rest; noise {chip.noise} LSB")
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections),
                   approximations=(*draft.approximations, report), merit={"specimen": chip.specimen})


def _circuits(draft: Draft) -> list[np.ndarray]:
    """Per node, int64[size]: number of the first circuit of each neuron on the whole chip."""
    per_core = draft.chip.core.neurons or 1 << 20
    circuit = [np.zeros(node.size, np.int64) for node in draft.nodes]
    for pieces, place in zip(draft.cores, draft.places, strict=True):
        at = int(place) * per_core
        for p in pieces:
            circuits = draft.nodes[p.node].circuits
            taken = np.ones(p.size, np.int64) if circuits is None else circuits[p.rows]
            circuit[p.node][p.indices] = at + np.cumsum(taken) - taken
            at += int(taken.sum())
    return circuit
