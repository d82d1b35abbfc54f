"""Synapses of a core multiplied all at once (`core.matrix`): when, how long, how often."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips, integer_networks, stimuli

from chipsim.chip import load_chip
from chipsim.chip.core import Matrix
from chipsim.chip.costs import Cost
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import ChipError
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=chips(), network=integer_networks(), rows=st.integers(1, 5), columns=st.integers(1, 5),
       timing=st.sampled_from(["none", "analytic", "exact"]), data=st.data())
def test_both_engines_multiply_the_same_blocks(chip, network, rows, columns, timing, data):
    core = chip.core.model_copy(update={"learning": None, "matrix": Matrix(rows=rows, columns=columns, phases=2)})
    costs = chip.costs.model_copy(update={"matrix": Cost(energy=1e-12, time=7e-9)})
    layout = compile(network, chip.model_copy(update={"core": core, "costs": costs}))
    stimulus = data.draw(stimuli(network.populations["in"].size))
    options = dict(record="all", record_packets=timing == "exact", timing=timing)
    fast = simulate(layout, stimulus, **options)
    assert_same_run(simulate(layout, stimulus, engine="reference", **options), fast)
    assert_same_run(simulate(layout, stimulus, threads=2, **options), fast)
    assert fast.core_counts[:, A["matrix"]].sum() == fast.counts[:, A["matrix"]].sum()


def two_ticks(chip, lines=40, neurons=10, spikes=(3, 0, 0, 40), **options):
    net = NetworkBuilder("product", dt=1e-3)
    net.add_input("in", lines)
    net.add_population("n", neurons, "lif_s1615", v_thresh=1e4)
    net.connect("in", "n", weights=np.ones((neurons, lines)), delay=1)
    dense = np.zeros((len(spikes), lines), np.uint8)
    for tick, n in enumerate(spikes):
        dense[tick, :n] = 1
    return simulate(compile(net.build(), chip), Stimulus.from_dense(dense), **options)


def test_a_matrix_is_multiplied_whole_in_the_tick_after_packets_however_many_came():
    run = two_ticks("spinnaker2-mac", spikes=(3, 0, 0, 40, 0))
    blocks = -(-40 // 16) * -(-10 // 4)
    assert run.counts[:, A["matrix"]].tolist() == [0, blocks, 0, 0, blocks]


def test_packets_that_find_no_synapse_add_no_rows():
    """Four lines, each to a core of its own, that share their routes: a core has one row, and hears all of them."""
    net = NetworkBuilder("apart", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("n", 16, "lif_s1615", v_thresh=1e4)
    net.connect("in", "n", "sparse", weights=np.kron(np.eye(4), np.ones((4, 1))), delay=1)
    chip = load_chip("spinnaker2-mac", set=("core.neurons=4", "core.matrix.rows=1", "fabric.router_entries=1"))
    layout = compile(net.build(), chip)
    assert np.bincount(layout.axon_core).tolist() == [2] * 4 and layout.usage["axons_in"].tolist() == [1] * 4
    run = simulate(layout, Stimulus.from_dense(np.eye(1, 4, dtype=np.uint8)), ticks=2)
    assert run.counts[:, A["matrix"]].tolist() == [0, 4]


def test_the_time_of_a_product_stands_before_the_neurons():
    slow = two_ticks(load_chip("spinnaker2-mac", set=("costs.matrix.time=1 us",)))
    fast = two_ticks(load_chip("spinnaker2-mac", set=("costs.matrix.time=0 ns",)))
    assert (slow.busy_ps - fast.busy_ps).tolist() == [0, 9_000_000, 0, 0]


def test_nothing_of_a_sample_is_multiplied_in_the_next():
    net = NetworkBuilder("product", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("n", 4, "lif_s1615", v_thresh=1e4)
    net.connect("in", "n", weights=np.ones((4, 4)), delay=1)
    spikes = np.zeros((2, 3, 4), np.uint8)
    spikes[1] = 1                                                 # in the last tick of every sample
    run = simulate(compile(net.build(), "spinnaker2-mac"), Stimulus.from_dense(spikes))
    assert run.counts[:, A["matrix"]].sum() == 0


def test_a_product_in_flight_survives_the_end_of_a_part(tmp_path):
    whole = two_ticks("spinnaker2-mac", spikes=(3, 1, 0, 4, 0, 0, 2, 1, 0))
    parts = two_ticks("spinnaker2-mac", spikes=(3, 1, 0, 4, 0, 0, 2, 1, 0), save=tmp_path / "run.run.h5",
                      checkpoint_every=1)
    assert np.array_equal(parts.counts, whole.counts) and np.array_equal(parts.busy_ps, whole.busy_ps)


def test_products_are_priced_and_operations_within_them_are_not():
    energy = report(two_ticks("spinnaker2-mac")).energy
    synapse = energy.by_component["synapse"]
    assert synapse.actions["matrix"].energy_J == pytest.approx(9 * 46.4e-12)
    assert synapse.actions["synop_dense"].energy_J == 0 and energy.n_sops == 430


@pytest.mark.parametrize("bits", [1, 2])
def test_weights_of_very_few_bits_are_not_all_zero(bits):
    net = NetworkBuilder("coarse", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("n", 5, "lif", tau=0.01, v_threshold=0.3)
    net.connect("in", "n", weights=np.linspace(0.015, 0.3, 20).reshape(5, 4))
    layout = compile(net.build(), load_chip("spinnaker2-mac", set=(f"core.weights.bits={bits}",)))
    assert np.unique(layout.weight).tolist() == [0, 1 << 14]


def test_weights_of_eight_bits_share_a_power_of_two():
    net = NetworkBuilder("weights", dt=1e-3)
    net.add_input("in", 50)
    net.add_population("n", 20, "lif", tau=20e-3, v_threshold=1.0)
    net.connect("in", "n", weights=np.random.default_rng(0).normal(0, 0.1, (20, 50)))
    stored = compile(net.build(["n"]), "spinnaker2-mac").weight.astype(int)
    step = np.gcd.reduce(stored)
    assert step & (step - 1) == 0 and 64 <= stored.max() / step <= 127


@pytest.mark.parametrize("settings, said", [
    (("costs.matrix=null",), "needs `costs.matrix`"),
    (("core.dvfs.packets=1", "core.dvfs.low.clock=1 MHz", "core.dvfs.low.cycle=1 pJ", "core.dvfs.low.asleep=1 mW",
      "core.dvfs.high.clock=1 MHz", "core.dvfs.high.cycle=1 pJ", "core.dvfs.high.asleep=1 mW"), "do not reach")])
def test_chips_whose_matrix_makes_no_sense_are_refused(settings, said):
    with pytest.raises(ChipError, match=said):
        load_chip("spinnaker2-mac", set=settings)
