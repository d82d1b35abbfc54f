"""Packets per spike of the partitioner on the standard workloads, against random, index order and what is installed.

`python tools/bench.py mapping [--effort fast] [--several] NAME...` needs the file workloads.py of the validation data:
the folder named by CHIPSIM_VALIDATION, or ../shared/validation. Every row is checked by counts of its own (NumPy).
"""
from __future__ import annotations

import importlib.util
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np

from chipsim.compiler import Capacities, partition_graph
from chipsim.compiler.group import graph_of
from chipsim.compiler.grow import in_order

# neurons per core, best packets per spike known (Mt-KaHyPar, METIS or prototypes; unit rates)
ONE = dict(mlp=(256, 2.92), lenet=(256, 0.555), lsm8k=(256, 1.466), sw10k=(256, 4.758), loc4k=(256, 6.22),
           er1k=(256, 2.97), er10k=(256, 31.7), sudoku=(256, 10.94), pd01=(256, 26.13), mobilenet=(256, 0.972),
           resnet20=(1024, 1.283), loc64k=(1024, 6.02), lsm64k=(1024, 1.01), sw100k=(1024, 4.87), er100k=(1024, 54.14))
WIDE = Capacities(neurons=1024, memory=131072, axons_in=4096)
# workload, limits, (cores, packets per spike) to compare with
SEVERAL = (("lsm8k", Capacities(neurons=1024, axons_in=2048), (8, 0.68)),
           ("lsm8k", Capacities(neurons=256, axons_in=256), (135, 3.09)), ("mobilenet", WIDE, (106, 0.775)),
           ("sudoku", WIDE, (105, 13.7)), ("loc64k", WIDE, (140, 6.93)), ("resnet20", WIDE, (300, 2.11)))


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py mapping", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads (default: all that are small)")
    parser.add_argument("--effort", default="normal", choices=("fast", "normal", "best"))
    parser.add_argument("--several", action="store_true", help="limits on neurons, synapses and in-axons at once")
    args = parser.parse_args(arguments)
    build = _workloads()
    print(f"{'network':10} {'limits':22} {'random':>8} {'order':>15} {args.effort:>15} {'known':>14} {'CPU s':>8}")
    rows = ([(n, limits, known) for n, limits, known in SEVERAL if not args.names or n in args.names] if args.several
            else [(n, Capacities(neurons=ONE[n][0]), (0, ONE[n][1]))
                  for n in args.names or ("mlp", "lenet", "lsm8k", "sw10k", "loc4k", "er1k", "sudoku", "mobilenet")])
    for name, limits, known in rows:
        _row(name, limits, known, build(name), args.effort)
    return 0


def _row(name: str, limits: Capacities, known: tuple[int, float], graph: tuple, effort: str) -> None:
    indptr, indices = graph[0].astype(np.int64), graph[1].astype(np.int32)
    n = len(indptr) - 1
    ones, zeros = np.ones(n), np.zeros(n, np.int32)
    began = time.process_time()
    cores = partition_graph(indptr, indices, limits, effort=effort)
    seconds = time.process_time() - began
    single = graph_of(indptr, indices, ones, zeros, np.arange(n, dtype=np.int32))
    order = in_order(single, np.arange(n), limits)
    random = np.random.default_rng(0).permutation(n) // limits.neurons
    broken = _violations(indptr, indices, cores, limits)
    shown = f"{limits.neurons}" + (f"/{limits.memory}" if limits.memory < 1 << 60 else "") + (
        f"/ax{limits.axons_in}" if limits.axons_in < 1 << 60 else "")
    print(f"{name:10} {shown:22} {_packets(indptr, indices, random):8.2f} "
          f"{_packets(indptr, indices, order):7.3f} ({order.max() + 1:5}) {_packets(indptr, indices, cores):7.3f} "
          f"({cores.max() + 1:5}) {known[1]:7.3f} ({known[0] or '-':>4}) {seconds:8.2f}"
          + (f"  BROKEN: {broken}" if broken else ""), flush=True)


def _packets(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray) -> float:
    """Packets per spike, by sorting (source, core) pairs."""
    source = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    pairs = np.unique(source * (int(cores.max()) + 1) + cores[indices])
    sender, reached = np.divmod(pairs, int(cores.max()) + 1)
    return float((reached != cores[sender]).sum()) / (len(indptr) - 1)


def _violations(indptr: np.ndarray, indices: np.ndarray, cores: np.ndarray, limits: Capacities) -> str:
    """Limits that are broken, and by how many cores; empty if none is."""
    source = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    axons = np.unique(cores[indices].astype(np.int64) * (len(indptr) - 1) + source) // (len(indptr) - 1)
    used = {"neurons": np.bincount(cores), "memory": np.bincount(cores[indices]), "axons_in": np.bincount(axons)}
    over = {name: int((count > getattr(limits, name)).sum()) for name, count in used.items()}
    return ", ".join(f"{name} on {n} cores" for name, n in over.items() if n)


def _workloads():
    """The function build(name) of workloads.py."""
    root = Path(os.environ.get("CHIPSIM_VALIDATION", Path(__file__).resolve().parents[2] / "shared" / "validation"))
    file = root / "workloads" / "workloads.py"
    if not file.exists():
        sys.exit(f"no {file}; CHIPSIM_VALIDATION names the folder with the validation data")
    spec = importlib.util.spec_from_file_location("workloads", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build
