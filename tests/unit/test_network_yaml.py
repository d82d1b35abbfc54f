"""Networks written by hand: what they mean, and what is said when they are wrong."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.errors import NetworkError
from chipsim.network import load_network
from chipsim.network.linear import fold

GOOD = """\
name: ring
dt: 1 ms
populations:
  in: {model: input, size: 4}
  exc: {model: lif, shape: [2, 3, 3], tau: 20 ms, v_threshold: 5e-1, reset: subtract, refractory: 2 ms}
  out: {model: leaky, size: 2, tau: [10 ms, 0.02]}
projections:
  - {from: in, to: exc, kind: random, probability: 0.5, weights: {random: uniform, low: 0, high: 1}, seed: 3}
  - {from: exc, to: exc, kind: conv2d, weights: [[[[1]], [[1]]], [[[1]], [[0.5]]]], delay: 1}
  - {from: exc, to: out, weights: w.npy, bias: [0.5, 0.25], name: readout}
"""


@pytest.fixture
def good(tmp_path):
    np.save(tmp_path / "w.npy", np.arange(36.0).reshape(2, 18))
    (tmp_path / "net.yaml").write_text(GOOD)
    return tmp_path / "net.yaml"


def test_a_file_means_what_it_says(good):
    network = load_network(good)
    assert (network.name, network.dt, network.outputs, network.inputs) == ("ring", 1e-3, ("out",), ("in",))
    exc, out = network.populations["exc"], network.populations["out"]
    assert (exc.shape, exc.options) == ((2, 3, 3), {"reset": "subtract"})
    assert (exc.params["tau"], exc.params["v_threshold"], exc.params["refractory"]) == (0.02, 0.5, 0.002)
    assert out.params["tau"].tolist() == [0.01, 0.02]
    random, conv, readout = network.projections
    weights = fold(random.ops, (4,)).maps[0]
    assert 15 < weights.nnz < 57
    assert 0 <= weights.data.min() < weights.data.max() < 1
    assert (conv.delay, fold(conv.ops, (2, 3, 3)).kind) == (1, "conv")
    folded = fold(readout.ops, (2, 3, 3))
    assert (folded.kind, readout.name, folded.bias.tolist()) == ("dense", "readout", [0.5, 0.25])
    assert np.array_equal(folded.maps[0], np.load(good.parent / "w.npy"))


def test_reading_twice_draws_the_same_weights(good):
    first, second = (fold(load_network(good).projections[0].ops, (4,)).maps[0] for _ in range(2))
    assert (first != second).nnz == 0


def test_dt_may_be_given_from_outside(good):
    assert load_network(good, dt=5e-4).dt == 5e-4


def test_a_saved_network_is_the_same_network(good, tmp_path):
    network = load_network(good)
    network.save(tmp_path / "net.h5")
    again = load_network(tmp_path / "net.h5")
    assert repr(again) == repr(network)
    assert (again.dt, again.outputs, again.origin) == (network.dt, network.outputs, network.origin)
    for a, b in zip(network.populations.values(), again.populations.values(), strict=True):
        assert (a.name, a.shape, a.model, a.options, a.origin) == (b.name, b.shape, b.model, b.options, b.origin)
        assert all(np.array_equal(a.params[k], b.params[k]) for k in {*a.params, *b.params})
    for p, q in zip(network.projections, again.projections, strict=True):
        assert (p.pre, p.post, p.delay, p.format, p.name) == (q.pre, q.post, q.delay, q.format, q.name)
        x, y = (fold(e.ops, network.populations[p.pre].shape) for e in (p, q))
        assert abs(x.maps[0] - y.maps[0]).max() == 0
        assert (x.kind, x.bias.tolist()) == (y.kind, y.bias.tolist())


def test_networks_in_loihis_integers(tmp_path):
    (tmp_path / "n.yaml").write_text("""\
populations:
  in: {model: input, size: 2}
  n: {model: loihi_lif, size: 2, du: 4095, dv: 128, vth_mant: 100, refract: [1, 2]}
projections:
  - {from: in, to: n, weights: [[10, -20], [0, 254]],
     format: {weight_exponent: 0, weight_bits: 8, sign: mixed}}
