"""Which neurons belong together before any core is filled: twins hear the same sources, near twins mostly the same.

Twins are found by a sum of hashes, near twins by four min-hashes (Broder 1997), in time linear in the synapses.
Grouping is what makes large structured networks small: all channels of a pixel, all neurons of a dense layer are one
vertex.
"""
from __future__ import annotations

import numpy as np

from chipsim.compiler.partitioning.hypergraph import Hypergraph, contract, needs_alone, signatures
from chipsim.compiler.partitioning.limits import Capacities

SHARE = 8       # a group takes at most this fraction of a core
N_HASHES = 4


def twins(indptr: np.ndarray, indices: np.ndarray, limits: Capacities, configs: np.ndarray, seed: int) -> np.ndarray:
    """int32[n]: groups of neurons with equal inputs (without inputs: equal outputs) and configuration, in index order.

    indptr, indices: a CSR graph by source neuron.
    """
    n = len(indptr) - 1
    key = signatures(indptr, indices, n, 0, seed)[:, 0]
    fan_in = np.bincount(indices, minlength=n)
    deaf = np.flatnonzero((fan_in == 0) & (np.diff(indptr) > 0))
    if len(deaf):
        key[deaf] = _output_sums(indptr, indices, deaf)
    key[(fan_in == 0) & (np.diff(indptr) == 0)] = 0             # nobody's neighbours: all alike
    key ^= (configs.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
    most = max(1, limits.neurons // SHARE)
    room = np.maximum(1, np.minimum(most, limits.memory // SHARE // np.maximum(fan_in, 1)))
    return chunks(key, np.ones(n, np.int64), room)


def near_twins(graph: Hypergraph, max_size: int, seed: int) -> np.ndarray:
    """int32[n_vertices]: groups of vertices whose input sets have equal min-hashes; the rest stay alone."""
    n = graph.n_vertices
    hashes = signatures(graph.pin_start, graph.pin[: graph.n_pins], n, N_HASHES, seed, graph.count)
    key = np.zeros(n, np.uint64)
    for column in hashes[:, 1:].T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    deaf = np.diff(graph.in_start) == 0
    key[deaf] = np.arange(n, dtype=np.uint64)[deaf]
    key ^= graph.config[:n].astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    return chunks(key, graph.size[:n].astype(np.int64), np.full(n, max_size))


def chunks(key: np.ndarray, size: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Groups of equal key, cut into runs of about `room` neurons; numbered by their first member."""
    n = len(key)
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    new = np.ones(n, bool)
    new[1:] = sorted_key[1:] != sorted_key[:-1]
    before = np.cumsum(size[order]) - size[order]
    first = np.flatnonzero(new)
    run = np.repeat(np.arange(len(first)), np.diff(np.append(first, n)))
    cut = (before - before[first][run]) // room[order[first]][run]
    new[1:] |= cut[1:] != cut[:-1]
    group = np.empty(n, np.int64)
    group[order] = np.cumsum(new) - 1
    return in_order_of_first(group)


def in_order_of_first(group: np.ndarray) -> np.ndarray:
    """The same groups, numbered int32 in the order of their first members."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    return rank[inverse.ravel()]


def demand_alone(graph: Hypergraph, limits: Capacities) -> dict[str, np.ndarray]:
    """int64[n_vertices] each: what every vertex needs on a core of its own."""
    axons, memory = needs_alone(graph, limits)
    return {"neurons": graph.size[: graph.n_vertices].astype(np.int64), "axons_in": axons, "memory": memory}


def contracted(graph: Hypergraph, group: np.ndarray, limits: Capacities,
               share: int = 3) -> tuple[Hypergraph, np.ndarray]:
    """The hypergraph of the groups, and the groups: those that take more than 1/share of a core fall apart again."""
    while True:
        n_groups = int(group.max(initial=-1)) + 1
        smaller = graph.contract(group, n_groups)
        need = demand_alone(smaller, limits)
        heavy = np.zeros(n_groups, bool)
        for name, used in need.items():
            heavy |= used > max(1, getattr(limits, name) // share)
        heavy &= np.bincount(group, minlength=n_groups) > 1
        if not heavy.any():
            return smaller, group
        apart = heavy[group]
        group = group.astype(np.int64)
        group[apart] = n_groups + np.arange(int(apart.sum()))
        group = in_order_of_first(group)


def graph_of(indptr: np.ndarray, indices: np.ndarray, rates: np.ndarray, configs: np.ndarray,
             group: np.ndarray) -> Hypergraph:
    """Hypergraph of groups of neurons of a CSR graph; a synapse counts 1 unit of memory."""
    n = len(indptr) - 1
    ones = np.ones(n, np.int32)
    return contract(ones, configs, np.arange(n, dtype=np.int32), rates, ones, ones, indptr, indices, None, group,
                    int(group.max(initial=-1)) + 1)


def _output_sums(indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """uint64: equal for rows with the same columns; all have at least one."""
    lengths = np.diff(indptr)[rows]
    start = np.cumsum(lengths) - lengths
    columns = indices[np.repeat(indptr[rows] - start, lengths) + np.arange(int(lengths.sum()))].astype(np.uint64)
    columns = (columns + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    columns = (columns ^ (columns >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    columns ^= columns >> np.uint64(27)
    return np.add.reduceat(columns, start) | np.uint64(1)
