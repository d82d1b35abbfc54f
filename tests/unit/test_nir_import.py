"""Every primitive of NIR, as written by the `nir` package, and the deviations of real exporters."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import NetworkError
from chipsim.network import load_network
from chipsim.network.linear import fold

sys.path.insert(0, str(Path(__file__).parent))
from nir_eval import evaluate

nir = pytest.importorskip("nir", reason="the `nir` package is a development dependency")
RNG = np.random.default_rng(0)


def shape_of(*dims):
    return {"input": np.array(dims)}


def graph(nodes, edges, **kwargs):
    return nir.NIRGraph(nodes=nodes, edges=edges, type_check=False, **kwargs)


def write(path, source):
    """As nir.write, which cannot write that a shape is unknown: then the key is left out, as older versions did."""
    import h5py
    unknown = [k for k, n in source.nodes.items() if getattr(n, "input_shape", 0) is None]
    for k in unknown:
        source.nodes[k].input_shape = 0
    nir.write(path, source)
    with h5py.File(path, "a") as f:
        for k in unknown:
            del f[f"node/nodes/{k}/input_shape"]
            source.nodes[k].input_shape = None
    return path


def line(node, n_in, n_out):
    """Input -> node -> Output."""
    return graph({"in": nir.Input(shape_of(*np.atleast_1d(n_in))), "x": node,
                  "out": nir.Output({"output": np.array(np.atleast_1d(n_out))})}, [("in", "x"), ("x", "out")])


def neurons(n=3):
    names = ("tau", "tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in")
    v = {k: RNG.uniform(0.5, 2.0, n) for k in names}

    def pick(*names):
        return {k: v[k] for k in names}

    return [
        ("integrator", nir.I(**pick("r"))), ("leaky", nir.LI(**pick("tau", "r", "v_leak"))),
        ("integrate_fire", nir.IF(**pick("r", "v_threshold", "v_reset"))),
        ("lif", nir.LIF(**pick("tau", "r", "v_leak", "v_threshold", "v_reset"))),
        ("cuba_leaky", nir.CubaLI(**pick("tau_syn", "tau_mem", "r", "v_leak", "w_in"))),
        ("cuba_lif", nir.CubaLIF(**pick("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"))),
        ("threshold", nir.Threshold(threshold=v["v_threshold"])),
    ]


@pytest.mark.parametrize("from_file", [True, False])
@pytest.mark.parametrize("model, node", neurons(), ids=[m for m, _ in neurons()])
def test_neurons_keep_their_parameters(tmp_path, model, node, from_file):
    source = line(node, 3, 3)
    if from_file:
        source = write(tmp_path / "a.nir", source)
    network = load_network(source, dt=0.1)
    population = network.populations["x"]
    assert (population.model, population.shape, network.outputs, network.dt) == (model, (3,), ("x",), 0.1)
    for name, value in population.params.items():
        assert np.array_equal(value, getattr(node, name)), name
    assert len(population.params) == len([f for f in vars(node) if f not in ("input_type", "output_type", "metadata")])
    evaluate(network, np.ones((4, 1, 3)))


@pytest.mark.parametrize("unit, factor", [("s", 1.0), ("ms", 1e-3)])
def test_times_are_read_in_the_given_unit_and_nothing_else_is(unit, factor):
    node = nir.CubaLIF(*(np.full(2, 5.0) for _ in range(5)), w_in=np.full(2, 5.0))
    params = load_network(line(node, 2, 2), dt=1e-3, time_unit=unit).populations["x"].params
    assert params["tau_syn"][0] == params["tau_mem"][0] == 5 * factor
    assert params["r"][0] == params["w_in"][0] == params["v_threshold"][0] == 5


def conv2d(weight, **kwargs):
    options = {"input_shape": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1} | kwargs
    return nir.Conv2d(weight=weight, bias=np.arange(len(weight), dtype=float), **options)


LINEAR = [
    ("Affine", nir.Affine(RNG.normal(size=(4, 6)), RNG.normal(size=4)), (6,), (4,)),
    ("Linear", nir.Linear(RNG.normal(size=(4, 6))), (6,), (4,)),
    ("Linear-batched", nir.Linear(RNG.normal(size=(2, 4, 3))), (2, 3), (2, 4)),
    ("Scale", nir.Scale(RNG.normal(size=(2, 3))), (2, 3), (2, 3)),
    ("Conv1d", nir.Conv1d(7, RNG.normal(size=(4, 2, 3)), 2, 1, 1, 1, np.ones(4)), (2, 7), (4, 4)),
    ("Conv1d-same", nir.Conv1d(None, RNG.normal(size=(4, 1, 4)), 1, "same", 1, 2, np.ones(4)), (2, 7), (4, 7)),
    ("Conv2d-3x5", conv2d(RNG.normal(size=(2, 1, 3, 5)), input_shape=(6, 8)), (1, 6, 8), (2, 4, 4)),
    ("Conv2d-inferred", conv2d(RNG.normal(size=(2, 1, 3, 5)), stride=(2, 1), padding=(1, 2), groups=2), (2, 6, 8),
     (2, 3, 8)),
    ("Conv2d-dilated", conv2d(RNG.normal(size=(2, 2, 2, 2)), dilation=(2, 3)), (2, 6, 8), (2, 4, 5)),
    ("Conv2d-same", conv2d(RNG.normal(size=(2, 2, 2, 3)), padding="same"), (2, 6, 8), (2, 6, 8)),
    ("SumPool2d", nir.SumPool2d(*(np.array(v) for v in ((2, 3), (2, 3), (0, 0)))), (2, 6, 9), (2, 3, 3)),
    ("AvgPool2d", nir.AvgPool2d(*(np.array(v) for v in ((2, 2), (1, 2), (1, 0)))), (2, 6, 8), (2, 7, 4)),
    ("Flatten", nir.Flatten(shape_of(2, 3, 4), 0), (2, 3, 4), (24,)),
    ("Flatten-some", nir.Flatten(shape_of(2, 3, 4), 1), (2, 3, 4), (2, 12)),
    ("Flatten-batch", nir.Flatten(shape_of(1, 2, 3, 4), 1), (2, 3, 4), (24,)),
    ("Flatten-start-end", nir.Flatten(shape_of(2, 3, 4), 0, 1), (2, 3, 4), (6, 4)),
]


@pytest.mark.parametrize("from_file", [True, False])
@pytest.mark.parametrize("node, n_in, n_out", [c[1:] for c in LINEAR], ids=[c[0] for c in LINEAR])
def test_linear_nodes_go_straight_to_the_output(tmp_path, node, n_in, n_out, from_file):
    source = line(node, n_in, n_out)
    if from_file:
        source = write(tmp_path / "a.nir", source)
    network = load_network(source)
    assert network.outputs == ("out",)
    assert network.populations["out"].model == "relay"
    assert network.populations["out"].shape == n_out
    x = RNG.normal(size=(2, 1, int(np.prod(n_in))))
    y = evaluate(network, x)["out"]
    if hasattr(node, "weight") and node.weight.ndim == 2:
        expected = x.reshape(2, 1, *n_in) @ node.weight.T + getattr(node, "bias", 0)
        np.testing.assert_allclose(y.ravel(), expected.ravel(), atol=1e-12)
    if isinstance(node, nir.Scale | nir.Flatten):
        np.testing.assert_allclose(y.ravel(), (x * np.ravel(getattr(node, "scale", 1))).ravel(), atol=1e-12)


def test_a_linear_node_behind_an_image_works_on_its_last_axis():
    weight = RNG.normal(size=(4, 3))
    nodes = {"in": nir.Input(shape_of(2, 3)), "s": nir.Scale(np.ones((2, 3))), "w": nir.Affine(weight, np.arange(4.0)),
             "out": nir.Output({"output": np.array([2, 4])})}
    network = load_network(graph(nodes, [("in", "s"), ("s", "w"), ("w", "out")]))
    x = RNG.normal(size=(1, 1, 6))
    y = evaluate(network, x)["out"]
    np.testing.assert_allclose(y.ravel(), (x.reshape(2, 3) @ weight.T + np.arange(4.0)).ravel(), atol=1e-12)


def test_input_to_output_is_a_relay():
    network = load_network(graph({"a": i(), "b": o()}, [("a", "b")]))
    x = RNG.normal(size=(3, 1, 2))
    assert np.array_equal(evaluate(network, x)["b"], x)


def test_delays_are_ticks_and_what_they_share_is_the_projections():
    nodes = {"in": nir.Input(shape_of(3)), "d": nir.Delay(np.array([2e-3, 2e-3, 4e-3])), "w": nir.Linear(np.eye(3)),
             "out": nir.Output({"output": np.array([3])})}
    network = load_network(graph(nodes, [("in", "d"), ("d", "w"), ("w", "out")]), dt=1e-3)
    assert network.projections[0].delay == 2
    x = np.zeros((6, 1, 3))
    x[0] = 1
    assert [np.flatnonzero(c).tolist() for c in evaluate(network, x)["out"][:, 0].T] == [[2], [2], [4]]
    nodes["d"] = nir.Delay(np.array([2.4e-3, 0, 0]))
    network = load_network(graph(nodes, [("in", "d"), ("d", "w"), ("w", "out")]), dt=1e-3)
    assert any("rounded" in note and "0.4 ticks" in note for note in network.notes)


def lif(n, tau=0.01):
    return nir.LIF(*(np.full(n, float(v)) for v in (tau, 5, 0, 1)))


def test_a_delay_of_a_tick_or_more_breaks_a_loop_by_itself():
    nodes = {"in": nir.Input(shape_of(2)), "n": lif(2), "d": nir.Delay(np.full(2, 3e-3)), "w": nir.Linear(np.eye(2)),
             "out": nir.Output({"output": np.array([2])})}
    edges = [("in", "n"), ("n", "w"), ("w", "d"), ("d", "n"), ("n", "out")]
    network = load_network(graph(nodes, edges), dt=1e-3)
    assert {(q.pre, q.post): q.delay for q in network.projections} == {("in", "n"): 0, ("n", "n"): 3}


def test_loops_between_layers_are_cut_where_they_close():
    nodes = {"in": nir.Input(shape_of(2)), "b": lif(2), "a": lif(2), "ba": nir.Affine(np.eye(2), np.ones(2)),
             "ab": nir.Affine(np.eye(2), np.ones(2)), "out": nir.Output({"output": np.array([2])})}
    edges = [("in", "a"), ("a", "ab"), ("ab", "b"), ("b", "ba"), ("ba", "a"), ("b", "out")]
    network = load_network(graph(nodes, edges))
    assert {(q.pre, q.post): q.delay for q in network.projections} == {("in", "a"): 0, ("a", "b"): 0, ("b", "a"): 1}


def test_a_bias_that_two_paths_share_counts_once():
    nodes = {"a": nir.Input(shape_of(2)), "b": nir.Input(shape_of(2)), "w": nir.Affine(np.eye(2), np.full(2, 0.25)),
             "n": lif(2), "out": nir.Output({"output": np.array([2])})}
    edges = [("a", "w"), ("b", "w"), ("n", "w"), ("w", "n"), ("w", "out")]
    network = load_network(graph(nodes, edges))
    assert network.inputs == ("a", "b")
    onto = {q.pre: (q.delay, fold(q.ops, (2,)).bias.tolist()) for q in network.projections if q.post == "n"}
    assert onto == {"a": (0, [0.25, 0.25]), "b": (0, [0, 0]), "n": (1, [0, 0])}
    assert np.array_equal(evaluate(network, np.ones((1, 1, 4)))["out"][0, 0], [2.25, 2.25])


def test_nested_graphs_are_dissolved(tmp_path):
    inner = graph({"input": nir.Input(shape_of(5)), "lif": lif(4), "w": nir.Linear(np.eye(4)),
                   "output": nir.Output({"output": np.array([4])})},
                  [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")])
    outer = graph({"input": nir.Input(shape_of(3)), "fc": nir.Linear(np.ones((4, 3))), "rnn": inner,
                   "deep": graph({"input": nir.Input(shape_of(4)), "again": inner,
                                  "output": nir.Output({"output": np.array([4])})},
                                 [("input", "again"), ("again", "output")]),
                   "output": nir.Output({"output": np.array([4])})},
                  [("input", "fc"), ("fc", "rnn"), ("rnn", "deep"), ("deep", "output")])
    nir.write(tmp_path / "a.nir", outer)
    network = load_network(tmp_path / "a.nir")
    assert {(q.pre, q.post): q.delay for q in network.projections} == {
        ("input", "rnn.lif"): 0, ("rnn.lif", "rnn.lif"): 1, ("rnn.lif", "deep.again.lif"): 0,
        ("deep.again.lif", "deep.again.lif"): 1}
    assert network.outputs == ("deep.again.lif",)
    assert any("declares the shape (5) but gets (4)" in note for note in network.notes)


@pytest.mark.parametrize("declared", [(64,), (1, 64), (7, 64)])
def test_a_batch_dimension_of_the_input_is_dropped(declared):
    nodes = {"in": nir.Input(shape_of(*declared)), "w": nir.Linear(np.ones((2, 64))), "n": lif(2),
             "out": nir.Output({"output": np.array([1, 1, 2])})}
    network = load_network(graph(nodes, [("in", "w"), ("w", "n"), ("n", "out")]))
    assert network.populations["in"].shape == (64,)
    assert any("batch" in note for note in network.notes) == (declared != (64,))


@pytest.mark.parametrize("params", [(1, 2, 4, 4), (2, 4, 4), (2, 1, 1), (1,), ()])
def test_neuron_parameters_take_the_shape_of_what_arrives(params):
    nodes = {"in": nir.Input(shape_of(1, 1, 6, 6)), "c": conv2d(np.ones((2, 1, 3, 3))),
             "n": nir.LIF(*(np.full(params, float(v)) for v in (0.01, 5, 0, 1))),
             "out": nir.Output({"output": np.array([9])})}
    network = load_network(graph(nodes, [("in", "c"), ("c", "n"), ("n", "out")]))
    assert network.populations["n"].shape == (2, 4, 4)
    evaluate(network, np.ones((2, 1, 36)))


def test_several_outputs_and_a_sum_at_the_output():
    nodes = {"in": nir.Input(shape_of(2)), "a": lif(2), "b": lif(2), "o1": nir.Output({"output": np.array([2])}),
             "o2": nir.Output({"output": np.array([2])})}
    network = load_network(graph(nodes, [("in", "a"), ("in", "b"), ("a", "o1"), ("a", "o2"), ("b", "o2")]))
    assert network.outputs == ("a", "o2")
    assert sorted(q.pre for q in network.projections if q.post == "o2") == ["a", "b"]


def test_the_metadata_may_name_the_dialect():
    source = line(lif(2), 2, 2)
    source.metadata = {"dialect": "snntorch", "dt": 2e-4}
    network = load_network(source)
    assert (network.dialect, network.dt) == ("snntorch", 2e-4)
    assert network.populations["x"].options["integrator"] == "euler"
    assert load_network(source, dialect="norse").dialect == "norse"


@pytest.mark.parametrize("options, reset, dt", [
    ({"dialect": "exact"}, "zero", 1e-4), ({"dialect": "snntorch", "reset": "subtract"}, "snntorch_subtract", 1e-4),
    ({"dialect": "norse", "reset": "subtract"}, "subtract", 1e-4), ({"dialect": "sinabs"}, "multispike", None),
    ({"dialect": "rockpool", "multispike": False}, "subtract", 1e-4), ({"reset": "node", "dt": 1e-3}, "zero", 1e-3),
    ({"dialect": "norse", "multispike": True}, "multispike", 1e-4),
])
def test_dialects_and_overrides(options, reset, dt):
    network = load_network(line(lif(2), 2, 2), **options)
    assert network.populations["x"].options["reset"] == reset
    assert network.dt == dt
    assert network.notes


def broken(nodes, edges):
    return lambda: load_network(graph(nodes, edges))


def i(n=2):
    return nir.Input(shape_of(n))


def o(n=2):
    return nir.Output({"output": np.array([n])})


class Strange(nir.LIF):
    pass


BAD = [
    (broken({"in": i(), "n": lif(2), "out": o()}, [("in", "nn"), ("n", "out")]), "names node `nn`.*did you mean `n`"),
    (broken({"in": i(3), "w": nir.Linear(np.ones((2, 4))), "n": lif(2), "out": o()},
            [("in", "w"), ("w", "n"), ("n", "out")]), r"node `w` \(Linear\) takes 4 values.*gets \(3\)"),
    (broken({"in": i(3), "n": lif(2), "out": o()}, [("in", "n"), ("n", "out")]),
     r"node `n` \(LIF\): tau has the shape \(2\), but the node gets \(3\)"),
    (broken({"in": i(), "a": nir.Linear(np.eye(2)), "b": nir.Linear(np.eye(2)), "out": o()},
            [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]), "a, b|b, a.* form a loop without a neuron"),
    (broken({"in": i(), "w": nir.Linear(np.eye(2)), "n": lif(2), "out": o()}, [("w", "n"), ("in", "n"), ("n", "out")]),
     "node `w` .Linear. receives nothing"),
    (broken({"in": i(), "n": Strange(*(np.ones(2) for _ in range(4))), "out": o()}, [("in", "n"), ("n", "out")]),
     "node `n` has the type Strange, which NIR 1.0.8 does not have"),
    (broken({"in": i(), "n": lif(2, tau=-1.0), "out": o()}, [("in", "n"), ("n", "out")]),
     "`tau` of population `n` is -1"),
    (broken({"in": i(), "w": nir.Linear(np.array([[1, np.nan], [0, 1]])), "n": lif(2), "out": o()},
            [("in", "w"), ("w", "n"), ("n", "out")]), "1 values that are NaN"),
    (broken({"in": i(), "d": nir.Delay(np.full(2, -1.0)), "n": lif(2), "out": o()},
            [("in", "d"), ("d", "n"), ("n", "out")]), "node `d` .Delay. has the negative delay"),
    (broken({"in": i(), "p": nir.SumPool2d(*np.array([[2, 2], [2, 2], [0, 0]])), "n": lif(2), "out": o()},
            [("in", "p"), ("p", "n"), ("n", "out")]), "node `p` .SumPool2d. takes 3 axes.*gets .2."),
    (broken({"in": nir.Input(shape_of(1, 2, 2)), "c": conv2d(np.ones((1, 1, 3, 3))), "n": lif(1), "out": o(1)},
            [("in", "c"), ("c", "n"), ("n", "out")]), "node `c` .Conv2d.: conv2d kernel .3, 3. is larger than"),
    (broken({"in": i(), "n": lif(2), "m": lif(2), "out": o()}, [("in", "n"), ("n", "out")]), "`m` receives nothing"),
    (broken({}, []), "network is empty"),
    (lambda: load_network(42), "cannot make a network of a int"),
    (lambda: load_network(line(lif(2), 2, 2), dialect="snn_torch"), "did you mean `snntorch`"),
    (lambda: load_network(line(lif(2), 2, 2), reset="soft"), "reset `soft` is unknown"),
    (lambda: load_network(line(lif(2), 2, 2), reset="zero", multispike=True), "multispike does not go with"),
    (lambda: load_network(line(lif(2), 2, 2), dt=-1.0), "dt is -1"),
    (lambda: load_network(line(lif(2), 2, 2), time_unit="min"), "time unit `min`"),
]


@pytest.mark.parametrize("make, message", BAD, ids=[m[:40] for _, m in BAD])
def test_what_cannot_be_imported_is_named(make, message):
    with pytest.raises(NetworkError, match=f"(?s){message}"):
        make()


def test_files_that_are_no_nir_graphs(tmp_path):
    import h5py
    with pytest.raises(NetworkError, match="there is no file"):
        load_network(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(NetworkError, match="not an HDF5 file"):
        load_network(tmp_path / "text.nir")
    with h5py.File(tmp_path / "other.nir", "w") as f:
        f["x"] = 1
    with pytest.raises(NetworkError, match="HDF5 without /node/nodes"):
        load_network(tmp_path / "other.nir")
    with pytest.raises(NetworkError, match="cannot tell the format"):
        load_network(tmp_path / "net.onnx")


@pytest.mark.parametrize("part, value, message", [
    ("nodes/x", 0, "something else than nodes"), ("edges", 3, "does not have two ends"),
    ("nodes/x/weight", "text", "node `x` .Linear.: a parameter has the wrong kind or shape"),
    ("nodes/x/weight", None, "node `x` .Linear. lacks the parameter 'weight'"),
    ("nodes/in/shape", np.array([np.nan]), "node `in` .Input.: a parameter has the wrong kind"),
])
def test_damaged_graphs_are_refused_by_name(tmp_path, part, value, message):
    import h5py
    path = write(tmp_path / "a.nir", line(nir.Linear(np.ones((2, 3))), 3, 2))
    with h5py.File(path, "a") as f:
        del f[f"node/{part}"]
        if value is not None:
            f[f"node/{part}"] = value
    with pytest.raises(NetworkError, match=message):
        load_network(path)


@pytest.mark.parametrize("file, ok", [
    ("old_braille", True), ("old_braille_flattened", True), ("old_braille_subgraph", True),
    ("braille_noDelay_bias_zero_subgraph", False), ("braille_noDelay_noBias_subtract_subgraph", False),
])
def test_old_serialisations_are_read_or_refused_by_name(validation_dir, file, ok):
    path = validation_dir / "nir" / "03_rnn" / f"{file}.nir"
    if ok:
        network = load_network(path, dialect="snntorch", dt=1.0)
        assert network.n_neurons == 45
        assert [q.delay for q in network.projections if q.pre == q.post] == [1]
    else:
        with pytest.raises(NetworkError, match=r"names node `lif1\.lif`.*(?s:.)*did you mean `lif1\.lif1`"):
            load_network(path)
