"""Parameters and weights in the chip's own numbers, node by node, with an account of the error made.

Loihi's arithmetic is in registers.py and weights.py; others have a file each.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft
from chipsim.compiler.lowering.analog import analog
from chipsim.compiler.lowering.crossbar import to_crossbar
from chipsim.compiler.lowering.layers import layer_weights
from chipsim.compiler.lowering.learning import ends
from chipsim.compiler.lowering.lower import unroll
from chipsim.compiler.lowering.odin import odin_registers
from chipsim.compiler.lowering.quantise_s1615 import ring_buffers
from chipsim.compiler.lowering.registers import dynamics, inexpressible, native_registers, registers, scale_of
from chipsim.compiler.lowering.resistive import resistive
from chipsim.compiler.lowering.weights import (
    fixed_weights,
    float_weights,
    mantissas,
    native_weights,
    peak_of,
    scaled,
    values_of,
    whole_weights,
    with_values,
)
from chipsim.errors import Diagnostic, ExpressError, gathered
from chipsim.models.kernels import find_kernel
from chipsim.models.neurons.loihi_lif import PROFILES


def quantise(draft: Draft) -> Draft:
    """Nodes and connections in the chip's integers; nothing to do on chips that compute in floating point."""
    if draft.chip.schedule is not None:
        return layer_weights(draft)
    by_kernel = all(not n.model or find_kernel(n.model).mantissas for n in draft.nodes)
    if not by_kernel:
        draft = unroll(draft)               # other arithmetics go by synapses
    if draft.chip.core.crossbar is not None:
        return to_crossbar(draft)
    neuron = draft.chip.core.neuron
    integer = {
        i
        for i, node in enumerate(draft.nodes)
        if node.model and find_kernel(node.model).bound(node.options).accumulator == "i4"
    }
    if integer and len(integer) < sum(not node.is_input for node in draft.nodes):
        raise ExpressError(_mixed(draft, integer))
    if draft.chip.core.analog is not None:
        return analog(draft)
    if draft.chip.core.resistive is not None:
        return resistive(draft)
    if not integer:
        return replace(draft, connections=tuple(map(float_weights, draft.connections)), merit={"arithmetic": "float64"})
    options = dict(PROFILES[neuron.profile or "loihi"])
    report, problems = list(draft.approximations), []
    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        incoming = [k for k, c in enumerate(connections) if c.post == i]
        if i in integer and find_kernel(node.model).by_sign == "magnitude" and node.population.model != node.model:
            nodes[i], buffered = ring_buffers(draft, node, [connections[k] for k in incoming], report, problems)
            for k, connection in zip(incoming, buffered, strict=True):
                connections[k] = connection
            continue
        if node.model == "odin_lif" and "vth" in node.params:
            nodes[i], stored = odin_registers(draft, node, [connections[k] for k in incoming], report, problems)
            for k, connection in zip(incoming, stored, strict=True):
                connections[k] = connection
            continue
        if node.model and node.model != "loihi_lif" and find_kernel(node.model).mantissas:
            nodes[i] = replace(node, options=node.options | options)
            for k in incoming:
                with gathered(problems):
                    connections[k] = native_weights(connections[k], neuron.profile or "loihi")
            continue
        if node.model != "loihi_lif":
            for k in incoming:
                with gathered(problems):
                    connections[k] = whole_weights(connections[k], draft.chip)
                if (learning := connections[k].learning) is not None:
                    raw = np.clip(values_of(connections[k].weight), -256, 255)
                    connections[k] = replace(connections[k], weight=with_values(connections[k].weight, raw),
                                             learning=fixed_weights(learning, raw, 0, 9, "mixed", "loihi"))
            continue
        if "vth_mant" in node.params:
            nodes[i] = replace(node, params=native_registers(node), options=options)
            for k in incoming:
                with gathered(problems):
                    connections[k] = native_weights(connections[k], neuron.profile or "loihi")
            continue
        problems += inexpressible(draft, node, report)
        params, gain = dynamics(node, neuron, options, report)
        in_units = {k: scaled(connections[k], gain) for k in incoming}
        scale = scale_of(node, neuron, [peak_of(c) * abs(unit) for c, unit in in_units.values()])
        nodes[i] = replace(node, params=registers(node, neuron, params, scale, report), options=options)
        for k, (c, unit) in in_units.items():
            connections[k] = mantissas(c, unit, scale, draft, report)
    if draft.chip.core.weights.sign == "source":
        problems += _of_both_signs(draft, connections)
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={},
                   merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def _mixed(draft: Draft, integer: set[int]) -> Diagnostic:
    names = ", ".join(f"`{n.name}` ({n.model})" for i, n in enumerate(draft.nodes) if i in integer)
    return Diagnostic("M244", f"{names} sum integers, the others floating-point numbers; a layout sums one kind",
                      file=draft.nodes[min(integer)].population.origin,
                      help="use models of one kind of arithmetic in a network")


def _of_both_signs(draft: Draft, connections: list[Connection]) -> list[Diagnostic]:
    """M247 for every population with sources that excite some neurons and inhibit others."""
    found = []
    for i, node in enumerate(draft.nodes):
        signs = [np.zeros(node.size, bool) for _ in range(2)]
        for c in (c for c in connections if c.pre == i):
            for sign, seen in zip((1, -1), signs, strict=True):
                seen[ends(c)[1][np.sign(values_of(c.weight)) == sign]] = True
        if n := int((signs[0] & signs[1]).sum()):
            found.append(Diagnostic(
                "M247", f"{n} of the {node.size} sources of `{node.name}` excite some neurons and inhibit others; on "
                f"{draft.chip.name} all synapses of a source have one sign", file=node.population.origin,
                help="give such a source twice, once for each sign"))
    return found
