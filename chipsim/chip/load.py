"""From a chip file to a ChipSpec, or to all that is wrong with the file.

1. read the file and the files it extends   2. merge, base first   3. merge `--set` values   4. check the whole:
missing keys and ranges (pydantic), rules between numbers, sources. Findings of all steps come out together.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from chipsim.chip.catalogue import catalogue, shipped
from chipsim.chip.document import Document, Place, compose_node, read_document
from chipsim.chip.fields import Shape, fields_of
from chipsim.chip.misfit import Misfit
from chipsim.chip.reader import CHIP, NO_ANNOTATION, Annotation, Reader
from chipsim.chip.rules import broken, unused
from chipsim.chip.spec import ChipSpec
from chipsim.chip.tree import FAILED, Table, Value, failures, locate, merge, plain, provenances
from chipsim.errors import ChipError, Diagnostic

Loc = tuple[str | int, ...]


def load_chip(name_or_path: str | os.PathLike, set: Iterable[str] = ()) -> ChipSpec:
    """The chip of the catalogue with this name, or the one described in this file, with `set` applied on top.

    set   changes such as `core.neurons=2048` or `costs.static.power=104.4 mW`, checked like the file itself

    Raises ChipError with every finding, each with its place.
    """
    chip, diagnostics = _load(name_or_path, set)
    if chip is None:
        raise ChipError(*diagnostics)
    return chip


def check_chip(name_or_path: str | os.PathLike, set: Iterable[str] = ()) -> list[Diagnostic]:
    """Everything that is wrong with a chip file, in the order of its lines; an empty list if it is right.

    Findings of severity `warning` do not keep it from being loaded.
    """
    return _load(name_or_path, set)[1]


@dataclass
class _Findings:
    diagnostics: list[Diagnostic] = field(default_factory=list)
    cites: list[tuple[str, Place]] = field(default_factory=list)
    complete: bool = True                   # False: a file below is unreadable, so missing keys prove nothing

    def read(self, document: Document, annotation: Annotation = NO_ANNOTATION) -> tuple[Table, Value | None]:
        reader = Reader(document)
        out = reader.read(annotation)
        self.diagnostics += reader.diagnostics
        self.cites += reader.cites
        return out


def _load(name_or_path: str | os.PathLike, set: Iterable[str]) -> tuple[ChipSpec | None, list[Diagnostic]]:
    findings, chip = _Findings(), None
    path = _find(name_or_path)
    if isinstance(path, Diagnostic):
        return None, [path]
    tree = _read_file(path, findings, ())
    if tree is not None:
        for text in set:
            tree = _amend(tree, text, findings)
        chip = _check(tree, findings)
        if chip is not None and not findings.diagnostics:
            findings.diagnostics += [_at(tree, m, "warning") for m in unused(chip)]
    main = str(path)
    found = sorted(findings.diagnostics, key=lambda d: (d.file != main, d.file, d.line, d.column))
    return (None if any(d.severity == "error" for d in found) else chip), found


def _find(name: str | os.PathLike, beside: Path | None = None) -> Path | Diagnostic:
    """The shipped file or the path that `name` means; a relative path counts from the folder `beside`."""
    text = os.fspath(name)
    if path := shipped(text):
        return path
    path = Path(beside or "", text)
    if os.sep in text or "/" in text or path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    names = [e.name for e in catalogue()]
    near = get_close_matches(text, names, 1, 0.5)
    return Diagnostic("E114", f"there is no chip `{text}`" + (f"; did you mean `{near[0]}`?" if near else ""),
                      help=f"shipped chips: {', '.join(names)}; a file of your own is named by its path (.yaml)")


def _read_file(path: Path, findings: _Findings, chain: tuple[Path, ...]) -> Table | None:
    """The merged tree of a file and all it extends; None when the file has no tree."""
    try:
        document = read_document(path)
    except ChipError as error:
        findings.diagnostics += error.diagnostics
        return None
    tree, extends = findings.read(document)
    if extends is None:
        return tree
    chain = (*chain, path.resolve())
    base_path = _find(extends.value, path.parent)
    base = None
    if isinstance(base_path, Diagnostic):
        findings.diagnostics.append(extends.place.diagnostic("E113", base_path.message, help=base_path.help))
    elif base_path.resolve() in chain:
        names = [p.name for p in (*chain[chain.index(base_path.resolve()):], base_path)]
        findings.diagnostics.append(extends.place.diagnostic(
            "E113", f"chips extend one another in a circle: {' -> '.join(names)}", "closes the circle"))
    elif not base_path.exists():
        findings.diagnostics.append(extends.place.diagnostic(
            "E113", f"there is no file `{base_path}` to extend", help="a path counts from the folder of this file"))
    else:
        base = _read_file(base_path, findings, chain)
    if base is None:
        findings.complete = False
        return tree
    base.entries.pop("name", None)          # a changed chip is another chip
    merged = merge(base, tree)
    assert isinstance(merged, Table)
    return merged


def _amend(tree: Table, text: str, findings: _Findings) -> Table:
    """`tree` with one `key.path=value` on top."""
    try:
        document = _assignment(text)
    except ChipError as error:
        findings.diagnostics += error.diagnostics
        return tree
    over, _ = findings.read(document, Annotation(source="--set"))
    merged = merge(tree, over, amend=True)
    assert isinstance(merged, Table)
    return merged


def _assignment(text: str) -> Document:
    """`core.neurons=2048` as the document `{core: {neurons: 2048}}`, with places in the text."""
    name, (path, equals, value) = f"--set {text}", text.partition("=")
    keys = path.split(".")
    if not equals or not all(k.strip() for k in keys) or keys[0].strip() == "extends":
        raise ChipError(Diagnostic("E115", f"`{name}` does not set a key of the chip", name, 1, 1, len(path) or 1,
                                   text=text, help="write the path of a key and its value: `--set core.neurons=2048`"))
    node = compose_node(" " * (len(path) + 1) + value, name, lines=[text])
    end = yaml.Mark(name, 0, 0, len(text), None, 0)
    if node is None:
        node = yaml.ScalarNode("tag:yaml.org,2002:null", "", end, end)
    column = len(path)
    for key in reversed(keys):
        start, stop = (yaml.Mark(name, 0, 0, c, None, 0) for c in (column - len(key), column))
        word = yaml.ScalarNode("tag:yaml.org,2002:str", key.strip(), start, stop)
        node = yaml.MappingNode("tag:yaml.org,2002:map", [(word, node)], start, end)
        column -= len(key) + 1
    return Document(name, [text], node)


def _check(tree: Table, findings: _Findings) -> ChipSpec | None:
    """The chip, if the whole of it is right; findings otherwise."""
    findings.diagnostics += _unknown_sources(tree, findings.cites)
    values = plain(tree)
    try:
        return ChipSpec.model_validate(values | {"provenance": dict(provenances(tree))})
    except ValidationError as error:
        wrong = [e for e in error.errors(include_url=False) if e["type"] != "value_error"]
    for e in wrong:
        if findings.complete or e["type"] != "missing":
            findings.diagnostics += _misfit(tree, e["loc"], e["type"])
    known = _partial(ChipSpec, values, {*failures(tree), *(e["loc"] for e in wrong)})
    with suppress(AttributeError):
        known.fabric.__dict__["chips"] = known.system.chips if known.system else None       # as ChipSpec does
    findings.diagnostics += [_at(tree, m) for m in broken(known, partial=True)]
    return None


def _at(tree: Table, m: Misfit, severity: str = "error") -> Diagnostic:
    """A broken rule, at its place in the file."""
    keys = tuple(int(k) if k.isdigit() else k for k in m.path.split("."))
    return replace(locate(tree, keys).place.diagnostic(m.code, m.message, help=m.help), severity=severity)


def _misfit(tree: Table, loc: Loc, kind: str) -> list[Diagnostic]:
    """A finding of pydantic's, at its place in the file; none if the value there was reported before."""
    path, shape = ".".join(str(k) for k in loc), _shape_at(loc)
    if loc[-1] == "[key]":
        table = _shape_at(loc[:-2])
        assert table.key
        return [locate(tree, loc[:-1]).place.diagnostic(
            "E107", f"a key of `{'.'.join(str(k) for k in loc[:-2])}` must be {_range(table.key)}, not {loc[-2]}",
            help=f"the key: {table.key.doc}")]
    doc = f"{loc[-1]}: {shape.doc}" if shape.doc else ""
    if kind == "missing":
        above = locate(tree, loc[:-1])
        if isinstance(above, Value) or loc[-1] in above.entries:
            return []
        where = f"`{'.'.join(str(k) for k in loc[:-1])}`" if loc[1:] else "the chip"
        place = above.place if loc[1:] else above.place.document.head
        return [place.diagnostic("E104", f"{where} lacks the key `{loc[-1]}`", help=doc)]
    at = locate(tree, loc)
    if kind in ("too_short", "string_too_short"):
        if isinstance(at, Table) and at.entries:
            return []
        return [at.place.diagnostic("E105", f"`{path}` is empty", help=doc)]
    given = at.text if isinstance(at, Value) else "a mapping"
    return [at.place.diagnostic("E107", f"`{path}` must be {_range(shape)}, not {given}", help=doc)]


