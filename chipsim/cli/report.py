"""`chipsim report`: the account of a stored run, without simulating again."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace

from chipsim.cli.options import (
    RUN_SUFFIX,
    add_report_options,
    existing,
    render,
    thresholds_from,
    writable,
    write,
)
from chipsim.cli.output import show
from chipsim.errors import Diagnostic, UsageError

USAGE = "RUN [--costs CHIP] [--format text|json|csv|html] [-o FILE] [--sources]"
EXAMPLES = """\
  chipsim report digits.run.h5 --format html -o digits.html
  chipsim report digits.run.h5 --costs loihi-calibrated --format json
  chipsim report digits.run.h5 --sources --fail-if "inference.accuracy < 95 %"
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("stored", metavar="RUN", help=f"what `chipsim run` stored, NAME{RUN_SUFFIX}")
    add_report_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report here instead of to stdout")
    parser.add_argument("--sources", action="store_true", help="every number used, its share of the energy, its source")


def run(args: Namespace) -> int:
    if args.sources and args.format != "text":
        raise UsageError(Diagnostic("U433", "`--sources` is text", help="the other forms hold all sources anyway"))
    file = existing(args.stored, "run")
    if not file.name.endswith(".h5"):
        raise UsageError(Diagnostic("U434", f"`{file}` is not a stored run", help="`chipsim run` makes one"))
    target, thresholds = writable(args.output) if args.output else None, thresholds_from(args)
    from chipsim.chip import load_chip
    from chipsim.engine.run_file import load_run
    from chipsim.report import report
    from chipsim.report.text import sources_table

    costs = load_chip(args.costs) if args.costs else None
    run = load_run(file)
    account = report(run, costs)
    text = sources_table(account) if args.sources else render(args.format, account, run, costs)
    if target is None:
        show(text)
    else:
        write(text, target)
    if thresholds:
        from chipsim.report.threshold import check

        check(account, thresholds)
    return 0
