"""What a chip is: description, units, diagnostics, catalogue, JSON Schema.

What needs pydantic is imported when first used: listing chips or explaining a code does not wait for it.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from chipsim.chip.catalogue import CatalogueEntry, catalogue
from chipsim.chip.codes import CODES

if TYPE_CHECKING:
    from chipsim.chip.load import check_chip, load_chip
    from chipsim.chip.schema import json_schema
    from chipsim.chip.spec import ChipSpec, Provenance

_HOME = {"ChipSpec": "spec", "Provenance": "spec", "check_chip": "load", "json_schema": "schema", "load_chip": "load"}

__all__ = ["CODES", "CatalogueEntry", "ChipSpec", "Provenance", "catalogue", "check_chip", "json_schema", "load_chip"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module `chipsim.chip` has no attribute `{name}`; it has {', '.join(__all__)}")
    return getattr(import_module(f"chipsim.chip.{_HOME[name]}"), name)