def _shape_at(loc: Loc) -> Shape:
    shape = CHIP
    for key in loc:
        below = fields_of(shape.cls).get(str(key)) if shape.cls else shape.item
        shape = below or shape
    return shape


def _range(shape: Shape) -> str:
    unit = f" {shape.unit}" if shape.kind == "quantity" else ""
    bounds = [f"{words} {value:g}{unit}" for words, value in
              (("at least", shape.ge), ("more than", shape.gt), ("at most", shape.le)) if value is not None]
    return " and ".join(bounds)


def _unknown_sources(tree: Table, cites: list[tuple[str, Place]]) -> list[Diagnostic]:
    table = tree.entries.get("sources")
    if isinstance(table, Value) and table.value is FAILED:
        return []
    known = [str(k) for k in table.entries] if isinstance(table, Table) else []
    out = []
    for text, place in cites:
        key = re.split(r"[,;:\s]", text.strip(), maxsplit=1)[0]
        if key not in known:
            near = get_close_matches(key, known, 1, 0.5)
            out.append(place.diagnostic(
                "E112", f"unknown source `{key}`", f"did you mean `{near[0]}`?" if near else "",
                "a source starts with a key of the table `sources`: " + (", ".join(known) or "which this chip lacks")))
    return out


def _partial(cls: type[BaseModel], values: dict[str, Any], wrong: set[Loc], at: Loc = ()) -> Any:
    """An unchecked `cls` of what is right in `values`; fields that are wrong or missing are not there at all."""
    shapes = fields_of(cls)
    part = cls.model_construct(**{
        name: _partial(shape.cls, values[name], wrong, (*at, name)) if (shape := shapes[name]).cls and values[name]
        else values[name] for name in shapes if name in values})
    for name, shape in shapes.items():
        loc = (*at, name)
        if loc in wrong or (not shape.cls and any(w[: len(loc)] == loc for w in wrong)):
            part.__dict__.pop(name, None)
    return part
