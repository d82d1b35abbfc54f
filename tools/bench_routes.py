"""Routing tables of a machine full of neurons: how long they take, how long they are.

    python tools/bench.py routes [--neurons 1000000] [--sets 1,8,64]

SpiNNaker chips in a square torus, 255 neurons on a core, every core heard by about 20 of the 40 cores on either side of
it. `sets`: the neurons of a core are so many groups of different targets (each group misses three cores in ten).
Figures are CPU seconds of the pass `route`, entries of the fullest router, and how many entries one for each source
would take for each that there is; `vain`: deliveries more, where sources share their routes to fit.
"""
from __future__ import annotations

import argparse
import time

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler.draft import Draft, Node, Options, Piece
from chipsim.compiler.partitioning.tally import Tally
from chipsim.compiler.routing.route import route
from chipsim.network.graph import Network, Population

PER_CORE, HEARD, WITHIN, KEEPS = 255, 20, 40, 0.7


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.py routes", description="routing tables of SpiNNaker machines")
    parser.add_argument("--neurons", type=int, default=1_000_000)
    parser.add_argument("--sets", default="1,8,64", help="comma-separated")
    args = parser.parse_args(arguments)
    print(f"{'sets':>5}{'cpu':>9}{'fullest':>9}{'compression':>13}{'vain':>8}")
    for sets in map(int, args.sets.split(",")):
        draft = machine(-(-args.neurons // PER_CORE), sets)
        began = time.process_time()
        routed = route(draft)
        spent, merit = time.process_time() - began, routed.merit
        vain = sum(len(units) for _, units in routed.in_vain) / sum(len(u) for h in draft.tally.heard for _, u in h)
        print(f"{sets:5}{spent:7.2f} s{merit['entries']:9}{merit['compression']:13.1f}{vain:8.1%}", flush=True)
    return 0


def machine(n_cores: int, sets: int) -> Draft:
    """A placed draft: core c of the network stands on core c of the machine."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(n_cores / 16)))
    chip = load_chip("spinnaker", set=(f"system.chips=[{side},{side}]",))
    population = Population("p", (n_cores * PER_CORE,), "lif", {})
    cores = tuple((Piece(0, c * PER_CORE, (c + 1) * PER_CORE),) for c in range(n_cores))
    group = np.arange(PER_CORE) * sets // PER_CORE
    heard = []
    for c in range(n_cores):
        near = np.unique((c + rng.integers(-WITHIN, WITHIN + 1, HEARD)) % n_cores)
        units = [s * PER_CORE + np.flatnonzero((rng.random(sets) < KEEPS)[group] | (sets == 1)) for s in near]
        heard.append([(0, np.concatenate(units))])
    return Draft(Network("machine", {"p": population}, (), ()), chip, Options(), nodes=(Node(population, {}, "lif"),),
                 cores=cores, tally=Tally(cores, {}, tuple(heard)), places=np.arange(n_cores, dtype=np.int32))
