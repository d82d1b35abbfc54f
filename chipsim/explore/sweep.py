"""One network on many variants of a chip: every combination of some values of its numbers, a row for each.

A point that is no chip, or that the network does not fit, is a row that says why. Rows are appended to a file of JSON
lines as they come, so a sweep that was interrupted goes on where it ended; a line belongs to a sweep by its `of`.
"""
from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields, is_dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import ChipError, ExpressError, FitError, SimulationError
from chipsim.explore.compare import Row, refused, row_of
from chipsim.figures import percent, si
from chipsim.network import Stimulus
from chipsim.network.graph import Network
from chipsim.report.report import report
from chipsim.report.text import table, wrapped

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Point:
    """One variant: the values that were set, the row of `compare`, and whether no other beats it in both figures."""

    values: dict[str, str]
    row: Row
    best: bool = False


@dataclass(frozen=True)
class Sweep:
    """Points in the order of the grid, the last key changing fastest."""

    network: str
    chip: str
    points: tuple[Point, ...]

    def to_text(self) -> str:
        """A table, then a line for each point that could not run; `*`: no other has less energy and less latency."""
        keys = list(self.points[0].values) if self.points else []
        rows = [("*" if p.best else "", *p.values.values(), f"{p.row.cores} of {p.row.cores_available}",
                 percent(p.row.accuracy), si(energy_of(p.row), "J"), si(p.row.latency_s, "s"),
                 f"{p.row.set_by} {percent(p.row.set_by_share)}" if p.row.set_by else "-")
                for p in self.points if not p.row.why]
        parts = [f"{self.network} on {self.chip}, {len(self.points)} variants"]
        if rows:
            head = ("", *keys, "cores", "accuracy", "energy", "latency", "set by")
            parts.append(table(head, rows, "<" + ">" * (len(head) - 2) + "<"))
        said = [f"{', '.join(f'{k}={v}' for k, v in p.values.items())}: {p.row.why} [{p.row.code}]"
                for p in self.points if p.row.why]
        parts += ["\n".join(wrapped(said, 0))] if said else []
        return "\n\n".join([*parts, "*: no other variant has less energy and less latency"] if rows else parts)

    def to_json(self) -> str:
        return json.dumps({"schema_version": SCHEMA_VERSION, "network": self.network, "chip": self.chip,
                           "points": [asdict(p) for p in self.points]}, indent=2, ensure_ascii=False, allow_nan=False)


def energy_of(row: Row) -> float | None:
    """Per inference where there are samples, else of the run, in J."""
    return row.energy_per_inference_J if row.samples else row.energy_J


def sweep(network: Network, chip: str, grid: Mapping[str, Sequence[str]], stimulus: Stimulus | None = None, *,
          set: Iterable[str] = (), ticks: int | None = None, samples: slice | None = None, timing: str = "exact",
          approximate: Iterable[str] = (), effort: str = "normal", seed: int = 0, log: Path | None = None,
          jobs: int = 1, progress: Callable[[str], None] | None = None) -> Sweep:
    """Run a network on every combination of `grid` (key of the chip file -> values as text).

    set   values all variants share;   log   JSON lines to append to and to go on from
    jobs  variants at once, each in a process of its own; the points are the same whatever their number
    Other options as those of `compile` and `simulate`. Raises ChipError where the chip is wrong without any of it.
    """
    set = tuple(set)
    base = load_chip(chip, set=set)
    digest = sha256()
    _feed(digest, (network, stimulus, base.to_dict(), ticks, samples, timing, tuple(approximate), effort, seed))
    mark = digest.hexdigest()[:16]
    variants = [dict(zip(grid, chosen, strict=True)) for chosen in product(*grid.values())]
    rows = {at: row for at, row in _read(log, mark).items() if at in {_at(values) for values in variants}}
    ask = _Question(network, chip, set, stimulus, dict(ticks=ticks, samples=samples, timing=timing, seed=seed),
                    dict(approximate=tuple(approximate), effort=effort, seed=seed))
    for values, row in _answers(ask, [v for v in variants if _at(v) not in rows], jobs, progress or (lambda at: None)):
        rows[_at(values)] = row
        if log is not None:
            with log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(dict(of=mark, at=_at(values), row=asdict(row)), ensure_ascii=False) + "\n")
    return Sweep(network.name, chip, tuple(_with_best([Point(values, rows[_at(values)]) for values in variants])))


