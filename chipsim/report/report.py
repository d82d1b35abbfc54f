"""report(run): the account of a run, as one immutable tree whose fields are the keys of its JSON.

Field names end in the SI unit of their value (energy_J, latency_s). What a run cannot tell is None, never 0.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.chip.units import format_quantity
from chipsim.engine.run import SYNOPS, A, Run
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import percent, si
from chipsim.report.cost import SOP_DEFINITION, Energy, mean_joules, price, ratio
from chipsim.report.neurobench import NeuroBench, neurobench_of
from chipsim.report.sources import Sources, sources_of
from chipsim.report.timing import PS, Latency, latency_of, total_time
from chipsim.report.traffic import Traffic, traffic_of

SCHEMA_VERSION = 1
CODES = {
    "R504": "Costs of another chip price what a run counted: spikes, packets, synaptic operations, time. Between chips "
            "of different time bases (barrier, fixed tick, continuous, static schedule) these are not the same things, "
            "and the result would be the cost of no machine. `chipsim compare` maps and runs the network on each.",
}
DOUBTFUL = 0.5                     # share of the energy from which on estimates are warned of


@dataclass(frozen=True)
class Inference:
    """What came out, over samples. `accuracy` and `correct` are None without labels."""

    samples: int
    ticks_per_sample: int
    correct: int | None
    accuracy: float | None


@dataclass(frozen=True)
class Activity:
    """Spikes of the network's neurons and events on its input lines, over the run."""

    spikes: int
    input_events: int
    sops_per_inference: float | None
    sops_per_tick: float | None


@dataclass(frozen=True)
class PopulationActivity:
    """What one population did and set off.

    energy_J      joules of that; None where the run did not count its actions
    late_packets  of its packets, those that a fixed tick ended before, and that acted later; lost_packets: never
    """

    neurons: int
    spikes: int
    packets: int
    sops: int
    energy_J: float | None
    late_packets: int = 0
    lost_packets: int = 0


@dataclass(frozen=True)
class Usage:
    """One resource over the cores in use; `limit` None: the chip has no limit."""

    max: int
    mean: float
    limit: int | None
    max_share: float | None


@dataclass(frozen=True)
class Report:
    """What a run cost, and where each number came from. See docs/reference/report-json.md."""

    schema_version: int
    network: str
    chip: str
    costs: str
    timing: str
    ticks: int
    seed: int | None
    cores: int
    cores_available: int
    inference: Inference | None
    energy: Energy
    latency: Latency | None
    activity: Activity
    traffic: Traffic
    utilisation: dict[str, Usage]
    populations: dict[str, PopulationActivity]
    neurobench: NeuroBench | None
    sources: Sources
    approximations: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    sop_definition: str = SOP_DEFINITION

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON's types; `schema_version` rises when a key changes its meaning or goes."""
        return plain(asdict(self))

    def __str__(self) -> str:
        from chipsim.report.text import render

        return render(self)

    def __repr__(self) -> str:
        from chipsim.report.text import summary

        return summary(self)

    def _repr_html_(self) -> str:
        from chipsim.report.html import report_html

        return report_html(self)


def report(run: Run, costs: str | ChipSpec | None = None) -> Report:
    """Price a run.

    costs  another chip (name, path or ChipSpec) whose costs price the run's counts; times stay as simulated. None: the
           chip the run was simulated on.
    Raises ChipError when `costs` names no chip, or one whose description is wrong, UsageError for costs of a chip that
    keeps time in another way.
    """
    simulated = ChipSpec.from_dict(run.chip)
    if isinstance(costs, str):
        from chipsim.chip import load_chip

        costs = load_chip(costs)
    priced_by = costs or simulated
    check_costs(simulated, priced_by)
    n_samples = int(run.samples["count"]) if run.samples else 0
    time_s = total_time(run)
    levels = len(run.low_counts) > 0
    energy = price(run.counts, priced_by, time_s, n_samples, run.low_counts if levels else None,
                   int(run.high_ps.sum()) * PS if levels else None)
    sources = sources_of(energy, priced_by, simulated, time_s is not None)
    return Report(
        schema_version=SCHEMA_VERSION,
        network=run.layout_name, chip=simulated.name, costs=priced_by.name,
        timing=run.timing, ticks=run.ticks, seed=run.meta.get("seed"),
        cores=len(run.cores), cores_available=simulated.n_cores,
        inference=_inference(run),
        energy=energy,
        latency=latency_of(run, simulated.n_cores),
        activity=_activity(run, energy.n_sops, n_samples),
        traffic=traffic_of(run, simulated.fabric.flits),
        utilisation=_utilisation(run),
        populations=_populations(run, priced_by),
        neurobench=neurobench_of(run),
        sources=sources,
        approximations=tuple(dict(a) for a in run.approximations),
        notes=(*_notes(run, simulated, priced_by), *_levels(run, simulated), *_doubts(sources, priced_by)),
    )


