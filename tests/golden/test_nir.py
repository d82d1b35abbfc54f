"""Networks of the frameworks, compiled for `ideal` and simulated, emit what the frameworks themselves emitted.

The whole chain, importer, compiler and engine: every recorded spike and value, to the last one. The compiled engine
runs all of them, the plain one those that it runs in a second.
"""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.network import Network, Stimulus, load_network

ENGINES = ("compiled", "reference")


def emitted(network: Network, x: np.ndarray, engine: str = "compiled", probes: tuple[str, ...] = ()) -> dict:
    """What each population emits for x[T, B, lines]: name -> float64[T, B, size]; "name.v" for each probe."""
    ticks, batch = x.shape[:2]
    run = simulate(compile(network, "ideal"), Stimulus.from_dense(x), record=("all", *probes), engine=engine)
    assert run.ticks == ticks * batch
    found = {}
    for name, population in network.populations.items():
        dense = run.values.get(name)
        if dense is None:
            dense = np.zeros((run.ticks, population.size))
            dense[run.spikes[name]] = 1
        found[name] = dense.reshape(batch, ticks, -1).transpose(1, 0, 2)
    states = {".".join(key): v.reshape(batch, ticks, -1).transpose(1, 0, 2) for key, v in run.states.items()}
    return found | states


def digits(folder):
    packed = np.load(folder / "test_spikes.npz")
    return np.unpackbits(packed["x"], axis=-1).astype(float)


@pytest.mark.parametrize("stem, options", [
    ("snntorch_lif", {"dialect": "snntorch"}),
    ("sinabs_iaf", {"dialect": "sinabs", "v_min": "none"}),      # sinabs bounds v on import only, not in training
])
def test_digits_spikes_are_the_frameworks(validation_dir, stem, options):
    folder = validation_dir / "nir" / "digits"
    network = load_network(folder / f"{stem}.nir", **options)
    expected = np.load(folder / f"{stem}_out.npz")["out"]
    out = emitted(network, digits(folder))[network.outputs[0]]
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("file", ["cnn_sinabs", "scnn_mnist_batches", "scnn_mnist_old"])
@pytest.mark.parametrize("options, key, total", [
    ({"dialect": "sinabs"}, "out_sinabs", 171),
    ({"dialect": "sinabs", "multispike": False, "v_min": "none"}, "out_single_subtract", 66),
    ({"dialect": "norse", "reset": "subtract"}, "out_single_subtract", 66),
    ({"dialect": "norse"}, "out_zero", 29),
])
def test_cnn_spikes_depend_on_the_rule_and_are_the_expected_ones(validation_dir, file, options, key, total):
    folder = validation_dir / "nir" / "02_cnn"
    golden = np.load(folder / "golden_cnn_sinabs.npz")
    shape = golden["xshape"]
    x = np.unpackbits(golden["x"])[: shape.prod()].reshape(shape[0], shape[1], -1).astype(float)
    network = load_network(folder / f"{file}.nir", **options)
    out = emitted(network, x)
    assert out["12"].sum() == total
    assert np.array_equal(out["12"].ravel(), golden[key].ravel())
    if total == 171:
        for layer in ("1", "3", "6", "10", "12"):
            assert np.array_equal(out[layer].ravel(), golden[f"spk_{layer}"].ravel()), f"layer {layer}"


@pytest.mark.parametrize("stem, reset", [("braille_noDelay_bias_zero", "zero"),
                                         ("braille_noDelay_noBias_subtract", "subtract")])
@pytest.mark.parametrize("engine", ENGINES)
def test_braille_spikes_of_the_recurrent_and_the_output_layer(validation_dir, engine, stem, reset):
    folder = validation_dir / "nir" / "03_rnn"
    golden = np.load(folder / f"golden_{stem}.npz")
    network = load_network(folder / f"{stem}.nir", dialect="norse", reset=reset)
    out = emitted(network, golden["x"].astype(float), engine)
    assert np.array_equal(out["lif1.lif"], golden["lif1"])
    assert np.array_equal(out["lif2"], golden["out"])
    assert np.array_equal(out["lif2"], golden["norse_out"])


# platform, graph, dialect and overrides, scale of the recorded V, ticks by which it is late, tolerance of V relative to
# the threshold (None: V follows another rule after a spike, see the comment)
PLATFORMS = [
    ("norse", "lif_norse", {"dialect": "norse"}, 1, 0, 1e-6),
    ("snntorch", "lif_norse", {"dialect": "snntorch"}, 25, 0, 1e-6),               # V in units of the input's jump
    ("nengo", "lif_norse", {"dialect": "exact"}, 10, 0, 1e-6),                     # V in units of the threshold
    ("lava_cpu_float", "lif_norse", {"dialect": "norse"}, 1, 1, 1e-6),
    ("sinabs", "lif_norse", {"dialect": "sinabs", "dt": 1e-4}, 1, 0, 1e-6),
    ("rockpool", "lif_rockpool", {"dialect": "rockpool"}, 1, 0, 1e-6),
    ("spinnaker2", "lif_norse", {"dialect": "snntorch"}, 25, 0, 1e-3),             # s16.15 fixed point
    ("exact", "lif_norse", {"dialect": "exact"}, 1, 0, None),                      # resets within the tick
    ("spyx", "lif_norse", {"dialect": "norse", "reset": "subtract"}, 1, 1, None),  # subtracts in the tick after
    ("lava_cpu_fixed", "lif_norse", {"dialect": "norse"}, 1, 1, None),             # integers of another scale
    ("lava_loihi_fixed", "lif_norse", {"dialect": "norse"}, 1, 1, None),
]


@pytest.mark.parametrize("platform, graph, options, scale, late, tolerance", PLATFORMS, ids=[p[0] for p in PLATFORMS])
@pytest.mark.parametrize("engine", ENGINES)
def test_one_lif_neuron_on_every_platform_of_the_nir_paper(validation_dir, engine, platform, graph, options, scale,
                                                           late, tolerance):
    folder = validation_dir / "nir" / "01_lif"
    x, v, spikes = np.loadtxt(folder / f"lif_{platform}.csv", delimiter=",").T
    network = load_network(folder / f"{graph}.nir", **options)
    name = network.outputs[0]
    out = emitted(network, x[:, None, None], engine, (f"{name}.v",))
    ours = out[name].ravel()[: len(x) - late]
    assert np.array_equal(ours, spikes[late:])
    assert spikes.sum() == 4
    voltage = out[f"{name}.v"].ravel()[: len(x) - late] * scale
    until = int(np.argmax(spikes)) - late                  # before the first spike every rule agrees with its equation
    if tolerance is not None:
        np.testing.assert_allclose(voltage, v[late:], atol=tolerance * 0.1 * scale)
    elif platform in ("spyx", "exact"):
        np.testing.assert_allclose(voltage[:until], v[:until], atol=1e-7)
