"""Continuous time: a spike acts in the tick in which its packet arrives, and both engines agree on which that is."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips, integer_networks, stimuli

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import ChipError, SimulationError
from chipsim.network import NetworkBuilder, Stimulus

FLOWING = ("time_base=continuous", "costs.barrier=null", "continuous.acceleration=1000")


def continuous(chip, step=20e-9):
    """The chip in continuous time."""
    values = chip.to_dict()
    values["costs"]["barrier"] = None
    values |= {"time_base": "continuous", "continuous": {"acceleration": 1000, "step": step}}
    return ChipSpec.from_dict(values)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=chips(), network=integer_networks(), data=st.data())
def test_both_engines_deliver_every_spike_in_the_same_tick(chip, network, data):
    layout = compile(network, continuous(chip), neurons_per_core=5 if chip.n_cores >= 12 else None)
    stimulus = data.draw(stimuli(network.populations["in"].size))
    try:
        plain = simulate(layout, stimulus, engine="reference", record="all", record_packets=True)
    except SimulationError as e:
        with pytest.raises(SimulationError, match=e.diagnostics[0].code):
            simulate(layout, stimulus, record="all")
        return
    assert_same_run(plain, simulate(layout, stimulus, record="all", record_packets=True))
    assert_same_run(plain, simulate(layout, stimulus, record="all", record_packets=True, threads=2))


def relay(step, **settings):
    """Ticks in which a neuron on a chip with 100 ns from soma to synapse spikes, driven in tick 0."""
    net = NetworkBuilder("relay")
    net.add_input("in", 1)
    net.add_population("a", 1, "loihi_lif", vth_mant=1)
    net.connect("in", "a", weights=np.full((1, 1), 2.0), delay=1)
    chip = load_chip("loihi", set=(*FLOWING, f"continuous.step={step}", "fabric.channels.inject.latency=30 ns",
                                   "fabric.channels.eject.latency=50 ns", "costs.host_spike.time=0 ns",
                                   "costs.synop_dense.time=20 ns", "costs.synop_sparse.time=20 ns"))
    stimulus = Stimulus.from_dense(np.eye(20, 1, dtype=np.uint8))
    return simulate(compile(net.build(["a"]), chip), stimulus, **settings)


@pytest.mark.parametrize("step, tick", [("100 ns", 1), ("99 ns", 2), ("50 ns", 2), ("10 ns", 10), ("1 us", 1)])
def test_latency_shifts_the_arrival_by_whole_steps_rounded_up(step, tick):
    assert relay(step).spikes["a"][0].tolist() == [tick]


def test_without_packets_times_a_spike_takes_one_step():
    assert relay("10 ns", timing="none").spikes["a"][0].tolist() == [1]


def test_a_tick_takes_its_step_however_long_its_packets_travel():
    run = relay("10 ns")
    assert run.tick_ps.tolist() == [10_000] * 20


def test_a_networks_own_step_becomes_hardware_time_by_the_acceleration():
    net = NetworkBuilder("n", dt=5e-4)
    net.add_input("in", 1)
    net.add_population("a", 1, "lif", tau=0.01, v_threshold=1.0)
    net.connect("in", "a")
    chip = load_chip("loihi", set=(*FLOWING, "continuous.step=10 ns"))
    run = simulate(compile(net.build(["a"]), chip), ticks=3)
    assert run.tick_ps.tolist() == [500_000] * 3


def test_a_chip_that_is_flooded_is_named():
    with pytest.raises(SimulationError, match="F503"):
        relay("100 ps")


def test_continuous_time_wants_its_step_and_no_barrier():
    with pytest.raises(ChipError, match="needs `continuous`, which is null"):
        load_chip("loihi", set=("time_base=continuous", "costs.barrier=null"))
    with pytest.raises(ChipError, match="there is no barrier"):
        load_chip("loihi", set=("time_base=continuous", "continuous.acceleration=1000", "continuous.step=1 us"))
