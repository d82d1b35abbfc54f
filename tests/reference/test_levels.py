"""Operating points that cores choose tick by tick (`core.dvfs`)."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips, integer_networks, stimuli

from chipsim.chip import load_chip
from chipsim.chip.core import Dvfs, OperatingPoint
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import ChipError
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report


def with_levels(chip, packets, clock=1.4e8):
    dvfs = Dvfs(packets=packets, low=OperatingPoint(clock=clock, cycle=1e-12, asleep=1e-3),
                high=OperatingPoint(clock=3e8, cycle=3e-12, asleep=2e-3))
    core = chip.core.model_copy(update={"learning": None, "dvfs": dvfs})
    return chip.model_copy(update={"core": core})


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(chip=chips(), network=integer_networks(), packets=st.integers(0, 9), clock=st.sampled_from([1e8, 1.4e8, 3e8]),
       timing=st.sampled_from(["none", "analytic", "exact"]), data=st.data())
def test_both_engines_choose_the_same_levels(chip, network, packets, clock, timing, data):
    layout = compile(network, with_levels(chip, packets, clock))
    stimulus = data.draw(stimuli(network.populations["in"].size))
    options = dict(record="all", record_packets=timing == "exact", timing=timing)
    fast = simulate(layout, stimulus, **options)
    assert_same_run(simulate(layout, stimulus, engine="reference", **options), fast)
    assert_same_run(simulate(layout, stimulus, threads=2, **options), fast)
    assert (fast.low_counts <= fast.counts).all() and (fast.low_counts >= 0).all()


def digits(chip, **options):
    return simulate(compile("examples/digits.nir", chip), Stimulus.load("examples/digits_test.h5"),
                    samples=slice(0, 8), **options)


def test_cores_that_never_slow_down_are_those_of_one_operating_point():
    fast, always = digits("spinnaker2"), digits(load_chip("spinnaker2-dvfs", set=("core.dvfs.packets=0",)))
    assert np.array_equal(always.busy_ps, fast.busy_ps) and not always.low_counts.any()
    worked = int(fast.soma_ps.sum() + fast.synapse_ps.sum())
    assert always.high_ps.sum() == worked
    assert report(always).energy.dynamic_J == pytest.approx(report(fast).energy.dynamic_J)


def test_cores_that_never_speed_up_are_those_of_the_lower_operating_point():
    slow, never = digits("spinnaker2-low"), digits(load_chip("spinnaker2-dvfs", set=("core.dvfs.packets=100000",)))
    np.testing.assert_allclose(never.busy_ps, slow.busy_ps, rtol=2e-3)         # its file rounds cycles to ns
    assert report(never).energy.total_J == pytest.approx(report(slow).energy.total_J, rel=2e-3)
    assert not never.high_ps.any()


def test_a_tick_of_as_many_packets_as_the_threshold_is_worked_on_at_the_upper_point():
    net = NetworkBuilder("loads", dt=1e-3)
    net.add_input("in", 20)
    net.add_population("n", 7, "lif_s1615", v_thresh=1e4)
    net.connect("in", "n", weights=np.ones((7, 20)), delay=1)
    spikes = np.zeros((4, 20), np.uint8)
    for tick, n in enumerate((9, 10, 20, 0)):
        spikes[tick, :n] = 1
    layout = compile(net.build(), load_chip("spinnaker2-dvfs", set=("core.dvfs.packets=10",)))
    run = simulate(layout, Stimulus.from_dense(spikes))
    assert run.low_counts[:, A["synop_dense"]].tolist() == [63, 0, 0, 0]
    assert run.low_counts[:, A["neuron_idle"]].tolist() == [7, 0, 0, 0]        # tick 3 has state left from tick 2
    assert run.low_counts[:, A["neuron_active"]].tolist() == [0, 0, 0, 7]
    update, synop = 487_000, 83_333
    assert run.high_ps.tolist() == [0, 7 * update + 70 * synop, 7 * update + 140 * synop, 0]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_long_times_are_scaled_by_clocks_that_share_no_factor(engine):
    net = NetworkBuilder("long", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 7, "lif_s1615", v_thresh=1e4)
    net.connect("in", "n", weights=np.ones((7, 1)))
    chip = load_chip("spinnaker2-dvfs", set=("core.dvfs.low.clock=999999999 Hz", "core.dvfs.high.clock=1000000007 Hz",
                                             "costs.neuron_idle.time=4 ms", "costs.neuron_active.time=4 ms"))
    run = simulate(compile(net.build(), chip), ticks=1, engine=engine)
    assert run.busy_ps.tolist() == [28_000_000_224]


def test_resting_cores_draw_what_they_draw_at_the_lower_point():
    run = digits("spinnaker2-dvfs")
    found = report(run)
    resting = 235.4e-3 * found.latency.total_s
    assert found.energy.static_J == pytest.approx(resting + (3.7151e-3 - 1.5487e-3) * run.high_ps.sum() * 1e-12)
    assert any("at 150 MHz" in note for note in found.notes)


def test_a_run_without_levels_is_priced_at_the_upper_point_of_a_chip_that_has_them():
    run = digits("spinnaker2", timing="none")
    assert report(run, "spinnaker2-dvfs").energy.total_J == pytest.approx(report(run).energy.total_J, rel=1e-4)


def test_a_run_in_parts_knows_its_levels(tmp_path):
    whole = digits("spinnaker2-dvfs", timing="analytic")
    parts = digits("spinnaker2-dvfs", timing="analytic", save=tmp_path / "digits.run.h5", checkpoint_every=37)
    assert np.array_equal(parts.low_counts, whole.low_counts) and np.array_equal(parts.high_ps, whole.high_ps)


@pytest.mark.parametrize("setting, said", [
    ("core.dvfs.low.clock=400 MHz", "is above that of `high`"), ("core.dvfs.low.clock=1.5 Hz", "whole number of hertz"),
    ("fabric.blocked.wait=1 us", "loses some")])
def test_operating_points_that_make_no_sense_are_refused(setting, said):
    with pytest.raises(ChipError, match=said):
        load_chip("spinnaker2-dvfs", set=(setting,))
