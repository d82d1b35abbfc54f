"""Parity with SANA-FE 2.2.9 (Boyle et al., IEEE TCAD 2025): the same networks, mapping, costs and neurons.

Simulator against simulator, not silicon. Compared are counts and energy, and the length of ticks under its timing
`simple`, which leaves out the mesh: here `timing="analytic"` on channels that are never the bottleneck. Its timing
`cycle`, with BookSim2 behind it, stands beside chipsim's exact timing for comparison.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

import numpy as np

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.compiler import compile
from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.layout import SYNAPSE_FORMATS
from chipsim.compiler.lowering.lower import lower
from chipsim.compiler.lowering.quantise import quantise
from chipsim.compiler.lowering.retime import retime
from chipsim.engine import simulate
from chipsim.engine.run import SYNOPS, A, Run
from chipsim.network import NetworkBuilder
from chipsim.network.graph import Network
from chipsim.report.report import Report, report
from chipsim.validation.case import Case, golden

CLASSES = ("inject", "eject", "east_west", "north_south")
# What SANA-FE leaves open is taken from `loihi-calibrated`; its mesh has no limits in `simple`.
OVERRIDES = ("core.neuron.models=[sanafe_lif]", "core.neuron.profile=null", "core.weights.bits=null",
             "core.synapse_memory.packing=none", "core.learning=null",
             "costs.barrier.tiles.3=1.0 us", "costs.barrier.tiles.28=1.4 us")       # a table of steps, not of lines
PASSES = (lower, retime, quantise)
UNBOUNDED = tuple(f"fabric.channels.{name}.{side}=1 ps" for name in CLASSES for side in ("cycle", "latency"))


@cache
def chip(unbounded: bool) -> ChipSpec:
    return load_chip("loihi-calibrated", set=OVERRIDES + UNBOUNDED * unbounded)


def network(z: dict[str, np.ndarray]) -> tuple[Network, dict[str, np.ndarray]]:
    """Edges by delay, unit of the synapse and how often their pair came before; and their weights, by projection.

    In the network every weight is 1: the compiler drops synapses of weight 0, SANA-FE counts and prices them.
    """
    from scipy.sparse import csr_array

    n = len(z["core"])
    net = NetworkBuilder("sanafe")
    net.add_population("neurons", n, "sanafe_lif", v_threshold=z["threshold"], v_reset=z["reset"], i_e=z["bias"],
                       v_init=z["v0"], leak=z["leak"], refractory=z["refractory"], force=z["force"])
    pre, post, delay = (z[k].astype(np.int64) for k in ("pre", "post", "delay"))
    order = np.lexsort((pre, post))                           # as in a CSR matrix [post, pre]
    pre, post, delay, weight = pre[order], post[order], delay[order], z["weight"][order].astype(float)
    unit, pair = z["synapse_hw"][post], (post * n + pre) * 256 + delay
    by_pair = np.argsort(pair, kind="stable")
    starts = np.where(np.r_[True, np.diff(pair[by_pair]) != 0], np.arange(len(pair)), 0)
    again = np.empty(len(pair), np.int64)                     # edges of the same pair and delay before this one
    again[by_pair] = np.arange(len(pair)) - np.maximum.accumulate(starts)
    weights = {}
    for d, u, k in sorted(set(zip(delay.tolist(), unit.tolist(), again.tolist(), strict=True))):
        mine, name = (delay == d) & (unit == u) & (again == k), f"{SYNAPSE_FORMATS[u]} {d} {k}"
        ones = csr_array((np.ones(mine.sum()), (post[mine], pre[mine])), shape=(n, n))
        net.connect("neurons", "neurons", "sparse", weights=ones, delay=d + 1, name=name)
        weights[name] = weight[mine]
    return net.draft(["neurons"]), weights                    # unchecked: a start above threshold may drive it alone


def on_the_chip(core: np.ndarray, spec: ChipSpec) -> np.ndarray:
    """Core numbers of SANA-FE, whose tiles count down the columns, as chipsim's, whose routers count along the rows."""
    f = spec.fabric
    tile, place = np.divmod(core, f.cores_per_router)
    column, row = np.divmod(tile, f.height)
    return (row * f.width + column) * f.cores_per_router + place


