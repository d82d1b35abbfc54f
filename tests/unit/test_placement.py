"""Placement: packets x hops on any floorplan, and the load of links under it."""
from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from chipsim.chip import load_chip
from chipsim.compiler.placing.annealing import anneal
from chipsim.compiler.placing.bisection import halve
from chipsim.compiler.placing.congestion import Routes, relieve_links
from chipsim.compiler.placing.floorplan import grid, hexagonal, mesh, tabulated, torus
from chipsim.compiler.placing.placement import NEIGHBOURS, Ground, _thinned, edges_of, order_by_bisection, place_graph
from chipsim.compiler.placing.tabu import tabu
from chipsim.errors import FitError, UsageError


def cost(traffic, floorplan, sites):
    e = traffic.tocoo()
    return (e.data * floorplan.hops(sites[e.row], sites[e.col])).sum()


def some_traffic(n, seed, density=0.3):
    rng = np.random.default_rng(seed)
    return csr_array(rng.integers(1, 9, (n, n)) * (rng.random((n, n)) < density) * 1.0)


def shuffled_grid(side):
    number = np.random.default_rng(1).permutation(side * side).reshape(side, side)
    row = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    column = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    return csr_array((np.ones(len(row)), (row, column)), shape=(side * side, side * side))


def instance(folder, name):
    file = np.load(folder / "qap" / "qaplib_grid.npz")
    rows, columns, scale = file[f"{name}_grid"]
    return csr_array(file[f"{name}_flow"] * float(scale)), mesh(grid(columns, rows)), int(file[f"{name}_best"])


# ---- floorplans ----

def walked(width, height, steps, wrap):
    graph = nx.DiGraph()
    for x in range(width):
        for y in range(height):
            for dx, dy in steps:
                there = (x + dx, y + dy)
                if wrap:
                    there = (there[0] % width, there[1] % height)
                if 0 <= there[0] < width and 0 <= there[1] < height:
                    graph.add_edge((x, y), there)
                    graph.add_edge(there, (x, y))
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    cells = grid(width, height)
    return np.array([[lengths.get(tuple(map(int, a)), {}).get(tuple(map(int, b)), 0) for b in cells] for a in cells])


@given(st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_hops_are_shortest_paths(width, height):
    cells = grid(width, height)
    pair = np.arange(len(cells))
    straight, hexagon = [(1, 0), (0, 1)], [(1, 0), (0, 1), (1, 1)]
    for floorplan, steps, wrap in ((mesh(cells), straight, False), (torus(cells, (width, height)), straight, True),
                                   (hexagonal(cells, (width, height)), hexagon, True),
                                   (hexagonal(cells, (width, height), ring=False), hexagon, False)):
        assert (floorplan.hops(pair[:, None], pair[None, :]) == walked(width, height, steps, wrap)).all()


def test_hops_across_a_chip_border_count_more():
    floorplan = mesh(grid(4, 2), hop=(np.array([1.0, 10.0, 1.0]), 2.0))
    assert floorplan.hops(0, 3) == 12 and floorplan.hops(0, 4) == 2 and floorplan.hops(3, 4) == 14


def test_curve_visits_every_site_and_steps_to_neighbours():
    floorplan = mesh(grid(16, 16))
    assert sorted(floorplan.curve) == list(range(256))
    assert (floorplan.hops(floorplan.curve[1:], floorplan.curve[:-1]) == 1).all()


# ---- kernels against their plain meaning ----

@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 5), st.sampled_from(["mesh", "torus", "hexagonal"]))
@settings(max_examples=25, deadline=None)
def test_annealing_reports_the_change_of_cost_that_it_made(seed, width, height, kind):
    cells = np.repeat(grid(width, height), 2, axis=0)
    floorplan = {"mesh": lambda: mesh(cells, hop=(3.0, 4.0)), "torus": lambda: torus(cells, (width, height)),
                 "hexagonal": lambda: hexagonal(cells, (width, height))}[kind]()
    ground = Ground.of(floorplan, np.array([0]))
    n = len(ground.free)
    traffic = some_traffic(n + 1, seed)
    graph = csr_array(traffic + traffic.T)
    graph.setdiag(0)
    graph.eliminate_zeros()
    at = np.arange(n, dtype=np.int32)
    site = np.arange(n + 1, dtype=np.int32)
    spots = np.concatenate([ground.coarse(0), ground.spots(np.array([0]))])
    before = cost(graph, floorplan, np.append(ground.free, 0)) / 2
    change, swaps = anneal(
        graph.indptr.astype(np.int64), edges_of(graph), spots, site, at,
        np.arange(n, dtype=np.int32), ground.first, ground.count, 0, *floorplan.period, floorplan.table,
        50.0, 0.1, 3.0, 1.0, 2000, seed)
    assert sorted(at) == list(range(n)) and (site[at] == np.arange(n)).all()
    after = cost(graph, floorplan, np.append(ground.free[np.argsort(at)], 0)) / 2
    assert after - before == pytest.approx(change, abs=1e-6) and swaps > 0


