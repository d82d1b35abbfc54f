"""Spike-timing rules by name against Brian2 2.9 and NEST 3.10: weights along forced spike trains, and whole networks.

Brian2 runs the axon's code before the neuron's and learns at the spike's arrival; NEST works out a weight when the axon
spikes, with the synapse's delay counted as the dendrite's.
"""
from __future__ import annotations

import ast

import numpy as np
import pytest

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.plasticity import Learner as Compiled
from chipsim.models.plasticity import Plasticity
from chipsim.models.plasticity.learner import Learner, Synapses
from chipsim.network import NetworkBuilder
from chipsim.network.stimulus import Stimulus

LEARNERS = {"plain": (Learner, 4), "compiled": (Compiled, 1)}            # the plain one follows a part of the file
BRIAN2 = dict(impulse=1.0, coincident="plus")
PAIR = dict(rule="pair", a_plus=0.01, a_minus=0.0105, tau_plus=200, tau_minus=200, w_min=0, w_max=1, **BRIAN2)
EULER = 1 - 1e-3 / 0.2                                                   # the reward's decay per tick in the file
RULES = {
    "stdp_pair_brian2": PAIR,
    "stdp_pair_delay_brian2": PAIR | {"x_delay": 15},
    "stdp_triplet_brian2": dict(rule="triplet", a2_plus=5e-3, a3_plus=6.2e-3, a2_minus=7e-3, a3_minus=2.3e-3,
                                tau_plus=168, tau_minus=337, tau_x=1010, tau_y=1250, w_min=0, w_max=1, **BRIAN2),
    "rstdp_brian2": dict(rule="reward", reward="teacher", rate=1e-3, a_plus=0.1, a_minus=0.15, tau_plus=20,
                         tau_minus=20, tag_leak=1e-3, tau_reward=-1 / np.log(EULER), **BRIAN2),
}


def load(validation_dir, name):
    with np.load(validation_dir / "float" / f"{name}.npz") as file:
        return dict(file)


def rewards(z):
    """Ticks in which the weights first feel the reward: the file's step comes before its spikes and its reward."""
    return {round(t / float(z["dt"])) + 1 for t in z["reward_times"]} if "reward_times" in z else set()


@pytest.mark.parametrize("which", LEARNERS)
@pytest.mark.parametrize("name", RULES)
def test_weights_follow_brian2(validation_dir, name, which):
    z = load(validation_dir, name)
    kind, part = LEARNERS[which]
    pre, post = np.repeat(np.arange(6), 5), np.tile(np.arange(5), 6)
    learner = kind(Plasticity.of(RULES[name]), Synapses(6, 5, pre.astype(np.int32), post.astype(np.int32), z["w0"],
                                                        np.zeros(30, np.int32)))
    given, ours, tags = rewards(z), [], []
    for k in range(len(z["pre"]) // part):
        if k % 10 == 0:
            ours.append(learner.variables["w"].copy())
            tags.append(learner.variables["t"].copy())
        learner.tick(k, np.flatnonzero(z["pre"][k]), np.flatnonzero(z["post"][k]), [0.05] if k in given else [])
    np.testing.assert_allclose(ours, z["w"][: len(ours)], rtol=0, atol=1e-12)
    if "c" in z:                                                         # eligibility: the tag
        np.testing.assert_allclose(tags, z["c"][: len(tags)], rtol=0, atol=1e-12)
    assert np.abs(z["w"][len(ours) - 1] - z["w0"]).max() > 1e-3


@pytest.mark.parametrize("name", RULES)
def test_a_network_ends_with_the_weights_of_brian2(validation_dir, name):
    z = load(validation_dir, name)
    net = NetworkBuilder("forced")
    net.add_input("pre", 6)
    net.add_input("force", 5)
    net.add_input("teacher", 1)
    net.add_population("post", 5, "threshold", threshold=100.0)          # spikes when forced, and only then
    net.connect("pre", "post", weights=z["w0"].reshape(6, 5).T, plasticity=RULES[name], name="learning")
    net.connect("force", "post", "one_to_one", weights=1000.0)
    x = np.zeros((len(z["pre"]), 1, 12))
    x[:, 0, :6], x[:, 0, 6:11] = z["pre"], z["post"]
    x[sorted(rewards(z)), 0, 11] = 0.05
    run = simulate(compile(net.build(["post"]), "ideal"), Stimulus.from_dense(x))
    assert np.array_equal(np.bincount(run.spikes["post"][1], minlength=5), z["post"].sum(0))
    np.testing.assert_allclose(run.weight_matrix("learning"), z["w_final"].reshape(6, 5).T, rtol=0, atol=1e-12)


def nest_rule(z):
    """The rule of a NEST file: times in ticks, the neuron's spikes late by the delay."""
    p, h = ast.literal_eval(str(z["par"])), float(z["h"])
    common = dict(impulse=1.0, coincident="neither", w_min=0, w_max=p["Wmax"], tau_plus=p["tau_plus"] / h,
                  y_delay=round(float(z["delay"]) / h))
    if "Aplus_triplet" in p:
        return dict(rule="triplet", a2_plus=p["Aplus"], a2_minus=p["Aminus"], a3_plus=p["Aplus_triplet"],
                    a3_minus=p["Aminus_triplet"], tau_minus=33.7 / h, tau_x=p["tau_plus_triplet"] / h, tau_y=125 / h,
                    **common)
    a_plus = p["lambda"] * p["Wmax"]
    return dict(a_plus=a_plus, a_minus=p["alpha"] * a_plus, **common,
                **(dict(rule="pair", tau_minus=20 / h) if p["mu_plus"] == p["mu_minus"] == 0 else
                   dict(rule="multiplicative", tau_minus=33.7 / h)))


@pytest.mark.golden_files("float/nest_stdp_*")
@pytest.mark.parametrize("which", LEARNERS)
def test_weights_at_every_axon_spike_are_those_of_nest(validation_dir, name, which):
    z = load(validation_dir, name)
    kind, part = LEARNERS[which]
    n, ticks = len(z["w0"]), len(z["pre"]) // part
    units = np.arange(n, dtype=np.int32)
    learner = kind(Plasticity.of(nest_rule(z)), Synapses(n, n, units, units, z["w0"], np.zeros(n, np.int32)))
    ours = {}
    for k in range(ticks):
        axons = np.flatnonzero(z["pre"][k])
        learner.tick(k, axons, np.flatnonzero(z["post"][k]))
        ours.update({(k + 1, int(j)): learner.variables["w"][j] for j in axons})
    theirs = {(int(k), int(j)): w for k, j, w in zip(z["ev_step"], z["ev_pair"], z["ev_w"], strict=True) if k <= ticks}
    assert ours.keys() == theirs.keys() and len(ours) > 80
    np.testing.assert_allclose([ours[k] for k in theirs], list(theirs.values()), rtol=0, atol=2e-12)


def test_what_coincident_spikes_count_for_is_refused_when_unknown():
    with pytest.raises(Exception, match="both, plus, neither"):
        Plasticity.of({"rule": "pair", "coincident": "maybe"})
