"""`chipsim sweep`: one network on every combination of some values of a chip's numbers."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace

from chipsim.cli.options import (
    add_chip_options,
    add_input_options,
    add_network_options,
    existing,
    need_input,
    network_from,
    stored_kind,
    writable,
)
from chipsim.cli.output import Talk, show
from chipsim.cli.parser import whole
from chipsim.errors import Diagnostic, UsageError

USAGE = "NETWORK --chip CHIP --grid KEY=V1,V2,... --input FILE [options]"
EXAMPLES = """\
  chipsim sweep net.nir --chip loihi --grid core.neurons=16,32,64 --input test.h5 --samples 0:20
  chipsim sweep net.nir --chip loihi --grid core.neurons=16,64 --grid fabric.cores_per_router=1,4 --input test.h5
  chipsim sweep net.yaml --chip my_chip.yaml --grid "costs.static.power=10 mW,30 mW" --ticks 100 --log a.jsonl --jobs 4
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help=".nir or .yaml")
    parser.add_argument("--grid", metavar="KEY=V1,V2,...", action="append", default=[],
                        help="a number of the chip and its values; with several, every combination")
    add_input_options(parser)
    add_chip_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("simulation and output")
    group.add_argument("--timing", metavar="LEVEL", choices=("none", "analytic", "exact"), default="exact",
                       help="none, analytic, or exact (the default: every packet, every hop)")
    group.add_argument("--seed", metavar="N", type=whole(), default=0, help="of what is drawn at random (default 0)")
    group.add_argument("--jobs", metavar="N", type=whole(1), default=1,
                       help="variants at once, each in a process of its own (default 1)")
    group.add_argument("--log", metavar="FILE", help="append each row as a line of JSON; go on from those there")
    group.add_argument("--format", metavar="F", choices=("text", "json"), default="text", help="text or json")
    group.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def run(args: Namespace) -> int:
    grid = dict(_axis(text) for text in args.grid)
    if not grid:
        raise UsageError(Diagnostic("U433", "which numbers? `--grid` is missing", help="--grid core.neurons=64,128"))
    if not args.chip:
        raise UsageError(Diagnostic("U433", "which chip? `--chip` is missing", help="`chipsim chips` lists what ships"))
    if args.avoid or args.neurons_per_core:
        raise UsageError(Diagnostic("U433", "`--avoid` and `--neurons-per-core` belong to one layout, not to a sweep"))
    need_input(args)
    file = existing(args.network, "network")
    if stored_kind(file) is not None:
        raise UsageError(Diagnostic("U434", f"`{file}` is a stored {stored_kind(file)}",
                                    help="each variant needs a layout of its own: give the network"))
    spikes = existing(args.input, "input") if args.input else None
    log = writable(args.log) if args.log else None

    from chipsim.explore.sweep import sweep
    from chipsim.network import Stimulus

    network, talk = network_from(args, file), Talk(args.quiet)
    stimulus = Stimulus.load(spikes, ticks_per_sample=args.ticks_per_sample) if spikes else None
    with talk.progress("sweeping", "variants") as progress:
        found = sweep(network, args.chip, grid, stimulus, set=args.set, ticks=args.ticks, samples=args.samples,
                      timing=args.timing, approximate=args.approximate, effort=args.effort or "normal", seed=args.seed,
                      log=log, jobs=args.jobs, progress=progress.step)
    show(found.to_json() if args.format == "json" else found.to_text())
    return 3 if all(p.row.why for p in found.points) else 0


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    listed = [value.strip() for value in values.split(",") if value.strip()]
    if not equals or not key.strip() or not listed:
        raise UsageError(Diagnostic("U433", f"`{text}` is no axis of a grid", help="--grid core.neurons=64,128"))
    return key.strip(), listed
