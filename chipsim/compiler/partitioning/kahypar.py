"""Mt-KaHyPar's partition of a hypergraph, where asked for: one more start beside those of multilevel.py.

Mt-KaHyPar (Gottesbüren, Heuer, Maas, Sanders, Schlag, ACM Trans. Algorithms 20, 2024; MIT) keeps one sum per core and
makes few of what a spike costs here: cores that a net reaches beside its source's (km1). Of the limits of a core it is
told the sum that binds, neurons or synapse memory; cores that break another are cut. Its deterministic preset is used,
whose result is the same for any number of threads; its default does not come to the same twice.
"""
from __future__ import annotations

import os
from importlib import metadata
from types import ModuleType

import numpy as np

from chipsim.compiler.partitioning.group import demand_alone
from chipsim.compiler.partitioning.grow import in_order
from chipsim.compiler.partitioning.hypergraph import Hypergraph
from chipsim.compiler.partitioning.limits import Capacities
from chipsim.errors import Diagnostic, UsageError

PARTITIONERS = ("chipsim", "mtkahypar")
LARGEST = 1 << 30       # sums of weights; Mt-KaHyPar's are int32
SPARE = 0.03            # share of cores more than there must be that it is given


def check_partitioner(name: str) -> None:
    """UsageError if there is no such partitioner, or it is not installed."""
    if name not in PARTITIONERS:
        raise UsageError(Diagnostic("U427", f"there is no partitioner `{name}`", help=" or ".join(PARTITIONERS)))
    if name == "mtkahypar":
        _library()


def blocks(graph: Hypergraph, limits: Capacities, n_cores: int, seed: int) -> np.ndarray:
    """int32[n_vertices]: cores by Mt-KaHyPar, about n_cores of them; every limit but that of out-axons holds.

    Same seed, same cores. UsageError where Mt-KaHyPar is not installed.
    """
    library = _library()
    weight, most = _binding(graph, limits)
    nets, costs = _nets(graph)
    order = np.arange(graph.n_vertices)
    if n_cores < 2 or not nets:
        return in_order(graph, order, limits)
    setting = _initializer(library).context_from_preset(library.PresetType.DETERMINISTIC)
    setting.logging = False
    setting.set_partitioning_parameters(n_cores, 0.03, library.Objective.KM1)
    setting.set_individual_target_block_weights([most] * n_cores)
    library.set_seed(seed % (1 << 31))
    whole = _initializer(library).create_hypergraph(setting, graph.n_vertices, len(nets), nets, weight.tolist(), costs)
    block = np.array(whole.partition(setting).get_partition(), np.int32)
    first = np.zeros(graph.n_vertices, bool)
    first[np.unique(block, return_index=True)[1]] = True
    return in_order(graph, np.argsort(block, kind="stable"), limits, first)


def _binding(graph: Hypergraph, limits: Capacities) -> tuple[np.ndarray, int]:
    """(int64[n_vertices], capacity of a core) of the sum that takes more cores: neurons, or memory as if every vertex
    were alone."""
    need = demand_alone(graph, limits)
    name = max(("neurons", "memory"), key=lambda name: need[name].sum() / getattr(limits, name))
    shift = max(0, int(need[name].sum()).bit_length() - LARGEST.bit_length() + 1)
    return -(-need[name] >> shift), min(LARGEST, getattr(limits, name) >> shift)


def _nets(graph: Hypergraph) -> tuple[list[list[int]], list[int]]:
    """(vertices of every net, its source among them; what each core more costs, a whole number)."""
    n_nets = graph.n_nets
    start, pin, source = graph.pin_start, graph.pin[: graph.n_pins], graph.source[:n_nets]
    net = np.repeat(np.arange(n_nets), np.diff(start))
    hears_itself = np.zeros(n_nets, bool)
    hears_itself[net[pin == source[net]]] = True
    more = np.flatnonzero((source >= 0) & ~hears_itself)
    pins = np.insert(pin, start[more], source[more]).tolist()
    added = np.zeros(n_nets + 1, np.int64)
    added[more + 1] = 1
    start = start + np.cumsum(added)
    rate = graph.weight[:n_nets]
    total = float((rate * np.diff(start)).sum())
    scale = 1.0 if total < LARGEST and (rate == np.rint(rate)).all() else LARGEST / max(total, 1e-300)
    cost = np.maximum(1, np.rint(rate * scale)).astype(np.int64)
    kept = np.flatnonzero((np.diff(start) > 1) & (rate > 0))
    return [pins[start[e] : start[e + 1]] for e in kept.tolist()], cost[kept].tolist()


def version() -> str:
    """Of the library that is installed."""
    return metadata.version("mtkahypar")


def _library() -> ModuleType:
    try:
        import mtkahypar
    except ImportError:
        raise UsageError(Diagnostic("U427", "Mt-KaHyPar is not installed", help="pip install 'chipsim[mtkahypar]', or "
                                    "leave `partitioner` out: a layout never needs it")) from None
    return mtkahypar


def _initializer(library: ModuleType):
    """Mt-KaHyPar with as many threads as there are processors for this process, or in all where nobody can say."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return library.initialize(processors, False)