@given(st.integers(0, 10**6), st.integers(3, 12))
@settings(max_examples=25, deadline=None)
def test_tabu_search_reports_its_gain_and_never_ends_worse(seed, n):
    rng = np.random.default_rng(seed)
    flow, hops = (np.triu(rng.integers(0, 9, (n, n)), 1).astype(float) for _ in range(2))
    flow, hops, pull = flow + flow.T, hops + hops.T, rng.integers(0, 9, (n, n)).astype(float)
    place = rng.permutation(n).astype(np.int32)

    def total():
        return (flow * hops[np.ix_(place, place)]).sum() / 2 + pull[np.arange(n), place].sum()

    before = total()
    gain = tabu(flow, hops, pull, place, n, 300, seed)
    assert sorted(place) == list(range(n)) and gain <= 0
    assert total() - before == gain


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_halves_have_exactly_the_size_asked_for(seed, n, n_blocks):
    rng = np.random.default_rng(seed)
    block = np.concatenate([[0], np.sort(rng.integers(0, n + 1, n_blocks - 1)), [n]]).astype(np.int64)
    of = np.repeat(np.arange(n_blocks), np.diff(block))
    graph = some_traffic(n, seed)
    graph = csr_array((graph + graph.T).multiply(of[:, None] == of[None, :]))
    graph.eliminate_zeros()
    target = np.array([rng.integers(0, size + 1) for size in np.diff(block)], np.int64)
    side = np.ones(n, np.int8)
    halve(graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data.astype(np.float32),
          np.ones(n, np.int64), side, block, target, np.zeros(n_blocks, np.int64), 2, seed)
    for b, size in enumerate(np.diff(block)):
        if size > 1:
            assert (side[block[b] : block[b + 1]] == 0).sum() == target[b]


# ---- the whole ----

@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nug30_reaches_its_optimum(validation_dir, seed):
    traffic, floorplan, best = instance(validation_dir, "nug30")
    assert best == 6124
    assert cost(traffic, floorplan, place_graph(traffic, floorplan, seed=seed)) == 6124


@pytest.mark.parametrize("name", ["nug12", "nug16b", "nug20", "nug25", "tho30", "sko42", "sko64", "wil50", "tho40"])
def test_qaplib_within_half_a_percent(validation_dir, name):
    traffic, floorplan, best = instance(validation_dir, name)
    assert best <= cost(traffic, floorplan, place_graph(traffic, floorplan)) <= 1.005 * best


