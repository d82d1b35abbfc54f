"""`chipsim report`: the account of a stored run, without simulating again."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace

from chipsim.cli.options import RUN_SUFFIX, existing, render
from chipsim.cli.output import show
from chipsim.errors import Diagnostic, UsageError

USAGE = "RUN [--costs CHIP] [--format text|json|csv] [--sources]"
EXAMPLES = """\
  chipsim report digits.run.h5
  chipsim report digits.run.h5 --costs loihi-calibrated --format json
  chipsim report digits.run.h5 --sources
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("stored", metavar="RUN", help=f"what `chipsim run` stored, NAME{RUN_SUFFIX}")
    parser.add_argument("--costs", metavar="CHIP", help="price it at another chip's costs (a name or a chip file)")
    parser.add_argument("--format", metavar="F", choices=("text", "json", "csv"), default="text",
                        help="text, json or csv")
    parser.add_argument("--sources", action="store_true", help="every number used, its share of the energy, its source")


def run(args: Namespace) -> int:
    if args.sources and args.format != "text":
        raise UsageError(Diagnostic("U433", "`--sources` is text", help="the JSON report holds all sources anyway"))
    file = existing(args.stored, "run")
    if not file.name.endswith(".h5"):
        raise UsageError(Diagnostic("U434", f"`{file}` is not a stored run", help="`chipsim run` makes one"))
    from chipsim.engine.run_file import load_run
    from chipsim.report import report
    from chipsim.report.text import sources_table

    account = report(load_run(file), args.costs)
    show(sources_table(account) if args.sources else render(account, args.format))
    return 0
