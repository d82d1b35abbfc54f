"""Charts as SVG text without a colour in it: classes name what a mark is, the page's style sheet paints it.

Sizes are for a card 420 units wide, which is about the width of a phone, so that letters stay readable there. A mark
that has something to tell carries a <title>; the page's script shows it on hover, touch and focus.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

import numpy as np

from chipsim.figures import PREFIXES

WIDTH, HEIGHT = 420, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 10, 40
CLASSES = 9                                            # steps of the sequential scale, `c0` to `c8`; `none` for zero


class Chart:
    """Axes with marks on them; `svg()` is the whole picture.

    x, y          (low, high) of the data
    x_unit, y_unit  written on every number of the axis; "" for counts
    log_x         powers of ten along x
    """

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float], *, x_label: str = "",
                 x_unit: str = "", y_unit: str = "", log_x: bool = False, height: int = HEIGHT, left: int = LEFT):
        self.title, self.height, self.left = title, height, left
        self.low, self.high, self.log_x = x[0], x[1] if x[1] > x[0] else x[0] + 1, log_x
        self.floor, self.top = y[0], y[1] if y[1] > y[0] else y[0] + 1
        self.parts: list[str] = []
        self.words: list[str] = []                       # drawn last, so that no line crosses them
        self._axes(x_label, x_unit, y_unit)

    def x(self, value: np.ndarray | float) -> np.ndarray:
        """Where values stand, from left."""
        v, low, high = (np.log10(a) for a in (value, self.low, self.high)) if self.log_x else \
            (np.asarray(value, float), self.low, self.high)
        return self.left + (v - low) / (high - low) * (WIDTH - self.left - RIGHT)

    def y(self, value: np.ndarray | float) -> np.ndarray:
        """Where values stand, from the top."""
        share = (np.asarray(value, float) - self.floor) / (self.top - self.floor)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def bars(self, edges: np.ndarray, heights: np.ndarray, kind: Sequence[str] | str, tips: Iterable[str]) -> None:
        """One bar per bin; `kind` is its class, or one for each."""
        x, y, base = self.x(edges), self.y(heights), self.height - BOTTOM
        kinds = [kind] * len(heights) if isinstance(kind, str) else kind
        for i, tip in enumerate(tips):
            width = max(float(x[i + 1] - x[i]) - 0.5, 0.5)
            tall = max(float(base - y[i]), 1.0 if heights[i] > 0 else 0.0)
            self.parts.append(f'<g class="hit"><title>{escape(tip)}</title><rect class="over" x="{x[i]:.1f}" y="{TOP}" '
                              f'width="{width:.1f}" height="{base - TOP}"/><rect class="{kinds[i]}" x="{x[i]:.1f}" '
                              f'y="{base - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"/></g>')

    def line(self, x: np.ndarray, y: np.ndarray, kind: str) -> None:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(self.x(x), self.y(y), strict=True))
        self.parts.append(f'<polyline class="{kind}" points="{points}"/>')

    def mark(self, x: float, row: int, text: str, kind: str) -> None:
        """A vertical line with words beside it, in a row of its own below the top."""
        at, y = float(self.x(x)), TOP + 11 + 14 * row
        side = "start" if at < self.left + 0.6 * (WIDTH - self.left) else "end"
        shift = 4 if side == "start" else -4
        self.parts.append(f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>')
        self.words.append(f'<text class="halo" x="{at + shift:.1f}" y="{y}" text-anchor="{side}">{escape(text)}</text>')

    def svg(self) -> str:
        return picture(self.title, WIDTH, self.height, "".join(self.parts + self.words))

    def _axes(self, x_label: str, x_unit: str, y_unit: str) -> None:
        base, right = self.height - BOTTOM, WIDTH - RIGHT
        out = []
        for value, text in ticks(self.floor, self.top, y_unit, 4):
            y = float(self.y(value))
            out.append(f'<line class="grid" x1="{self.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                       f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        marks = decades(self.low, self.high, x_unit) if self.log_x else ticks(self.low, self.high, x_unit, 4)
        for value, text in marks:
            x = float(self.x(value))
            side = "end" if x > right - 14 else "middle"
            out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}"/>'
                       f'<text x="{min(x, right):.1f}" y="{base + 17}" text-anchor="{side}">{text}</text>')
        out.append(f'<line class="axis" x1="{self.left}" x2="{right}" y1="{base}" y2="{base}"/>')
        if x_label:
            out.append(f'<text x="{(self.left + right) / 2:.0f}" y="{self.height - 5}" '
                       f'text-anchor="middle">{escape(x_label)}</text>')
        self.parts += out


def picture(title: str, width: float, height: float, body: str) -> str:
    """An <svg> of that size, named for readers that cannot see it."""
    return (f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}" '
            f'preserveAspectRatio="xMidYMid meet">{body}</svg>')


def ticks(low: float, high: float, unit: str, most: int) -> list[tuple[float, str]]:
    """Round values between low and high, at most about `most`, with one prefix for all of them."""
    span = high - low
    step = 10.0 ** floor(log10(span / most))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= most)
    if not unit:
        step = max(step, 1.0) if high >= 3 else step
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    power = _power(max(abs(first), abs(last)) * step) if unit or high >= 10_000 else 0
    label = f"{PREFIXES[power]}{unit}"
    return [(i * step, f"{_plain(i * step / 10.0**power)} {label}".strip() if i else f"0 {unit}".strip())
            for i in range(first, last + 1)]


def decades(low: float, high: float, unit: str) -> list[tuple[float, str]]:
    """Powers of ten between low and high; 2 and 5 as well where there would be fewer than two."""
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        values = [m * 10.0**p for p in powers for m in steps if low * 0.999 <= m * 10.0**p <= high * 1.001]
        if len(values) >= 2:
            break
    thin = values[:: max(1, ceil(len(values) / 5))]
    return [(v, f"{v / 10.0 ** _power(v):.3g} {PREFIXES[_power(v)]}{unit}".strip()) for v in thin]


def _plain(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.6g}"


def _power(value: float) -> int:
    return min(max(floor(log10(value) + 1e-9) // 3 * 3, -18), 15) if value > 0 else 0


def shades(values: np.ndarray, top: float) -> np.ndarray:
    """Class of each value on a scale from 0 to `top`: -1 for zero, else 0 to CLASSES - 1."""
    step = np.clip((np.asarray(values, float) / (top or 1) * CLASSES).astype(int), 0, CLASSES - 1)
    return np.where(np.asarray(values) > 0, step, -1)


def shade_name(step: int) -> str:
    return "none" if step < 0 else f"c{step}"
