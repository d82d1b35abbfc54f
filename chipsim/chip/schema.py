"""JSON Schema (draft-07, which YAML editors support) of the chip file, from the same classes that check it.

The schema accepts what the loader accepts field by field, in short and long form; rules between numbers stay with the
loader. A file with `extends` may leave any key out, so every part is defined twice: whole, and as a change.
"""
from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from chipsim.chip.fields import Part, Shape, fields_of
from chipsim.chip.reader import ANNOTATIONS, EXTENDS
from chipsim.chip.spec import ChipSpec
from chipsim.chip.units import BINARY, DIMENSIONS, NUMBER, PREFIXES, SYMBOLS, TYPICAL

Schema = dict[str, Any]

def json_schema() -> Schema:
    """The schema as a JSON-able dict."""
    definitions: Schema = {}
    for change in (False, True):
        _define(ChipSpec, change, definitions)
    return {"$schema": "http://json-schema.org/draft-07/schema#",
            "title": "chipsim chip description",
            "description": "A neuromorphic chip: fabric, cores, costs, and who says so.",
            "type": "object",
            "if": {"required": ["extends"]},
            "then": {"$ref": "#/definitions/ChipSpecChange"},
            "else": {"$ref": "#/definitions/ChipSpec"},
            "definitions": definitions}


def _define(cls: type[BaseModel], change: bool, definitions: Schema) -> Schema:
    """Reference to the definition of a part, which is made at the first call."""
    name = cls.__name__ + ("Change" if change else "")
    if name not in definitions:
        fields = fields_of(cls)
        notes = ANNOTATIONS if issubclass(cls, Part) else {}
        extra = {"extends": EXTENDS} if cls is ChipSpec else {}
        out = definitions[name] = {"type": "object", "additionalProperties": False}
        out["properties"] = {k: _schema(s, change, definitions) for k, s in (fields | extra | notes).items()}
        required = [k for k, s in fields.items() if s.required and not change]
        if change and cls is ChipSpec:
            required = ["name"]
        if required:
            out["required"] = required
    return {"$ref": f"#/definitions/{name}"}


def _schema(shape: Shape, change: bool, definitions: Schema) -> Schema:
    match shape.kind:
        case "part":
            assert shape.cls
            forms = [_define(shape.cls, change and issubclass(shape.cls, Part), definitions)]
        case "table":
            assert shape.item
            item = _schema(shape.item, change, definitions)
            keys = {"^[0-9]+$": item} if shape.key and shape.key.kind == "count" else {".": item}
            notes = ANNOTATIONS if shape.item.is_number else {}
            forms = [{"type": "object", "patternProperties": keys, "additionalProperties": False, "minProperties": 1,
                      "properties": {k: _schema(s, change, definitions) for k, s in notes.items()}}]
        case "list":
            assert shape.item
            size = {"minItems": shape.length or 1} | ({"maxItems": shape.length} if shape.length else {})
            short = {"type": "array", "items": _single(shape.item), **size}
            forms = [short, _long(short)] if shape.item.is_number else [short]
        case _:
            forms = [_single(shape), _long(_single(shape))] if shape.is_number else [_single(shape)]
    if shape.optional:
        forms.append({"type": "null"})
    one = {"allOf": forms} if "$ref" in forms[0] else forms[0]       # draft-07 ignores what stands beside a $ref
    body = one if len(forms) == 1 else {"anyOf": forms}
    return {"description": shape.doc, **body} if shape.doc else body


def _single(shape: Shape) -> Schema:
    """A value in short form."""
    match shape.kind:
        case "quantity":
            low = "" if shape.ge is None and shape.gt is None else r"(?!-)"
            return {"type": "string", "pattern": rf"^{low}{NUMBER} *({_symbols(shape.unit)})$",
                    "examples": [f"1 {TYPICAL[shape.unit]}"], "title": DIMENSIONS[shape.unit]}
        case "count":
            bounds = {k: v for k, v in (("minimum", shape.ge), ("maximum", shape.le)) if v is not None}
            unit = f"( *({_symbols('bit')}))?" if shape.unit == "bit" else ""
            return {"type": ["integer", "string"], "pattern": f"^{NUMBER}{unit}$", **bounds}
        case "choice":
            return {"enum": list(shape.choices)}
        case _:
            return {"type": ["string", "number", "boolean"]}     # a word for the loader, whatever YAML makes of it


def _long(short: Schema) -> Schema:
    notes = {k: _single(s) | {"description": s.doc} for k, s in ANNOTATIONS.items()}
    return {"type": "object", "properties": {"value": short, **notes}, "required": ["value"],
            "additionalProperties": False}


def _symbols(unit: str) -> str:
    """Alternatives for the symbols of a dimension: `[afpnuµμmkMGT]?J`."""
    prefixes = f"[{''.join(p for p in PREFIXES if p)}]?"
    if unit == "bit":
        prefixes = f"({prefixes}|{'|'.join(BINARY)})"
    return "|".join(f"{prefixes}{s}" for s, (base, _) in SYMBOLS.items() if base == unit)
