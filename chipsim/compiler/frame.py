"""What happens in a frame, and when: the tables that schedule.py makes, for chips that run layer after layer."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = ("multiply", "move", "update", "fill")


@dataclass(frozen=True, eq=False)
class Frame:
    """L layers in the order in which they run, on C cores with K channels between them. Times in ps.

    population   int32[L] index of the layer's population
    bits         int32[L] of its weights
    cores        int32[L] that hold a piece of it
    operations   int64[L] multiplications and additions
    layer_cycles int64[L] of multipliers at work, all cores together
    parts_ps     int64[L, 4] PARTS: multipliers of the core with most work; busiest link; neurons of the core with most;
                 start
    cycles       int64[C] of each core's multipliers in a frame
    flits        int64[K] over each channel in a frame
    """

    population: np.ndarray
    bits: np.ndarray
    cores: np.ndarray
    operations: np.ndarray
    layer_cycles: np.ndarray
    parts_ps: np.ndarray
    cycles: np.ndarray
    flits: np.ndarray

    @property
    def layer_ps(self) -> np.ndarray:
        """int64[L]: how long each layer takes."""
        return self.parts_ps[:, :3].max(axis=1) + self.parts_ps[:, 3]

    @property
    def length_ps(self) -> int:
        """How long a frame takes."""
        return int(self.layer_ps.sum())

    @property
    def shares_ps(self) -> dict[str, int]:
        """PARTS of a frame, each layer's time to what bounds it and to its start: they add up to the length."""
        bound = self.parts_ps[:, :3].argmax(axis=1)
        longest = self.parts_ps[:, :3].max(axis=1)
        return {part: int(longest[bound == k].sum()) for k, part in enumerate(PARTS[:3])} | {
            "fill": int(self.parts_ps[:, 3].sum())}
