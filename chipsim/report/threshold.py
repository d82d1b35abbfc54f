"""Thresholds on a report, for continuous integration: `energy.per_inference > 10 uJ` holds, or it does not.

A figure is named by its path in the JSON report (docs/reference/report-json.md), with or without the unit at the end:
`latency.tick.p99` is `latency.tick.p99_s`. Values of a unit are written with it, shares in percent or plain.
"""
from __future__ import annotations

import operator
import re
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from chipsim.chip.units import QuantityError, parse_quantity
from chipsim.errors import ChipsimError, Diagnostic, UsageError
from chipsim.figures import count, percent, si, significant
from chipsim.report.report import Report

CODES = {
    "R501": "A figure of the report is on the wrong side of a threshold given by `--fail-if`. The exit code is 4, so "
            "that a script or a test can tell it from every other failure.",
    "R502": "A threshold is written FIGURE < VALUE, with one of < <= > >=, as in \"energy.per_inference > 10 uJ\". The "
            "figure is a path in the JSON report, its unit may be left out; the value has a unit where the figure has.",
    "R503": "The report has no such figure, or none for this run: a run without labels has no accuracy, one with "
            "timing `none` has no latency.",
}
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
UNITS = {"J": "J", "s": "s", "W": "W"}
_RULE = re.compile(r"\s*(?P<path>[\w.\-]+)\s*(?P<sign><=|>=|<|>)\s*(?P<value>\S.*?)\s*")
_SHARES = ("share", "accuracy", "utilisation", "max_share", "barrier_share", "estimated_share")


class ThresholdError(ChipsimError):
    """A figure of the report broke a threshold; one diagnostic per threshold."""

    exit_code = 4


@dataclass(frozen=True)
class Threshold:
    """A condition that must not hold: figure, comparison, value."""

    text: str
    path: str
    sign: str
    value: str

    def breaks(self, account: dict[str, Any]) -> str:
        """What breaks it ("energy.per_inference is 14.2 µJ"), or "". Raises UsageError R502, R503."""
        key, found = _figure(account, self.path)
        unit = key.rpartition("_")[2] if "_" in key else ""
        limit = self._limit(UNITS.get(unit, ""), key)
        if not COMPARE[self.sign](found, limit):
            return ""
        if unit in UNITS:
            return f"{self.path} is {si(found, unit, 4)}"
        if key in _SHARES:
            return f"{self.path} is {percent(found)}"
        return f"{self.path} is {count(found, digits=4) if found == int(found) else significant(found, 4)}"

    def _limit(self, unit: str, key: str) -> float:
        try:
            if unit:
                return parse_quantity(self.value, unit)
            if self.value.endswith("%") and key in _SHARES:
                return float(self.value[:-1]) / 100
            return float(self.value.replace("_", ""))
        except QuantityError as error:
            raise UsageError(Diagnostic("R502", f"`{self.value}` in `{self.text}` {error}",
                                        help=self._with_unit(unit) or error.hint)) from None
        except ValueError:
            raise UsageError(Diagnostic("R502", f"`{self.value}` in `{self.text}` is not a number")) from None

    def _with_unit(self, unit: str) -> str:
        """What to write for a bare number: the report's figures are in SI."""
        try:
            return f"write `{si(float(self.value), unit)}`"
        except ValueError:
            return ""


def parse_threshold(text: str) -> Threshold:
    """A threshold as people write it. Raises UsageError R502, and R503 for a figure that no report has."""
    rule = _RULE.fullmatch(text)
    if not rule:
        raise UsageError(Diagnostic("R502", f"`{text}` is not a threshold",
                                    help='write a figure, a comparison and a value: "energy.per_inference > 10 uJ"'))
    _known(rule["path"])
    return Threshold(text.strip(), rule["path"], rule["sign"], rule["value"])


def _known(path: str) -> None:
    """Raises UsageError R503 where no report can have the figure: steps into tables are free, of others known."""
    here: Any = Report
    for step in path.split("."):
        here = next((a for a in get_args(here) if a is not NoneType), here) if NoneType in get_args(here) else here
        if get_origin(here) is dict:
            here = get_args(here)[1]
        elif is_dataclass(here):
            hints = get_type_hints(here)
            here = hints[_key(step, [f.name for f in fields(here)], path)]
        else:
            return


def check(report: Report, thresholds: list[Threshold]) -> None:
    """Raises ThresholdError with every threshold that is broken, UsageError when one cannot be judged."""
    account = report.to_dict()
    broken = [(t, found) for t in thresholds if (found := t.breaks(account))]
    if broken:
        raise ThresholdError(*(Diagnostic("R501", f"{found}, and must not be {t.sign} {t.value}")
                               for t, found in broken))


def _figure(account: dict[str, Any], path: str) -> tuple[str, float]:
    here: Any = account
    key = ""
    for step in path.split("."):
        if here is None:
            break
        key = _key(step, list(here) if isinstance(here, dict) else [], path)
        here = here[key]
    if here is None:
        raise UsageError(Diagnostic("R503", f"this run has no figure `{path}`",
                                    help="without times there is no latency, without labels no accuracy"))
    if isinstance(here, bool) or not isinstance(here, int | float):
        raise UsageError(Diagnostic("R503", f"`{path}` is not a single number",
                                    help=f"it holds {', '.join(here)}" if isinstance(here, dict) else ""))
    return key, here


def _key(step: str, names: list[str], path: str) -> str:
    """The name that a step of a path means, with or without its unit. Raises UsageError R503."""
    key = next((k for k in (step, *(f"{step}_{u}" for u in UNITS)) if k in names), "")
    if not key:
        from difflib import get_close_matches

        short = [re.sub(r"_[JsW]$", "", n) for n in names]
        near = get_close_matches(step, short, 1)
        hint = f"did you mean `{near[0]}`?" if near else (f"there are {', '.join(short)}" if short else "")
        raise UsageError(Diagnostic("R503", f"the report has no figure `{path}`: nothing is called `{step}`",
                                    help=hint))
    return key
