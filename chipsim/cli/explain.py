"""`chipsim explain`: what a code in square brackets means, and what to do."""
from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module

from chipsim.cli.output import show
from chipsim.cli.parser import closest
from chipsim.errors import Diagnostic, UsageError

USAGE = "[CODE]"
EXAMPLES = """\
  chipsim explain
  chipsim explain E103
  chipsim explain U433
"""

CODES = {
    "U401": "A layout or run file that does not exist.",
    "U402": "The file holds something else than is needed: `run` takes networks and layouts, `report` takes runs.",
    "U403": "The file was written by another chipsim, in a form this one does not read. Update, or make it again.",
    "U404": "The file cannot be read: it is cut off, damaged, or of another format. Make it again.",
    "U410": "Timing levels are none (function and counts), analytic (exact loads, no queues), exact (every packet).",
    "U411": "There are two engines: compiled, and reference, the slow one that defines the meaning.",
    "U412": "Samples can be chosen only from an input.",
    "U413": "A run needs an input, or a number of ticks for a network that spikes by itself.",
    "U414": "A run needs at least one tick.",
    "U415": "Populations, state variables of populations (`conv1.v`) and weights of projections that learn "
            "(`features.w`, `features.w[0:8]`) can be recorded; the latter two after every N ticks.",
    "U416": "The layout was made with a neuron model of your own, which is not registered in this process.",
    "U417": "A readout asks for spikes or states that the run did not record, or in a way that there is not.",
    "U418": "The weights to start from were learnt by another network: projection names or synapses differ, or none of "
            "its projections learns.",
    "U419": "States and weights that are recorded are kept in memory, unless the run is stored: then they are on disk.",
    "U420": "`--approximate` takes what the compiler knows a replacement for: reset, multispike, v_min, current, bias, "
            "synapse, calibration, delays.",
    "U421": "A core holds at least one neuron.",
    "U426": "What a mapping is for: energy (few packets), latency (each population on cores of its own), cores (few).",
    "U424": "Measured rates do not belong to the network: a population is missing or has another size, or a "
            "rate is negative or no number.",
    "U425": "`--explain-core` takes the number of a core that holds neurons.",
    "U431": "There is no such command. `chipsim --help` lists the commands; each has a `--help` of its own.",
    "U432": "The command has no such option, the option's value is of the wrong kind, or an argument is missing. Names "
            "of options are never guessed from their beginning, so that a script means the same with every version.",
    "U433": "The options given do not go together, or one that the work needs is missing. A stored layout, say, holds "
            "its chip and its weights already, so `--chip` cannot change it: compile the network again instead.",
    "U434": "A file named on the command line does not exist, cannot be written, or is of another kind than the "
            "command takes: `run` takes networks (.nir, .yaml) and layouts, `report` takes runs.",
    "U436": "`validate` has no table of that name; without a name it runs all it has.",
    "U437": "There is no neuron model of that name. `chipsim models` lists them.",
    "U438": "`--resume` goes on with a run that was interrupted, only with the same network, chip, input and options.",
    "U439": "Only a run that is stored as it goes can be resumed: by the compiled engine, into a file.",
    "U440": "Several ranks run what function and counts take, with delays of at least one tick and without learning.",
    "U441": "Several ranks meet by MPI, whose Python package mpi4py is not installed here.",
    "U442": "What is asked for takes more memory than there is: a larger machine, or fewer routers, neurons, packets.",
    "U435": "There is no such error code. `chipsim explain` without a code lists all of them.",
}


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", nargs="?", help="as printed: E103; without one, all codes are listed")


def run(args: Namespace) -> int:
    codes = all_codes()
    if not args.code:
        show("\n".join(f"{code}  {_first_sentence(text)}" for code, text in sorted(codes.items())))
        return 0
    code = args.code.upper().strip("[]")
    if code not in codes:
        raise UsageError(Diagnostic("U435", f"there is no error code `{args.code}`",
                                    help=closest(code, codes, "") or "`chipsim explain` lists all codes"))
    from chipsim.report.text import wrapped

    sentences, lines = "", [code]
    for line in [*codes[code].splitlines(), "    "]:
        if not line.startswith("    "):                        # indented lines are examples, and stay as they are
            sentences += f"{line} "
            continue
        lines += [*wrapped([" ".join(sentences.split())], 0), *([line] if line.strip() else [])]
        sentences = ""
    show("\n".join(lines))
    return 0


ROOMS = ("chipsim.chip", "chipsim.network", "chipsim.models", "chipsim.compiler", "chipsim.engine",
         "chipsim.report.report", "chipsim.report.threshold", "chipsim.report.trace", "chipsim.explore.traffic")


def all_codes() -> dict[str, str]:
    """Codes of the command line, and of every room that has a table `CODES`."""
    return CODES | {c: t for room in ROOMS for c, t in getattr(import_module(room), "CODES", {}).items()}


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")
