"""Floorplans: cores and links of a mesh as cells on a plane, one path per shade, so that 4 096 cores stay small.

The cells of a plan are laid out once (`Plan`); every map on it adds a shade and a text per cell. What stands under the
pointer is found by the page's script from the plan's cells; without a script a table says the same.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from math import ceil, sqrt

import numpy as np

from chipsim.report.svg import CLASSES, WIDTH, picture, shade_name, shades
from chipsim.report.views import Cores, Grid, Links

CORE, STREET = 4, 2                                    # sides, in units of the plan
ROUTER, ROAD = 6, 6
MARGIN = 1
LEGEND = 34
TALLEST = 420
MOST_TOLD = 2000                                       # links that the pointer is told of, busiest first


@dataclass(frozen=True, eq=False)
class Plan:
    """Cells [n] on a plane, in units of it: corner, size, outline relative to the corner, and a name."""

    key: str
    width: int
    height: int
    x: np.ndarray
    y: np.ndarray
    w: np.ndarray
    h: np.ndarray
    outline: list[str]
    names: list[str]
    ground: str                                        # what lies beneath, as the data of a path
    told: int                                          # cells, from the first, that the pointer is told of

    def cells(self) -> str:
        """For the page's script: names and corners, once for all maps of this plan."""
        x, y, w, h = (side[: self.told].tolist() for side in (self.x, self.y, self.w, self.h))
        cells = dict(x=x, y=y, w=w, h=h, name=self.names[: self.told])
        return json.dumps(cells, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def core_plan(cores: Cores, grid: Grid) -> Plan:
    """Cores on their routers, row 0 at the bottom."""
    k, (left, right, bottom, top) = grid.per_router, grid.window
    across = ceil(sqrt(k))
    pitch_x, pitch_y = across * CORE + STREET, ceil(k / across) * CORE + STREET
    router, place = np.divmod(np.arange(grid.n_cores), k)
    column, row = router % grid.columns, router // grid.columns
    x = (column - left) * pitch_x + place % across * CORE
    y = (top - 1 - row) * pitch_y + place // across * CORE
    seen = (column >= left) & (column < right) & (row >= bottom) & (row < top)
    ground = "".join(f"M{a} {b}h{CORE}v{CORE}h-{CORE}z" for a, b in zip(x[seen], y[seen], strict=True))
    names = [f"core {c} at ({a},{b})" for c, a, b in zip(cores.number, cores.column, cores.row, strict=True)]
    side = np.full(len(names), CORE)
    return Plan("cores", (right - left) * pitch_x - STREET, (top - bottom) * pitch_y - STREET, x[cores.number],
                y[cores.number], side, side, [f"h{CORE}v{CORE}h-{CORE}z"] * len(names), names, ground, len(names))


def link_plan(links: Links, grid: Grid) -> Plan:
    """Routers as squares, each link an arrow beside its way back."""
    first, right, bottom, top_row = grid.window
    columns, rows, pitch = right - first, top_row - bottom, ROUTER + ROAD
    ground = "".join(f"M{c * pitch} {r * pitch}h{ROUTER}v{ROUTER}h-{ROUTER}z"
                     for c in range(columns) for r in range(rows))
    left = (np.minimum(links.start[:, 0], links.end[:, 0]) - first) * pitch
    top = (top_row - 1 - np.maximum(links.start[:, 1], links.end[:, 1])) * pitch
    dx, dy = (links.end - links.start).T
    level = dx != 0
    x = np.where(level, left + ROUTER, left + np.where(dy > 0, 0, 3))
    y = np.where(level, top + np.where(dx > 0, 0, 3), top + ROUTER)
    w, h = np.where(level, ROAD, 3), np.where(level, 3, ROAD)
    arrow = {(1, 0): "m.4 .4h3.6l1.5 1.1l-1.5 1.1h-3.6z", (-1, 0): "m5.6 .4h-3.6l-1.5 1.1l1.5 1.1h3.6z",
             (0, 1): "m.4 5.6v-3.6l1.1 -1.5l1.1 1.5v3.6z", (0, -1): "m.4 .4v3.6l1.1 1.5l1.1 -1.5v-3.6z"}
    if len(dx) > MOST_TOLD:
        arrow = {d: f"h{ROAD}v3h-{ROAD}z" if d[0] else f"h3v{ROAD}h-3z" for d in arrow}
    outline = [arrow[int(a), int(b)] for a, b in zip(dx, dy, strict=True)]
    return Plan("links", columns * pitch - ROAD, rows * pitch - ROAD, x, y, w, h, outline, links.name, ground,
                MOST_TOLD)


def plan_map(plan: Plan, title: str, values: np.ndarray, texts: list[str], top: float, top_text: str) -> str:
    """A map: shade by value on a scale from zero to `top`; `texts` are what the pointer is told."""
    step = shades(values, top)
    corner = [f"M{x} {y}" for x, y in zip(plan.x, plan.y, strict=True)]
    paths = [f'<path class="ground" d="{plan.ground}"/>']
    for s in np.unique(step):
        d = "".join(corner[i] + plan.outline[i] for i in np.flatnonzero(step == s))
        paths.append(f'<path class="cell {shade_name(int(s))}" d="{d}"/>')
    scale = min((WIDTH - 2 * MARGIN) / plan.width, TALLEST / plan.height, 9)
    height = plan.height * scale + LEGEND + 2 * MARGIN
    x = (WIDTH - plan.width * scale) / 2
    body = f'<g class="plan" transform="translate({x:.2f} {MARGIN}) scale({scale:.4f})">{"".join(paths)}</g>'
    texts_json = escape(json.dumps(texts[: plan.told], separators=(",", ":"), ensure_ascii=False), quote=True)
    figure = picture(title, WIDTH, round(height), body + legend(height - 14, top_text))
    return f'<div class="map" data-plan="{plan.key}" data-texts="{texts_json}">{figure}</div>'


def legend(y: float, top_text: str) -> str:
    """The sequential scale with its two ends."""
    box, x = 18, 70
    boxes = "".join(f'<rect class="c{i}" x="{x + i * box}" y="{y - 9:.0f}" width="{box}" height="10"/>'
                    for i in range(CLASSES))
    unit = top_text.split()[-1] if " " in top_text else ""
    return (f'<text x="{x - 6}" y="{y:.0f}" text-anchor="end">0 {escape(unit)}</text>{boxes}'
            f'<text x="{x + CLASSES * box + 6}" y="{y:.0f}">{escape(top_text)}</text>')
