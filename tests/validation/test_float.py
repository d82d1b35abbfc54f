"""Floating-point neurons against Brian2 2.9 and NEST 3.10: whole networks, delays, refractory periods, both engines.

Row k of a Brian2 file is the state before step k, a NEST file's row t the state after step t; ticks count from 0.
"""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus

ENGINES = ("compiled", "reference")


def golden(validation_dir, name):
    with np.load(validation_dir / "float" / f"{name}.npz") as z:
        return {k: z[k] for k in z.files}


def assert_close(ours, theirs, atol):
    """Equal to `atol` wherever the file has a number (NEST's recorder misses the last row)."""
    known = ~np.isnan(theirs)
    assert known.mean() > 0.99
    np.testing.assert_allclose(ours[known], theirs[known], rtol=0, atol=atol)


def run(model, n, dt, ticks, engine, probes, inputs=None, projections=(), **params):
    """States after each tick by name, and spikes bool[ticks, n]; projections: (weights [lines, n], delays,
    receptor)."""
    net = NetworkBuilder("golden", dt=dt)
    net.add_population("n", n, model, **params)
    if inputs is not None:
        net.add_input("in", inputs.shape[1])
        for weights, delays, receptor in projections:
            for d in np.unique(delays):
                net.connect("in", "n", "sparse", weights=np.where(delays == d, weights, 0.0).T, delay=int(d),
                            receptor=receptor)
    layout = compile(net.draft(["n"]), "ideal")
    stimulus = None if inputs is None else Stimulus.from_dense(inputs.astype(np.uint8))
    result = simulate(layout, stimulus, ticks=ticks, engine=engine, record=("n", *(f"n.{p}" for p in probes)))
    spikes = np.zeros((ticks, n), bool)
    tick, index = result.spikes["n"]
    spikes[tick, index] = True
    return {p: result.states["n", p] for p in probes}, spikes


@pytest.mark.golden_files("float/lif_brian2*")
@pytest.mark.parametrize("engine", ENGINES)
def test_brian2_lif_with_delays_and_input_lost_while_refractory(validation_dir, name, engine):
    z = golden(validation_dir, name)
    ticks, n = z["v"].shape
    s, spikes = run("iaf_delta", n, float(z["dt"]), ticks, engine, "v", z["X"], [(z["W"], z["D"], "")], tau=z["tau"],
                    v_leak=-70.0, i_e=z["I"], v_threshold=-50.0, v_reset=-65.0, refractory=2e-3, convention="brian2")
    assert np.array_equal(spikes, z["spikes"]) and spikes.any(0).sum() > 1
    assert_close(s["v"][:-1], z["v"][1:], 1e-11)


@pytest.mark.golden_files("float/cuba_brian2*")
@pytest.mark.parametrize("engine", ENGINES)
def test_brian2_lif_with_exponential_synapses(validation_dir, name, engine):
    z = golden(validation_dir, name)
    ticks, n = z["v"].shape
    weights = [
        (np.vstack([z["We"], np.zeros_like(z["Wi"])]), "exc"),
        (np.vstack([np.zeros_like(z["We"]), z["Wi"]]), "inh"),
    ]
    s, spikes = run(
        "iaf_exp",
        n,
        float(z["dt"]),
        ticks,
        engine,
        ("v", "i_exc", "i_inh"),
        z["X"],
        [(w, np.zeros(w.shape, int), r) for w, r in weights],
        tau=20e-3,
        tau_exc=5e-3,
        tau_inh=10e-3,
        v_leak=-49.0,
        v_threshold=-50.0,
        v_reset=-60.0,
        v_init=z["v0"],
        refractory=5e-3,
        convention="brian2",
    )
    assert np.array_equal(spikes, z["spikes"]) and spikes.any(0).sum() > 1
    for ours, theirs in (("v", "v"), ("i_exc", "ge"), ("i_inh", "gi")):
        assert_close(s[ours][:-1], z[theirs][1:], 1e-11)


