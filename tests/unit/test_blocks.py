"""How the ticks of a chunk are cut into blocks for threads."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.engine.fabrics import cuts


@pytest.mark.parametrize("packets, threads, expected", [
    ([10, 10, 10, 10], 1, [0, 4]),
    ([10, 10, 10, 10], 2, [0, 1, 2, 3, 4]),
    ([0, 0, 40, 0, 0], 2, [0, 3, 5]),
    (16 * [1], 2, [0, 4, 7, 9, 11, 12, 13, 14, 15, 16]),
    ([5], 4, [0, 1]),
    ([0, 0], 4, [0, 2])])
def test_blocks_get_shorter_towards_the_end_and_every_tick_is_in_one(packets, threads, expected):
    starts = np.concatenate([[0], np.cumsum(packets)])
    assert cuts(starts, threads) == expected
