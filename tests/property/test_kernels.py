"""The compiled neuron kernels equal the NumPy steps of their models, extremes included."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.engine.neurons import native_step
from chipsim.models.draws import Draws
from chipsim.models.neurons.affine import Affine
from chipsim.models.neurons.lif_s1615 import ONE, LifS1615
from chipsim.models.neurons.loihi_lif import PROFILES, LoihiLif
from chipsim.models.neurons.truenorth import TrueNorth

N = 40


def both(plain, compiled, state, params, options, inputs, draws=lambda t: ()):
    """Run both steps over all inputs; everything they give and leave must be equal to the bit."""
    other = {k: v.copy() for k, v in state.items()}
    for t, x in enumerate(inputs):
        a, active_a = plain(state, params, options, x, *draws(t))
        b, active_b = compiled(other, params, options, x, *draws(t))
        assert np.array_equal(a, b) and np.array_equal(active_a, active_b)
        for name in state:
            assert np.array_equal(state[name], other[name], equal_nan=True), name


@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("profile", PROFILES)
def test_loihi_kernel_equals_its_step_with_wraps_and_saturation(profile, seed):
    rng = np.random.default_rng(seed)
    big = 2**23 - 1
    params = dict(du=rng.integers(0, 4096, N), dv=rng.integers(0, 4097, N), vth=rng.integers(0, 2**17, N) << 6,
                  bias=rng.integers(-(2**19), 2**19, N), refract=rng.integers(1, 64, N))
    params = {k: v.astype(np.int32) for k, v in params.items()}
    state = dict(u=rng.choice([-big, big, 0, 1, -1, 64], N), v=rng.choice([-big, big, 0, 1, -1], N),
                 wait=rng.integers(0, 3, N))
    state = {k: v.astype(np.int32) for k, v in state.items()}
    corners = [0, 1, -1, 32767, -32768, 32768, 65536]
    inputs = [rng.choice([*corners, int(rng.integers(-(2**16), 2**16))], N).astype(np.int32) for _ in range(6)]
    if profile == "brian2loihi":                # no wraps there: keep what 32 bits hold, as the emulator's users must
        inputs = [np.clip(x, -(2**12), 2**12).astype(np.int32) for x in inputs]
    both(LoihiLif.step, native_step(LoihiLif), state, params, PROFILES[profile], inputs)


@given(seed=st.integers(0, 2**32))
def test_affine_kernel_equals_its_step_in_every_reset_mode(seed):
    rng = np.random.default_rng(seed)
    params = {name: rng.choice([0.0, 1.0, 0.9, -0.3, rng.normal()], N) for name in Affine.params}
    params |= dict(vth=rng.choice([1.0, 0.5, 2.0, 0.1], N), v_min=rng.choice([-np.inf, -1.0, 0.0], N),
                   reset=rng.integers(0, 6, N).astype(np.uint8), ge=rng.integers(0, 2, N).astype(np.uint8),
                   refractory=rng.integers(0, 3, N).astype(np.int32))
    state = dict(i=rng.normal(size=N), v=rng.choice([0.0, 1.0, -2.0, 0.3], N),
                 wait=rng.integers(0, 2, N).astype(np.int32))
    inputs = [rng.choice([0.0, 1.0, -1.0, 0.5, 7.3, rng.normal()], N) for _ in range(6)]
    both(Affine.step, native_step(Affine), state, params, {}, inputs)


@given(seed=st.integers(0, 2**32))
def test_truenorth_kernel_equals_its_step_with_every_flag_and_random_draws(seed):
    rng = np.random.default_rng(seed)
    params = {name: rng.integers(0, 2, N) for name in TrueNorth.params}
    params |= {f"s{g}": rng.choice([-255, 255, 0, 1, -1, int(rng.integers(-255, 256))], N) for g in range(4)}
    params |= dict(lam=rng.integers(-255, 256, N), alpha=rng.choice([0, 1, 100, 2**18 - 1], N),
                   beta=rng.choice([0, 1, 100, 2**18 - 1], N), tm=rng.integers(0, 19, N), gamma=rng.integers(0, 3, N),
                   r=rng.integers(-100, 100, N))
    state = {"v": rng.choice([0, 1, -1, 2**19 - 1, -(2**19)], N).astype(np.int32)}
    inputs = [rng.integers(0, rng.choice([2, 40]), (4, N)).astype(np.int32) for _ in range(5)]
    both(TrueNorth.step, native_step(TrueNorth), state, {k: v.astype(np.int32) for k, v in params.items()}, {}, inputs,
         lambda t: (Draws(seed, t, 3, 7),))


@given(seed=st.integers(0, 2**32))
def test_s1615_kernel_equals_its_step_with_full_buffers_and_large_numbers(seed):
    rng = np.random.default_rng(seed)
    large = {name: rng.integers(-(2**26), 2**26, N) for name in ("v_rest", "v_reset", "v_thresh", "i_offset")}
    params = large | dict(exp_tc=rng.integers(0, ONE + 1, N), r_membrane=rng.integers(0, 64 * ONE, N),
                          decay_e=rng.integers(0, 2**32, N).astype(np.uint32).view(np.int32),
                          decay_i=rng.integers(0, 2**32, N).astype(np.uint32).view(np.int32),
                          init_e=rng.integers(0, 2 * ONE, N), init_i=rng.integers(0, 2 * ONE, N),
                          shift_e=rng.integers(0, 16, N), shift_i=rng.integers(0, 16, N),
                          refractory=rng.integers(0, 4, N), v_init=np.zeros(N))
    params = {k: v.astype(np.int32) for k, v in params.items()}
    state = dict(v=rng.choice([0, 2**26, -(2**26), int(rng.integers(-(2**26), 2**26))], N),
                 i_exc=rng.choice([0, 1, 2**30, -(2**30)], N), i_inh=rng.choice([0, 1, 2**30], N),
                 wait=rng.integers(0, 3, N))
    state = {k: v.astype(np.int32) for k, v in state.items()}
    inputs = [rng.choice([0, 1, 0xFFFF, 0x10000, 2**30, int(rng.integers(0, 2**17))], (2, N)).astype(np.int32)
              for _ in range(6)]
    both(LifS1615.step, native_step(LifS1615), state, params, {}, inputs)
