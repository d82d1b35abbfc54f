"""Dimension-order routes in closed form equal routes walked hop by hop."""
from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.engine import straight
from chipsim.engine.topology import KINDS, plan_fabric, walk

BORDER = "fabric.channels.interchip={latency: 50 ns, cycle: 50 ns, credit: 1 ns, slots: 4, energy: 60 pJ}"


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(*[st.integers(1, 5)] * 2), chips=st.tuples(*[st.integers(1, 3)] * 2),
       per=st.integers(1, 3), routing=st.sampled_from(["xy", "yx"]), seed=st.integers(0, 2**32 - 1))
def test_hops_and_loads_equal_those_of_a_walk(size, chips, per, routing, seed):
    chip = load_chip("loihi", set=(f"fabric.width={size[0]}", f"fabric.height={size[1]}", BORDER,
                                   f"fabric.routing={routing}", f"fabric.cores_per_router={per}",
                                   f"system.chips=[{chips[0]},{chips[1]}]"))
    plan = plan_fabric(chip.fabric, np.arange(chip.n_cores))
    rng = np.random.default_rng(seed)
    source, target = rng.integers(0, chip.n_cores + 1, 40), rng.integers(0, chip.n_cores, 40)
    packets = rng.integers(0, 1 << 40, 40)
    counts, loads = np.zeros((40, len(KINDS)), np.int64), np.zeros(plan.n_channels, np.int64)
    for channel, moving in walk(plan, source, target):
        np.add.at(counts, (moving, plan.kind[channel].astype(int)), 1)
        np.add.at(loads, channel, packets[moving])
    assert straight.is_straight(plan)
    assert np.array_equal(straight.hops(plan, source, target, len(KINDS)), counts)
    assert np.array_equal(straight.loads(plan, source, target, packets), loads)
