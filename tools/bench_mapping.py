"""Packets per spike of the partitioner on the standard workloads, against random, index order and what is installed.

`python tools/bench.py mapping [--effort fast,normal] [--several | --placed] NAME...` needs the file workloads.py of the
validation data: the folder named by CHIPSIM_VALIDATION, or ../shared/validation. Every row is checked by counts of its
own (NumPy). `--rates lognormal`: some neurons are busier than others, packets are weighted with their spikes.
`--placed`: packets x hops per spike on a square mesh, partition and placement together.
"""
from __future__ import annotations

import importlib.util
import os
import sys
import time
from argparse import ArgumentParser
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array, csr_array

from chipsim.chip import load_chip
from chipsim.compiler import Capacities, partition_graph
from chipsim.compiler.partitioning.group import graph_of
from chipsim.compiler.partitioning.grow import in_order
from chipsim.compiler.placing.congestion import Routes, relieve_links
from chipsim.compiler.placing.floorplan import grid, mesh
from chipsim.compiler.placing.placement import place_graph

# neurons per core, best packets per spike known (Mt-KaHyPar, METIS or prototypes; unit rates)
ONE = dict(mlp=(256, 2.92), lenet=(256, 0.555), lsm8k=(256, 1.466), sw10k=(256, 4.758), loc4k=(256, 6.22),
           er1k=(256, 2.97), er10k=(256, 31.7), sudoku=(256, 10.94), pd01=(256, 26.13), mobilenet=(256, 0.972),
           resnet20=(1024, 1.283), loc64k=(1024, 6.02), lsm64k=(1024, 1.01), sw100k=(1024, 4.87), er100k=(1024, 54.14),
           vgg9=(1024, 1.50), lsm1M=(1024, 1.28))
SMALL = ("mlp", "lenet", "lsm8k", "sw10k", "loc4k", "er1k", "er10k", "sudoku", "pd01", "mobilenet")
BLOCK = 1 << 22         # synapses that are counted at a time
# packets x hops per spike: in the order of the neurons row by row, and the best known, 256 neurons on a core
PLACED = dict(lenet=(7.78, 1.30), mlp=(8.39, 6.67), lsm8k=(11.5, 3.01), sudoku=(91.3, 43.8), pd01=(98.0, 90.7),
              mobilenet=(66.8, 4.82))
WIDE = Capacities(neurons=1024, memory=131072, axons_in=4096)
# workload, limits, (cores, packets per spike) to compare with
SEVERAL = (("lsm8k", Capacities(neurons=1024, axons_in=2048), (8, 0.68)),
           ("lsm8k", Capacities(neurons=256, axons_in=256), (135, 3.09)), ("mobilenet", WIDE, (106, 0.775)),
           ("sudoku", WIDE, (105, 13.7)), ("loc64k", WIDE, (140, 6.93)), ("resnet20", WIDE, (300, 2.11)))


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py mapping", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads (default: all that are small)")
    parser.add_argument("--effort", default="normal", help="fast, normal, best, or several of them")
    parser.add_argument("--rates", default="unit", choices=("unit", "lognormal"), help="spikes of the neurons")
    parser.add_argument("--partitioner", default="chipsim", choices=("chipsim", "mtkahypar"),
                        help="mtkahypar: its partition, refined, is one more start")
    parser.add_argument("--several", action="store_true", help="limits on neurons, synapses and in-axons at once")
    parser.add_argument("--placed", action="store_true", help="packets x hops per spike on a square mesh")
    args = parser.parse_args(arguments)
    build, efforts = _workloads(), args.effort.split(",")
    if args.placed:
        print(f"{'network':10} {'cores':>6} {'partition, row by row':>22} {'and placed':>11} {'known':>7} {'order':>7} "
              f"{'heaviest link':>14} {'CPU s':>8}")
        for name in args.names or PLACED:
            for effort in efforts:
                _placed(name, build(name), effort)
        return 0
    print(f"{'network':10} {'limits':18} {'random':>7} {'order':>14} {'known':>13}" + "".join(
        f"{effort:>14} {'CPU s':>7}" for effort in efforts))
    rows = ([(n, limits, known) for n, limits, known in SEVERAL if not args.names or n in args.names] if args.several
            else [(n, Capacities(neurons=ONE[n][0]), (0, ONE[n][1])) for n in args.names or SMALL])
    for name, limits, known in rows:
        _row(name, limits, known, build(name), efforts, args.rates, args.partitioner)
    return 0


def _row(name: str, limits: Capacities, known: tuple[int, float], graph: tuple, efforts: list[str], spikes: str,
         partitioner: str) -> None:
    indptr, indices = graph[0].astype(np.int64), graph[1].astype(np.int32)
    n = len(indptr) - 1
    rates = np.random.default_rng(1).lognormal(0, 1, n) if spikes == "lognormal" else np.ones(n)
    single = graph_of(indptr, indices, rates, np.zeros(n, np.int32), np.arange(n, dtype=np.int32))
    order = in_order(single, np.arange(n), limits)
    del single
    random = np.random.default_rng(0).permutation(n) // limits.neurons
    shown = f"{limits.neurons}" + (f"/{limits.memory}" if limits.memory < 1 << 60 else "") + (
        f"/ax{limits.axons_in}" if limits.axons_in < 1 << 60 else "")
    best = f"{known[1]:6.3f} ({known[0] or '-':>4})" if spikes == "unit" else ""
    print(f"{name:10} {shown:18} {_packets(indptr, indices, random, rates):7.2f} "
          f"{_packets(indptr, indices, order, rates):7.3f} ({order.max() + 1:4}) {best:>13}", end="", flush=True)
    for effort in efforts:
        began = time.process_time()
        cores = partition_graph(indptr, indices, limits, rates, effort, partitioner=partitioner)
        seconds = time.process_time() - began
        broken = _violations(indptr, indices, cores, limits)
        print(f" {_packets(indptr, indices, cores, rates):6.3f} ({cores.max() + 1:4}) {seconds:7.2f}"
              + (f"  BROKEN: {broken}" if broken else ""), end="", flush=True)
    print(flush=True)


