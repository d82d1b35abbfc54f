"""Train a network of BrainScaleS-2's published shape on the digits of the examples, for `chipsim validate`.

    python tools/train_first_spikes.py --out examples/first_spikes.npz

256 inputs, 246 and 10 neurons with exponential synaptic currents (Göltz et al. 2021). The images are those of
examples/digits_train.h5, whose spike counts give the pixels back; every pixel is four inputs, so that there are 16 by
16 as published, and an input spikes once, the earlier the brighter. Trained is the sum of the output neurons' spikes by
surrogate gradients through time, in NumPy alone, with weights and thresholds deviating at random from batch to batch,
as they do between chips. Weights are written in 8 bits. The same seed gives the same file on the same machine.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from chipsim.network import Stimulus  # noqa: E402
from chipsim.validation.first_spikes import SHAPE, TICKS, encode, factors, pixels  # noqa: E402

SLOPE, BATCH = 8.0, 48


def forward(weights: list[np.ndarray], x: np.ndarray, jitter: np.ndarray) -> tuple[list, list]:
    """Potentials and spikes [layer][T, B, n] in answer to spikes [T, B, 256]."""
    keep, bi, bv, bx = factors()
    potentials, spikes = [], [x]
    for w, off in zip(weights, jitter, strict=True):
        current = v = np.zeros((x.shape[1], w.shape[0]), np.float32)
        vs, out = [], []
        for x_t in spikes[-1]:
            y = x_t @ w.T
            current = keep * current + bi * y
            v = keep * v + bv * current + bx * y
            s = v > 1.0 + off
            vs.append(v)
            out.append(s.astype(np.float32))
            v = np.where(s, 0.0, v).astype(np.float32)
        potentials.append(np.stack(vs))
        spikes.append(np.stack(out))
    return potentials, spikes


def gradients(weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray, jitter: np.ndarray,
              price: float) -> tuple[list[np.ndarray], float]:
    """Of cross entropy on output spike counts, and a price on hidden spikes; and the loss."""
    keep, bi, bv, bx = factors()
    potentials, spikes = forward(weights, x, jitter)
    count = spikes[-1].sum(0)
    p = np.exp(count - count.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(labels)), labels] + 1e-9).mean()
    d = p.copy()
    d[np.arange(len(labels)), labels] -= 1
    upstream = np.broadcast_to(d / len(labels), spikes[-1].shape)
    found = []
    for layer in (1, 0):
        w, v, s, below = weights[layer], potentials[layer], spikes[layer + 1], spikes[layer]
        surrogate = 1 / (1 + SLOPE * np.abs(v - 1.0 - jitter[layer])) ** 2
        dv_next = di_next = np.zeros_like(v[0])
        grad, down = np.zeros_like(w), np.zeros_like(below)
        for t in range(len(v) - 1, -1, -1):
            dv = upstream[t] * surrogate[t] + dv_next * keep * (1 - s[t])
            di = dv * bv + di_next * keep
            dy = di * bi + dv * bx
            grad += dy.T @ below[t]
            down[t] = dy @ w
            dv_next, di_next = dv, di
        found.append(grad)
        upstream = down + price / below.size
    return found[::-1], float(loss)


def train(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0.10, 0.6, (SHAPE[1], SHAPE[0])).astype(np.float32),
               rng.normal(0.10, 0.8, (SHAPE[2], SHAPE[1])).astype(np.float32)]
    mean, square = ([np.zeros_like(w) for w in weights] for _ in range(2))
    step = 0
    for epoch in range(epochs):
        shown = images + rng.normal(0, 0.08, images.shape)                     # no two epochs see the same images
        spikes = encode(np.clip(shown * (rng.random(images.shape) > 0.1), 0, 1)).astype(np.float32)
        total, rate = 0.0, 1e-2 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        for batch in np.array_split(rng.permutation(len(labels)), len(labels) // BATCH):
            jitter = [rng.normal(0, 0.07, (1, n)).astype(np.float32) for n in SHAPE[1:]]
            off = [(w * (1 + rng.normal(0, 0.07, w.shape))).astype(np.float32) for w in weights]
            found, loss = gradients(off, spikes[:, batch], labels[batch], jitter, 0.5)
            step += 1
            for k, g in enumerate(found):
                mean[k] = 0.9 * mean[k] + 0.1 * g
                square[k] = 0.999 * square[k] + 0.001 * g**2
                fair = mean[k] / (1 - 0.9**step) / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                weights[k] = weights[k] - rate * fair
            total += loss * len(batch)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1:3}  loss {total / len(labels):.4f}", flush=True)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the 256-246-10 network of `chipsim validate brainscales2`.")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "first_spikes.npz")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    data = [Stimulus.load(ROOT / "examples" / f"digits_{part}.h5") for part in ("train", "test")]
    weights = train(pixels(data[0]), np.asarray(data[0].labels), args.epochs, args.seed)
    scale = [float(np.abs(w).max()) / 127 for w in weights]
    stored = [np.round(w / s).astype(np.int8) for w, s in zip(weights, scale, strict=True)]
    np.savez_compressed(args.out, hidden=stored[0], output=stored[1], scale=scale)
    held = [w.astype(np.float32) * s for w, s in zip(stored, scale, strict=True)]
    _, spikes = forward(held, encode(pixels(data[1])).astype(np.float32), np.zeros((2, 1), np.float32))
    right = (spikes[-1].sum(0).argmax(1) == np.asarray(data[1].labels)).mean()
    print(f"accuracy {right:.4f} of {spikes[0].shape[1]} held-out images, {spikes[1].sum() / spikes[0].shape[1]:.0f} "
          f"hidden spikes an image, {TICKS} ticks")


if __name__ == "__main__":
    main()
