"""Stimuli survive every format, and wrong ones say what is wrong."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import StimulusError
from chipsim.network import encoders
from chipsim.network.stimulus import Stimulus


@settings(max_examples=40, deadline=None)
@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)), seed=st.integers(0, 999),
       payload=st.booleans())
def test_dense_and_events_are_the_same_thing(shape, seed, payload):
    rng = np.random.default_rng(seed)
    x = (rng.random(shape) < 0.4) * (rng.integers(1, 4, shape) if payload else 1)
    stimulus = Stimulus.from_dense(x)
    assert np.array_equal(stimulus.dense(), x)
    assert stimulus.start[-1] == stimulus.n_events == np.count_nonzero(x)
    t, s, line = np.nonzero(x)
    order = rng.permutation(len(t))
    again = Stimulus.from_events((s * shape[0] + t)[order], line[order], x[t, s, line][order], n_lines=shape[2],
                                 ticks=shape[0], n_samples=shape[1])
    assert np.array_equal(again.dense(), x)


@pytest.mark.parametrize("payload", [1, 3])
@pytest.mark.parametrize("suffix", [".h5", ".npz", ".npy", ".csv"])
def test_files_bring_back_what_was_written(tmp_path, suffix, payload):
    x = (np.random.default_rng(0).random((12, 1, 7)) < 0.5) * payload
    x[-1, 0, -1] = payload                                         # a csv knows only the lines and ticks it names
    path = tmp_path / f"s{suffix}"
    stimulus = Stimulus.from_dense(x)
    if suffix == ".h5":
        stimulus.save(path)
    elif suffix == ".npz":
        np.savez(path, x=x)
    elif suffix == ".npy":
        np.save(path, x)
    else:
        t, _, line = np.nonzero(x)
        path.write_text("tick,line,value\n" + "".join(f"{a},{b},{payload}\n" for a, b in zip(t, line, strict=True)))
    loaded = Stimulus.load(path)
    assert np.array_equal(loaded.dense(), x)
    cut = Stimulus.load(path, ticks_per_sample=4, samples=slice(1, 3))
    assert cut.n_samples == 2
    assert np.array_equal(cut.dense()[:, 0], x[4:8, 0])
    assert np.array_equal(cut.dense()[:, 1], x[8:12, 0])


def test_labels_and_samples_stay_together(tmp_path):
    x = np.random.default_rng(1).random((5, 6, 3)) < 0.5
    Stimulus.from_dense(x, np.arange(6)).save(tmp_path / "s.h5")
    some = Stimulus.load(tmp_path / "s.h5", ticks_per_sample=5).select([4, 1])
    assert some.labels.tolist() == [4, 1]
    assert np.array_equal(some.dense(), x[:, [4, 1]])
    assert "2 samples x 5 ticks x 3 lines" in repr(some)
    assert Stimulus.load(tmp_path / "s.h5", samples=2).labels.tolist() == [0, 1]


def test_the_digits_test_set_is_small(tmp_path):
    x = np.random.default_rng(2).random((20, 360, 64)) < 0.25
    Stimulus.from_dense(x).save(tmp_path / "s.h5")
    assert (tmp_path / "s.h5").stat().st_size < 400_000


def test_bernoulli_is_deterministic_and_independent_of_the_other_samples():
    rates = np.random.default_rng(3).random((4, 200))
    a, b = encoders.bernoulli(rates, 100, seed=7), encoders.bernoulli(rates, 50, seed=7)
    assert np.array_equal(a.dense()[:50], b.dense())
    assert np.array_equal(a.select([0]).dense(), encoders.bernoulli(rates[:1], 100, seed=7).dense())
    assert not np.array_equal(a.dense(), encoders.bernoulli(rates, 100, seed=8).dense())
    assert abs(a.dense().mean(0) - rates).max() < 0.25
    assert abs(a.dense().mean() - rates.mean()) < 0.005


def test_regular_spikes_are_evenly_spaced():
    x = encoders.regular(np.array([[0.25, 1.0, 0.0, 0.1]]), 20).dense()[:, 0]
    assert np.flatnonzero(x[:, 0]).tolist() == [3, 7, 11, 15, 19]
    assert x.sum(0).tolist() == [5, 20, 0, 2]


def test_latency_puts_large_values_first():
    x = encoders.latency(np.array([[1.0, 0.5, 0.01, 0.0]]), 11).dense()[:, 0]
    assert [np.flatnonzero(column).tolist() for column in x.T] == [[0], [5], [10], []]


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


BAD = [
    (lambda p: Stimulus.load(p / "none.h5"), "S310", "there is no file"),
    (lambda p: Stimulus.load(save(p / "a.npz", y=np.ones(3))), "S313", "no array `x`; there are y"),
    (lambda p: Stimulus.load(save(p / "a.npz", x=np.ones((4, 2, 3)), y=np.arange(3))), "S305", "3 labels for 2"),
    (lambda p: Stimulus.load(save(p / "a.npz", x=np.full((4, 2), np.nan))), "S304", "8 values are NaN"),
    (lambda p: Stimulus.load(save(p / "a.npz", x=np.ones((5, 2))), 2), "S308", "1 samples of 5 ticks cannot be cut"),
    (lambda p: Stimulus.from_dense(np.ones((4, 2))).check_lines(3, "net"), "S312", "has 2 lines; net needs 3"),
    (lambda p: Stimulus.from_dense(np.ones((4, 2, 2))).select([2]), "S309", "among the 2 there are"),
    (lambda p: Stimulus.from_dense(np.array([["a"]])), "S306", "no stimulus"),
    (lambda p: Stimulus.from_events([0, 3], [0, 0], ticks=3), "S307", "in tick 3; there are ticks 0 to 2"),
    (lambda p: Stimulus.from_events([0], [9], n_lines=4), "S303", "on line 9; there are lines 0 to 3"),
    (lambda p: encoders.bernoulli(np.array([[2.0]]), 3), "S315", "outside 0..1"),
]


@pytest.mark.parametrize("make, code, message", BAD, ids=[f"{code}-{i}" for i, (_, code, _) in enumerate(BAD)])
def test_wrong_stimuli_are_explained(tmp_path, make, code, message):
    with pytest.raises(StimulusError, match=message) as error:
        make(tmp_path)
    assert error.value.diagnostics[0].code == code


@pytest.mark.parametrize("suffix, text, message", [
    (".h5", "hello", "not an HDF5 file"), (".npz", "hello", "not a NumPy file"),
    (".csv", "tick,line\n1,2\nx,3\n", "row 3"),
    (".csv", "1,2\n1,2,3\n", "row 2"), (".csv", "1.5,2\n", "row 1"), (".txt", "1,2", "cannot tell the format"),
    (".csv", "-1,2\n", "in tick -1"), (".npy", "", "not a NumPy file"), (".npz", "PK\3\4hello", "not a NumPy file"),
    (".csv", "tick,line\n", "no event"),
])
def test_damaged_files_are_explained(tmp_path, suffix, text, message):
    path = tmp_path / f"s{suffix}"
    path.write_text(text)
    with pytest.raises(StimulusError, match=message) as error:
        Stimulus.load(path)
    assert error.value.diagnostics[0].file == str(path)


def test_silent_lines_and_ticks_after_the_last_event_of_a_list_are_there(tmp_path):
    (tmp_path / "s.csv").write_text("0,1\n7,2\n")
    stimulus = Stimulus.load(tmp_path / "s.csv", ticks_per_sample=6)
    stimulus.check_lines(5)
    assert (stimulus.n_samples, stimulus.ticks) == (2, 6)
    assert np.argwhere(stimulus.dense()).tolist() == [[0, 0, 1], [1, 1, 2]]
    with pytest.raises(StimulusError, match="has 3 lines; the network needs 2"):
        stimulus.check_lines(2)
