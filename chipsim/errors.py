"""Errors a user can act on. Each names where, what, need versus have, and what to do; none is a traceback.

Exit codes of the command line: 0 ok, 1 internal or simulation failure, 2 usage or invalid input, 3 does not fit the
chip, 4 a `--fail-if` threshold is broken or a validation misses, 130 interrupted.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnostic:
    """One finding. Lines and columns count from 1; `width` is the number of characters to underline."""

    code: str                       # E1xx chip files, N2xx networks, M2xx mapping, S3xx input, U4xx usage, R5xx reports
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    width: int = 1
    label: str = ""                 # stands behind the carets
    help: str = ""
    text: str = ""                  # the source line
    severity: str = "error"         # or "warning"

    def render(self) -> str:
        """The finding as rustc would print it; without a position, message and help alone."""
        out = [f"{self.severity}[{self.code}]: {self.message}"]
        if self.file:
            pad = " " * len(str(self.line or ""))
            where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
            out.append(f"{pad}--> {where}")
            if self.line and self.text:
                carets = "^" * max(1, self.width)
                out += [f"{pad} |", f"{self.line} | {self.text}",
                        f"{pad} | {' ' * (self.column - 1)}{carets} {self.label}".rstrip()]
        if self.help:
            out.append(f"   = help: {self.help}")
        return "\n".join(out)


class ChipsimError(Exception):
    """An error with one or more diagnostics; `exit_code` is what the command line returns for it."""

    exit_code = 2

    def __init__(self, *diagnostics: Diagnostic | str, code: str = "E100"):
        self.diagnostics = tuple(d if isinstance(d, Diagnostic) else Diagnostic(code, d) for d in diagnostics)
        super().__init__("\n\n".join(d.render() for d in self.diagnostics))


class ChipError(ChipsimError):
    """A chip description is wrong."""


class NetworkError(ChipsimError):
    """A network cannot be read or makes no sense."""


class StimulusError(ChipsimError):
    """Input data cannot be read or does not belong to the network."""


class UsageError(ChipsimError):
    """A call or command line asks for something that does not exist or does not go together."""


class ExpressError(ChipsimError):
    """The network asks for something the chip cannot compute (and `approximate` does not allow to replace)."""

    exit_code = 3


@contextmanager
def gathered(problems: list[Diagnostic]) -> Iterator[None]:
    """What an ExpressError inside says goes to `problems`, so that the rest is looked at, too."""
    try:
        yield
    except ExpressError as error:
        problems += error.diagnostics


class FitError(ChipsimError):
    """The network does not fit the chip; one diagnostic per population and resource."""

    exit_code = 3


class SimulationError(ChipsimError):
    """The engine met a state it cannot go on from."""

    exit_code = 1
