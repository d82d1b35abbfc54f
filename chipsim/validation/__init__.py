"""Published numbers, each beside the one that chipsim simulates: `chipsim validate`.

One file per chip (or peer simulator) with its table `CASES`; a new file is a new chip of `chipsim validate`. A case
builds its workload, compiles it (or lays it out by hand) and simulates it, and reads the figure off the report or the
run's counts: no case is a constant of the chip file read back.
docs/reference/validation.md shows the results; `python tools/validation.py CHIP` writes its section anew.
"""
from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from chipsim.validation.case import Case, NoData, Range, Result, golden, run

__all__ = ["Case", "NoData", "Range", "Result", "golden", "run", "tables"]


def tables() -> dict[str, ModuleType]:
    """Modules with cases by name, in order of the alphabet."""
    found = {info.name: import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)}
    return {name: module for name, module in found.items() if hasattr(module, "CASES")}
