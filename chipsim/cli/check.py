"""`chipsim check`: every error of chip and network files in one pass."""
from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from chipsim.cli.output import Talk, show
from chipsim.errors import ChipsimError, Diagnostic
from chipsim.figures import count

USAGE = "FILE... [--format text|json]"
EXAMPLES = """\
  chipsim check my_chip.yaml
  chipsim check chips/*.yaml net.nir
  chipsim check my_chip.yaml --format json
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="chip files, and networks (.yaml, .nir)")
    parser.add_argument("--format", metavar="F", choices=("text", "json"), default="text",
                        help="text, or json for editors: a list of findings with line, column and width")
    parser.add_argument("--quiet", action="store_true", help="say nothing of files that are right")


def run(args: Namespace) -> int:
    talk, findings = Talk(args.quiet), []
    for name in args.files:
        found = findings_in(Path(name))
        findings += found
        if not any(d.severity == "error" for d in found):
            talk.line("right", name)
    if args.format == "json":
        show(json.dumps([asdict(d) for d in findings], indent=2, ensure_ascii=False))
    elif findings:
        show("\n\n".join(d.render() for d in findings))
    errors = sum(d.severity == "error" for d in findings)
    if errors:
        talk.line("found", f"{count(errors, 'errors')} in {count(len(args.files), 'files')}")
    return 2 if errors else 0


def findings_in(file: Path) -> list[Diagnostic]:
    """All that is wrong with a chip or network file."""
    if not is_network(file):
        from chipsim.chip import check_chip

        found = list(check_chip(file))
        return found if any(d.severity == "error" for d in found) else [*found, *routes_that_deadlock(file)]
    from chipsim.network import load_network

    try:
        load_network(file)
        return []
    except ChipsimError as error:
        return list(error.diagnostics)


def routes_that_deadlock(file: Path) -> list[Diagnostic]:
    """The cycle of links in a chip's routes: an error where they follow a table, a warning for a torus."""
    from dataclasses import replace

    from chipsim.chip import load_chip

    chip = load_chip(file)
    f = chip.fabric
    if f.topology not in ("custom", "torus", "hex_torus") or f.blocked or chip.time_base == "untimed":
        return []
    if f.dateline or f.clock is not None and f.topology == "torus":             # virtual channels cut the rings
        return []
    import numpy as np

    from chipsim.engine.deadlock import cycle_of, cyclic
    from chipsim.engine.topology import plan_fabric

    plan = plan_fabric(chip.fabric, np.arange(chip.n_cores))
    cycle = cycle_of(plan)
    severity = "error" if chip.fabric.topology == "custom" else "warning"
    return [replace(cyclic(plan, cycle, severity), file=str(file))] if cycle else []


def is_network(file: Path) -> bool:
    """A NIR or HDF5 file, or YAML with `populations` at its top level; everything else is meant as a chip."""
    if file.suffix in (".nir", ".h5", ".hdf5"):
        return True
    try:
        return re.search(r"^populations\s*:", file.read_text("utf-8"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError):
        return False
