"""Loihi's integer neuron and synapses, bit for bit against emulators and silicon.

Golden vectors were made by Lava 0.10.0, nengo-loihi 1.1.0 and Brian2Loihi; each is reproduced under the profile of the
emulator that made it, by the plain and the compiled step, and by whole networks through the compiler and both engines.
"""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.lowering.weights import effective
from chipsim.engine import simulate
from chipsim.engine.neurons import native_step
from chipsim.models.neurons.loihi_lif import PROFILES, LoihiLif
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Dense, Sparse
from chipsim.network.stimulus import Stimulus

STEPS = {"plain": LoihiLif.step, "compiled": native_step(LoihiLif)}
ENGINES = ("compiled", "reference")


def golden(validation_dir, name):
    with np.load(validation_dir / "loihi" / f"{name}.npz") as z:
        return {k: z[k] for k in z.files}


def registers(n, **values):
    p = dict(du=0, dv=0, vth=0, bias=0, refract=1) | values
    return {k: np.broadcast_to(np.asarray(v, np.int64), n).astype(np.int32) for k, v in p.items()}


def fresh(n):
    return {k: np.zeros(n, np.int32) for k in ("u", "v", "wait")}


@pytest.mark.golden_files("loihi/lif_single_lava*")
@pytest.mark.parametrize("step", STEPS)
def test_lava_single_neurons_over_250_steps(validation_dir, name, step):
    z = golden(validation_dir, name)
    n = z["du"].size
    p = registers(n, du=z["du"], dv=z["dv"], vth=z["vth"] << 6, bias=z["bias_mant"] << z["bias_exp"])
    spikes, s = np.unpackbits(z["spikes"], axis=0)[: z["T"]], fresh(n)
    for t in range(z["T"]):
        fired, _ = STEPS[step](s, p, PROFILES["lava"], z["a_in"][t])
        assert np.array_equal(s["u"], z["u"][t]) and np.array_equal(s["v"], z["v"][t])
        assert np.array_equal(fired, spikes[t])


