"""Where cores can go, and how many hops lie between two places: meshes, tori, hexagonal meshes, anything with a table.

A site is a place for one core. Dead cores are sites left out; several cores on a router are several sites on one cell.
Hops are counted in the fabric's own price: a hop across a chip border, or in the dearer direction, can count more. They
are the same there and back.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from chipsim.compiler.arguments import checked_cells

EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Floorplan:
    """S sites.

    cells    int32[S,2]   column and row, from 0; several sites may share one
    along    float64[S,2] coordinates in hops: hops(s, t) = |x_s - x_t| + |y_s - y_t|, each at most half its period
    period   length in hops of a ring of columns, of rows; infinite where the mesh has edges
    table    instead of coordinates: hops(s, t) = table[first[s] + second[t]]
    """

    cells: np.ndarray
    along: np.ndarray
    period: tuple[float, float] = (np.inf, np.inf)
    table: np.ndarray = field(default_factory=lambda: EMPTY)
    first: np.ndarray | None = None
    second: np.ndarray | None = None

    @property
    def n_sites(self) -> int:
        return len(self.cells)

    def hops(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """float64: hops between sites s and t (arrays that broadcast). The compiled kernels give the same to 1e-6."""
        if len(self.table):
            return self.table[self.first[s] + self.second[t]].astype(float)
        apart = np.abs(self.along[s] - self.along[t])
        return np.minimum(apart, np.array(self.period) - apart).sum(axis=-1)

    @cached_property
    def curve(self) -> np.ndarray:
        """Sites in the order of a Hilbert curve through their cells: neighbours in it are neighbours on the chip."""
        return np.lexsort((np.arange(self.n_sites), _hilbert(self.cells[:, 0], self.cells[:, 1])))


def mesh(cells: np.ndarray, *, hop: tuple = (1.0, 1.0)) -> Floorplan:
    """Sites on a mesh.

    cells  int[S,2] column and row of each site
    hop    price of a step along a row, and along a column: a number each, or an array with the price of every step
           (entry i: from column i to i + 1), for instance with dear ones between chips
    """
    cells = _cells(cells)
    return Floorplan(cells, np.stack([_positions(hop[k], cells[:, k]) for k in (0, 1)], axis=1))


def torus(cells: np.ndarray, shape: tuple[int, int], *, hop: tuple = (1.0, 1.0)) -> Floorplan:
    """Sites on a mesh of shape (columns, rows) whose rows and columns are rings; `hop` as two numbers."""
    cells = checked_cells(_cells(cells), shape)
    price = np.array(hop, float)
    return Floorplan(cells, cells * price, tuple(np.array(shape) * price))


def hexagonal(cells: np.ndarray, shape: tuple[int, int], *, ring: bool = True) -> Floorplan:
    """Sites on a triangular mesh as SpiNNaker's: links to ±(1,0), ±(0,1), ±(1,1) (Furber 2014). `ring`: it wraps."""
    cells = checked_cells(_cells(cells), shape)
    width, height = shape
    dx, dy = np.meshgrid(np.arange(1 - width, width), np.arange(1 - height, height))
    images = [(width * i, height * j) for i in (-1, 0, 1) for j in (-1, 0, 1)] if ring else [(0, 0)]
    table = np.min([np.maximum(np.maximum(abs(dx + i), abs(dy + j)), abs(dx + i - dy - j)) for i, j in images], axis=0)
    code = cells[:, 0] + (2 * width - 1) * cells[:, 1]
    origin = (width - 1) + (2 * width - 1) * (height - 1)
    return Floorplan(cells, cells.astype(float), table=table.ravel().astype(np.float32), first=code.astype(np.int32),
                     second=(origin - code).astype(np.int32))


def tabulated(hops: np.ndarray, cells: np.ndarray | None = None, of: np.ndarray | None = None) -> Floorplan:
    """Sites with any symmetric table of hops [R,R]; `cells` tells which are near each other (default: in one row).

    of  int[S] row of the table that each site has (default: its own)
    """
    n = len(hops)
    of = np.arange(n) if of is None else of
    cells = _cells(np.stack([np.arange(len(of)), np.zeros(len(of), int)], axis=1) if cells is None else cells)
    return Floorplan(cells, cells.astype(float), table=np.ascontiguousarray(hops, np.float32).ravel(),
                     first=(of * n).astype(np.int32), second=of.astype(np.int32))


def grid(width: int, height: int) -> np.ndarray:
    """int32[width * height, 2]: the cells of a full rectangle, row by row."""
    return np.stack([np.tile(np.arange(width), height), np.repeat(np.arange(height), width)], axis=1).astype(np.int32)


def _cells(cells: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.reshape(cells, (-1, 2)), np.int32)


def _positions(step: float | np.ndarray, at: np.ndarray) -> np.ndarray:
    n = int(at.max(initial=0))
    steps = np.broadcast_to(np.asarray(step, float), n) if np.ndim(step) == 0 else np.asarray(step, float)[:n]
    return np.concatenate([[0.0], np.cumsum(steps)])[at]


def _hilbert(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """int64: distance along the Hilbert curve of the smallest square with a power of two as side (Hamilton 2006)."""
    x, y = x.astype(np.int64), y.astype(np.int64)
    side = 1 << max(1, int(max(x.max(initial=0), y.max(initial=0))).bit_length())
    d = np.zeros_like(x)
    s = side >> 1
    while s:
        rx, ry = (x & s) > 0, (y & s) > 0
        d += s * s * ((3 * rx) ^ ry)
        flip = ~ry & rx
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(~ry, y, x), np.where(~ry, x, y)
        s >>= 1
    return d
