"""The report in every form: text, JSON (schema in docs/reference/report-json.md), CSV, HTML."""
from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from chipsim.chip.spec import ChipSpec
from chipsim.engine.run import Run
from chipsim.report.report import Report

CSV_COLUMNS = ("component", "action", "count", "each_J", "energy_J", "share", "per_sop_J")


def to_json(report: Report) -> str:
    """The whole report; numbers a run cannot tell are null, and NaN never stands in it."""
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def to_csv(report: Report) -> str:
    """One row per component and action; sums over `energy_J` and `share` are the totals of the report."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    e = report.energy
    for name, c in e.by_component.items():
        rows: list[tuple] = [(a, done.count, done.each_J, done.energy_J) for a, done in c.actions.items()]
        for action, n, each, joule in rows or [(name, "", "", c.energy_J)] * bool(c.energy_J):
            writer.writerow((name, action, n, each, joule, *_per(joule, e.total_J), *_per(joule, e.n_sops)))
    return out.getvalue()


def _per(joule: float, whole: float) -> tuple[float | str]:
    return (joule / whole if whole else "",)


def _html(report: Report, run: Run, costs: ChipSpec | None) -> str:
    from chipsim.report.page import to_html

    return to_html(run, report, costs)


# Each takes the report, its run, and the chip that priced it (None: the run's own).
RENDERERS: dict[str, Callable[[Report, Run, ChipSpec | None], str]] = {
    "text": lambda r, run, costs: str(r), "json": lambda r, run, costs: to_json(r),
    "csv": lambda r, run, costs: to_csv(r), "html": _html,
}
