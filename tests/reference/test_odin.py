"""ODIN: eight bits, no negative potential, three-bit weights of one sign per source, cycles as its open design has."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import ExpressError, FitError
from chipsim.models.neurons.odin_lif import OdinLif
from chipsim.network import NetworkBuilder, Stimulus


def crossbar(weights, recurrent=None, **params):
    """Input lines onto one population, and perhaps that onto itself."""
    net = NetworkBuilder("crossbar")
    net.add_input("in", weights.shape[1])
    net.add_population("n", len(weights), "odin_lif", **params)
    net.connect("in", "n", weights=weights, delay=1)
    if recurrent is not None:
        net.connect("n", "n", weights=recurrent, delay=1)
    return net.build(["n"])


def stepped(v, x, threshold, leak):
    state = {"v": np.array([v], np.int32)}
    p = {"threshold": np.array([threshold], np.int32), "leak": np.array([leak], np.int32)}
    spikes, _ = OdinLif.step(state, p, {}, np.array([x], np.int32))
    return int(state["v"][0]), int(spikes[0])


@pytest.mark.parametrize("before, after", [
    ((10, 5, 100, 3), (12, 0)), ((10, 5, 15, 3), (0, 1)), ((10, -20, 15, 3), (0, 0)), ((2, 0, 15, 3), (0, 0)),
    ((250, 100, 255, 0), (0, 1)), ((200, 30, 255, 127), (103, 0))])
def test_a_neuron_adds_saturates_fires_and_leaks(before, after):
    assert stepped(*before) == after


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_adding_event_by_event_gives_the_same_while_nothing_fires_or_saturates(seed):
    rng = np.random.default_rng(seed)
    weights, spikes = rng.integers(0, 8, (9, 12)), rng.random((6, 12)) < 0.3
    network = crossbar(weights, threshold=255, leak=int(rng.integers(0, 9)))
    layout = compile(network, "odin")
    ours = simulate(layout, Stimulus.from_dense(spikes.astype(np.uint8)), ticks=7, record="n.v").states["n", "v"]
    v, leak = np.zeros(9, int), layout.params["leak"]
    for t in range(6):
        for line in np.flatnonzero(spikes[t]):
            v = np.minimum(v + weights[:, line], 255)
        assert (v < 255).all()
        v = np.maximum(v - leak, 0)
        assert np.array_equal(ours[t + 1], v)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_both_engines_run_the_same_crossbar(seed):
    rng = np.random.default_rng(seed)
    sign = np.where(rng.random(20) < 0.3, -1, 1)
    network = crossbar(rng.integers(0, 8, (20, 15)), rng.integers(0, 8, (20, 20)) * sign,
                       threshold=rng.integers(8, 40, 20), leak=rng.integers(0, 4, 20))
    layout = compile(network, "odin")
    stimulus = Stimulus.from_dense((rng.random((12, 15)) < 0.4).astype(np.uint8))
    plain = simulate(layout, stimulus, record="all", engine="reference")
    assert_same_run(plain, simulate(layout, stimulus, record="all"))
    assert plain.core_counts.sum() and len(plain.spikes["n"][0])


def test_a_tick_takes_513_cycles_for_each_event_and_512_for_its_end():
    rng = np.random.default_rng(0)
    layout = compile(crossbar(rng.integers(1, 8, (256, 40)), threshold=255), "odin")
    spikes = np.zeros((4, 40), np.uint8)
    for tick, events in enumerate((0, 1, 7, 40)):
        spikes[tick, :events] = 1
    run = simulate(layout, Stimulus.from_dense(spikes))
    np.testing.assert_allclose(run.tick_ps * 75e-6, [512, 1025, 512 + 7 * 513, 512 + 40 * 513], atol=0.01)


def test_a_source_of_both_signs_is_refused():
    with pytest.raises(ExpressError, match=r"M247.* 1 of the 2 sources of `in` excite some neurons and inhibit"):
        compile(crossbar(np.array([[1, 2], [3, -2]]), threshold=9), "odin")


def test_weights_have_three_bits():
    with pytest.raises(ExpressError, match="M243"):
        compile(crossbar(np.array([[9, 1]]), threshold=9), "odin")


def test_inputs_and_neurons_share_256_rows():
    compile(crossbar(np.ones((128, 128)), np.ones((128, 128)), threshold=9), "odin")
    with pytest.raises(FitError, match="input axons"):
        compile(crossbar(np.ones((128, 129)), np.ones((128, 128)), threshold=9), "odin")


def framework(scale=1.0, **params):
    """Exciting and inhibiting lines onto neurons in a framework's own terms."""
    rng = np.random.default_rng(0)
    net = NetworkBuilder("dale", dt=1e-3)
    net.add_input("exc", 40)
    net.add_input("inh", 20)
    net.add_population("n", 30, "lif", **dict(tau=20e-3, v_threshold=1.0, integrator="impulse") | params)
    net.connect("exc", "n", weights=np.abs(rng.normal(0, 0.25, (30, 40))) * scale)
    net.connect("inh", "n", weights=-np.abs(rng.normal(0, 0.15, (30, 20))))
    return net.build(["n"])


def test_neurons_of_a_framework_spike_about_as_often_in_eight_bits():
    spikes = Stimulus.from_dense((np.random.default_rng(0).random((200, 60)) < 0.08).astype(np.uint8))
    counts = [np.bincount(simulate(compile(framework(), chip), spikes).spikes["n"][1], minlength=30)
              for chip in ("ideal", "odin")]
    assert np.corrcoef(*counts)[0, 1] > 0.9 and counts[1].sum() == pytest.approx(counts[0].sum(), rel=0.1)


def test_registers_of_a_frameworks_neurons_use_the_whole_width_of_weights():
    layout = compile(framework(), "odin")
    assert np.abs(layout.weight).max() == 7 and (layout.params["threshold"] == 8).all()
    leaky = compile(framework(scale=0.01, tau=4e-3), "odin").params
    assert (leaky["threshold"] > 8).all() and (leaky["leak"] > 0).all()


def test_what_the_neuron_cannot_do_is_refused_unless_replaced():
    with pytest.raises(ExpressError, match="subtracts the threshold"):
        compile(framework(reset="subtract"), "odin")
    report = compile(framework(reset="subtract"), "odin", approximate=["reset"]).approximations
    assert any(a["kind"] == "reset" and a["size"] == "reset to zero" for a in report)
    with pytest.raises(ExpressError, match="refractory period"):
        compile(framework(refractory=2e-3), "odin")
    with pytest.raises(ExpressError, match="excite some neurons and inhibit others"):
        compile("examples/digits.nir", "odin", approximate=["reset"])


@pytest.mark.parametrize("bits, largest", [(2, 3), (3, 7), (5, 31)])
def test_weights_of_a_framework_have_the_chips_bits(bits, largest):
    net = NetworkBuilder("layer", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("n", 5, "lif", tau=0.01, v_threshold=0.3)
    net.connect("in", "n", weights=np.random.default_rng(0).random((5, 4)))
    layout = compile(net.build(["n"]), load_chip("odin", set=(f"core.weights.bits={bits}",)))
    assert layout.weight.max() == largest
