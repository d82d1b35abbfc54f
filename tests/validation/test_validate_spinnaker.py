"""SpiNNaker's boards draw what was measured, the fitted one and the one that was predicted."""
from __future__ import annotations

import pytest

from chipsim import validation
from chipsim.validation import spinnaker

RESULTS = {r.case.name: r for r in validation.run({"spinnaker": spinnaker.CASES})}


@pytest.mark.parametrize("name", RESULTS)
def test_power_is_within_the_tolerance(name):
    assert RESULTS[name].verdict == "ok", RESULTS[name].error


def test_what_stands_above_the_idle_power_is_within_five_percent_where_it_was_fitted():
    fitted = [r for r in RESULTS.values() if r.case.basis == "fitted" and "above idle" in r.case.name]
    assert len(fitted) == 8 and max(abs(r.error) for r in fitted) < 0.05
