"""NorthPole against benchmarks of its makers: frames per second of ResNet-50, power of that and of a language model
(Modha et al. 2023, Appuswamy et al. 2024).

ResNet-50 is built layer by layer with random weights and compiled up to its schedule: cores, memories, what crosses
every link, the time of every layer. The precision it ran at is not published. At 8 bits not even the multipliers alone
would reach the published rate; the table has 4 bits throughout, with 8 and 2 bits as the range. Times of hops, of
neurons and of a layer's start are guesses of the chip file. Energies are fitted on the two powers.
"""
from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.compile import PASSES, draft_of
from chipsim.compiler.draft import Draft
from chipsim.compiler.frame import Frame
from chipsim.compiler.schedule import schedule
from chipsim.engine import simulate
from chipsim.network import Network, NetworkBuilder, Stimulus
from chipsim.report import report
from chipsim.validation.case import Case, Range

SCIENCE, HPEC = "modha2023, table 1", "appuswamy2024"
FRAMES, WATTS = 42_460, 74.0
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))        # He et al. 2016, table 1: width and blocks of conv2_x on


def resnet50(bits: int) -> Network:
    """ResNet-50 for images of 224 x 224; the stride of a block in its 3 x 3 layer, pooling as sums of windows."""
    net, form = NetworkBuilder("resnet50", dt=1e-3), {"weight_bits": bits}

    def layer(name: str, *shape: int) -> str:
        return net.add_population(name, shape, "lif", tau=1e-2, v_threshold=1.0)

    def conv(pre: str, post: str, kernel: int, stride: int = 1) -> None:
        net.connect(pre, post, "conv2d", kernel=(kernel, kernel), weights=lambda rng, n: rng.normal(size=n),
                    padding=kernel // 2, stride=stride, format=form)

    def pool(pre: str, post: str, channels: int, size: int) -> None:
        net.connect(pre, post, "conv2d", weights=np.ones((channels, 1, size, size)), stride=size, groups=channels,
                    format=form)

    net.add_input("image", (3, 224, 224))
    conv("image", layer("conv1", 64, 112, 112), 7, 2)
    pool("conv1", before := layer("pool", 64, 56, 56), 64, 2)
    side = 56
    for stage, (width, blocks) in enumerate(STAGES, 2):
        for b in range(blocks):
            stride = 2 if b == 0 and stage > 2 else 1
            name, inner = f"conv{stage}_{b + 1}", side // stride
            a, c, out = (layer(name + "a", width, side, side), layer(name + "b", width, inner, inner),
                         layer(name + "c", 4 * width, inner, inner))
            conv(before, a, 1)
            conv(a, c, 3, stride)
            conv(c, out, 1)
            if b == 0:
                conv(before, out, 1, stride)
            else:
                net.connect(before, out, "one_to_one", weights=1.0, format=form)
            before, side = out, inner
    pool(before, layer("mean", 2048, 1, 1), 2048, 7)
    net.connect("mean", net.add_population("classes", 1000, "lif", tau=1e-2, v_threshold=1.0),
                weights=np.random.default_rng(0).normal(size=(1000, 2048)), format=form)
    return net.build(["classes"])


def in_order(draft: Draft) -> Draft:
    """A place pass: the first core of the draft on the first of the chip."""
    return replace(draft, places=np.arange(len(draft.cores), dtype=np.int32))


@cache
def frames() -> dict[int, Frame]:
    """Bits of all weights -> the frame of ResNet-50."""
    draft = draft_of(resnet50(4), "northpole")
    for step in PASSES:
        draft = in_order(draft) if step.__name__ == "place" else step(draft)
    at = {4: draft.frame}
    for bits in (8, 2):
        at[bits] = schedule(replace(draft, connections=tuple(replace(c, bits=bits) for c in draft.connections))).frame
    return at


def per_second(frame: Frame) -> float:
    """Frames per second, one after the other."""
    return 1e12 / frame.length_ps


def watts(frame: Frame) -> float:
    """Power of a chip that does nothing but such frames."""
    chip = load_chip("northpole")
    return chip.static_power + float(frame.cycles.sum()) * chip.costs.matrix.energy * per_second(frame)


@cache
def busy() -> tuple[float, float]:
    """(operations per second of a chip while a layer of 4 bits is multiplied on all cores, joules of one)."""
    net = NetworkBuilder("layer", dt=1e-3)
    net.add_input("in", 2048)
    net.add_population("n", 2048, "lif", tau=1e-2, v_threshold=1e6)
    net.connect("in", "n", weights=np.random.default_rng(0).normal(size=(2048, 2048)), format={"weight_bits": 4})
    layout = compile(net.build(["n"]), "northpole", effort="fast", neurons_per_core=8)
    run = simulate(layout, Stimulus.from_dense(np.ones((1, 2048), np.uint8)), record=())
    account = report(run)
    layer, = account.latency.frame.layers
    return layer.operations / layer.multiply_s, account.energy.dynamic_J / layer.operations


def language_model() -> float:
    """Watts of a card at 28 356 tokens/s on 16 of them, two operations for each of 3 billion weights and token."""
    return load_chip("northpole").static_power + busy()[1] * 2 * 3e9 * 28_356 / 16


def rates() -> Range:
    at = frames()
    return Range(per_second(at[4]), per_second(at[8]), per_second(at[2]))


RESNET = "ResNet-50, 4 bits throughout, compiled up to its schedule, cores in order"
UNKNOWN = ("the precision of its layers is not published: 8 bits throughout to 2 bits. The start of a layer, 18 % of "
           "the frame, is a guess")

CASES = (
    Case(name="operations per second, 4 bit, 288 chips", unit="Pop/s",
         workload="a layer of 2048 x 2048 weights, while it is multiplied",
         published=115.0, tolerance=0.06, source="DeBole et al. 2025, arXiv 2511.15950, abstract",
         basis="restated", measure=lambda: 288 * busy()[0] / 1e15,
         note="the published figure is that of 381 MHz, the chip file has the nominal 400"),
    Case(name="power, language model", workload="28 356 tokens/s of 3 billion weights of 4 bits on 16 cards", unit="W",
         published=672 / 16, tolerance=0.02, source=HPEC, basis="fitted", measure=language_model,
         note="power of a card, and reads of memory, count as static power"),
    Case(name="frames per second, ResNet-50", workload=RESNET, unit="frames/s", published=FRAMES, tolerance=0.05,
         source=SCIENCE, basis="predicted", measure=rates, full=True, note=UNKNOWN),
    Case(name="power, ResNet-50", workload=RESNET, unit="W", published=WATTS, tolerance=0.03, source=SCIENCE,
         basis="fitted", measure=lambda: watts(frames()[4]), full=True),
    Case(name="frames per joule, ResNet-50", workload=RESNET, unit="frames/J", published=571.0, tolerance=0.05,
         source=SCIENCE, basis="fitted", measure=lambda: per_second(frames()[4]) / watts(frames()[4]), full=True),
)
