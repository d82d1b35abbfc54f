"""TrueNorth's neuron: all parameters of the silicon, exact in integers (Cassidy et al., IJCNN 2013, eq. 1-3).

Once a tick, with s[g] the neuron's signed weight for axon type g and F(s, rho) = 1 if |s| >= rho else 0, rho 8 random
bits:

    v += s[g], or with b[g] set F(s[g], rho) sgn(s[g]), for each spike on a connected axon of type g
    v += W lam, or with c set W F(lam, rho) sgn(lam);   W = sgn(v) with epsilon set, else 1 (leak reversal)
    eta = random bits & (2^tm - 1)
    if v >= alpha + eta: spike;  v = r, v - (alpha + eta) or v, for gamma 0, 1, 2
    else if v < -(beta + eta), or -beta with kappa set:  v = -beta with kappa, else -r, v + beta + eta or v, by gamma

Receptors are the axon types g0 .. g3; the crossbar is binary, so the weights of projections are 1, and what arrives is
a count of spikes per type. All spikes of a type are drawn for together, which is the same sum. Silicon's own random
bits are not published; these are counter-based (draws.py).
"""
from __future__ import annotations

import numpy as np

from chipsim.models.draws import Draws
from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read
from chipsim.network.graph import Population


def _whole(default: float | None, low: int, high: int, doc: str) -> Parameter:
    return Parameter("", default, low=low, high=high, integer=True, doc=doc)


TYPES = range(4)
parameters = {
    **{f"s{g}": _whole(0, -255, 255, f"signed weight of axon type {g}") for g in TYPES},
    **{f"b{g}": _whole(0, 0, 1, f"axon type {g} is stochastic") for g in TYPES},
    "lam": _whole(0, -255, 255, "signed leak"),
    "c": _whole(0, 0, 1, "the leak is stochastic"),
    "epsilon": _whole(0, 0, 1, "the leak has the sign of the potential"),
    "alpha": _whole(None, 0, 2**18 - 1, "threshold"),
    "beta": _whole(0, 0, 2**18 - 1, "negative threshold"),
    "tm": _whole(0, 0, 18, "random bits of the thresholds"),
    "gamma": _whole(0, 0, 2, "reset: to r, by threshold, none"),
    "kappa": _whole(0, 0, 1, "saturate at the negative threshold"),
    "r": _whole(0, -(2**18), 2**18, "reset potential"),
    "v_init": _whole(0, -(2**19), 2**19 - 1, "potential at the start"),
}
options: dict[str, tuple] = {}
spiking = True


class TrueNorth(Kernel):
    name = "truenorth"
    params = {name if name != "v_init" else "v0": "i4" for name in parameters}
    state = {"v": "i4"}
    initial = {"v": "v0"}
    accumulator = "i4"
    receptors = ("g0", "g1", "g2", "g3")
    random = True

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        n, v = len(s["v"]), s["v"].astype(np.int64)
        active = (v != 0) | (x != 0).any(0) | (p["lam"] != 0)
        counts = np.stack([np.where(p[f"b{g}"] > 0, x[g], 0) for g in TYPES])
        source = Bytes(draws) if isinstance(draws, Draws) else draws        # or a recorded sequence, with its methods
        hits = source.hits(counts, np.stack([np.abs(p[f"s{g}"]) for g in TYPES]))
        rho, bits = source.of_the_neuron(n)
        for g in TYPES:
            weight = p[f"s{g}"].astype(np.int64)
            v += np.where(p[f"b{g}"] > 0, hits[g] * np.sign(weight), x[g].astype(np.int64) * weight)
        lam = p["lam"].astype(np.int64)
        lam = np.where(p["c"] > 0, (np.abs(lam) >= rho) * np.sign(lam), lam)
        v += np.where(p["epsilon"] > 0, np.sign(v), 1) * lam
        eta = np.where(p["tm"] > 0, bits & ((1 << p["tm"].astype(np.int64)) - 1), 0)
        high, low, r = p["alpha"] + eta, p["beta"] + eta, p["r"].astype(np.int64)
        spikes = v >= high
        below = ~spikes & (v < -np.where(p["kappa"] > 0, p["beta"], low))
        up = np.select([p["gamma"] == 0, p["gamma"] == 1], [r, v - high], v)
        down = np.select(
            [p["kappa"] > 0, p["gamma"] == 0, p["gamma"] == 1], [-p["beta"].astype(np.int64), -r, v + low], v
        )
        s["v"][:] = np.where(spikes, up, np.where(below, down, v))
        return spikes.astype(np.int64), active


class Bytes:
    """The random numbers of the step. Block 0 of the draws: rho of the leak, bits of the threshold; the four words of
    block 1 + 64 g + k / 16 are the 16 bytes for spikes k .. k + 15 of type g."""

    def __init__(self, draws: Draws):
        self.draws = draws

    def hits(self, counts: np.ndarray, size: np.ndarray) -> np.ndarray:
        """int64[4, n]: of counts[g] spikes, how many draw a rho of at most size[g]."""
        hits = np.zeros(counts.shape, np.int64)
        for g in TYPES:
            for k in range(int(counts[g].max(initial=0))):
                if k % 16 == 0:
                    words = self.draws.words(counts.shape[1], 1 + 64 * g + k // 16)
                rho = words[k % 16 // 4] >> (8 * (k % 4)) & 255
                hits[g] += (k < counts[g]) & (rho <= size[g])
        return hits

    def of_the_neuron(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """int64[n] rho of the leak, and 18 bits for the threshold."""
        words = self.draws.words(n, 0)
        return words[0] & 255, words[1] & (2**18 - 1)


kernel = TrueNorth


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers of the kernel [size]; dt plays no part."""
    p = {name: value.astype(np.int32) for name, value in read(population, parameters).items()}
    p["v0"] = p.pop("v_init")
    return p
