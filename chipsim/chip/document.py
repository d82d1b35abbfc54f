"""A YAML text as nodes with places: which line and column every key and value stands at.

PyYAML only composes here; what a scalar means is decided by the field it is for (`reader.py`), so that none of YAML
1.1's guesses (`no` is false, `010` is eight, `1e-12` is text) reach a chip. Merge keys and anchors work as usual.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from chipsim.errors import ChipError, Diagnostic

_LINE_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Place:
    """A span of one line of a document. Lines and columns count from 1."""

    document: Document
    line: int
    column: int
    width: int

    def diagnostic(self, code: str, message: str, label: str = "", help: str = "") -> Diagnostic:
        text = self.document.lines[self.line - 1] if self.line <= len(self.document.lines) else ""
        return Diagnostic(code, message, self.document.name, self.line, self.column, self.width, label, help,
                          text.replace("\t", " "))


@dataclass(frozen=True, eq=False)
class Document:
    """A text, the name it has in messages, and its root node (a mapping)."""

    name: str
    lines: list[str]
    root: yaml.MappingNode
    path: Path | None = None

    def place(self, node: yaml.Node) -> Place:
        start, end = node.start_mark, node.end_mark
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        stop = end.column if end.line == start.line else len(line.rstrip())
        return Place(self, start.line + 1, start.column + 1, max(1, stop - start.column))

    @property
    def head(self) -> Place:
        """Where to point when the document as a whole lacks something."""
        return self.place(self.root.value[0][0]) if self.root.value else Place(self, 1, 1, 1)

    def pairs(self, node: yaml.MappingNode, seen: tuple[yaml.Node, ...] = ()) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Keys and values with merge keys (`<<`) resolved: own keys first, then merged ones that are not among them."""
        own = [(k, v) for k, v in node.value if k.tag != _MERGE]
        yield from own
        taken = {k.value for k, _ in own if isinstance(k, yaml.ScalarNode)}
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(other, yaml.MappingNode) or other in (node, *seen):
                    raise ChipError(self.place(key).diagnostic(
                        "E111", "`<<` merges another mapping into this one", "this is not another mapping",
                        "give the other mapping an anchor (`&name`) and write `<<: *name`"))
                for k, v in self.pairs(other, (node, *seen)):
                    if k.value not in taken:
                        taken.add(k.value)
                        yield k, v


def read_document(path: str | os.PathLike) -> Document:
    """The document in a file. Raises ChipError when there is none to read."""
    path = Path(path)
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ChipError(Diagnostic("E110", f"there is no file `{name}`", name)) from None
    except IsADirectoryError:
        raise ChipError(Diagnostic("E110", f"`{name}` is a directory, not a chip file", name)) from None
    except UnicodeDecodeError as error:
        raise ChipError(Diagnostic("E110", f"`{name}` is not a text file: byte {error.start} is not UTF-8", name,
                                   help="a chip file is YAML text")) from None
    except OSError as error:
        raise ChipError(Diagnostic("E110", f"cannot read `{name}`: {error.strerror}", name)) from None
    if "\0" in text:
        raise ChipError(Diagnostic("E110", f"`{name}` is not a text file: it holds zero bytes", name,
                                   help="a chip file is YAML text"))
    return compose(text, name, path)


def compose(text: str, name: str, path: Path | None = None) -> Document:
    """The document that `text` is. Raises ChipError on a YAML syntax error and on anything but a mapping."""
    lines = _LINE_ENDS.split(text)
    root = compose_node(text, name, lines)
    if root is None:
        raise ChipError(Diagnostic("E111", f"`{name}` is empty", name, help="a chip file starts with `name: my_chip`"))
    document = Document(name, lines, root, path)
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        raise ChipError(document.place(root).diagnostic(
            "E101", f"a chip file is a mapping of keys to values, not {kind}", help="start with `name: my_chip`"))
    return document


def compose_node(text: str, name: str, lines: list[str]) -> yaml.Node | None:
    """Root node of a YAML text, None for an empty one; messages show `lines`. Raises ChipError on a syntax error."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):        # composing recurses in C; depth is unchecked there
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                mark = event.start_mark
                raise ChipError(Diagnostic("E111", f"YAML is nested more than {_DEEPEST} deep", name, mark.line + 1,
                                           mark.column + 1))
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        context = error.context_mark.line + 1 if error.context_mark else 0
        raise ChipError(_syntax_error(name, lines, line, column, error, context)) from None
    except yaml.reader.ReaderError as error:
        raise ChipError(Diagnostic("E110", f"`{name}` is not a text file: {error.reason}", name,
                                   help="a chip file is YAML text")) from None


def _syntax_error(name: str, lines: list[str], line: int, column: int, error: yaml.MarkedYAMLError,
                  context: int) -> Diagnostic:
    line = min(line, len(lines) - 1)
    while line and not lines[line].strip():                   # stopped at the end: point behind the last word
        line -= 1
        column = len(lines[line])
    text = lines[line]
    problem, help = error.problem or "not YAML", ""
    if "\t" in text[:len(text) - len(text.lstrip())] or (column < len(text) and text[column] == "\t"):
        column = text.index("\t")
        problem, help = "a tab in the indentation", "YAML is indented with spaces; replace the tab"
    elif "single document" in (error.context or ""):
        problem, help = "a second document starts here", "a chip file holds one chip; remove `---`"
    elif "mapping values are not allowed" in problem:
        help = "a text with `: ` in it wants quotes; or the indentation of this line or the one above is off"
    elif 0 < context <= line:
        help = f"{error.context} that starts in line {context}"
    return Diagnostic("E111", f"YAML syntax: {problem}", name, line + 1, column + 1, 1, help=help,
                      text=text.replace("\t", " "))
