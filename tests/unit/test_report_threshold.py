"""Thresholds on a report: what holds, what does not, and every way to write one wrong."""
from __future__ import annotations

import pytest
import synthetic_run as paper

from chipsim.errors import UsageError
from chipsim.report import report
from chipsim.report.threshold import ThresholdError, check, parse_threshold


@pytest.fixture(scope="module")
def r():
    return report(paper.run())


@pytest.mark.parametrize("rule", [
    "energy.per_inference > 10 uJ", "energy.by_component.synapse.energy < 209 pJ", "latency.tick.p99>1 us",
    "inference.accuracy < 50 %", "inference.accuracy < 0.5", "traffic.packets >= 7", "latency.tick.max_s <= 499 ns",
    "utilisation.neurons.max_share > 50.1 %", "energy.mean_power > 10 W",
])
def test_what_does_not_hold_breaks_nothing(r, rule):
    check(r, [parse_threshold(rule)])


@pytest.mark.parametrize("rule, said", [
    ("energy.by_component.synapse.energy > 209 pJ", "synapse.energy is 210.0 pJ, and must not be > 209 pJ"),
    ("inference.accuracy <= 50 %", "inference.accuracy is 50.0 %"), ("traffic.packets >= 6", "traffic.packets is 6,"),
    ("latency.tick.max >= 500 ns", "is 500.0 ns"),
])
def test_what_holds_is_said_with_figure_and_limit(r, rule, said):
    with pytest.raises(ThresholdError) as caught:
        check(r, [parse_threshold("traffic.packets > 100"), parse_threshold(rule)])
    assert said in str(caught.value) and "error[R501]" in str(caught.value)
    assert len(caught.value.diagnostics) == 1 and caught.value.exit_code == 4


def test_all_broken_rules_are_told_at_once(r):
    with pytest.raises(ThresholdError) as caught:
        check(r, [parse_threshold(t) for t in ("traffic.packets > 1", "ticks > 3", "ticks > 4")])
    assert len(caught.value.diagnostics) == 2


def test_a_bare_number_is_shown_with_its_unit(r):
    with pytest.raises(UsageError) as caught:
        check(r, [parse_threshold("energy.total_J > 1e-6")])
    assert caught.value.diagnostics[0].help == "write `1.00 µJ`"


@pytest.mark.parametrize("rule, code, phrase", [
    ("energy", "R502", "is not a threshold"), ("energy.total = 3 J", "R502", "is not a threshold"),
    ("energy.total > 3", "R502", "needs a unit of energy"), ("energy.total > 3 s", "R502", "quantity of time"),
    ("energy.total > 3 uj", "R502", "did you mean"), ("traffic.packets > many", "R502", "not a number"),
    ("energy.totl > 3 J", "R503", "did you mean `total`?"), ("enrgy.total > 3 J", "R503", "did you mean `energy`?"),
    ("energy.by_component > 3 J", "R503", "not a single number"), ("network > 3", "R503", "not a single number"),
])
def test_a_rule_that_cannot_be_judged_is_wrong_usage(r, rule, code, phrase):
    with pytest.raises(UsageError) as caught:
        check(r, [parse_threshold(rule)])
    assert f"error[{code}]" in str(caught.value) and phrase in str(caught.value)


def test_a_figure_that_this_run_lacks_is_no_pass():
    with pytest.raises(UsageError, match="this run has no figure"):
        check(report(paper.run("none")), [parse_threshold("latency.tick.mean > 1 s")])
