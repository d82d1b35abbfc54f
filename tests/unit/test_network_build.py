"""Networks built in Python."""
from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from chipsim.errors import NetworkError
from chipsim.network import Network, NetworkBuilder, load_network
from chipsim.network.build import from_networkx, from_scipy
from chipsim.network.linear import fold


@pytest.fixture
def net():
    net = NetworkBuilder("n", dt=1e-3)
    net.add_input("in", (1, 4, 4))
    net.add_population("a", (2, 3, 3), "lif", tau=0.02, reset="subtract")
    net.add_population("b", 18, "lif", tau=0.02)
    return net


def matrix(projection, net):
    return fold(projection.ops, net.populations[projection.pre].shape).maps[0]


def test_every_kind_of_projection(net):
    conv = net.connect("in", "a", "conv2d", weights=np.ones((2, 1, 2, 2)), bias=[1, 2])
    assert matrix(conv, net).shape == (18, 16)
    one = net.connect("a", "b", "one_to_one", weights=np.arange(18))
    assert np.array_equal(matrix(one, net).toarray(), np.diag(np.arange(18)))
    dense = net.connect("a", "b", weights=0.5)
    assert np.array_equal(matrix(dense, net), np.full((18, 18), 0.5))
    w = random_array((18, 18), density=0.2, rng=np.random.default_rng(0))
    assert abs(matrix(net.connect("b", "b", "sparse", weights=w, delay=1), net) - csr_array(w)).max() == 0
    network = net.build()
    assert isinstance(network, Network)
    assert load_network(network) is network
    assert network.outputs == ("b",)
    assert network.populations["a"].options == {"reset": "subtract"}
    assert fold(network.projections[0].ops, (1, 4, 4)).bias.tolist() == [1.0] * 9 + [2.0] * 9


def test_random_projections_are_drawn_by_seed_with_the_given_probability():
    net = NetworkBuilder()
    net.add_input("in", 400)
    net.add_population("n", 300, "lif", tau=1.0)
    first, same, other = (matrix(net.connect("in", "n", "random", probability=0.1, weights=2.0, seed=s), net)
                          for s in (1, 1, 2))
    assert (first != same).nnz == 0
    assert (first != other).nnz > 0
    assert abs(first.nnz - 12_000) < 5 * np.sqrt(12_000 * 0.9)
    assert set(first.data) == {2.0}
    assert matrix(net.connect("in", "n", "random", probability=0.0), net).nnz == 0
    assert matrix(net.connect("in", "n", "random", probability=1.0), net).nnz == 120_000


def test_from_scipy_keeps_the_matrix():
    w = random_array((20, 20), density=0.3, rng=np.random.default_rng(1))
    network = from_scipy(w, tau=0.02, v_threshold=0.5, dt=1e-3)
    _, recurrent = network.projections
    assert recurrent.delay == 1
    assert abs(fold(recurrent.ops, (20,)).maps[0] - csr_array(w)).max() == 0
    assert network.populations["neurons"].params["v_threshold"] == 0.5


def test_from_networkx_reads_weights_and_delays_of_edges():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc")
    graph.add_edge("a", "b", weight=0.5)
    graph.add_edge("b", "c", weight=-1.0, delay=3)
    network = from_networkx(graph, tau=0.02)
    found = {}
    for q in network.projections[1:]:
        rows, columns = fold(q.ops, (3,)).maps[0].nonzero()
        found |= {(int(c), int(r)): q.delay for r, c in zip(rows, columns, strict=True)}
    assert found == {(0, 1): 1, (1, 2): 3}
    both = from_networkx(nx.Graph([("a", "b")]), tau=0.02).projections[1]
    assert fold(both.ops, (2,)).maps[0].toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("call, message", [
    (lambda n: n.add_population("a", 3, "lif"), "two populations `a`"),
    (lambda n: n.connect("in", "c"), "no population `c`"),
    (lambda n: n.connect("in", "b", "dens"), "did you mean `dense`"),
    (lambda n: n.connect("a", "b", weights=np.ones((3, 3))), r"shape \(3, 3\), need \(18, 18\)"),
    (lambda n: n.connect("in", "b", "one_to_one"), r"\(1, 4, 4\) and \(18\)"),
    (lambda n: n.connect("in", "b", "random", probability=2), "probability is 2"),
    (lambda n: n.connect("in", "b", probability=0.5), "only goes with kind random"),
    (lambda n: n.connect("in", "b", stride=2), "stride only go with kind conv2d"),
    (lambda n: n.connect("in", "a", "conv2d", weights=np.ones((2, 1, 2, 2)), strides=2), "did you mean `stride`"),
    (lambda n: (n.connect("in", "a", "conv2d", weights=np.ones((3, 1, 2, 2))), n.build()), r"gives \(3, 3, 3\) values"),
    (lambda n: n.connect("a", "b", bias=np.ones(3)), r"bias has shape \(3\), need \(18,\)"),
    (lambda n: n.connect("a", "b", weights="many"), "not an array of numbers"),
    (lambda n: n.build(), "`a` receives nothing"),
])
def test_wrong_calls_are_explained(net, call, message):
    with pytest.raises(NetworkError, match=message):
        call(net)
