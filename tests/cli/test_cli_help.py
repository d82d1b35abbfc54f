"""Help is one screen, ends in examples, reads as on the page docs/reference/cli.md, and costs no heavy import.

After a deliberate change: `python tests/cli/test_cli_help.py` writes the texts on the page anew.
"""
from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from chipsim import __version__
from chipsim.cli import COMMANDS, main
from chipsim.cli.parser import Parser

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "cli.md"
ON_PAGE = re.compile(r"(?<=```text\n)usage: (chipsim \S+) .*?(?=```)", re.DOTALL)


def help_of(*command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*command, "--help"]) == 0
    return out.getvalue()


@pytest.mark.parametrize("name", ["COMMAND", *COMMANDS])
def test_help_reads_as_on_its_page(name):
    pages = {found[1].split()[1]: found[0] for found in ON_PAGE.finditer(PAGE.read_text("utf-8"))}
    assert pages[name] == (help_of() if name == "COMMAND" else help_of(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_screen_that_ends_in_three_examples(name):
    lines = help_of(name).rstrip().split("\n")
    assert len(lines) <= 60
    assert lines[-4] == "examples:"
    assert all("chipsim " in line for line in lines[-3:])


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_commands_that_parse(name):
    command = import_module(f"chipsim.cli.{name}")
    for line in command.EXAMPLES.strip().split("\n"):
        words = shlex.split(line.partition("|")[0].partition(">")[0])
        assert words[:2] == ["chipsim", name]
        parser = Parser(name, COMMANDS[name], command.USAGE, command.EXAMPLES)
        command.add_options(parser)
        assert parser.read(words[2:]) is not None


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["compile", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(argv):
    code = ("import sys; from chipsim.cli import main; code = main(sys.argv[1:]); "
            "heavy = {'numpy', 'scipy', 'h5py', 'pydantic', 'rich', 'yaml', 'matplotlib'} & set(sys.modules); "
            "sys.exit(f'imported {sorted(heavy)}' if heavy else code)")
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0, done.stderr


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chipsim {__version__}\n"


def test_no_command_shows_help(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out == help_of()


if __name__ == "__main__":
    def anew(found: re.Match) -> str:
        name = found[1].split()[1]
        return help_of() if name == "COMMAND" else help_of(name)

    PAGE.write_text(ON_PAGE.sub(anew, PAGE.read_text("utf-8")), "utf-8")
