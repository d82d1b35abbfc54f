"""Placement against known optima and against simple orders.

    python tools/bench.py placement [--qap FILE.npz] [--side 64] [--graphs grid,conv] [--effort fast,normal,best]

Synthetic core graphs: `grid` (4 neighbours, shuffled; optimum 1 hop), `conv` (16 layers of tiles, 3 x 3 to the next,
the middle one counts four times), `fc` (layers of one row of the chip, all to all to the next), `geo` (12 nearest of
random points, 5 % rewired, log-normal weights). Figures are hops per packet and CPU seconds; `bisected` is the order of
recursive bisection laid along the Hilbert curve, from which annealing starts.
`--qap`: arrays NAME_flow, NAME_grid (rows, columns, scale) and NAME_best of each instance.
"""
from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree

from chipsim.compiler.placing.floorplan import Floorplan, grid, mesh
from chipsim.compiler.placing.placement import order_by_bisection, place_graph


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.py placement", description="hops of placements")
    parser.add_argument("--qap", help="QAPLIB instances whose distances are those of a grid")
    parser.add_argument("--side", type=int, default=64, help="cores in a row and column, a multiple of 16")
    parser.add_argument("--graphs", default="grid,conv,fc,geo", help="comma-separated")
    parser.add_argument("--effort", default="fast,normal", help="comma-separated")
    args = parser.parse_args(arguments)
    efforts = args.effort.split(",")
    if args.qap:
        _qap(np.load(args.qap), efforts)
    else:
        _synthetic(args.side, args.graphs.split(","), efforts)
    return 0


def _qap(file: np.lib.npyio.NpzFile, efforts: list[str]) -> None:
    print(f"{'instance':10}{'best known':>12}" + "".join(f"{e:>24}" for e in efforts))
    for name in (k.removesuffix("_flow") for k in file.files if k.endswith("_flow")):
        rows, columns, scale = file[f"{name}_grid"]
        traffic, floorplan = csr_array(file[f"{name}_flow"] * float(scale)), mesh(grid(columns, rows))
        best = file[f"{name}_best"]
        cells = []
        for effort in efforts:
            cost, seconds = _placed(traffic, floorplan, effort)
            cells.append(f"{cost:14.0f} {100 * (cost / best - 1):5.2f} % {seconds:5.2f} s")
        print(f"{name:10}{int(best):12}" + "".join(f"{c:>30}" for c in cells), flush=True)


def _synthetic(side: int, names: list[str], efforts: list[str]) -> None:
    floorplan, n = mesh(grid(side, side)), side * side
    rng = np.random.default_rng(0)
    graphs = {"grid": lambda: _grid(side), "conv": lambda: _conv(16, side // 4), "fc": lambda: _fc(side),
              "geo": lambda: _geo(n)}
    print(f"{'graph':8}{'random':>9}{'row-major':>11}{'Hilbert':>9}{'bisected':>10}"
          + "".join(f"{e:>18}" for e in efforts))
    for name in names:
        traffic = graphs[name]()
        total, both = traffic.sum(), csr_array(traffic + traffic.T)
        bisected = np.empty(n, np.int64)
        bisected[order_by_bisection(both, 0)] = floorplan.curve
        orders = rng.permutation(n), np.arange(n), floorplan.curve, bisected
        simple = [_cost(traffic, floorplan, order) / total for order in orders]
        found = [_placed(traffic, floorplan, effort) for effort in efforts]
        print(f"{name:8}{simple[0]:9.2f}{simple[1]:11.2f}{simple[2]:9.2f}{simple[3]:10.2f}"
              + "".join(f"{cost / total:9.3f} {t:6.2f} s" for cost, t in found), flush=True)


def _placed(traffic: csr_array, floorplan: Floorplan, effort: str) -> tuple[float, float]:
    began = time.process_time()
    sites = place_graph(traffic, floorplan, effort=effort)
    return _cost(traffic, floorplan, sites), time.process_time() - began


def _cost(traffic: csr_array, floorplan: Floorplan, sites: np.ndarray) -> float:
    e = traffic.tocoo()
    return float((e.data * floorplan.hops(sites[e.row], sites[e.col])).sum())


def _graph(row: np.ndarray, column: np.ndarray, n: int, weight: np.ndarray | None = None) -> csr_array:
    weight = np.ones(len(row)) if weight is None else weight
    return coo_array((weight, (row, column)), shape=(n, n)).tocsr()


def _grid(side: int) -> csr_array:
    label = np.random.default_rng(1).permutation(side * side).reshape(side, side)
    return _graph(np.append(label[:, 1:], label[1:]), np.append(label[:, :-1], label[:-1]), side * side)


def _conv(n_layers: int, side: int) -> csr_array:
    y, x = (a.ravel() for a in np.mgrid[:side, :side])
    rows, columns, weights = [], [], []
    for layer in range(n_layers - 1):
        for dy, dx in np.ndindex(3, 3):
            ty, tx = y + dy - 1, x + dx - 1
            inside = (ty >= 0) & (ty < side) & (tx >= 0) & (tx < side)
            rows.append((layer * side * side + y * side + x)[inside])
            columns.append(((layer + 1) * side * side + ty * side + tx)[inside])
            weights.append(np.full(inside.sum(), 4.0 if dy == dx == 1 else 1.0))
    return _graph(*map(np.concatenate, (rows, columns)), n_layers * side * side, np.concatenate(weights))


def _fc(side: int) -> csr_array:
    a, b = (m.ravel() for m in np.mgrid[:side, :side])
    first = np.arange(side - 1)[:, None] * side
    return _graph((first + a).ravel(), (first + side + b).ravel(), side * side)


def _geo(n: int) -> csr_array:
    rng = np.random.default_rng(0)
    points = rng.random((n, 2))
    row, column = np.repeat(np.arange(n), 12), cKDTree(points).query(points, 13)[1][:, 1:].ravel().copy()
    rewired = rng.random(len(column)) < 0.05
    column[rewired] = rng.integers(0, n, rewired.sum())
    apart = row != column
    return _graph(row[apart], column[apart], n, rng.lognormal(0, 1, apart.sum()))
