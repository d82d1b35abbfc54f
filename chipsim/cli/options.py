"""Options that several commands share, and the nouns they load."""
from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chipsim.cli.output import Talk
from chipsim.cli.parser import bound, names, real, span, whole
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import exact, si

if TYPE_CHECKING:
    import numpy as np

    from chipsim.chip.spec import ChipSpec
    from chipsim.compiler.layout import Layout
    from chipsim.engine.run import Run
    from chipsim.network.graph import Network
    from chipsim.report.report import Report
    from chipsim.report.threshold import Threshold

NETWORK_OPTIONS = ("dialect", "dt", "time_unit", "reset", "multispike", "v_min", "integrator")
FORMS = ("text", "json", "csv", "html")
LAYOUT_SUFFIX, RUN_SUFFIX = ".layout.h5", ".run.h5"


def add_chip_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("chip")
    group.add_argument("--chip", metavar="CHIP", help="a name from `chipsim chips`, or a chip file")
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[],
                       help="override one number of the chip, as core.neurons=2048; may be repeated")
    group.add_argument("--approximate", metavar="WHAT,...", type=names, action="extend", default=[],
                       help="what the compiler may replace that the chip does not have: reset ...")
    group.add_argument("--avoid", metavar="FILE", help="dead cores and links, pinned populations; a YAML file")
    group.add_argument("--effort", metavar="E", choices=("fast", "normal", "best"), default=None,
                       help="how long to look for a better mapping: fast, normal (default) or best")
    group.add_argument("--neurons-per-core", metavar="N", type=whole(1), help="put at most N neurons on a core")


def add_mapping_options(parser: ArgumentParser) -> None:
    """What the layout is for; `compile` has them, other commands map as by default."""
    group = parser.add_argument_group("mapping")
    group.add_argument("--objective", metavar="O", choices=("energy", "latency", "cores"),
                       help="energy: few packets; cores: few cores; latency: each population on cores of its own "
                            "(default: latency up to 64 cores, energy beyond)")
    group.add_argument("--partitioner", metavar="P", choices=("chipsim", "mtkahypar"), default=None,
                       help="mtkahypar: also try Mt-KaHyPar's partition, and keep the better (an extra to install)")
    group.add_argument("--profile", metavar="RUN", dest="traffic",
                       help="take the traffic from a stored run of this network")


def add_input_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("input")
    group.add_argument("--input", metavar="FILE", help="spikes: .h5, .npz, .npy or .csv")
    group.add_argument("--ticks-per-sample", metavar="N", type=whole(1), help="cut the input into samples of N ticks")
    group.add_argument("--samples", metavar="A:B", type=span, help="run samples A to B-1 only")
    group.add_argument("--ticks", metavar="N", type=whole(1), help="ticks to run, per sample if there are several")


def need_input(args: Namespace) -> None:
    """UsageError where neither an input nor a number of ticks is given."""
    if not args.input and not args.ticks:
        raise UsageError(Diagnostic("U433", "which input? `--input FILE` is missing",
                                    help="a network that spikes by itself runs with `--ticks N` alone"))


def add_network_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what a NIR file leaves open")
    group.add_argument("--nir-dialect", metavar="NAME", dest="dialect",
                       help="whose steps it means: exact, snntorch, norse, sinabs, rockpool")
    group.add_argument("--dt", metavar="X", type=real, help="seconds per tick")
    group.add_argument("--time-unit", metavar="U", help="unit of the file's time constants: s, ms or us")
    group.add_argument("--reset", metavar="RULE", help="after a spike: zero, value, subtract, or node (as it says)")
    group.add_argument("--integrator", metavar="NAME", help="euler, exponential, rockpool or impulse")
    group.add_argument("--multispike", action=BooleanOptionalAction, default=None,
                       help="a neuron may emit several spikes in a step")
    group.add_argument("--v-min", metavar="X", type=bound, help="potentials stay above X: a number, none, or =-vth")


def add_report_options(parser: Any) -> None:
    """What `run` and `report` share about the report they show."""
    parser.add_argument("--format", metavar="F", choices=FORMS, default="text",
                        help=f"of the report: {', '.join(FORMS)} (default text)")
    parser.add_argument("--costs", metavar="CHIP", help="price it at another chip's costs (a name or a chip file)")
    parser.add_argument("--fail-if", metavar="RULE", action="append", default=[], dest="fail_if",
                        help='exit code 4 if it holds, as "energy.per_inference > 10 uJ"; may repeat')


def thresholds_from(args: Namespace) -> list[Threshold]:
    """Read before the work begins, so that a misspelt rule costs nothing."""
    if not args.fail_if:
        return []
    from chipsim.report.threshold import parse_threshold

    return [parse_threshold(text) for text in args.fail_if]


