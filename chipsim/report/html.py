"""How the nouns look in a notebook: a caption and small tables, no script, no style sheet of their own."""
from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from chipsim.figures import count, percent, si

if TYPE_CHECKING:
    from chipsim.compiler.layout import Layout
    from chipsim.engine.run import Run
    from chipsim.network.graph import Network
    from chipsim.report.report import Report


def report_html(r: Report) -> str:
    """Headline figures, then a table of components with a bar for each share."""
    from chipsim.report.text import title

    e, facts = r.energy, []
    if r.inference and r.inference.accuracy is not None:
        facts.append(("accuracy", percent(r.inference.accuracy)))
    facts.append(("energy" if e.static_J is not None else "dynamic energy", si(e.total_J, "J")))
    facts += [("per inference", si(e.per_inference_J, "J"))] if e.per_inference_J is not None else []
    facts += [("per SOP", si(e.per_sop_J, "J"))] if e.per_sop_J is not None else []
    if r.latency:
        facts.append(("tick", si(r.latency.tick.mean_s, "s")))
        facts += [("inference", si(r.latency.inference.mean_s, "s"))] if r.latency.inference else []
    rows = [
        (name, si(c.energy_J, "J"), percent(c.share), si(c.per_sop_J, "J"),
         Raw(f'<div style="background:#4c78a8;height:.8em;width:{100 * (c.share or 0):.1f}px"></div>'))
        for name, c in e.by_component.items() if c.energy_J
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in r.notes)
    table = _table(("component", "energy", "share", "per SOP", ""), rows)
    return f"<div><b>{escape(title(r))}</b><p>{_facts(facts)}</p>{table}<ul>{notes}</ul></div>"


def run_html(run: Run) -> str:
    """What ran, for how long, and how many spikes and packets it took."""
    from chipsim.engine.run import A

    totals = run.counts.sum(axis=0)
    facts = [("chip", str(run.chip.get("name", ""))), ("timing", run.timing), ("ticks", count(run.ticks)),
             ("spikes", count(int(totals[A["spike"]]))),
             ("packets", count(int(totals[A["axon_out"]] + totals[A["host_spike"]])))]
    if run.samples:
        facts.append(("samples", count(int(run.samples["count"]))))
    if run.tick_ps.sum():
        facts.append(("chip time", si(int(run.tick_ps.sum()) * 1e-12, "s")))
    return f"<div><b>Run {escape(run.layout_name)}</b><p>{_facts(facts)}</p></div>"


def layout_html(layout: Layout) -> str:
    """Which cores hold what, and how full they are."""
    rows = [(name, count(float(used.max(initial=0))), f"{used.mean() if len(used) else 0:.1f}",
             "no limit" if (limit := layout.limits.get(name)) is None else count(limit))
            for name, used in layout.usage.items()]
    caption = f"Layout of {layout.network} on {layout.chip.name}: {count(layout.n_cores, 'cores')}"
    return f"<div><b>{escape(caption)}</b>{_table(('per core', 'max', 'mean', 'limit'), rows)}</div>"


def network_html(network: Network) -> str:
    """Populations with shape and model, then the projections."""
    populations = [(p.name, " × ".join(map(str, p.shape)), p.model) for p in network.populations.values()]
    projections = [(p.pre, p.post, ", ".join(type(op).__name__ for op in p.ops), p.delay) for p in network.projections]
    return (f"<div><b>Network {escape(network.name)}: {count(network.n_neurons, 'neurons')}</b>"
            + _table(("population", "shape", "model"), populations)
            + _table(("from", "to", "through", "delay"), projections) + "</div>")


class Raw(str):
    """Markup that stands as it is."""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return " · ".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in facts)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    cells = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{c if isinstance(c, Raw) else escape(str(c))}</td>" for c in row) + "</tr>"
                   for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"
