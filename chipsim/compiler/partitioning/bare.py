"""Partition a bare graph: neurons and who hears whom, without populations."""
from __future__ import annotations

import numpy as np

from chipsim.compiler.arguments import checked_csr, checked_rates
from chipsim.compiler.partitioning.group import SHARE, contracted, demand_alone, graph_of, near_twins, twins
from chipsim.compiler.partitioning.grow import in_order
from chipsim.compiler.partitioning.hypergraph import first_sources, packets
from chipsim.compiler.partitioning.kahypar import check_partitioner
from chipsim.compiler.partitioning.limits import UNLIMITED, Capacities
from chipsim.compiler.partitioning.multilevel import EFFORTS, partition_hypergraph
from chipsim.errors import Diagnostic, FitError, UsageError


def partition_graph(indptr: np.ndarray, indices: np.ndarray, capacities: Capacities, rates: np.ndarray | None = None,
                    effort: str = "normal", seed: int = 0, configs: np.ndarray | None = None,
                    partitioner: str = "chipsim") -> np.ndarray:
    """int32[n]: the core of each neuron, numbered from 0 without gaps; same seed, same cores.

    indptr int64[n + 1], indices int32[synapses]   targets by source neuron, each target once
    capacities   limits of a core; every one holds in the result
    rates        float64[n] spikes per tick (default 1); the packets they make between cores are kept few
    effort       fast, normal or best
    configs      int32[n] configuration of each neuron (default: one for all)
    partitioner  "mtkahypar": its partition, refined, is tried too (an extra: chipsim[mtkahypar])

    Never more packets than neurons in index order make (unless out-axons are limited). Raises FitError when a neuron
    alone breaks a limit, UsageError.
    """
    indptr, indices = checked_csr(indptr, indices)
    n = len(indptr) - 1
    if effort not in EFFORTS:
        raise UsageError(Diagnostic("U422", f"no effort `{effort}`", help="one of " + ", ".join(EFFORTS)))
    check_partitioner(partitioner)
    rates = np.ones(n) if rates is None else checked_rates(rates, n)
    configs = np.zeros(n) if configs is None else np.asarray(configs)
    if configs.shape != (n,):
        raise UsageError(Diagnostic("U428", f"configurations of {configs.size} neurons, there are {n}"))
    configs = np.unique(configs, return_inverse=True)[1].astype(np.int32)
    if n == 0:
        return np.zeros(0, np.int32)
    _check(indptr, indices, capacities)
    single = np.arange(n, dtype=np.int32)
    group = twins(indptr, indices, capacities, configs, seed)
    cores = _grouped(indptr, indices, capacities, rates, effort, seed, configs, group, partitioner)
    if cores is None:                                   # twins together are too much for a core: each on its own
        cores = _grouped(indptr, indices, capacities, rates, effort, seed, configs, single, partitioner)
    if cores is None:
        raise FitError(Diagnostic("M204", f"a neuron reaches more cores than the {capacities.axons_out} output axons "
                                  "of its own", help="fewer targets per neuron, or larger cores to hold them"))
    in_index_order = np.arange(n) // min(capacities.neurons, n)
    found = packets(indptr, indices, rates, cores)
    if capacities.axons_out == UNLIMITED and packets(indptr, indices, rates, in_index_order) < found:
        order = in_order(graph_of(indptr, indices, rates, configs, single), single, capacities)
        if packets(indptr, indices, rates, order) < found:
            return order
    return cores


def _grouped(indptr, indices, limits: Capacities, rates, effort: str, seed: int, configs, group,
             partitioner: str) -> np.ndarray | None:
    """Cores of the neurons when groups of them are the vertices; None if groups are too large for a core."""
    graph = graph_of(indptr, indices, rates, configs, group)
    if not all((need <= getattr(limits, name)).all() for name, need in demand_alone(graph, limits).items()):
        return None
    if effort == "fast":
        near = near_twins(graph, max(1, min(limits.neurons, len(group)) // SHARE), seed)
        if near.max() + 1 < 0.8 * graph.n_vertices:
            graph, near = contracted(graph, near, limits, SHARE)
            group = near[group]
    found = partition_hypergraph(graph, limits, effort, seed, _breaks(indptr, indices, group),
                                 partitioner=partitioner)
    return found.cores[group] if found.fits else None


def _check(indptr: np.ndarray, indices: np.ndarray, limits: Capacities) -> None:
    """FitError that names the first neuron that breaks a limit by itself."""
    n = len(indptr) - 1
    fan_in = np.bincount(indices, minlength=n)
    for need, name, unit in ((fan_in, "axons_in", "input axons"), (fan_in, "memory", "synapses"),
                             (np.diff(indptr) > 0, "axons_out", "output axons"), (np.ones(n), "neurons", "neurons")):
        have = getattr(limits, name)
        if need.max(initial=0) > have:
            i = int(np.argmax(need))
            raise FitError(Diagnostic("M204", f"neuron {i} alone needs {int(need[i])} {unit}, a core has {have}",
                                      help="fewer sources per neuron, or a relay between them"))


def _breaks(indptr: np.ndarray, indices: np.ndarray, group: np.ndarray) -> np.ndarray:
    """bool[groups]: the group's first neuron begins a run of neurons that hear other sources than the one before.

    Sources are compared by their lowest number, which tells layers apart; recurrent networks have none to tell.
    """
    n = len(indptr) - 1
    lowest = first_sources(indptr, indices, n)
    layer = np.zeros(n, bool)
    layer[1:] = lowest[1:] != lowest[:-1]
    layer[0] = True
    n_groups = int(group.max()) + 1
    first = np.full(n_groups, n, np.int64)
    np.minimum.at(first, group, np.arange(n))
    return layer[first] if layer.sum() <= max(2, n // 100) else np.zeros(n_groups, bool)
