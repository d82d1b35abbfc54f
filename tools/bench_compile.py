"""Compile large networks: CPU time of each pass, peak memory; then load, reweigh and refuse them.

`python tools/bench.py compile [--side 1024] [--cores loihi|truenorth] [--effort fast]`: side x side neurons, a million
at 1024. On cores like Loihi's a sheet: 100 synapses each, Gaussian with distance (sigma 4) and 5 % anywhere, 86 million
different ones. On cores like TrueNorth's, which 256 sources can reach, tiles of 256 neurons with shuffled names: each
tile hears 256 sources, its own and its neighbours', each neuron 100 of them. The mesh is as large as needed;
last, it is refused by a mesh of 128 cores.
"""
from __future__ import annotations

import resource
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.sparse import csr_array

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, reweigh, save_layout
from chipsim.errors import FitError
from chipsim.network import NetworkBuilder

FAN_IN, SIGMA, FAR, TILE = 100, 4.0, 0.05, 256
CORES = {"loihi": (), "truenorth": ("core.neurons=256", "core.axons_in=256", "core.axons_out=null",
                                    "core.neuron_configs=null", "core.synapse_memory.bits=null")}


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py compile", description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1024, help="neurons in a row and in a column (default 1024)")
    parser.add_argument("--cores", choices=CORES, default="loihi", help="whose limits a core has, and the network")
    parser.add_argument("--effort", default="fast", choices=("fast", "normal", "best"))
    args = parser.parse_args(arguments)
    net = NetworkBuilder("sheet", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("sheet", args.side**2, "lif", tau=0.02, v_threshold=1.0)
    net.connect("in", "sheet", "sparse", weights=csr_array(([0.5], ([0], [0])), shape=(args.side**2, 1)))
    net.connect("sheet", "sheet", "sparse", weights=NETWORKS[args.cores](args.side), delay=1)
    network = net.build(["sheet"])
    side = max(8, int(2 * args.side / 32))
    chip = load_chip("loihi", set=(f"fabric.width={2 * side}", f"fabric.height={side}", *CORES[args.cores]))
    print(f"{network.n_neurons} neurons, {network.projections[1].ops[0].weight.nnz} synapses; network alone "
          f"{peak():.2f} GB", flush=True)
    began, wall = time.process_time(), time.perf_counter()
    layout = compile(network, chip, effort=args.effort, progress=clock())
    seconds = time.process_time() - began
    print(f"{'in all':12} {seconds:8.1f} s CPU, {time.perf_counter() - wall:.1f} s wall, peak {peak():.2f} GB")
    print(layout)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sheet.layout.h5"
        save_layout(layout, file)
        began = time.process_time()
        layout = load_layout(file)
        took = time.process_time() - began
        print(f"{'load':12} {took:8.2f} s CPU ({took / seconds:.1%} of compiling), {file.stat().st_size / 1e9:.2f} GB")
        began = time.process_time()
        reweigh(layout, network)
        took = time.process_time() - began
        print(f"{'reweigh':12} {took:8.2f} s CPU ({took / seconds:.1%} of compiling)", flush=True)
    began = time.process_time()
    try:
        compile(network, load_chip("loihi", set=CORES[args.cores]), effort=args.effort)
    except FitError as refusal:
        print(f"{'refuse':12} {time.process_time() - began:8.2f} s CPU: {refusal.diagnostics[0].message}")
    return 0


def sheet(side: int) -> csr_array:
    """float64 [post, pre] CSR, made in blocks of rows so that it is all that is ever in memory."""
    rng, n = np.random.default_rng(0), side * side
    indices, counts = [], []
    for first in range(0, n, 1 << 16):
        post = np.repeat(np.arange(first, min(n, first + (1 << 16))), FAN_IN)
        dx, dy = (np.rint(rng.normal(0, SIGMA, len(post))).astype(np.int64) for _ in range(2))
        pre = (post // side + dy) % side * side + (post + dx) % side
        far = rng.random(len(post)) < FAR
        pre[far] = rng.integers(0, n, int(far.sum()))
        rows, columns = np.divmod(np.unique(post * n + pre), n)
        indices.append(columns.astype(np.int32))
        counts.append(np.bincount(rows - first, minlength=min(n - first, 1 << 16)))
    columns = np.concatenate(indices)
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    return csr_array((rng.uniform(0.01, 0.1, len(columns)), columns, start), shape=(n, n))


def tiles(side: int) -> csr_array:
    """float64 [post, pre] CSR: tiles of 16 x 16 neurons; a tile hears a quarter of each of four tiles, itself one."""
    rng, across = np.random.default_rng(0), side // 16
    n, n_tiles = side * side, across * across
    name = rng.permutation(n).astype(np.int32).reshape(n_tiles, TILE)
    row, column = np.divmod(np.arange(n_tiles), across)
    near = [(row + dy) % across * across + (column + dx) % across for dy, dx in ((0, 0), (0, 1), (1, 0), (-1, -1))]
    heard = np.concatenate([name[t, i * TILE // 4 : (i + 1) * TILE // 4] for i, t in enumerate(near)], axis=1)
    columns = np.empty((n, FAN_IN), np.int32)
    for t in range(n_tiles):
        chosen = rng.random((TILE, TILE)).argpartition(FAN_IN, axis=1)[:, :FAN_IN]
        columns[name[t]] = np.sort(heard[t][chosen], axis=1)
    start = np.arange(0, n * FAN_IN + 1, FAN_IN, dtype=np.int32)
    return csr_array((rng.uniform(0.01, 0.1, n * FAN_IN), columns.ravel(), start), shape=(n, n))


NETWORKS = {"loihi": sheet, "truenorth": tiles}


def clock():
    """A `progress` that prints the CPU time between its calls."""
    last: list = [None, 0.0]

    def tell(name: str) -> None:
        now = time.process_time()
        if last[0]:
            print(f"{last[0]:12} {now - last[1]:8.1f} s CPU, peak {peak():.2f} GB", flush=True)
        last[:] = [name, now]

    return tell


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
