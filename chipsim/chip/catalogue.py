"""The chips that ship with chipsim: where their files are, and their heads without reading them whole."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_HEAD = re.compile(r"""^(name|title|status):\s*(?:"([^"]*)"|'([^']*)'|([^#\n]*?))\s*(?:#.*)?$""", re.MULTILINE)


@dataclass(frozen=True)
class CatalogueEntry:
    """A shipped chip: its name for `--chip`, its name in words, silicon or model or hypothetical, and its file."""

    name: str
    title: str
    status: str
    path: Path


def folder() -> Path:
    """Folder of the shipped chip files: inside the package when installed, beside it in a source tree."""
    inside = _PACKAGE / "chipdefs"
    return inside if inside.is_dir() else _PACKAGE.parent / "chipdefs"


def catalogue() -> list[CatalogueEntry]:
    """Shipped chips by name. Files are not validated; `load_chip` does that."""
    entries = []
    for path in sorted(folder().glob("*.yaml"), key=lambda p: p.stem):
        head = {m[1]: m[2] or m[3] or m[4] or "" for m in _HEAD.finditer(path.read_text(encoding="utf-8"))}
        entries.append(CatalogueEntry(path.stem, head.get("title", ""), head.get("status", ""), path))
    return entries


def shipped(name: str) -> Path | None:
    """File of the shipped chip `name`, None when there is no such chip."""
    return next((path for path in folder().glob("*.yaml") if path.stem == name), None)
