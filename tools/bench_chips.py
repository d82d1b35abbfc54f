"""Whole chips: `python tools/bench.py chips [ROW ...]`; without rows, all but those that take more than 6 GB.

Each row is a process of its own, so that its peak memory is its own. Layouts are made in another one and kept in a
file, as a user has them: `load` is from that file to the first tick. Times are CPU seconds of this process, all its
threads together, and the time on the wall; of the repeats, the smallest, the median and the largest CPU seconds of a
tick. --json adds a line to a history.
"""
from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import bench_layouts
import bench_networks
import numpy as np
from peer_run import peak_bytes

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.compiler.layout import Layout
from chipsim.engine.compiled import CompiledEngine
from chipsim.engine.plan import plan
from chipsim.engine.probes import recording_of
from chipsim.engine.run import SYNOPS, A
from chipsim.engine.schedule import schedule_of
from chipsim.validation import truenorth
from chipsim.validation.microcircuit import DT, microcircuit
from chipsim.validation.spinnaker import SLOW

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """What is run: a layout, some ticks until it has settled, then some that are measured; and what is asked of it."""

    what: str
    make: Callable[[], Layout]
    timing: str
    settle: int
    ticks: int
    targets: tuple[tuple[str, str, float], ...] = ()               # figure, "<" or ">", bound
    threads: int = 1
    large: bool = False


def mesh(width: int, height: int) -> Layout:
    """Routers with a core each; spikes go to about four cores, at most three routers away along each axis."""
    chip = load_chip("loihi", set=(f"fabric.width={width}", f"fabric.height={height}", "fabric.cores_per_router=1"))
    return bench_layouts.crowd(chip, neurons=256, axons=1024, synapses=16, activity=0.02, near=3)


def all_rows_differ() -> Layout:
    """A full TrueNorth in which no two axons share a stored row."""
    truenorth.POOL = 1 << 20
    layout = truenorth.random_network(load_chip("truenorth"), 20, 128)
    layout.segment_start[:] = np.arange(len(layout.segment_start), dtype=np.int64) * 128
    return layout


def gesture(what: str, timing: str, threads: int = 1) -> Row:
    return Row(what, lambda: compile(bench_networks.gesture(), "loihi"), timing, 64, 1000,
               (("load_s", "<", 0.3), ("peak_GB", "<", 0.2)), threads)


def loihi(what: str, timing: str, threads: int = 1) -> Row:
    return Row(what, lambda: bench_layouts.crowd(load_chip("loihi"), neurons=1024, axons=4096, synapses=16), timing,
               bench_layouts.SETTLED, 200, (("ticks/s", ">", 500),), threads)


def full_truenorth(what: str, threads: int = 1) -> Row:
    return Row(what, lambda: truenorth.random_network(load_chip("truenorth"), 20, 128), "exact", 20, 40,
               (("ticks/s", ">", 10), ("peak_GB", "<", 2)), threads)


def circuit(what: str, threads: int = 1) -> Row:
    return Row(what, lambda: microcircuit(load_chip("spinnaker48", set=SLOW)), "none", 2000, 1000,
               (("build_s", "<", 120), ("build_GB", "<", 6), ("peak_GB", "<", 6), ("real_time", "<", 10)), threads)


def billion() -> Layout:
    chip = load_chip("loihi", set=("fabric.width=32", "fabric.height=32", "fabric.cores_per_router=1"))
    return bench_layouts.crowd(chip, neurons=1024, axons=4096, synapses=239)


ROWS = {
    "gesture-none": gesture("gesture network on Loihi, 18 678 neurons, 3.6 M synapses", "none"),
    "gesture-none-2": gesture("the same on two threads", "none", 2),
    "gesture-exact": gesture("the same, every packet", "exact"),
    "gesture-exact-2": gesture("the same, every packet, on two threads", "exact", 2),
    "loihi-none": loihi("Loihi, 128 cores full: 131 072 neurons, 8.4 M synapses, 1 % spike in a tick", "none"),
    "loihi-exact": loihi("the same, every packet, to any core", "exact"),
    "loihi-exact-2": loihi("the same, every packet, on two threads", "exact", 2),
    "truenorth": full_truenorth("TrueNorth, 4096 cores full: 1 M neurons, 20 Hz x 128 synapses; every packet"),
    "truenorth-2": full_truenorth("the same on two threads", 2),
    "truenorth-rows": Row("the same, all rows stored apart: 134 M synapses", all_rows_differ, "exact", 20, 40,
                          (("ticks/s", ">", 10), ("peak_GB", "<", 2))),
    **{f"mesh-{width * height}": Row(f"{width * height} cores, 2 % of 256 neurons spike, packets go 3 routers far",
                                     partial(mesh, width, height), "exact", 200, 100 if width < 64 else 20)
       for width, height in ((16, 8), (32, 32), (64, 64))},
    "microcircuit": circuit("cortical microcircuit on SpiNNaker, 77 169 neurons, 299 M synapses, dt 0.1 ms"),
    "microcircuit-2": circuit("the same on two threads", 2),
    "billion": Row("1002 M synapses on 1024 cores of 1024 neurons, 1 % spike in a tick", billion, "none", 100, 30,
                   (("peak_GB", "<", 14),), large=True),
}


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py chips", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--repeats", metavar="N", type=int, default=3, help="stretches of ticks of each (default 3)")
    parser.add_argument("--work", metavar="FOLDER", type=Path, help="keep the layouts here, and take them from here")
    parser.add_argument("--json", metavar="FILE", type=Path, help="add the results to this file, one line each run")
    parser.add_argument("--one", metavar="FILE", help="internal: measure the layout in this file")
    args = parser.parse_args(arguments)
    if unknown := [name for name in args.rows if name not in ROWS]:
        parser.error(f"there is no row {', '.join(unknown)}")
    if args.one:
        print(json.dumps(measured(ROWS[args.rows[0]], Path(args.one), args.repeats)))
        return 0
    names = args.rows or [name for name, row in ROWS.items() if not row.large]
    with TemporaryDirectory() as temporary:
        results = [result(name, args.work or Path(temporary), args.repeats) for name in names]
    print("\n".join(table(results)))
    if args.json:
        with args.json.open("a", encoding="utf-8") as f:
            f.write(json.dumps(results) + "\n")
    return 0


