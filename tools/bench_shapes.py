"""Compile the shapes of well-known vision networks for Loihi: cores, packets, CPU time and peak memory.

`python tools/bench.py shapes [vgg9 vgg16 resnet20 mobilenet] [--kernels shared|unrolled] [--objective cores]
[--effort fast] [--passes]`: weights are drawn at random, pooling is a population of its own, the mesh is as large as
needed. `unrolled`: every synapse of a convolution is stored by itself, on cores without shared kernels.
"""
from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from multiprocessing import Process

import numpy as np
from bench_compile import clock, peak

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.network import NetworkBuilder
from chipsim.network.graph import Network

CHIP = ("fabric.width=80", "fabric.height=32")
UNROLLED = ("core.synapse_memory.kernels=unrolled", "core.axon_channels=null")


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="bench.py shapes", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(SHAPES), metavar="NAME", help=", ".join(SHAPES))
    parser.add_argument("--kernels", default="shared", choices=("shared", "unrolled"))
    parser.add_argument("--objective", choices=("energy", "latency", "cores"))
    parser.add_argument("--effort", default="fast", choices=("fast", "normal", "best"))
    parser.add_argument("--passes", action="store_true", help="CPU time and peak memory of every pass")
    args = parser.parse_args(arguments)
    print(f"{'network':10} {'neurons':>9} {'synapses':>12} {'cores':>6} {'packets/spike':>13} {'CPU s':>7} "
          f"{'peak GB':>8}", flush=True)
    for name in args.names or SHAPES:
        one = Process(target=_row, args=(name, args))           # each in a process of its own, for its peak memory
        one.start()
        one.join()
        if one.exitcode:
            return os.EX_SOFTWARE
    return 0


def _row(name: str, args) -> None:
    network = SHAPES[name]()
    chip = load_chip("loihi", set=CHIP + (UNROLLED if args.kernels == "unrolled" else ()))
    began = time.process_time()
    layout = compile(network, chip, effort=args.effort, objective=args.objective,
                     progress=clock() if args.passes else None)
    seconds = time.process_time() - began
    synapses, packets = layout.segment_size.sum(), layout.out_start[layout.n_neurons] / layout.n_neurons
    print(f"{name:10} {network.n_neurons:9} {synapses:12} {layout.n_cores:6} {packets:13.2f} {seconds:7.1f} "
          f"{peak():8.2f}", flush=True)


class _Layers:
    """Layers one after the other, each a population of its own."""

    def __init__(self, name: str, shape: tuple[int, int, int]):
        self.net, self.rng = NetworkBuilder(name, dt=1e-3), np.random.default_rng(0)
        self.last = self.net.add_input("in", shape)

    def shape(self, name: str | None = None) -> tuple[int, ...]:
        return self.net.populations[name or self.last].shape

    def conv(self, channels: int, kernel: int = 3, stride: int = 1, padding: int = 1, groups: int = 1) -> str:
        deep, height, width = self.shape()
        size = [(n + 2 * padding - kernel) // stride + 1 for n in (height, width)]
        weights = self.rng.normal(0, (deep // groups * kernel**2) ** -0.5, (channels, deep // groups, kernel, kernel))
        return self._add((channels, *size), "conv2d", weights=weights, stride=stride, padding=padding, groups=groups)

    def pool(self, size: int) -> str:
        deep = self.shape()[0]
        window = dict(weights=np.full((deep, 1, size, size), 1 / size**2), stride=size, groups=deep)
        _, height, width = self.shape()
        return self._add((deep, height // size, width // size), "conv2d", **window)

    def full(self, n: int) -> str:
        m = int(np.prod(self.shape()))
        return self._add((n,), "dense", weights=self.rng.normal(0, m**-0.5, (n, m)))

    def _add(self, shape: tuple[int, ...], kind: str, **options) -> str:
        name, before = f"l{len(self.net.populations)}", self.last
        self.last = self.net.add_population(name, shape, "lif", tau=0.02, v_threshold=1.0)
        self.net.connect(before, name, kind, **options)
        return name


def vgg9() -> Network:
    layers = _Layers("vgg9", (3, 32, 32))
    for channels in (64, 128, 256):
        layers.conv(channels)
        layers.conv(channels)
        layers.pool(2)
    layers.full(1024)
    layers.full(10)
    return layers.net.build()


def vgg16() -> Network:
    layers = _Layers("vgg16", (3, 32, 32))
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            layers.conv(channels)
        layers.pool(2)
    layers.full(512)
    layers.full(10)
    return layers.net.build()


def resnet20() -> Network:
    layers = _Layers("resnet20", (3, 32, 32))
    layers.conv(16)
    for channels, stride in ((16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1)):
        before = layers.last
        layers.conv(channels, stride=stride)
        after = layers.conv(channels)
        skip = np.eye(channels, layers.shape(before)[0])[:, :, None, None]      # new channels hear nothing
        layers.net.connect(before, after, "conv2d", weights=skip, stride=stride)
    layers.pool(8)
    layers.full(10)
    return layers.net.build()


def mobilenet() -> Network:
    """Howard et al. 2017, width 1.0, on images of 128 x 128."""
    layers = _Layers("mobilenet", (3, 128, 128))
    layers.conv(32, stride=2)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2),
                             (1024, 1)):
        layers.conv(layers.shape()[0], stride=stride, groups=layers.shape()[0])
        layers.conv(channels, kernel=1, padding=0)
    layers.pool(4)
    layers.full(1000)
    return layers.net.build()


SHAPES = {f.__name__: f for f in (vgg9, vgg16, resnet20, mobilenet)}