""")
    network = load_network(tmp_path / "n.yaml")
    assert network.dt is None
    assert network.populations["n"].params["refract"].tolist() == [1, 2]
    assert network.projections[0].format == {"weight_exponent": 0, "weight_bits": 8, "sign": "mixed"}


HEAD = "populations:\n  in: {model: input, size: 2}\n  n: {model: lif, size: 2, tau: 1}\n"
LINK = "projections:\n  - {from: in, to: n}\n"

BAD = [
    ("", "N201", 0, "the network is empty"),
    ("populations: {}\n", "N201", 1, "the network is empty"),
    ("a: [\n", "N250", 2, "not YAML"),
    (HEAD + "projections:\n  - {from: inn, to: n}\n", "N202", 5, "there is no population `inn`"),
    (HEAD + LINK + "outputs: [m]\n", "N202", 6, "output `m` is not a population"),
    ("populations:\n  n: {model: lif, size: 2, tau: 1}\nprojections:\n  - {from: n, to: n}\n", "N203", 1, "no inputs"),
    (HEAD, "N204", 3, "population `n` receives nothing"),
    (HEAD.replace("lif", "lifs") + LINK, "N205", 3, "unknown model `lifs`"),
    (HEAD.replace("model: lif, ", "") + LINK, "N205", 3, "needs a `model`"),
    (HEAD.replace("tau: 1", "tau: 1, name: m") + LINK, "N206", 3, "`n` has no `name`"),
    (HEAD.replace("tau", "tua") + LINK, "N206", 3, "has no parameter `tua`"),
    (HEAD + LINK + "output: [n]\n", "N206", 6, "there is no `output` here"),
    (HEAD + "projections:\n  - {from: in, to: n, wieghts: 1}\n", "N206", 5, "there is no `wieghts` here"),
    (HEAD.replace(", tau: 1", "") + LINK, "N207", 3, "lacks the parameter `tau`"),
    (HEAD.replace("tau: 1", "tau:") + LINK, "N207", 3, "`tau` of population `n` has no value"),
    (HEAD.replace("tau: 1", "tau: -1 ms") + LINK, "N208", 3, "is -0.001; it must be above 0"),
    (HEAD.replace("tau: 1", "tau: 5 mV") + LINK, "N208", 3, "`5 mV` is not a time"),
    (HEAD.replace("tau: 1", "tau: [1, 2, 3]") + LINK, "N208", 3, r"has shape \(3\), its population \(2\)"),
    (HEAD.replace("tau: 1", "tau: 1, r: high") + LINK, "N208", 3, "is not a number"),
    (HEAD.replace("tau: 1", "tau: 1, v_threshold: .nan") + LINK, "N208", 3, "NaN"),
    ("dt: 0\n" + HEAD + LINK, "N208", 1, "dt is 0 s"),
    (HEAD + "projections:\n  - {from: n, to: in}\n  - {from: in, to: n}\n", "N209", 5, "goes to the input population"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: [[1, 2, 3]]}\n", "N210", 5, r"\(1, 3\), need \(2, 2\)"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: conv2d, weights: [[[[1]]]]}\n", "N210", 5, r"input \(2\)"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: random}\n", "N210", 5, "probability is None"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: conv2d, weights: {random: uniform, low: 0, high: 1}}\n", "N210",
     5, "kernel of some size"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: conv2d, kernel: [3, x]}\n", "N210", 5, "kernel is"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: conv2d, kernel: 3}\n", "N210", 5, r"from \(2\) to \(2\)"),
    (HEAD.replace("size: 2,", "size: -2,") + LINK, "N211", 3, "`n` has the size -2"),
    (HEAD.replace("size: 2,", "size: 2, shape: [2],") + LINK, "N253", 3, "either `size` or `shape`"),
    (HEAD + "projections:\n  - {from: in, to: n, delay: -1}\n", "N212", 5, "delay is -1"),
    (HEAD + "projections:\n  - {from: in, to: n, delay: 1.5}\n", "N212", 5, "delay is 1.5"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: [[1, .nan], [1, 1]]}\n", "N213", 5, "1 values that are NaN"),
    (HEAD + "projections:\n  - {from: in, to: n, kind: sparce}\n", "N215", 5, "kind `sparce` is unknown"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: {random: gauss}}\n", "N215", 5, "`random: gauss`"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: {random: normal, mean: 0}}\n", "N216", 5, "mean and std"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: [[1], [1, 2]]}\n", "N216", 5, "numbers of one length"),
    (HEAD.replace("tau: 1", "tau: 1, reset: soft") + LINK, "N217", 3, "option `reset` of population `n` is 'soft'"),
    (HEAD + "projections:\n  - {from: in, to: n, weights: none.npy}\n", "N241", 5, "there is no file none.npy"),
    (HEAD.replace("  n:", "  in:") + LINK, "N251", 3, "`in` is written twice"),
    (HEAD + "projections: {from: in, to: n}\n", "N252", 4, "projections are a list"),
    (HEAD + "projections:\n  - {to: n}\n", "N254", 5, "lacks `from`"),
    ("a: &a [*a]\n", "N250", 1, "contains itself"),
]


def test_kernels_are_drawn_for_the_channels_of_their_populations(tmp_path):
    (tmp_path / "n.yaml").write_text("""
populations: {in: {model: input, shape: [4, 6, 5]}, n: {model: lif, shape: [6, 6, 5], tau: 9}}
projections:
  - {from: in, to: n, kind: conv2d, kernel: [3, 1], padding: [1, 0], groups: 2,
     weights: {random: uniform, low: 1, high: 2}}
  - {from: in, to: n, kind: conv2d, kernel: 1, weights: 0.5}
