"""Placement where routers copy packets: links of a spike's tree, placed by distances, by loads, and by trees.

    python tools/bench.py trees [--chip spinnaker48] [--effort normal]

Core graphs of 640 cores, each core with one set of targets: `local` (a plane, all within two columns and rows),
`layers` (12 random cores of the next 40), `dense` (all of the next 20), `random` (8 anywhere), `clusters` (16, of which
most within 16 neighbours). Figures are links per spike, packets on the heaviest link when every core spikes once, and
CPU seconds; `distances` is placement.py alone, `loads` with congestion.py behind it, `trees` with trees.py instead.
"""
from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.sparse import coo_array, csr_array

from chipsim.chip import load_chip
from chipsim.compiler.placing.congestion import Routes, relieve_links
from chipsim.compiler.placing.floorplan import hexagonal, mesh
from chipsim.compiler.placing.place import EXTRA_HOPS
from chipsim.compiler.placing.placement import place_graph
from chipsim.compiler.placing.trees import Nets, loads_of, shorten_trees

N = 640


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.py trees", description="links of multicast trees")
    parser.add_argument("--chip", default="spinnaker48", help="with a mesh or hexagonal torus of at least 640 cores")
    parser.add_argument("--effort", default="normal")
    args = parser.parse_args(arguments)
    chip = load_chip(args.chip)
    fabric = chip.fabric
    router = np.arange(chip.n_cores) // fabric.cores_per_router
    cells = np.stack([router % fabric.grid[0], router // fabric.grid[0]], axis=1)
    floorplan = hexagonal(cells, fabric.grid) if fabric.topology == "hex_torus" else mesh(cells)
    routes, free = Routes.of(fabric), np.full(N, -1)
    price = np.ones(len(routes.towards))
    print(f"{'graph':10}" + "".join(f"{way:>26}" for way in ("distances", "loads", "trees")))
    for name, graph in graphs(np.random.default_rng(0)):
        nets, row = nets_of(graph), f"{name:10}"
        began = time.process_time()
        sites = place_graph(graph, floorplan, effort=args.effort)
        first = time.process_time() - began
        for way in ("distances", "loads", "trees"):
            began, found = time.process_time(), sites
            if way == "loads":
                found = relieve_links(graph, sites, router, routes, cells=cells, extra_hops=EXTRA_HOPS,
                                      effort=args.effort)
            elif way == "trees":
                found = shorten_trees(nets, sites, router, routes, price, cells=cells, pinned=free, effort=args.effort)
            load = loads_of(nets, router[found], routes)
            spent = first + time.process_time() - began
            row += f"{load.sum() / nets.packets.sum():10.2f}{load.max():7.0f}{spent:7.2f} s"
        print(row, flush=True)
    return 0


def nets_of(graph: csr_array) -> Nets:
    """A net per core that has targets."""
    sends = np.flatnonzero(np.diff(graph.indptr))
    start = np.concatenate([[0], np.cumsum(np.diff(graph.indptr)[sends] + 1)])
    pin = np.insert(graph.indices, graph.indptr[sends], sends)
    return Nets(start.astype(np.int64), pin.astype(np.int32), np.ones(len(sends), np.float32))


def graphs(rng: np.random.Generator) -> list[tuple[str, csr_array]]:
    core, shuffled = np.arange(N), rng.permutation(N)
    x, y = core % 20, core // 20
    near = (np.maximum(abs(x[:, None] - x), abs(y[:, None] - y)) <= 2) & (core[:, None] != core)
    local = shuffled[np.stack(np.nonzero(near))]
    layer = core[: N - 40] // 40
    layers = np.concatenate([(a + 1) * 40 + rng.choice(40, 12, replace=False) for a in layer])
    block = core[: N - 20] // 20
    dense = ((block + 1) * 20)[:, None] + np.arange(20)
    anywhere = rng.integers(0, N, (N, 16))
    inside = core[:, None] // 16 * 16 + rng.integers(0, 16, (N, 16))
    clusters = shuffled[np.where(rng.random((N, 16)) < 0.8, inside, anywhere)]
    return [("local", graph(*local)), ("layers", graph(np.repeat(core[: N - 40], 12), layers)),
            ("dense", graph(np.repeat(core[: N - 20], 20), dense.ravel())),
            ("random", graph(np.repeat(core, 8), rng.integers(0, N, 8 * N))),
            ("clusters", graph(np.repeat(shuffled, 16), clusters.ravel()))]


def graph(source: np.ndarray, target: np.ndarray) -> csr_array:
    """One packet between any two that are joined."""
    pairs = np.unique(source * N + target)
    source, target = pairs // N, pairs % N
    apart = source != target
    return coo_array((np.ones(apart.sum()), (source[apart], target[apart])), shape=(N, N)).tocsr()
