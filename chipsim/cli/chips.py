"""`chipsim chips`: the chips that ship, and the numbers of one."""
from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from chipsim.cli.output import show
from chipsim.errors import Diagnostic, UsageError

USAGE = "[CHIP] [--set KEY=VALUE] [--format text|json]"
EXAMPLES = """\
  chipsim chips
  chipsim chips loihi
  chipsim chips loihi --set core.neurons=2048 --format json
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("chip", metavar="CHIP", nargs="?", help="show every number of this chip, and who says so")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="override one number first")
    parser.add_argument("--format", metavar="F", choices=("text", "json"), default="text", help="text or json")


def run(args: Namespace) -> int:
    if args.chip:
        show(_one(args.chip, tuple(args.set), args.format, args.verbose))
    elif args.set:
        raise UsageError(Diagnostic("U433", "`--set` needs a chip to override", help="chipsim chips CHIP --set ..."))
    else:
        show(_all(args.format))
    return 0


def _all(form: str) -> str:
    from chipsim.chip import catalogue

    entries = catalogue()
    if form == "json":
        return json.dumps([{"name": e.name, "title": e.title, "status": e.status} for e in entries], indent=2)
    from chipsim.report.text import table

    return table(("chip", "status", "what"), ((e.name, e.status, e.title) for e in entries), "<<<")


def _one(name: str, overrides: tuple[str, ...], form: str, notes: bool) -> str:
    from chipsim.chip import load_chip

    chip = load_chip(name, set=overrides)
    if form == "json":
        return json.dumps(chip.to_dict(), indent=2, ensure_ascii=False)
    from chipsim.report.sources import written
    from chipsim.report.text import table, wrapped

    rows = [(path, written(p), p.kind, p.source + (f": {p.note}" if notes and p.note else ""))
            for path, p in chip.provenance.items()]
    known = ", ".join(f"{n} {kind}" for kind, n in chip.kinds().items())
    parts = [f"{chip.title}   ({len(rows)} numbers: {known})"]
    parts += ["\n".join(wrapped([chip.description], 0))] if chip.description else []
    parts.append(table(("number", "value", "known", "source"), rows, "<><<"))
    cites = [f"{key}: {s.cite}" + (f" {s.url}" if s.url else "") for key, s in chip.sources.items()]
    parts += ["sources\n" + "\n".join(f"  {line}" for line in wrapped(cites, 2))] if cites else []
    return "\n\n".join(parts)