def existing(path: str, what: str) -> Path:
    """A file to read. Raises UsageError when there is none, naming its neighbours of similar name."""
    file = Path(path)
    if file.is_dir():
        raise UsageError(Diagnostic("U434", f"{what} `{path}` is a folder", help="name a file in it"))
    if not file.exists():
        folder = file.parent
        near = get_close_matches(file.name, [f.name for f in folder.iterdir()], 1) if folder.is_dir() else []
        hint = f"did you mean `{folder / near[0]}`?" if near else ("" if folder.is_dir() else f"no folder `{folder}`")
        raise UsageError(Diagnostic("U434", f"{what} `{path}` does not exist", help=hint))
    return file


def writable(path: str | Path) -> Path:
    """A file to write. Raises UsageError before the work that would be lost, not after it."""
    file = Path(path)
    if file.is_dir() or not file.parent.is_dir():
        why = "is a folder" if file.is_dir() else f"cannot be written: there is no folder `{file.parent}`"
        raise UsageError(Diagnostic("U434", f"output `{path}` {why}"))
    return file


def stem(path: Path) -> str:
    """ "examples/digits.layout.h5" -> "digits" """
    return path.name.removesuffix(LAYOUT_SUFFIX) if path.name.endswith(LAYOUT_SUFFIX) else path.stem


def chip_from(args: Namespace) -> ChipSpec:
    from chipsim.chip import catalogue, load_chip

    if not args.chip:
        shipped = ", ".join(entry.name for entry in catalogue())
        raise UsageError(Diagnostic("U433", "which chip? `--chip` is missing", help=f"chips that ship: {shipped}"))
    return load_chip(args.chip, set=tuple(args.set))


def network_from(args: Namespace, file: Path, talk: Talk | None = None) -> Network:
    """The network in the file; what its NIR leaves open is asked for where there is somebody to talk to."""
    from chipsim.network import load_network
    from chipsim.network.dialect import NOT_SAID

    network = load_network(file, **{k: getattr(args, k) for k in NETWORK_OPTIONS if getattr(args, k) is not None})
    if talk is not None and NOT_SAID in network.notes and not getattr(args, "verbose", False):
        talk.line("note", f"{NOT_SAID}; `--nir-dialect` names another")
    return network


def compiled(args: Namespace, talk: Talk) -> Layout:
    """The layout in `args.network`, or of the network in it."""
    from time import perf_counter

    file = existing(args.network, "network")
    kind = stored_kind(file)
    if kind == "run":
        raise UsageError(Diagnostic("U434", f"`{file}` is a stored run", help=f"`chipsim report {file}` shows it"))
    if kind == "layout":
        return _stored(args, file)
    chip, network = chip_from(args), network_from(args, file, talk)
    from chipsim.compiler import compile

    began = perf_counter()
    with talk.progress("compiling", "passes") as progress:
        layout = compile(network, chip, approximate=args.approximate, neurons_per_core=args.neurons_per_core,
                         seed=args.seed, effort=args.effort or "normal", avoid=args.avoid,
                         objective=getattr(args, "objective", None),
                         partitioner=getattr(args, "partitioner", None) or "chipsim", rates=rates_from(args),
                         progress=progress.step)
    talk.line("compiled", f"{network.name} → {chip.name}   {exact(layout.n_cores)} of {exact(chip.n_cores)} cores   "
                          f"{si(perf_counter() - began, 's')}")
    if args.verbose:
        for note in layout.notes:
            talk.line("note", note)
    return layout


def rates_from(args: Namespace) -> dict[str, np.ndarray] | None:
    """What `--profile` measured, if it is given."""
    if (path := getattr(args, "traffic", None)) is None:
        return None
    from chipsim.compiler.compile import rates_of
    from chipsim.engine.run_file import load_run

    return rates_of(load_run(existing(path, "run")))


def stored_kind(file: Path) -> str | None:
    """"layout" or "run" for files of chipsim's own, whatever their name; None for networks."""
    if file.suffix != ".h5":
        return None
    from chipsim.store import kind_of

    return kind_of(file)


def render(form: str, report: Report, run: Run, costs: ChipSpec | None) -> str:
    from chipsim.report.formats import RENDERERS

    return RENDERERS[form](report, run, costs)


def write(text: str, file: Path) -> None:
    """Write a text file, whole or not at all."""
    from chipsim.files import replacing

    with replacing(file) as temporary:
        temporary.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8")


def _stored(args: Namespace, file: Path) -> Layout:
    given = [f"--{o.replace('_', '-')}" for o in ("chip", "set", "approximate", "avoid", "effort", "neurons_per_core")
             if getattr(args, o)]
    given += [f"--{'nir-dialect' if o == 'dialect' else o.replace('_', '-')}" for o in NETWORK_OPTIONS
              if getattr(args, o) is not None]
    if given:
        raise UsageError(Diagnostic(
            "U433", f"`{file}` is a layout, which is compiled already: {', '.join(given)} cannot change it",
            help="leave the option out, or give the network file"))
    from chipsim.compiler.layout_file import load_layout

    return load_layout(file)
