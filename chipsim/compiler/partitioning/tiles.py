"""Cut a convolutional layer into boxes of channels x rows x columns, as few as the limits of a core allow.

A box wants many columns and rows, so that few inputs are heard twice, and many channels, so that inputs are heard by
few cores; neurons, in-axons and kernels bound it (the trade nengo-loihi describes in its tips on convolution).
Objective `energy` takes the boxes with the fewest packets, the others the fewest boxes. Boxes of a layer are alike but
for the last ones, so that the search is in closed form.
"""
from __future__ import annotations

from math import prod

import numpy as np

from chipsim.compiler.draft import Connection, Piece
from chipsim.compiler.partitioning.demand import Demand
from chipsim.compiler.partitioning.packing import axon_bits
from chipsim.network.windows import Window


def tileable(demand: Demand, i: int, cap: dict[str, int | None]) -> bool:
    """Some connection to node i is kept as a sliding kernel, the node has the shape of what these make, and all its
    configurations go on one core: boxes are not told apart by them."""
    shape = tuple(demand.draft.nodes[i].population.shape)
    made = {c.windows.out_shape for c in demand.incoming[i] if c.windows}
    return made == {shape} and len(np.unique(demand.configs[i])) <= (cap["neuron_configs"] or len(demand.configs[i]))


def tiles(demand: Demand, i: int, cap: dict[str, int | None]) -> list[Piece]:
    """Pieces of node i; none if no box fits for sure, the bounds being taken at the layer's fullest neuron."""
    channels, height, width = demand.draft.nodes[i].population.shape
    best: tuple[tuple, tuple[int, int, int]] | None = None
    by_packets = demand.draft.options.objective == "energy"
    for rows in _sizes(height):
        for columns in _sizes(width):
            deep = _channels(demand, i, cap, rows, columns)
            if deep == 0:
                break                                       # wider boxes need more
            boxes = -(-channels // deep) * -(-height // rows) * -(-width // columns)
            deep = -(-channels // -(-channels // deep))     # as many in each
            heard = sum(_packets(demand, c, boxes, deep, rows, columns) for c in demand.incoming[i])
            rank = (heard, boxes) if by_packets else (boxes, heard)
            if best is None or rank < best[0]:
                best = rank, (deep, rows, columns)
    if best is None:
        return []
    units = np.arange(channels * height * width).reshape(channels, height, width)
    deep, rows, columns = best[1]
    pieces = []
    for c in range(0, channels, deep):
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                box = np.ascontiguousarray(units[c : c + deep, y : y + rows, x : x + columns].reshape(-1))
                pieces.append(Piece.of(i, box))
    return pieces


def _sizes(n: int) -> list[int]:
    """Lengths that cut n into different numbers of parts, the parts as equal as can be."""
    return sorted({-(-n // parts) for parts in range(1, n + 1)})


def _channels(demand: Demand, i: int, cap: dict[str, int | None], rows: int, columns: int) -> int:
    """The most channels that a box of so many rows and columns can have; 0: none."""
    channels = demand.draft.nodes[i].population.shape[0]
    low, high = 0, min(channels, (cap["neurons"] or channels * rows * columns) // (rows * columns))
    while low < high:
        middle = (low + high + 1) // 2
        axons = sum(_axons(demand, c, middle, rows, columns) for c in demand.incoming[i])
        bits = sum(_bits(demand, c, middle, rows, columns) for c in demand.incoming[i]) + demand.activations(axons)
        fits = axons <= (cap["axons_in"] or axons) and bits <= (cap["synapse_bits"] or bits)
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _axons(demand: Demand, c: Connection, channels: int, rows: int, columns: int) -> int:
    """In-axons of a box over one connection, at most."""
    if c.windows is None:
        return min(c.weight.shape[1], int(c.fan_in.max(initial=0)) * channels * rows * columns)
    pixels = prod(int(_spans(axis, n).max()) for axis, n in zip(c.windows.axes, (rows, columns), strict=True))
    return pixels * -(-_deep(c, channels) // demand.bundle)


def _packets(demand: Demand, c: Connection, boxes: int, deep: int, rows: int, columns: int) -> int:
    """Sources that a box hears over one connection, summed over the layer's boxes."""
    if c.windows is None:
        return boxes * _axons(demand, c, deep, rows, columns)
    stacked = -(-c.windows.out_shape[0] // deep)
    return stacked * _deep(c, deep) * prod(
        int(_spans(axis, n).sum()) for axis, n in zip(c.windows.axes, (rows, columns), strict=True))


def _spans(axis: Window, n: int) -> np.ndarray:
    """Per box of n along an axis, how many positions of the source it hears there."""
    first = np.arange(0, axis.n_out, n)
    last = np.minimum(first + n, axis.n_out) - 1
    begin = np.maximum(first * axis.stride - axis.before, 0)
    end = np.minimum(last * axis.stride - axis.before + (axis.kernel - 1) * axis.dilation, axis.n_in - 1)
    return end - begin + 1


def _uses(axis: Window, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(how many of n windows in a row read a position, how many positions are read so often), off the border."""
    read = np.arange(n)[:, None] * axis.stride + np.arange(axis.kernel) * axis.dilation
    return np.unique(np.unique(read, return_counts=True)[1], return_counts=True)


def _deep(c: Connection, channels: int) -> int:
    """Channels of the source that a box of so many channels hears, at most."""
    out, per_group = c.windows.source.shape
    groups = c.windows.in_shape[0] // per_group
    return per_group * min(groups, -(-channels * groups // out) + (groups < out and groups > 1))


def _bits(demand: Demand, c: Connection, channels: int, rows: int, columns: int) -> int:
    """Bits of synapse memory that a box takes over one connection, at most."""
    neurons = rows * columns
    rule = dict(weight_bits=c.bits, delay_bits=demand.delay_bits[c.post], slots=demand.slots)
    if c.windows is None:
        each = int(c.fan_in.max(initial=0)) * channels * neurons      # at worst every synapse is its source's only one
        return each * int(axon_bits(demand.packing, np.ones(1, np.int64), dense=c.is_dense, **rule)[0])
    if demand.kernels == "distributed":
        return demand.part_of_kernels(c, channels * neurons)
    out, per_group = c.windows.source.shape
    groups = c.windows.in_shape[0] // per_group
    readers = min(channels, out // groups)                  # of an input channel
    if demand.kernels == "unrolled":
        (uses_y, n_y), (uses_x, n_x) = (_uses(axis, n) for axis, n in zip(c.windows.axes, (rows, columns), strict=True))
        bits = axon_bits(demand.packing, readers * np.outer(uses_y, uses_x), dense=False, **rule)
        return _deep(c, channels) * int((bits * np.outer(n_y, n_x)).sum())
    heard = per_group * -(-channels // (out // groups))
    size = np.array([readers * c.windows.weight.shape[2] * c.windows.weight.shape[3]], np.int64)
    return heard * int(axon_bits(demand.packing, size, dense=True, **rule)[0])