def check_costs(simulated: ChipSpec, priced_by: ChipSpec) -> None:
    """UsageError R504 where counts of the one chip are not what the other has costs for."""
    if "untimed" not in (a := simulated.time_base, b := priced_by.time_base) and a != b:
        raise UsageError(Diagnostic(
            "R504", f"costs of `{priced_by.name}` (time base {b}) cannot price a run on `{simulated.name}` ({a})",
            help=f"`chipsim compare NETWORK --chips {simulated.name},{priced_by.name}` runs the network on both"))


def _inference(run: Run) -> Inference | None:
    if not run.samples:
        return None
    n, labels, predicted = int(run.samples["count"]), run.samples.get("labels"), run.samples.get("predicted")
    correct = None
    if labels is not None and predicted is not None:
        correct = int(np.sum(np.asarray(labels) == np.asarray(predicted)))
    return Inference(n, int(run.samples["ticks"]), correct, None if correct is None else correct / n)


def _activity(run: Run, n_sops: int, n_samples: int) -> Activity:
    spikes = int(run.counts[:, A["spike"]].sum())
    return Activity(spikes, int(run.source_spikes.sum()) - spikes, ratio(n_sops, n_samples), ratio(n_sops, run.ticks))


def _utilisation(run: Run) -> dict[str, Usage]:
    out = {}
    for resource, used in run.usage.items():
        limit, most = run.limits.get(resource), int(np.max(used, initial=0))
        out[resource] = Usage(most, float(np.mean(used)) if len(used) else 0.0, limit, ratio(most, limit))
    return out


def _populations(run: Run, chip: ChipSpec) -> dict[str, PopulationActivity]:
    each = mean_joules(run, chip)
    return {
        p["name"]: PopulationActivity(
            p["size"], p["spikes"], p["packets"], p["synops"],
            sum(n * each.get(action, 0.0) for action, n in p["counts"].items()) if "counts" in p else None,
            p.get("late_packets", 0), p.get("lost_packets", 0))
        for p in run.populations
    }


def _notes(run: Run, simulated: ChipSpec, priced_by: ChipSpec) -> Iterator[str]:
    if priced_by is not simulated:
        yield f"energies are priced by `{priced_by.name}`; times stay as simulated on `{simulated.name}`"
    if simulated.time_base == "untimed":
        yield f"chip `{simulated.name}` has no time, so there is no latency and no static energy"
    elif run.timing != "exact" and simulated.continuous is not None:
        yield f"timing `{run.timing}` in continuous time: every spike is taken to act one step later"
    elif run.timing == "none" and simulated.tick is not None:
        yield "simulated with timing `none`: every tick is taken to last its period"
    elif run.timing == "none":
        yield "simulated with timing `none`: no latency, and static energy is not in the total"
    elif run.timing == "analytic" and simulated.schedule is None:
        yield "timing `analytic`: ticks are as long as their busiest core or link; waiting for each other is left out"


def _levels(run: Run, chip: ChipSpec) -> Iterator[str]:
    """How cores used their operating points."""
    dvfs, sops = chip.core.dvfs, [A[s] for s in SYNOPS]
    if dvfs is None:
        return
    low, every = int(run.low_counts[:, sops].sum()), int(run.counts[:, sops].sum())
    clocks = [format_quantity(p.clock, "Hz") for p in (dvfs.low, dvfs.high)]
    yield (f"operating points: {percent(low / every) if every else 'none'} of the synaptic operations at {clocks[0]}; "
           f"cores worked at {clocks[1]} for {si(int(run.high_ps.sum()) * PS, 's')}, all together")


def _doubts(sources: Sources, priced_by: ChipSpec) -> Iterator[str]:
    """A warning where most of the energy rests on numbers that nobody published."""
    share = round(sources.estimated_share or 0.0, 4)
    if share > DOUBTFUL:
        yield (f"{percent(share)} of the energy rests on numbers of `{priced_by.name}` that nobody "
               "published: an estimate, not a prediction")


def plain(value: Any) -> Any:
    """JSON's own types: NumPy scalars and arrays, tuples and mappings by value."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
