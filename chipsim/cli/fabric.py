"""`chipsim fabric`: traffic through a chip's fabric alone, without a network on it."""
from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from chipsim.cli.options import existing, writable, write
from chipsim.cli.output import Talk, show, tell
from chipsim.cli.parser import real, whole
from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec
    from chipsim.explore.fabric_curve import FabricLab
    from chipsim.explore.traffic import Packets

USAGE = "CHIP [--traffic PATTERN] [--rate R] [options]"
EXAMPLES = """\
  chipsim fabric spinnaker2 --traffic multicast --fanout 8 --rate 0.005
  chipsim fabric loihi --traffic tornado --curve auto --saturation --plot tornado.png
  chipsim fabric loihi --traffic hotspot --hotspots 27:0.1,36:0.05 --process bursty --rate 0.02 --format json
"""
PATTERNS = ("uniform", "transpose", "bitcomp", "bitrev", "shuffle", "tornado", "neighbor", "permutation", "hotspot",
            "multicast")
PROCESSES = ("steady", "bursty", "ticks")
PICTURES = (".png", ".svg", ".pdf")
MOST_POINTS = 1000


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("chip", metavar="CHIP", help="a name from `chipsim chips`, or a chip file")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[],
                        help="override one number of the chip, as fabric.width=16; may be repeated")
    group = parser.add_argument_group("traffic")
    group.add_argument("--traffic", metavar="PATTERN", choices=PATTERNS, help=f"{', '.join(PATTERNS)}")
    group.add_argument("--rate", metavar="R", type=real, help="flits per node and cycle (default 0.05)")
    group.add_argument("--process", metavar="P", choices=PROCESSES,
                       help="when: steady, bursty (nodes on and off), ticks (all at once)")
    group.add_argument("--burst", metavar="N", type=whole(1), help="cycles of a burst (default 50)")
    group.add_argument("--period", metavar="N", type=whole(1), help="cycles from burst to burst (default 500)")
    group.add_argument("--hotspots", metavar="N:SHARE,...", type=hotspots, help="nodes and their shares of all packets")
    group.add_argument("--fanout", metavar="N", type=whole(1), help="targets of each packet of --traffic multicast")
    group.add_argument("--size", metavar="N", type=whole(1), help="flits of a packet (default: the chip's)")
    group.add_argument("--trace", metavar="FILE", help="replay a CSV file: src, dst, inject_cycle or ready_ps, size")
    group.add_argument("--packets", metavar="N", type=whole(1),
                       help="about so many (default 20 000, at least 100 per node)")
    group.add_argument("--time", metavar="T", help="or for so long, as 20us, or a number of cycles")
    group.add_argument("--seed", metavar="N", type=whole(), default=0, help="of the packets (default 0)")
    group = parser.add_argument_group("several loads")
    group.add_argument("--curve", metavar="A:B:STEP", type=curve, help="latency over load, from A to B; or auto")
    group.add_argument("--saturation", action="store_true", help="search for the largest load sustained")
    group = parser.add_argument_group("output")
    group.add_argument("--format", metavar="F", choices=("text", "json", "csv"), default="text",
                       help="text, json or csv")
    group.add_argument("--plot", metavar="FILE", help="histogram and map of the links, or the curve: .png .svg .pdf")
    group.add_argument("--links", metavar="FILE", help="CSV of every channel: flits, share of time busy")
    group.add_argument("--save-packets", metavar="FILE", help="CSV of every packet with its times; --trace reads it")
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def hotspots(text: str) -> tuple[tuple[int, float], ...]:
    """ "27:0.1,36:0.05" """
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return tuple((int(node), float(share)) for node, share in pairs)
    except ValueError:
        raise ArgumentTypeError(f"`{text}` is not a list of nodes with shares, such as 27:0.1,36:0.05") from None


def curve(text: str) -> list[float]:
    """ "0.02:0.5:0.02" as a list, both ends included; [] for auto."""
    if text == "auto":
        return []
    try:
        first, last, step = map(float, text.split(":"))
        n = int((last - first) / step + 1e-9) + 1
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ArgumentTypeError(f"`{text}` is not a range of loads such as 0.02:0.5:0.02, nor auto") from None
    if not (0 < first <= last and step > 0 and n <= MOST_POINTS):
        raise ArgumentTypeError(f"`{text}` holds {max(n, 0)} loads; write 0 < A <= B and at most {MOST_POINTS} steps")
    return [round(first + i * step, 12) for i in range(n)]


