"""`chipsim validate`: published numbers beside the simulated ones."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace

from chipsim.cli.options import writable, write
from chipsim.cli.output import Talk, show
from chipsim.cli.parser import closest
from chipsim.errors import Diagnostic, UsageError

USAGE = "[CHIP ...] [--full] [--format text|json|csv] [-o FILE]"
EXAMPLES = """\
  chipsim validate
  chipsim validate loihi
  chipsim validate loihi --full --format csv -o loihi.csv
"""
MISS = 4


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("chips", metavar="CHIP", nargs="*", help="tables to run (default: all that there are)")
    parser.add_argument("--full", action="store_true", help="also the cases that take long")
    parser.add_argument("--list", action="store_true", help="name the cases and run none")
    parser.add_argument("--format", metavar="F", choices=("text", "json", "csv"), default="text",
                        help="text, json or csv")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the table here instead of to stdout")
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def run(args: Namespace) -> int:
    from chipsim import validation
    from chipsim.validation import render

    known = validation.tables()
    if unknown := [name for name in args.chips if name not in known]:
        raise UsageError(Diagnostic("U436", f"there are no validation cases of `{unknown[0]}`",
                                    help=closest(unknown[0], known, "tables")))
    cases = {name: known[name].CASES for name in args.chips or known}
    if args.list:
        show("\n".join(f"{name:14}{c.name}{'   (full)' if c.full else ''}" for name, some in cases.items()
                       for c in some))
        return 0
    file, talk, results = writable(args.output) if args.output else None, Talk(args.quiet), []
    with talk.progress("validated", "cases") as progress:
        for result in validation.run(cases, full=args.full):
            progress.step(f"{result.table}: {result.case.name}: {result.verdict}")
            results.append(result)
    text = {"text": render.to_text, "json": render.to_json, "csv": render.to_csv}[args.format](results)
    if file:
        write(text, file)
        talk.line("saved", f"{file}")
    else:
        show(text.rstrip("\n"))
    return MISS if any(r.verdict == "miss" for r in results) else 0
