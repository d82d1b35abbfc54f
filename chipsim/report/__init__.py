"""What a run cost: counts × costs, times, and the sources of every number.

`report(run)` makes a `Report`; `print` shows it, `to_dict` is its JSON. The package itself can be called, so that
`chipsim.report(run)` works whether or not this package has been imported under the same name.
"""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from chipsim.report.report import SCHEMA_VERSION, Report, report

__all__ = ["SCHEMA_VERSION", "Report", "report"]


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Report:
        return report(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