def run(args: Namespace) -> int:
    several = args.curve is not None or args.saturation
    _together(args, several)
    files = {name: writable(file) for name in ("plot", "links", "save_packets") if (file := getattr(args, name))}
    if "plot" in files and files["plot"].suffix not in PICTURES:
        raise UsageError(Diagnostic("U434", f"no picture can be written as `{args.plot}`",
                                    help=f"use {', '.join(PICTURES)}"))
    from chipsim.chip import load_chip
    from chipsim.explore.fabric_curve import FabricLab
    from chipsim.explore.traffic import Traffic
    from chipsim.report import fabric as report

    chip, talk = load_chip(args.chip, set=tuple(args.set)), Talk(args.quiet)
    given = {k: getattr(args, k) for k in ("rate", "process", "size", "hotspots", "burst", "period", "fanout")}
    given["size"] = args.size or chip.fabric.flits
    traffic = Traffic(pattern=args.traffic or "uniform", **{k: v for k, v in given.items() if v is not None})
    lab = FabricLab(chip, traffic, packets=args.packets, seed=args.seed)
    if args.time:
        lab.cycles = cycles(args.time, lab.bench.cycle_ps)
    _warn_of_rings(chip, lab, talk)

    points, found, moved = [], None, None
    if args.saturation:
        found = lab.saturation()
        talk.line("searched", f"{found.runs} runs")
    if args.curve is not None:
        points = lab.curve(args.curve or lab.loads())
    if not several:
        moved = lab.run(_packets(args, lab))
        points = [lab.measure(moved)]
    if "plot" in files:
        report.picture(files["plot"], moved, points, found)
    for name, text in (("links", report.links_csv), ("save_packets", report.packets_csv)):
        if name in files:
            write(text(moved), files[name])
    for file in files.values():
        talk.line("saved", f"{file}")
    head = report.heading(chip, None if args.trace else traffic, args.trace, args.seed)
    if args.format == "json":
        show(report.to_json(head, points, found, args.curve is not None))
    elif args.format == "csv":
        show(report.to_csv(points).rstrip("\n"))
    else:
        show(report.to_text(head, points, found, args.curve is not None))
    return 0


def cycles(text: str, cycle_ps: int) -> int:
    """A time with a unit, or a number of cycles."""
    from chipsim.chip.units import QuantityError, parse_quantity

    try:
        n = int(text) if text.isdigit() else round(parse_quantity(text, "s") * 1e12 / cycle_ps)
    except QuantityError as error:
        raise UsageError(Diagnostic("U432", f"--time: `{text}` {error}", help=error.hint)) from None
    if n < 1:
        raise UsageError(Diagnostic("U432", f"--time: `{text}` is less than one cycle of {cycle_ps} ps"))
    return n


def _packets(args: Namespace, lab: FabricLab) -> Packets:
    from chipsim.explore.trace import load_trace

    packets = load_trace(existing(args.trace, "trace"), lab.nodes, lab.bench.cycle_ps) if args.trace else lab.packets()
    if not len(packets):
        raise UsageError(Diagnostic("F513", f"no packet in {packets.cycles} cycles at this rate",
                                    help="a longer `--time`, or a larger `--rate`"))
    return packets


def _together(args: Namespace, several: bool) -> None:
    made = ("traffic", "rate", "process", "burst", "period", "hotspots", "fanout", "size", "packets", "time")
    clashes = [(args.trace, o, "a trace says all about its packets") for o in (*made, "curve", "saturation")]
    clashes += [(args.packets, "time", "`--packets` and `--time` each say how long")]
    clashes += [(several, o, "there is one per run, and several loads are run") for o in ("links", "save_packets")]
    clashes += [(several, "rate", "the loads are those of the curve and of the search")]
    search_alone = args.saturation and args.curve is None
    clashes += [(search_alone, "plot", "the search alone has no picture: add `--curve auto`")]
    clashes += [(search_alone and args.format == "csv", "saturation", "rows are loads: add `--curve auto`")]
    clashes += [(args.process in (None, "steady"), o, "bursts are those of `--process bursty` or `ticks`")
                for o in ("burst", "period")]
    clashes += [(args.traffic != "hotspot", "hotspots", "they are those of `--traffic hotspot`")]
    clashes += [(args.traffic != "multicast", "fanout", "targets are counted of `--traffic multicast`")]
    for condition, option, why in clashes:
        if condition and getattr(args, option) not in (None, False):
            raise UsageError(Diagnostic("U433", f"`--{option.replace('_', '-')}` does not go with the rest", help=why))
    for pattern, option, example in (("hotspot", "hotspots", "27:0.3,36:0.2"), ("multicast", "fanout", "8")):
        if args.traffic == pattern and getattr(args, option) is None:
            raise UsageError(Diagnostic("U433", f"`--{option}` is missing", help=f"`--traffic {pattern}` needs it, as "
                                        f"`--{option} {example}`"))


def _warn_of_rings(chip: ChipSpec, lab: FabricLab, talk: Talk) -> None:
    """A torus with handshakes has rings, which traffic can fill; the run is allowed, and ends in F501 if it does."""
    from chipsim.engine.deadlock import cycle_of, cyclic

    f = chip.fabric
    if not talk.quiet and f.clock is None and not f.blocked and not f.dateline and f.topology in ("torus", "hex_torus"):
        if found := cycle_of(lab.bench.plan):
            tell(cyclic(lab.bench.plan, found, "warning").render())
