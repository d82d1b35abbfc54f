"""Data on stdout, talk on stderr; colour only on a terminal; no character that the encoding lacks."""
from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from chipsim.figures import count, si

ASCII = str.maketrans({"µ": "u", "×": "x", "→": "->", "·": "-", "≥": ">=", "≤": "<=", "±": "+-", "█": "#", "▉": "#",
                       "▊": "#", "▋": "#", "▌": "#", "▍": "-", "▎": "-", "▏": "-"})


def show(text: str) -> None:
    """Print data to stdout: plain, unless stdout is a terminal and NO_COLOR is unset."""
    text = encodable(text, sys.stdout)
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.text import Text

        styled = Text(text)
        styled.highlight_regex(r"(?m)^[A-Za-z]+(?=  )", "bold")
        styled.highlight_regex(r"[█▏▎▍▌▋▊▉]+", "cyan")
        styled.highlight_regex(r"(?m)^note.*", "yellow")
        Console(highlight=False).print(styled, soft_wrap=True)
    else:
        print(text)


def tell(text: str) -> None:
    """Print talk to stderr."""
    print(encodable(text, sys.stderr), file=sys.stderr, flush=True)


def encodable(text: str, stream: TextIO) -> str:
    """`text` with nothing in it that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.translate(ASCII).encode(encoding, "replace").decode(encoding)


class Talk:
    """What a long command says on the way: lines "did       what", and a progress line on a terminal."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet

    def line(self, did: str, what: str) -> None:
        if not self.quiet:
            tell(f"{did:11}{what}")

    def progress(self, doing: str, noun: str) -> Progress:
        return Progress(doing, noun, shown=not self.quiet and sys.stderr.isatty())


class Progress:
    """One line on the terminal that tells rate and time left; called with (done, total, stats), used as a context.

    Nothing is written in the first second, nor to anything but a terminal, and the line is gone at the end.
    """

    AFTER, EVERY = 1.0, 0.1                         # s

    def __init__(self, doing: str, noun: str, shown: bool):
        self.doing, self.noun, self.shown = doing, noun, shown
        self.began = self.last = time.monotonic()
        self.width = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, total: int, stats: dict | None = None) -> None:
        now = time.monotonic()
        if not self.shown or now - self.began < self.AFTER or now - self.last < self.EVERY:
            return
        self.last = now
        self._write(self.text(done, total, now - self.began))

    def step(self, what: str) -> None:
        """The same line for work whose parts have names instead of numbers."""
        if self.shown and time.monotonic() - self.began > self.AFTER:
            self._write(f"{self.doing:11}{what}")

    def text(self, done: int, total: int, seconds: float) -> str:
        """ "simulating  3 400 of 7 200 ticks   1 820 ticks/s   2.1 s left" """
        rate = done / seconds if seconds > 0 else 0.0
        left = f"   {si((total - done) / rate, 's', 2)} left" if rate else ""
        return f"{self.doing:11}{count(done)} of {count(total, self.noun)}   {count(rate)} {self.noun}/s{left}"

    def __exit__(self, *failure: object) -> None:
        if self.width:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _write(self, text: str) -> None:
        text = encodable(text, sys.stderr)
        sys.stderr.write(f"\r{text:{self.width}}")
        sys.stderr.flush()
        self.width = len(text)
