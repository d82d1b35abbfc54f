"""What a broken rule of a chip file says."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Misfit:
    """A broken rule: dotted path of the number to look at, what is wrong with it, what would help."""

    path: str
    message: str
    help: str
    code: str = "E109"
