"""Speed of the fabric on packet lists like those of the oracles' speed table; `python tools/bench.py fabric`.

On routers with a clock, with handshakes, and with handshakes and virtual channels (wormholes; no target).

A flit-hop is a flit through a router. Figures are per second of CPU time in the engine, median and best of the repeats;
`idle` is the time for the same packets over a thousand times the cycles, as a ratio. With --curves FOLDER instead:
every row of BookSim's load curves in that folder that can be compared.
"""
from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from statistics import median

from fabric_curves import booksim_chip, compare_all

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.explore.fabric_run import FabricBench
from chipsim.explore.traffic import Nodes, Packets, Traffic

LISTS = ((8, 0.01, 1, 20_000), (8, 0.1, 2, 5_000), (8, 0.2, 2, 5_000),                   # k, rate, VCs, cycles
         (16, 0.01, 1, 5_000), (16, 0.1, 2, 1_500), (16, 0.2, 4, 1_000),
         (64, 0.0006, 1, 1_500), (64, 0.01, 2, 400), (64, 0.0125, 2, 400))
TARGETS = {("clocked", 8): 12e6, ("clocked", 16): 12e6, ("clocked", 64): 15e6,            # flit-hops per CPU second
           ("handshakes", 8): 20e6, ("handshakes", 16): 20e6, ("handshakes", 64): 15e6}
SLOTS = 8
IDLE = 1000


def main(arguments: list[str]) -> int:
    """Exit code 1 if a row of a load curve does not agree."""
    parser = ArgumentParser(prog="bench.py fabric", description=__doc__)
    parser.add_argument("--repeats", metavar="N", type=int, default=7, help="runs of each list (default 7)")
    parser.add_argument("--largest", metavar="K", type=int, default=64, help="leave out larger meshes (default 64)")
    parser.add_argument("--curves", metavar="FOLDER", type=Path, help="compare BookSim's load curves instead")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results here, too")
    args = parser.parse_args(arguments)
    results = curves(args.curves) if args.curves else speeds(args.repeats, args.largest)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return int(any(r.get("wrong") for r in results))


def speeds(repeats: int, largest: int) -> list[dict]:
    """Time every list on all kinds of router; print a line each."""
    print(f"{'fabric':12}{'mesh':>7}{'load':>9}{'flit-hops':>11}{'M/s median':>12}{'best':>7}{'target':>8}{'idle':>7}")
    rows = []
    for k, rate, vcs, cycles in (row for row in LISTS if row[0] <= largest):
        for kind, chip in (("clocked", booksim_chip(k, vcs, SLOTS)), ("handshakes", handshake_chip(k, 1, SLOTS * vcs)),
                           ("wormholes", handshake_chip(k, vcs, SLOTS))):
            if kind == "wormholes" and vcs == 1:
                continue                                    # the same packets through the same FIFOs as handshakes
            bench = FabricBench(chip)
            packets = Traffic(rate=rate).packets(Nodes.of(chip), cycles, bench.cycle_ps, seed=1)
            sparse = replace(packets, at=packets.at * IDLE, cycles=cycles * IDLE)
            hops = int((bench.flight(packets.src, packets.dst)[1] + 1).sum())
            busy = [engine_s(bench, packets) for _ in range(repeats)]
            alone = min(engine_s(bench, sparse) for _ in range(max(1, repeats // 3)))
            row = dict(fabric=kind, k=k, rate=rate, vcs=vcs, cycles=cycles, packets=len(packets), flit_hops=hops,
                       median_per_s=hops / median(busy), best_per_s=hops / min(busy),
                       target_per_s=TARGETS.get((kind, k), 0), idle_ratio=alone / min(busy))
            rows.append(row)
            speed = "".join(f"{row[f'{what}_per_s'] / 1e6:>{width}.1f}"
                            for what, width in (("median", 12), ("best", 7), ("target", 8)))
            print(f"{kind:12}{k:>4}x{k:<2}{rate:>9g}{hops:>11}{speed}{row['idle_ratio']:>7.2f}", flush=True)
    return rows


def engine_s(bench: FabricBench, packets: Packets) -> float:
    """CPU seconds of one run."""
    bench.run(packets)
    return bench.engine_s


def handshake_chip(k: int, vcs: int, slots: int) -> ChipSpec:
    """A k x k mesh with Loihi's channels, of so many virtual channels with so many slots each."""
    lines = [f"fabric.channels.{c}.slots={slots}" for c in ("inject", "eject", "east_west", "north_south")]
    return load_chip("loihi", set=(f"fabric.width={k}", f"fabric.height={k}", "fabric.cores_per_router=1",
                                   f"fabric.vcs={vcs}", *lines))


def curves(folder: Path) -> list[dict]:
    """Compare every row; print a line per file, and one per row that does not agree."""
    results = []
    for name, rows in compare_all(folder).items():
        wrong = [str(row) for row in rows if not row.agrees]
        print("\n".join([f"{name}: {len(rows) - len(wrong)} of {len(rows)} rows agree", *wrong]), flush=True)
        results.append(dict(file=name, rows=len(rows), wrong=wrong))
    return results
