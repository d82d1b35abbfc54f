"""A Run written down by hand, small enough that every joule and second of its report can be worked out on paper."""
from __future__ import annotations

import numpy as np

from chipsim.chip import ChipSpec, load_chip
from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE
from chipsim.engine.run import ACTIONS, Run
from chipsim.engine.stats import N_BINS, bin_of
from chipsim.engine.topology import EAST_WEST, EJECT, INJECT

PRICES_PJ = dict(neuron_idle=1, neuron_active=2, spike=3, axon_out=4, host_spike=6, axon_in=5, synop_dense=7,
                 synop_sparse=8, synop_conv=9, hop_inject=10, hop_eject=11, hop_east_west=12, hop_north_south=13,
                 reset=100, barrier=50, learn_trace=14, learn_read=15, learn_update=16)
COUNTS = dict(neuron_idle=30, neuron_active=10, spike=4, axon_out=4, host_spike=2, axon_in=6, synop_dense=20,
              synop_sparse=5, synop_conv=0, hop_inject=6, hop_eject=6, hop_east_west=8, hop_north_south=1,
              reset=4, barrier=4, learn_trace=3, learn_read=2, learn_update=1)
STATIC_W = 1e-3
TICK_PS = (100_000, 300_000, 100_000, 500_000)          # two samples of two ticks: 0.4 and 0.6 µs


def chip(name: str = "paper", factor: float = 1.0) -> ChipSpec:
    """Loihi's structure with round prices; `factor` scales them all, static power included."""
    values = load_chip("loihi").to_dict()
    values |= {"name": name}
    for action, pj in PRICES_PJ.items():
        part = values["fabric"]["channels"][action[4:]] if action.startswith("hop_") else values["costs"][action]
        part["energy"] = factor * pj * 1e-12
    values["costs"]["static"]["power"] = factor * STATIC_W
    return ChipSpec.from_dict(values)


def run(timing: str = "exact", labelled: bool = True, **changes: object) -> Run:
    """Four ticks on cores 0 and 17; all counts fall in tick 1 except what happens every tick."""
    counts = np.zeros((4, len(ACTIONS)), np.int64)
    counts[1] = [COUNTS.get(a, 0) for a in ACTIONS]
    timed = timing != "none"
    latency = np.zeros(N_BINS, np.int64)
    for ps, n in ((5_000, 90), (20_000, 9), (80_000, 1)):
        latency[bin_of(ps)] += n * timed
    samples = dict(ticks=2, count=2, depth=0, predicted=np.array([3, 1]), output_counts=np.zeros((2, 10)))
    if labelled:
        samples["labels"] = np.array([3, 7])
    values = dict(
        layout_name="toy", chip=chip().to_dict(), timing=timing, ticks=4, counts=counts,
        core_counts=np.zeros((2, len(ACTIONS)), np.int64), source_spikes=np.array([3, 1, 2]),
        link_packets=np.array([6, 2, 8]),
        links=dict(from_router=np.array([-1, 4, 11], np.int32), to_router=np.array([0, -1, 12], np.int32),
                   kind=np.array([INJECT, EJECT, EAST_WEST], np.uint8), core=np.array([-1, 17, -1], np.int32),
                   cycle_ps=np.array([1_000, 1_000, 2_000]), slots=np.array([16, 8, 4], np.int32)),
        link_queued_ps=np.array([0, 250_000, 100_000]) * (timing == "exact"),
        link_peak=np.array([1, 5, 4], np.int32) * (timing == "exact"),
        tick_ps=np.array(TICK_PS) * timed, barrier_ps=np.full(4, 100_000) * timed,
        tick_limit=np.array([LIMIT_NONE << 24, LIMIT_SOMA << 24, LIMIT_LINK << 24 | 2, LIMIT_SYNAPSE << 24 | 1]),
        soma_ps=np.zeros(2, np.int64), synapse_ps=np.zeros(2, np.int64), stall_ps=np.zeros(2, np.int64),
        slowest=dict(tick=3, limit="synapse", core=17, host=False, router=4, length_ps=500_000,
                     parts_ps=dict(soma=50_000, stall=0, flight=50_000, blocking=0, synapse=300_000, barrier=100_000))
        if timed else {},
        latency=latency, cores=np.array([0, 17], np.int32),
        populations=(dict(name="in", size=3, spikes=2, packets=2, synops=10),
                     dict(name="out", size=10, spikes=4, packets=4, synops=15)),
        usage=dict(neurons=np.array([256, 512]), axons_in=np.array([4, 8]), synapse_memory=np.array([0, 0])),
        limits=dict(neurons=1024, axons_in=4096, synapse_memory=None),
        approximations=(dict(what="weights of `in → out`", kind="rounding", size="at most 0.012 relative"),),
        samples=samples, meta=dict(seed=5, engine="compiled"),
    )
    values |= changes
    return Run(**{"busy_ps": values["tick_ps"], **values})


TOTAL_PJ = sum(n * PRICES_PJ[a] for a, n in COUNTS.items())
