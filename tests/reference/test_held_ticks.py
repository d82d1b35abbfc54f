"""A tick held between its spikes and their delivery: where packets come late or never, function follows."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import integer_networks, stimuli

from chipsim.compiler import compile
from chipsim.engine.function import Function
from chipsim.engine.outcome import Recording
from chipsim.engine.plan import plan
from chipsim.engine.reference import ReferenceEngine
from chipsim.network import NetworkBuilder

LATEST = 3


def compiled(lowered):
    return Function(lowered, np.ones(lowered.layout.n_sources, bool), True)


def a_tick(function, lines, probes, hold):
    function.advance(1, np.array([0, len(lines)]), lines, None, 0, probes, hold)


def probe(lowered):
    ids = np.arange(lowered.layout.n_neurons)
    return [("v", ids, np.zeros((1, len(ids)), np.int32))]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=integer_networks(), data=st.data())
def test_late_and_lost_packets_act_alike_in_both_engines(network, data):
    lowered = replace(plan(compile(network, "loihi")), max_late=LATEST)
    stimulus = data.draw(stimuli(network.populations["in"].size))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    fast, out = compiled(lowered), probe(lowered)
    plain = ReferenceEngine(lowered, Recording(np.ones(lowered.layout.n_sources, bool)), "none")
    for t in range(len(stimulus.start) - 1):
        lines = stimulus.line[stimulus.start[t] : stimulus.start[t + 1]]
        a_tick(fast, lines, out, hold=True)
        late = rng.integers(-1, LATEST + 1, len(fast.packets.by_tick()[1]))
        fast.release(late)
        emitted, active = plain.emit(lines, np.ones(len(lines)))
        plain.release(late)
        plain.account(emitted, active)
        assert np.array_equal(out[0][2][0], plain.state["v"])
    assert np.array_equal(fast.spikes_per_source(), plain.source_spikes)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=integer_networks(), data=st.data())
def test_a_tick_held_and_released_in_time_is_a_tick(network, data):
    lowered = plan(compile(network, "loihi"))
    stimulus = data.draw(stimuli(network.populations["in"].size))
    held, whole, seen, wanted = compiled(lowered), compiled(lowered), probe(lowered), probe(lowered)
    for t in range(len(stimulus.start) - 1):
        lines = stimulus.line[stimulus.start[t] : stimulus.start[t + 1]]
        a_tick(held, lines, seen, hold=True)
        held.release(None if t % 2 else np.zeros(len(held.packets.by_tick()[1]), np.int32))
        a_tick(whole, lines, wanted, hold=False)
        assert np.array_equal(seen[0][2], wanted[0][2])
    assert np.array_equal(held.spikes_per_source(), whole.spikes_per_source())


def pair(chip):
    """One input line onto one neuron."""
    net = NetworkBuilder("pair")
    net.add_input("in", 1)
    net.add_population("a", 1, "lif", tau=5.0, v_threshold=1.0)
    net.connect("in", "a", weights=np.ones((1, 1)))
    return plan(compile(net.build(["a"]), chip))


def test_a_packet_later_than_the_plan_allows_is_refused():
    function = compiled(pair("loihi"))
    a_tick(function, np.zeros(1, np.uint32), [], hold=True)
    with pytest.raises(ValueError, match="-1 to 0 ticks late"):
        function.release([1])


def test_the_next_tick_waits_for_the_release():
    function = compiled(pair("loihi"))
    a_tick(function, np.zeros(1, np.uint32), [], hold=True)
    with pytest.raises(ValueError, match="release it first"):
        a_tick(function, np.zeros(1, np.uint32), [], hold=True)


def test_nothing_is_held_where_spikes_act_in_their_own_tick():
    with pytest.raises(ValueError, match="every delay is at least 1"):
        a_tick(compiled(pair("ideal")), np.zeros(1, np.uint32), [], hold=True)
