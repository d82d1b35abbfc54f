"""Speed of the function engine, without peers; `python tools/bench.py engine`.

neuron    a tick of Loihi's neurons that get no input, per neuron: update, look for spikes, counting
synapse   the random network in whole numbers, on one core and spread over cores: synaptic events per second, counting
learning  the same ticks with dense synapses that learn and without: how many times slower, and for each update of a
          synapse; `busy`: all neurons spike in every tick

CPU seconds of the process, the smallest of the repeats.
"""
from __future__ import annotations

import time
from argparse import ArgumentParser

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.layout import Layout
from chipsim.engine.function import Function
from chipsim.engine.plan import plan
from chipsim.engine.run import SYNOPS, A
from chipsim.network import NetworkBuilder

SPACIOUS = ("core.axons_in=65536", "core.axons_out=1000000", "core.synapse_memory.bits=null")
ONE_CORE = (*SPACIOUS, "core.neurons=65536", "fabric.width=1", "fabric.height=1", "fabric.cores_per_router=1")

PAIR = dict(rule="pair", tau_minus=12)
LEARNERS = {"pair STDP": (PAIR, 2000), "pair STDP, busy": (PAIR, 200),              # rule, threshold of the neurons
            "multiplicative, busy": (dict(rule="multiplicative"), 200), "triplets, busy": (dict(rule="triplet"), 200),
            "reward, busy": (dict(rule="reward", reward="teacher"), 200)}


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py engine", description=__doc__)
    parser.add_argument("--repeats", metavar="N", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--neurons", metavar="N", type=int, default=10_000, help="of the random network")
    args = parser.parse_args(arguments)
    for n in (1024, 10_000):
        seconds, *_ = fastest(cells(n), 2000, args.repeats)
        print(f"neuron    {n:>6} in one tick: {seconds / 2000 / n * 1e9:.2f} ns")
    for name, settings in (("one core", ONE_CORE), ("cores of 1024 neurons", SPACIOUS)):
        layout = spiking(args.neurons, settings)
        seconds, events, _ = fastest(layout, 300, args.repeats)
        print(f"synapse   {name}: {events / seconds / 1e6:.0f} M events/s, {layout.n_cores} cores, {events} events")
    for name, (rule, threshold) in LEARNERS.items():
        layout = learner(rule, threshold)
        (slow, _, updates), (fast, _, _) = (fastest(layout, 300, args.repeats, learning) for learning in (True, False))
        print(f"learning  {name}: {slow / fast:.1f} times the ticks without, {(slow - fast) / updates * 1e9:.1f} ns an "
              "update")
    return 0


def fastest(layout: Layout, ticks: int, repeats: int, learning: bool = True) -> tuple[float, int, int]:
    """CPU seconds of the fastest of some stretches of `ticks`, its synaptic events, and its updates of synapses."""
    function = Function(plan(layout, learning), np.zeros(layout.n_sources, bool), False)
    rng, results = np.random.default_rng(1), []
    for _ in range(repeats):
        on = rng.random((ticks, layout.n_lines)) < 0.05
        start = np.concatenate([[0], np.cumsum(on.sum(1))])
        began = time.process_time()
        counts, _ = function.advance(ticks, start, np.nonzero(on)[1].astype(np.uint32), None, 0, [])
        took = time.process_time() - began
        events, updates = (int(counts[:, [A[name] for name in names]].sum()) for names in (SYNOPS, ["learn_update"]))
        results.append((took, events, updates))
    return min(results)


def cells(n: int) -> Layout:
    net = NetworkBuilder("cells")
    bias = np.random.default_rng(0).integers(1, 110, n)
    net.add_population("a", n, "loihi_lif", du=100, dv=200, vth_mant=40_000, bias_mant=bias, bias_exp=6)
    return compile(net.build(["a"]), load_chip("loihi"))


def spiking(n: int, settings: tuple[str, ...]) -> Layout:
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    net = NetworkBuilder("random")
    net.add_population("a", n, "loihi_lif", du=4095, dv=200, vth_mant=2000, bias_mant=rng.integers(90, 110, n),
                       bias_exp=6)
    fan_in = n // 10
    pre = np.concatenate([rng.choice(n, fan_in, replace=False) for _ in range(n)])
    weight = np.where(pre < n * 4 // 5, rng.integers(1, 20, len(pre)) * 2, -rng.integers(1, 80, len(pre)) * 2)
    matrix = csr_array((weight.astype(float), pre, np.arange(0, len(pre) + 1, fan_in)), (n, n))
    matrix.sort_indices()
    net.connect("a", "a", "sparse", weights=matrix, delay=1, format=dict(weight_exponent=0, sign="mixed"))
    return compile(net.build(["a"]), load_chip("loihi", set=settings))


def learner(rule: dict, threshold: int) -> Layout:
    rng = np.random.default_rng(0)
    net = NetworkBuilder("learner")
    net.add_input("in", 500)
    net.add_input("teacher", 1)
    net.add_population("a", 500, "loihi_lif", du=4095, dv=300, vth_mant=threshold)
    net.connect("in", "a", weights=2.0 * rng.integers(10, 60, (500, 500)), plasticity=rule)
    return compile(net.build(["a"]), load_chip("loihi", set=SPACIOUS))
