"""How far the conductance of a memristive cell is from what was programmed: standard deviations by target.

wan2022: hafnium-oxide cells of NeuRRAM some time after write and verify, with what they relax by then: polynomials in
target / 40 uS, fitted by IBM's analog hardware acceleration kit to the measurements of Wan et al., Nature 608, 2022.
"""
from __future__ import annotations

import numpy as np

SPAN = 40.0                                             # uS: the largest conductance measured
DEVICES: dict[str, tuple[float, ...]] = {               # coefficients in uS, constant first
    "ideal": (0.0,),
    "wan2022_second": (0.348, 16.030, -43.853, 45.393, -16.815),
    "wan2022_day": (0.701, 22.086, -50.773, 47.095, -16.458),
    "wan2022_two_days": (0.782, 20.274, -43.507, 37.062, -11.934),
}


def spread(device: str, conductance: np.ndarray) -> np.ndarray:
    """Standard deviation in uS of cells programmed to `conductance` (uS, up to SPAN), elementwise."""
    return np.maximum(np.polynomial.polynomial.polyval(conductance / SPAN, DEVICES[device]), 0.0)
