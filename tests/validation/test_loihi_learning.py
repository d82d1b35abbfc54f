"""Loihi's learning engine against Lava 0.10 `LearningDense`: fixed point bit for bit, floating point to rounding.

Lava draws one random number per kind and tick for all units; its draws are made here in its order and injected.
"""
from __future__ import annotations

import json

import numpy as np
import pytest

from chipsim.engine.plasticity import Learner as Compiled
from chipsim.models.plasticity import Plasticity, Trace
from chipsim.models.plasticity import learner as engine

LEARNERS = {"plain": engine.Learner, "compiled": Compiled}
TRACES = ("x1", "x2", "y1", "y2", "y3")


def rule_of(text):
    values = json.loads(str(text))
    traces = {n: Trace(values.get(f"{n}_impulse", 0.0), values.get(f"{n}_tau", 0.0)) for n in TRACES}
    return Plasticity(**{k: values.get(k, "") for k in ("dw", "dt", "dd")}, t_epoch=values["t_epoch"], **traces)


def lava_draws(ticks, t_epoch, seed=1234):
    """What Lava's two generators per side, and the one of its synapses, give in each tick; float64[ticks, STREAMS]."""
    sides = [[np.random.default_rng(seed + 2 * side + kind) for kind in (0, 1)] for side in (0, 1)]
    synapses = np.random.default_rng(2)
    table = np.zeros((ticks, engine.STREAMS))

    def both():
        return [(side[0].random(1)[0], side[1].integers(0, 128, size=1)[0] / 256) for side in sides]

    both()
    rounding = synapses.random(1)[0]
    for t in range(ticks):
        table[t, engine.Y_EXTRA] = both()[1][1]
        table[t, [engine.X_DECAY, engine.X_IMPULSE, engine.Y_DECAY, engine.Y_IMPULSE]] = np.ravel(both())
        if (t + 1) % t_epoch == 0:
            rounding = synapses.random(1)[0]
        table[t, [engine.W_ROUND, engine.T_ROUND, engine.D_ROUND]] = rounding
    return table


@pytest.mark.parametrize("which", LEARNERS)
@pytest.mark.golden_files("loihi/learn_*")
def test_weights_tags_and_traces_after_every_step(validation_dir, name, which):
    with np.load(validation_dir / "loihi" / f"{name}.npz") as file:
        z = dict(file)
    fixed, sign = name.endswith("_fixed"), name.split("_")[-2]
    rule, ticks, (n_post, n_pre) = rule_of(z["rule"]), z["pre"].shape[1], z["w0"].shape
    pre, post = np.repeat(np.arange(n_pre), n_post), np.tile(np.arange(n_post), n_pre)
    synapses = engine.Synapses(n_pre, n_post, pre.astype(np.int32), post.astype(np.int32),
                               z["w0"].T.ravel().astype(float), np.zeros(pre.size, np.int32))
    learner = LEARNERS[which](rule, synapses, sign={"exc": "excitatory", "inh": "inhibitory"}.get(sign, "mixed"),
                              precision=engine.Precision() if fixed else None,
                              shared=lava_draws(ticks, rule.t_epoch) if fixed else None)
    tolerance = 0 if fixed else 1e-12
    changed = 0
    for t in range(ticks):
        learner.tick(t, np.flatnonzero(z["pre"][:, t]), np.flatnonzero(z["post"][:, t]))
        v = {name: values.reshape(n_pre, n_post).T for name, values in learner.variables.items()}
        traces = dict(zip(TRACES, [*learner.x, *learner.y], strict=True))
        there = {name: values for name, values in traces.items() if getattr(rule, name).tau}    # Lava's others are NaN
        for key, ours in {"weights": v["w"], "tag_1": v["t"], **there}.items():
            assert np.abs(z[key][t] - ours).max() <= tolerance, (t, key)
        changed += int((v["w"] != z["w0"]).any())
    assert changed > ticks // 2
