"""Another supply voltage: what it does to energies, and which ones a chip takes."""
from __future__ import annotations

import pytest

from chipsim.chip import ChipSpec, load_chip
from chipsim.errors import ChipError
from chipsim.report.cost import joules


def at(volts):
    return load_chip("truenorth", set=(f"voltage={volts} V",))


def test_without_a_voltage_costs_are_as_written():
    chip = load_chip("truenorth")
    assert joules("synop_dense", chip) == chip.costs.synop_dense.energy == pytest.approx(1.26e-12)
    assert chip.static_power == chip.costs.static.power == at(0.8).static_power


def test_energies_of_actions_go_with_the_square_of_the_voltage():
    for action in ("synop_dense", "spike", "hop_east_west", "neuron_idle"):
        assert joules(action, at(1.0)) == pytest.approx(joules(action, at(0.8)) * 1.25**2)


def test_static_power_follows_the_power_law_through_both_of_its_points():
    chip = at(1.05)
    assert chip.static_power == pytest.approx(chip.costs.voltage.static_at_max)
    low, middle, high = (at(v).static_power for v in (0.7, 0.84, 1.008))
    assert middle / low == pytest.approx(high / middle)                    # equal ratios of voltage
    assert chip.costs.static.power == pytest.approx(47.1e-3)


def test_every_chip_of_a_system_draws_it():
    chip = load_chip("truenorth", set=("voltage=1.05 V", "system.chips=[4,4]"))
    assert chip.n_chips == 16 and chip.static_power == pytest.approx(16 * chip.costs.voltage.static_at_max)
    assert ChipSpec.from_dict(chip.to_dict()).static_power == chip.static_power


@pytest.mark.parametrize(("chip", "change", "message"), [
    ("truenorth", "voltage=0.6 V", "the chip works from"),
    ("truenorth", "costs.voltage.nominal=1.2 V", "not between"),
    ("loihi", "voltage=0.8 V", "is not known"),
    ("truenorth", "core.axons_in=null", "needs `core.axons_in`"),
])
def test_voltages_and_crossbars_that_cannot_be(chip, change, message):
    with pytest.raises(ChipError, match=message):
        load_chip(chip, set=(change,))