def mapped(draft: Draft, *, core: np.ndarray, weights: dict[str, np.ndarray]) -> Draft:
    """Instead of partition and place: neurons where the file has them, synapses with its weights and units."""
    used = np.unique(core)
    connections = []
    for c in draft.connections:
        matrix = c.weight.copy()
        matrix.data = weights[c.name]
        connections.append(replace(c, weight=matrix, format=c.name.split()[0]))
    return replace(draft, connections=tuple(connections), places=on_the_chip(used, draft.chip).astype(np.int32),
                   cores=tuple((Piece(0, 0, 0, np.flatnonzero(core == c)),) for c in used))


@cache
def simulated(name: str, timing: str) -> tuple[Run, Report]:
    """A network of the golden data, run as its file says."""
    with np.load(golden("sanafe", f"{name}.npz")) as file:
        z = {key: file[key] for key in file.files if key != "meta"}
    net, weights = network(z)

    def as_mapped(draft: Draft) -> Draft:
        return mapped(draft, core=z["core"], weights=weights)

    layout = compile(net, chip(timing == "analytic"), passes=(*PASSES, as_mapped))
    run = simulate(layout, ticks=TICKS[name], timing=timing, record=())
    return run, report(run)


def count(name: str, *actions: str) -> float:
    return float(simulated(name, "analytic")[0].counts[:, [A[a] for a in actions]].sum())


def energy(name: str) -> float:
    return simulated(name, "analytic")[1].energy.dynamic_J


def time(name: str, timing: str) -> float:
    return int(simulated(name, timing)[0].tick_ps.sum()) * 1e-12


TICKS = {"t1": 50, "loc4k": 100, "hot": 20}
COUNTS = {"spikes": ("spike",), "packets": ("axon_out",), "synaptic events": SYNOPS, "updates": ("neuron_active",)}
WORKLOADS = {
    "t1": "1024 neurons on 16 cores, 16 384 synapses, each neuron spikes every tenth tick; 50 ticks",
    "loc4k": "4096 neurons on 64 cores, 131 072 synapses, 80 % of them near, every twentieth tick; 100 ticks",
    "hot": "4096 neurons on 16 cores, 131 072 synapses, every neuron sends to one core in every tick; 20 ticks",
}
# as COUNTS, energy (J), time (s) by its timing `simple`, time by its timing `cycle`
PUBLISHED = {
    "t1": ((5120, 52770, 81920, 51200), 1.3123788000000005e-05, 0.00015429099999999995, 0.00016335499999999996),
    "loc4k": ((20480, 143535, 655360, 409600), 7.156461900000001e-05, 0.00026756199999999994, 0.00028288499999999997),
    "hot": ((81920, 81920, 2621440, 81920), 0.00011422296799998887, 0.0008150719999999962, 0.0008378000000000004),
}


def _cases(name: str) -> Iterator[Case]:
    counts, joules, simple, cycle = PUBLISHED[name]
    make = partial(Case, workload=WORKLOADS[name], source="SANA-FE 2.2.9")
    for (what, actions), value in zip(COUNTS.items(), counts, strict=True):
        yield make(name=f"{name}: {what}", unit="", published=value, tolerance=0, basis="predicted",
                   measure=partial(count, name, *actions))
    yield make(name=f"{name}: energy", unit="J", published=joules, tolerance=1e-9, basis="restated",
               measure=partial(energy, name))
    yield make(name=f"{name}: time, simple", unit="s", published=simple, tolerance=1e-9, basis="restated",
               measure=partial(time, name, "analytic"))
    yield make(name=f"{name}: time, cycle", unit="s", published=cycle, tolerance=0.1, basis="predicted",
               measure=partial(time, name, "exact"), note="two models of the mesh: chipsim's handshakes in exact "
               "timing, BookSim2's clocked routers")


CASES = tuple(case for name in PUBLISHED for case in _cases(name))
