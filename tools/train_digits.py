"""Train the shipped digits network with snnTorch and write everything the demo and its tests need.

    python tools/train_digits.py --out examples

A 64-96-10 network of leaky integrate-and-fire neurons learns scikit-learn's 8x8 digits by surrogate gradient. A pixel
is an input line that spikes with probability 0.8 x/16 in each of 20 ticks; the output neuron with most spikes answers.
Written are

    digits.nir             the network, as snnTorch exports it
    digits_test.h5         the held-out fifth of the images, encoded, with labels
    digits_expected.npz    what snnTorch itself answers to them: output spikes and accuracy

Needs the extra `train` (torch, snntorch, scikit-learn). The same seed and versions give the same network and spikes.

Training is in single precision; the trained weights are then taken to double precision, and from there come the export
and the expected spikes, so that these do not depend on the summation order of a linear algebra library. As a check the
exported file is read back and run by a few lines of NumPy; the tool fails unless every spike agrees.
"""
from __future__ import annotations

import argparse
import warnings
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path

import nir
import numpy as np
import snntorch
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from snntorch.export_nir import export_to_nir
from torch import nn

from chipsim.network.stimulus import Stimulus

N_INPUT, N_HIDDEN, N_OUTPUT = 64, 96, 10
TICKS = 20
BETA = 0.9
DT = 1e-4                   # the step snnTorch writes into every NIR file, whatever the network was trained for
MAX_RATE = 0.8              # spikes per tick of a white pixel


def network() -> nn.Sequential:
    """The network to be trained. No biases: without input a neuron stays silent, and a chip may skip it.

    NIR wants a parameter per neuron, and knows only a reset within the step of the spike: hence vectors, and no delay.
    """
    surrogate = snntorch.surrogate.fast_sigmoid(slope=10)

    def neurons(size: int) -> snntorch.Leaky:
        return snntorch.Leaky(
            beta=torch.full((size,), BETA), threshold=torch.ones(size), reset_mechanism="zero", reset_delay=False,
            spike_grad=lambda v: surrogate(v).to(v.dtype), init_hidden=True,
        )

    return nn.Sequential(OrderedDict(
        fc1=nn.Linear(N_INPUT, N_HIDDEN, bias=False), lif1=neurons(N_HIDDEN),
        fc2=nn.Linear(N_HIDDEN, N_OUTPUT, bias=False), lif2=neurons(N_OUTPUT),
    ))


def forward(net: nn.Sequential, spikes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes of both layers, [T, B, 96] and [T, B, 10], in answer to input spikes [T, B, 64]."""
    net.lif1.reset_mem(), net.lif2.reset_mem()
    hidden, output = [], []
    for x in spikes:
        hidden.append(net.lif1(net.fc1(x)))
        output.append(net.lif2(net.fc2(hidden[-1])))
    return torch.stack(hidden), torch.stack(output)


def encode(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bernoulli spikes bool[T, B, 64] for images [B, 64] with pixels 0 to 16."""
    return rng.random((TICKS, *images.shape)) < MAX_RATE * images / 16


def train(images: np.ndarray, labels: np.ndarray, *, epochs: int, rate_penalty: float, seed: int) -> nn.Sequential:
    """Cross entropy on spike counts, plus a price on every hidden spike: spikes are what a chip spends energy on."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        spikes = torch.from_numpy(encode(images, rng)).float()      # every epoch draws new spikes
        total = 0.0
        for batch in np.array_split(rng.permutation(len(images)), len(images) // 48):
            hidden, output = forward(net, spikes[:, batch])
            loss = nn.functional.cross_entropy(output.sum(0), torch.from_numpy(labels[batch]))
            loss = loss + rate_penalty * hidden.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        schedule.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3}  loss {total / len(images):.4f}")
    return net


def run_nir(path: Path, spikes: np.ndarray) -> tuple[np.ndarray, float]:
    """Output spikes bool[T, B, 10] of an exported file, in plain NumPy, and the least distance of a v to its threshold.

    v += dt/tau ((v_leak - v) + r I);  spike if v > v_threshold, then v = v_reset in the same step
    """
    nodes = nir.read(path).nodes
    nearest, x = np.inf, spikes.astype(np.float64)
    for weights, lif in (("fc1", "lif1"), ("fc2", "lif2")):
        w, n = nodes[weights].weight, nodes[lif]
        v, out = np.zeros((x.shape[1], len(n.tau))), []
        for x_t in x:
            v += DT / n.tau * ((n.v_leak - v) + n.r * (x_t @ w.T))
            nearest = min(nearest, np.abs(v - n.v_threshold).min())
            out.append(v > n.v_threshold)
            v = np.where(out[-1], n.v_reset, v)
        x = np.array(out, np.float64)
    return x > 0, nearest


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the shipped digits network and write examples/digits*.")
    parser.add_argument("--out", type=Path, default=Path("examples"), help="folder to write to (default: examples)")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rate-penalty", type=float, default=1.0, help="loss per hidden spike and tick (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of split, initial weights, encoding (default: 1)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    digits = load_digits()
    images, test_images, labels, test_labels = train_test_split(
        digits.data, digits.target, test_size=360, stratify=digits.target, random_state=args.seed)
    net = train(images, labels, epochs=args.epochs, rate_penalty=args.rate_penalty, seed=args.seed).double().eval()
    for lif in (net.lif1, net.lif2):
        lif.beta.fill_(BETA)        # 0.9 itself, not its single-precision neighbour

    test = encode(test_images, np.random.default_rng([args.seed, 2]))
    with torch.no_grad():
        hidden, output = (s.numpy() > 0 for s in forward(net, torch.from_numpy(test).double()))
    predicted = output.sum(0).argmax(1)
    accuracy = float((predicted == test_labels).mean())

    args.out.mkdir(parents=True, exist_ok=True)
    nir_path = args.out / "digits.nir"
    net.lif1.reset_mem(), net.lif2.reset_mem()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nir.write(nir_path, export_to_nir(net, torch.zeros(1, N_INPUT, dtype=torch.float64), ignore_dims=[0]))
    again, nearest = run_nir(nir_path, test)
    if not np.array_equal(again, output):
        raise SystemExit(f"{(again != output).sum()} output spikes of the exported file differ from the framework's")
    Stimulus.from_dense(test, labels=test_labels, origin="scikit-learn digits, Bernoulli encoded").save(
        args.out / "digits_test.h5")
    np.savez_compressed(
        args.out / "digits_expected.npz",
        output_spikes=np.packbits(output, axis=-1),     # uint8[20, 360, 2]; np.unpackbits(..., axis=-1, count=10)
        predicted=predicted.astype(np.uint8), labels=test_labels.astype(np.uint8), accuracy=accuracy,
        hidden_spikes=hidden.sum(), input_spikes=test.sum(),
        made_with=" ".join(f"{p}={version(p)}" for p in ("torch", "snntorch", "scikit-learn", "nir", "numpy")),
    )
    n = len(test_labels)
    print(f"accuracy   {accuracy:.4f}  ({(predicted == test_labels).sum()} of {n} held-out images)")
    print(f"spikes     {test.sum() / n:.1f} in, {hidden.sum() / n:.1f} hidden, {output.sum() / n:.1f} out per image")
    print(f"check      NumPy in double precision agrees in all {output.size} places; nearest threshold {nearest:.1e}")


if __name__ == "__main__":
    main()
