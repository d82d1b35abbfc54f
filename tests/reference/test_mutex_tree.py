"""Arbitration by a tree of mutexes, rule by rule on both engines; that they agree in general is test_engines_agree."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.engine.arbiter import MutexTree
from tests.mesh_lab import CYCLE, ENGINES, LATENCY, NS, Tick, chip

TREE = ("fabric.arbitration=mutex_tree",)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_input_that_shares_few_mutexes_gets_more_than_its_share(engine):
    """Cores 0 and 1 share a mutex, core 2 has the other side of the next one to itself: 1, 1 and 2 of four grants."""
    flows = [(core, 3) for core in (0, 1, 2) for _ in range(40)]
    tick = Tick(flows, chip(cores_per_router=4, inject_cycle=1, more=TREE), engine)
    first = np.argsort(tick.arrived)[4:44] // 40
    assert np.bincount(first).tolist() == [10, 10, 20]
    fair = Tick(flows, chip(cores_per_router=4, inject_cycle=1, more=("fabric.arbitration=round_robin",)), engine)
    assert np.bincount(np.argsort(fair.arrived)[3:42] // 40).tolist() == [13, 13, 13]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mutex_goes_to_whom_claimed_first_since_its_release(engine):
    """While core 2's packet takes the output, core 1 claims, then core 0: first come first between the two."""
    flows = [(0, None), (0, None), (0, 3), (1, None), (1, 3), (2, 3)]
    tick = Tick(flows, chip(cores_per_router=4, spike=1, eject_cycle=50, more=TREE), engine)
    third, second, first = tick.arrived
    assert first == (1 + 2 * LATENCY) * NS
    assert (second, third) == (first + 50 * NS, first + 100 * NS)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_claims_go_to_the_side_that_did_not_have_the_mutex_last(engine):
    """Core 0 wins alone; then cores 0, 1 and 2 claim at one time: the pair's root side had it, so 2; then 1; then 0."""
    flows = [(0, 3), (0, 3), (1, None), (1, 3), (2, None), (2, 3)]
    tick = Tick(flows, chip(cores_per_router=4, spike=100, more=TREE), engine)
    early, core_0, core_1, core_2 = tick.arrived
    start = early + 100 * NS
    assert (core_2, core_1, core_0) == (start, start + CYCLE * NS, start + 2 * CYCLE * NS)


def test_an_odd_input_competes_at_the_root_only():
    tree = MutexTree(5)
    order = []
    for k in range(8):
        order.append(tree.winner(dict.fromkeys(range(5), 0)))
        tree.won(order[-1], k + 1)
    assert order == [0, 4, 2, 4, 1, 4, 3, 4]
