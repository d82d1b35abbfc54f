"""partition_graph: limits counted by hand, few packets, the same cores for the same seed."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.compiler import Capacities, partition_graph
from chipsim.errors import FitError, UsageError


def packets(indptr, indices, cores, rates):
    """Spikes that leave their core, one per core they go to: sets and loops, no arrays."""
    total = 0.0
    for source in range(len(indptr) - 1):
        reached = {int(cores[t]) for t in indices[indptr[source] : indptr[source + 1]]} - {int(cores[source])}
        total += rates[source] * len(reached)
    return total


def demand(indptr, indices, cores, configs):
    """Per core: neurons, synapses, different sources, out-axons, different configurations."""
    n_cores = int(cores.max()) + 1
    sources, kinds = [set() for _ in range(n_cores)], [set() for _ in range(n_cores)]
    synapses, out = [0] * n_cores, [0] * n_cores
    for s in range(len(indptr) - 1):
        kinds[cores[s]].add(int(configs[s]))
        targets = indices[indptr[s] : indptr[s + 1]]
        for t in targets:
            sources[cores[t]].add(s)
            synapses[cores[t]] += 1
        out[cores[s]] += len({int(cores[t]) for t in targets})
    return np.bincount(cores).tolist(), synapses, [len(x) for x in sources], out, [len(x) for x in kinds]


def random_graph(rng, n, fan):
    """CSR with about `fan` different targets per neuron, self-connections among them."""
    rows = [np.unique(rng.integers(0, n, rng.integers(0, 2 * fan + 1))) for _ in range(n)]
    return np.concatenate([[0], np.cumsum([len(r) for r in rows])]), np.concatenate(rows).astype(np.int32)


def tiles(n_tiles, per_tile, rng):
    """All to all within tiles, whose neurons have shuffled numbers; one synapse leaves each tile."""
    name = rng.permutation(n_tiles * per_tile)
    rows = [None] * len(name)
    for t in range(n_tiles):
        members = name[t * per_tile : (t + 1) * per_tile]
        for m in members:
            rows[m] = np.sort(members)
        rows[members[0]] = np.unique(np.append(members, name[(t + 1) * per_tile % len(name)]))
    return np.concatenate([[0], np.cumsum([len(r) for r in rows])]), np.concatenate(rows).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), effort=st.sampled_from(["fast", "normal"]), data=st.data())
def test_every_limit_holds_by_a_count_of_its_own(seed, effort, data):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    indptr, indices = random_graph(rng, n, int(rng.integers(1, 6)))
    fan_in = int(np.bincount(indices, minlength=1).max())
    limits = dict(neurons=int(rng.integers(1, 20)), memory=fan_in + int(rng.integers(0, 30)),
                  axons_in=fan_in + int(rng.integers(0, 20)), configs=int(rng.integers(1, 4)))
    limits = {k: v for k, v in limits.items() if data.draw(st.booleans(), k)}
    if data.draw(st.booleans()):
        limits["axons_out"] = int(np.diff(indptr).max()) + int(rng.integers(0, 20))
    configs = rng.integers(0, 5, n).astype(np.int32)
    rates = rng.random(n)
    cores = partition_graph(indptr, indices, Capacities(**limits), rates, effort, seed % 100, configs)
    assert cores.shape == (n,) and set(cores) == set(range(cores.max() + 1))
    names = ("neurons", "memory", "axons_in", "axons_out", "configs")
    for name, used in zip(names, demand(indptr, indices, cores, configs), strict=True):
        assert max(used) <= limits.get(name, max(used)), name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_never_more_packets_than_in_index_order(seed):
    rng = np.random.default_rng(seed)
    n, room = int(rng.integers(2, 80)), int(rng.integers(2, 12))
    indptr, indices = random_graph(rng, n, 4)
    rates = rng.random(n)
    cores = partition_graph(indptr, indices, Capacities(neurons=room), rates, "fast")
    assert packets(indptr, indices, cores, rates) <= packets(indptr, indices, np.arange(n) // room, rates) + 1e-9


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_planted_tiles_are_found(effort):
    indptr, indices = tiles(20, 16, np.random.default_rng(3))
    cores = partition_graph(indptr, indices, Capacities(neurons=16), effort=effort)
    assert packets(indptr, indices, cores, np.ones(320)) == 20      # the one synapse of each tile


def test_out_axons_cost_few_packets():
    side, fan, rng = 64, 40, np.random.default_rng(0)
    x, y = (np.rint(rng.normal(0, 3, (side * side, fan))).astype(int) for _ in range(2))
    at = np.arange(side * side)[:, None]
    rows = [np.unique(r) for r in (at // side + y) % side * side + (at % side + x) % side]
    indptr, indices = np.concatenate([[0], np.cumsum([len(r) for r in rows])]), np.concatenate(rows).astype(np.int32)
    cores = partition_graph(indptr, indices, Capacities(axons_in=600, axons_out=300), effort="fast")
    assert max(demand(indptr, indices, cores, np.zeros(side * side))[3]) <= 300
    assert packets(indptr, indices, cores, np.ones(side * side)) < 9 * side * side      # 10.1 with cores halved at will


def test_same_seed_same_cores():
    indptr, indices = random_graph(np.random.default_rng(1), 500, 10)
    limits = Capacities(neurons=32, axons_in=200)
    assert (partition_graph(indptr, indices, limits, seed=7) == partition_graph(indptr, indices, limits, seed=7)).all()


def test_busy_neurons_stay_with_their_targets():
    # two sources per pair of targets; only the busy one can be close to both
    indptr, indices = np.array([0, 2, 4, 4, 4]), np.array([2, 3, 2, 3], np.int32)
    rates = np.array([1.0, 100.0, 0.0, 0.0])
    cores = partition_graph(indptr, indices, Capacities(neurons=3), rates)
    assert packets(indptr, indices, cores, rates) == 1.0


def test_a_neuron_too_large_for_any_core_is_named():
    indptr, indices = np.array([0, 1, 2, 3]), np.array([2, 2, 2], np.int32)
    with pytest.raises(FitError) as e:
        partition_graph(indptr, indices, Capacities(axons_in=2))
    assert e.value.diagnostics[0].code == "M204"
    assert "neuron 2 alone needs 3 input axons, a core has 2" in str(e.value)


def test_unknown_effort():
    with pytest.raises(UsageError, match="no effort `heroic`"):
        partition_graph(np.array([0, 0]), np.zeros(0, np.int32), Capacities(), effort="heroic")


@pytest.mark.parametrize("indptr, indices, options, words", [
    ([0, 1, 2], [5, 1], {}, "from 1 to 5, there are 2 neurons"),
    ([0, 1, 2], [-1, 1], {}, "from -1 to 1"),
    ([0, 1, 2], [1 << 32, 1], {}, "there are 2 neurons"),
    ([0, 1, 9], [0, 1], {}, "rises from 0 to the 2 entries"),
    ([0, 3, 1, 3], [0, 1, 2], {}, "rises from 0"),
    ([], [], {}, "rows of whole numbers"),
    ([0, 1, 2], [0.5, 1.0], {}, "rows of whole numbers"),
    ([0, 1, 2], [1, 0], {"rates": [1.0]}, "rates of 1 neurons, there are 2"),
    ([0, 1, 2], [1, 0], {"rates": [1.0, np.inf]}, "a rate of inf spikes per tick, of neuron 1"),
    ([0, 1, 2], [1, 0], {"rates": [np.nan, 1.0]}, "a rate of nan"),
    ([0, 1, 2], [1, 0], {"rates": [1.0, -1.0]}, "a rate of -1.0"),
    ([0, 1, 2], [1, 0], {"configs": [0]}, "configurations of 1 neurons"),
])
def test_a_graph_that_is_none_is_refused(indptr, indices, options, words):
    with pytest.raises(UsageError, match=f"U428.*{words}"):
        partition_graph(np.array(indptr, int), np.array(indices), Capacities(neurons=1), **options)


def test_configurations_are_any_numbers():
    indptr, indices = np.array([0, 1, 2, 3]), np.array([1, 2, 0])
    cores = partition_graph(indptr, indices, Capacities(neurons=2, configs=1), configs=np.array([-7, 1 << 40, -7]))
    assert cores[0] == cores[2] != cores[1]
