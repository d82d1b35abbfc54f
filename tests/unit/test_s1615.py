"""Networks of floating-point models in SpiNNaker's fixed point: close to what was asked for, with the error said."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.engine.run import A
from chipsim.errors import ExpressError
from chipsim.models.neurons.affine_s1615 import AffineS1615
from chipsim.models.neurons.izhikevich_s1615 import IzhikevichS1615
from chipsim.models.neurons.lif_s1615 import ONE
from chipsim.network import load_network
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus
from chipsim.report import report


@pytest.mark.parametrize("kernel", [AffineS1615, IzhikevichS1615])
@given(seed=st.integers(0, 2**32))
def test_the_native_step_equals_the_plain_one_on_any_bits(kernel, seed):
    rng, n = np.random.default_rng(seed), 150
    params = {name: rng.integers(-(2**31), 2**31, n).astype("i4") for name in kernel.params}
    params |= {name: rng.integers(0, 16, n).astype("i4") for name in ("shift_e", "shift_i")}
    params |= {"reset": rng.integers(0, 6, n).astype("i4")} if "reset" in params else {}
    plain = {name: rng.integers(-(2**31), 2**31, n).astype("i4") for name in kernel.state}
    native = {k: v.copy() for k, v in plain.items()}
    for _ in range(3):
        x = rng.choice([0, 1, 65535, 65536, 2**30], (2, n)).astype("i4")
        for a, b in zip(kernel.step(plain, params, {}, x), native_step(kernel)(native, params, {}, x), strict=True):
            assert np.array_equal(a, b)
        assert all(np.array_equal(plain[k], native[k]) for k in plain)


def voltages(model, chip, ticks=120, weight=0.0, scale=1.0, **params):
    net = NetworkBuilder("one", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 1, model, **params)
    net.connect("in", "n", weights=weight)
    x = np.zeros((ticks, 1))
    x[5::9] = 1
    layout = compile(net.build(), chip)
    run = simulate(layout, Stimulus.from_dense(x), record=("n", "n.v"), timing="none")
    return run.states["n", "v"][:, 0] / scale, run.spikes["n"][0]


@pytest.mark.parametrize("reset", ["zero", "value", "subtract", "snntorch_subtract"])
def test_a_framework_neuron_spikes_as_in_floating_point(reset):
    params = dict(tau=0.01, r=1.3, v_threshold=0.7, v_reset=0.1, reset=reset, weight=9.0)
    v, spikes = voltages("lif", "ideal", **params)
    w, fixed = voltages("lif", "spinnaker", scale=256 * ONE, **params)
    assert len(spikes) > 5 and np.array_equal(fixed, spikes + 1)          # a spike acts in the next tick there
    assert np.abs(w[1:] - v[:-1]).max() < 2e-3


def test_a_neuron_of_decaying_currents_spikes_as_in_floating_point():
    params = dict(tau=0.02, tau_exc=0.005, tau_inh=0.005, r=40.0, v_leak=-65.0, v_threshold=-50.0, v_reset=-65.0,
                  v_init=-65.0, refractory=0.002, weight=2.0)
    v, spikes = voltages("iaf_exp", "ideal", **params)
    w, fixed = voltages("iaf_exp", "spinnaker", scale=2 * ONE, **params)
    assert len(spikes) > 2 and np.abs(fixed - (spikes + 1)).max() <= 1
    before = slice(0, spikes[0] - 1)
    assert np.abs(w[1:][before] - v[:-1][before]).max() < 0.5             # the input's own closed form differs


def test_izhikevich_follows_the_midpoint_rule():
    v, u, h, spikes = -65.0, -13.0, 1.0, []
    for t in range(200):                                                  # in floating point
        alpha = 140 + 10 - u + (5 + 0.04 * v) * v
        eta, beta = v + h * alpha / 2, h * 0.02 * (0.2 * v - u) / 2
        v += h * (140 + 10 - u - beta + (5 + 0.04 * eta) * eta)
        u += 0.02 * h * (0.2 * eta - u - beta)
        h = 1.0
        if v >= 30:
            v, u, h = -65.0, u + 8, 1.85
            spikes.append(t)
    _, fixed = voltages("izhikevich", "spinnaker", ticks=200, i_e=10.0)
    assert len(spikes) >= 4 and len(fixed) == len(spikes) and np.abs(fixed - spikes).max() <= 1


def compiled(fan_in, rates=None):
    net = NetworkBuilder("fan", dt=1e-3)
    net.add_input("in", fan_in)
    net.add_population("n", 3, "lif", tau=0.01, v_threshold=100.0)
    net.connect("in", "n", weights=np.linspace(0.5, 1, 3 * fan_in).reshape(3, fan_in))
    return compile(net.build(), "spinnaker", rates=rates)


def test_without_rates_no_ring_buffer_can_saturate():
    layout = compiled(400)
    most = np.bincount(layout.target, weights=layout.weight.astype(float))
    assert 2**15 <= most.max() <= 65535


def test_measured_rates_leave_more_bits_to_the_weights():
    safe = compiled(400)
    sharp = compiled(400, {"in": np.full(400, 0.01)})
    assert sharp.params["shift_e"][0] == safe.params["shift_e"][0] - 5
    snr = [next(a["snr_dB"] for a in x.approximations if "snr_dB" in a) for x in (safe, sharp)]
    assert snr[1] > snr[0] + 20


def test_a_dense_matrix_of_both_signs_is_stored_once():
    net = NetworkBuilder("signs")
    net.add_input("in", 2)
    net.add_population("n", 2, "lif", tau=3.0)
    net.connect("in", "n", weights=np.array([[1.0, -1.0], [0.5, 0.0]]))
    layout = compile(net.build(), "spinnaker")
    assert len(layout.weight) == 3 and (layout.weight > 0).all() and set(layout.segment_receptor.tolist()) == {0, 1}


def test_several_spikes_a_tick_are_refused_unless_one_will_do():
    net = NetworkBuilder("many")
    net.add_input("in", 1)
    net.add_population("n", 1, "lif", tau=3.0, reset="multispike")
    net.connect("in", "n")
    with pytest.raises(ExpressError, match="fires several spikes a tick; spinnaker fires one"):
        compile(net.build(), "spinnaker")
    assert compile(net.build(), "spinnaker", approximate=["multispike"]).params["reset"].tolist() == [2]


def test_digits_lose_less_than_a_point_and_the_report_says_what_was_rounded(examples_dir):
    layout = compile(load_network(str(examples_dir / "digits.nir")), "spinnaker")
    stimulus = Stimulus.load(examples_dir / "digits_test.h5")
    account = report(simulate(layout, stimulus, timing="none"))
    assert account.inference.accuracy > 349 / 360 - 0.01
    rounded = [a for a in account.approximations if "snr_dB" in a]
    assert len(rounded) == 4 and min(a["snr_dB"] for a in rounded) > 60


def test_a_row_of_one_synapse_is_not_fetched():
    net = NetworkBuilder("rows")
    net.add_input("in", 2)
    net.add_population("n", 3, "lif", tau=3.0)
    net.connect("in", "n", "sparse", weights=np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]]))
    both = simulate(compile(net.build(), "spinnaker"), Stimulus.from_dense(np.ones((4, 2))))
    account = report(both).energy.by_component["synapse"].actions
    assert [account[name].count for name in ("axon_in", "row_fetch", "synop_sparse")] == [8, 4, 16]
    assert both.core_counts[:, A["row_fetch"]].sum() == 4


def test_a_board_is_a_hexagonal_torus_of_chips_with_a_router_each():
    chip = load_chip("spinnaker")
    assert (chip.n_chips, chip.n_cores, chip.n_routers) == (4, 64, 4)
    assert load_chip("spinnaker", set=("system.chips=[8, 6]",)).n_cores == 768
