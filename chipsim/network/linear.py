"""Linear operators between populations, and their folding into one matrix per delay.

An operator maps a flat vector of in_shape (row-major) to a flat vector of out_shape: y = matrix() @ x + bias_vector().
Dense weights have PyTorch's layout [out, in] (torch.nn.Linear); convolution and pooling are in spatial.py.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from chipsim.errors import Diagnostic, NetworkError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Kind = Literal["dense", "conv", "sparse"]


class LinearOp(ABC):
    """y = W x + b on flat vectors."""

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    bias: np.ndarray | None = None
    is_dense = False
    is_conv = False

    @abstractmethod
    def matrix(self) -> csr_array | np.ndarray:
        """W as float64 [out_size, in_size]: CSR without explicit zeros, or an ndarray if `is_dense`."""

    def bias_vector(self) -> np.ndarray | None:
        """b as float64 [out_size], or None. Biases have one value per output channel (first axis) or per element."""
        if self.bias is None:
            return None
        bias = np.asarray(self.bias, float)
        if bias.size == prod(self.out_shape):
            return bias.ravel()
        return np.repeat(bias, prod(self.out_shape[1:]))


def check(ok: bool, message: str, help: str = "") -> None:
    """Raise NetworkError unless `ok`."""
    if not ok:
        raise NetworkError(Diagnostic("N210", message, help=help))


def text(shape: tuple[int, ...]) -> str:
    """A shape as messages show it."""
    return "(" + ", ".join(map(str, shape)) + ")"


@dataclass(frozen=True, eq=False)
class Dense(LinearOp):
    """All to all: weight [out, in], bias [out] or None. A zero weight is a synapse like any other."""

    weight: np.ndarray
    bias: np.ndarray | None = None
    is_dense = True

    def __post_init__(self) -> None:
        check(np.ndim(self.weight) == 2, f"dense weights have shape {text(np.shape(self.weight))}, need (out, in)")
        check(self.bias is None or np.shape(self.bias) == self.out_shape,
               f"bias has shape {text(np.shape(self.bias))}, weights {text(np.shape(self.weight))}",
               "give one bias per row of the weights")

    @property
    def in_shape(self) -> tuple[int, ...]:
        return (np.shape(self.weight)[1],)

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (np.shape(self.weight)[0],)

    def matrix(self) -> np.ndarray:
        return np.asarray(self.weight, float)


@dataclass(frozen=True, eq=False)
class Sparse(LinearOp):
    """Any SciPy sparse weight (out_size, in_size); shapes default to flat ones."""

    weight: csr_array
    bias: np.ndarray | None = None
    in_shape: tuple[int, ...] = ()
    out_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, size in zip(("out_shape", "in_shape"), self.weight.shape, strict=True):
            shape = getattr(self, name) or (size,)
            check(prod(shape) == size, f"sparse weights {text(self.weight.shape)} do not go with {name} {text(shape)}")
            object.__setattr__(self, name, tuple(shape))

    def matrix(self) -> csr_array:
        """The weight itself where it is canonical already: large matrices are not copied."""
        w = self.weight
        plain = w.format == "csr" and w.dtype == np.float64 and w.has_canonical_format and w.data.all()
        return w if plain else csr(w)


@dataclass(frozen=True, eq=False)
class Scale(LinearOp):
    """One to one: y = scale * x, element by element; `scale` has the shape of both sides."""

    scale: np.ndarray
    bias: np.ndarray | None = None

    @property
    def in_shape(self) -> tuple[int, ...]:
        return np.shape(self.scale)

    out_shape = in_shape

    def matrix(self) -> csr_array:
        from scipy.sparse import diags_array
        return csr(diags_array(np.asarray(self.scale, float).ravel()))


@dataclass(frozen=True, eq=False)
class Reshape(LinearOp):
    """The same elements in the same order under another shape (NIR: Flatten)."""

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        check(prod(self.in_shape) == prod(self.out_shape),
               f"cannot reshape {text(self.in_shape)} ({prod(self.in_shape)} elements) to {text(self.out_shape)} "
               f"({prod(self.out_shape)})")

    def matrix(self) -> csr_array:
        return _identity(prod(self.in_shape))


@dataclass(frozen=True, eq=False)
class Delay(LinearOp):
    """y(t) = x(t - ticks), element by element; `ticks` int array of the shape of both sides. `fold` takes it apart."""

    ticks: np.ndarray

    def __post_init__(self) -> None:
        check(np.all(np.asarray(self.ticks) >= 0), "a delay is negative", "delays are 0 ticks or more")

    @property
    def in_shape(self) -> tuple[int, ...]:
        return np.shape(self.ticks)

    out_shape = in_shape

    def matrix(self) -> csr_array:
        return _identity(prod(self.in_shape))


def csr(matrix) -> csr_array:
    """A fresh canonical CSR copy: float64, sorted, no duplicates, no explicit zeros."""
    from scipy.sparse import csr_array
    result = csr_array(matrix, dtype=float, copy=True)
    result.sum_duplicates()
    result.eliminate_zeros()
    return result


def _identity(n: int) -> csr_array:
    from scipy.sparse import eye_array
    return csr(eye_array(n))


@dataclass(frozen=True, eq=False)
class Folded:
    """A chain of operators as matrices: y(t) = sum over d of maps[d] @ x(t - d) + bias.

    maps       delay in ticks -> float64 [out, in], CSR or (after a Dense) ndarray
    bias       float64 [out]
    late_bias  ticks d -> the part of `bias` that passed through delays and is absent in ticks before d
    kind       what the synapses are: dense (all to all), conv (kernels shared over positions), sparse
    """

    maps: dict[int, csr_array | np.ndarray]
    bias: np.ndarray
    kind: Kind
    late_bias: dict[int, np.ndarray] = field(default_factory=dict)


def fold(ops: tuple[LinearOp, ...], in_shape: tuple[int, ...]) -> Folded:
    """Compose a chain that starts from `in_shape` into one matrix per delay. NetworkError if shapes do not chain."""
    size = prod(in_shape)
    maps: dict[int, csr_array | np.ndarray] = {0: _identity(size)}
    biases: dict[int, np.ndarray] = {0: np.zeros(size)}
    changed = False                                     # is there anything but the identity to multiply with?
    for op in ops:
        check(prod(op.in_shape) == size, f"{type(op).__name__} takes {text(op.in_shape)}, but gets {size} values")
        size = prod(op.out_shape)
        if isinstance(op, Delay):
            maps, biases = (_delayed(part, np.ravel(op.ticks)) for part in (maps, biases))
            changed = True
        elif not isinstance(op, Reshape):
            w, b = op.matrix(), op.bias_vector()
            maps = {d: _product(w, m) for d, m in maps.items()} if changed else {0: w}
            changed = True
            biases = {d: w @ v if v.any() else np.zeros(size) for d, v in biases.items()}
            biases[0] = biases.get(0, np.zeros(size)) + (0 if b is None else b)
    late = {d: v for d, v in biases.items() if d and v.any()}
    kind: Kind = ("dense" if all(isinstance(m, np.ndarray) for m in maps.values()) else
                  "conv" if any(op.is_conv for op in ops) else "sparse")
    return Folded(maps, sum(biases.values(), np.zeros(size)), kind, late)


def _product(w, m):
    if isinstance(w, np.ndarray) and not isinstance(m, np.ndarray):
        return np.ascontiguousarray((m.T @ w.T).T)
    product = w @ m
    return product if isinstance(product, np.ndarray) else csr(product)


def _delayed(parts: dict, ticks: np.ndarray) -> dict:
    """Move row i of every matrix or vector from delay d to d + ticks[i]."""
    from scipy.sparse import csr_array, diags_array
    result: dict = {}
    steps = np.unique(ticks)
    for d, part in parts.items():
        for k in steps:
            keep = (ticks == k).astype(float)
            if part.ndim == 1:
                moved = part * keep
            else:
                moved = part if len(steps) == 1 else csr(diags_array(keep) @ csr_array(part))
            key = d + int(k)
            result[key] = result[key] + moved if key in result else moved
    return {d: part for d, part in result.items() if isinstance(part, np.ndarray) or part.nnz or d == 0}
