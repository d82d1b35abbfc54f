"""Convolution and pooling as linear operators, in PyTorch's layout (torch.nn documentation: Conv1d, Conv2d, AvgPool2d).

Convolution is cross-correlation; images are (channels, height, width). What both are made of is in windows.py.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from chipsim.network.linear import LinearOp, Reshape, check, text
from chipsim.network.windows import Window, Windows

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def _pair(value: int | tuple[int, ...], name: str, n: int = 2) -> tuple[int, ...]:
    values = tuple(int(v) for v in np.broadcast_to(np.asarray(value), n))
    check(min(values) >= (0 if name == "padding" else 1), f"{name} {values} is not allowed", "use positive integers")
    return values


@dataclass(frozen=True, eq=False)
class Conv2d(LinearOp):
    """2-D cross-correlation. weight [out channels, in channels / groups, kh, kw], input (channels, height, width).

    padding: a pair of ints (both sides), "valid" (none), "same" (stride 1; the odd element goes behind).
    """

    weight: np.ndarray
    in_shape: tuple[int, ...]
    stride: tuple[int, int] | int = 1
    padding: tuple[int, int] | int | str = 0
    dilation: tuple[int, int] | int = 1
    groups: int = 1
    bias: np.ndarray | None = None
    is_conv = True

    def __post_init__(self) -> None:
        check(np.ndim(self.weight) == 4 and len(self.in_shape) == 3,
               f"conv2d with weights {text(np.shape(self.weight))} on input {text(self.in_shape)}",
               "weights are (out, in/groups, kh, kw), inputs (channels, height, width)")
        out, per_group = self.weight.shape[:2]
        check(self.groups >= 1 and out % self.groups == 0 and per_group * self.groups == self.in_shape[0],
               f"conv2d with weights {text(self.weight.shape)} and {self.groups} groups cannot take "
               f"{self.in_shape[0]} input channels; it needs {per_group * self.groups}")
        check(self.bias is None or np.shape(self.bias) == (out,),
               f"conv2d bias has shape {text(np.shape(self.bias))}, need ({out},)")
        check(min(self.out_shape) > 0, f"conv2d kernel {text(self.weight.shape[2:])} is larger than its input "
                                        f"{text(self.in_shape[1:])}")

    @cached_property
    def _axes(self) -> list[Window]:
        stride, dilation = _pair(self.stride, "stride"), _pair(self.dilation, "dilation")
        kernel = self.weight.shape[2:]
        if isinstance(self.padding, str):
            check(self.padding in ("same", "valid"), f"padding `{self.padding}` is unknown", "same, valid or numbers")
            check(self.padding == "valid" or stride == (1, 1), "padding `same` needs stride 1, as in PyTorch",
                   "give the padding as numbers")
            total = [d * (k - 1) if self.padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        else:
            total = [2 * p for p in _pair(self.padding, "padding")]
        return [Window(n, k, s, t // 2, t - t // 2, d)
                for n, k, s, t, d in zip(self.in_shape[1:], kernel, stride, total, dilation, strict=True)]

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (self.weight.shape[0], *(axis.n_out for axis in self._axes))

    def windows(self) -> Windows:
        """All that `matrix` is made of."""
        out, per_group = self.weight.shape[:2]
        source = np.arange(out)[:, None] // (out // self.groups) * per_group + np.arange(per_group)
        return Windows.of(self.weight, source, self._axes, self.in_shape, self.out_shape)

    def matrix(self) -> csr_array:
        return self.windows().tocsr()


def Conv1d(weight: np.ndarray, in_shape: tuple[int, ...], stride: int = 1, padding: int | str = 0, dilation: int = 1,
           groups: int = 1, bias: np.ndarray | None = None) -> tuple[LinearOp, ...]:
    """The chain that is a 1-D cross-correlation: a Conv2d of height 1 between two reshapes.

    weight [out channels, in channels / groups, k], input (channels, length).
    """
    check(np.ndim(weight) == 3 and len(in_shape) == 2,
           f"conv1d with weights {text(np.shape(weight))} on input {text(in_shape)}",
           "weights are (out, in/groups, k), inputs (channels, length)")
    (stride,), (dilation,) = _pair(stride, "stride", 1), _pair(dilation, "dilation", 1)
    if not isinstance(padding, str):
        padding = (0, *_pair(padding, "padding", 1))
    conv = Conv2d(np.asarray(weight)[:, :, None, :], (in_shape[0], 1, in_shape[1]), (1, stride), padding, (1, dilation),
                  groups, bias)
    return (Reshape(tuple(in_shape), conv.in_shape), conv,
            Reshape(conv.out_shape, (conv.out_shape[0], conv.out_shape[2])))


@dataclass(frozen=True, eq=False)
class SumPool2d(LinearOp):
    """Sum over windows of a (channels, height, width) input; zero padding."""

    in_shape: tuple[int, ...]
    kernel_size: tuple[int, int] | int
    stride: tuple[int, int] | int | None = None
    padding: tuple[int, int] | int = 0

    def __post_init__(self) -> None:
        check(len(self.in_shape) == 3, f"2-D pooling of an input of shape {text(self.in_shape)}",
               "inputs are (channels, height, width)")
        check(min(self.out_shape) > 0, f"pooling window {text(_pair(self.kernel_size, 'kernel_size'))} is larger "
                                        f"than its input {text(self.in_shape[1:])}")

    @cached_property
    def _axes(self) -> list[Window]:
        kernel = _pair(self.kernel_size, "kernel_size")
        stride = kernel if self.stride is None else _pair(self.stride, "stride")
        padding = _pair(self.padding, "padding")
        axes = zip(self.in_shape[1:], kernel, stride, padding, strict=True)
        return [Window(n, k, s, p, p, 1) for n, k, s, p in axes]

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (self.in_shape[0], *(axis.n_out for axis in self._axes))

    def windows(self) -> Windows:
        """As of Conv2d: every channel by itself."""
        weight = np.ones((self.in_shape[0], 1, *_pair(self.kernel_size, "kernel_size")))
        return Windows.of(weight, np.arange(self.in_shape[0])[:, None], self._axes, self.in_shape, self.out_shape)

    def matrix(self) -> csr_array:
        return self.windows().tocsr()


class AvgPool2d(SumPool2d):
    """Mean over windows; padding counts as zeros (PyTorch's count_include_pad)."""

    def windows(self) -> Windows:
        ones = super().windows()
        return ones.with_data(ones.data / prod(_pair(self.kernel_size, "kernel_size")))


def windows_of(ops: tuple[LinearOp, ...]) -> Windows | None:
    """The chain's matrix, without its bias, if it is one convolution or pooling; else None."""
    kept = [op for op in ops if not isinstance(op, Reshape)]
    return kept[0].windows() if len(kept) == 1 and isinstance(kept[0], Conv2d | SumPool2d) else None
