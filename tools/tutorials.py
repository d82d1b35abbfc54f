"""Run the commands a page of documentation shows, and compare what they print with what the page says they print.

    python tools/tutorials.py docs/tutorials/first-run.md            # check; exit code 1 when something differs
    python tools/tutorials.py docs/tutorials/first-run.md --write    # put the real output into the page

A block fenced as `console` is a terminal session: `$ ` begins a command, `> ` continues it, other lines are its
output, errors and all. A block fenced as `python` is run as a script, and a `text` block right behind it is what that
prints. In a line of output `...` stands for anything, wall time for example; alone on a line it stands for any lines.
Commands run in one folder, in the order of the page; the last command of a line must succeed.
"""
from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*\n(?:> .*\n|>\n)*)((?:(?!\$ ).*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One command of a page; `shown` is text[start:stop], the output that the page shows for it."""

    line: int
    arguments: list[str]
    shown: str
    start: int
    stop: int

    @property
    def has_output_block(self) -> bool:
        """Whether the page has a place for output: a session always, a script only with a `text` block behind it."""
        return self.start >= 0


def steps(text: str) -> list[Step]:
    """The commands of a page, in order."""
    found = []
    for fence in FENCE.finditer(text):
        kind, body, output = fence.groups()
        if kind == "python":
            found.append(Step(text.count("\n", 0, fence.start()) + 1, [sys.executable, "-c", body], output or "",
                              *(fence.span(3) if output is not None else (-1, -1))))
            continue
        for command in COMMAND.finditer(body):
            source = re.sub(r"^> ?", "", command[1], flags=re.MULTILINE)
            start, stop = (fence.start(2) + at for at in command.span(2))
            line = text.count("\n", 0, fence.start(2) + command.start()) + 1
            found.append(Step(line, ["bash", "-c", source], command[2], start, stop))
    return found


def run(step: Step, folder: Path) -> tuple[str, int]:
    """What a step prints, as a terminal shows it, and its exit code. `chipsim` is that of this source tree."""
    result = subprocess.run(step.arguments, cwd=folder, env=environment(folder), text=True, encoding="utf-8",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines()), result.returncode


def prepare(folder: Path) -> None:
    """Make `folder` a place to run a page in: `examples/` is there, and so are the commands `chipsim` and `python`."""
    (folder / "examples").symlink_to(ROOT / "examples")
    commands = folder / ".bin"
    commands.mkdir()
    for name, call in (("chipsim", [sys.executable, "-m", "chipsim"]), ("python", [sys.executable])):
        (commands / name).write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    """A terminal of 100 columns without colour."""
    keep = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "PYTHONSAFEPATH")}
    return keep | {"PATH": f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
                   "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", "COLUMNS": "100", "TERM": "dumb"}


def agrees(shown: str, printed: str) -> bool:
    """Whether output is as shown, but for what `...` leaves open."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def refreshed(shown: str, printed: str) -> str:
    """The printed output, with those lines of the shown one that leave something open and still hold.

    What was left out by a `...` on a line of its own is put in; leave it out again by hand.
    """
    patterns = [line for line in shown.splitlines() if "..." in line and line.strip() != "..."]
    return "".join(next((p for p in patterns if agrees(p, line + "\n")), line) + "\n" for line in printed.splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(description="Check (or write) the output that pages show for their commands.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put the real output into the pages")
    args = parser.parse_args()
    wrong = 0
    for page in args.pages:
        text = page.read_text(encoding="utf-8")
        edits = []
        with tempfile.TemporaryDirectory() as name:
            prepare(Path(name))
            for step in steps(text):
                printed, code = run(step, Path(name))
                if code or (step.has_output_block and not agrees(step.shown, printed)):
                    wrong += 1
                    print(f"{page}:{step.line}: exit code {code}\n--- shown\n{step.shown}--- printed\n{printed}")
                    if step.has_output_block and not code:
                        edits.append((step.start, step.stop, refreshed(step.shown, printed)))
        if args.write:
            for start, stop, output in reversed(edits):
                text = text[:start] + output + text[stop:]
            page.write_text(text, encoding="utf-8")
    return int(wrong > 0 and not args.write)


if __name__ == "__main__":
    sys.exit(main())
