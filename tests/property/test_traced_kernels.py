"""Steps that are traced and interpreted natively equal their NumPy steps to the bit, models of users included."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import N, both

from chipsim.engine.neurons import native_step
from chipsim.models.draws import Draws
from chipsim.models.kernels import Kernel
from chipsim.models.neurons import framework_models
from chipsim.models.numerics import exp
from chipsim.models.trace import trace

OWN = {name: module.kernel for name, module in framework_models.items() if hasattr(module, "parameters") and
       hasattr(module, "kernel")}
VARIANTS = [(name, tuple(options.items())) for name, choices in {
    "iaf_delta": [{"late": late, "subtract": s} for late in (False, True) for s in (False, True)],
    "iaf_exp": [{"above": False}, {"above": True}], "iaf_cond": [{}], "sanafe_lif": [{}], "relu": [{}],
    "hodgkin_huxley": [{}], "izhikevich": [{"published": False}, {"published": True}],
    "adex": [{"integrator": i, "conductance": c} for c in (False, True)
             for i in ("euler", "exponential_euler", "rk4", "nest")],
}.items() for options in choices]


@pytest.mark.parametrize("name, options", VARIANTS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_models_traced_step_equals_its_numpy_step(name, options, seed):
    rng, kernel, options = np.random.default_rng(seed), OWN[name], dict(options)
    n = 300                                                     # more than a block, and not a whole number of them
    values = rng.choice([0.0, 1.0, -1.0, 0.5, 1e3, -70.0, 1e-3, rng.normal(), 700.0], (len(kernel.params), n))
    params = {k: rng.integers(0, 4, n).astype("i4") if dtype == "i4" else values[i]
              for i, (k, dtype) in enumerate(kernel.params.items())}
    state = {k: rng.integers(0, 3, n).astype("i4") if dtype == "i4" else rng.choice([0.0, -65.0, 1.5, 40.0, -1e4], n)
             for k, dtype in kernel.state.items()}
    shape = (len(kernel.receptors), n) if len(kernel.receptors) > 1 else n
    inputs = [rng.choice([0.0, 1.0, -1.0, 30.0], shape) for _ in range(4)]
    with np.errstate(all="ignore"):
        both(kernel.step, native_step(kernel, options), state, params, options, inputs)


def test_every_model_has_a_native_step():
    assert {name for name, kernel in OWN.items() if native_step(kernel) is None} == set()


class Everything(Kernel):
    """Every operation that can be traced, on floats and on integers of 32 and 64 bits."""

    name = "everything"
    params = {"p": "f8", "k": "i4", "u": "u1"}
    state = {"x": "f8", "y": "f8", "m": "i4", "n": "i4"}
    receptors = ("a", "b")
    random = True

    @staticmethod
    def step(s, p, o, x, draws):
        f, g, k = s["x"] + x[0], p["p"] - x[1], p["k"]
        words = draws.words(len(f), 2)
        a = np.where(f > g, np.minimum(f, g), np.maximum(f, 2.5)) + np.abs(f) * np.floor(g) - np.rint(f) / (1 + g ** 2)
        b = np.sqrt(np.abs(g)) * np.sign(f) + exp(-np.abs(f)) - (-g) + (f <= g) * 0.5 + np.clip(f, -1.0, p["p"])
        i = k.astype(np.int64) * (words[0] & 1023) - (words[3] >> 7)
        j = np.where((i < 0) | (p["u"] == 1) & ~(k != 3), np.abs(i) << 3, -i ^ 5) + np.sign(i) + np.minimum(i, 7)
        s["x"][:], s["y"][:] = a, b
        s["m"][:] = s["m"] * k + 3                               # wraps around at 32 bits, as NumPy's does
        s["n"] += (j & 0xFFFF).astype(np.int32) - s["m"]
        return (j % 2 if o.get("modulo") else j & 1).astype(np.float64) + i, np.logical_or(a > b, i == j)


@given(seed=st.integers(0, 2**32))
def test_every_operation_equals_numpys(seed):
    rng = np.random.default_rng(seed)
    params = {"p": rng.normal(size=N), "k": rng.integers(-(2**31), 2**31, N).astype("i4"),
              "u": rng.integers(0, 2, N).astype("u1")}
    params["k"][: N // 2] = rng.integers(-4, 5, N // 2)
    state = {"x": rng.choice([0.0, np.nan, np.inf, -np.inf, 2.5, -1e-300, 800.0], N), "y": np.zeros(N),
             "m": rng.integers(-(2**31), 2**31, N).astype("i4"), "n": rng.integers(-(2**31), 2**31, N).astype("i4")}
    inputs = [rng.choice([0.0, 0.5, -1.5, rng.normal()], (2, N)) for _ in range(4)]
    other = {k: v.copy() for k, v in state.items()}
    compiled = native_step(Everything, {})
    with np.errstate(all="ignore"):
        for t, x in enumerate(inputs):
            a, active_a = Everything.step(state, params, {}, x, Draws(seed, t, 1, 5))
            b, active_b = compiled(other, params, {}, x, Draws(seed, t, 1, 5))
            np.testing.assert_array_equal(a, b)
            assert np.array_equal(active_a, active_b)
            for name in state:
                np.testing.assert_array_equal(state[name], other[name], name)


def test_what_is_no_elementwise_instruction_is_not_traced():
    def kernel(step):
        return type(
            "K", (Kernel,), {"name": "k", "params": {"p": "f8"}, "state": {"v": "f8"}, "step": staticmethod(step)}
        )

    def branches(s, p, o, x):
        if x > 0:
            s["v"][:] = x
        return x, x != 0

    def sums(s, p, o, x):
        return x * np.sum(s["v"]), x != 0

    def indexes(s, p, o, x):
        s["v"][:3] = 0.0
        return x, x != 0

    def foreign(s, p, o, x):
        return x + np.arange(5.0), x != 0

    assert trace(Everything, {}) is not None and trace(Everything, {"modulo": True}) is None
    assert [trace(kernel(step), {}) for step in (branches, sums, indexes, foreign)] == [None] * 4


def test_the_exponential_is_within_two_units_of_the_last_place():
    x = np.concatenate([np.linspace(-745, 709.7, 20001), [0.0, 1.0, np.inf, -np.inf, np.nan]])
    ours, theirs = exp(x), np.exp(x)
    normal = theirs > 1e-300
    assert (
        np.abs(ours - theirs)[normal & np.isfinite(theirs)] <= 2 * np.spacing(theirs[normal & np.isfinite(theirs)])
    ).all()
    assert ours[-5] == 1 and np.isposinf(ours[-3]) and ours[-2] == 0 and np.isnan(ours[-1])
