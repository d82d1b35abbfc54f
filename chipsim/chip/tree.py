"""What was read from a chip file, with places and provenance; trees of several files merge into one chip.

A `Table` is a mapping of the file, a `Value` all that is below it. Provenance was settled when a file was read, by the
file's own mappings, so a number keeps its source when a chip that `extends` its file changes the one beside it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chipsim.chip.document import Place
from chipsim.chip.spec import Provenance

FAILED = object()          # stands for a value that was found wrong and is reported already


@dataclass(frozen=True, eq=False)
class Value:
    value: Any
    place: Place
    text: str = ""
    provenance: Provenance | None = None


@dataclass(frozen=True, eq=False)
class Table:
    entries: dict[str | int, Table | Value]
    place: Place
    is_part: bool = True   # a part merges key by key; a table of numbers is replaced as one


def merge(base: Table | Value, over: Table | Value, *, amend: bool = False) -> Table | Value:
    """`over` on top of `base`. With `amend` (one value from `--set`), tables of numbers are merged as well."""
    if isinstance(base, Value) and base.value is FAILED and isinstance(over, Table):
        return base            # a change of something that could not be read
    if not (isinstance(base, Table) and isinstance(over, Table) and (over.is_part or amend)):
        return over
    merged = {k: merge(base.entries[k], v, amend=amend) if k in base.entries else v for k, v in over.entries.items()}
    return replace(base if amend else over, entries=base.entries | merged)


def plain(tree: Table | Value) -> Any:
    """Nested dicts of plain values, without those that failed."""
    if isinstance(tree, Value):
        return tree.value
    return {k: plain(v) for k, v in tree.entries.items() if not (isinstance(v, Value) and v.value is FAILED)}


def locate(tree: Table | Value, path: tuple[str | int, ...]) -> Table | Value:
    """What stands at `path`, or the nearest thing above it."""
    for key in path:
        if not isinstance(tree, Table):
            break
        key = key if key in tree.entries else str(key)      # names of the user's choice may look like numbers
        if key not in tree.entries:
            break
        tree = tree.entries[key]
    return tree


def failures(tree: Table | Value, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of the values that were found wrong."""
    if isinstance(tree, Table):
        for key, entry in tree.entries.items():
            yield from failures(entry, (*at, key))
    elif tree.value is FAILED:
        yield at


def provenances(tree: Table, prefix: str = "") -> Iterator[tuple[str, Provenance]]:
    for key, entry in tree.entries.items():
        if isinstance(entry, Table):
            yield from provenances(entry, f"{prefix}{key}.")
        elif entry.provenance and entry.value is not None:
            yield f"{prefix}{key}", entry.provenance
