"""Lowering to crossbar chips: neurons with a weight for each axon type, synapses of one bit.

`to_crossbar` makes registers of the framework's neurons and cuts weights into bits: a source drives one axon for each
type its weights are made of, a synapse is a choice of them, its weight the sum over the choice. What one target per
neuron takes: relay.py.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.compiler.lowering.bits import Bits, cut
from chipsim.errors import Diagnostic, ExpressError
from chipsim.models.kernels import find_kernel

LEAK = 1 / 3        # of the threshold: there the constant leak equals the decay. Outputs of the shipped digits spike
                    # 3263 times with the decay, 3327 times with this leak, 3033 times with 1/2
MOST = 2**18 - 1    # of a threshold


def to_crossbar(draft: Draft) -> Draft:
    """Nodes in the registers of `truenorth`, connections of ones, each to the receptor of its axon type."""
    nodes, report, problems = list(draft.nodes), list(draft.approximations), []
    connections: list[Connection] = []
    for i, node in enumerate(nodes):
        incoming = [c for c in draft.connections if c.post == i]
        if node.is_input:
            continue
        if "alpha" in node.params:
            connections += [_ones(c) for c in incoming]
            continue
        found = _inexpressible(draft, node, report)
        problems += found
        if not found:
            merged = _merged(incoming)
            parts, bits = _bits(draft, node, merged)
            nodes[i] = replace(node, params=_registers(node, bits, report))
            connections += parts
            _tell(node, merged, bits, report)
    problems += meeting(nodes, connections)
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={}, merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def meeting(nodes: list[Node], connections: list[Connection]) -> list[Diagnostic]:
    """M245 for connections that want a bit of the crossbar twice: the same source, target, axon type and delay."""
    found, alike = [], {}
    for c in connections:
        alike.setdefault((c.pre, c.post, c.delay, c.receptor), []).append(c)
    for (pre, post, delay, receptor), group in alike.items():
        if len(group) == 1 or (twice := sum((c.weight for c in group[1:]), group[0].weight).tocoo()).max() < 2:
            continue
        at = int(np.argmax(twice.data))
        names = " and ".join(f"`{c.name}`" for c in group)
        found.append(Diagnostic(
            "M245", f"{names} join neuron {twice.col[at]} of `{nodes[pre].name}` to neuron {twice.row[at]} of "
            f"`{nodes[post].name}` more than once by axon type g{receptor} with a delay of {delay} "
            f"tick{'s' * (delay > 1)}; a crossbar has one bit for them", file=group[1].origin,
            help="another receptor or delay for one of them"))
    return found


def _inexpressible(draft: Draft, node: Node, report: list[dict]) -> list[Diagnostic]:
    """What the neuron does that the crossbar's cannot; allowed replacements go to the report instead."""
    p = node.params
    current, constant = (p["bi"] * p["bv"] != 0).any(), ((p["cv"] != 0) | (p["bias"] != 0)).any()
    found = []
    for kind, present, cannot, help in (
        ("readout", (p["reset"] == 0).any(), "emits its value every tick; the chip sends spikes",
         "read the spikes of a population, or run on `ideal`"),
        ("no reset", (p["reset"] == 5).any(), "spikes without a reset in every tick", "give it a reset"),
        ("multispike", (p["reset"] == 4).any(), "fires several spikes a tick; the chip fires one",
         "--approximate multispike: one spike a tick, reset by subtraction"),
        ("current", current, "has a synaptic current; the chip has a membrane alone",
         "--approximate current: input to the voltage, of the same sum"),
        ("refractory", (p["refractory"] > 0).any(), "has a refractory period; the chip has none", "leave it out"),
        ("bias", constant and (p["av"] < 1).any(), "has a constant input and a decay; the chip has one constant",
         "--approximate bias: the constant less the mean decay"),
    ):
        if present and kind in draft.options.approximate:
            report.append(dict(what=f"population `{node.name}` {cannot}", kind=kind, size=help.partition(": ")[2]))
        elif present:
            found.append(Diagnostic("M240", f"population `{node.name}` {cannot} ({draft.chip.name})",
                                    file=node.population.origin, help=help))
    return found


def _merged(incoming: list[Connection]) -> list[Connection]:
    """Connections with one source and delay as one: they share axons."""
    found: dict[tuple[int, int], Connection] = {}
    for c in incoming:
        c = replace(c, weight=csr_array(c.weight))
        key = c.pre, c.delay
        found[key] = replace(found[key], weight=found[key].weight + c.weight) if key in found else c
    return list(found.values())


def _gain(node: Node) -> np.ndarray:
    """float64[n]: what a weight adds to the voltage, through a current in all."""
    p = node.params
    return np.where(p["bi"] * p["bv"] != 0, p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12), p["bx"])


