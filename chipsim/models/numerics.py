"""The exponential function, the same to the bit everywhere: additions, multiplications and powers of two only.

exp(x) = 2^k e^r with k = floor(x / ln 2 + 1/2) and r = x - k ln 2 in two parts (Cody and Waite 1980), e^r by its Taylor
polynomial of degree 13, which for |r| <= ln(2)/2 is exact to 4e-18. Within 2 units in the last place of the C
library's, which differs between systems and from NumPy's.
"""
from __future__ import annotations

from math import factorial

import numpy as np

LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
TAYLOR = tuple(1.0 / factorial(n) for n in range(14))
LARGEST, SMALLEST = 709.782712893384, -745.1332191019412     # beyond: infinity and 0


def exp(x: np.ndarray) -> np.ndarray:
    """e^x for float64 of any shape."""
    if hasattr(x, "exp"):                                    # a value in a program that is being compiled
        return x.exp()
    x = np.asarray(x, float)
    k = np.floor(np.clip(x, SMALLEST - 1, LARGEST) * LOG2E + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = np.full_like(r, TAYLOR[13])
    for coefficient in TAYLOR[12::-1]:
        p = p * r + coefficient
    half = np.floor(k * 0.5)
    with np.errstate(invalid="ignore"):                      # NaN: the result is NaN whatever the power of two
        powers = [np.ldexp(1.0, np.where(k == k, part, 0).astype(np.int32)) for part in (half, k - half)]
    p = p * powers[0] * powers[1]
    return np.where(x > LARGEST, np.inf, np.where(x < SMALLEST, 0.0, p))
