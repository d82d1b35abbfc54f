"""What refinement says of a move, against counting all packets before and after it."""
from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.compiler.partitioning.hypergraph import Hypergraph, outputs_of
from chipsim.compiler.partitioning.limits import Capacities
from chipsim.compiler.partitioning.refine import Refinement


def random_hypergraph(rng, n, n_nets):
    """Nets from any vertex, from outside, to oneself, of several sources and synapses, with fractions of spikes."""
    pins = [np.unique(rng.integers(0, n, rng.integers(1, 6))) for _ in range(n_nets)]
    start = np.concatenate([[0], np.cumsum([len(p) for p in pins])])
    return Hypergraph(rng.integers(1, 4, n), np.zeros(n), rng.integers(-1, n, n_nets), rng.integers(1, 9, n_nets) / 4,
                      rng.integers(1, 3, n_nets), np.ones(n_nets), start, np.concatenate(pins),
                      rng.integers(1, 4, start[-1]))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), limited=st.booleans())
def test_the_cost_of_a_move_is_the_difference_of_two_counts(seed, limited):
    rng = np.random.default_rng(seed)
    n, n_cores = int(rng.integers(2, 20)), int(rng.integers(2, 6))
    graph = random_hypergraph(rng, n, int(rng.integers(1, 40)))
    limits = Capacities(neurons=12, axons_in=20) if limited else Capacities(neurons=30)
    refinement = Refinement(graph, rng.integers(0, n_cores, n).astype(np.int32), limits, n_cores, seed)
    refinement.anneal(1.0, 0.1, 20_000)
    cores = refinement.cores
    before = outputs_of(graph, cores)[0]
    assert refinement.cost == before
    for v in range(n):
        for core in range(n_cores):
            if core != cores[v]:
                moved = cores.copy()
                moved[v] = core
                assert refinement.cost_of(v, core) == outputs_of(graph, moved)[0] - before


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_annealing_adds_up_the_costs_of_its_moves_and_swaps(seed):
    rng = np.random.default_rng(seed)
    n, n_cores = int(rng.integers(2, 20)), int(rng.integers(2, 6))
    graph = random_hypergraph(rng, n, int(rng.integers(1, 40)))
    cores = (np.arange(n) % n_cores).astype(np.int32)
    refinement = Refinement(graph, cores, Capacities(neurons=int(np.bincount(cores, graph.size).max())), n_cores, seed)
    for temperature in (3.0, 1.0, 0.3):
        refinement.anneal(temperature, temperature, 3000)
        assert refinement.added == refinement.cost == outputs_of(graph, refinement.cores)[0]
