"""The floorplan for a terminal: a character per core, the fuller the taller, on the routers where the cores stand."""
from __future__ import annotations

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.figures import percent

SHADES = "·▁▂▃▄▅▆▇█"           # nothing here, then eighths of the fullest
WIDTH = 92


def plan_text(chip: ChipSpec, cores: np.ndarray, share: np.ndarray, what: str) -> str:
    """Cores in use [C] with a share of one each, as a plan; row 0 at the bottom, like the report's floorplans.

    what  names the share, for the legend: "neurons of 1 024"
    Routers stand as on the fabric, their cores side by side. Where a row is wider than the terminal, several routers
    become one character, the mean of their cores; the legend says how many. Trees and custom fabrics are one list.
    """
    fabric = chip.fabric
    values = np.full(fabric.n_places * fabric.cores_per_router, np.nan)
    values[cores] = share
    if fabric.topology in ("tree", "custom"):
        lines, note = _listed(values), "cores in the order of their numbers"
    else:
        lines, note = _grid(values.reshape(fabric.grid[1], fabric.grid[0], fabric.cores_per_router))
    legend = f"{SHADES[1]}{SHADES[4]}{SHADES[8]} {what}: none to all; fullest {percent(float(share.max(initial=0)))}"
    return "\n".join([*lines, f"{legend}; {SHADES[0]} not in use; {note}"])


def _grid(values: np.ndarray) -> tuple[list[str], str]:
    rows, columns, k = values.shape
    gap = 1 if k > 1 else 0
    label, side = len(str(rows - 1)), 1
    if columns * (k + gap) + label + 1 <= WIDTH:
        cells = [(" " * gap).join("".join(map(_shade, values[r, c])) for c in range(columns)) for r in range(rows)]
        note = f"{k} cores per router" if k > 1 else "a character per core"
    else:
        side = -(-columns // (WIDTH - label - 1))
        blocks = [[values[r : r + side, c : c + side] for c in range(0, columns, side)] for r in range(0, rows, side)]
        cells = ["".join(_shade(np.nan if np.isnan(b).all() else np.nansum(b) / b.size) for b in row) for row in blocks]
        note = f"a character is {side}x{side} routers" if side > 1 else f"a character is a router of {k} cores"
    return [f"{r * side:>{label}} {line}" for r, line in reversed(list(enumerate(cells)))], note


def _listed(values: np.ndarray) -> list[str]:
    text, step = "".join(map(_shade, values)), 64
    label = len(str(len(text) - 1))
    return [f"{at:>{label}} {text[at : at + step]}" for at in range(0, len(text), step)]


def _shade(share: float) -> str:
    return SHADES[0] if np.isnan(share) else SHADES[max(1, min(8, int(np.ceil(share * 8))))]
