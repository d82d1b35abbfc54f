"""The compiled learning engine equals the plain one on rules, trains and weights nobody chose."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.engine.plasticity import Learner as Compiled
from chipsim.models.plasticity.learner import STREAMS, Learner, Precision, Synapses
from chipsim.models.plasticity.rule import Plasticity, Trace
from chipsim.models.plasticity.sum_of_products import FACTORS


@st.composite
def products(draw):
    parts = [draw(st.sampled_from(["x0", "y0", "u0", "u1", "u2"])), f"2^{draw(st.integers(-9, 3))}"]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(FACTORS))
        offset = draw(st.integers(-130, 130))
        with_offset = f"({name} {'+' if offset >= 0 else '-'} {abs(offset)})"
        parts.append(draw(st.sampled_from([name, with_offset, f"sgn({name} - 3)"])))
    if draw(st.booleans()):
        parts.append(str(draw(st.sampled_from([1, 3, 7, 8, 12]))))
    return draw(st.sampled_from("+-")) + "*".join(draw(st.permutations(parts)))


@st.composite
def rules(draw):
    traces = {n: Trace(draw(st.sampled_from([16, 0.3, 40.5, 127])), draw(st.sampled_from([1.5, 10, 200])))
              for n in ("x1", "x2", "y1", "y2", "y3")}
    texts = [" ".join(draw(st.lists(products(), min_size=1, max_size=4))) for _ in range(3)]
    return Plasticity(dw=texts[0], dt=draw(st.sampled_from(["", texts[1]])), dd=draw(st.sampled_from(["", texts[2]])),
                      reward="teacher", r1=Trace(draw(st.sampled_from([1, 7.5])), draw(st.sampled_from([0, 5]))),
                      t_epoch=draw(st.sampled_from([1, 2, 5])), x_delay=draw(st.sampled_from([0, 1, 9])),
                      y_delay=draw(st.sampled_from([0, 2, 7])), **traces)


def random_synapses(rng, fixed):
    n_pre, n_post = rng.integers(1, 7, 2)
    pre, post = np.nonzero(rng.random((n_pre, n_post)) < 0.7)
    weight = rng.integers(-256, 256, len(pre)) if fixed else rng.normal(size=len(pre))
    return Synapses(int(n_pre), int(n_post), pre.astype(np.int32), post.astype(np.int32), weight.astype(float),
                    rng.integers(0, 63, len(pre)).astype(np.int32))


@settings(max_examples=80, deadline=None)
@given(rule=rules(), seed=st.integers(0, 2**32), sign=st.sampled_from(["mixed", "excitatory", "inhibitory"]),
       injected=st.booleans())
@pytest.mark.parametrize("precision", [None, Precision()], ids=["float", "fixed"])
def test_compiled_learning_equals_its_definition(precision, rule, seed, sign, injected):
    rng = np.random.default_rng(seed)
    synapses, ticks = random_synapses(rng, precision is not None), 24
    options = dict(sign=sign, precision=precision, seed=seed, number=3,
                   shared=rng.random((ticks, STREAMS)) if injected else None)
    plain, fast = Learner(rule, synapses, **options), Compiled(rule, synapses, **options)
    for t in range(ticks):
        if t == 15:
            plain.reset()
            fast.reset()
        pre, post = (np.flatnonzero(rng.random(n) < 0.4) for n in (synapses.n_pre, synapses.n_post))
        rewards = list(rng.integers(-20, 20, rng.integers(0, 2)).astype(float))
        with np.errstate(over="ignore", invalid="ignore"):
            plain.tick(t, pre, post, rewards)
        fast.tick(t, pre, post, rewards)
        for name in ("w", "t", "d"):
            assert np.array_equal(plain.variables[name], fast.variables[name], equal_nan=True), (t, name)
        assert np.array_equal(plain.x, fast.x) and np.array_equal(plain.y, fast.y) and plain.r1 == fast.r1


@settings(max_examples=40, deadline=None)
@given(rule=rules(), seed=st.integers(0, 2**32), density=st.sampled_from([1, 0.6, 0.02]),
       rates=st.tuples(*[st.sampled_from([0.005, 0.1, 0.9])] * 2))
@pytest.mark.parametrize(("precision", "grid"), [(None, 0.0), (None, 2.0**-7), (Precision(), 0.0)],
                         ids=["float", "grid", "fixed"])
def test_long_rows_and_columns_are_learnt_stored_and_counted_as_defined(precision, grid, rule, seed, density, rates):
    rng = np.random.default_rng(seed)
    n_pre, n_post, n_cores = int(rng.integers(1, 20)), int(rng.integers(200, 700)), 3
    pre, post = np.nonzero(rng.random((n_pre, n_post)) < density)
    weight = rng.integers(-256, 256, len(pre)) * (grid or 1.0) if precision or grid else rng.normal(size=len(pre))
    synapses = Synapses(n_pre, n_post, pre.astype(np.int32), post.astype(np.int32), weight.astype(float),
                        np.zeros(len(pre), np.int32))
    plain, fast = (kind(rule, synapses, precision=precision, grid=grid, seed=seed) for kind in (Learner, Compiled))
    place, core = rng.permutation(len(pre)) if seed % 2 else np.arange(len(pre)), rng.integers(0, n_cores, n_post)
    effective = rng.permutation(512).astype(np.int16) if precision else None
    stored = np.zeros(len(pre), np.int16 if precision or grid else float)
    fast.connect(place, effective, stored, core.astype(np.int32), n_cores)
    for t in range(6):
        spikes = [np.flatnonzero(rng.random(n) < rate) for n, rate in zip((n_pre, n_post), rates, strict=True)]
        fast.updates[:] = 0
        with np.errstate(over="ignore", invalid="ignore"):
            updated = plain.tick(t, *spikes, [3.0] if t == 1 else [])
        fast.tick(t, *spikes, [3.0] if t == 1 else [])
        for name in ("w", "t", "d"):
            assert np.array_equal(plain.variables[name], fast.variables[name], equal_nan=True), (t, name)
        w = plain.variables["w"]
        if grid:
            known = np.isfinite(w)
            assert np.array_equal(stored[place][known], np.rint(w[known] / grid))
        else:
            expected = w if effective is None else effective[w.astype(int) + 256]
            assert np.array_equal(stored[place], expected, equal_nan=True)
        counted = np.zeros(n_cores) if updated is None else np.bincount(core[post[updated]], minlength=n_cores)
        assert np.array_equal(fast.updates, counted)
