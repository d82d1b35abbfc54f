"""Speed of the demo network on Loihi: compile it, run ten images at each level of timing."""
from __future__ import annotations

import pytest

import chipsim


@pytest.fixture(scope="module")
def network():
    return chipsim.load_network("examples/digits.nir", dialect="snntorch")


@pytest.fixture(scope="module")
def stimulus():
    return chipsim.Stimulus.load("examples/digits_test.h5", ticks_per_sample=20).select(range(10))


@pytest.fixture(scope="module")
def loihi():
    return chipsim.load_chip("loihi")


def test_compile(benchmark, network, loihi):
    layout = benchmark(chipsim.compile, network, loihi)
    assert layout.n_neurons == 106


@pytest.mark.parametrize("timing", ["none", "analytic", "exact"])
def test_simulate_ten_images(benchmark, network, loihi, stimulus, timing):
    layout = chipsim.compile(network, loihi)
    run = benchmark(chipsim.simulate, layout, stimulus, timing=timing)
    assert len(run.samples["predicted"]) == 10
