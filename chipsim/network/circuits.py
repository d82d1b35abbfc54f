"""Circuits that many networks have in them: winner-take-all and the liquid of a liquid state machine."""
from __future__ import annotations

import numpy as np

from chipsim.models.numerics import exp
from chipsim.network.build import NetworkBuilder
from chipsim.network.linear import check


def winner_take_all(net: NetworkBuilder, population: str, inhibition: float, *, self_excitation: float = 0.0,
                    delay: int = 1) -> None:
    """Every neuron of a population inhibits all others by `inhibition` (a positive number) and excites itself."""
    check(population in net.populations, f"there is no population `{population}`")
    check(inhibition > 0, f"an inhibition of {inhibition} does not inhibit", "give a positive number")
    n = int(np.prod(net.populations[population].shape))
    weights = np.full((n, n), -float(inhibition))
    np.fill_diagonal(weights, self_excitation)
    net.connect(population, population, "sparse", weights=weights, delay=delay, name=f"{population}: winner-take-all")


def liquid(net: NetworkBuilder, name: str, shape: tuple[int, int, int], model: str = "lif", *, reach: float = 2.0,
           inhibitory: float = 0.2, weight: float = 0.1, balance: float = 2.0, delay: int = 1, seed: int = 0,
           **params: object) -> str:
    """A column of neurons with random recurrent synapses (Maass, Natschläger and Markram 2002). Returns the name.

    Two neurons at distance D on the grid `shape` are joined with the probability C e^(-(D / reach)^2), C = 0.3, 0.2,
    0.4, 0.1 for exc -> exc, exc -> inh, inh -> exc, inh -> inh. A fraction `inhibitory` of the neurons inhibits, with
    weights -balance * weight; the others have weights of mean `weight`, exponentially distributed.
    """
    check(len(shape) == 3 and min(shape) > 0, f"a liquid has three sides, got {shape}", "as in (3, 3, 15)")
    check(0 <= inhibitory <= 1 and reach > 0, "inhibitory is a fraction of 0..1, reach is above 0")
    net.add_population(name, shape, model, **params)
    draw = np.random.Generator(np.random.Philox(key=seed))
    at = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), 1).astype(float)
    inhibits = draw.random(len(at)) < inhibitory
    near = exp(-((at[:, None] - at[None]) ** 2).sum(2) / reach**2)                # [post, pre]
    chance = np.array([[0.3, 0.4], [0.2, 0.1]])[inhibits[:, None].astype(int), inhibits[None].astype(int)] * near
    np.fill_diagonal(chance, 0.0)
    size = weight * draw.exponential(size=chance.shape)
    weights = np.where(draw.random(chance.shape) < chance, np.where(inhibits[None], -balance * size, size), 0.0)
    net.connect(name, name, "sparse", weights=weights, delay=delay, name=f"{name}: liquid")
    return name
