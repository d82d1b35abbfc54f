"""The report as text: one block per question, headline left, detail right; every number with its unit."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from textwrap import wrap

from chipsim.figures import count, exact, percent, si, significant
from chipsim.report.frame import Frame
from chipsim.report.report import Report
from chipsim.report.sources import UNNAMED
from chipsim.report.timing import Distribution

WIDTH = 100
LABEL, HEADLINE = 11, 20
BAR = 10
UNIT = r"(?<=\d) (?=%|[afpnµmkMGTP]?[JsW]?\b)|(?<=<) (?=\d)"
MOST_OVERRUNS = 3
MOST_ROWS = 8                       # of populations and approximations; the JSON report has all
EIGHTHS = " ▏▎▍▌▋▊▉"


def render(r: Report) -> str:
    """The whole report, at most 100 columns wide, without a final newline."""
    blocks = [
        _block("accuracy", *_accuracy(r)),
        _block("energy", *_energy(r)),
        _block("latency", *_latency(r)),
        _block("traffic", *_traffic(r)),
        _block("activity", *_activity(r)),
        _block("cores", [f"{exact(r.cores)} of {exact(r.cores_available)}"], _utilisation(r)),
        _block("sources", [], wrapped([", ".join(_sources(r))], LABEL)) if r.sources.numbers else [],
        _block("changed", [], wrapped(_changes(r), LABEL)),
        _block("note", [], wrapped(r.notes, LABEL)),
        _block("SOP", [], wrapped([r.sop_definition], LABEL)),
    ]
    return "\n".join([title(r), "", *(line.rstrip() for block in blocks for line in block)])


def summary(r: Report) -> str:
    """A few lines for a prompt."""
    e, energy = r.energy, [si(r.energy.total_J, "J") + ("" if r.energy.static_J is not None else " dynamic")]
    energy += [f"{si(e.per_inference_J, 'J')}/inference"] if e.per_inference_J is not None else []
    energy += [f"{si(e.per_sop_J, 'J')}/SOP"] if e.per_sop_J is not None else []
    lines = [f"Report: {title(r)}", "  energy   " + ", ".join(energy)]
    if r.inference and r.inference.accuracy is not None:
        lines.insert(1, f"  accuracy {percent(r.inference.accuracy)}")
    if r.latency:
        each = [f"{si(r.latency.inference.mean_s, 's')}/inference"] if r.latency.inference else []
        lines.append("  latency  " + ", ".join([*each, f"{si(r.latency.tick.mean_s, 's')}/tick"]))
    return "\n".join([*lines, "  print(report) shows all of it"])


def title(r: Report) -> str:
    """Which network on which chip, and how it was run."""
    chip = r.chip if r.costs == r.chip else f"{r.chip} (priced by {r.costs})"
    parts = [count(r.ticks, "ticks")]
    if r.inference:
        parts = [f"{count(r.inference.samples, 'samples')} × {count(r.inference.ticks_per_sample, 'ticks')}"]
    parts.append(f"timing {r.timing}")
    if r.seed is not None:
        parts.append(f"seed {r.seed}")
    return f"{r.network} → {chip}   {', '.join(parts)}"


def sources_table(r: Report) -> str:
    """Every number of the chip files that the report rests on, dearest first."""
    head = ("number", "value", "share", "known", "source")
    rows = [(n.path, n.value, percent(n.share), n.kind, n.source or n.note) for n in r.sources.numbers]
    return table(head, rows, align="<>><<")


def approximation(a: dict) -> str:
    """One replacement or rounding of the compiler in one line: what, of which kind, by how much."""
    return ": ".join([a["what"], ", ".join(str(a[k]) for k in ("kind", "size") if k in a)]).removesuffix(": ")


def table(head: Iterable[str], rows: Iterable[Iterable[str]], align: str) -> str:
    """Columns two spaces apart; `align` has `<` or `>` per column."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, align, widths, strict=True)).rstrip()
        for line in lines
    )