@pytest.mark.golden_files("loihi/lif_single_nengo*")
@pytest.mark.parametrize("step", STEPS)
def test_nengo_single_neurons_with_refractory_periods_and_wraps(validation_dir, name, step):
    z = golden(validation_dir, name)
    n = z["du"].size
    p = registers(n, du=z["du"], dv=z["dv"], vth=z["vth_mant"] << 6, bias=z["bias_mant"] << z["bias_exp"],
                  refract=z["refract"])
    options = PROFILES["nengo"] | {"vmin": int(z["vmin"]), "vmax": int(z["vmax"])}
    spikes, s = np.unpackbits(z["spikes"], axis=0)[: z["T"]], fresh(n)
    assert not (z["a_in"] % 64).any()
    for t in range(z["T"]):
        fired, _ = STEPS[step](s, p, options, z["a_in"][t] // 64)
        assert np.array_equal(s["u"], z["u"][t]) and np.array_equal(s["v"], z["v"][t])
        assert np.array_equal(fired, spikes[t])


SIGNS = {1: "mixed", 2: "excitatory", 3: "inhibitory"}


@pytest.mark.golden_files("loihi/lif_single_b2l*")
@pytest.mark.parametrize("step", STEPS)
def test_brian2loihi_neurons_with_their_synapses(validation_dir, name, step):
    z = golden(validation_dir, name)
    n, ticks, _ = z["X"].shape
    arriving = np.empty((ticks, n), np.int32)
    for i in range(n):
        w = effective(z["w"][i], int(z["wexp"][i]), int(z["nwb"][i]), SIGNS[int(z["sign"][i])], "brian2loihi")
        assert np.array_equal(w * 64, z["w_act"][i])
        arriving[:, i] = z["X"][i].astype(np.int64) @ w
    p = registers(n, du=z["dI"], dv=z["dv"], vth=z["vth"] << 6, refract=z["ref"])
    s = fresh(n)
    for t in range(ticks):
        fired, _ = STEPS[step](s, p, PROFILES["brian2loihi"], arriving[t])
        for ours, theirs in ((s["u"], "u"), (s["v"], "v"), (fired, "s")):
            assert np.array_equal(ours, z[theirs][:, t]), (t, theirs)


@pytest.mark.golden_files("loihi/weights_nengo*")
def test_nengo_weight_table_for_every_mantissa_width_and_exponent(validation_dir, name):
    z = golden(validation_dir, name)
    for row, bits, exponent in zip(z["eff"], z["wbits"], z["wexp"], strict=True):
        assert np.array_equal(effective(z["w"], int(exponent), int(bits), "mixed", "nengo") * 64, row), (bits, exponent)


def chip_with(profile):
    chip = load_chip("loihi")
    neuron = chip.core.neuron.model_copy(update={"profile": profile})
    return chip.model_copy(update={"core": chip.core.model_copy(update={"neuron": neuron})})


def sparse_by_delay(weights, delays, mask):
    """One projection per delay: matrices of the synapses that have it."""
    from scipy.sparse import csr_array

    for d in np.unique(delays[mask]):
        yield int(d), csr_array(np.where(mask & (delays == d), weights, 0).astype(float))


def run_network(profile, n, params, inputs, projections, ticks, engine, neurons_per_core=None):
    populations = {"in": Population("in", (inputs.shape[1],), "input"),
                   "lif": Population("lif", (n,), "loihi_lif", params)}
    network = Network("golden", populations, tuple(projections), outputs=("lif",))
    layout = compile(network, chip_with(profile), neurons_per_core=neurons_per_core)
    run = simulate(layout, Stimulus.from_dense(inputs.astype(np.uint8)), ticks=ticks, timing="none", engine=engine,
                   record=("lif", "lif.u", "lif.v"))
    tick, index = run.spikes["lif"]
    spikes = np.zeros((ticks, n), bool)
    spikes[tick, index] = True
    return run.states["lif", "u"], run.states["lif", "v"], spikes


@pytest.mark.golden_files("loihi/net_delay_*")
@pytest.mark.parametrize("engine", ENGINES)
def test_lava_recurrent_network_with_delays(validation_dir, name, engine):
    z = golden(validation_dir, name)
    form = dict(weight_exponent=int(z["wexp"]), weight_bits=int(z["nwb"]), sign="mixed")
    mask = z["W"] != 0
    whole = form | dict(weight_bits=8, sign="excitatory")
    projections = [Projection("in", "lif", (Dense(z["Win"].astype(float)),), 0, whole)]
    projections += [Projection("lif", "lif", (Sparse(m),), d + 1, form)
                    for d, m in sparse_by_delay(z["W"], z["D"], mask)]
    profiles = ["lava"] + (["brian2loihi"] if "portable" in name else [])
    for profile in profiles:
        params = dict(du=z["du"] + (profile == "brian2loihi"), dv=z["dv"], vth_mant=z["vth"])
        u, v, s = run_network(profile, len(z["W"]), params, z["inp"].T, projections, len(z["s"]), engine,
                              neurons_per_core=30)
        assert s.sum() > 100
        assert np.array_equal(s, z["s"]) and np.array_equal(u, z["u"]) and np.array_equal(v, z["v"])


@pytest.mark.golden_files("loihi/net_nengo_*")
@pytest.mark.parametrize("engine", ENGINES)
def test_nengo_recurrent_network(validation_dir, name, engine):
    z = golden(validation_dir, name)
    params = dict(du=z["du"], dv=z["dv"], vth_mant=z["vth"], refract=z["ref"])
    projections = [Projection("in", "lif", (Dense(z["Win"].T.astype(float)),), 0, {}),
                   Projection("lif", "lif", (Dense(z["W"].T.astype(float)),), 1, {})]
    # The emulator's host sends the spikes of row t in step t; row 0 lies before the first step.
    u, v, s = run_network("nengo", len(z["W"]), params, z["X"][1:], projections, len(z["X"]) - 1, engine)
    assert s.sum() > 100
    assert np.array_equal(u, z["u"]) and np.array_equal(v, z["v"]) and np.array_equal(s, z["s"])


@pytest.mark.golden_files("loihi/loihi_hw_lif_trace*")
@pytest.mark.parametrize("engine", ENGINES)
def test_loihi_2_silicon_trace_of_one_neuron(validation_dir, name, engine):
    z = golden(validation_dir, name)
    params = dict(du=z["du"], dv=z["dv"], vth_mant=z["vth_mant"])
    projections = [Projection("in", "lif", (Dense(np.array([[float(z["weight"])]])),), 0,
                              dict(sign="excitatory", weight_bits=8))]
    _u, v, s = run_network("loihi", 1, params, z["input"][:, None], projections, len(z["input"]), engine)
    assert s.sum() > 0
    lag = np.flatnonzero(z["spikes"])[0] - np.flatnonzero(s[:, 0])[0]
    assert lag in (0, 1)
    n = len(s) - lag
    assert np.array_equal(s[:n, 0], z["spikes"][lag:])
    ours, theirs = v[:n, 0], z["v_hw"][lag:]
    spiking = s[:n, 0]                                          # there the probe shows the refractory counter, 1 << 7
    assert np.array_equal(ours[~spiking], theirs[~spiking]) and (theirs[spiking] == 128).all()