@pytest.mark.parametrize("engine", ENGINES)
def test_brian2_izhikevich_cells_until_rounding_grows(validation_dir, engine):
    z = golden(validation_dir, "izh_brian2_euler")
    a, b, c, d = z["abcd"].T
    ticks, n = z["v"].shape
    s, spikes = run("izhikevich", n, float(z["dt"]), ticks, engine, ("v", "u"), a=a, b=b, c=c, d=d, i_e=z["I"])
    for cells, stop in ((slice(None), 180), ([0, 1, 2, 6], ticks - 1)):     # RS, IB, CH, LTS; FS, TC, RZ are chaotic
        assert np.array_equal(spikes[: stop + 1, cells], z["spikes"][: stop + 1, cells])
        assert spikes[:stop, cells].any(0).sum() > 1
        for name in ("v", "u"):
            assert_close(s[name][:stop, cells], z[name][1 : stop + 1, cells], 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("integrator", ["euler", "exponential_euler", "rk4"])
def test_brian2_adex(validation_dir, integrator, engine):
    z = golden(validation_dir, f"adex_brian2_{integrator}")
    ticks, n = z["v"].shape
    ticks = ticks if engine == "compiled" else 1000
    s, spikes = run("adex", n, float(z["dt"]), ticks, engine, ("v", "w"), i_e=z["I_nA"] * 1e3, b=z["b_nA"] * 1e3,
                    v_reset=z["Vr_mV"], v_peak=-50.4 + 5 * 2.0, integrator=integrator)
    assert np.array_equal(spikes, z["spikes"][:ticks]) and spikes.any(0).sum() > 1
    assert_close(s["v"][:-1], z["v"][1:ticks], 1e-7)
    assert_close(s["w"][:-1], z["w_nA"][1:ticks] * 1e3, 1e-6)


@pytest.mark.golden_files("float/alif_brian2*")
@pytest.mark.parametrize("engine", ENGINES)
def test_brian2_adaptive_threshold(validation_dir, name, engine):
    z = golden(validation_dir, name)
    ticks, n = z["v"].shape
    s, spikes = run("iaf_delta", n, float(z["dt"]), ticks, engine, ("v", "theta"), tau=20e-3, i_e=z["I"],
                    tau_threshold=200e-3, threshold_step=0.2, reset="subtract", convention="brian2")
    assert np.array_equal(spikes, z["spikes"]) and spikes.any(0).sum() > 1
    assert_close(s["v"][:-1], z["v"][1:], 1e-12)
    assert_close(s["theta"][:-1], z["th"][1:], 1e-12)


@pytest.mark.golden_files("float/nest_iaf_psc_delta*")
@pytest.mark.parametrize("engine", ENGINES)
def test_nest_iaf_psc_delta(validation_dir, name, engine):
    z = golden(validation_dir, name)
    ticks, n = len(z["X"]), z["W"].shape[1]
    s, spikes = run("iaf_delta", n, float(z["h"]) * 1e-3, ticks, engine, "v", z["X"], [(z["W"], z["D"], "")], tau=10e-3,
                    r=10.0 / 250.0, i_e=z["I_e"], v_threshold=15.0, refractory=2e-3)
    assert np.array_equal(spikes, z["spikes"][1:]) and spikes.any(0).sum() > 1
    assert_close(s["v"] - 70, z["V_m"][1:], 1e-11)


@pytest.mark.golden_files("float/nest_iaf_psc_exp*")
@pytest.mark.parametrize("engine", ENGINES)
def test_nest_iaf_psc_exp_with_receptors_by_sign(validation_dir, name, engine):
    z = golden(validation_dir, name)
    ticks, n = len(z["X"]), z["W"].shape[1]
    s, spikes = run("iaf_exp", n, float(z["h"]) * 1e-3, ticks, engine, ("v", "i_exc", "i_inh"), z["X"],
                    [(z["W"], z["D"], "")], tau=10e-3, tau_exc=2e-3, tau_inh=5e-3, r=10.0 / 250.0, i_e=z["I_e"],
                    v_threshold=15.0, refractory=2e-3)
    assert np.array_equal(spikes, z["spikes"][1:]) and spikes.any(0).sum() > 1
    assert_close(s["v"] - 70, z["V_m"][1:], 1e-11)
    assert_close(s["i_exc"], z["I_syn_ex"][1:], 1e-9)
    assert_close(s["i_inh"], z["I_syn_in"][1:], 1e-9)


@pytest.mark.golden_files("float/nest_izh_*")
@pytest.mark.parametrize("engine", ENGINES)
def test_nest_izhikevich_in_both_integrations(validation_dir, name, engine):
    z = golden(validation_dir, name)
    a, b, c, d = z["abcd"].T
    convention = {"cons": "nest", "pub": "published"}[name.split("_")[2]]
    s, spikes = run("izhikevich", len(a), float(z["h"]) * 1e-3, len(z["spikes"]) - 1, engine, ("v", "u"), a=a, b=b, c=c,
                    d=d, i_e=z["I"], convention=convention)
    assert np.array_equal(spikes, z["spikes"][1:]) and spikes.any(0).sum() > 1
    assert_close(s["v"], z["V_m"][1:], 1e-9)
    assert_close(s["u"], z["U_m"][1:], 1e-9)


@pytest.mark.parametrize("convention, file", [("current", "nest_aeif_psc_exp"), ("conductance", "nest_aeif_cond_exp")])
def test_nest_aeif_within_the_tolerance_of_an_adaptive_integrator(validation_dir, convention, file):
    z = golden(validation_dir, file)
    ticks = 1000
    _, spikes = run("adex", 1, 1e-4, ticks, "compiled", "v", i_e=1000.0, integrator="nest", convention=convention)
    ours = (np.flatnonzero(spikes[:, 0]) + 1) * 0.1
    theirs = z["spike_times"][z["spike_times"] <= ticks * 0.1]
    assert len(ours) == len(theirs) > 4
    np.testing.assert_allclose(ours, theirs, atol=0.11)


@pytest.mark.golden_files("float/nest_hh_psc_alpha*")
def test_nest_hodgkin_huxley_within_the_tolerance_of_an_adaptive_integrator(validation_dir, name):
    z = golden(validation_dir, name)
    s, spikes = run("hodgkin_huxley", 1, 1e-4, 3000, "compiled", ("v", "m", "h", "n"), i_e=650.0)
    ours = (np.flatnonzero(spikes[:, 0]) + 1) * 0.1
    np.testing.assert_allclose(ours, z["spike_times"], atol=1e-9)
    rows = np.round(z["times"] / 0.1).astype(int) - 1
    for name, theirs, atol in (("v", "V_m", 0.02), ("m", "Act_m", 2e-4), ("h", "Inact_h", 2e-4), ("n", "Act_n", 2e-4)):
        np.testing.assert_allclose(s[name][rows, 0], z[theirs], rtol=0, atol=atol)


def test_a_hodgkin_huxley_cell_answers_an_alpha_current_that_peaks_at_the_weight():
    s, _ = run("hodgkin_huxley", 1, 1e-4, 120, "reference", ("i_exc", "v"), np.eye(120, 1, dtype=bool),
               [(np.full((1, 1), 50.0), np.zeros((1, 1), int), "exc")], tau_exc=2e-3)
    assert s["i_exc"].argmax() == 20 and abs(s["i_exc"].max() - 50) < 0.01      # acts from the next tick on
    assert s["v"].max() > s["v"][0] + 0.5
