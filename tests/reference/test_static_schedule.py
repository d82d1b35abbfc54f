"""Chips that run layer after layer (`time_base: static_schedule`): the function of the network, whatever the layout."""
from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import simulate
from chipsim.network import NetworkBuilder, Stimulus

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


@st.composite
def layered(draw):
    """Layers with skips and loops; weights are whole numbers up to 127 over 64, so that 8 bits hold them exactly."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    net = NetworkBuilder("layers", dt=1e-3)
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    names = ["in", *(f"n{i}" for i in range(1, len(sizes)))]
    net.add_input("in", sizes[0])
    order = draw(st.permutations(range(1, len(sizes))))              # as the file has them, not as they run
    for i in order:
        reset = draw(st.sampled_from(["zero", "subtract"]))
        net.add_population(names[i], sizes[i], "lif", tau=5e-3, r=5.0, v_threshold=0.7, reset=reset)
    for post in range(1, len(sizes)):
        sources = {post - 1, *draw(st.lists(st.integers(0, len(sizes) - 1), max_size=2))}
        for pre in sorted(sources):
            if pre == 0 and post != 1:
                continue
            weights = rng.integers(-127, 128, (sizes[post], sizes[pre]))
            weights.flat[0] = 127
            sparse = draw(st.booleans())
            if sparse:
                weights = weights * (rng.random(weights.shape) < 0.5)
                weights.flat[0] = 127
            net.connect(names[pre], names[post], "sparse" if sparse else "dense", weights=weights / 64,
                        delay=int(pre >= post))
    return net.build([names[-1]])


def noise(size, seed, ticks=12):
    return Stimulus.from_dense((np.random.default_rng(seed).random((ticks, size)) < 0.5).astype(np.uint8))


@FEW
@given(network=layered(), width=st.integers(1, 4), height=st.integers(1, 3), per_core=st.integers(3, 12),
       seed=st.integers(0, 9), timing=st.sampled_from(["none", "analytic", "exact"]))
def test_the_function_is_that_of_the_network_on_any_number_of_cores(network, width, height, per_core, seed, timing,
                                                                    tmp_path_factory):
    chip = load_chip("northpole", set=(f"fabric.width={width}", f"fabric.height={height}"))
    fits = 5 * 12 // per_core < width * height
    layout = compile(network, chip, neurons_per_core=per_core if fits else None)
    stimulus = noise(network.populations["in"].size, seed)
    run = simulate(layout, stimulus, record="all", timing=timing)
    assert_same_run(simulate(layout, stimulus, record="all", timing=timing, engine="reference"), run)
    file = tmp_path_factory.mktemp("stored") / "a.layout.h5"
    save_layout(layout, file)
    assert_same_run(simulate(load_layout(file), stimulus, record="all", timing=timing, threads=2), run)
    floating = simulate(compile(network, "ideal"), stimulus, record="all")
    for name, (tick, index) in floating.spikes.items():
        assert np.array_equal(run.spikes[name], (tick, index)), name


def test_a_convolution_spread_over_cores_is_the_convolution():
    net = NetworkBuilder("image", dt=1e-3)
    net.add_input("in", (2, 8, 8))
    net.add_population("conv", (4, 8, 8), "lif", tau=5e-3, r=5.0, v_threshold=0.7)
    net.add_population("out", 5, "lif", tau=5e-3, r=5.0, v_threshold=0.7)
    rng = np.random.default_rng(3)
    kernel, dense = rng.integers(-127, 128, (4, 2, 3, 3)) / 64, rng.integers(-127, 128, (5, 256)) / 512
    kernel.flat[0], dense.flat[0] = 127 / 64, 127 / 512
    net.connect("in", "conv", "conv2d", weights=kernel, padding=1)
    net.connect("conv", "out", weights=dense)
    network, stimulus = net.build(["out"]), noise(128, 1)
    layout = compile(network, "northpole", neurons_per_core=20)
    run = simulate(layout, stimulus, record="all")
    stored = 8 * (kernel.size + dense.size)                         # each once on the chip, and inputs on each core
    assert layout.n_cores > 10
    assert layout.usage["synapse_bits"].sum() == stored + 8 * layout.usage["axons_in"].sum()
    floating = simulate(compile(network, "ideal"), stimulus, record="all")
    for name, spikes in floating.spikes.items():
        assert np.array_equal(run.spikes[name], spikes), name
    assert run.spikes["out"][0].size > 5
