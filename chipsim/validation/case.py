"""A published number, the simulation that should give it, and the verdict on what it gave."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Literal, NamedTuple

Basis = Literal["restated", "fitted", "predicted"]


class NoData(Exception):
    """A case needs golden data that is not here."""


class Range(NamedTuple):
    """A figure whose workload has unknowns: at the assumption that is stated, and the least and most over a sweep."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """One published number.

    name       unique in its table
    workload   what is simulated, in a sentence
    unit       J, s, W, Hz; or what is counted
    published  in that unit
    tolerance  of |ours - published| / published; 0: exact
    source     where it is printed
    basis      of the constants that decide the figure. restated: the chip file has this very number, so the case tests
               the accounting; fitted: they were fitted on the data of this table; predicted: neither
    measure    builds the workload and simulates it; a Range where the workload has unknowns, which `note` states
    full       takes long: only with --full
    note       what is unknown, what was assumed, why it misses
    """

    name: str
    workload: str
    unit: str
    published: float
    tolerance: float
    source: str
    basis: Basis
    measure: Callable[[], float | Range]
    full: bool = False
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A case and what came of it; `ours` is None where its data is missing."""

    table: str
    case: Case
    ours: float | None
    low: float | None = None
    high: float | None = None
    cpu_s: float = 0.0

    @property
    def error(self) -> float | None:
        """(ours - published) / published; None without data. Of a published 0: ours."""
        if self.ours is None:
            return None
        return (self.ours - self.case.published) / (self.case.published or 1.0)

    @property
    def verdict(self) -> Literal["ok", "miss", "inside", "no data"]:
        """inside: the swept range, widened by the tolerance, holds the published number."""
        if self.ours is None or self.error is None:
            return "no data"
        c = self.case
        if self.low is not None and self.high is not None:
            slack = c.tolerance * abs(c.published)
            return "inside" if self.low - slack <= c.published <= self.high + slack else "miss"
        return "ok" if abs(self.error) <= c.tolerance else "miss"


def run(cases: dict[str, Iterable[Case]], *, full: bool = False) -> Iterator[Result]:
    """Results of the cases of several tables, one after the other; those marked `full` only when asked for."""
    for table, some in cases.items():
        for case in some:
            if case.full and not full:
                continue
            began = process_time()
            try:
                found = case.measure()
            except NoData:
                yield Result(table, case, None)
                continue
            value, low, high = found if isinstance(found, Range) else (found, None, None)
            yield Result(table, case, float(value), low, high, process_time() - began)


def golden(*path: str) -> Path:
    """A file of golden data, in the folder that the environment variable CHIPSIM_VALIDATION names. Raises NoData."""
    file = Path(os.environ.get("CHIPSIM_VALIDATION", ""), *path)
    if not os.environ.get("CHIPSIM_VALIDATION") or not file.exists():
        raise NoData(str(file))
    return file
