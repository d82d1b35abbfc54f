"""Routing tables of multicast chips: trees reach all, compression loses nothing, cycles of channels are named."""
from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler.congestion import Routes
from chipsim.compiler.route import (
    Table,
    channel_dependencies,
    compress,
    deadlock,
    onward_links,
    prove,
    tables,
    tree,
)
from chipsim.engine.topology import plan_fabric
from chipsim.errors import FitError


def fabric(topology, width, height):
    return load_chip("loihi", set=(f"fabric.topology={topology}", f"fabric.width={width}", f"fabric.height={height}",
                                   "fabric.n_cores=null", "fabric.cores_per_router=1",
                                   "fabric.channels.diagonal={latency: 5 ns, cycle: 5 ns, credit: 1 ns, "
                                   "slots: 4, energy: 3 pJ}")[: 6 if topology == "hex_torus" else 5]).fabric


def routes_of(topology, width, height):
    f = fabric(topology, width, height)
    routes, plan = Routes.of(f), plan_fabric(f, np.zeros(0, int), host=False)
    return routes, onward_links(routes, plan.from_router, plan.out_port)


def some_sources(rng, n_routers, n):
    keys = rng.permutation(4 * n)[:n].astype(np.uint32)
    sources = rng.integers(0, n_routers, n)
    targets = [rng.choice(n_routers, rng.integers(1, min(6, n_routers) + 1), replace=False) for _ in range(n)]
    return keys, sources, targets


FABRICS = st.tuples(st.sampled_from(["mesh", "torus", "hex_torus"]), st.integers(2, 5), st.integers(2, 4))


@given(FABRICS, st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_tables_lead_every_key_to_all_of_its_targets_before_and_after_compression(shape, seed, n):
    routes, onward = routes_of(*shape)
    keys, sources, targets = some_sources(np.random.default_rng(seed), len(routes.link), n)
    plain = tables(routes, onward, keys, sources, targets)
    prove(routes, onward, plain, keys, sources, targets)
    small = {r: compress(t, np.setdiff1d(keys, t.key)) for r, t in plain.items()}
    prove(routes, onward, small, keys, sources, targets)
    assert sum(map(len, small.values())) <= sum(map(len, plain.values()))


@given(FABRICS, st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_tree_reaches_each_target_once_along_the_fabrics_routes(shape, seed):
    routes, _ = routes_of(*shape)
    rng = np.random.default_rng(seed)
    _, sources, targets = some_sources(rng, len(routes.link), 1)
    found = tree(routes, int(sources[0]), targets[0])
    graph = nx.DiGraph([(r, int(routes.towards[k])) for r, (links, _) in found.items() for k in links])
    graph.add_node(int(sources[0]))
    assert nx.is_arborescence(graph) and {r for r, (_, here) in found.items() if here} == set(targets[0].tolist())
    assert all(found[leaf][1] for leaf in graph if graph.out_degree(leaf) == 0)


def test_keys_of_a_block_with_one_route_become_one_entry():
    key = np.arange(64, dtype=np.uint32)
    table = Table(key, np.full(64, 0xFFFFFFFF, np.uint32), ((3,),) * 64, np.zeros(64, bool))
    small = compress(table, np.array([64, 200]))
    assert len(small) == 1 and small.look_up(17) == ((3,), False) and small.look_up(64) is None


def test_a_wrong_table_is_found_out():
    routes, onward = routes_of("mesh", 3, 2)
    keys, sources, targets = np.array([5], np.uint32), np.array([0]), [np.array([2, 4])]
    good = tables(routes, onward, keys, sources, targets)
    with pytest.raises(FitError, match=r"M255.*0x00000005 from router 0 (is lost|reaches)"):
        prove(routes, onward, {r: t for r, t in good.items() if r != 1}, keys, sources, targets)
    with pytest.raises(FitError, match=r"M255.*wanted \[2\]"):
        prove(routes, onward, good, keys, sources, [np.array([2])])


@given(FABRICS)
@settings(max_examples=12, deadline=None)
def test_deadlock_is_what_networkx_calls_a_cycle_of_dependencies(shape):
    routes, _ = routes_of(*shape)
    graph = nx.DiGraph(channel_dependencies(routes).tolist())
    cycle = deadlock(routes)
    assert (cycle is None) == nx.is_directed_acyclic_graph(graph)
    if cycle is not None:
        assert all(graph.has_edge(a, b) for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True))


def test_xy_on_a_mesh_cannot_deadlock_and_a_ring_can():
    assert deadlock(routes_of("mesh", 4, 3)[0]) is None
    cycle = deadlock(routes_of("torus", 5, 2)[0])
    assert cycle is not None and len(cycle) == 5
