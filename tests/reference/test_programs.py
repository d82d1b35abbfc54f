"""Neurons that users program: native instructions equal NumPy, in real numbers and in wrapping integers; faults are
named."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_engines_agree import assert_same_run

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.errors import NetworkError
from chipsim.models.draws import Draws
from chipsim.models.neurons.program import compiled
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus

N = 200
REAL = """
a = leak * a + x - (a > 1) * 0.25
b = where(a > b, exp(-abs(a)), sqrt(abs(b))) + floor(a / (b ** 2 + 1)) * sign(x)
c += clip(a, -1, limit) if a > b and not x == 0 or c < -3 else min(b, max(a, 0.5))
fired = c > 1 + random()
c = c - fired
emit = c * fired
"""
INTEGER = """
v = (v * decay >> 12) + (x << 6) + (v > 100)
w = w ^ (v & 0xFFF | ~w) + random() * (x != 0)
fired = v > threshold and not w == 3
v = -v if fired else v
emit = (abs(w) & 0xFF) * fired
"""


@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("text, integer", [(REAL, False), (INTEGER, True)])
def test_instructions_equal_numpy(text, integer, seed):
    rng, kernel = np.random.default_rng(seed), compiled(text, integer)
    dtype = "i4" if integer else "f8"
    values = [0, 1, -1, 2**31 - 1, -(2**31), 4000] if integer else [0.0, 1.0, -2.5, 1e3, np.inf, rng.normal()]
    params = {name: rng.choice(values, N).astype(dtype) for name in kernel.params}
    plain = {name: rng.choice(values, N).astype(dtype) for name in kernel.state}
    native, step = {k: v.copy() for k, v in plain.items()}, native_step(kernel)
    for t in range(4):
        x, draws = rng.choice(values[:3], N).astype(dtype), Draws(seed, t, 0, 0)
        for a, b in zip(kernel.step(plain, params, {}, x, draws), step(native, params, {}, x, draws), strict=True):
            np.testing.assert_array_equal(a, b)
        for name in plain:
            np.testing.assert_array_equal(plain[name], native[name], name)


def graded(**integer):
    net = NetworkBuilder("graded")
    net.add_input("in", 3)
    net.add_population(
        "a", 4, "program", program="s = s + x\nemit = s if s > 2 else 0\ns = 0 if s > 2 else s", **integer
    )
    net.add_population("b", 2, "program", program="got = x\nheld = got + held\nemit = 0", **integer)
    net.connect("in", "a", weights=np.array([[1, 0, 2], [0, 3, 1], [1, 1, 1], [-1, 0, 5.0]]))
    net.connect("a", "b", weights=np.array([[2, 0, -1, 3], [1, 1, 1, 1.0]]), delay=1)
    return net.build(["a", "b"])


STIMULUS = Stimulus.from_dense(np.random.default_rng(0).integers(0, 3, (12, 1, 3)))


@pytest.mark.parametrize("integer", [{}, {"arithmetic": "integer"}])
def test_a_graded_spike_multiplies_the_weights_on_its_way(integer, tmp_path):
    layout = compile(graded(**integer), "ideal")
    assert layout.accumulator == ("i4" if integer else "f8") and len(layout.models) == 2
    fast = simulate(layout, STIMULUS, record=("all", "b.held"))
    assert_same_run(fast, simulate(layout, STIMULUS, record=("all", "b.held"), engine="reference"))
    sent = fast.values["a"]
    assert sent.max() > 2
    assert np.array_equal(fast.states["b", "held"][-1], np.array([[2, 0, -1, 3], [1, 1, 1, 1]]) @ sent[:-1].sum(0))
    save_layout(layout, tmp_path / "graded.layout.h5")
    assert_same_run(simulate(load_layout(tmp_path / "graded.layout.h5"), STIMULUS), simulate(layout, STIMULUS))


@pytest.mark.parametrize("text, line, message", [
    ("emit = 1\nif x: emit = 2", 2, "is no assignment"),
    ("v = v +", 1, "is no program"),
    ("v = x\nw = v", 2, "nothing was assigned to `emit`"),
    ("emit = open('f')", 1, "calls what there is not"),
    ("v = x\nemit = x.real", 2, "has a part"),
    ("emit = x[0]", 1, "has a part"),
    ("emit = 0 < x < 1", 1, "has a part"),
    ("x = 3\nemit = x", 1, "assigns to `x`"),
    ("emit = x ** 3", 1, "has an operator"),
    ("emit = min(x)", 1, "takes 2"),
    ("emit = 'a'", 1, "no number"),
    ("emit = 99999999999999999999", 1, "too large"),
    ("emit = x << 2", 1, "works on bits"),
    ("a, b = x, x\nemit = a", 1, "is no assignment to one name"),
    ("", 1, "nothing was assigned"),
])
def test_a_fault_names_its_line(text, line, message):
    net = NetworkBuilder("n")
    net.add_population("p", 1, "program", program=text)
    with pytest.raises(NetworkError, match=message) as error:
        net.build()
    assert f"line {line} of the program" in str(error.value) and "N218" in str(error.value)


@pytest.mark.parametrize("text", ["emit = x / 2", "emit = exp(x)", "emit = 0.5"])
def test_integers_have_no_real_operations(text):
    with pytest.raises(NetworkError, match="line 1 of the program"):
        compiled(text, True)


def test_parameters_of_a_program_are_checked_like_any_models():
    net = NetworkBuilder("n")
    net.add_population("p", 2, "program", program="v = v * leak + x\nemit = v", leek=0.5)
    with pytest.raises(NetworkError) as error:
        net.build()
    assert "lacks the parameter `leak`" in str(error.value) and "no parameter `leek`" in str(error.value)
    assert load_chip("ideal").core.neuron.models[-1] == "program"
