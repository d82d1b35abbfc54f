"""SpiNNaker's fixed point: close to the equation it stands for, saturating and truncating where the chip does."""
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.models.neurons.lif_s1615 import ONE, LifS1615, discretise, product
from chipsim.network.build import NetworkBuilder
from chipsim.network.graph import Population
from chipsim.network.stimulus import Stimulus

CHIP = load_chip("ideal", set=("core.neuron.models=[lif_s1615]",))


def test_a_product_is_rounded_to_nearest():
    a = np.array([1, 3, -1, -3, ONE, 5 * ONE])
    assert product(a, np.full(6, ONE >> 1)).tolist() == [1, 2, 0, -1, ONE >> 1, 5 * ONE >> 1]


def run(x, weight, ticks=None, **params):
    net = NetworkBuilder("s", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("n", 1, "lif_s1615", **params)
    net.connect("in", "n", weights=weight)
    result = simulate(compile(net.build(), CHIP), Stimulus.from_dense(x), record=("n", "n.v", "n.i_exc", "n.i_inh"))
    return {k[1]: v[:, 0] / ONE for k, v in result.states.items()}, result.spikes["n"][0]


def test_the_membrane_follows_the_closed_form_to_a_few_units_of_the_last_place():
    x = np.zeros((60, 1))
    x[[2, 9, 10]] = 1
    s, spikes = run(x, 4000.0, shift_e=3, tau_syn_e=0.003, tau_refrac=0.002)
    v, i, keep, decay = -65.0, 0.0, np.exp(-1 / 20), np.exp(-1 / 3)
    for t in range(60):
        alpha = 20.0 * i - 65.0
        v = alpha - keep * (alpha - v)
        i = i * decay + x[t, 0] * 4000 * 8 / ONE * 3 * (1 - decay)
        assert abs(s["v"][t] - v) < 40 / ONE and abs(s["i_exc"][t] - i) < 4 / ONE
    assert len(spikes) == 0 and s["v"].max() > -62


def test_spikes_reset_and_rest():
    s, spikes = run(np.zeros((100, 1)), 1.0, i_offset=1.0, tau_refrac=0.0025)
    # v = -45 + (-65 + 45) e^(-k/20) reaches -50 in tick 28 (20 ln 4 = 27.7); three ticks of rest
    assert spikes.tolist() == [27, 58, 89] and (s["v"][[27, 28, 29, 30]] == -65).all() and s["v"][31] > -65


def test_a_ring_buffer_saturates_and_negative_weights_inhibit():
    x = np.zeros((3, 1))
    x[0] = 3                                                    # payload 3: 90 000 in the buffer
    s, _ = run(x, 30000.0)
    init = discretise(Population("n", (1,), "lif_s1615"), 1e-3)["init_e"][0]
    assert s["i_exc"][0] * ONE == (65535 * int(init) + ONE // 2) >> 15
    s, _ = run(np.ones((3, 1)), -100.0)
    assert s["i_inh"].min() > 0 and not s["i_exc"].any() and s["v"][2] < -65


@given(seed=st.integers(0, 2**32))
def test_the_native_step_equals_the_plain_one(seed):
    rng, n = np.random.default_rng(seed), 150
    params = {name: rng.integers(-(2**31), 2**31, n).astype("i4") for name in LifS1615.params}
    params |= {"shift_e": rng.integers(0, 16, n).astype("i4"), "shift_i": rng.integers(0, 16, n).astype("i4")}
    plain = {name: rng.integers(-(2**31), 2**31, n).astype("i4") for name in LifS1615.state}
    native = {k: v.copy() for k, v in plain.items()}
    for _ in range(3):
        x = rng.choice([0, 1, 65535, 65536, 2**30], (2, n)).astype("i4")
        for a, b in zip(LifS1615.step(plain, params, {}, x), native_step(LifS1615)(native, params, {}, x), strict=True):
            assert np.array_equal(a, b)
        assert all(np.array_equal(plain[k], native[k]) for k in plain)
