"""`chipsim run`: compile, simulate, report; the run is stored so that it can be reported on again."""
from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from time import perf_counter

import chipsim
from chipsim.cli.options import (
    RUN_SUFFIX,
    add_chip_options,
    add_input_options,
    add_network_options,
    add_report_options,
    compiled,
    existing,
    need_input,
    render,
    stem,
    stored_kind,
    thresholds_from,
    writable,
    write,
)
from chipsim.cli.output import Talk, show, tell
from chipsim.cli.parser import sampled, span, whole
from chipsim.cli.profile import Laps
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import count, exact, percent, si

ALL_TICKS = 2**62
USAGE = "NETWORK|LAYOUT --chip CHIP --input FILE [options]"
EXAMPLES = """\
  chipsim run examples/digits.nir --chip loihi --nir-dialect snntorch --input examples/digits_test.h5 --html digits.html
  chipsim run digits.layout.h5 --input examples/digits_test.h5 --samples 0:10 --format json
  chipsim run examples/digits.nir --chip ideal --nir-dialect snntorch --input examples/digits_test.h5 --no-save
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK|LAYOUT", help=".nir, .yaml, or a compiled .layout.h5")
    add_input_options(parser)
    add_chip_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("simulation")
    group.add_argument("--timing", metavar="LEVEL", choices=("none", "analytic", "exact"), default="exact",
                       help="none, analytic, or exact (the default: every packet, every hop)")
    group.add_argument("--engine", metavar="NAME", choices=("compiled", "reference"), default="compiled",
                       help="compiled (the default), or reference (slow, the definition)")
    group.add_argument("--record", metavar="WHAT,...", type=sampled, default=((), 1),
                       help="outputs (default), populations, all; states a.v, weights p.w; every N: @N")
    group.add_argument("--seed", metavar="N", type=whole(), default=0, help="of what is drawn at random (default 0)")
    group.add_argument("--no-learning", action="store_true", help="plastic synapses keep their weights")
    group.add_argument("--weights", metavar="RUN", help="start from what a stored run has learnt")
    group.add_argument("--threads", metavar="N", type=whole(1), default=1,
                       help="same results with any number (default 1)")
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="FILE", help=f"store the run here (default NETWORK{RUN_SUFFIX})")
    group.add_argument("--no-save", action="store_true", help="do not store the run")
    group.add_argument("--resume", action="store_true", help="go on with the same run where it was interrupted")
    group.add_argument("--checkpoint-every", metavar="N", type=whole(1), default=0,
                       help="so that a crash loses N ticks at most")
    group.add_argument("--html", metavar="FILE", help="write the report as one page for a browser, too")
    group.add_argument("--trace", metavar="FILE", help="write a timeline for ui.perfetto.dev, NAME.pftrace")
    group.add_argument("--trace-ticks", metavar="A:B", type=span, help="of ticks A to B-1")
    add_report_options(group)
    parser.add_argument("--profile", action="store_true", help="where the wall time went, on stderr")
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def run(args: Namespace) -> int:
    for option in ("output", "resume", "checkpoint_every"):
        if args.no_save and getattr(args, option):
            raise UsageError(Diagnostic("U433", f"`--{option.replace('_', '-')}` and `--no-save` exclude each other"))
    if bool(args.trace) != bool(args.trace_ticks):
        raise UsageError(Diagnostic("U433", "`--trace FILE` and `--trace-ticks A:B` need each other"))
    if args.trace and args.timing != "exact":
        raise UsageError(Diagnostic("U433", f"with `--timing {args.timing}` no packet has times to draw"))
    need_input(args)
    laps = Laps()
    network = existing(args.network, "network")
    spikes = existing(args.input, "input") if args.input else None
    learnt = existing(args.weights, "run") if args.weights else None
    page, thresholds = writable(args.html) if args.html else None, thresholds_from(args)
    timeline = writable(args.trace) if args.trace else None
    target = None if args.no_save else writable(args.output or f"{stem(network)}{RUN_SUFFIX}")

    from chipsim.chip import load_chip
    from chipsim.network import Stimulus

    costs = load_chip(args.costs) if args.costs else None
    stimulus = Stimulus.load(spikes, ticks_per_sample=args.ticks_per_sample) if spikes else None
    talk = Talk(args.quiet)
    laps.lap("read input")
    if stimulus is not None and args.samples and (args.samples.stop or 0) > stimulus.n_samples:
        talk.line("note", f"samples {args.samples.start or 0}:{args.samples.stop} are asked for; "
                          f"the input has {exact(stimulus.n_samples)}")
    layout = compiled(args, talk)
    fresh = stored_kind(network) is None
    passes = {p["pass"]: p.get("seconds", 0.0) for p in layout.log}
    laps.lap("load and compile" if fresh else "read layout", passes if fresh else None)

    if timeline is not None and layout.chip.time_base == "untimed":
        raise UsageError(Diagnostic("U433", f"chip `{layout.chip.name}` has no time, so there is no timeline"))
    if timeline is not None and layout.frame is not None:
        raise UsageError(Diagnostic("U433", f"chip `{layout.chip.name}` runs by a schedule: no packets, and every "
                                    "frame is alike", help="`chipsim compile --explain` shows a frame layer by layer"))
    from chipsim.engine import simulate
    from chipsim.engine.run import SYNOPS, A
    from chipsim.engine.run_file import load_run
    from chipsim.report import report
    from chipsim.report.report import check_costs

    if costs is not None:
        check_costs(layout.chip, costs)
    meta = dict(command=shlex.join(["chipsim", "run", *args.argv]), chipsim=chipsim.__version__)
    began = perf_counter()
    with talk.progress("simulating", "ticks") as progress:
        result = simulate(layout, stimulus, ticks=args.ticks, timing=args.timing, engine=args.engine, seed=args.seed,
                          samples=args.samples, threads=args.threads, progress=progress,
                          save=target, resume=args.resume, checkpoint_every=args.checkpoint_every, meta=meta,
                          learning=not args.no_learning, weights=load_run(learnt).weights if learnt else None,
                          record=args.record[0] or (("all",) if page else ("outputs",)),
                          record_every=args.record[1],
                          record_packets=range(args.trace_ticks.start, args.trace_ticks.stop or ALL_TICKS)
                          if timeline else False)
    wall = perf_counter() - began
    laps.lap("simulate", result.meta["seconds"])
    resumed = result.meta["resumed"]
    if args.resume and not resumed:
        talk.line("note", "there was nothing to resume: the run began at tick 0")
    sops = int(result.counts[resumed:, [A[s] for s in SYNOPS]].sum())
    talk.line("simulated", f"{count(result.ticks, 'ticks')}{f', from tick {resumed} on' if resumed else ''}   "
                           f"{si(wall, 's')}   ({count((result.ticks - resumed) / wall)} ticks/s, "
                           f"{si(sops / wall, 'SOP/s')})")
    if target is not None:
        talk.line("saved", f"{target}")
    account = report(result, costs)
    if page is not None:
        write(render("html", account, result, costs), page)
        talk.line("saved", f"{page}")
    if timeline is not None:
        from chipsim.files import replacing
        from chipsim.report.trace import to_trace

        with replacing(timeline) as temporary:
            temporary.write_bytes(to_trace(result))
        talk.line("saved", f"{timeline}")
    show(render(args.format, account, result, costs))
    laps.lap("report")
    if args.profile:
        tell(laps.table())
        if (fabric := result.meta["fabric"])["ticks"]:
            tell(f"fabric: of {count(fabric['ticks'], 'ticks')} with packets "
                 f"{percent(fabric['in_one_pass'] / fabric['ticks'])} in one pass, the others event by event")
    if thresholds:
        from chipsim.report.threshold import check

        check(account, thresholds)
    return 0
