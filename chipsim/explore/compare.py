"""One network on several chips: a row for each, and the reason where there is none.

Every chip gets the same network, input and seed. A chip that the network does not fit, or whose cores cannot compute
it, is a row that says why; so is a run that the engine could not finish.
"""
from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import ChipsimError, ExpressError, FitError, SimulationError
from chipsim.figures import count, exact, percent, si, significant
from chipsim.network import Stimulus
from chipsim.network.graph import Network
from chipsim.report.cost import ratio
from chipsim.report.report import Report, report
from chipsim.report.sources import UNNAMED
from chipsim.report.text import table, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one chip made of the network. Figures a run cannot tell are None, as in the report.

    why             why there are no figures, "" where there are; `code` of the error, and what would `help`
    energy_ratio    energy_J over that of the first chip that has one
    latency_s       per inference, or of the whole run where there are no samples
    set_by          what set the length of most ticks, and of what share of them
    replaced        what the compiler had to replace, kinds of approximation other than rounding
    estimated       numbers that no publication stands behind, of `numbers` that the report rests on
    estimated_share of the energy
    """

    chip: str
    why: str = ""
    code: str = ""
    help: str = ""
    cores: int | None = None
    cores_available: int | None = None
    accuracy: float | None = None
    samples: int | None = None
    energy_J: float | None = None
    energy_per_inference_J: float | None = None
    energy_per_sop_J: float | None = None
    energy_ratio: float | None = None
    latency_s: float | None = None
    tick_s: float | None = None
    inferences_per_s: float | None = None
    set_by: str = ""
    set_by_share: float | None = None
    replaced: tuple[str, ...] = ()
    estimated: int | None = None
    numbers: int | None = None
    estimated_share: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Rows in the order of the chips asked for."""

    network: str
    rows: tuple[Row, ...]

    def to_text(self) -> str:
        """A table of the chips that ran, what was replaced on them, then the chips that did not, and why."""
        head = ("chip", "cores", "accuracy", "energy", "ratio", "per SOP", "latency", "set by", "estimated")
        ran = [r for r in self.rows if not r.why]
        parts = [f"{self.network} on {count(len(self.rows), 'chips')}"]
        parts += [table(head, map(_cells, ran), "<>>>>>><>")] if ran else []
        parts += _beside("replaced by the compiler", {r.chip: r.replaced for r in ran if r.replaced})
        parts += _beside("cannot run it", {r.chip: (f"{r.why} [{r.code}]", *([r.help] if r.help else []))
                                           for r in self.rows if r.why})
        if ran:
            what = "per inference" if any(r.samples for r in ran) else "of the whole run"
            first = next((r for r in ran if r.energy_J), ran[0])
            to = "the first chip" if first is self.rows[0] else f"that of {first.chip}"
            parts.append("\n".join(wrapped([f"energy and latency are {what}; ratio is of energy, to {to}; "
                                            "estimated: numbers that nobody published, their share of the energy"], 0)))
        return "\n\n".join(parts)

    def to_json(self) -> str:
        return json.dumps({"schema_version": SCHEMA_VERSION, "network": self.network,
                           "chips": [asdict(r) for r in self.rows]}, indent=2, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names := [f.name for f in fields(Row)])
        for r in self.rows:
            values = [getattr(r, name) for name in names]
            writer.writerow(["" if v is None else "; ".join(v) if isinstance(v, tuple) else v for v in values])
        return out.getvalue()

    def plot(self) -> Figure:
        """Energy and latency of the chips that have them, on logarithmic axes."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter

        from chipsim.report.plots import COLOURS

        figure = Figure(figsize=(9, 1.2 + 0.45 * len(self.rows)), layout="constrained")
        parts = (("energy", "J", COLOURS["blue"]), ("latency", "s", COLOURS["orange"]))
        for ax, (name, unit, colour) in zip(figure.subplots(1, 2, sharey=True), parts, strict=True):
            values = [_headline(r, name) for r in self.rows]
            bars = ax.barh([r.chip for r in self.rows], [v or 0 for v in values], color=colour)
            ax.bar_label(bars, [si(v, unit) for v in values], padding=3)
            if any(values):
                ax.set_xscale("log")
                ax.margins(x=0.25)
                ax.xaxis.set_major_formatter(EngFormatter(unit, sep=" "))
            ax.set_xlabel(name + (" per inference" if any(r.samples for r in self.rows) else ""))
        figure.axes[0].invert_yaxis()
        figure.suptitle(self.network)
        return figure


def compare(network: Network, chips: Iterable[str | ChipSpec], stimulus: Stimulus | None = None, *,
            ticks: int | None = None, samples: slice | Iterable[int] | None = None, timing: str = "exact",
            approximate: Iterable[str] = (), effort: str = "normal", seed: int = 0, threads: int = 1,
            progress: Callable[[str], None] | None = None) -> Comparison:
    """Compile, simulate and price a network on each chip (names, files or ChipSpecs).

    Options as those of `compile` and `simulate`. Raises ChipError for a chip that does not exist or is described
    wrongly, StimulusError and UsageError for an input that does not belong to the network.
    """
    specs = [load_chip(chip) if isinstance(chip, str) else chip for chip in chips]
    rows: list[Row] = []
    for chip in specs:
        if progress:
            progress(chip.name)
        try:
            layout = compile(network, chip, approximate=approximate, effort=effort, seed=seed)
            run = simulate(layout, stimulus, ticks=ticks, samples=samples, timing=timing, seed=seed, threads=threads)
        except (ExpressError, FitError, SimulationError) as error:
            rows.append(refused(chip, error))
            continue
        first = next((r.energy_J for r in rows if r.energy_J), None)
        rows.append(row_of(report(run), first))
    return Comparison(network.name, tuple(rows))


def refused(chip: ChipSpec, error: ChipsimError) -> Row:
    """The row of a chip that could not run the network: its first reason, and how many more there are."""
    first, more = error.diagnostics[0], len(error.diagnostics) - 1
    return Row(chip=chip.name, why=first.message + (f" (and {more} more, which compile lists)" if more else ""),
               code=first.code, help=first.help, cores_available=chip.n_cores)


def row_of(r: Report, first_J: float | None = None) -> Row:
    """The row of a report; ratios are to `first_J`, or 1."""
    energy, latency, kinds = r.energy.total_J or None, r.latency, r.sources.by_kind
    set_by, ticks = next(iter(latency.set_by.items()), ("", 0)) if latency else ("", 0)
    seconds = None if latency is None else latency.inference.mean_s if latency.inference else latency.total_s
    return Row(
        chip=r.chip, cores=r.cores, cores_available=r.cores_available,
        accuracy=r.inference.accuracy if r.inference else None, samples=r.inference.samples if r.inference else None,
        energy_J=energy, energy_per_inference_J=r.energy.per_inference_J if energy else None,
        energy_per_sop_J=r.energy.per_sop_J if energy else None,
        energy_ratio=None if energy is None else energy / (first_J or energy),
        latency_s=seconds, tick_s=latency.tick.mean_s if latency else None,
        inferences_per_s=latency.inferences_per_s if latency else None,
        set_by=set_by, set_by_share=ratio(ticks, r.ticks) if set_by else None,
        replaced=tuple(f"{a['what']}: {a.get('size', a['kind'])}" for a in r.approximations
                       if a.get("kind") not in ("rounding", "saturation")),
        estimated=sum(kinds.get(kind, 0) for kind in UNNAMED), numbers=sum(kinds.values()),
        estimated_share=r.sources.estimated_share)


def _beside(title: str, said: dict[str, tuple[str, ...]]) -> list[str]:
    """A block under its title: the chip's name in front of all that is said of it, a line or more for each."""
    indent = 4 + max(map(len, said), default=0)
    lines = [f"  {chip if i == 0 else '':{indent - 2}}{line}"
             for chip, sentences in said.items() for i, line in enumerate(wrapped(sentences, indent))]
    return ["\n".join([title, *lines])] if said else []


def _headline(r: Row, name: str) -> float | None:
    if name == "energy":
        return r.energy_per_inference_J if r.samples else r.energy_J
    return r.latency_s


def _cells(r: Row) -> tuple[str, ...]:
    ratio_ = "-" if r.energy_ratio is None else _plain(r.energy_ratio)
    pace = f"{r.set_by} {percent(r.set_by_share)}" if r.set_by else "-"
    share = f", {percent(round(r.estimated_share, 4) or 1e-4)}" if r.estimated_share else ""
    cores = " of ".join(exact(n or 0) for n in (r.cores, r.cores_available))
    return (r.chip, cores, percent(r.accuracy), si(_headline(r, "energy"), "J"), ratio_,
            si(r.energy_per_sop_J, "J"), si(r.latency_s, "s"), pace,
            f"{r.estimated} of {r.numbers}{share}")


def _plain(value: float) -> str:
    """Three digits, without zeros that say nothing, never in exponent form: 1, 0.22, 14 300."""
    text = significant(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