def _at(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


@dataclass(frozen=True)
class _Question:
    """All that the variants have in common; called with the values of one it is its row."""

    network: Network
    chip: str
    set: tuple[str, ...]
    stimulus: Stimulus | None
    simulated: dict[str, Any]
    compiled: dict[str, Any]

    def __call__(self, values: Mapping[str, str]) -> Row:
        try:
            variant = load_chip(self.chip, set=(*self.set, *(f"{key}={value}" for key, value in values.items())))
        except ChipError as error:
            return Row(chip=self.chip, why=error.diagnostics[0].message, code=error.diagnostics[0].code)
        try:
            return row_of(report(simulate(compile(self.network, variant, **self.compiled), self.stimulus,
                                          **self.simulated)))
        except (ExpressError, FitError, SimulationError) as error:
            return refused(variant, error)


def _answers(ask: _Question, variants: list[dict[str, str]], jobs: int, progress: Callable[[str], None]
             ) -> Iterator[tuple[dict[str, str], Row]]:
    """Rows as they come; `progress` hears of a variant when it begins, with several jobs when it is there."""
    if jobs == 1 or len(variants) < 2:
        for values in variants:
            progress(_at(values))
            yield values, ask(values)
        return
    with ProcessPoolExecutor(min(jobs, len(variants)), initializer=_remember, initargs=(ask,)) as pool:
        asked = {pool.submit(_answer, values): values for values in variants}
        try:
            for done in as_completed(asked):
                progress(_at(asked[done]))
                yield asked[done], done.result()
        except BrokenProcessPool:
            raise MemoryError("a variant's process was killed; fewer --jobs need less") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _remember(ask: _Question) -> None:
    """In a process of the pool: what every variant has in common is sent once. Ctrl-C is for the process that asks."""
    global _ask
    _ask = ask
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(values: dict[str, str]) -> Row:
    return _ask(values)


def _feed(digest: Any, value: Any) -> None:
    """All that a value holds, arrays and sparse matrices by their numbers, into a digest."""
    if isinstance(value, np.ndarray):
        digest.update(repr((value.dtype.str, value.shape)).encode() + np.ascontiguousarray(value).tobytes())
    elif issparse(value):
        matrix = value.tocsr()
        _feed(digest, (matrix.shape, matrix.indptr, matrix.indices, matrix.data))
    elif is_dataclass(value):
        _feed(digest, [(f.name, getattr(value, f.name)) for f in fields(value)])
    elif isinstance(value, Mapping):
        _feed(digest, list(value.items()))
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)}:".encode())
        for part in value:
            _feed(digest, part)
    else:
        digest.update(repr(value).encode())


def _read(log: Path | None, of: str) -> dict[str, Row]:
    """Rows of this sweep that are there already; a last line that was cut off is not one."""
    known: dict[str, Row] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log is not None and log.is_file() else ():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if entry.get("of") == of:
            known[entry["at"]] = Row(**entry["row"] | {"replaced": tuple(entry["row"]["replaced"])})
    return known


def _with_best(points: list[Point]) -> list[Point]:
    figures = [(energy_of(p.row), p.row.latency_s) for p in points]

    def beaten(i: int) -> bool:
        e, t = figures[i]
        return e is None or t is None or any(
            f[0] <= e and f[1] <= t and f != figures[i] for f in figures if f[0] is not None and f[1] is not None)

    return [Point(p.values, p.row, not beaten(i)) for i, p in enumerate(points)]