def _placed(name: str, graph: tuple, effort: str) -> None:
    indptr, indices = graph[0].astype(np.int64), graph[1].astype(np.int32)
    n = len(indptr) - 1
    began = time.process_time()
    cores = partition_graph(indptr, indices, Capacities(neurons=256), effort=effort).astype(np.int64)
    n_cores = int(cores.max()) + 1
    side = int(np.ceil(np.sqrt(n_cores)))
    traffic, floorplan = _traffic(indptr, indices, cores, n_cores), mesh(grid(side, side))
    sites = place_graph(traffic, floorplan, effort=effort)
    routes = Routes.of(load_chip("loihi", set=(
        f"fabric.width={side}", f"fabric.height={side}", "fabric.io.router=[0,0]", "fabric.n_cores=null",
        "fabric.cores_per_router=1")).fabric)
    sites = relieve_links(traffic, sites, np.arange(side * side), routes, cells=floorplan.cells, effort=effort)
    seconds = time.process_time() - began
    plain, placed = (_hops(traffic, at, side) / n for at in (np.arange(n_cores), sites))
    before, after = (_heaviest(traffic, at, side) for at in (np.arange(n_cores), sites))
    print(f"{name:10} {n_cores:6} {plain:22.3f} {placed:11.3f} {PLACED[name][1]:7.2f} {PLACED[name][0]:7.2f} "
          f"{before:6.0f} {after:7.0f} {seconds:8.2f}", flush=True)


def _traffic(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray, n_cores: int) -> csr_array:
    """float64[cores, cores]: packets from core to core when every neuron spikes once."""
    source = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    sender, reached = np.divmod(np.unique(source * n_cores + cores[indices]), n_cores)
    sender = cores[sender]
    out = sender != reached
    return csr_array(coo_array((np.ones(out.sum()), (sender[out], reached[out])), shape=(n_cores, n_cores)))


def _hops(traffic: csr_array, sites: np.ndarray, side: int) -> float:
    t = traffic.tocoo()
    a, b = sites[t.row], sites[t.col]
    return float((t.data * (np.abs(a % side - b % side) + np.abs(a // side - b // side))).sum())


def _heaviest(traffic: csr_array, sites: np.ndarray, side: int) -> float:
    """Packets over the busiest link of dimension-order routes, x first."""
    t = traffic.tocoo()
    level, upright = np.zeros((2, side, side)), np.zeros((2, side, side))
    for a, b, packets in zip(sites[t.row], sites[t.col], t.data, strict=True):
        (y, x), (v, u) = divmod(int(a), side), divmod(int(b), side)
        level[int(u < x), y, min(x, u) : max(x, u)] += packets
        upright[int(v < y), min(y, v) : max(y, v), u] += packets
    return float(max(level.max(), upright.max()))


def _pairs(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(source, core) of all pairs where the core holds a target of the source, each once; by sorting blocks."""
    n, n_cores = len(indptr) - 1, int(cores.max()) + 1
    ends = np.unique(np.append(np.searchsorted(indptr, np.arange(0, indptr[-1], BLOCK)), n))
    found = []
    for first, last in pairwise(ends):
        source = np.repeat(np.arange(first, last, dtype=np.int64), np.diff(indptr[first : last + 1]))
        found.append(np.unique(source * n_cores + cores[indices[indptr[first] : indptr[last]]]))
    return np.divmod(np.concatenate(found), n_cores)


def _packets(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray, rates: np.ndarray) -> float:
    """Packets per spike."""
    sender, reached = _pairs(indptr, indices, cores)
    return float(rates[sender[reached != cores[sender]]].sum() / rates.sum())


def _violations(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray, limits: Capacities) -> str:
    """Limits that are broken, and by how many cores; empty if none is."""
    used = {"neurons": np.bincount(cores), "memory": np.bincount(cores[indices]),
            "axons_in": np.bincount(_pairs(indptr, indices, cores)[1])}
    over = {name: int((count > getattr(limits, name)).sum()) for name, count in used.items()}
    return ", ".join(f"{name} on {n} cores" for name, n in over.items() if n)


def _workloads():
    """The function build(name) of workloads.py; lsm1M is its lsm of 100 x 100 x 100 neurons."""
    root = Path(os.environ.get("CHIPSIM_VALIDATION", Path(__file__).resolve().parents[2] / "shared" / "validation"))
    file = root / "workloads" / "workloads.py"
    if not file.exists():
        sys.exit(f"no {file}; CHIPSIM_VALIDATION names the folder with the validation data")
    spec = importlib.util.spec_from_file_location("workloads", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda name: module.lsm(100, 100, 100)[:2] if name == "lsm1M" else module.build(name)
