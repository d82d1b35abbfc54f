"""TrueNorth against reference vectors that agree with published silicon examples and with the RANC simulator.

The stochastic file was made with a generator of its own; its numbers are replayed here in its order: neuron by neuron,
one for each active stochastic synapse in the order of the axons, one for the leak, one for the threshold.
"""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.models.neurons.truenorth import TrueNorth
from chipsim.network.build import NetworkBuilder
from chipsim.network.stimulus import Stimulus

ENGINES = ("compiled", "reference")


def golden(validation_dir, name):
    with np.load(validation_dir / "truenorth" / f"{name}.npz") as z:
        return {k: z[k] for k in z.files}


def registers(z):
    p = {f"s{g}": z["s"][:, g] for g in range(4)} | {f"b{g}": z["b"][:, g] for g in range(4)}
    p |= {"lam": z["lam"], "c": z["c"], "epsilon": z["eps"], "alpha": z["alpha"], "beta": z["beta"], "tm": z["TM"],
          "gamma": z["gamma"], "kappa": z["kappa"], "r": z["R"]}
    return {k: np.asarray(v).astype(np.int32) for k, v in p.items()}


@pytest.mark.golden_files("truenorth/random_det*")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_core_through_the_compiler(validation_dir, name, engine):
    z = golden(validation_dir, name)
    assert not z["b"].any() and not z["c"].any() and not z["TM"].any()
    net = NetworkBuilder("core")
    net.add_input("axons", 256)
    net.add_population("n", 256, "truenorth", **registers(z), v_init=z["V"])
    for g in range(4):
        crossbar = (z["w"] & (z["axon_type"] == g)[:, None]).T.astype(float)
        net.connect("axons", "n", "sparse", weights=crossbar, receptor=f"g{g}")
    layout = compile(net.build(["n"]), load_chip("ideal", set=("core.neuron.models=[truenorth]",)))
    run = simulate(layout, Stimulus.from_dense(z["A"].astype(np.uint8)), engine=engine, record=("n", "n.v"))
    spikes = np.zeros_like(z["spikes"])
    spikes[run.spikes["n"]] = True
    assert np.array_equal(run.states["n", "v"], z["Vtrace"]) and np.array_equal(spikes, z["spikes"])
    assert spikes.sum() > 1000


class Replay:
    """Numbers of a recorded generator, handed out in the order in which its maker drew them."""

    def __init__(self, seed, z, axons):
        self.words = np.random.default_rng(seed).integers(0, 2**32, 1 << 21, dtype=np.uint64)
        self.at, self.z, self.axons = 0, z, axons

    def take(self, bits):
        self.at += 1
        return int(self.words[self.at - 1]) >> (32 - bits)

    def start(self, active):
        z = self.z
        self.synaptic = np.zeros((4, 256), np.int64)
        self.rho, self.bits = np.zeros(256, np.int64), np.zeros(256, np.int64)
        for j in range(256):
            for i in np.flatnonzero(active & z["w"][:, j]):
                g = self.axons[i]
                if z["b"][j, g]:
                    self.synaptic[g, j] += abs(z["s"][j, g]) >= self.take(8)
            if z["c"][j]:
                self.rho[j] = self.take(8)
            if z["TM"][j]:
                self.bits[j] = self.take(18)

    def hits(self, counts, size):
        return self.synaptic

    def of_the_neuron(self, n):
        return self.rho, self.bits


@pytest.mark.golden_files("truenorth/random_stoch*")
def test_stochastic_synapses_leaks_and_thresholds_in_the_reference_order(validation_dir, name):
    z = golden(validation_dir, name)
    p, s = registers(z), {"v": z["V"].astype(np.int32)}
    replay = Replay(int(z["rng_seed"]), z, z["axon_type"])
    for t, active in enumerate(z["A"]):
        counts = np.stack([(z["w"] & (active & (z["axon_type"] == g))[:, None]).sum(0) for g in range(4)])
        replay.start(active)
        spikes, _ = TrueNorth.step(s, p, {}, counts.astype(np.int32), replay)
        assert np.array_equal(s["v"], z["Vtrace"][t]) and np.array_equal(spikes > 0, z["spikes"][t])
    assert replay.at > 10_000


@pytest.mark.parametrize("engine", ENGINES)
def test_tonic_bursting_of_two_neurons(validation_dir, engine):
    z = golden(validation_dir, "tonic_bursting")
    net = NetworkBuilder("bursts")
    net.add_input("in", 1)
    net.add_population("burst", 1, "truenorth", s0=1, s1=-100, epsilon=1, lam=1, alpha=18, r=1, kappa=1)
    net.add_population("stop", 1, "truenorth", s0=1, epsilon=1, alpha=6, kappa=1)
    net.connect("in", "burst", receptor="g0")
    net.connect("burst", "stop", receptor="g0", delay=1)
    net.connect("stop", "burst", receptor="g1", delay=1)
    layout = compile(net.build(["burst", "stop"]), load_chip("ideal", set=("core.neuron.models=[truenorth]",)))
    ticks = len(z["V"])
    when = np.zeros((ticks, 1), np.uint8)
    when[[100, 400, 700]] = 1                                    # one burst of six spikes each
    run = simulate(layout, Stimulus.from_dense(when), engine=engine, record=("all", "burst.v", "stop.v"))
    assert np.array_equal(run.spikes["burst"][0], z["spikes0"])
    assert np.array_equal(np.hstack([run.states["burst", "v"], run.states["stop", "v"]]), z["V"])
