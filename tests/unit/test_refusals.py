"""Many ways not to fit: each chip says all of it in one go, and what it says to do about it helps."""
from __future__ import annotations

import re

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.errors import FitError
from chipsim.network import NetworkBuilder

SMALL = ("fabric.width=2", "fabric.height=2", "fabric.io.router=[0, 0]")        # 4 routers
ANALOG = ("synapse", "calibration")


def layers(*sizes, lines=20, model="lif", delay=0, tau=0.01):
    net = NetworkBuilder("net", dt=1e-3)
    before = net.add_input("in", lines)
    for i, n in enumerate(sizes):
        name = net.add_population(f"p{i}", n, model, tau=tau, v_threshold=1.0)
        net.connect(before, name, weights=0.1, delay=delay)
        before = name
    return net.build([before])


def image(channels, side):
    net = NetworkBuilder("net", dt=1e-3)
    net.add_input("in", (8, side, side))
    net.add_population("conv", (channels, side, side), "lif", tau=0.01)
    net.connect("in", "conv", "conv2d", kernel=3, padding=1, weights=0.1)
    return net.build()


def told(error, network, chip, settings=(), **options):
    """The diagnostics as "code population resource", and the settings that their help names."""
    with pytest.raises(error) as e:
        compile(network, load_chip(chip, set=settings), effort="fast", **options)
    assert e.value.exit_code == 3 and all(d.help for d in e.value.diagnostics)
    units = ("neurons", "neuron circuits", "input axons", "output axons", "bits", "neuron configurations")
    said = []
    for d in e.value.diagnostics:
        unit = next((u for u in units if re.search(rf"(needs [\d ]+|bound by ){u}", d.message)), "")
        said.append(f"{d.code} {d.message.split('`')[1]} {unit}".strip())
    options = [a or b for d in e.value.diagnostics for a, b in re.findall(r'--set (?:(\S+="[^"]+")|(\S+=\S+))', d.help)]
    return said, [option.replace('"', "").rstrip(";") for option in options]


WAYS = {
    "truenorth, sources": ("truenorth", layers(10, lines=300), (), ["M201 p0 input axons"]),
    "truenorth, cores": ("truenorth", layers(2000), SMALL, ["M203 net", "M202 p0 neurons"]),
    "truenorth, sources and cores": (
        "truenorth", layers(70, 10, lines=100), (*SMALL, "core.neurons=16", "core.axons_in=64"),
        ["M201 p0 input axons", "M201 p1 input axons", "M203 net", "M202 p0 neurons", "M202 p1 neurons"]),
    "spinnaker, neurons": ("spinnaker", layers(20_000), (), ["M203 net", "M202 p0 neurons"]),
    "spinnaker, memory of a neuron": ("spinnaker", layers(50, lines=4000), ("core.synapse_memory.bits=400000",),
                                      ["M201 p0 bits"]),
    "spinnaker, memory and neurons": (
        "spinnaker", layers(1300, lines=100), ("core.synapse_memory.bits=10000", "core.neurons=20"),
        ["M201 p0 bits", "M203 net", "M202 p0 bits", "M202 p0 neurons"]),
    "brainscales2, circuits": ("brainscales2", layers(600), (), ["M203 net", "M202 p0 neurons"]),
    "brainscales2, synapses of a neuron": ("brainscales2", layers(2, lines=33_000), (),
                                           ["M201 p0 neuron circuits", "M201 p0 input axons"]),
    "odin, neurons": ("odin", layers(300), (), ["M203 net", "M202 p0 neurons"]),
    "odin, rows and neurons": ("odin", layers(300, lines=300), (),
                               ["M201 p0 input axons", "M203 net", "M202 p0 neurons"]),
    "neurram, rows": ("neurram", layers(100, lines=300), (), ["M201 p0 input axons"]),
    "neurram, cores": ("neurram", layers(7000, lines=100), (), ["M203 net", "M202 p0 neurons"]),
    "loihi, sources": ("loihi", layers(5, lines=5000), SMALL, ["M201 p0 input axons"]),
    "loihi, output axons of a neuron": ("loihi", layers(1, 40, lines=4), ("core.axons_out=3", "core.neurons=10"),
                                        ["M201 p0 output axons"]),
    "loihi, configurations": ("loihi", layers(100, tau=np.linspace(0.001, 0.1, 100)),
                              (*SMALL, "core.neuron_configs=1"), ["M203 net", "M202 p0 neuron configurations"]),
    "loihi, memory": ("loihi", layers(3000, lines=1000), SMALL, ["M203 net", "M202 p0 bits"]),
    "loihi, memory, sources and cores": (
        "loihi", layers(3000, 10, lines=5000), SMALL,
        ["M201 p0 input axons", "M203 net", "M202 p0 bits", "M202 p1 bits"]),
    "loihi2, kernels that could be shared": (
        "loihi2", image(64, 24), (*SMALL, "core.synapse_memory.kernels=unrolled"), ["M203 net", "M202 conv bits"]),
    "spinnaker2, cores": ("spinnaker2", layers(16_000), ("core.neurons=100",), ["M203 net", "M202 p0 neurons"]),
    "loihi, a mesh with fewer cores than places": ("loihi", layers(5000), ("fabric.n_cores=4",),
                                                   ["M203 net", "M202 p0 neurons"]),
    "loihi2, chips of a system": ("loihi2", layers(40_000, lines=10), ("system.chips=[1, 1]", "core.neurons=100"),
                                  ["M203 net", "M202 p0 neurons"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_that_does_not_fit_is_told_and_fits_once_it_is_relieved(way):
    chip, network, settings, expected = WAYS[way]
    options = dict(approximate=ANALOG) if chip == "brainscales2" else {}
    said, help = told(FitError, network, chip, settings, **options)
    assert said == expected
    for _ in range(3):                                      # a bound from counts may be followed by an exact one
        settings = (*settings, *help)
        try:
            assert compile(network, load_chip(chip, set=settings), effort="fast", **options).n_neurons
            return
        except FitError:
            said, help = told(FitError, network, chip, settings, **options)
    pytest.fail(f"still {said} with {settings}")
