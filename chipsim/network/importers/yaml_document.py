"""A YAML file as plain values that remember where they were written.

Scalars are read as YAML 1.2 means them: `1e-3` is a number, `no` a word, `010` ten. Duplicate keys are errors.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from chipsim.errors import Diagnostic, NetworkError

MAX_DEPTH = 40
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None,
         ".nan": float("nan"), ".inf": float("inf"), "-.inf": -float("inf")}


@dataclass
class Document:
    """`value` is the file; `marks` maps a path of keys and indices to (line, column, width), counted from 1."""

    path: Path
    lines: list[str] = field(default_factory=list)
    value: object = None
    marks: dict[tuple, tuple[int, int, int]] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def locate(self, path: tuple) -> dict:
        """Position of `path`, or of the nearest part of the file that holds it, as fields of a Diagnostic."""
        while path and path not in self.marks:
            path = path[:-1]
        line, column, width = self.marks.get(path, (1, 1, 1))
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return {"file": str(self.path), "line": line, "column": column, "width": width, "text": text}

    def report(self, code: str, path: tuple, message: str, help: str = "") -> None:
        self.findings.append(Diagnostic(code, message, help=help, **self.locate(path)))


def read(path: Path) -> Document:
    """Raises NetworkError if there is no such file or it is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        why = f"there is no file {path}" if not path.is_file() else f"{path} is not a text file"
        raise NetworkError(Diagnostic("N241", why, file=str(path), help="check the path")) from e
    document = Document(path, text.splitlines())
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        document.marks[()] = (mark.line + 1, mark.column + 1, 1)
        raise NetworkError(Diagnostic("N250", f"not YAML: {e.problem}", **document.locate(()))) from e
    except yaml.YAMLError as e:
        raise NetworkError(Diagnostic("N250", f"not YAML: {e}", file=str(path))) from e
    document.value = _value(document, node, ())
    return document


def _value(document: Document, node: yaml.Node | None, path: tuple) -> object:
    if node is None:
        return None
    if path not in document.marks:                       # keys have set the mark of a mapping's entries
        document.marks[path] = _mark(node)
    if len(path) > MAX_DEPTH:
        where = document.locate(path)
        raise NetworkError(Diagnostic("N250", "the file is nested too deep, or contains itself", **where))
    if isinstance(node, yaml.MappingNode):
        result: dict = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in result:
                at = document.marks.get((*path, key))
                document.marks[(*path, key)] = _mark(key_node)
                document.report("N251", (*path, key), f"`{key}` is written twice",
                                f"it is in line {at[0]} already; remove one" if at else "remove one")
            document.marks[(*path, key)] = _mark(key_node)
            result[key] = _value(document, value_node, (*path, key))
            document.marks[(*path, key)] = _mark(value_node) if isinstance(value_node, yaml.ScalarNode) \
                else document.marks[(*path, key)]
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, child, (*path, i)) for i, child in enumerate(node.value)]
    return _scalar(node)


def _mark(node: yaml.Node) -> tuple[int, int, int]:
    start, end = node.start_mark, node.end_mark
    return start.line + 1, start.column + 1, max(1, end.column - start.column) if end.line == start.line else 1


def _scalar(node: yaml.ScalarNode) -> object:
    text = node.value
    if node.style in ("'", '"'):
        return text
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