def test_a_shuffled_grid_is_found_again():
    traffic, floorplan = shuffled_grid(32), mesh(grid(32, 32))
    hops = cost(traffic, floorplan, place_graph(traffic, floorplan)) / traffic.sum()
    assert 1 <= hops < 1.7                                   # random: 21.3
    in_order = order_by_bisection(csr_array(traffic + traffic.T), 0)
    rank = np.empty(1024, np.int64)
    rank[in_order] = np.arange(1024)
    e = traffic.tocoo()
    assert (rank[e.row] // 512 != rank[e.col] // 512).sum() <= 40        # optimum: 32 of 1984


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6), st.sampled_from(["fast", "normal"]))
@settings(max_examples=20, deadline=None)
def test_every_vertex_gets_a_site_of_its_own_and_pins_hold(seed, width, height, effort):
    rng = np.random.default_rng(seed)
    cells = grid(width, height)[np.sort(rng.permutation(width * height)[: rng.integers(1, width * height + 1)])]
    floorplan = mesh(cells)
    n = int(rng.integers(1, len(cells) + 1))
    pinned = np.where(rng.random(n) < 0.3, rng.permutation(len(cells))[:n], -1)
    traffic = some_traffic(n, seed)
    sites = place_graph(traffic, floorplan, pinned=pinned, effort=effort, seed=seed)
    assert len(set(sites)) == n and sites.min() >= 0 and sites.max() < len(cells)
    assert (sites[pinned >= 0] == pinned[pinned >= 0]).all()
    assert (sites == place_graph(traffic, floorplan, pinned=pinned, effort=effort, seed=seed)).all()


def test_a_sample_of_many_light_pairs_places_as_well(monkeypatch):
    n, rng = 400, np.random.default_rng(1)
    x, y = np.divmod(rng.permutation(n), 20)
    near = np.abs(x[:, None] - x) + np.abs(y[:, None] - y) <= 1
    traffic, floor = csr_array(near * 100.0 + rng.random((n, n))), mesh(grid(20, 20))

    def hops():
        sites = place_graph(traffic, floor, effort="fast")
        return (traffic.toarray() * floor.hops(sites[:, None], sites)).sum() / traffic.sum()

    assert _thinned(traffic, 256 * n, 0).nnz < 0.8 * traffic.nnz
    sampled = hops()
    monkeypatch.setitem(NEIGHBOURS, "fast", n)
    assert sampled < 1.05 * hops()


def test_a_sample_of_the_pairs_keeps_heavy_ones_and_the_traffic():
    rng = np.random.default_rng(0)
    half = np.triu(rng.random((300, 300)), 1)
    half[0, 1:20] = 500.0
    graph = csr_array(half + half.T)
    fewer = _thinned(graph, 9000, 3)
    assert abs(fewer.nnz - 9000) < 300 and (fewer != fewer.T).nnz == 0
    assert (fewer.toarray()[0, 1:20] == 500).all()
    assert fewer.sum() == pytest.approx(graph.sum(), rel=0.02)
    assert _thinned(graph, graph.nnz, 3) is graph


def test_a_pinned_port_draws_its_cores_near():
    traffic = csr_array(([5.0, 1.0], ([0, 0], [1, 2])), shape=(3, 3))     # vertex 0 is the port, in the corner
    floorplan = mesh(grid(6, 6))
    sites = place_graph(traffic, floorplan, pinned=np.array([35, -1, -1]))
    assert sites[0] == 35 and sorted(floorplan.hops(sites[1:], 35)) == [1, 1]


def test_more_cores_than_places_are_refused():
    with pytest.raises(FitError, match=r"M250.*3 cores are in use, 2 places are free"):
        place_graph(csr_array((3, 3)), mesh(grid(2, 1)))


@pytest.mark.parametrize("traffic, options, words", [
    (np.ones((3, 4)), {}, "square, got"),
    ([[0, np.nan], [1, 0]], {}, "traffic of nan packets"),
    ([[0, np.inf], [1, 0]], {}, "traffic of inf packets"),
    ([[0, -1.0], [1, 0]], {}, "traffic of -1.0 packets"),
    (np.ones((2, 2)), {"pinned": [0]}, "pins of 1 cores, there are 2"),
    (np.ones((2, 2)), {"pinned": [9, -1]}, "site 9 is pinned to, there are 9"),
    (np.ones((2, 2)), {"seed": -1}, "got -1"),
    (np.ones((2, 2)), {"effort": "heroic"}, "no effort"),
])
def test_a_graph_that_is_none_is_refused(traffic, options, words):
    with pytest.raises(UsageError, match=f"U42[28].*{words}"):
        place_graph(csr_array(np.array(traffic)), mesh(grid(3, 3)), **options)


