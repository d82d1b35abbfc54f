"""From the network's terms to matrices and kernel parameters: chains folded, models discretised, biases collected."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.errors import Diagnostic, ExpressError
from chipsim.models.kernels import KERNELS
from chipsim.models.neurons import chip_models, framework_models
from chipsim.network.linear import fold


def lower(draft: Draft) -> Draft:
    """Nodes with float parameters of the affine kernel (or a chip's own integers), connections with one matrix each.

    Linear operators between populations become one matrix per delay; their biases go to the receiving node. A bias on a
    path with delay d is absent in the ticks before d, as in the frameworks; `late_bias` says so.
    """
    network = draft.network
    index = {name: i for i, name in enumerate(network.populations)}
    nodes = [Node(p, _params(draft, p)) for p in network.populations.values()]
    connections, late = [], {}
    for projection in network.projections:
        pre, post = index[projection.pre], index[projection.post]
        folded = fold(projection.ops, network.populations[projection.pre].shape)
        name = projection.name or f"{projection.pre} -> {projection.post}"
        if folded.bias.any():
            _add_bias(draft, nodes[post], folded.bias, name)
            at_once = [(projection.delay, folded.bias)] if projection.delay else []
            for d, part in at_once + list(folded.late_bias.items()):
                late[post, d] = late.get((post, d), 0) + part
        for d, matrix in sorted(folded.maps.items()):
            connections.append(
                Connection(pre, post, matrix, projection.delay + d, folded.kind, name, projection.format))
    model = draft.chip.core.neuron.model
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), late_bias=late, model=model,
                   model_options=dict(KERNELS[model].options), merit={"connections": len(connections)})


def _params(draft: Draft, population) -> dict[str, np.ndarray]:
    if population.model == "input":
        return {}
    if population.model in chip_models:
        if draft.chip.core.neuron.model != population.model:
            raise ExpressError(Diagnostic(
                "M230", f"population `{population.name}` is of model `{population.model}`; the cores of "
                f"{draft.chip.name} compute `{draft.chip.core.neuron.model}`", file=population.origin,
                help="give the population in physical terms (model lif or cuba_lif), or choose a chip with the model"))
        known = chip_models[population.model]
        return {name: np.broadcast_to(np.asarray(population.params.get(name, p.default)), population.shape).ravel()
                for name, p in known.items()}
    params = framework_models[population.model].discretise(population, draft.network.dt)
    return {**params, "bias": np.zeros(population.size)}


def _add_bias(draft: Draft, node: Node, bias: np.ndarray, name: str) -> None:
    if "bias" not in node.params:
        raise ExpressError(Diagnostic("M231", f"projection `{name}` has a bias, but population `{node.name}` has "
                                      "integer parameters", help="put it into bias_mant and bias_exp"))
    node.params["bias"][:] += bias


def retime(draft: Draft) -> Draft:
    """Ticks as the chip counts them: a spike needs at least `delay.min` ticks to reach a neuron.

    A node's depth is the number of ticks by which it lags behind the network's synchronous steps; with delay d in the
    network and depths a, b at its ends a connection takes d + b - a ticks on the chip, so that what a node computes is
    the network's result, `depth` ticks later. Loops without enough delay cannot be retimed: ExpressError, unless
    `approximate` has "delays", which gives their connections the shortest delay the chip has.
    """
    least, most = draft.chip.core.delay.min, draft.chip.core.delay.max
    nodes, loose = draft.nodes, set()
    while True:
        depth, cycle = _depths(nodes, [c for i, c in enumerate(draft.connections) if i not in loose], least)
        if cycle is None:
            break
        slow = [i for i, c in enumerate(draft.connections)
                if i not in loose and c.pre in cycle and c.post in cycle and c.delay > 0]
        names = " -> ".join(nodes[i].name for i in cycle)
        if "delays" not in draft.options.approximate or not slow:
            raise ExpressError(Diagnostic(
                "M232", f"the loop {names} has less delay than {draft.chip.name} needs: {least} tick per projection",
                help="--approximate delays gives its feedback the shortest delay the chip has; or add delay to it"))
        loose.update(slow)
    approximations = list(draft.approximations)
    connections = []
    for i, c in enumerate(draft.connections):
        ticks = c.delay + depth[c.post] - depth[c.pre]
        if i in loose and ticks < least:
            approximations.append(dict(what=f"delay of `{c.name}`", kind="delays", size=f"{least - ticks} tick more"))
            ticks = least
        if ticks > most:
            raise ExpressError(Diagnostic(
                "M233", f"projection `{c.name}` needs a delay of {ticks} ticks; {draft.chip.name} has at most {most}",
                help="shorten the delay, or the path beside it"))
        connections.append(replace(c, delay=ticks))
    nodes = tuple(replace(n, depth=d) for n, d in zip(nodes, depth, strict=True))
    return replace(draft, nodes=nodes, connections=tuple(connections), approximations=tuple(approximations),
                   merit={"depth": max(depth, default=0)})


def _depths(nodes, connections, least: int) -> tuple[list[int], list[int] | None]:
    """Smallest depths with depth[post] >= depth[pre] + least - delay (Bellman-Ford), or nodes of a loop without any."""
    depth, parent = [0] * len(nodes), [-1] * len(nodes)
    for _ in range(len(nodes) + 1):
        changed = -1
        for c in connections:
            need = depth[c.pre] + least - c.delay
            if need > depth[c.post]:
                depth[c.post], parent[c.post], changed = need, c.pre, c.post
        if changed < 0:
            return depth, None
    node = changed
    for _ in nodes:
        node = parent[node]
    loop = [node]
    while parent[loop[-1]] != node:
        loop.append(parent[loop[-1]])
    return depth, loop[::-1]


def prune(draft: Draft) -> Draft:
    """Drop synapses of weight zero where they are stored one by one; a dense row keeps its zeros, as on the chip."""
    dropped, connections = 0, []
    for c in draft.connections:
        if not c.is_dense:
            before = c.weight.nnz
            weight = c.weight.copy()
            weight.eliminate_zeros()
            dropped += before - weight.nnz
            c = replace(c, weight=weight)
        connections.append(c)
    return replace(draft, connections=tuple(connections), merit={"zero_synapses_dropped": dropped})
