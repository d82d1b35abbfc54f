"""The metrics of NeuroBench: are they what its definitions give, counted by hand?"""
import numpy as np
import pytest

from chipsim import compile, report, simulate
from chipsim.network import NetworkBuilder, Stimulus


def test_operations_are_those_of_weights_and_spikes_that_are_not_zero():
    net = NetworkBuilder("small")
    net.add_input("in", 3)
    net.add_population("a", 2, "lif", tau=1e3, v_threshold=1e9)
    net.connect("in", "a", weights=np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    x = np.zeros((5, 2, 3))
    x[0, 0] = 1                                                     # one spike of each line in the first of two samples
    x[1, 1, 2] = 1                                                  # one of the last line in the second
    run = simulate(compile(net.build(["a"]), "ideal"), Stimulus.from_dense(x))
    found = report(run).neurobench
    assert found.Effective_ACs == (3 + 2) / 2
    assert found.Effective_MACs == 0
    assert found.ActivationSparsity == 1.0
    assert found.ConnectionSparsity in (pytest.approx(0.5), 0.0)     # dense rows keep zeros, sparse ones do not
    assert found.Dense == (6 if found.ConnectionSparsity else 3) * run.ticks / 2


def test_a_dense_row_on_loihi_keeps_its_zeros_and_takes_memory():
    net = NetworkBuilder("dense")
    net.add_input("in", 4)
    net.add_population("a", 64, "loihi_lif", vth_mant=100)
    weights = np.full((64, 4), 8)
    weights[::2] = 0
    net.connect("in", "a", weights=weights, format={"sign": "excitatory"})
    run = simulate(compile(net.build(["a"]), "loihi"), Stimulus.from_dense(np.ones((10, 4))))
    found = report(run).neurobench
    assert found.Footprint * 8 == -(-int(run.usage["synapse_bits"].sum()) // 8) * 8
    assert found.Effective_ACs == 10 * 4 * 32
    assert found.Dense == 10 * 4 * (32 if found.ConnectionSparsity == 0 else 64)