def _bits(draft: Draft, node: Node, incoming: list[Connection]) -> tuple[list[Connection], Bits]:
    """The connections cut into one of ones for each axon type, and how."""
    crossbar, rows = draft.chip.core.crossbar, draft.chip.core.axons_in or 0
    source, first = [], 0
    for c in incoming:
        source.append(first + c.weight.indices.astype(np.int64))
        first += c.weight.shape[1]
    post = [np.repeat(np.arange(node.size), np.diff(c.weight.indptr)) for c in incoming]
    none = [np.zeros(0, np.int64)]
    weight = np.concatenate([c.weight.data for c in incoming] or none) * _gain(node)[np.concatenate(post or none)]
    threshold = _threshold(node)
    bits = cut(np.concatenate(source or none), np.concatenate(post or none), weight, first, node.size,
               types=crossbar.types, rows=rows, most=crossbar.weight_max, scale_max=MOST / np.maximum(threshold, 1e-12))
    parts, at = [], 0
    for c in incoming:
        mine = bits.choice[at : at + c.weight.nnz]
        at += c.weight.nnz
        rows_of = np.repeat(np.arange(node.size), np.diff(c.weight.indptr))
        for t in range(crossbar.types):
            on = np.flatnonzero(mine >> t & 1)
            if len(on):
                ones = csr_array((np.ones(len(on), np.int16), (rows_of[on], c.weight.indices[on])),
                                 shape=c.weight.shape)
                parts.append(replace(c, weight=ones, format="sparse", bits=1, receptor=t))
    return parts, bits


def _threshold(node: Node) -> np.ndarray:
    return node.params["vth"] - node.params["v_reset"]


def _registers(node: Node, bits: Bits, report: list[dict]) -> dict[str, np.ndarray]:
    """Registers of `truenorth`, int32[n] each; the voltage counts from its reset value."""
    p, scale = node.params, bits.scale
    exact = _threshold(node) * scale
    alpha = np.where(p["ge"] > 0, np.ceil(exact - 1e-9), np.floor(exact + 1e-9) + 1)
    constant = p["cv"] + _gain(node) * p["bias"] + (p["av"] - 1) * p["v_reset"]
    leak = (1 - p["av"]) * _threshold(node) * LEAK
    lam = np.where(constant != 0, constant - leak, -leak) * scale
    floor = np.isfinite(p["v_min"])
    values = {f"s{t}": bits.weights[:, t] for t in range(bits.weights.shape[1])} | dict(
        alpha=np.clip(alpha, 0, MOST), lam=np.clip(np.round(lam), -255, 255), epsilon=(constant == 0) & (leak > 0),
        beta=np.where(floor, np.round(np.where(floor, -p["v_min"], 0) * scale), MOST),
        kappa=floor, gamma=np.where(p["reset"] == 1, 0, 1))
    if (leak > 0).any():
        report.append(dict(what=f"decay of `{node.name}`", kind="approximation",
                           size=f"a constant leak, equal at {LEAK:.0%} of the threshold"))
    if (np.abs(np.round(lam)) > 255).any():
        report.append(dict(what=f"leak of `{node.name}`", kind="saturation",
                           size=f"{np.abs(lam).max():.0f} cut to 255"))
    error = float(np.abs(alpha / np.maximum(exact, 1e-12) - 1).max(initial=0))
    report.append(dict(what=f"thresholds of `{node.name}`", kind="rounding", scale=float(scale.mean()),
                       size=f"at most {error:.2g} relative", threshold_error=error))
    names = find_kernel("truenorth").params
    return {name: np.broadcast_to(np.asarray(values.get(name, 0)), node.size).astype(np.int32) for name in names}


def _tell(node: Node, incoming: list[Connection], bits: Bits, report: list[dict]) -> None:
    if not bits.choice.size:
        return
    axons = f"{bits.axons.mean():.2g} axons of {bits.weights.shape[1]} types for each source"
    report.append(dict(what=f"weights of `{'`, `'.join(c.name for c in incoming)}`", kind="rounding",
                       snr_dB=bits.snr_dB, zeroed=float(np.mean(bits.choice == 0)),
                       size=f"{axons}, {bits.snr_dB:.1f} dB"))


def _ones(c: Connection) -> Connection:
    """A connection given in the chip's own terms: bits, to the axon type of its receptor."""
    weight = csr_array(c.weight)
    weight.eliminate_zeros()
    if (weight.data != 1).any():
        raise ExpressError(Diagnostic(
            "M245", f"projection `{c.name}` has the weight {weight.data[weight.data != 1][0]:g}; a crossbar has bits",
            file=c.origin,
            help="weights of 1, and the neurons' s0 to s3 for the axon types; or a population of a framework's model"))
    return replace(c, weight=weight.astype(np.int16), format="sparse", bits=1)
