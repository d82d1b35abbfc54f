"""Parity with SANA-FE 2.2.9: counts exactly, energy and its `simple` tick time to 1e-9, on every golden network."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim import validation
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.validation import sanafe

Z = dict(threshold=2.0, reset=-1.0, bias=0.0, v0=0.0, leak=1.0, refractory=0, force=0)


def test_no_case_of_the_golden_networks_misses(validation_dir, monkeypatch):
    monkeypatch.setenv("CHIPSIM_VALIDATION", str(validation_dir))
    results = list(validation.run({"sanafe": sanafe.CASES}))
    assert len(results) == 21
    assert [(r.case.name, r.ours) for r in results if r.verdict != "ok"] == []


def run(edges=(), core=(0, 0), ticks=6, engine="compiled", **params):
    """Neurons with edges (pre, post, weight, delay, unit), as in a golden file; (spikes, potentials, run)."""
    pre, post, weight, delay, unit = (np.array(column) for column in zip(*edges or [(0, 1, 0.0, 0, 0)], strict=True))
    hw = np.zeros(len(core), np.int8)
    hw[post] = unit
    z = {k: np.broadcast_to(params.get(k, v), len(core)) for k, v in Z.items()}
    z |= dict(pre=pre, post=post, weight=weight, delay=delay, synapse_hw=hw, core=np.array(core))
    net, weights = sanafe.network(z)
    spec = sanafe.chip(True)
    layout = compile(net, spec, passes=(*sanafe.PASSES, lambda d: sanafe.mapped(d, core=z["core"], weights=weights)))
    run = simulate(layout, ticks=ticks, record=("neurons", "neurons.v"), engine=engine)
    spikes = np.zeros((ticks, len(core)), int)
    spikes[run.spikes["neurons"]] = 1
    return spikes, run.states["neurons", "v"], run


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_leak_begins_in_the_second_tick_and_potentials_are_64ths_toward_zero(engine):
    _, v, _ = run(v0=[1.0, -1.0], leak=0.51, bias=[1e-9, 0], ticks=3, engine=engine)
    assert v[:, 1].tolist() == [-1.0, -32 / 64, -16 / 64]                       # trunc(64 * 0.51) = 32, then 16
    assert v[0, 0] == pytest.approx(1 + 1e-9) and v[1, 0] == pytest.approx(32 / 64 + 1e-9)


def test_a_neuron_at_threshold_is_silent_above_it_fires_and_is_set_back():
    spikes, v, _ = run(bias=[1.0, 0.75], ticks=4)
    assert spikes[:, 0].tolist() == [0, 0, 1, 0] and v[:, 0].tolist() == [1, 2, -1, 0]
    assert spikes[:, 1].tolist() == [0, 0, 1, 0]


def test_refractory_ticks_pass_without_input():
    spikes, _, _ = run(bias=[3.0, 0], reset=0.0, refractory=2, ticks=7)
    assert np.flatnonzero(spikes[:, 0]).tolist() == [0, 3, 6]


def test_weights_arrive_after_their_delay_and_edges_of_one_pair_add_up():
    edges = [(0, 1, 0.5, 0, 0), (0, 1, 0.25, 0, 0), (0, 1, 1.0, 2, 0)]
    _, v, counted = run(edges, threshold=[2.5, 99.0], v0=[2.0, 0.0], bias=[1.0, 0], ticks=5, reset=-99.0)
    assert v[:, 1].tolist() == [0, 0.75, 0.75, 1.75, 1.75]                      # neuron 0 fires once, in tick 0
    assert counted.counts[:, A["synop_dense"]].sum() == 3 and counted.counts[:, A["axon_out"]].sum() == 1


def test_synapses_cost_what_the_unit_of_their_neuron_costs():
    edges = [(0, 1, 0.0, 0, 1), (0, 2, 0.0, 0, 2)]
    _, _, counted = run(edges, core=(0, 0, 5), bias=[3.0, 0, 0], ticks=1)
    sums = counted.counts.sum(0)
    assert (sums[A["synop_sparse"]], sums[A["synop_conv"]], sums[A["axon_out"]]) == (1, 1, 2)
    assert (sums[A["hop_north_south"]], sums[A["hop_east_west"]]) == (1, 0)      # tile 1 lies below tile 0


def test_updates_are_counted_where_there_is_potential_input_or_force():
    _, _, counted = run(v0=[1.0, 0.0], force=[0, 0], ticks=4)
    assert counted.counts[:, A["neuron_active"]].tolist() == [1] * 4
    _, _, counted = run(force=[1, 0], ticks=4)
    assert counted.counts[:, A["neuron_active"]].tolist() == [1] * 4
