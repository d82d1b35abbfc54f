"""How the ticks of a chunk are cut into blocks for threads."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.engine.compiled import cuts


@pytest.mark.parametrize("packets, n, expected", [
    ([10, 10, 10, 10], 2, [0, 2, 4]),
    ([0, 0, 40, 0, 0], 2, [0, 3, 5]),
    ([1, 1, 1], 8, [0, 1, 2, 3]),
    ([5], 4, [0, 1]),
    ([0, 0], 4, [0, 2])])
def test_blocks_have_about_as_many_packets_and_every_tick_is_in_one(packets, n, expected):
    starts = np.concatenate([[0], np.cumsum(packets)])
    assert cuts(starts, n) == expected
