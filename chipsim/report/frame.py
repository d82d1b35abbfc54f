"""The frame of a chip with a static schedule: how many a second, how busy its multipliers are, layer by layer."""
from __future__ import annotations

from dataclasses import dataclass

from chipsim.engine.run import A, Run

PS = 1e-12


@dataclass(frozen=True)
class LayerTime:
    """A layer: the longest of `multiply_s` (the core with most work), `move_s` (the busiest link) and `update_s` (the
    core with most neurons) bounds it (`bound_by`); `fill_s` goes before."""

    population: str
    bits: int
    cores: int
    operations: int
    length_s: float
    bound_by: str
    multiply_s: float
    move_s: float
    update_s: float
    fill_s: float


@dataclass(frozen=True)
class Frame:
    """operations: multiplications and additions of a frame; utilisation: share of all multipliers' cycles of the chip
    in a frame in which they work; layers: in the order in which they run."""

    length_s: float
    frames_per_s: float
    operations: int
    operations_per_s: float
    utilisation: float
    layers: tuple[LayerTime, ...]

    @property
    def longest(self) -> LayerTime:
        """The layer that takes longest, the first of several."""
        return max(self.layers, key=lambda layer: layer.length_s)


def frame_of(run: Run, n_cores: int) -> Frame | None:
    """None on chips without a static schedule. n_cores: of the chip."""
    rows = sorted((p for p in run.populations if "layer" in p), key=lambda p: p["layer"]["order"])
    if run.chip.get("schedule") is None or not rows:
        return None
    layers = tuple(_layer(p["name"], p["layer"]) for p in rows)
    length = sum(p["layer"]["length_ps"] for p in rows) * PS
    operations = sum(layer.operations for layer in layers)
    cycles = int(run.counts[0, A["matrix"]]) if run.ticks else 0
    busy = cycles * run.chip["costs"]["matrix"]["time"] / (n_cores * length)
    return Frame(length, 1 / length, operations, operations / length, busy, layers)


def _layer(name: str, of: dict) -> LayerTime:
    parts = of["parts_ps"]
    bound = max(("multiply", "move", "update"), key=lambda part: parts[part])
    return LayerTime(name, of["bits"], of["cores"], of["operations"], of["length_ps"] * PS, bound,
                     *(parts[part] * PS for part in ("multiply", "move", "update", "fill")))
