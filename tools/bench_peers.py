"""chipsim beside its peers on the same networks in the same run; `python tools/bench.py peers`.

Each simulation is a process of its own (peer_run.py), chipsim's with chipsim's interpreter, the others' with --python,
where SANA-FE, NEST and Brian2 are installed as far as they are: what is missing is left out. Spikes and synaptic events
must be equal before a time counts. CPU seconds of advancing the network, without building it; the smallest of the
repeats. Runs take turns, so that a busy machine slows all of them. With --write the page is made, from what `bench.py
engine` and `bench.py chips` print as well; --large makes its last part anew, which stays as it is otherwise.
"""
from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from argparse import ArgumentParser
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import bench_networks
import numpy as np

from chipsim.compiler import compile, save_layout
from chipsim.network.graph import Network

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reference" / "performance.md"
TICKS = 1000
SHORT = "gesture, 30 ticks"                                # for those who take most of a second for each
NETWORKS = {"random, as in NEST": (partial(bench_networks.random, convention="nest"), "ideal", TICKS),
            "random, as in Brian2": (partial(bench_networks.random, convention="brian2"), "ideal", TICKS),
            "gesture": (bench_networks.gesture, "loihi", TICKS), SHORT: (bench_networks.gesture, "loihi", 30)}
# network, simulator, which chipsim's it is compared with
RUNS = (("random, as in NEST", "chipsim none", ""), ("random, as in NEST", "NEST", "chipsim none"),
        ("random, as in Brian2", "chipsim none", ""), ("random, as in Brian2", "Brian2 cython", "chipsim none"),
        ("gesture", "chipsim none", ""), ("gesture", "SANA-FE simple", "chipsim none"),
        ("gesture", "chipsim exact", ""), ("gesture", "SANA-FE detailed", "chipsim exact"),
        ("gesture", "chipsim exact, 2 threads", ""),
        (SHORT, "chipsim exact", ""), (SHORT, "SANA-FE cycle", "chipsim exact"))
ONCE = ("SANA-FE cycle",)
LARGE = "\n## Large networks\n"


def main(arguments: list[str]) -> int:
    """Exit code 1 if simulators disagree on what happened."""
    parser = ArgumentParser(prog="bench.py peers", description=__doc__)
    parser.add_argument("--python", metavar="FILE", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument("--repeats", metavar="N", type=int, default=3, help="runs of each simulator (default 3)")
    parser.add_argument("--work", metavar="FOLDER", type=Path, help="keep the networks here, and take them from here")
    parser.add_argument("--json", metavar="FILE", type=Path, help="add the results to this file, one line each run")
    parser.add_argument("--write", action="store_true", help="write docs/reference/performance.md")
    parser.add_argument("--large", action="store_true", help="with --write: a billion synapses, a million neurons, too")
    args = parser.parse_args(arguments)
    with TemporaryDirectory() as temporary:
        rows, wrong = measure(args.work or Path(temporary), args.python, args.repeats)
    result = dict(date=date.today().isoformat(), machine=machine(), rows=rows, engine=printed("engine"),
                  chips=printed("chips") if args.write and not wrong else "")
    if args.json:
        with args.json.open("a", encoding="utf-8") as f:
            f.write(json.dumps(result) + "\n")
    if args.write and not wrong:
        last = large(result) if args.large else PAGE.read_text(encoding="utf-8").partition(LARGE)[2]
        PAGE.write_text(page(result, args.repeats) + (LARGE + last if last else ""), encoding="utf-8")
    print("\n".join([*table(rows), *wrong]))
    return int(bool(wrong))


def measure(folder: Path, python: str, repeats: int) -> tuple[list[dict], list[str]]:
    """Rows, and where simulators disagree."""
    files = {name: prepared(folder, name, *how) for name, how in NETWORKS.items()}
    found: dict[tuple[str, str], list[dict]] = {(network, name): [] for network, name, _ in RUNS}
    for turn in range(repeats):
        for network, name, _ in RUNS:
            if turn and name in ONCE:
                continue
            own = name.startswith("chipsim")
            if result := run(sys.executable if own else python, name, files[network]):
                found[network, name].append(result)
                print(f"{network:22}{name:26}{result['run']['cpu_s']:9.3f} s", file=sys.stderr, flush=True)
    rows, wrong = [], []
    for network, name, other in RUNS:
        results = found[network, name]
        if not results:
            continue
        times = [r["run"]["cpu_s"] for r in results]
        row = {k: v for k, v in results[0].items() if k not in ("run", "load")}
        row |= dict(network=network, simulator=name, min_s=min(times), median_s=median(times), max_s=max(times),
                    wall_s=min(r["run"]["wall_s"] for r in results), load_s=min(r["load"]["cpu_s"] for r in results))
        ours = next((r for r in rows if (r["network"], r["simulator"]) == (network, other)), None)
        row["ratio"] = row["min_s"] / ours["min_s"] if ours else None
        first = next((r for r in rows if r["network"] == network), row)
        wrong += [f"{network}: {name} counts {row[what]} {what}, {first['simulator']} {first[what]}"
                  for what in ("spikes", "events") if row[what] != first[what]]
        rows.append(row)
    return rows, wrong


def prepared(folder: Path, name: str, make: partial[Network], chip: str, ticks: int) -> Path:
    """The network's layout, and all that another simulator needs to run it."""
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}.npz"
    if not path.exists():
        network = make()
        layout = compile(network, chip)
        save_layout(layout, path.with_suffix(".layout.h5"))
        neuron = np.concatenate([layout.neurons_of(p.name) for p in layout.populations])
        core = layout.cores[np.searchsorted(layout.core_start, neuron, side="right") - 1]
        of = partial(bench_networks.parameter, network)
        np.savez(path, core=core, threshold=of("vth_mant"), bias=of("bias_mant"), current=of("i_e"), ticks=ticks,
                 layout=str(path.with_suffix(".layout.h5")), **bench_networks.edges(network))
    return path


