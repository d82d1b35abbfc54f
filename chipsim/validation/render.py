"""Results of validation as text, JSON, CSV, and as the section of a page."""
from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from chipsim.figures import percent, si, significant
from chipsim.report.text import table
from chipsim.validation.case import Case, Result

SI = ("J", "s", "W", "Hz")
COLUMNS = ("table", "case", "unit", "published", "ours", "low", "high", "error", "tolerance", "verdict", "basis",
           "source", "workload", "note", "cpu_s")


def quantity(value: float | None, unit: str) -> str:
    """A figure with its unit: "23.60 pJ", "5120 spikes"."""
    if value is None:
        return "-"
    if unit in SI:
        return si(value, unit, 4)
    return f"{significant(value, 4) if value != int(value) else int(value)} {unit}".rstrip()


def row(r: Result) -> dict[str, object]:
    """JSON-able; `published`, `ours`, `low` and `high` are in `unit`."""
    c = r.case
    return dict(zip(COLUMNS, (r.table, c.name, c.unit, c.published, r.ours, r.low, r.high, r.error, c.tolerance,
                              r.verdict, c.basis, c.source, c.workload, c.note, round(r.cpu_s, 3)), strict=True))


def to_text(results: Sequence[Result]) -> str:
    """One line per case, then the count of verdicts and what is to be said of misses and ranges."""
    head = ("case", "published", "ours", "error", "within", "", "constants", "source")
    parts = []
    for name in dict.fromkeys(r.table for r in results):
        mine = [r for r in results if r.table == name]
        parts.append(f"{name}\n" + table(head, map(_cells, mine), "<>>>><<<"))
    notes = [f"{r.table}: {r.case.name}: {r.case.note}" for r in results if r.verdict != "ok" and r.case.note]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else []), summary(results)])


def summary(results: Iterable[Result]) -> str:
    """ "20 cases: 18 ok, 2 miss" """
    verdicts = Counter(r.verdict for r in results)
    return f"{verdicts.total()} cases: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())


def to_json(results: Iterable[Result]) -> str:
    return json.dumps({"schema_version": 1, "cases": [row(r) for r in results]}, indent=2, ensure_ascii=False)


def to_csv(results: Iterable[Result]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row(r).items()} for r in results)
    return out.getvalue()


def to_section(name: str, about: str, results: Sequence[Result]) -> str:
    """The section of a table on the page: what it is, the results, and what is to be said of each case."""
    rows = ["| case | published | chipsim | error | within | verdict | constants | source |",
            "|---|--:|--:|--:|--:|---|---|---|"]
    rows += ["| " + " | ".join(cells) + " |" for cells in map(_cells, results)]
    said: dict[str, list[str]] = {}
    for r in results:
        about_it = _sentence(r.case.workload) + (f" {_sentence(r.case.note)}" if r.case.note else "")
        said.setdefault(about_it, []).append(f"**{r.case.name}**")
    list_ = [f"- {', '.join(names)}: {text}" for text, names in said.items()]
    return "\n".join([f"## {name}", "", about, "", summary(results) + ".", "", *rows, "", *list_, ""])


def _cells(r: Result) -> tuple[str, ...]:
    c = r.case
    ours = quantity(r.ours, c.unit)
    if r.low is not None:
        ours += f" ({quantity(r.low, c.unit)} to {quantity(r.high, c.unit)})"
    return (c.name, quantity(c.published, c.unit), ours, _error(r), within(c), r.verdict, c.basis, c.source)


def _error(r: Result) -> str:
    if r.error is None:
        return "-"
    return "0 %" if abs(r.error) < 5e-10 else f"{100 * r.error:+.2g} %"


def within(c: Case) -> str:
    """The tolerance: "2 %", "exact", or with a power of ten."""
    if c.tolerance == 0:
        return "exact"
    return percent(c.tolerance) if c.tolerance >= 1e-3 else f"{100 * c.tolerance:.0e} %"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."