def bar(share: float) -> str:
    """A share of one as a bar of up to ten characters, in eighths."""
    eighths = max(round(share * BAR * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def wrapped(sentences: Iterable[str], indent: int = LABEL + HEADLINE) -> list[str]:
    """Lines that fit beside `indent` columns; a number is never parted from its unit."""
    lines = (wrap(re.sub(UNIT, "\N{NO-BREAK SPACE}", s), WIDTH - indent, break_long_words=False) for s in sentences)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for wrapped_lines in lines for line in wrapped_lines]


def _block(label: str, headlines: list[str], details: list[str]) -> Iterator[str]:
    indent = HEADLINE if headlines else 0
    for i, (headline, detail) in enumerate(zip_longest(headlines, details, fillvalue="")):
        yield f"{label if i == 0 else '':{LABEL}}{headline:{indent}}{detail}"


def _changes(r: Report) -> list[str]:
    more = len(r.approximations) - MOST_ROWS
    return [*map(approximation, r.approximations[:MOST_ROWS]), *([f"... and {more} more"] if more > 0 else [])]


def _accuracy(r: Report) -> tuple[list[str], list[str]]:
    i = r.inference
    if i is None or i.accuracy is None:
        return [], []
    return [percent(i.accuracy)], [f"{exact(i.correct or 0)} of {count(i.samples, 'samples')} classified right"]


def _energy(r: Report) -> tuple[list[str], list[str]]:
    e = r.energy
    if not e.total_J:
        return ["none"], [f"`{r.costs}` has no price for anything this run did"]
    headlines = [si(e.total_J, "J") + ("" if e.static_J is not None else " dynamic")]
    headlines += [f"{si(e.per_inference_J, 'J')}/inference"] if e.per_inference_J is not None else []
    headlines += [f"{si(e.per_sop_J, 'J')}/SOP"] if e.per_sop_J is not None else []
    headlines += [f"{si(e.mean_power_W, 'W')} mean power"] if e.mean_power_W is not None else []
    headlines += [count(e.n_sops, "SOPs")]
    details = [
        f"{name:10}{si(c.energy_J, 'J'):>9}  {bar(c.share or 0):{BAR}}{percent(c.share):>8}"
        + (f"{si(c.per_sop_J, 'J'):>10}/SOP" if c.per_sop_J is not None else "")
        for name, c in e.by_component.items() if c.energy_J
    ]
    return headlines, details


def _latency(r: Report) -> tuple[list[str], list[str]]:
    t = r.latency
    if t is None:
        return [], []
    headlines, details = [], []
    if t.inference is not None and t.inferences_per_s is not None:
        headlines.append(f"{si(t.inference.mean_s, 's')}/inference")
        details.append(f"{_spread(t.inference)}; {count(t.inferences_per_s)} inferences/s")
    headlines.append(f"{si(t.tick.mean_s, 's')}/{'frame' if t.frame else 'tick'}")
    if t.frame:
        details += wrapped(_frame(t.frame))
    elif t.use:
        u = t.use
        longest = ", ".join(f"tick {exact(o.tick)} by {si(o.late_s, 's')}" for o in u.longest_overruns[:MOST_OVERRUNS])
        more = " ..." if u.overruns > MOST_OVERRUNS else ""
        overruns = f"{count(u.overruns, 'overruns')}: {longest}{more}" if u.overruns else "no overruns"
        details += wrapped([f"busy for {percent(u.share)} of the {si(u.period_s, 's')}: {_spread(u.busy)}",
                            f"fastest tick it could have run {si(u.fastest_tick_s, 's')}; {overruns}"])
    elif t.flow:
        f = t.flow
        details.append(f"{si(f.model_time_s, 's')} of the network's own time, {f.acceleration} times as fast")
        if f.until_acted:
            details += wrapped([f"last spike of a step has acted after: {_spread(f.until_acted)}"])
    else:
        details.append(f"{_spread(t.tick)}; barrier {percent(t.barrier_share)} of all time")
    headlines.append(f"{si(t.total_s, 's')} in all")
    if t.slowest_tick and not t.frame:
        s = t.slowest_tick
        parts = ", ".join(f"{name} {percent(part / s.length_s)}" for name, part in s.parts_s.items() if part)
        details += wrapped([f"slowest tick {exact(s.tick)} set by {s.set_by}" + (f": {parts}" if parts else "")])
    pace = [f"{name} {percent(n / r.ticks)}" for name, n in list(t.set_by.items())[:3] if not t.frame]
    if pace:
        what = "work of ticks" if t.use or t.flow else "ticks"
        details += wrapped([f"{what} set by {', '.join(pace)}" + (" ..." if len(t.set_by) > 3 else "")])
    return headlines, details


def _frame(f: Frame) -> Iterator[str]:
    yield (f"{count(f.frames_per_s, 'frames')}/s: each {count(f.operations, 'operations')} at "
           f"{si(f.operations_per_s, 'op/s')}, multipliers of the chip busy {percent(f.utilisation)} of the time")
    for layer in f.layers[:MOST_ROWS]:
        yield (f"{layer.population} {si(layer.length_s, 's')}, {layer.bits} bits on {count(layer.cores, 'cores')}: "
               f"start {si(layer.fill_s, 's')}, {layer.bound_by} {si(layer.length_s - layer.fill_s, 's')}")
    if len(f.layers) > MOST_ROWS:
        yield f"... and {count(len(f.layers) - MOST_ROWS, 'layers')} more; longest is {f.longest.population}"


def _activity(r: Report) -> tuple[list[str], list[str]]:
    width = max(map(len, r.populations), default=0)
    rows = [
        f"{name:{width}}{count(p.spikes):>9} spikes {count(p.packets):>9} packets {count(p.sops):>9} SOPs"
        + (f" {si(p.energy_J, 'J'):>9}" if p.energy_J is not None else "")
        + (f", {count(p.late_packets, 'packets')} late" if p.late_packets else "")
        + (f", {count(p.lost_packets, 'packets')} lost" if p.lost_packets else "")
        for name, p in r.populations.items()
    ]
    more = [f"... and {len(rows) - MOST_ROWS} populations more"] if len(rows) > MOST_ROWS else []
    return [count(r.activity.spikes, "spikes")], rows[:MOST_ROWS] + more


def _traffic(r: Report) -> tuple[list[str], list[str]]:
    t = r.traffic
    if r.latency and r.latency.frame:
        return ["none"], ["activations move by the schedule, not as packets"]
    if not t.packets:
        return ["none"], ["no packet crossed the mesh"]
    first = [f"mean {significant(t.mean_hops or 0)} hops", f"{percent(t.packets_from_host / t.packets)} from the host"]
    if t.latency:
        first.append(f"p50 {si(t.latency.p50_s, 's')}, p95 {si(t.latency.p95_s, 's')}, p99 {si(t.latency.p99_s, 's')}")
    details = wrapped(["; ".join(first)])
    if t.busiest_link:
        use = t.busiest_link.utilisation
        details.append(f"busiest link {t.busiest_link.name}: {count(t.busiest_link.packets, 'packets')}"
                       + (f", occupied {percent(use)} of the time" if use is not None else ""))
    if t.longest_queue:
        q = t.longest_queue
        mean = f"{significant(q.mean)} on average, " if q.mean is not None else ""
        details.append(f"longest queue behind {q.name}: {mean}at most {q.peak} of {q.slots}")
    if t.blocked:
        b = t.blocked
        what = "delivery" if b.lost == 1 else "deliveries"
        details.append(f"{count(b.lost, what)} lost, {count(b.detours, 'detours')}"
                       + (f"; most dropped at {b.worst}: {b.worst_drops}" if b.worst else ""))
    return [count(t.packets, "packets")], details


def _utilisation(r: Report) -> list[str]:
    """Scarcest resource first: it is what decides how many cores the network needs."""
    limited = [(u.max_share, name) for name, u in r.utilisation.items() if u.max_share is not None]
    used = [f"{name.replace('_', ' ')} {percent(share)}" for share, name in sorted(limited, reverse=True)
            if name != "router_entries"]
    tables = [f"fullest router: {percent(share)} of its entries" for share, name in limited if name == "router_entries"]
    return wrapped([f"fullest core: {', '.join(used)}"] * bool(used) + tables)


def _sources(r: Report) -> Iterator[str]:
    """Named sources first, most numbers first; then what nobody published, with what it weighs."""
    by_source = r.sources.by_source
    unnamed = [kind for kind in UNNAMED if kind in by_source]
    for i, source in enumerate([*(s for s in by_source if s not in UNNAMED), *unnamed]):
        n = by_source[source]
        detail = " number" + "s" * (n != 1) if i == 0 else ""
        if source in unnamed and r.energy.total_J:
            dear = [x for x in r.sources.numbers if x.kind == source and x.share]
            detail += f": {percent(sum(x.share or 0 for x in dear))} of the energy"
            detail += f", most by {_short(dear[0].path)}" if dear else ""
        yield f"{source} ({n}{detail})"
    yield "`--sources` lists them"


def _short(path: str) -> str:
    return path.removeprefix("costs.").removesuffix(".energy").removesuffix(".power")


def _spread(d: Distribution) -> str:
    return f"p50 {si(d.p50_s, 's')}, p99 {si(d.p99_s, 's')}, max {si(d.max_s, 's')}"
