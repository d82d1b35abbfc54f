"""`chipsim compare`: one network on several chips, a row for each."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace

from chipsim.cli.options import (
    add_input_options,
    add_network_options,
    existing,
    need_input,
    network_from,
    stored_kind,
    writable,
    write,
)
from chipsim.cli.output import Talk, show
from chipsim.cli.parser import names, whole
from chipsim.errors import Diagnostic, UsageError

USAGE = "NETWORK --chips CHIP,... --input FILE [options]"
EXAMPLES = """\
  chipsim compare examples/digits.nir --chips loihi,ideal --nir-dialect snntorch --input examples/digits_test.h5
  chipsim compare net.yaml --chips loihi,loihi-calibrated,my_chip.yaml --ticks 1000 --format json
  chipsim compare net.nir --chips loihi,ideal --input test.h5 --samples 0:20 --plot chips.svg
"""
PICTURES = (".png", ".svg", ".pdf")
NONE_FITS = 3


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help=".nir or .yaml")
    parser.add_argument("--chips", metavar="CHIP,...", type=names, default=(),
                        help="names from `chipsim chips`, or chip files; energy ratios are to the first")
    add_input_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("mapping and simulation")
    group.add_argument("--approximate", metavar="WHAT,...", type=names, action="extend", default=[],
                       help="what the compiler may replace that a chip does not have: reset ...")
    group.add_argument("--effort", metavar="E", choices=("fast", "normal", "best"), default="normal",
                       help="how long to look for a better mapping: fast, normal (default) or best")
    group.add_argument("--timing", metavar="LEVEL", choices=("none", "analytic", "exact"), default="exact",
                       help="none, analytic, or exact (the default: every packet, every hop)")
    group.add_argument("--seed", metavar="N", type=whole(), default=0, help="of what is drawn at random (default 0)")
    group.add_argument("--threads", metavar="N", type=whole(1), default=1,
                       help="same results with any number (default 1)")
    group = parser.add_argument_group("output")
    group.add_argument("--format", metavar="F", choices=("text", "json", "csv"), default="text",
                       help="text, json or csv")
    group.add_argument("-o", "--output", metavar="FILE", help="write the table here instead of to stdout")
    group.add_argument("--plot", metavar="FILE", help="energy and latency as bars: .png .svg .pdf")
    group.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def run(args: Namespace) -> int:
    if not args.chips:
        from chipsim.chip import catalogue

        raise UsageError(Diagnostic("U433", "which chips? `--chips` is missing",
                                    help=f"chips that ship: {', '.join(entry.name for entry in catalogue())}"))
    need_input(args)
    file = existing(args.network, "network")
    if stored_kind(file) is not None:
        raise UsageError(Diagnostic("U434", f"`{file}` is a stored {stored_kind(file)}",
                                    help="each chip needs a layout of its own: give the network"))
    spikes = existing(args.input, "input") if args.input else None
    target = writable(args.output) if args.output else None
    picture = writable(args.plot) if args.plot else None
    if picture is not None and picture.suffix not in PICTURES:
        raise UsageError(Diagnostic("U434", f"`{picture}` is no picture", help=f"end it in {', '.join(PICTURES)}"))

    from chipsim.explore.compare import compare
    from chipsim.network import Stimulus

    talk = Talk(args.quiet)
    network = network_from(args, file, talk)
    stimulus = Stimulus.load(spikes, ticks_per_sample=args.ticks_per_sample) if spikes else None
    with talk.progress("comparing", "chips") as progress:
        found = compare(network, args.chips, stimulus, ticks=args.ticks, samples=args.samples, timing=args.timing,
                        approximate=args.approximate, effort=args.effort, seed=args.seed, threads=args.threads,
                        progress=progress.step)
    text = {"text": found.to_text, "json": found.to_json, "csv": found.to_csv}[args.format]()
    if picture is not None:
        from chipsim.files import replacing

        with replacing(picture) as temporary:
            found.plot().savefig(temporary, format=picture.suffix[1:], dpi=120)
        talk.line("saved", f"{picture}")
    if target is not None:
        write(text, target)
        talk.line("saved", f"{target}")
    else:
        show(text.rstrip("\n"))
    return NONE_FITS if all(r.why for r in found.rows) else 0