def run(python: str, name: str, work: Path) -> dict | None:
    """One simulation; None where the simulator is not installed."""
    done = subprocess.run([python, str(HERE / "peer_run.py"), name, str(work)], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"})
    if done.returncode:
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def printed(*subject: str) -> str:
    """What `bench.py SUBJECT` prints."""
    command = [sys.executable, str(HERE / "bench.py"), *subject]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": str(HERE.parent)}).stdout


def machine() -> dict[str, object]:
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
    return dict(cpu=cpu, cores=os.cpu_count(), python=platform.python_version(), numpy=version("numpy"), load=load)


def table(rows: list[dict]) -> list[str]:
    """Markdown."""
    lines = ["| network | simulator | CPU s: min, median, max | wall s | M events/s | load s | peak MB | ratio |",
             "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        ratio = f"{r['ratio']:.1f}" if r["ratio"] else ""
        name = f"{r['simulator']} {r['version']}".strip()
        lines.append(f"| {r['network']} | {name} | {r['min_s']:.3f}, {r['median_s']:.3f}, {r['max_s']:.3f} | "
                     f"{r['wall_s']:.2f} | {r['events'] / r['min_s'] / 1e6:.1f} | {r['load_s']:.2f} | "
                     f"{r['peak_MB']:.0f} | {ratio} |")
    return lines


def page(result: dict, repeats: int) -> str:
    """The page, Markdown."""
    m, counts = result["machine"], {r["network"]: r for r in reversed(result["rows"])}
    happened = [f"- {name}: {_thousands(r['spikes'])} spikes, {_thousands(r['events'])} synaptic events, "
                f"{NETWORKS[name][2]} ticks" for name, r in counts.items()]
    made = (f"on {result['date']}: {m['cpu']}, {m['cores']} cores, one thread unless said, Python {m['python']}, NumPy "
            f"{m['numpy']};\nruns of each simulator: {repeats}; load of the machine: {m['load']:.0f}. Ratios are safer "
            "than seconds.")
    return TEXT.format(made=made, repeats=repeats, table="\n".join(table(result["rows"])), happened="\n".join(happened),
                       engine=result["engine"].strip(), chips=result["chips"].strip())


def large(result: dict) -> str:
    """The last part of the page, Markdown."""
    return TEXT_LARGE.format(date=result["date"], load=os.getloadavg()[0], billion=printed("chips", "billion").strip(),
                             compile=printed("compile").strip())


def _thousands(n: int) -> str:
    return f"{n:,}".replace(",", " ")


TEXT = """# Performance

chipsim beside other simulators: the same networks, the same spikes and synaptic events (checked before a time counts),
in the same run. Made by

```
python tools/bench.py peers --repeats {repeats} --write
```

{made}

{table}

{happened}

`random`: 10 000 leaky neurons, 10 M synapses, all delays one tick of 1 ms, on the chip `ideal` in double precision. The
order of operations in a tick differs between NEST and Brian2, so there are two networks. `gesture`: 18 678 neurons in
five convolutional layers and a dense one on `loihi`, mapped by chipsim, the same core for each neuron in SANA-FE. Its
`simple` leaves out the mesh, its `detailed` estimates it, its `cycle` simulates one of 8x4 routers in BookSim 2, and
was run once, on the first 30 ticks; chipsim's `none` counts every action, its `exact` moves every
packet through every router. Times are of advancing the network; `load` is from a compiled layout (chipsim), or from
arrays of synapses (the others).

The function engine alone, in the integers of Loihi: neurons that nothing reaches, a random network of 10 000 neurons
and 10 M synapses, and 250 000 dense synapses that learn, 500 axons with a rate of 5 % to 500 neurons.

```
$ python tools/bench.py engine
{engine}
```

Without learning a tick costs one synaptic event, 0.5 ns, per synapse of the axons that spiked. With learning it costs
an update per synapse of the axons *and* of the neurons that spiked. In a `busy` network, where all neurons spike in
every tick, that is twenty updates for each event: what is dear is their number, not one of them. An update takes two to
three times as long as an event, reading and writing a weight twice over, drawing a random number for its rounding, and
saturating every sum. A figure is that of the repeat in which the fewest neurons spike.

Whole chips, by `python tools/bench.py chips`. The layouts are written down, not compiled (tools/bench_layouts.py), but
for `gesture`. `load` is from a file to the first tick. CPU time is that of all threads; ticks per second are of CPU
time for one thread, of the clock on the wall for two, and `real_time` is how many times slower than the network's own
time the clock on the wall goes: on a busy machine these say little.

{chips}
"""

TEXT_LARGE = """
Made with `--large` on {date}; load of the machine: {load:.0f}. A billion synapses take 5 GB, in memory and on disk:

```
python tools/bench.py chips billion
```

{billion}

A million neurons onto the cores of Loihi, compiled with the least effort:

```
$ python tools/bench.py compile
{compile}
```
"""
