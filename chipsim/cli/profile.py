"""Where the wall time of a command went, for `--profile`."""
from __future__ import annotations

from time import perf_counter

from chipsim.figures import percent, si


class Laps:
    """A stopwatch: `lap` names the time since the last one, `parts` divide the lap before."""

    def __init__(self) -> None:
        self.began = self.last = perf_counter()
        self.rows: list[tuple[str, float, int]] = []               # what, seconds, level

    def lap(self, what: str, parts: dict[str, float] | None = None) -> None:
        now = perf_counter()
        took, self.last = now - self.last, now
        self.rows.append((what, took, 0))
        rest = took - sum((parts or {}).values())
        self.rows += [(part, seconds, 1) for part, seconds in (parts or {}).items()]
        self.rows += [("the rest", rest, 1)] if parts and rest > 0.01 * took else []

    def table(self) -> str:
        """One line per lap and part; shares are of all laps together."""
        total = sum(seconds for _, seconds, level in self.rows if level == 0)
        lines = [f"{'  ' * level + what:22}{si(seconds, 's'):>9}{percent(seconds / total):>9}"
                 for what, seconds, level in self.rows]
        return "\n".join([*lines, f"{'in all':22}{si(total, 's'):>9}"])
