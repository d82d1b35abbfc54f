"""Analogue neurons: six-bit weights, merged circuits, calibration ranges, deviations of a specimen, noise."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.errors import ExpressError, FitError
from chipsim.models.draws import Draws, normal
from chipsim.models.neurons.analog_lif import AnalogLif
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report

ALIKE = tuple(f"core.analog.mismatch.{name}=0" for name in ("threshold", "leak", "time_constant", "synapse"))
QUIET = (*ALIKE, "core.analog.noise=0")
EXAMPLE, TEST = "examples/digits.nir", "examples/digits_test.h5"


def layered(*sizes, seed=0, weights=None, dt=1e-4, **params):
    """Layers of neurons with currents, every one onto the next with signed weights."""
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("layers", dt=dt)
    net.add_input("l0", sizes[0])
    for i, n in enumerate(sizes[1:], 1):
        net.add_population(f"l{i}", n, "cuba_lif", **dict(
            tau_mem=6e-3, tau_syn=6e-3, v_threshold=1.0, integrator="exponential") | params)
        w = rng.normal(0, 20 / np.sqrt(sizes[i - 1]), (n, sizes[i - 1])) if weights is None else weights
        net.connect(f"l{i - 1}", f"l{i}", weights=w)
    return net.build([f"l{len(sizes) - 1}"])


def spikes(lines, ticks=30, rate=0.2, seed=0):
    return Stimulus.from_dense((np.random.default_rng(seed).random((ticks, lines)) < rate).astype(np.uint8))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), sizes=st.tuples(*[st.integers(2, 40)] * 3), noise=st.integers(0, 20))
def test_both_engines_compute_the_same_noisy_circuits(seed, sizes, noise):
    chip = load_chip("brainscales2", set=(f"core.analog.noise={noise}", f"core.analog.specimen={seed % 97}"))
    layout = compile(layered(*sizes, seed=seed), chip)
    stimulus = spikes(sizes[0], seed=seed)
    plain = simulate(layout, stimulus, seed=seed, record=("all", "l1.v"), engine="reference")
    assert_same_run(plain, simulate(layout, stimulus, seed=seed, record=("all", "l1.v")))


def test_circuits_without_deviations_compute_the_networks_own_equations():
    grid = np.random.default_rng(1).integers(-63, 64, (20, 12))
    grid.flat[0] = 63
    network = layered(12, 20, weights=2 * grid)
    analog = compile(network, load_chip("brainscales2", set=QUIET))
    settings = dict(timing="none", record=("l1", "l1.v"))
    ours, exact = simulate(analog, spikes(12), **settings), simulate(compile(network, "ideal"), spikes(12), **settings)
    np.testing.assert_allclose(ours.states["l1", "v"][1:], exact.states["l1", "v"][:-1], atol=1e-9)
    assert len(exact.spikes["l1"][0]) > 20


def test_exciting_and_inhibiting_currents_have_time_constants_of_their_own():
    grid = np.random.default_rng(1).integers(-63, 64, (20, 12))
    grid.flat[0] = 63
    net = NetworkBuilder("currents", dt=1e-4)
    net.add_input("in", 12)
    net.add_population("n", 20, "iaf_exp", tau=8e-3, tau_exc=2e-3, tau_inh=5e-3, v_leak=-65.0, v_threshold=-50.0,
                       v_reset=-68.0, refractory=1e-3, r=0.2)
    net.connect("in", "n", weights=2 * grid)
    network = net.build(["n"])
    analog = compile(network, load_chip("brainscales2", set=QUIET))
    ours, exact = (simulate(layout, spikes(12, ticks=200), timing="none", record=("n", "n.v"))
                   for layout in (analog, compile(network, "ideal")))
    np.testing.assert_allclose(ours.states["n", "v"], exact.states["n", "v"], atol=1e-9)   # both one step late
    assert len(exact.spikes["n"][0]) > 10


def test_weights_are_whole_numbers_of_six_bits_and_a_sign():
    layout = compile(layered(30, 40), load_chip("brainscales2", set=QUIET))
    scale = next(a["scale"] for a in layout.approximations if "snr_dB" in a)
    levels = layout.weight / scale
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)
    assert 60 < np.abs(levels).max() <= 63.0000001 and (levels != 0).all()


def test_a_network_of_256_246_and_10_neurons_takes_all_512_circuits():
    layout = compile(layered(256, 246, 10), "brainscales2")
    assert layout.usage["neurons"].tolist() == [128] * 4
    with pytest.raises(FitError, match=r"needs .* cores, brainscales2 has 4"):
        compile(layered(256, 247, 10), "brainscales2")


def test_a_source_of_one_sign_takes_one_row_and_one_of_both_takes_two():
    def circuits(weights):
        return compile(layered(256, 20, weights=weights), "brainscales2").usage["neurons"].sum()
    mixed = np.ones((20, 256))
    mixed[0] = -1
    assert circuits(np.ones((20, 256))) == 20
    assert circuits(mixed) == 40


def test_the_noisy_step_runs_natively():
    assert native_step(AnalogLif) is not None


def test_deviations_belong_to_the_specimen():
    network = layered(30, 40)
    first, again, other = (compile(network, load_chip("brainscales2", set=(f"core.analog.specimen={k}",)))
                           for k in (1, 1, 2))
    assert np.array_equal(first.params["vth"], again.params["vth"]) and np.array_equal(first.weight, again.weight)
    assert not np.isclose(first.params["vth"], other.params["vth"]).any()


def test_deviations_are_as_large_as_the_chip_file_says():
    network = layered(100, 400)
    alike, ours = (compile(network, load_chip("brainscales2", set=s)) for s in (ALIKE, ()))
    lsb = 1 / 45                                                # threshold 125, rest 80 LSB
    assert np.std(ours.params["vth"] - alike.params["vth"]) == pytest.approx(3 * lsb, rel=0.12)
    assert np.std(ours.params["v0"] - alike.params["v0"]) == pytest.approx(3 * lsb, rel=0.12)
    assert np.std(ours.weight / alike.weight) == pytest.approx(0.05, rel=0.05)
    tau = [-1 / np.log(layout.params["av"]) for layout in (ours, alike)]
    assert np.std(tau[0] / tau[1]) == pytest.approx(0.05, rel=0.12)


def test_a_resting_potential_is_as_noisy_as_the_chip_file_says():
    layout = compile(layered(2, 50), load_chip("brainscales2", set=ALIKE))
    v = simulate(layout, ticks=2000, timing="none", record="l1.v").states["l1", "v"][300:]
    assert v.std() == pytest.approx(2 / 45, rel=0.1) and abs(v.mean()) < 0.2 / 45


def test_normal_draws_have_mean_0_and_variance_1():
    x = np.concatenate([normal(Draws(5, tick, 0, 0).words(1000, 0)) for tick in range(20)])
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02
    assert 0.003 < (np.abs(x) > 2.7).mean() < 0.009             # a normal variable: 0.0069


@pytest.mark.parametrize("params, said", [
    (dict(tau_mem=0.1), "tau_mem of 100 µs in the chip's time; circuits are calibrated to 500 ns to 60.0 µs"),
    (dict(tau_syn=2e-4), "tau_syn of 200 ns"), (dict(refractory=0.05), "rests 50.0 µs"),
    (dict(v_reset=-5.0, reset="value"), "resets to -145 to -145 LSB")])
def test_what_circuits_cannot_be_calibrated_to_is_refused_unless_allowed(params, said):
    network = layered(3, 2, dt=5e-5, **params)
    with pytest.raises(ExpressError, match=said):
        compile(network, "brainscales2")
    layout = compile(network, "brainscales2", approximate=["calibration"])
    assert any(a["kind"] == "calibration" and said in a["what"] for a in layout.approximations)


def test_input_that_acts_at_once_becomes_a_short_current_of_the_same_charge():
    net = NetworkBuilder("delta", dt=1e-5)
    net.add_input("in", 1)
    net.add_population("a", 1, "lif", tau=0.05, v_threshold=1e3, integrator="impulse")
    net.connect("in", "a", weights=np.array([[63.0]]))
    network = net.build(["a"])
    with pytest.raises(ExpressError, match="--approximate synapse: a current of time constant 300 ns"):
        compile(network, "brainscales2")
    layout = compile(network, load_chip("brainscales2", set=QUIET), approximate=["synapse"])
    run = simulate(layout, Stimulus.from_dense(np.eye(300, 1, dtype=np.uint8)), record="a.v")
    assert run.states["a", "v"].max() == pytest.approx(63, rel=0.05)


def test_a_neuron_that_rests_above_its_threshold_is_refused():
    with pytest.raises(ExpressError, match="rests at or above its threshold"):
        compile(layered(3, 2, v_leak=2.0), "brainscales2")


def test_the_digits_lose_few_points_and_the_report_has_both_times():
    run = simulate(compile(EXAMPLE, "brainscales2", approximate=["synapse"]), Stimulus.load(TEST),
                   samples=slice(0, 120))
    found = report(run)
    expected = np.load("examples/digits_expected.npz")
    framework = (expected["predicted"] == expected["labels"])[:120].mean()
    assert found.inference.accuracy > framework - 0.05
    flow = found.latency.flow
    assert flow.acceleration == 1000 and flow.model_time_s == pytest.approx(1000 * found.latency.total_s)
    assert found.energy.mean_power_W == pytest.approx(0.175)
    assert "264 ms of the network's own time, 1000 times as fast" in str(found)
