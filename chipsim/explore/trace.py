"""Packets written down beforehand: a CSV file with who sends to whom, and when."""
from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, UsageError
from chipsim.explore.traffic import Nodes, Packets


def load_trace(path: Path, nodes: Nodes, cycle_ps: int) -> Packets:
    """Packets of a CSV file, in its order of time; see F514 for its columns. Raises UsageError with file and line."""
    def wrong(line: int, message: str) -> UsageError:
        return UsageError(Diagnostic("F514", message, file=str(path), line=line, column=1,
                                     help="columns src, dst, inject_cycle or ready_ps, size; `chipsim explain F514`"))

    with open(path, newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        columns = reader.fieldnames or ()
        time = next((c for c in ("inject_cycle", "ready_ps") if c in columns), None)
        size = next((c for c in ("size", "size_flits") if c in columns), None)
        if missing := [c for c in ("src", "dst") if c not in columns] + ["inject_cycle or ready_ps"] * (time is None):
            raise wrong(1, f"no column {' and '.join(missing)}; it has {', '.join(columns) or 'none'}")
        unit_ps = cycle_ps if time == "inject_cycle" else 1
        most = (nodes.n - 1, nodes.n - 1, 2**62 // unit_ps, 2**31 - 1)
        rows = list(_numbers(reader, ("src", "dst", str(time), *([size] if size else [])), most, wrong))
    if not rows:
        raise wrong(1, "the trace holds no packet")
    table = np.array(rows, np.int64)
    table = table[np.argsort(table[:, 2], kind="stable")]
    return Packets(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2],
                   table[:, 3].astype(np.int32) if size else np.ones(len(table), np.int32), int(table[-1, 2]) + 1,
                   unit_ps, path.name)


def _numbers(reader: csv.DictReader, columns: tuple[str, ...], most: tuple[int, ...], wrong) -> Iterator[list[int]]:
    least = (0, 0, 0, 1)
    for row in reader:
        try:
            values = [int(row[c]) for c in columns]
        except (TypeError, ValueError):
            raise wrong(reader.line_num, f"not whole numbers: {', '.join(str(row[c]) for c in columns)}") from None
        for name, value, low, high in zip(columns, values, least, most, strict=False):
            if not low <= value <= high:
                raise wrong(reader.line_num, f"{name} is {value}; " + (
                    f"nodes go from 0 to {high}" if name in ("src", "dst") else
                    f"{low} is the least" if value < low else f"{high} is the most"))
        yield values
