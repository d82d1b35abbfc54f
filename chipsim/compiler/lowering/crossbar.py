"""Lowering to crossbar chips: neurons with a weight for each axon type, synapses of one bit, one target per neuron.

1. `to_crossbar` makes registers of the framework's neurons and cuts weights into bits: a source drives one axon for
   each type its weights are made of, a synapse is a choice of them, its weight the sum over the choice.
2. `relay`, after the partition, gives neurons with several target axons a relay neuron for each, one tick further.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft, Node, Piece
from chipsim.compiler.lowering.bits import Bits, cut
from chipsim.compiler.lowering.lower import retimed
from chipsim.compiler.partitioning.demand import Demand, too_few
from chipsim.compiler.partitioning.partition import partition
from chipsim.errors import Diagnostic, ExpressError, FitError
from chipsim.models.kernels import find_kernel
from chipsim.network.graph import Population

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
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={}, merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


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
    report.append(dict(what=f"thresholds of `{node.name}`", kind="rounding", scale=float(scale.mean()),
                       size=f"at most {np.abs(alpha / np.maximum(exact, 1e-12) - 1).max(initial=0):.2g} relative"))
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
            help="weights of 1, and the neurons' s0 to s3 for the axon types; or a population of a framework's model"))
    return replace(c, weight=weight.astype(np.int16), format="sparse", bits=1)


# ---- one target per neuron ----

@dataclass(frozen=True)
class _Targets:
    """Axons of all neurons of a node: per entry the unit, and the number of the axon (core, pre, type, delay)."""

    unit: np.ndarray
    axon: np.ndarray


def relay(draft: Draft) -> Draft:
    """Relay neurons for every neuron with several target axons, on cores of their own; the others' delays match."""
    most = draft.chip.core.neurons or 0
    if draft.chip.core.targets_per_neuron is None:
        return draft
    one, slow = draft, set()
    while found := {i for i, t in _targets(draft).items() if np.bincount(t.unit).max(initial=0) > 1} - slow:
        slow |= found
        draft = partition(retimed(one, partial(_least, slow, one.chip.core.delay.min)))
    if not slow:
        return draft
    nodes, connections, cores = list(draft.nodes), [], list(draft.cores)
    home = _homes(draft)
    relays = 0
    for i, node in enumerate(draft.nodes):
        outgoing = [c for c in draft.connections if c.pre == i]
        targets = _targets(draft)[i] if not node.is_input else None
        if targets is None or not (count := np.bincount(targets.unit, minlength=node.size)).max(initial=0) > 1:
            connections += outgoing
            continue
        if count.max() > most:
            raise FitError(Diagnostic(
                "M206", f"neuron {int(count.argmax())} of population `{node.name}` has {int(count.max())} target "
                f"axons; a core of relays has {most} neurons", file=node.population.origin,
                help="fewer targets per neuron"))
        many = count[targets.unit] > 1
        units = targets.unit[many]                                  # one relay each, in order of the unit
        number = {axon: k for k, axon in enumerate(zip(units.tolist(), targets.axon[many].tolist(), strict=True))}
        new, relays = len(nodes), relays + len(units)
        nodes.append(_relays(node, len(units)))
        feed = csr_array((np.ones(len(units), np.int16), (np.arange(len(units)), units)),
                         shape=(len(units), node.size))
        connections.append(Connection(i, new, feed, 1, "sparse", f"{node.name} -> {nodes[new].name}", bits=1))
        for c in outgoing:
            connections += _through(c, new, number, len(units), count, home)
        cores += [(Piece(new, a, b),) for a, b in _filled(count[count > 1], most)]
    if len(cores) > draft.chip.n_cores:
        raise FitError(too_few(draft, len(cores)))
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), cores=tuple(cores),
                   merit={"relays": relays, "relay_cores": len(cores) - len(draft.cores)})


def _least(slow: set[int], least: int, c: Connection) -> int:
    return 2 if c.pre in slow else least


def _homes(draft: Draft) -> list[np.ndarray]:
    home = [np.full(n.size, -1) for n in draft.nodes]
    for core, pieces in enumerate(draft.cores):
        for p in pieces:
            home[p.node][p.rows] = core
    return home


def _targets(draft: Draft) -> dict[int, _Targets]:
    """Per node with neurons, its target axons, ordered by unit, then axon."""
    demand, home, found = Demand(draft), _homes(draft), {}
    for i, node in enumerate(draft.nodes):
        if node.is_input:
            continue
        pairs = [np.stack([c.weight.indices, _axon(c, home[c.post])], axis=1) for c in demand.outgoing[i]]
        unique = np.unique(np.concatenate(pairs), axis=0) if pairs else np.zeros((0, 2), np.int64)
        found[i] = _Targets(unique[:, 0].astype(np.int64), unique[:, 1].astype(np.int64))
    return found


def _axon(c: Connection, home: np.ndarray) -> np.ndarray:
    """int64 per synapse: a number for its axon among those of its source."""
    core = np.repeat(home, np.diff(c.weight.indptr)).astype(np.int64)
    return (core << 16) + (c.delay << 4) + c.receptor


def _relays(node: Node, n: int) -> Node:
    registers = {name: np.full(n, int(name in ("s0", "alpha")), np.int32) for name in find_kernel("truenorth").params}
    population = Population(f"{node.name}.relays", (n,), "truenorth", origin=node.population.origin)
    return Node(population, registers, "truenorth", node.options, node.depth + 1)


def _through(c: Connection, new: int, number: dict, n: int, count: np.ndarray, home: list[np.ndarray]
             ) -> list[Connection]:
    """A connection in two: what goes through relays, and what needs none."""
    post, pre = np.repeat(np.arange(c.weight.shape[0]), np.diff(c.weight.indptr)), c.weight.indices
    split = count[pre] > 1
    axons = _axon(c, home[c.post])[split]
    relay_of = [number[key] for key in zip(pre[split].tolist(), axons.tolist(), strict=True)]
    parts = []
    if split.any():
        ones = csr_array((np.ones(len(relay_of), np.int16), (post[split], relay_of)), shape=(c.weight.shape[0], n))
        parts.append(replace(c, pre=new, weight=ones, delay=c.delay - 1))
    if not split.all():
        ones = csr_array((np.ones(int((~split).sum()), np.int16), (post[~split], pre[~split])), shape=c.weight.shape)
        parts.append(replace(c, weight=ones))
    return parts


def _filled(sizes: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Runs of whole groups of relays that fill a core each: [first, stop)."""
    runs, first, stop = [], 0, 0
    for size in sizes.tolist():
        if stop + size - first > most:
            runs.append((first, stop))
            first = stop
        stop += size
    return [*runs, (first, stop)]
