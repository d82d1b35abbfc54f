"""Linear neurons behind the converters of an analogue crossbar: the sum of a tick is read with noise, in few bits.

    r = rint((x + noise n) / lsb), at most `top` up and `top + 1` down;   x' = r lsb       x: summed weights of the tick

then as affine.py. n is normal with variance 1, drawn per neuron and tick. Without input nothing is read: x' = 0.
Parameters are filled by compiler/resistive.py.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.draws import Draws, normal
from chipsim.models.kernels import Kernel
from chipsim.models.neurons.affine import Affine


class CrossbarLif(Kernel):
    name = "crossbar_lif"
    params = {**Affine.params, "lsb": "f8", "top": "f8", "noise": "f8"}
    state = Affine.state
    random = True

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        seen = x + p["noise"] * normal(draws.words(len(x), 0))
        code = np.maximum(np.minimum(np.rint(seen / p["lsb"]), p["top"]), -1.0 - p["top"])
        return Affine.step(s, p, o, np.where(x == 0, 0.0, code * p["lsb"]))

    emits_values = Affine.emits_values


kernel = CrossbarLif
