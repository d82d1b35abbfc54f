"""Delays as the chip counts them: which populations lag behind the network's own steps, and by how much."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chipsim.compiler.draft import Connection, Draft
from chipsim.errors import Diagnostic, ExpressError


def retime(draft: Draft) -> Draft:
    """Ticks as the chip counts them: a spike needs at least `delay.min` ticks to reach a neuron.

    A node's depth is the number of ticks by which it lags behind the network's synchronous steps; with delay d in the
    network and depths a, b at its ends a connection takes d + b - a ticks on the chip, so that what a node computes is
    the network's result, `depth` ticks later. Loops without enough delay cannot be retimed: ExpressError, unless
    `approximate` has "delays", which gives their connections the shortest delay the chip has.
    """
    return retimed(draft, lambda c: draft.chip.core.delay.min)


def retimed(draft: Draft, least: Callable[[Connection], int]) -> Draft:
    """As `retime`, with the ticks that each connection needs at least."""
    most = draft.chip.core.delay.max
    nodes, loose = draft.nodes, set()
    while True:
        depth, cycle = _depths(nodes, [c for i, c in enumerate(draft.connections) if i not in loose], least)
        if cycle is None:
            break
        slow = [i for i, c in enumerate(draft.connections)
                if i not in loose and c.pre in cycle and c.post in cycle and c.delay > 0]
        names = " -> ".join(nodes[i].name for i in cycle)
        need = max(least(c) for c in draft.connections if c.pre in cycle and c.post in cycle)
        if "delays" not in draft.options.approximate or not slow:
            raise ExpressError(Diagnostic(
                "M232", f"the loop {names} has less delay than {draft.chip.name} needs: "
                f"{need} tick{'s' * (need > 1)} per projection",
                file=next((c.origin for c in draft.connections if c.pre in cycle and c.post in cycle and c.origin), ""),
                help="--approximate delays gives its feedback the shortest delay the chip has; or add delay to it"))
        loose.update(slow)
    approximations = list(draft.approximations)
    connections, in_axon, problems = [], _in_axons(draft, depth), []
    for i, c in enumerate(draft.connections):
        ticks = c.delay + depth[c.post] - depth[c.pre]
        if i in loose and ticks < least(c):
            late = least(c) - ticks
            told = dict(what=f"delay of `{c.name}`", kind="delays", size=f"{late} tick{'s' * (late > 1)} more")
            approximations += [told] if told not in approximations else []      # a crossbar's projection is several
            ticks = least(c)
        if ticks - in_axon[c.pre] > most:
            problems.append(Diagnostic(
                "M233", f"projection `{c.name}` needs a delay of {ticks - in_axon[c.pre]} ticks; {draft.chip.name} has "
                f"at most {most}", file=c.origin, help="shorten the delay, or the path beside it; or longer ones: "
                f"--set core.delay.max={ticks - in_axon[c.pre]}"))
        connections.append(replace(c, delay=ticks, axon_delay=in_axon[c.pre]))
    if problems:
        raise ExpressError(*problems)
    nodes = tuple(replace(n, depth=n.depth + d) for n, d in zip(nodes, depth, strict=True))
    return replace(draft, nodes=nodes, connections=tuple(connections), approximations=tuple(approximations),
                   merit={"depth": max(depth, default=0)})


def _in_axons(draft: Draft, depth: list[int]) -> list[int]:
    """Per node, the ticks that its axons hold its spikes: its axon delay, of which the delay that every synapse has
    anyway is taken."""
    held = [n.population.axon_delay for n in draft.nodes]
    for c in draft.connections:
        held[c.pre] = max(0, min(held[c.pre], c.delay + depth[c.post] - depth[c.pre] - draft.chip.core.delay.min))
    return held


def _depths(nodes, connections, least: Callable[[Connection], int]) -> tuple[list[int], list[int] | None]:
    """Smallest depths with depth[post] >= depth[pre] + least - delay (Bellman-Ford), or nodes of a loop without any."""
    depth, parent = [0] * len(nodes), [-1] * len(nodes)
    for _ in range(len(nodes) + 1):
        changed = -1
        for c in connections:
            need = depth[c.pre] + least(c) - c.delay
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
