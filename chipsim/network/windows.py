"""Convolution and pooling as they are: kernels, and where they slide; a few rows at a time are written out as a matrix.

Along each axis there are triples of positions (output, kernel, input); every pair of triples is one synapse per pair of
channels. On chips that store kernels once per core (`synapse_memory.kernels: shared`) such connections stay in this
form through all passes: a layer of 38 million synapses is its 147 thousand weights.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Window:
    """Where a sliding kernel of one axis reads: triples (output, kernel, input) of positions inside the input."""

    n_in: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int

    @property
    def n_out(self) -> int:
        return (self.n_in + self.before + self.after - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def triples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        out, k = np.meshgrid(np.arange(self.n_out), np.arange(self.kernel), indexing="ij")
        position = out * self.stride - self.before + k * self.dilation
        inside = (position >= 0) & (position < self.n_in)
        return out[inside], k[inside], position[inside]


@dataclass(frozen=True, eq=False)
class Windows:
    """The matrix [out size, in size] of a convolution or pooling. Weights of zero are no synapses.

    weight  [out channels, in channels per group, kh, kw], float64 or int16
    used    bool, like weight: where there is a synapse at all
    source  int32[out channels, in channels per group]: input channel that each kernel reads
    axes    vertical and horizontal windows
    """

    weight: np.ndarray
    used: np.ndarray
    source: np.ndarray
    axes: tuple[Window, Window]
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]

    @classmethod
    def of(cls, weight: np.ndarray, source: np.ndarray, axes: Sequence[Window], in_shape: tuple[int, ...],
           out_shape: tuple[int, ...]) -> Windows:
        """From float kernels, whose zeros are left out."""
        weight = np.ascontiguousarray(weight, float)
        return cls(weight, weight != 0, np.ascontiguousarray(source, np.int32), tuple(axes), tuple(in_shape),
                   tuple(out_shape))

    @property
    def shape(self) -> tuple[int, int]:
        return prod(self.out_shape), prod(self.in_shape)

    @property
    def data(self) -> np.ndarray:
        """The stored weights, flat: every kernel once."""
        return self.weight.reshape(-1)

    def with_data(self, data: np.ndarray) -> Windows:
        return replace(self, weight=np.ascontiguousarray(data).reshape(self.weight.shape))

    def of_sign(self, sign: int) -> Windows:
        """Its positive (1) or negative (-1) weights alone."""
        kept = self.used & (np.sign(self.weight) == sign)
        return replace(self, weight=np.where(kept, self.weight, 0), used=kept)

    @cached_property
    def inside(self) -> tuple[np.ndarray, np.ndarray]:
        """bool[out rows, kh], bool[out columns, kw]: which parts of a kernel lie on the image."""
        both = []
        for axis in self.axes:
            out, k, _ = axis.triples()
            reads = np.zeros((axis.n_out, axis.kernel), bool)
            reads[out, k] = True
            both.append(reads)
        return both[0], both[1]

    @cached_property
    def fan_in(self) -> np.ndarray:
        """int64[out size]: synapses of each row."""
        rows, columns = (reads.astype(np.int64) for reads in self.inside)
        weights = np.count_nonzero(self.used, axis=1)
        return np.einsum("okl,yk,xl->oyx", weights, rows, columns, optimize=True).reshape(-1)

    @cached_property
    def fan_out(self) -> np.ndarray:
        """int64[in size]: synapses of each column."""
        weights = np.zeros((self.in_shape[0], *self.weight.shape[2:]), np.int64)
        np.add.at(weights, self.source, self.used)
        rows, columns = (np.zeros((axis.n_in, axis.kernel), np.int64) for axis in self.axes)
        for axis, read in zip(self.axes, (rows, columns), strict=True):
            _, k, position = axis.triples()
            read[position, k] = 1
        return np.einsum("ckl,yk,xl->cyx", weights, rows, columns, optimize=True).reshape(-1)

    @property
    def nnz(self) -> int:
        return int(self.fan_in.sum())

    def expand(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(indptr int64, indices int32, values) of the rows `units` (int64), as a CSR matrix has them."""
        from chipsim.network.unrolling import expand_windows

        indptr = np.concatenate([[0], np.cumsum(self.fan_in[units])]).astype(np.int64)
        rows, columns = ((axis.stride, axis.before, axis.dilation) for axis in self.axes)
        indices, values = expand_windows(self.weight, self.used, self.source, rows, columns, self.in_shape,
                                         self.out_shape, units, indptr)
        return indptr, indices, values

    def tocsr(self) -> csr_array:
        from scipy.sparse import csr_array

        indptr, indices, values = self.expand(np.arange(self.shape[0]))
        return csr_array((values, indices, indptr), shape=self.shape)

    def heard(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """(in units int32[k], ascending, that the rows `units` read, synapses from each int32[k]), without writing the
        rows out; None unless the rows are a box of channels x rows x columns whose kernels have no gaps.

        units   int64, ascending
        """
        box, rest = [], units
        for size in (self.out_shape[1] * self.out_shape[2], self.out_shape[2], 1):     # the first of each is a corner
            along, below = np.divmod(rest, size)
            box.append(along[np.flatnonzero(np.diff(along, prepend=-1))])
            rest = below[: int((along == along[0]).sum())]
        whole = (box[0][:, None, None] * self.out_shape[1] + box[1][:, None]) * self.out_shape[2] + box[2]
        if not np.array_equal(whole.reshape(-1), units) or not self.used[box[0]].all():
            return None
        reads = [np.bincount(self.source[box[0]].reshape(-1), minlength=self.in_shape[0])]
        for axis, inside, size in zip(self.axes, box[1:], self.in_shape[1:], strict=True):
            out, _, position = axis.triples()
            reads.append(np.bincount(position[np.isin(out, inside)], minlength=size))
        at = [np.flatnonzero(n) for n in reads]
        c, y, x = (n[read].astype(np.int32) for n, read in zip(reads, at, strict=True))
        found = (at[0][:, None, None] * self.in_shape[1] + at[1][:, None]) * self.in_shape[2] + at[2]
        return found.reshape(-1).astype(np.int32), (c[:, None, None] * y[:, None] * x).reshape(-1)

    def channels(self, units: np.ndarray) -> np.ndarray:
        """int64[in channels]: output channels among `units` (int64, ascending) that hear each input channel."""
        channel, pixel = np.divmod(units, self.out_shape[1] * self.out_shape[2])
        row, column = np.divmod(pixel, self.out_shape[2])
        first = np.flatnonzero(np.diff(channel, prepend=-1))
        on_image = [np.logical_or.reduceat(self.inside[0][row, k, None] & self.inside[1][column], first)
                    for k in range(self.weight.shape[2])]
        reads = np.stack(on_image, axis=1)                  # bool[output channels of the units, kh, kw]
        out = channel[first]
        hears = self.hears[out] if reads.all() else (self.used[out] & reads[:, None]).any(axis=(2, 3))
        return np.bincount(self.source[out][hears], minlength=self.in_shape[0])

    @cached_property
    def hears(self) -> np.ndarray:
        """bool[out channels, in channels per group]: there is a weight at all."""
        return self.used.any(axis=(2, 3))
