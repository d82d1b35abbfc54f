"""One target per neuron: on such chips relay neurons send to what more a neuron reaches, a tick later.

After the partition every neuron with several target axons (core, source, type, delay) gets a relay for each; paths
beside them get the delay of a tick more, so that spikes meet again.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft, Node, Piece
from chipsim.compiler.lowering.crossbar import meeting
from chipsim.compiler.lowering.retime import retimed
from chipsim.compiler.partitioning.demand import Demand
from chipsim.compiler.partitioning.misfits import too_few
from chipsim.compiler.partitioning.partition import partition
from chipsim.errors import Diagnostic, ExpressError, FitError
from chipsim.models.kernels import find_kernel
from chipsim.network.graph import Population


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
    if problems := meeting(list(draft.nodes), list(draft.connections)):    # of different delays, before they were made
        raise ExpressError(*problems)                                       # longer
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