""")
    drawn, one = (q.ops[0].weight for q in load_network(tmp_path / "n.yaml").projections)
    assert drawn.shape == (6, 2, 3, 1) and len(np.unique(drawn)) == 36 and 1 <= drawn.min() < drawn.max() < 2
    assert one.shape == (6, 4, 1, 1) and (one == 0.5).all()


@pytest.mark.parametrize("text, code, line, message", BAD, ids=[f"{c}-{i}" for i, (_, c, *_) in enumerate(BAD)])
def test_wrong_files_get_a_code_a_line_and_a_message(tmp_path, text, code, line, message):
    (tmp_path / "n.yaml").write_text(text)
    with pytest.raises(NetworkError, match=message) as error:
        load_network(tmp_path / "n.yaml")
    found = [(d.code, d.line) for d in error.value.diagnostics]
    assert (code, line) in found
    assert all(d.file == str(tmp_path / "n.yaml") for d in error.value.diagnostics)
    assert error.value.exit_code == 2


def test_all_findings_come_at_once_in_order_of_lines(tmp_path):
    text = HEAD.replace("tau: 1", "tau: -1, taux: 2") + "projections:\n  - {from: x, to: y}\n"
    (tmp_path / "n.yaml").write_text(text)
    with pytest.raises(NetworkError) as error:
        load_network(tmp_path / "n.yaml")
    assert [(d.code, d.line) for d in error.value.diagnostics] == [("N208", 3), ("N206", 3), ("N202", 5), ("N202", 5)]
    assert "  n: {model: lif, size: 2, tau: -1, taux: 2}" in str(error.value)


def test_options_that_only_nir_leaves_open_are_refused(tmp_path, good):
    with pytest.raises(NetworkError, match="dialect: only NIR files leave this open"):
        load_network(good, dialect="norse")


@pytest.mark.parametrize("content", [b"hello", b""])
def test_an_h5_file_that_is_no_network(tmp_path, content):
    (tmp_path / "n.h5").write_bytes(content)
    with pytest.raises(NetworkError, match="not an HDF5 file"):
        load_network(tmp_path / "n.h5")


LEARNING = """\
populations:
  in: {model: input, size: 4}
  teacher: {model: input, size: 1}
  a: {model: loihi_lif, size: 2, vth_mant: 100}
projections:
  - from: in
    to: a
    weights: 20
    plasticity: %s
"""


@pytest.mark.parametrize(("value", "rule"), [
    ("2^-2*x0*w", "2^-2*x0*w"),
    ("{dw: 2^-2*x1*y0, x1: {impulse: 16, tau: 10}}", "2^-2*x1*y0"),
    ("{rule: reward, reward: teacher}", "0.015625*u0*t*r1"),
])
def test_a_projection_says_how_it_learns(tmp_path, value, rule):
    path = tmp_path / "net.yaml"
    path.write_text(LEARNING % value)
    network = load_network(path)
    assert network.projections[0].plasticity.dw == rule
    network.save(tmp_path / "net.h5")
    assert load_network(tmp_path / "net.h5").projections[0].plasticity == network.projections[0].plasticity


@pytest.mark.parametrize(("value", "code", "words"), [
    ("2^-2*x1", "N260", "lacks x0, y0 or u0"),
    ("2^-2*x0*q", "N260", "no variable `q`"),
    ("x0*(w - ", "N260", "missing"),
    ("x0*(w) w", "N260", "missing before `w`"),
    ("x0 *", "N260", "where a product should stand"),
    ("x0*u0*u1", "N260", "second epoch"),
    ("x0*w; w", "N260", "not understood"),
    ("2^-2*x1*y0", "N261", "no time constant"),
    ("{dw: x0*r1}", "N261", "reward"),
    ("{dw: x0*r1, reward: nobody}", "N202", "no population `nobody`"),
    ("{dw: x0*r1, reward: a}", "N262", "no input"),
    ("{dw: x0, t_epoch: 0}", "N261", "0 ticks"),
    ("{dw: x0, w_min: 3, w_max: 2}", "N261", "above the upper"),
    ("{dw: x0, x1: {impulse: 1, tau: -2}}", "N261", "time constant -2"),
    ("{dw: x0, colour: red}", "N261", "no `colour`"),
    ("{rule: magic}", "N261", "no family of rules `magic`"),
    ("{rule: pair, size: 3}", "N261", "size"),
    ("{t_epoch: 2}", "N261", "no rule"),
])
def test_a_wrong_learning_rule_is_located_in_the_file(tmp_path, value, code, words):
    path = tmp_path / "net.yaml"
    path.write_text(LEARNING % value)
    with pytest.raises(NetworkError) as error:
        load_network(path)
    found = error.value.diagnostics[0]
    assert (found.code, found.line) == (code, 9) and words in found.message, error.value
