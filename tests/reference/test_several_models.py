"""Populations of different models in one layout, and models that only have a NumPy step."""
from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from test_engines_agree import assert_same_run

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.errors import ExpressError, UsageError
from chipsim.models import neurons
from chipsim.models.draws import Draws
from chipsim.models.kernels import REGISTERED, Kernel
from chipsim.models.neurons.framework import Parameter
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus


class Escape(Kernel):
    """Leaky sum of exc minus inh that fires with a probability: v / 4 of a chance in every tick."""

    name = "escape"
    params = {"keep": "f8", "v0": "f8"}
    state = {"v": "f8"}
    initial = {"v": "v0"}
    receptors = ("exc", "inh")
    by_sign = "magnitude"
    random = True

    @staticmethod
    def step(s, p, o, x, draws):
        s["v"][:] = p["keep"] * s["v"] + x[0] - x[1]
        chance = draws.words(len(p["keep"]), 0)[0] / 2.0**32
        return (chance < s["v"] / 4).astype(float), s["v"] != 0


@pytest.fixture
def escape():
    """The model above, registered as a user would, and forgotten afterwards."""
    module = ModuleType("my.escape")
    module.parameters, module.kernel = {"keep": Parameter("", 0.5)}, Escape
    module.discretise = lambda population, dt: {"keep": np.full(population.size, population.params.get("keep", 0.5)),
                                                "v0": np.full(population.size, 0.25)}
    neurons.register(module)
    yield module
    del REGISTERED["escape"]
    del neurons.framework_models["escape"]


def network():
    rng = np.random.default_rng(1)
    net = NetworkBuilder("two", dt=1e-3)
    net.add_input("in", 6)
    net.add_population("a", 20, "lif", tau=0.01, v_threshold=0.3)
    net.add_population("b", 30, "escape")
    net.connect("in", "a", "dense", weights=rng.normal(size=(20, 6)))
    net.connect("a", "b", "dense", weights=rng.normal(size=(30, 20)), delay=1)
    net.connect("b", "a", "random", probability=0.3, weights=0.2, delay=2)
    net.connect("in", "b", "dense", weights=-0.1, receptor="exc")
    return net.build(["a", "b"])


def chip():
    return load_chip("ideal", set=("core.neuron.models=[affine, escape]",))


STIMULUS = Stimulus.from_dense((np.random.default_rng(2).random((20, 2, 6)) < 0.4).astype(np.uint8))


def test_engines_agree_on_two_models_side_by_side(escape):
    layout = compile(network(), chip())
    assert [m.name for m in layout.models] == ["affine", "escape"] and layout.n_receptors == 2
    options = dict(seed=7, record=("all", "a.v", "b.v"))
    fast = simulate(layout, STIMULUS, **options)
    assert_same_run(fast, simulate(layout, STIMULUS, engine="reference", **options))
    assert all(len(fast.spikes[name][0]) > 20 for name in "ab")
    other = simulate(layout, STIMULUS, **options | {"seed": 8})
    assert not np.array_equal(fast.spikes["b"][1], other.spikes["b"][1])


def test_a_model_starts_every_sample_from_its_initial_state(escape):
    silence = Stimulus.from_dense(np.zeros((3, 2, 6), np.uint8))
    v = simulate(compile(network(), chip()), silence, record=("b.v",)).states["b", "v"]
    assert v[0, 0] == v[3, 0] == 0.125


def test_a_step_that_only_numpy_can_run_gives_the_same_in_the_compiled_engine(escape, monkeypatch):
    def step(s, p, o, x, draws):
        return kept(s, p, o, x, draws) if len(x[0]) and not np.isnan(x[0]).any() else None

    kept = Escape.step
    native = simulate(compile(network(), chip()), STIMULUS)
    monkeypatch.setattr(Escape, "step", staticmethod(step))
    assert native_step(Escape) is None
    assert_same_run(native, simulate(compile(network(), chip()), STIMULUS))


def test_a_failing_step_is_reported_as_it_is(escape):
    def step(s, p, o, x, draws):
        raise ZeroDivisionError("no such luck")

    escape.kernel.step, kept = staticmethod(step), escape.kernel.step
    try:
        for engine in ("compiled", "reference"):
            with pytest.raises(ZeroDivisionError, match="no such luck"):
                simulate(compile(network(), chip()), STIMULUS, engine=engine)
    finally:
        escape.kernel.step = staticmethod(kept)


def test_a_layout_with_several_models_survives_a_file(escape, tmp_path):
    layout = compile(network(), chip())
    save_layout(layout, tmp_path / "two.layout.h5")
    assert_same_run(simulate(load_layout(tmp_path / "two.layout.h5"), STIMULUS), simulate(layout, STIMULUS))
    del REGISTERED["escape"]
    with pytest.raises(UsageError, match="U416"):
        simulate(load_layout(tmp_path / "two.layout.h5"), STIMULUS)
    REGISTERED["escape"] = Escape


def test_draws_depend_on_seed_tick_neuron_and_stream_alone():
    whole = Draws(5, 3, 1, 0).words(10, 0)
    assert np.array_equal(whole[:, 4:], Draws(5, 3, 1, 4).words(6, 0))
    for other in (Draws(6, 3, 1, 0), Draws(5, 4, 1, 0), Draws(5, 3, 2, 0), Draws(5 + 2**32, 3, 1, 0)):
        assert not (whole == other.words(10, 0)).any()
    assert not (whole == Draws(5, 3, 1, 0).words(10, 1)).any()


def test_philox_gives_the_numbers_of_its_authors():
    """Known answers of Random123 (kat_vectors, philox4x32 10)."""
    from chipsim.models.draws import philox

    ones = 0xFFFFFFFF
    assert [hex(w) for w in philox((0, 0, 0, 0), 0).tolist()] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]
    assert [hex(w) for w in philox((ones,) * 4, ones << 32 | ones).tolist()] == [
        "0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]


def refusal(chip, receptor="", model="lif"):
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("a", 1, model, tau=0.01)
    net.connect("in", "a", receptor=receptor)
    with pytest.raises(ExpressError) as error:
        compile(net.build(), load_chip("ideal", set=(f"core.neuron.models={chip}",)))
    return str(error.value)


def test_what_a_chip_or_a_model_lacks_is_named():
    assert "M230" in refusal("[nonsense]")
    assert "M235" in refusal("[affine]", receptor="exc")


def test_kernels_that_share_a_name_of_an_array_share_its_type():
    kernels = [m.kernel for m in [*neurons.framework_models.values()] if hasattr(m, "kernel")]
    for accumulator in ("i4", "f8"):
        types: dict = {}
        for kernel in kernels:
            if kernel.accumulator == accumulator:
                for name, dtype in [*kernel.params.items(), *kernel.state.items()]:
                    assert types.setdefault(name, dtype) == dtype, (kernel.name, name)
    assert native_step(Escape) is not None
