"""The report as one HTML file: no network, no script needed to read it, light and dark, screen, phone and paper.

`views` says what a picture shows, `charts` draws it, `page.html.j2` puts words around it. Every picture has a table
with the same numbers behind it.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import chipsim
from chipsim.chip.spec import ChipSpec
from chipsim.engine.run import Run
from chipsim.figures import count, exact, percent, si, significant
from chipsim.report import charts, views
from chipsim.report.report import Report, report
from chipsim.report.text import approximation, title

MOST_CORES = 48                     # rows of the table of cores; the map shows all of them
MOST_CLASSES = 25                   # of a confusion matrix; beyond, the worst confusions are listed


def to_html(run: Run, account: Report | None = None, costs: ChipSpec | None = None) -> str:
    """A page on a run, as text.

    account  its report, where it has been made already
    costs    the chip whose costs the report was made with; default: the chip of the run
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    account = account or report(run, costs)
    costs = costs or ChipSpec.from_dict(run.chip)
    environment = Environment(loader=PackageLoader("chipsim.report", "."), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters |= dict(si=si, count=count, exact=exact, percent=percent, significant=significant)
    return environment.get_template("page.html.j2").render(**_content(run, account, costs))


def _content(run: Run, r: Report, costs: ChipSpec) -> dict[str, Any]:
    cores, links = views.cores_of(run, costs), views.links_of(run)
    plan, core_maps = charts.core_maps(run, cores)
    link_map = charts.link_map(run, links)
    plans = {plan.key: plan.cells()} | ({link_map[0].key: link_map[0].cells()} if link_map else {})
    layers = views.layer_energy(run, costs)
    return dict(
        r=r, title=title(r), headline=_headline(r), version=chipsim.__version__, meta=run.meta,
        core_maps=core_maps, link_map=link_map and link_map[1], plans=plans,
        usage=sorted(r.utilisation.items(), key=lambda item: (-(item[1].max_share or 0), item[0])),
        core_rows=_core_rows(cores), more_cores=max(0, len(cores.number) - MOST_CORES),
        channels=views.busiest_channels(run), layers=layers, layer_rest=_rest(r, layers),
        tick_chart=charts.tick_chart(run), tick_kinds=charts.tick_kinds(run),
        latency_chart=charts.latency_chart(run), activity_chart=charts.activity_chart(run),
        raster=charts.raster_chart(run), rates_chart=charts.rates_chart(run), part=_part(views.grid_of(run)),
        unrecorded=[p["name"] for p in run.populations if p["name"] not in run.spikes],
        rates=[(p["name"], p["size"], p["spikes"], p["spikes"] / (p["size"] * run.ticks)) for p in run.populations],
        confusion=_confusion(run), changes=[approximation(a) for a in r.approximations], bibliography=_cited(r, costs),
    )


def _part(grid: views.Grid) -> str | None:
    """What of the chip the maps show; None where they show all of it."""
    left, right, bottom, top = grid.window
    return None if grid.is_whole else (f"Columns {left} to {right - 1}, rows {bottom} to {top - 1} of "
                                       f"{grid.columns} × {grid.rows} routers; the rest had nothing to do.")


def _headline(r: Report) -> list[tuple[str, str, str]]:
    """(what, figure, remark) of the numbers one looks for first."""
    e, t, out = r.energy, r.latency, []
    if r.inference and r.inference.accuracy is not None:
        out.append(("accuracy", percent(r.inference.accuracy),
                    f"{exact(r.inference.correct or 0)} of {count(r.inference.samples, 'samples')}"))
    kind = "energy" if e.static_J is not None else "dynamic energy"
    if e.per_inference_J is not None:
        out.append((f"{kind} per inference", si(e.per_inference_J, "J"), f"{si(e.total_J, 'J')} in all"))
    else:
        out.append((kind, si(e.total_J, "J"), "of the whole run"))
    if e.per_sop_J is not None:
        out.append((f"{kind} per SOP", si(e.per_sop_J, "J"), count(e.n_sops, "SOPs")))
    if e.mean_power_W is not None:
        out.append(("mean power", si(e.mean_power_W, "W"), "static power included"))
    if t and t.inference and t.inferences_per_s is not None:
        out.append(("latency per inference", si(t.inference.mean_s, "s"), f"{count(t.inferences_per_s)} inferences/s"))
    if t and t.use:
        out.append(("use of the tick", percent(t.use.share),
                    f"{si(t.use.busy.mean_s, 's')} of {si(t.use.period_s, 's')}, {count(t.use.overruns, 'overruns')}"))
    elif t and t.frame:
        out.append(("frame", si(t.frame.length_s, "s"), f"{count(t.frame.frames_per_s, 'frames')}/s, multipliers busy "
                    f"{percent(t.frame.utilisation)} of the time"))
    elif t:
        out.append(("mean tick", si(t.tick.mean_s, "s"),
                    f"p99 {si(t.tick.p99_s, 's')}, longest {si(t.tick.max_s, 's')}"))
    moved = "none crossed the mesh" if not (t and t.frame) else "none: activations move by a schedule"
    out.append(("packets", count(r.traffic.packets),
                f"mean {significant(r.traffic.mean_hops or 0)} hops" if r.traffic.packets else moved))
    out.append(("cores in use", exact(r.cores), f"of {exact(r.cores_available)}"))
    return out


def _rest(r: Report, layers: list[tuple[str, float, float | None]]) -> float | None:
    """Joules that no layer can be held to account for; None where there are none worth a row."""
    rest = r.energy.total_J - sum(spent + (updates or 0.0) for _, spent, updates in layers)
    return rest if r.energy.total_J and rest > 1e-9 * r.energy.total_J else None


def _core_rows(cores: views.Cores) -> list[dict[str, Any]]:
    """Cores by energy, dearest first."""
    order = np.argsort(-cores.energy_J, kind="stable")[:MOST_CORES]
    return [dict(core=int(cores.number[i]), router=f"({cores.column[i]},{cores.row[i]})", neurons=int(cores.neurons[i]),
                 memory=int(cores.memory[i]), energy=float(cores.energy_J[i]), soma=float(cores.soma_s[i]),
                 synapse=float(cores.synapse_s[i])) for i in order]


def _confusion(run: Run) -> dict[str, Any] | None:
    matrix = views.confusion(run)
    if matrix is None:
        return None
    worst = sorted(((int(matrix[a, b]), int(a), int(b)) for a, b in np.argwhere(matrix) if a != b),
                   key=lambda row: (-row[0], row[1:]))[:10]
    if len(matrix) > MOST_CLASSES:
        return dict(rows=[], worst=worst)
    top = max(int(matrix.max()), 1)
    return dict(worst=worst, rows=[
        [(int(n), "none" if not n else f"c{min(int(9 * n / top), 8)}") for n in row] for row in matrix])


def _cited(r: Report, costs: ChipSpec) -> list[tuple[str, str, str]]:
    """(key, citation, address) of the publications behind the numbers used."""
    return [(key, s.cite, s.url or "") for key, s in costs.sources.items() if key in r.sources.by_source]
