"""One simulator, one network, in a process of its own: `python peer_run.py NAME work.npz`; the result is one JSON line.

Runs under the interpreter that has the simulator, which need not be chipsim's. Only what advances the network is timed:
building and loading stand apart. Peak memory is that of the process.
"""
from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def peak_bytes() -> int:
    """Bytes that this process has held at most; what its parent held when it started it does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Clock:
    """CPU and wall seconds of a step."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stop(self) -> dict[str, float]:
        return dict(cpu_s=time.process_time() - self.cpu, wall_s=time.perf_counter() - self.wall)


def chipsim(z, timing: str, threads: int) -> dict:
    from chipsim.compiler import load_layout
    from chipsim.engine import simulate
    from chipsim.engine.run import SYNOPS, A

    clock = Clock()
    layout = load_layout(str(z["layout"]))
    load = clock.stop()
    clock = Clock()
    run = simulate(layout, ticks=int(z["ticks"]), timing=timing, threads=threads, record=())
    took, counts = clock.stop(), run.counts.sum(0)
    return dict(load=load, run=took, spikes=int(counts[A["spike"]]), packets=int(counts[A["axon_out"]]),
                events=int(sum(counts[A[name]] for name in SYNOPS)))


def sanafe(z, timing: str) -> dict:
    import sanafe as s

    clock = Clock()
    arch, net, n = s.load_loihi(), s.Network(), len(z["core"])
    group = net.create_neuron_group("all", n, {"reset": 0.0, "reset_mode": "hard", "leak_decay": 1.0},
                                    soma_hw_name="loihi_lif")
    cores = [core for tile in arch.tiles for core in tile.cores]
    for neuron, core, threshold, bias in zip(group, z["core"].tolist(), z["threshold"].tolist(), z["bias"].tolist(),
                                             strict=True):
        neuron.set_attributes(model_attributes={"threshold": threshold, "bias": bias})
        neuron.map_to_core(cores[core])
    pairs = list(zip(z["pre"].tolist(), z["post"].tolist(), strict=True))
    group.connect_neurons_sparse(group, {"weight": z["weight"].tolist()}, pairs)
    del pairs
    chip = s.SpikingChip(arch)
    chip.load(net)
    load = clock.stop()
    clock = Clock()
    result = chip.sim(int(z["ticks"]), timing, perf_trace=True, processing_threads=1)
    took, trace = clock.stop(), result["perf_trace"]
    return dict(load=load, run=took, spikes=int(sum(trace["fired"])), events=int(sum(trace["spikes"])))


def events(z, spikes: np.ndarray) -> int:
    """Synaptic events: spikes of each neuron times its synapses."""
    return int((np.bincount(z["pre"], minlength=len(spikes)) * spikes).sum())


def nest(z) -> dict:
    import nest as s

    clock = Clock()
    s.set_verbosity("M_ERROR")
    s.resolution, s.local_num_threads = 1.0, 1
    cells = s.Create("iaf_psc_delta", len(z["current"]), dict(tau_m=20.0, C_m=20.0, E_L=0.0, V_th=20.0, V_reset=0.0,
                                                            t_ref=0.0, V_m=0.0))
    cells.I_e = z["current"].astype(float)                         # C_m = tau_m: a resistance of 1
    first = cells[0].global_id
    s.Connect(z["pre"].astype(np.int64) + first, z["post"].astype(np.int64) + first, conn_spec="one_to_one",
              syn_spec=dict(synapse_model="static_synapse", weight=z["weight"].astype(float),
                            delay=np.full(len(z["pre"]), 1.0)))
    recorder = s.Create("spike_recorder")
    s.Connect(cells, recorder)
    s.Prepare()
    load = clock.stop()
    clock = Clock()
    s.Run(float(z["ticks"]))
    took = clock.stop()
    spikes = np.bincount(recorder.events["senders"] - first, minlength=len(cells))
    return dict(load=load, run=took, spikes=int(spikes.sum()), events=events(z, spikes))


def brian2(z) -> dict:
    import brian2 as b

    clock = Clock()
    b.prefs.codegen.target = "cython"
    b.defaultclock.dt = 1 * b.ms
    equations = "dv/dt = (drive - v) / (20*ms) : 1\ndrive : 1 (constant)"
    cells = b.NeuronGroup(len(z["current"]), equations, threshold="v > 20", reset="v = 0", method="exact")
    cells.drive = z["current"]
    synapses = b.Synapses(cells, cells, "w : 1", on_pre="v += w", delay=1 * b.ms)
    synapses.connect(i=z["pre"], j=z["post"])
    synapses.w = z["weight"]
    monitor = b.SpikeMonitor(cells, record=False)
    net = b.Network(cells, synapses, monitor)
    net.store()
    net.run(2 * b.ms)                                                # compiles
    net.restore()
    load = clock.stop()
    clock = Clock()
    net.run(int(z["ticks"]) * b.ms)
    took, spikes = clock.stop(), np.asarray(monitor.count)
    return dict(load=load, run=took, spikes=int(spikes.sum()), events=events(z, spikes))


RUNS = {"chipsim none": (chipsim, "none", 1), "chipsim exact": (chipsim, "exact", 1),
        "chipsim exact, 2 threads": (chipsim, "exact", 2),
        "SANA-FE simple": (sanafe, "simple"), "SANA-FE detailed": (sanafe, "detailed"),
        "SANA-FE cycle": (sanafe, "cycle"),
        "NEST": (nest,), "Brian2 cython": (brian2,)}
PACKAGES = {"chipsim": "chipsim", "SANA-FE": "sanafe", "NEST": "nest-simulator", "Brian2": "Brian2"}


if __name__ == "__main__":
    function, *arguments = RUNS[sys.argv[1]]
    result = function(np.load(sys.argv[2]), *arguments)
    package = PACKAGES[sys.argv[1].split(" ")[0]]
    result["version"] = version(package) if package != "chipsim" else ""
    result["peak_MB"] = peak_bytes() / 2**20
    print("\n" + json.dumps(result))
