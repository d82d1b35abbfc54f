"""Layout files: the same bytes for the same layout, arrays mapped from the file, new weights on an old layout."""
from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import h5py
import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, reweigh, save_layout
from chipsim.compiler.avoid import Avoid
from chipsim.engine import simulate
from chipsim.errors import UsageError
from chipsim.network.build import NetworkBuilder
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Dense
from chipsim.network.stimulus import Stimulus


def layers(seed, sizes=(40, 300, 30), delay=0):
    rng = np.random.default_rng(seed)
    populations = {"p0": Population("p0", (sizes[0],), "input")}
    for k, n in enumerate(sizes[1:], 1):
        params = dict(tau=np.array(0.01), r=np.array(1.0), v_leak=np.array(0.0), v_threshold=rng.uniform(1, 2, n))
        populations[f"p{k}"] = Population(f"p{k}", (n,), "lif", params)
    links = tuple(Projection(f"p{k}", f"p{k + 1}", (Dense(rng.normal(size=(b, a))),), delay)
                  for k, (a, b) in enumerate(pairwise(sizes)))
    return Network("layers", populations, links, outputs=("p2",), dt=0.001)


def same_arrays(a, b):
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if isinstance(x, np.ndarray):
            assert np.array_equal(x, y) and x.dtype == y.dtype, f.name
    for name, x in a.params.items():
        assert np.array_equal(x, b.params[name]), name


def test_same_seed_same_file_byte_for_byte(tmp_path):
    for name in ("a", "b"):
        save_layout(compile(layers(1), neurons_per_core=20, seed=3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_delays_of_axon_and_synapse_together_come_back(tmp_path):
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", 2)
    net.add_population("a", 2, "lif", tau=0.01, axon_delay=10)
    net.add_population("b", 2, "lif", tau=0.01)
    net.connect("in", "a")
    net.connect("a", "b", delay=62)
    layout = compile(net.build(["b"]), "loihi")
    save_layout(layout, tmp_path / "n.layout.h5")
    assert load_layout(tmp_path / "n.layout.h5").segment_delay.max() == layout.segment_delay.max() > 63


@pytest.mark.parametrize(("array", "at", "value", "message"), [
    ("groups", (0, 0), 9, "`groups` name cores that are not there"),
    ("groups", (0, 0), 1, "`groups` name other cores than `core_start`"),
    ("groups", (0, 1), -1, "`groups` do not cover 330 neurons"),
    ("groups", (0, 3), 7, "`groups` name populations that are not there"),
    ("population_index", (5,), 4, "every unit of every population once"),
    ("population_index", (5,), -1, "every unit of every population once"),
])
def test_a_file_whose_neurons_are_nobodys_is_refused(tmp_path, array, at, value, message):
    """The engine follows these tables without looking."""
    file = tmp_path / "n.layout.h5"
    layout = compile(layers(3), load_chip("loihi", set=("core.neurons=100",)), effort="fast")
    save_layout(layout, file)
    with h5py.File(file, "r+") as stored:
        stored["arrays"][array][at] = value
    with pytest.raises(UsageError, match=message):
        load_layout(file)


def test_large_arrays_are_mapped_and_changing_them_leaves_the_file_alone(tmp_path):
    layout, path = compile(layers(1, (400, 300, 30))), tmp_path / "a.layout.h5"
    save_layout(layout, path)
    before, again = path.read_bytes(), load_layout(path)
    assert layout.weight.nbytes > 1 << 16 and isinstance(again.weight.base, np.memmap)
    assert again.weight.flags.aligned and again.weight.flags.c_contiguous
    same_arrays(layout, again)
    again.weight[:] = 0
    assert path.read_bytes() == before
    same_arrays(layout, load_layout(path))


def test_a_mapped_layout_survives_its_file_being_replaced(tmp_path):
    layout, path = compile(layers(1, (400, 300, 30))), tmp_path / "a.layout.h5"
    save_layout(layout, path)
    again = load_layout(path)
    save_layout(compile(layers(2, (30, 20, 10))), path)
    same_arrays(layout, again)
    stimulus = Stimulus.from_dense((np.random.default_rng(0).random((5, 1, 400)) < 0.2).astype(np.uint8))
    a, b = (simulate(x, stimulus, ticks=8) for x in (layout, again))
    assert (a.counts == b.counts).all()


def test_new_weights_are_those_of_a_full_compilation_at_the_same_places(tmp_path):
    old, new = layers(1), layers(2)
    first = compile(old, neurons_per_core=20)
    renewed = reweigh(first, new)
    # the partition does not depend on weights here; pins hold the placement
    order = {p.name: [] for p in first.populations}
    for g in sorted(first.groups, key=lambda g: g.first):
        order[first.populations[g.population].name].append(int(first.cores[g.core]))
    pin = tuple((name, tuple(cores)) for name, cores in order.items() if cores)
    same_arrays(renewed, compile(new, neurons_per_core=20, avoid=Avoid(pin=pin)))
    assert not np.array_equal(renewed.weight, first.weight)
    assert renewed.target is first.target and renewed.out_axon is first.out_axon
    same_arrays(reweigh(renewed, old), first)


@pytest.mark.parametrize(("network", "message"), [
    (layers(2, (40, 299, 30)), r"other populations: p0 \[40\], p1 \[299\], p2 \[30\]"),
    (replace(layers(2), projections=layers(2).projections[:1]), "other synapses or delays"),
])
def test_another_network_cannot_lend_its_weights(network, message):
    with pytest.raises(UsageError, match=f"U423.*{message}"):
        reweigh(compile(layers(1)), network)
