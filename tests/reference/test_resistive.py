"""Memristive crossbars: pairs of conductances, converters of few bits, cells that came out differently."""
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
from chipsim.errors import ChipError, FitError
from chipsim.models.devices import spread
from chipsim.models.draws import Draws
from chipsim.models.neurons.crossbar_lif import CrossbarLif
from chipsim.network import NetworkBuilder, Stimulus, load_network
from chipsim.report import report

IDEAL = ("core.resistive.device=ideal", "core.resistive.read_noise=0")


def layered(*sizes, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("layers", dt=1e-3)
    net.add_input("l0", sizes[0])
    for i, n in enumerate(sizes[1:], 1):
        net.add_population(f"l{i}", n, "lif", tau=5e-3, v_threshold=1.0)
        net.connect(f"l{i - 1}", f"l{i}", weights=rng.normal(0.4, 3 * spread, (n, sizes[i - 1])))
    return net.build([f"l{len(sizes) - 1}"])


def spikes(lines, ticks=20, rate=0.2, seed=0):
    return Stimulus.from_dense((np.random.default_rng(seed).random((ticks, lines)) < rate).astype(np.uint8))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), sizes=st.tuples(*[st.integers(2, 150)] * 3), noise=st.integers(0, 20),
       bits=st.integers(2, 10), device=st.sampled_from(["ideal", "wan2022_second", "wan2022_two_days"]))
def test_both_engines_compute_the_same_converted_sums(seed, sizes, noise, bits, device):
    chip = load_chip("neurram", set=(f"core.resistive.read_noise={noise}", f"core.resistive.converter_bits={bits}",
                                     f"core.resistive.device={device}", f"core.resistive.specimen={seed % 97}"))
    layout = compile(layered(*sizes, seed=seed), chip)
    stimulus = spikes(sizes[0], seed=seed)
    plain = simulate(layout, stimulus, seed=seed, record=("all", "l1.v"), engine="reference")
    assert_same_run(plain, simulate(layout, stimulus, seed=seed, record=("all", "l1.v")))


def test_the_noisy_step_runs_natively():
    assert native_step(CrossbarLif) is not None


def test_perfect_cells_and_fine_converters_compute_the_networks_own_sums():
    network = layered(60, 40)
    fine = compile(network, load_chip("neurram", set=(*IDEAL, "core.resistive.converter_bits=16")))
    ours, exact = (simulate(layout, spikes(60), record=("l1.v",)).states["l1", "v"]
                   for layout in (fine, compile(network, "ideal")))
    np.testing.assert_allclose(ours[1:], exact[:-1], atol=2e-2)             # a tick later; steps of 1/1000
    assert np.abs(ours).max() > 0.5


def test_what_a_neuron_reads_is_a_whole_number_of_steps_within_the_range():
    layout = compile(layered(60, 40), load_chip("neurram", set=("core.resistive.converter_bits=3",)))
    params = {name: layout.params[name].copy() for name in CrossbarLif.params}
    params |= {"av": np.zeros(40), "vth": np.full(40, 1e9), "bx": np.ones(40), "cv": np.zeros(40)}
    state = {name: np.zeros(40, dtype) for name, dtype in CrossbarLif.state.items()}
    x = np.random.default_rng(0).normal(0, 30, 40)
    x[:3] = 0
    CrossbarLif.step(state, params, {}, x, Draws(0, 0, 0, 0))
    codes = state["v"] / params["lsb"]
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-9)
    assert codes.min() == -4 and codes.max() == 3 and (codes[:3] == 0).all()


def test_cells_deviate_as_measured_and_belong_to_the_specimen():
    network = layered(128, 128, spread=0.0)                                 # all weights alike: 0.4, the largest
    def weights(specimen, *settings):
        chip = load_chip("neurram", set=(f"core.resistive.specimen={specimen}", *settings))
        return compile(network, chip).weight
    first, again, other = weights(1), weights(1), weights(2)
    assert np.array_equal(first, again) and abs(np.corrcoef(first, other)[0, 1]) < 0.05
    pair = np.hypot(*(spread("wan2022_second", np.array([g])) for g in (40.0, 1.0)))
    assert np.std(first / 0.4) == pytest.approx(pair[0] / 39, rel=0.03)
    np.testing.assert_allclose(weights(1, *IDEAL), 0.4)


def test_cells_relax_with_time():
    targets = np.linspace(1, 40, 40)
    second, day, days = (spread(f"wan2022_{age}", targets).mean() for age in ("second", "day", "two_days"))
    assert 1.0 < second < min(day, days) and max(day, days) < 4.0


def test_weights_of_few_bits_are_levels_of_conductance():
    chip = load_chip("neurram", set=(*IDEAL, "core.weights.bits=3"))
    layout = compile(layered(60, 40), chip)
    levels = layout.weight / np.abs(layout.weight).max() * 7
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)


def test_a_neuron_with_more_inputs_than_rows_does_not_fit():
    with pytest.raises(FitError, match="input axons"):
        compile(layered(257, 10), "neurram")


def test_digits_are_told_apart_with_few_bits_and_imperfect_cells():
    network = load_network("examples/digits.nir", dialect="snntorch")
    stimulus = Stimulus.load("examples/digits_test.h5")

    def accuracy(*settings):
        layout = compile(network, load_chip("neurram", set=settings))
        return report(simulate(layout, stimulus, timing="none")).inference.accuracy
    assert accuracy() > 0.93 and accuracy("core.resistive.converter_bits=3") < 0.6
    assert accuracy("core.resistive.converter_bits=8") > 0.95


@pytest.mark.parametrize("setting, said", [
    ("core.resistive.g_min=40", "not below `g_max`"), ("core.resistive.g_max=50", "measured up to 40 uS"),
    ("core.neuron.models=[affine]", "needs neurons behind converters")])
def test_crossbars_that_make_no_sense_are_refused(setting, said):
    with pytest.raises(ChipError, match=said):
        load_chip("neurram", set=(setting,))
