"""The benchmark networks of `chipsim validate truenorth`, on a corner of the chip."""
from __future__ import annotations

import pytest

from chipsim.chip import load_chip
from chipsim.engine import simulate
from chipsim.report import report
from chipsim.validation.truenorth import CASES, random_network


def corner(hz, synapses, ticks=100):
    chip = load_chip("truenorth", set=("fabric.width=4", "fabric.height=4"))
    return report(simulate(random_network(chip, hz, synapses), ticks=ticks, record=(), timing="none"))


@pytest.mark.parametrize(("hz", "synapses"), [(20, 128), (200, 256), (0, 0)])
def test_random_networks_fire_at_their_rate_over_their_synapses(hz, synapses):
    r = corner(hz, synapses)
    spikes = 16 * 256 * hz * 0.1
    assert r.activity.spikes == pytest.approx(spikes, rel=0.02)
    assert r.energy.n_sops == r.activity.spikes * synapses
    assert r.latency.total_s == pytest.approx(0.1)


def test_the_floor_is_that_of_the_fit():
    """67.34 mW of the whole chip at 0.8 V: static power and the updates of 2^20 neurons in every tick."""
    r = corner(0, 0)
    updates = r.energy.by_component["neuron"].energy_J / r.latency.total_s * 256          # 16 of 4096 cores
    assert updates + load_chip("truenorth").static_power == pytest.approx(67.34e-3, rel=1e-3)


def test_there_are_eight_powers():
    assert sum(c.unit == "W" for c in CASES) == 8 and all(c.tolerance <= 0.08 for c in CASES if c.unit == "W")