def result(name: str, folder: Path, repeats: int) -> dict:
    """Make the layout of a row where it is not there, then measure it, each in a process of its own."""
    file = folder / f"{name.removesuffix('-2').replace('-exact', '-none')}.layout.h5"
    if not file.exists():
        made = _alone(f"bench_chips.build({name!r}, {str(file)!r})")
        file.with_suffix(".json").write_text(json.dumps(made), encoding="utf-8")
    found = _alone(f"bench_chips.main([{name!r}, '--one', {str(file)!r}, '--repeats', '{repeats}'])")
    found |= dict(row=name, what=ROWS[name].what, **json.loads(file.with_suffix(".json").read_text(encoding="utf-8")))
    print(f"{name:16}{found['tick_ms'][0]:10.3f} ms CPU a tick, {found['peak_GB']:.2f} GB", file=sys.stderr, flush=True)
    return found


def _alone(call: str) -> dict:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import bench_chips; {call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def build(name: str, file: str) -> None:
    """Make a row's layout and store it."""
    began = time.process_time()
    layout = ROWS[name].make()
    took = time.process_time() - began
    save_layout(layout, file)
    print(json.dumps(dict(build_s=took, build_GB=_peak())))


def measured(row: Row, file: Path, repeats: int) -> dict:
    """Figures of a row: see `table`."""
    began = time.process_time()
    layout = load_layout(file)
    engine = CompiledEngine(plan(layout), recording_of(layout, ()), row.timing, row.threads)
    load = time.process_time() - began
    cpu, wall, counts = [], [], 0
    for ticks in [row.settle] + repeats * [row.ticks]:
        schedule = schedule_of(layout, None, ticks)
        clocks = time.process_time(), time.perf_counter()
        engine.advance(ticks, schedule.start, schedule.line, None)
        cpu.append((time.process_time() - clocks[0]) / ticks)
        wall.append((time.perf_counter() - clocks[1]) / ticks)
        counts = engine.take().spike_counts.sum(0)
    n = row.ticks
    found = dict(load_s=load, tick_ms=[f(cpu[1:]) * 1e3 for f in (min, median, max)], wall_ms=min(wall[1:]) * 1e3,
                 spikes=counts[A["spike"]] / n, packets=counts[A["axon_out"]] / n,
                 events=sum(counts[A[name]] for name in SYNOPS) / n, peak_GB=_peak(), threads=row.threads)
    found = {k: v if isinstance(v, list) else float(v) for k, v in found.items()}
    found |= {"ticks/s": 1 / min(wall[1:]) if row.threads > 1 else 1 / min(cpu[1:]), "real_time": min(wall[1:]) / DT}
    return found


def table(results: list[dict]) -> list[str]:
    """Markdown; targets stand beside the figures they are of."""
    lines = ["| row | | ms CPU a tick: min, median, max | wall | spikes, packets, events a tick | load s | peak GB | "
             "targets |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        cpu, happened = (", ".join(f"{x:{form}}" for x in xs) for form, xs in (
            (".3g", r["tick_ms"]), (".0f", (r["spikes"], r["packets"], r["events"]))))
        checks = [f"{'met' if (r[k] < bound) == (sign == '<') else 'MISSED'}: {k} {r[k]:.3g} {sign} {bound:g}"
                  for k, sign, bound in ROWS[r["row"]].targets]
        lines.append(f"| {r['row']} | {r['what']} | {cpu} | {r['wall_ms']:.3g} | {happened} | {r['load_s']:.2f} | "
                     f"{r['peak_GB']:.2f} | {'; '.join(checks)} |")
    costs = {r["row"]: r["tick_ms"][0] / r["packets"] * 1e6 for r in results if r["row"].startswith("mesh-")}
    if costs:
        each = ", ".join(f"{cost:.0f} ns on {row.removeprefix('mesh-')} cores" for row, cost in costs.items())
        times = max(costs.values()) / min(costs.values())
        lines += ["", f"CPU time to a packet, function included: {each}.",
                  f"{'met' if times < 2 else 'MISSED'}: {times:.2g} times < 2. What a tick touches of routers and "
                  "synapses outgrows the caches."]
    return lines


def _peak() -> float:
    """GB that this process has held at most."""
    return peak_bytes() / 1e9
