"""Placement by trees: what is counted is what the fabric would carry; swaps never make it more, and pins hold."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.placing.congestion import Routes
from chipsim.compiler.placing.trees import Nets, loads_of, shorten_trees
from chipsim.engine.plan import plan
from chipsim.engine.topology import EJECT, INJECT
from tests.unit.test_route import board, network


def lab(seed, n=12, width=4, height=4):
    """A mesh of one core per router, random nets on it, and a random placement."""
    rng = np.random.default_rng(seed)
    fabric = load_chip("loihi", set=(f"fabric.width={width}", f"fabric.height={height}", "fabric.n_cores=null",
                                     "fabric.cores_per_router=1")).fabric
    pins = [np.append(rng.integers(n), rng.choice(n, rng.integers(1, 6), replace=False)) for _ in range(n)]
    nets = Nets(np.concatenate([[0], np.cumsum([len(p) for p in pins])]).astype(np.int64),
                np.concatenate(pins).astype(np.int32), rng.integers(1, 9, n).astype(np.float32))
    router = np.arange(width * height)
    cells = np.stack([router % width, router // width], axis=1)
    return rng, Routes.of(fabric), nets, rng.permutation(width * height)[:n], router, cells


def plain_loads(routes, nets, router):
    """Each net's tree as a set of links."""
    load = np.zeros(len(routes.towards))
    for i, packets in enumerate(nets.packets):
        home, *targets = router[nets.pin[nets.start[i] : nets.start[i + 1]]]
        links = set()
        for target in targets:
            here = home
            while here != target:
                links.add(int(routes.link[here, target]))
                here = routes.towards[routes.link[here, target]]
        load[list(links)] += packets
    return load


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_swaps_shorten_trees_and_leave_pinned_cores_where_they_are(seed):
    rng, routes, nets, sites, router, cells = lab(seed)
    price = rng.integers(1, 4, len(routes.towards)).astype(float)
    pinned = np.where(rng.random(len(sites)) < 0.3, sites, -1)
    found, again = (shorten_trees(nets, sites, router, routes, price, cells=cells, pinned=pinned, seed=seed)
                    for _ in range(2))
    assert len(set(found.tolist())) == len(found) and np.array_equal(found[pinned >= 0], sites[pinned >= 0])
    before, after = (plain_loads(routes, nets, router[s]) for s in (sites, found))
    assert np.array_equal(before, loads_of(nets, router[sites], routes))
    assert after @ price <= before @ price
    assert np.array_equal(found, again)


def test_a_star_of_neighbours_is_found():
    """Four targets of one source, scattered on a row of nine: the tree becomes four links."""
    _, routes, _, _, router, cells = lab(0, n=5, width=9, height=1)
    star = Nets(np.array([0, 5]), np.arange(5, dtype=np.int32), np.ones(1, np.float32))
    sites = shorten_trees(star, np.array([4, 0, 8, 2, 6]), router, routes, np.ones(len(routes.towards)), cells=cells,
                          pinned=np.full(5, -1), effort="best")
    assert loads_of(star, router[sites], routes).sum() == 4


def test_without_links_or_packets_everything_stays():
    _, routes, nets, sites, router, cells = lab(3)
    free, price = np.full(len(sites), -1), np.ones(len(routes.towards))
    silent = Nets(nets.start, nets.pin, np.zeros_like(nets.packets))
    assert shorten_trees(silent, sites, router, routes, price, cells=cells, pinned=free) is sites
    layout = compile(network(4), board(neurons=16, chips="[1, 1]"))
    told = next(entry for entry in layout.log if entry["pass"] == "place")
    assert (told["links_per_spike"], told["heaviest_link"]) == (0, 0)


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_the_log_counts_the_links_that_spikes_cross(effort):
    layout = compile(network(4), board(), effort=effort)
    told = next(entry for entry in layout.log if entry["pass"] == "place")
    lowered = plan(layout)
    crossed = lowered.trees.loads(lowered.fabric, lowered.endpoint, np.ones(layout.n_sources, np.int64))
    links = ~np.isin(lowered.fabric.kind, (INJECT, EJECT))
    sends = np.diff(layout.out_start) > 0
    assert told["links_per_spike"] == pytest.approx(crossed[links].sum() / sends.sum())
    assert told["heaviest_link"] == crossed[links].max()
