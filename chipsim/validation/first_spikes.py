"""Digits as first spikes: the input of the network that tools/train_first_spikes.py trains for `brainscales2`."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from chipsim.network import Network, NetworkBuilder, Stimulus
from chipsim.validation.case import NoData

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHAPE, TICKS = (256, 246, 10), 40
DT, TAU = 1e-3, 6e-3                    # of the network's time: a thousandth of it on the chip
LAST = 12                               # tick of the spike of the darkest pixel that spikes


def pixels(digits: Stimulus) -> np.ndarray:
    """float64[images, 64] from 0 to 1: spikes per tick of each input line of each sample."""
    ticks = np.repeat(np.arange(len(digits.start) - 1), np.diff(digits.start))
    counts = np.zeros((digits.n_samples, 64))
    np.add.at(counts, (ticks // digits.ticks, digits.line), 1)
    return np.minimum(counts / (0.8 * digits.ticks), 1.0)


def encode(images: np.ndarray) -> np.ndarray:
    """uint8[TICKS, images, 256]: a spike per input of a pixel brighter than a tenth, the earlier the brighter."""
    when = np.round(LAST * (1 - images)).astype(np.int64)
    lit = images > 0.1
    spikes = np.zeros((TICKS, *images.shape), np.uint8)
    sample, pixel = np.nonzero(lit)
    spikes[when[lit], sample, pixel] = 1
    square = spikes.reshape(TICKS, -1, 8, 8)
    return square.repeat(2, 2).repeat(2, 3).reshape(TICKS, -1, SHAPE[0])


def factors() -> tuple[float, ...]:
    """Of a tick, as `cuba_lif` has them with both time constants alike: ai and av, bi, bv, bx of the affine kernel."""
    keep = float(np.exp(-DT / TAU))
    return keep, 1 - keep, DT / TAU, 1 - keep - DT / TAU


def network() -> Network:
    """The trained network. Raises NoData without its file."""
    file = EXAMPLES / "first_spikes.npz"
    if not file.is_file():
        raise NoData(str(file))
    with np.load(file) as stored:
        weights = [stored[name].astype(np.float64) * scale
                   for name, scale in zip(("hidden", "output"), stored["scale"], strict=True)]
    net = NetworkBuilder("first-spikes", dt=DT)
    net.add_input("l0", SHAPE[0])
    for i, w in enumerate(weights, 1):
        net.add_population(f"l{i}", len(w), "cuba_lif", tau_mem=TAU, tau_syn=TAU, v_threshold=1.0,
                           integrator="exponential")
        net.connect(f"l{i - 1}", f"l{i}", weights=w)
    return net.build(["l2"])
