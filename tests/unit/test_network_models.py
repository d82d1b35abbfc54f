"""Discretised models solve their equations, and options mean what they say."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from chipsim.errors import NetworkError
from chipsim.models.neurons import framework_models, parameters_of
from chipsim.models.neurons.affine import Affine
from chipsim.network.graph import Population


def run(model, x, dt, options, **params):
    """Emitted values and membrane per tick of a population of one, for inputs x[T]."""
    p = framework_models[model].discretise(Population("p", (1,), model, params, options), dt) | {"bias": np.zeros(1)}
    state = {"i": np.zeros(1), "v": np.zeros(1), "wait": np.zeros(1, np.int32)}
    emitted, v = [], []
    for value in x:
        emitted.append(Affine.step(state, p, {}, np.array([value]))[0][0])
        v.append(state["v"][0])
    return np.array(emitted), np.array(v)


@pytest.mark.parametrize("tau_syn, tau_mem", [(0.003, 0.01), (0.01, 0.003), (0.005, 0.005), (0.005, 0.0050001)])
def test_the_exponential_integrator_of_cuba_is_the_solution_of_its_equation(tau_syn, tau_mem):
    x, dt, r, w, leak = np.random.default_rng(0).normal(size=12), 2e-3, 1.7, 0.6, 0.3
    y, expected = np.zeros(2), []
    for value in x:
        def slope(_, s, value=value):
            return [(w * value - s[0]) / tau_syn, (leak - s[1] + r * s[0]) / tau_mem]
        y = solve_ivp(slope, (0, dt), y, rtol=1e-10, atol=1e-12).y[:, -1]
        expected.append(y[1])
    emitted, _ = run("cuba_leaky", x, dt, {"integrator": "exponential"}, tau_syn=tau_syn, tau_mem=tau_mem, r=r, w_in=w,
                     v_leak=leak)
    np.testing.assert_allclose(emitted, expected, atol=1e-8)


@pytest.mark.parametrize("integrator, expected", [
    ("euler", [0.5, 0.75]), ("exponential", [1 - np.exp(-0.5), 1 - np.exp(-1.0)]), ("impulse", [1, 1 + np.exp(-0.5)])])
def test_integrators_differ_as_the_frameworks_do(integrator, expected):
    emitted, _ = run("leaky", [1.0, 1.0], 1.0, {"integrator": integrator}, tau=2.0)
    np.testing.assert_allclose(emitted, expected)


def test_rockpool_ignores_resistance_and_decays_what_came_in():
    e = np.exp(-0.5)
    params = {"tau_syn": 2.0, "tau_mem": 2.0, "r": 9.0, "w_in": 9.0}
    emitted, _ = run("cuba_leaky", [1.0, 0.0], 1.0, {"integrator": "rockpool"}, **params)
    np.testing.assert_allclose(emitted, [e, e * e + e * e])
    np.testing.assert_allclose(run("leaky", [1.0], 1.0, {"integrator": "rockpool"}, tau=2.0, r=9.0)[0], [e])


@pytest.mark.parametrize("reset, spikes, left", [
    ("zero", [1, 0, 1], [0, 0.5, 0]),
    ("value", [1, 0, 1], [-0.25, 0.25, -0.25]),
    ("subtract", [1, 1, 1], [1.5, 1.0, 1.5]),
    ("multispike", [2, 1, 1], [0.5, 0.0, 0.5]),
])
def test_resets_leave_behind_what_their_name_says(reset, spikes, left):
    out, v = run("integrate_fire", [2.5, 0.5, 1.5], 1.0, {"reset": reset, "compare": ">="}, v_reset=-0.25)
    assert out.tolist() == spikes
    assert v.tolist() == left


def test_a_neuron_at_its_threshold_fires_only_with_greater_or_equal():
    assert run("integrate_fire", [1.0], 1.0, {})[0][0] == 0
    assert run("integrate_fire", [1.0], 1.0, {"compare": ">="})[0][0] == 1


def test_refractory_time_is_rounded_to_ticks():
    out, _ = run("integrate_fire", [2.0] * 8, 1e-3, {}, refractory=2.2e-3)
    assert out.tolist() == [1, 0, 0, 1, 0, 0, 1, 0]


def test_v_min_bounds_the_membrane_after_the_reset():
    assert run("integrate_fire", [-5.0], 1.0, {"v_min": "-vth"}, v_threshold=2.0)[1][0] == -2
    assert run("integrate_fire", [-5.0], 1.0, {"v_min": -0.5})[1][0] == -0.5
    assert run("integrate_fire", [-5.0], 1.0, {})[1][0] == -5


def test_gain_dt_takes_the_equation_at_its_word():
    assert run("integrator", [1.0, 1.0], 0.25, {"gain": "dt"})[0].tolist() == [0.25, 0.5]
    assert run("integrator", [1.0, 1.0], 0.25, {})[0].tolist() == [1, 2]


def test_stateless_models():
    assert run("threshold", [0.4, 0.6, 0.5], None, {}, threshold=0.5)[0].tolist() == [0, 1, 0]
    assert run("relay", [0.4, -0.6], None, {})[0].tolist() == [0.4, -0.6]


def test_every_model_gives_every_parameter_of_the_kernel_once_per_neuron():
    for name, module in framework_models.items():
        if hasattr(module, "kernel"):
            continue
        given = {k: 0.5 for k, p in module.parameters.items() if p.default is None}
        arrays = module.discretise(Population("p", (2, 3), name, given), 0.1)
        assert {k: (a.dtype.str[1:], a.shape) for k, a in arrays.items()} == \
            {k: (v, (6,)) for k, v in Affine.params.items() if k != "bias"}


@pytest.mark.parametrize("name", [n for n, m in framework_models.items()
                                  if hasattr(m, "kernel") and hasattr(m, "parameters")])
def test_a_model_with_a_kernel_of_its_own_gives_that_kernels_parameters(name):
    module = framework_models[name]
    given = {k: 1.0 for k, p in module.parameters.items() if p.default is None}
    for dt in (None, 1e-3):
        arrays = module.discretise(Population("p", (2, 3), name, given), dt)
        assert {k: (a.dtype.str[1:], a.shape) for k, a in arrays.items()} == \
            {k: (v, (6,)) for k, v in module.kernel.params.items()}
        assert module.kernel.initial.keys() <= module.kernel.state.keys()


def test_a_kernel_is_no_framework_model():
    assert {"affine", "framework", "loihi_lif"}.isdisjoint(framework_models)
    assert parameters_of("loihi_lif").keys() == {"du", "dv", "vth_mant", "bias_mant", "bias_exp", "refract"}
    assert parameters_of("none") is None


@pytest.mark.parametrize("model, dt, options, params, message", [
    ("lif", 1.0, {}, {}, "`tau` is missing"),
    ("lif", 1.0, {}, {"tau": -1.0}, "must be above 0 s"),
    ("lif", 1.0, {}, {"tau": np.ones(3)}, r"has shape \(3\), its population \(1\)"),
    ("lif", 1.0, {}, {"tau": np.nan}, "NaN"),
    ("lif", 1.0, {"integrator": "euler"}, {"tau": 0.1}, "diverge"),
    ("lif", 1.0, {"integrator": "rk4"}, {"tau": 5.0}, "`rk4` is unknown"),
    ("lif", 1.0, {"reset": "soft"}, {"tau": 5.0}, "`soft` is unknown"),
    ("integrate_fire", 1.0, {"reset": "multispike"}, {"v_threshold": 0.0}, "thresholds above 0"),
    ("cuba_lif", 1.0, {"integrator": "exponential"}, {"tau_syn": 0.01, "tau_mem": 5.0}, "100 times tau_syn"),
])
def test_what_cannot_be_discretised_is_named(model, dt, options, params, message):
    with pytest.raises(NetworkError, match=message) as error:
        run(model, [], dt, options, **params)
    assert "`p`" in str(error.value)
