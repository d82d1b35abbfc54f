"""The field is the documentation: unit, range and meaning of a field of the chip file, stated once.

`quantity` and `count` declare numbers; `fields_of` gives back what was declared, for everything that walks a chip
description: the reader, the JSON Schema, the reference page, the list of provenances.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from chipsim.chip.units import format_quantity


class Part(BaseModel):
    """A mapping of the chip file. There, `source`, `provenance` and `note` hold for every number below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def quantity(unit: str, *, doc: str, ge: float | None = None, gt: float | None = None, default: Any = ...) -> Any:
    """A float in the SI unit `unit`, written with a unit in the file."""
    return Field(default, ge=ge, gt=gt, allow_inf_nan=False, description=doc, json_schema_extra={"unit": unit})


def count(of: str, *, doc: str, ge: int | None = None, le: int | None = None, default: Any = ...) -> Any:
    """A whole number of `of` (neurons, ticks, bit ...), written plain in the file."""
    return Field(default, ge=ge, le=le, description=doc, json_schema_extra={"unit": of})


ShapeKind = Literal["part", "table", "list", "quantity", "count", "choice", "text"]
_SINGLE: dict[type, ShapeKind] = {float: "quantity", int: "count", str: "text"}


@dataclass(frozen=True)
class Shape:
    """What a field may hold. `unit` is set for numbers that want a source; `item` is what a table or list holds."""

    kind: ShapeKind
    doc: str = ""
    unit: str = ""
    optional: bool = False              # may be null
    required: bool = True
    default: Any = None
    cls: type[BaseModel] | None = None  # part
    item: Shape | None = None           # table, list
    key: Shape | None = None            # table
    length: int | None = None           # list
    choices: tuple[str, ...] = ()
    ge: float | None = None
    gt: float | None = None
    le: float | None = None

    @property
    def is_number(self) -> bool:
        return bool(self.unit)


@cache
def fields_of(cls: type[BaseModel]) -> dict[str, Shape]:
    """Keys a mapping of the chip file may have, with their shapes, in the order of declaration."""
    return {name: _shape(info) for name, info in cls.model_fields.items() if _extra(info) != {"computed": True}}


def numbers_of(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Dotted path, text and unit of every number of a chip or a part of one; limits that are null have none."""
    for name, shape in fields_of(type(part)).items():
        path, value = prefix + name, getattr(part, name)
        if value is None:
            continue
        if shape.kind == "part":
            yield from numbers_of(value, path + ".")
        elif shape.item and shape.item.is_number and shape.kind == "table":
            yield from ((f"{path}.{key}", _text(v, shape.item), shape.item.unit) for key, v in value.items())
        elif shape.item and shape.item.is_number:
            yield path, str(list(value)), shape.item.unit
        elif shape.is_number:
            yield path, _text(value, shape), shape.unit


def _text(value: float, shape: Shape) -> str:
    return format_quantity(value, shape.unit) if shape.kind == "quantity" else str(value)


def _shape(info: FieldInfo) -> Shape:
    kind, optional = _without_none(info.annotation)
    required = info.is_required()
    common: dict[str, Any] = {b: getattr(m, b) for m in info.metadata for b in ("ge", "gt", "le") if hasattr(m, b)}
    common |= {"doc": info.description or "", "unit": _extra(info).get("unit", ""), "optional": optional,
               "required": required, "default": None if required else info.get_default(call_default_factory=True)}
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return Shape("choice", choices=args, **common)
    if origin is dict:
        return Shape("table", item=_inner(args[1]), key=_inner(args[0]), **common)
    if origin is tuple:
        item = _inner(args[0])
        return Shape("list", item=item, length=None if args[-1] is Ellipsis else len(args), **common)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        common["doc"] = common["doc"] or cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        return Shape("part", cls=kind, **common)
    return Shape(_SINGLE[kind], **common)


def _inner(annotation: Any) -> Shape:
    return _shape(FieldInfo.from_annotation(annotation))


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not NoneType]
        return inner[0], True
    return annotation, False


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