@pytest.mark.parametrize("ring", [torus, hexagonal])
def test_cells_outside_a_ring_are_refused(ring):
    with pytest.raises(UsageError, match=r"U428.*to \[2, 2\], there are 2 x 2"):
        ring(grid(3, 3), (2, 2))


def test_traffic_may_be_whole_numbers_or_all_zero_and_hops_free():
    for traffic in (np.ones((4, 4), int), np.zeros((4, 4))):
        assert len(np.unique(place_graph(csr_array(traffic), mesh(grid(3, 3), hop=(0.0, 0.0))))) == 4


def test_sites_of_one_router_share_a_row_of_the_table():
    of, cells = np.repeat(np.arange(6), 3), np.repeat(grid(3, 2), 3, axis=0)
    hops = mesh(grid(3, 2)).hops(np.arange(6)[:, None], np.arange(6)[None, :])
    short, whole = tabulated(hops, cells, of), tabulated(hops[np.ix_(of, of)], cells)
    assert short.table.size == 36
    assert (place_graph(some_traffic(16, 3), short) == place_graph(some_traffic(16, 3), whole)).all()


def test_a_table_of_hops_serves_any_fabric():
    hops = mesh(grid(5, 4)).hops(np.arange(20)[:, None], np.arange(20)[None, :])
    traffic = some_traffic(20, 3)
    table, arithmetic = tabulated(hops, grid(5, 4)), mesh(grid(5, 4))
    a, b = (place_graph(traffic, f, seed=1) for f in (table, arithmetic))
    assert (a == b).all()


# ---- links ----

def xy_routes(width, height):
    return Routes.of(load_chip("loihi", set=(f"fabric.width={width}", f"fabric.height={height}",
                                             "fabric.io.router=[0,0]", "fabric.n_cores=null")).fabric)


def loads_of(traffic, routes, router_of):
    e = traffic.tocoo()
    return routes.loads(router_of[e.row], router_of[e.col], e.data)


@pytest.mark.parametrize("per_router", [1, 2])
def test_the_heaviest_link_gets_lighter_for_few_more_hops(per_router):
    layers = np.zeros((48, 48))
    for k in range(5):
        layers[8 * k : 8 * k + 8, 8 * k + 8 : 8 * k + 16] = 1    # all to all between six layers of eight cores
    traffic, routes = csr_array(layers), xy_routes(8, 48 // 8 // per_router + 1)
    cells = np.repeat(grid(8, 6 // per_router + 1), per_router, axis=0)
    router = np.repeat(np.arange(len(cells) // per_router), per_router)
    pinned = np.full(48, -1)
    pinned[0] = 3
    before = place_graph(traffic, mesh(cells), pinned=pinned)
    after = relieve_links(traffic, before, router, routes, cells=cells, pinned=pinned, extra_hops=0.04)
    old, new = (loads_of(traffic, routes, router[s]) for s in (before, after))
    assert old.sum() == cost(traffic, mesh(cells), before)
    assert new.max() <= 0.9 * old.max() and new.sum() <= 1.04 * old.sum()
    assert len(set(after)) == 48 and after[0] == 3


def test_bench_prints_a_table(capsys):
    import bench

    assert bench.main(["placement", "--side", "16", "--effort", "fast"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["graph", "grid", "conv", "fc", "geo"]
    for row in rows[1:]:
        random, *_, placed, _, _ = map(float, row.split()[1:-1] + ["0"])
        assert placed < random
    assert bench.main(["nothing"]) == 2
