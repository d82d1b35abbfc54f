"""The networks of the benchmarks, in numbers that every simulator takes."""
from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from chipsim.network import NetworkBuilder
from chipsim.network.graph import Network
from chipsim.network.linear import fold

THRESHOLDS = (255, 420, 351, 276, 371, 341)
LAYERS = ((1, 32), (16, 15), (32, 13), (64, 11), (11, 9))                        # channels, rows and columns
KEEP = dict(du=4095, dv=0)                     # current of one tick, and a potential that keeps: v += 64 (sum + bias)


def gesture(seed: int = 7) -> Network:
    """18 678 neurons, 3.56 M synapses: layers and thresholds of the network for DVS gestures that SANA-FE ships.

    Kernels are random, with a mean that carries a spike in fifty visits from layer to layer. Integrate and fire, reset
    to zero, in whole numbers: every simulator computes it exactly.
    """
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("gesture")
    for i, (channels, side) in enumerate(LAYERS):
        bias = rng.integers(0, 40, (channels, side, side)) if i == 0 else 0
        net.add_population(f"layer{i}", (channels, side, side), "loihi_lif", **KEEP, vth_mant=THRESHOLDS[i],
                           bias_mant=bias, bias_exp=6)
    net.add_population("out", 11, "loihi_lif", **KEEP, vth_mant=THRESHOLDS[5])
    for i in range(1, len(LAYERS)):
        shape = (LAYERS[i][0], LAYERS[i - 1][0], 3, 3)
        net.connect(f"layer{i - 1}", f"layer{i}", "conv2d", weights=_even(rng, 15 / shape[1], shape),
                    stride=2 if i == 1 else 1, delay=1)
    net.connect(f"layer{len(LAYERS) - 1}", "out", weights=_even(rng, 3, (11, 891)), delay=1)
    return net.build(["out"])


def _even(rng: np.random.Generator, mean: float, shape: tuple[int, ...]) -> np.ndarray:
    """Even numbers, as 8 bits of mixed sign hold them, none of them 0: a synapse of weight 0 is none on Loihi."""
    weights = 2 * np.round(rng.normal(mean, 30, shape).clip(-254, 254) / 2)
    return np.where(weights == 0, 2.0, weights)


def random(n: int = 10_000, fan_in: int = 1000, convention: str = "nest", seed: int = 7) -> Network:
    """n leaky neurons with fan_in synapses each, four fifths excitatory, all delays 1 ms; about 10 Hz.

    Weights are eighths, so that sums do not depend on their order, and simulators agree in every spike.
    """
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("random", dt=1e-3)
    net.add_population("cells", n, "iaf_delta", tau=20e-3, v_threshold=20.0, i_e=rng.integers(192, 372, n) / 16,
                       convention=convention)
    pre = np.concatenate([rng.choice(n, fan_in, replace=False) for _ in range(n)])
    weights = np.where(pre < n * 4 // 5, 0.125, -0.5)
    matrix = csr_array((weights, pre, np.arange(0, n * fan_in + 1, fan_in)), (n, n))
    matrix.sort_indices()
    net.connect("cells", "cells", "sparse", weights=matrix, delay=1)
    return net.build(["cells"])


def edges(network: Network) -> dict[str, np.ndarray]:
    """pre, post int32[E] and weight float32[E]; neurons numbered population by population."""
    first, at = {}, 0
    for p in network.populations.values():
        first[p.name], at = at, at + p.size
    parts = []
    for projection in network.projections:
        folded = fold(projection.ops, network.populations[projection.pre].shape)
        for matrix in folded.maps.values():
            m = csr_array(matrix).tocoo()
            parts.append((m.col + first[projection.pre], m.row + first[projection.post], m.data))
    pre, post, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return dict(pre=pre.astype(np.int32), post=post.astype(np.int32), weight=weight.astype(np.float32))


def parameter(network: Network, name: str) -> np.ndarray:
    """float64[N] of a parameter, population by population; 0 where it is not given."""
    return np.concatenate([np.broadcast_to(np.asarray(p.params.get(name, 0), float), p.shape).ravel()
                           for p in network.populations.values()])
