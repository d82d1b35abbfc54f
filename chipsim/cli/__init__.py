"""The command line: `chipsim COMMAND ...`, one file per command.

A command is a module with `add_options(parser)` and `run(args) -> int`; it is imported only when it is called, and
imports what is heavy only inside `run`. Data goes to stdout, talk to stderr. Exit codes: see chipsim/errors.py.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from chipsim.cli.parser import Parser, closest
from chipsim.errors import ChipsimError, Diagnostic, UsageError

COMMANDS = {
    "run": "compile a network (or take a layout), simulate it, and report what it cost",
    "compile": "map a network onto a chip, and show how full the cores are",
    "report": "account of a stored run, also at another chip's costs",
    "check": "find every error in chip and network files",
    "fabric": "offer traffic to a chip's fabric alone: latency, throughput, links, saturation",
    "compare": "one network on several chips: cores, energy, latency, accuracy, why not",
    "sweep": "one network on every combination of some values of a chip's numbers",
    "validate": "published numbers beside the simulated ones",
    "chips": "list the chips that ship, or every number of one with its source",
    "models": "list the neuron models, or the parameters of one",
    "schema": "JSON Schema of chip files, for editors",
    "explain": "what an error code means and what to do",
    "completion": "script that completes commands and options in bash or zsh",
}

EPILOG = """\
exit codes:
  0 ok · 1 failure inside · 2 wrong usage or input · 3 does not fit the chip
  4 a `--fail-if` rule holds, a validation misses · 130 interrupted

examples:
  chipsim run examples/digits.nir --chip loihi --nir-dialect snntorch --input examples/digits_test.h5 --samples 0:10
  chipsim report digits.run.h5 --costs loihi-calibrated
  chipsim chips loihi
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code, never a traceback unless `-v` asks for it."""
    argv = list(sys.argv[1:] if argv is None else argv)
    from chipsim.cli.output import tell

    try:
        code = _command(argv)
        sys.stdout.flush()
        return code
    except ChipsimError as error:
        tell(str(error))
        return error.exit_code
    except KeyboardInterrupt as where:
        tell(f"interrupted {where}".rstrip())
        return 130
    except BrokenPipeError:                        # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "-v" in argv or "--verbose" in argv:
            import traceback

            traceback.print_exc()
        elif isinstance(error, MemoryError):
            tell(Diagnostic("U442", f"more memory is needed than there is: {error}".rstrip(": "),
                            help="a larger machine, or fewer routers, neurons, packets; `-v` shows where").render())
        else:
            tell(f"error: {type(error).__name__}: {error}\n   = help: this is a fault of chipsim; `-v` shows where")
        return 1


def _command(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_help(), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        from chipsim import __version__

        print(f"chipsim {__version__}")
        return 0
    name, *rest = argv
    if name not in COMMANDS:
        after = next((word for word in rest if word in COMMANDS), "COMMAND") if name.startswith("-") else ""
        raise UsageError(Diagnostic("U431", f"there is no command `{name}`", help=f"options come after the command: "
                                    f"chipsim {after} {name}" if after else closest(name, COMMANDS, "commands")))
    command = import_module(f"chipsim.cli.{name}")
    parser = Parser(name, COMMANDS[name], command.USAGE, command.EXAMPLES)
    command.add_options(parser)
    args = parser.read(rest)
    if args is None:
        return 0
    args.argv = rest
    return command.run(args)


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    commands = "".join(f"  {name:{width}}{what}\n" for name, what in COMMANDS.items())
    return (
        "usage: chipsim COMMAND ... [-h] [--version]\n\n"
        "Compile networks for neuromorphic chips, simulate them spike by spike, and account for energy and time.\n\n"
        f"commands (`chipsim COMMAND --help` says more):\n{commands}\n{EPILOG}"
    )
