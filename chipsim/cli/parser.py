"""argparse, with errors that name the remedy and help that ends in examples."""
from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

from chipsim.errors import Diagnostic, UsageError

WIDTH = 100


class Parser(argparse.ArgumentParser):
    """Options of one command. `read` gives the arguments, or None once help has been shown."""

    def __init__(self, command: str, what: str, usage: str, examples: str):
        super().__init__(
            prog=f"chipsim {command}", usage=f"chipsim {command} {usage}", description=f"{what[0].upper()}{what[1:]}.",
            epilog=f"examples:\n{examples}", formatter_class=_Help, allow_abbrev=False, add_help=False,
        )
        self.add_argument("-h", "--help", action="store_true", help=argparse.SUPPRESS)
        self._positionals.title = "arguments"
        self.add_argument("-v", "--verbose", action="store_true", help="notes of every step; tracebacks of faults")

    def read(self, argv: Sequence[str]) -> argparse.Namespace | None:
        """Raises UsageError on unknown options, missing arguments, and values of the wrong kind."""
        if "-h" in argv or "--help" in argv:
            print(self.format_help(), end="")
            return None
        args, unknown = _unknown_first(self, argv)
        if unknown:
            raise UsageError(Diagnostic("U432", f"`{self.prog}` takes no argument `{unknown[0]}`", help=self._hint))
        return args

    def error(self, message: str) -> NoReturn:
        raise UsageError(Diagnostic("U432", message.removeprefix("argument "), help=self._hint))

    @property
    def _hint(self) -> str:
        return f"`{self.prog} --help` lists what it takes"


def closest(name: str, known: Iterable[str], what: str) -> str:
    """ "did you mean ..." where something is close, and the list of what there is."""
    known = list(known)
    near = get_close_matches(name, known, 1, 0.6)
    listed = f"{what}: {', '.join(known)}" if what else ""
    return "; ".join(([f"did you mean `{near[0]}`?"] if near else []) + ([listed] if listed else []))


def whole(least: int = 0) -> Callable[[str], int]:
    """A whole number of at least `least`, as the type of an option."""
    def parse(text: str) -> int:
        try:
            value = int(text.replace("_", ""))
        except ValueError:
            raise argparse.ArgumentTypeError(f"`{text}` is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; {least} is the least")
        return value
    return parse


def real(text: str) -> float:
    """A finite number, as the type of an option."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number") from None
    if value - value != 0:
        raise argparse.ArgumentTypeError(f"`{text}` is not finite")
    return value


def bound(text: str) -> float | str:
    """A number, or a word the network importer knows ("none", "-vth")."""
    return text if text in ("none", "-vth") else real(text)


def span(text: str) -> slice:
    """Samples or ticks as "first:last+1" or one number: "0:10", ":10", "3"."""
    first, colon, last = text.partition(":")
    try:
        start = int(first) if first else 0
        stop = (int(last) if last else None) if colon else start + 1
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a range such as 0:10") from None
    if start < 0 or (stop is not None and stop <= start):
        raise argparse.ArgumentTypeError(f"`{text}` holds nothing; write first:last+1, such as 0:10")
    return slice(start, stop)


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def sampled(text: str) -> tuple[tuple[str, ...], int]:
    """A comma-separated list, and the N of `@N` behind it: 1 without."""
    listed, at, every = text.partition("@")
    return names(listed), whole(1)(every) if at else 1


class _Help(argparse.RawDescriptionHelpFormatter):
    """Fixed width, one form of an option (`-o, --output FILE`), same text under every Python."""

    def __init__(self, prog: str):
        super().__init__(prog, width=WIDTH, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return str(action.metavar or action.dest)
        if isinstance(action, argparse.BooleanOptionalAction):
            return f"--[no-]{action.option_strings[0].removeprefix('--')}"
        value = "" if action.nargs == 0 else f" {self._format_args(action, str(action.metavar or action.dest.upper()))}"
        return ", ".join(action.option_strings) + value


def _unknown_first(parser: Parser, argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Unknown options are named before anything else is: a misspelt option would otherwise read as a missing one."""
    known = [o for o in parser._option_string_actions if o.startswith("--")]
    for word in argv:
        option = word.partition("=")[0]
        if word == "--":
            break
        if option.startswith("--") and option not in known:
            hint = closest(option, known, "") or parser._hint
            raise UsageError(Diagnostic("U432", f"`{parser.prog}` has no option `{option}`", help=hint))
    return parser.parse_known_args(argv)
