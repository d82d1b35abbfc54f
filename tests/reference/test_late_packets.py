"""Packets that a fixed tick ends before: what becomes of them changes function, alike in both engines."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import integer_networks, stimuli

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report


def fixed(period, late, *more):
    return load_chip("loihi", set=("time_base=fixed_tick", f"tick={{period: {period}, late: {late}}}",
                                   "costs.barrier=null", *more))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=integer_networks(), data=st.data(), late=st.sampled_from(["next_tick", "drop"]),
       period=st.integers(20, 400), cast=st.sampled_from(["unicast", "multicast"]))
def test_both_engines_are_late_alike(network, data, late, period, cast):
    stimulus = data.draw(stimuli(network.populations["in"].size))
    layout = compile(network, fixed(f"{period} ns", late, f"fabric.cast={cast}"))
    runs = [simulate(layout, stimulus, record=("all",), engine=engine) for engine in ("compiled", "reference")]
    for name in runs[0].spikes:
        assert all(np.array_equal(a, b) for a, b in zip(runs[0].spikes[name], runs[1].spikes[name], strict=True))
    assert runs[0].populations == runs[1].populations
    assert np.array_equal(runs[0].tick_ps, runs[1].tick_ps) and (runs[0].tick_ps == period * 1000).all()


def fan(late, period="1 us"):
    """Eight lines onto one neuron that sums them, 128 each; packets take 103.5 ns, one after the other."""
    net = NetworkBuilder("fan")
    net.add_input("in", 8)
    net.add_population("n", 1, "loihi_lif", vth_mant=1 << 16, du=4095, dv=0)
    net.connect("in", "n", weights=np.full((1, 8), 2))
    x = np.zeros((4, 8))
    x[0] = 1
    layout = compile(net.build(["n"]), fixed(period, late, "costs.axon_in.time=100 ns"))
    return simulate(layout, Stimulus.from_dense(x), record=("n.v",))


@pytest.mark.parametrize("late", ["stretch", "next_tick", "drop"])
def test_nothing_is_late_in_a_period_that_is_long_enough(late):
    run = fan(late)
    assert run.states["n", "v"][:, 0].tolist()[1:] == [1024] * 3
    assert report(run).populations["in"].late_packets == report(run).populations["in"].lost_packets == 0


def test_late_packets_act_in_the_tick_they_are_done_in():
    run = fan("next_tick", "400 ns")
    v = run.states["n", "v"][:, 0]
    assert report(run).populations["in"].late_packets == 5 and (run.tick_ps == 400_000).all()
    assert v[1] == 3 * 128 and v[-1] == 8 * 128 and (np.diff(v) >= 0).all()


def test_dropped_packets_never_act_and_are_reported_by_population():
    run = fan("drop", "400 ns")
    assert run.states["n", "v"][-1, 0] == 3 * 128
    account = report(run)
    assert account.populations["in"].lost_packets == 5 and account.populations["n"].lost_packets == 0
    assert "5 packets lost" in str(account)


def test_a_stretched_tick_loses_nothing():
    run = fan("stretch", "400 ns")
    assert run.states["n", "v"][-1, 0] == 8 * 128 and run.tick_ps[0] > 400_000
