"""The keys of a chip file as a Markdown table, for docs/reference/chip-file.md: `python -m chipsim.chip.page`."""
from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from chipsim.chip.fields import Shape, fields_of
from chipsim.chip.spec import ChipSpec
from chipsim.chip.units import TYPICAL


def key_table() -> str:
    """One row per key: path, what may stand there, what it means."""
    rows = [f"| `{path}` | {_holds(shape)} | {shape.doc} |" for path, shape in _keys(ChipSpec)]
    return "\n".join(["| key | value | meaning |", "|---|---|---|", *rows])


def _keys(cls: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Shape]]:
    """Keys in file order; siblings of one kind (channels, costs) are spelled out once, after the last, under `*`."""
    shapes = list(fields_of(cls).items())
    for i, (name, shape) in enumerate(shapes):
        yield prefix + name, shape
        part = shape.cls or (shape.item and shape.item.cls)
        if not part or any(s.cls is part for _, s in shapes[i + 1:]):
            continue
        alone = sum(s.cls is part for _, s in shapes) == 1
        yield from _keys(part, prefix + (f"{name}.*." if shape.kind == "table" else f"{name}." if alone else "*."))


def _holds(shape: Shape) -> str:
    match shape.kind:
        case "part":
            text = "mapping"
        case "table":
            text = "table of quantities" if shape.item and shape.item.is_number else "table"
        case "list":
            assert shape.item
            text = "list of " + (", ".join(f"`{c}`" for c in shape.item.choices) or shape.item.unit)
        case "quantity":
            text = f"quantity, `1 {TYPICAL[shape.unit]}`"
        case "count":
            text = f"count of {shape.unit}" if shape.unit else "number"
        case "choice":
            text = ", ".join(f"`{c}`" for c in shape.choices)
        case _:
            text = "text"
    text += " or `null`" if shape.optional else ""
    if shape.required:
        return text
    default = "null" if shape.default is None else shape.default
    if isinstance(default, tuple):
        default = f"[{', '.join(map(str, default))}]"
    return text + (f"; default `{default}`" if default not in ("", {}) else "; may be left out")


if __name__ == "__main__":
    print(key_table())
