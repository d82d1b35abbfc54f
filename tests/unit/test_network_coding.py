"""Encoders and readouts mean what they say; circuits do what they are named for."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import NetworkError, StimulusError, UsageError
from chipsim.network import encoders, readouts
from chipsim.network.build import NetworkBuilder
from chipsim.network.circuits import liquid, winner_take_all
from chipsim.network.stimulus import Stimulus


def test_poisson_has_the_rate_and_the_spread_of_a_poisson_process():
    x = encoders.poisson(np.full((1, 400), 50.0), 2000, dt=1e-3, seed=4).dense()[:, 0]
    counts = x.sum(0)
    assert abs(counts.mean() - 2000 * (1 - np.exp(-0.05))) < 2 and 0.7 < counts.var() / counts.mean() < 1.3
    assert np.array_equal(x, encoders.poisson(np.full((1, 400), 50.0), 2000, dt=1e-3, seed=4).dense()[:, 0])
    assert not np.array_equal(x, encoders.poisson(np.full((1, 400), 50.0), 2000, dt=1e-3, seed=5).dense()[:, 0])


def test_phase_repeats_and_larger_values_come_first():
    x = encoders.phase([[1.0, 0.5, 0.0]], ticks=10, period=5).dense()[:, 0]
    assert [np.flatnonzero(line).tolist() for line in x.T] == [[0, 5], [2, 7], []]


def test_rank_order_depends_on_the_order_alone():
    x = encoders.rank_order([[0.2, 0.9, 0.5, 0.0]], ticks=8).dense()[:, 0]
    assert [np.flatnonzero(line).tolist() for line in x.T] == [[4], [0], [2], []]
    assert np.array_equal(x, encoders.rank_order([[0.01, 1.0, 0.02, 0.0]], ticks=8).dense()[:, 0])


def test_population_fields_peak_at_their_centres():
    a = encoders.population([[0.0, 0.5, 1.0]], units=5).reshape(3, 5)
    assert a.argmax(1).tolist() == [0, 2, 4] and a.max(1).tolist() == [1, 1, 1]
    assert a[1, 1] == pytest.approx(np.exp(-0.5 * 1.5**2)) and a[1, 1] == a[1, 3]


def test_sums_of_deltas_stay_within_a_threshold_of_the_signal():
    signal = np.cumsum(np.random.default_rng(3).normal(size=(200, 2, 3)), axis=0)
    x = encoders.delta(signal, 0.5).dense()
    rebuilt = 0.5 * np.cumsum(x[:, :, :3] - x[:, :, 3:], axis=0)
    assert np.abs(rebuilt - signal).max() < 0.5 and (x > 1).any() and (x[:, :, :3] * x[:, :, 3:] == 0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: encoders.poisson([[-1.0]], 5, 1e-3),
        lambda: encoders.phase([[0.5]], 5, 0),
        lambda: encoders.rank_order([[2.0]], 5),
        lambda: encoders.population([[0.5]], 1),
        lambda: encoders.delta(np.zeros((2, 1)), 0.0),
    ],
)
def test_what_cannot_be_encoded_is_refused(call):
    with pytest.raises(StimulusError):
        call()


def integrators(**record):
    net = NetworkBuilder("n")
    net.add_input("in", 2)
    net.add_population("out", 2, "integrate_fire", v_threshold=1.5)
    net.connect("in", "out", "one_to_one")
    x = np.zeros((4, 2, 2))
    x[:, 0, 0] = 1
    x[2:, 1, 1] = 1
    return simulate(compile(net.build(), "ideal"), Stimulus.from_dense(x), **record)


def test_readouts_of_every_sample():
    run = integrators(record=("out", "out.v"))
    assert readouts.spike_counts(run, "out").tolist() == [[2, 0], [0, 1]]
    assert readouts.first_spikes(run, "out").tolist() == [[1, np.inf], [np.inf, 3]]
    assert readouts.membrane(run, "out").tolist() == [[0, 0], [0, 0]]
    assert readouts.membrane(run, "out", how="max").tolist() == [[1, 0], [0, 1]]
    assert readouts.membrane(run, "out", how="mean").tolist() == [[0.5, 0], [0, 0.25]]


def test_a_readout_of_what_was_not_recorded_says_how_to():
    run = integrators()
    for call in (lambda: readouts.membrane(run, "out"), lambda: readouts.first_spikes(run, "in"),
                 lambda: readouts.membrane(integrators(record=("out.v",)), "out", how="median")):
        with pytest.raises(UsageError, match="U417"):
            call()


def test_the_winner_silences_the_others():
    def spikes(inhibition):
        net = NetworkBuilder("n", dt=1e-3)
        net.add_input("in", 3)
        net.add_population("out", 3, "lif", tau=0.02, v_threshold=0.5)
        net.connect("in", "out", "one_to_one", weights=2.0)
        if inhibition:
            winner_take_all(net, "out", inhibition)
        run = simulate(compile(net.build(["out"]), "ideal"), encoders.regular([0.5, 0.9, 0.6], 200))
        return readouts.spike_counts(run, "out")[0]

    assert (spikes(0) > 5).all()
    won = spikes(40.0)
    assert won.argmax() == 1 and won[1] > 5 and won[[0, 2]].sum() == 0


def test_a_liquid_is_mostly_local_and_answers_to_its_input():
    net = NetworkBuilder("lsm", dt=1e-3)
    net.add_input("in", 5)
    liquid(net, "liquid", (4, 4, 8), tau=0.03, v_threshold=0.3, weight=0.4, seed=2)
    net.connect("in", "liquid", "random", probability=0.3, weights=2.0, seed=1)
    w = net.projections[0].ops[0].matrix().toarray()
    at = np.stack(np.unravel_index(np.arange(128), (4, 4, 8)), 1)
    distance = np.sqrt(((at[:, None] - at[None]) ** 2).sum(2))
    assert (w != 0)[distance < 1.5].mean() > 10 * (w != 0)[distance > 4].mean() and not np.diag(w).any()
    signs = {frozenset(np.sign(column[column != 0])) for column in w.T if column.any()}
    assert signs == {frozenset({1.0}), frozenset({-1.0})}
    run = simulate(compile(net.build(["liquid"]), "ideal"), encoders.bernoulli(np.full((1, 5), 0.2), 100, seed=3))
    assert 100 < readouts.spike_counts(run, "liquid").sum() < 128 * 100
    with pytest.raises(NetworkError):
        liquid(net, "flat", (4, 4), tau=0.03)
    with pytest.raises(NetworkError):
        winner_take_all(net, "liquid", -1.0)
