"""Put all neurons of a network on cores together, for few packets or few cores, whatever populations meet.

The hypergraph comes from the connections as they are: a dense one in closed form (all neurons of the population hear
the same), a sparse one from its rows. Input lines are sources outside every core.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.lowering.learning import tag_bits
from chipsim.compiler.partitioning.bounds import cores_at_least, too_large_alone
from chipsim.compiler.partitioning.demand import Demand
from chipsim.compiler.partitioning.group import SHARE, chunks, demand_alone
from chipsim.compiler.partitioning.hypergraph import Hypergraph, contract
from chipsim.compiler.partitioning.kahypar import version
from chipsim.compiler.partitioning.limits import UNLIMITED, Capacities
from chipsim.compiler.partitioning.misfits import too_few
from chipsim.compiler.partitioning.multilevel import Partition, partition_hypergraph
from chipsim.compiler.partitioning.packing import (
    BLOCK,
    HEADER,
    INDEX_BITS,
    ROW_HEADER,
    ROW_WORD,
    WEIGHT_BITS,
    WORD,
    code_bits,
)
from chipsim.compiler.partitioning.spread import spread, too_many
from chipsim.compiler.partitioning.synapses import count_pins, fill_pins, row_sums
from chipsim.compiler.partitioning.tally import tally
from chipsim.errors import FitError

ATTEMPTS = 5            # with a little less of what was exceeded: memory of several connections is only estimated


def shared(draft: Draft, cap: dict[str, int | None], *, limited: bool) -> Draft:
    """Fill `cores` by the hypergraph of the network. limited: `spread` has found no place already.

    Raises FitError. The estimate of synapse memory can err when a source reaches a core over several connections; what
    comes out is counted exactly, and partitioned again with less room where it does not fit.
    """
    demand = Demand(draft)
    if misfits := too_large_alone(demand, cap):
        raise FitError(*misfits, *cores_at_least(demand, cap)[1])
    options, room = draft.options, {name: UNLIMITED if have is None else have for name, have in cap.items()}
    group = _twins(draft, demand, cap)
    graph, offset = _graph(draft, demand, group)
    if _too_large(need := _alone(graph, draft, room), room):
        group = [np.arange(n.size, dtype=np.int32) for n in draft.nodes]
        graph, offset = _graph(draft, demand, group)
        need = _alone(graph, draft, room)
    for _ in range(ATTEMPTS):
        limits = _capacities(draft, room)
        if _too_large(need, room):
            break
        fewest = 0 if options.objective == "cores" else draft.chip.n_cores
        found = partition_hypergraph(graph, limits, options.effort, options.seed, _first_of_nodes(draft, group, graph),
                                     max_cores=fewest, partitioner=options.partitioner)
        cores = _pieces(draft, group, offset, found)
        counted = tally(demand, cores)
        over = counted.over(cap)
        if not over:
            if len(cores) > draft.chip.n_cores:
                raise FitError(*too_many(draft, demand, cores, cap))
            merit = {"cores": len(cores), "of": draft.chip.n_cores, "objective": options.objective or "energy",
                     "packets_per_tick": found.cost, "structure": found.structured}
            if options.partitioner == "mtkahypar":
                merit |= {"partitioner": f"mtkahypar {version()}", "kept": found.kept}
            return replace(draft, cores=cores, tally=counted, merit=merit)
        for name, factor in over.items():
            room[name] = max(1, int(room[name] * min(0.97, 1 / factor)))
    if limited:
        raise FitError(too_few(draft, len(cores)))
    if options.partitioner == "mtkahypar":
        draft = replace(draft, notes=(*draft.notes, "no partition that mixes populations fits, Mt-KaHyPar's neither: "
                                      "each population is cut in its own order"))
    return spread(draft)


def _capacities(draft: Draft, room: dict[str, int]) -> Capacities:
    packing = {"loihi": (BLOCK, WORD, HEADER), "rows": (1 << 16, ROW_WORD, ROW_HEADER), "none": (0, 1, 0)}[
        draft.chip.core.synapse_memory.packing]
    return Capacities(neurons=room["neurons"], memory=room["synapse_bits"], axons_in=room["axons_in"],
                      axons_out=room["axons_out"], configs=room["neuron_configs"], packing=packing)


def _alone(graph: Hypergraph, draft: Draft, room: dict[str, int]) -> dict[str, int]:
    """Resource -> the most that a vertex needs of it by itself."""
    need = demand_alone(graph, _capacities(draft, room))
    most = {name: int(used.max(initial=0)) for name, used in need.items()}
    return {"neurons": most["neurons"], "axons_in": most["axons_in"], "synapse_bits": most["memory"]}


def _too_large(need: dict[str, int], room: dict[str, int]) -> bool:
    return any(most > room[name] for name, most in need.items())


def _twins(draft: Draft, demand: Demand, cap: dict[str, int | None]) -> list[np.ndarray]:
    """Per node, int32[size]: groups of neurons with the same sources and configuration (inputs: every line alone)."""
    result = []
    for i, node in enumerate(draft.nodes):
        if node.is_input:
            result.append(np.arange(node.size, dtype=np.int32))
            continue
        key, fan_in = np.zeros(node.size, np.uint64), np.zeros(node.size, np.int64)
        for k, c in enumerate(demand.incoming[i]):
            if c.is_dense:
                fan_in += c.weight.shape[1]
                continue
            fan_in += np.diff(c.weight.indptr)
            key = (key ^ row_sums(*c.rows, 1 + (k << 40))) * np.uint64(0xBF58476D1CE4E5B9)
            key ^= key >> np.uint64(31)
        key ^= demand.configs[i].astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
        room = np.full(node.size, max(1, (cap["neurons"] or node.size) // SHARE))
        if cap["synapse_bits"]:
            room = np.minimum(room, np.maximum(1, cap["synapse_bits"] // SHARE // np.maximum(1, 8 * fan_in)))
        if cap["axons_out"]:
            room = np.minimum(room, max(1, cap["axons_out"] // (4 * SHARE)))
        result.append(chunks(key, np.ones(node.size, np.int64), room))
    return result


def _graph(draft: Draft, demand: Demand, group: list[np.ndarray]) -> tuple[Hypergraph, list[int]]:
    """Hypergraph of the groups, and the number of the first group of each node."""
    offset, first, n_vertices, n_sources = [], [], 0, 0
    for node, own in zip(draft.nodes, group, strict=True):
        offset.append(n_vertices)
        first.append(n_sources)
        n_vertices += 0 if node.is_input else int(own.max()) + 1
        n_sources += node.size
    size, config = np.zeros(n_vertices, np.int32), np.zeros(n_vertices, np.int32)
    source, weight = np.full(n_sources, -1, np.int32), np.ones(n_sources)
    unit = np.zeros(n_sources, np.int32)
    for i, node in enumerate(draft.nodes):
        own = slice(first[i], first[i] + node.size)
        if node.name in draft.options.rates:
            weight[own] = draft.options.rates[node.name]
        if not node.is_input:
            source[own] = offset[i] + group[i]
            np.add.at(size, source[own], 1)
            if draft.chip.core.neuron_configs is not None:
                config[source[own]] = demand.configs[i]
        for c in demand.outgoing[i]:
            unit[own] = np.maximum(unit[own], _synapse_bits(draft, demand, c))
    start, pin = _pins(draft, group, offset, first, n_sources)
    ones, same = np.ones(n_sources, np.int32), np.arange(n_vertices, dtype=np.int32)
    # a source over two connections to the same group has two pins there; contract adds them up
    return contract(size, config, source, weight, ones, unit, start, pin, None, same, n_vertices), offset


def _pins(draft: Draft, group: list[np.ndarray], offset: list[int], first: list[int],
          n_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """(start int64[n_sources + 1], vertex int32[.]): who hears each source. All neurons of a group hear the same, so
    that one row of each stands for it."""
    start, rows = np.zeros(n_sources + 2, np.int64), {}
    for c in draft.connections:
        own = first[c.pre]
        if c.is_dense:
            start[own + 2 : own + 2 + c.weight.shape[1]] += int(group[c.post].max()) + 1
            continue
        if c.post not in rows:
            rows[c.post] = np.unique(group[c.post], return_index=True)[1].astype(np.int64)
        count_pins(*c.rows, rows[c.post], own, start)
    np.cumsum(start, out=start)
    pin = np.empty(start[-1], np.int32)
    for c in draft.connections:
        n_groups = int(group[c.post].max()) + 1
        vertices = np.arange(offset[c.post], offset[c.post] + n_groups, dtype=np.int32)
        own = first[c.pre]
        if c.is_dense:
            at = start[own + 1 : own + 1 + c.weight.shape[1]]
            pin[at[:, None] + np.arange(n_groups)] = vertices
            at += n_groups
        else:
            fill_pins(*c.rows, rows[c.post], own, vertices, start, pin)
    return start[: n_sources + 1], pin


def _synapse_bits(draft: Draft, demand: Demand, c) -> int:
    """Bits of one stored synapse of a connection (packing.py)."""
    if demand.packing != "loihi":
        return ROW_WORD if demand.packing == "rows" else 0
    index = 0 if c.is_dense else max(1, int(np.ceil(np.log2(demand.slots or 4096))))
    return (code_bits(c.bits, WEIGHT_BITS) + demand.delay_bits[c.post] + tag_bits(c)
            + (code_bits(index, INDEX_BITS) if index else 0))


def _first_of_nodes(draft: Draft, group: list[np.ndarray], graph: Hypergraph) -> np.ndarray:
    breaks, at = np.zeros(graph.n_vertices, bool), 0
    for node, own in zip(draft.nodes, group, strict=True):
        if not node.is_input:
            breaks[at] = True
            at += int(own.max()) + 1
    return breaks


def _pieces(draft: Draft, group: list[np.ndarray], offset: list[int],
            found: Partition) -> tuple[tuple[Piece, ...], ...]:
    """Per core, one piece for every node that has neurons there."""
    cores: list[list[Piece]] = [[] for _ in range(found.n_cores)]
    for i, node in enumerate(draft.nodes):
        if node.is_input:
            continue
        core = found.cores[offset[i] + group[i]]
        order = np.argsort(core, kind="stable")
        used, begin = np.unique(core[order], return_index=True)
        for c, units in zip(used, np.split(order, begin[1:]), strict=True):
            cores[c].append(Piece.of(i, units))
    return tuple(tuple(pieces) for pieces in cores)
