"""What is said to bind a population does: with the remedy that is named it takes fewer cores."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.binding import binding
from chipsim.network import NetworkBuilder


def network(sources=8, per_neuron=8, taus=1, n=48):
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", n * sources // 8)
    net.add_population("p", n, "lif", tau=0.01 + 0.001 * (np.arange(n) % taus))
    weights = np.zeros((n, n * sources // 8))
    for i in range(n):
        weights[i, (i * sources // 8 + np.arange(per_neuron)) % weights.shape[1]] = 0.1 + 0.01 * (i % 7)
    net.connect("in", "p", "sparse", weights=weights)
    return net.build(["p"])


@pytest.mark.parametrize(("setting", "bound", "before", "remedy", "relieved"), [
    ("core.neurons=10", "neurons", {}, "larger cores", ({}, "core.neurons=20")),
    ("core.axons_in=16", "axons_in", {}, "fewer sources", ({"sources": 2, "per_neuron": 2}, None)),
    ("core.synapse_memory.bits=4096", "synapse_bits", {}, "fewer synapses", ({"per_neuron": 2}, None)),
    ("core.neuron_configs=3", "neuron_configs", {"taus": 12}, "fewer different time constants", ({"taus": 3}, None)),
])
def test_the_limit_that_binds_is_named_and_its_remedy_saves_cores(setting, bound, before, remedy, relieved):
    (row,) = binding(layout := compile(network(**before), load_chip("loihi", set=(setting,))))
    assert row["resource"] == bound and row["cores"] == layout.n_cores > 2 and row["full"] > 0.8
    assert remedy in row["remedy"]
    change, other = relieved
    after = compile(network(**before | change), load_chip("loihi", set=(other or setting,)))
    assert after.n_cores < layout.n_cores


def test_out_axons_bind_and_larger_cores_of_the_targets_relieve_them():
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("a", 12, "lif", tau=0.01)
    net.add_population("b", 40, "lif", tau=0.01)
    net.connect("in", "a", "dense", weights=1.0)
    net.connect("a", "b", "dense", weights=1.0)
    chips = [load_chip("loihi", set=("core.axons_out=8", f"core.neurons={n}")) for n in (10, 40)]
    few, many = (binding(compile(net.build(["b"]), chip))[0] for chip in chips)
    assert few["resource"] == "axons_out" and "more neurons to a core" in few["remedy"] and many["cores"] < few["cores"]


def test_where_nothing_is_full_nothing_binds():
    (row,) = binding(compile(network(), "loihi"))
    assert row["resource"] is row["remedy"] is None and row["full"] < 0.1
