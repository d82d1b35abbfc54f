"""Read one chip file: every scalar by the type of the field it is for, every finding with its place.

Nothing is raised for a wrong value; it becomes a diagnostic and a FAILED value, and reading goes on. What needs the
whole chip (missing keys, ranges, rules, known sources) is checked after merging, in `load.py`.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache

import yaml
from pydantic import BaseModel

from chipsim.chip.document import Document, Place
from chipsim.chip.fields import Part, Shape, fields_of
from chipsim.chip.spec import ChipSpec, Kind, Provenance
from chipsim.chip.tree import FAILED, Table, Value
from chipsim.chip.units import QuantityError, parse_count, parse_quantity
from chipsim.errors import ChipError, Diagnostic

KINDS = ("published", "measured", "derived", "estimated")
ANNOTATIONS = {"source": Shape("text", "who says so: a key of `sources`, then where in it"),
               "provenance": Shape("choice", "how the source knows", choices=KINDS),
               "note": Shape("text", "what one has to know to use the number")}
CHIP = Shape("part", "the chip", cls=ChipSpec)
EXTENDS = Shape("text", "chip whose file this one changes: a name of the catalogue or a path")


@dataclass(frozen=True)
class Annotation:
    """`source`, `provenance` and `note` in force at some depth of a file."""

    source: str = ""
    provenance: Kind = "unstated"
    note: str = ""


NO_ANNOTATION = Annotation()


class Reader:
    """Reads one document. `diagnostics` and `cites` (sources named, and where) fill up on the way."""

    def __init__(self, document: Document):
        self.document = document
        self.diagnostics: list[Diagnostic] = []
        self.cites: list[tuple[str, Place]] = []

    def read(self, annotation: Annotation = NO_ANNOTATION) -> tuple[Table, Value | None]:
        """The tree of the file, and the value of its `extends` key."""
        tree = self._mapping(CHIP, self.document.root, "", self.document.head, annotation)
        extends = tree.entries.pop("extends", None)
        return tree, extends if isinstance(extends, Value) and extends.value is not FAILED else None

    def _read(self, shape: Shape, node: yaml.Node, path: str, place: Place, annotation: Annotation) -> Table | Value:
        if shape.optional and _is_null(node) and node.value:
            return Value(None, self.document.place(node), "null")
        if shape.kind in ("part", "table"):
            if isinstance(node, yaml.MappingNode):
                return self._mapping(shape, node, path, place, annotation)
            return self._fail("E101", f"`{path}` must be a mapping of keys to values, not {_kind(node)}", node,
                              help=_about(path, shape))
        if (shape.is_number or (shape.item and shape.item.is_number)) and isinstance(node, yaml.MappingNode):
            return self._annotated(shape, node, path, place, annotation)
        if shape.kind == "list":
            return self._list(shape, node, path, annotation)
        return self._scalar(shape, node, path, annotation)

    def _mapping(self, shape: Shape, node: yaml.MappingNode, path: str, place: Place, annotation: Annotation) -> Table:
        """A part with its known keys, or a table with keys of the user's choice."""
        known = fields_of(shape.cls) if shape.cls else {}
        takes_notes = issubclass(shape.cls, Part) if shape.cls else bool(shape.item and shape.item.is_number)
        notes = ANNOTATIONS if takes_notes else {}
        extra = {"extends": EXTENDS} if shape is CHIP else {}
        items = self._items(node, path)
        annotation = self._annotation({k: items[k] for k in notes if k in items}, path, annotation)
        entries: dict[str | int, Table | Value] = {}
        for name, (key, value) in items.items():
            if name in notes:
                continue
            below = (known | extra).get(name) or shape.item
            if below is None:
                self._unknown(name, key, path, shape.cls, [*known, *extra, *notes])
                continue
            number = self._key(shape, name, key, path)
            if number is None:
                entries[name] = Value(FAILED, self.document.place(key))
                continue
            entries[number] = self._read(below, value, _join(path, name), self.document.place(key), annotation)
        return Table(entries, place, is_part=shape.key is None or shape.key.kind == "text")

    def _items(self, node: yaml.MappingNode, path: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key -> (key node, value node); a key given twice is reported, and the first one holds."""
        items: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        try:
            for key, value in self.document.pairs(node):
                if not isinstance(key, yaml.ScalarNode):
                    self._fail("E101", f"a key of {_of(path)} is {_kind(key)}", key, help="keys are plain words")
                elif key.value in items:
                    first = self.document.place(items[key.value][0]).line
                    self._fail("E102", f"key `{key.value}` is given twice in {_of(path)}", key, "second time here",
                               f"the first one stands in line {first}; remove one of the two")
                else:
                    items[key.value] = key, value
        except ChipError as error:
            self.diagnostics += error.diagnostics
        return items

    def _key(self, shape: Shape, name: str, key: yaml.Node, path: str) -> str | int | None:
        if shape.key is None or shape.key.kind == "text":
            return name
        try:
            return parse_count(name)
        except QuantityError as error:
            self._fail(error.code, f"a key of `{path}` {error}", key, error.hint, f"the key: {shape.key.doc}")
            return None

    def _unknown(self, name: str, key: yaml.Node, path: str, cls: type[BaseModel] | None, known: list[str]) -> None:
        near = get_close_matches(name, known, 1, 0.6)
        elsewhere = [] if near else [p for p in all_paths() if p.rpartition(".")[2] == name]
        label = f"did you mean `{near[0]}`?" if near else ""
        help = f"there is `{'`, `'.join(elsewhere)}`" if elsewhere else "known keys: " + ", ".join(known)
        self._fail("E103", f"unknown key `{name}` in {_of(path)}", key, label, help)

    def _annotation(self, items: dict[str, tuple[yaml.Node, yaml.Node]], path: str, outer: Annotation) -> Annotation:
        for name, (_, node) in items.items():
            value = self._scalar(ANNOTATIONS[name], node, _join(path, name), outer)
            if value.value is not FAILED:
                outer = replace(outer, **{name: value.value})
                if name == "source":
                    self.cites.append((value.value, value.place))
        return outer

    def _annotated(self, shape: Shape, node: yaml.MappingNode, path: str, place: Place,
                   annotation: Annotation) -> Table | Value:
        """The long form of a number: `{value: 23.6 pJ, source: ..., provenance: ..., note: ...}`."""
        items = self._items(node, path)
        known = ["value", *ANNOTATIONS]
        for name, (key, _) in items.items():
            if name not in known:
                self._unknown(name, key, path, None, known)
        annotation = self._annotation({k: items[k] for k in ANNOTATIONS if k in items}, path, annotation)
        if "value" not in items:
            if set(items) <= set(ANNOTATIONS):
                self.diagnostics.append(place.diagnostic("E104", f"`{path}` lacks the key `value`", "",
                                                         f"write `{{value: {_example(shape)}, source: ...}}`"))
            return Value(FAILED, place)
        inner = items["value"][1]
        if isinstance(inner, yaml.MappingNode):
            return self._fail("E101", f"`{path}.value` must be a single value, not a mapping", items["value"][0],
                              help=_about(path, shape))
        return self._read(shape, inner, path, place, annotation)

    def _list(self, shape: Shape, node: yaml.Node, path: str, annotation: Annotation) -> Value:
        assert shape.item is not None
        if not isinstance(node, yaml.SequenceNode):
            hint = f"write `[{node.value}]`" if isinstance(node, yaml.ScalarNode) else ""
            return self._fail("E101", f"`{path}` must be a list, not {_kind(node)}", node, hint, _about(path, shape))
        if shape.length and len(node.value) != shape.length:
            return self._fail("E101", f"`{path}` takes {shape.length} values, not {len(node.value)}", node,
                              help=_about(path, shape))
        items = [self._scalar(shape.item, n, path, annotation) for n in node.value]
        if any(i.value is FAILED for i in items):
            return Value(FAILED, self.document.place(node))
        text = "[" + ", ".join(i.text for i in items) + "]"
        return Value([i.value for i in items], self.document.place(node), text,
                     _provenance(text, shape.item, annotation))

    def _scalar(self, shape: Shape, node: yaml.Node, path: str, annotation: Annotation) -> Value:
        if not isinstance(node, yaml.ScalarNode):
            return self._fail("E101", f"`{path}` must be a single value, not {_kind(node)}", node,
                              help=_about(path, shape))
        text = node.value
        if _is_null(node):
            expected = f"expected {_expected(shape)}" + (", or `null`" if shape.optional else "")
            return self._fail("E105", f"`{path}` has no value", node, expected, _about(path, shape))
        try:
            match shape.kind:
                case "quantity":
                    value: object = parse_quantity(text, shape.unit)
                case "count":
                    value = parse_count(text, shape.unit)
                case "choice":
                    value = _choice(text, shape)
                case _:
                    value = text
        except QuantityError as error:
            return self._fail(error.code, f"`{path}` {error}", node, error.hint, _about(path, shape))
        return Value(value, self.document.place(node), text, _provenance(text, shape, annotation))

    def _fail(self, code: str, message: str, node: yaml.Node, label: str = "", help: str = "") -> Value:
        place = self.document.place(node)
        self.diagnostics.append(place.diagnostic(code, message, label, help))
        return Value(FAILED, place)


@cache
def all_paths(cls: type[BaseModel] = ChipSpec, prefix: str = "") -> tuple[str, ...]:
    """Dotted paths of all keys a chip file can have (keys of tables are free and not listed)."""
    out: list[str] = []
    for name, shape in fields_of(cls).items():
        out.append(prefix + name)
        if shape.kind == "part" and shape.cls:
            out += all_paths(shape.cls, f"{prefix}{name}.")
    return tuple(out)


def _choice(text: str, shape: Shape) -> str:
    if text not in shape.choices:
        near = get_close_matches(text, shape.choices, 1, 0.5)
        raise QuantityError("E108", f"cannot be `{text}`: the choices are {', '.join(shape.choices)}",
                            f"did you mean `{near[0]}`?" if near else "")
    return text


def _provenance(text: str, shape: Shape, a: Annotation) -> Provenance | None:
    if not shape.is_number:
        return None
    return Provenance(value_text=text, unit=shape.unit, source=a.source, kind=a.provenance, note=a.note)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~", "null", "Null", "NULL")


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"`{node.value}`" if node.value else "empty"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _example(shape: Shape) -> str:
    return {"s": "4.1 ns", "J": "23.6 pJ", "W": "30 mW", "Hz": "1 kHz", "V": "0.75 V"}.get(shape.unit, "1")


def _expected(shape: Shape) -> str:
    if shape.kind == "choice":
        return "one of " + ", ".join(shape.choices)
    return {"quantity": f"a quantity such as `{_example(shape)}`", "count": "a whole number"}.get(shape.kind, "a text")


def _about(path: str, shape: Shape) -> str:
    return f"{path.rpartition('.')[2]}: {shape.doc}" if shape.doc else ""


def _of(path: str) -> str:
    return f"`{path}`" if path else "the chip"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
