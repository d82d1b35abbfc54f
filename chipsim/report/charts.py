"""The pictures of the HTML report, one function each: from arrays of `views` to an SVG chart with its words."""
from __future__ import annotations

from html import escape

import numpy as np

from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import SYNOPS, Run
from chipsim.engine.stats import percentile_ps
from chipsim.figures import count, exact, percent, si, significant
from chipsim.report import views
from chipsim.report.maps import MOST_TOLD, Plan, core_plan, link_plan, plan_map
from chipsim.report.names import set_by
from chipsim.report.svg import RIGHT, TOP, WIDTH, Chart, picture
from chipsim.report.timing import PS

MOST_STRIPS = 16                                   # populations whose rates are drawn; the table has all
RASTER_ROWS = 150                                  # of a raster, shared out among its populations
SETTERS = ("barrier", *LIMITS[1:])                 # what sets a tick, by kind; also the names of their classes


def tick_chart(run: Run) -> str | None:
    """Length of ticks: mean and longest per bin, coloured by what set most of them."""
    s = views.tick_series(run)
    if s is None:
        return None
    chart = Chart("Length of ticks over the run", (0, run.ticks), (0, float(s.max_s.max()) * 1.05),
                  x_label="tick (bars: longest; line: mean)", y_unit="s")
    names = {int(code): set_by(run, int(code)) for code in np.unique(s.limit)}
    tips = (f"{span(a, b)}: longest {si(m, 's')}, mean {si(mean, 's')}, set by {names[int(code)]}"
            for a, b, m, mean, code in zip(s.first, s.first[1:], s.max_s, s.mean_s, s.limit, strict=False))
    chart.bars(s.first, s.max_s, [f"by-{SETTERS[k]}" for k in s.kind], tips)
    if len(s.mean_s) > 1:
        chart.line((s.first[:-1] + s.first[1:]) / 2, s.mean_s, "mean")
    return chart.svg()


def tick_kinds(run: Run) -> list[str]:
    """Kinds of limits that occur in the chart, for its legend."""
    s = views.tick_series(run)
    return [] if s is None else [SETTERS[k] for k in np.unique(s.kind)]


def latency_chart(run: Run) -> str | None:
    """Packets by latency, with the percentiles that the report quotes."""
    bins = views.latency_bins(run)
    if bins is None:
        return None
    e, n = bins.edges_s, bins.packets
    chart = Chart("Packets by latency", (float(e[0]) / 1.2, float(e[-1]) * 1.2), (0, float(n.max()) * 1.3),
                  x_label="packet latency, from made to accepted", x_unit="s", log_x=True)
    total = n.sum()
    chart.bars(e, n, "bar", (f"{si(a, 's')} to {si(b, 's')}: {count(int(k), 'packets')}, {percent(k / total)}"
                             for a, b, k in zip(e, e[1:], n, strict=False)))
    at = {q: percentile_ps(run.latency, q) * PS for q in (50, 95, 99)}
    for row, value in enumerate(sorted(set(at.values()))):
        chart.mark(value, row, f"{' '.join(f'p{q}' for q in at if at[q] == value)} {si(value, 's')}", "percentile")
    return chart.svg()


def activity_chart(run: Run) -> str | None:
    """Spikes of neurons per tick over the run."""
    first, spikes = views.per_tick(run, ("spike",))
    _, sops = views.per_tick(run, SYNOPS)
    if not len(spikes):
        return None
    chart = Chart("Spikes per tick over the run", (0, run.ticks), (0, float(spikes.max()) * 1.05 or 1), x_label="tick")
    chart.bars(first, spikes, "bar", (
        f"{span(a, b)}: {significant_count(k)} spikes and {significant_count(s)} SOPs per tick"
        for a, b, k, s in zip(first, first[1:], spikes, sops, strict=False)))
    return chart.svg()


def raster_chart(run: Run) -> tuple[str, str] | None:
    """(picture, caption) of the first recorded ticks; neurons that share a row share its dots."""
    r = views.raster(run)
    if r is None:
        return None
    sizes = np.array([size for size, _, _ in r.spikes.values()])
    rows = np.maximum(np.minimum(sizes, RASTER_ROWS * np.sqrt(sizes) / np.sqrt(sizes).sum()).astype(int), 4)
    rows = np.minimum(rows, sizes)
    left, gap, tall = 8, 22, 1.6
    step = (WIDTH - left - RIGHT) / (r.stop - r.first)
    between = range(int(run.samples["ticks"]), r.stop, int(run.samples["ticks"])) if run.samples else ()
    y, parts = float(TOP), []
    for (name, (size, tick, index)), n in zip(r.spikes.items(), rows, strict=True):
        parts.append(f'<text x="{left}" y="{y + 11:.0f}">{escape(name)}: {count(size, "units")}</text>')
        y += gap - 6
        block = max(n * tall, 14.0)
        dots = np.unique(tick * n + index * n // size) if len(tick) else np.zeros(0, np.int64)
        t, row = np.divmod(dots, n)
        each = block / n
        d = "".join(f"M{left + a * step:.1f} {y + b * each + each / 2:.1f}h{max(step * 0.8, 0.8):.1f}"
                    for a, b in zip(t.tolist(), row.tolist(), strict=True))
        parts.append(f'<rect class="field" x="{left}" y="{y:.1f}" width="{WIDTH - left - RIGHT}" height="{block:.1f}"/>'
                     f'<path class="dots" stroke-width="{max(each * 0.8, 0.8):.2f}" d="{d}"/>')
        lines = "".join(f"M{left + t * step:.1f} {y:.1f}v{block:.1f}" for t in between)
        parts.append(f'<path class="boundary" d="{lines}"/>' if lines else "")
        y += block + 6
    parts.append(f'<text x="{left}" y="{y + 12:.0f}">tick {exact(r.first)}</text>'
                 f'<text x="{WIDTH - RIGHT}" y="{y + 12:.0f}" text-anchor="end">tick {exact(r.stop - 1)}</text>')
    caption = f"Ticks 0 to {exact(r.stop - 1)} of {exact(run.ticks)}"
    caption += "; lines part the samples" if run.samples and r.stop > int(run.samples["ticks"]) else ""
    return picture(f"Raster of spikes, {caption.lower()}", WIDTH, y + 18, "".join(parts)), caption


def rates_chart(run: Run) -> str | None:
    """Spikes per unit and tick over the run, a strip of bars for each recorded population on a scale of its own."""
    found = views.rates(run)
    if found is None:
        return None
    first, rates = found
    left, tall, gap = 8, 34, 20
    x = left + first / run.ticks * (WIDTH - left - RIGHT)
    y, parts = float(TOP), []
    for name, rate in list(rates.items())[:MOST_STRIPS]:
        top = float(rate.max(initial=0))
        base, high = y + gap - 6 + tall, tall * rate / (top or 1)
        bars = "".join(f"M{a:.1f} {base:.1f}v{-h:.1f}h{max(b - a, 0.6):.1f}v{h:.1f}z"
                       for a, b, h in zip(x, x[1:], high, strict=False) if h)
        words = f"{name}: at most {significant(top)} per unit and tick" if top else f"{name}: silent"
        parts.append(f'<text x="{left}" y="{y + 9:.0f}">{escape(words)}</text>'
                     f'<rect class="field" x="{left}" y="{y + gap - 6:.1f}" width="{WIDTH - left - RIGHT}" '
                     f'height="{tall}"/><path class="bar" d="{bars}"/>')
        y += tall + gap + 2
    parts.append(f'<text x="{left}" y="{y + 9:.0f}">tick 0</text>'
                 f'<text x="{WIDTH - RIGHT}" y="{y + 9:.0f}" text-anchor="end">tick {exact(run.ticks - 1)}</text>')
    return picture("Rates of recorded populations over the run", WIDTH, y + 16, "".join(parts))


def core_maps(run: Run, cores: views.Cores) -> tuple[Plan, list[tuple[str, str]]]:
    """Neurons, memory, energy and time per core on the floorplan: (heading, map) each."""
    plan = core_plan(cores, views.grid_of(run))
    maps = []

    def add(heading: str, values: np.ndarray, texts: list[str], top: float, top_text: str) -> None:
        if np.any(values > 0):
            maps.append((heading, plan_map(plan, f"{heading} on the floorplan", values, texts, top, top_text)))

    def most(values: np.ndarray) -> float:
        return float(np.max(values, initial=0))

    add("Neurons per core", cores.neurons, [count(int(n), "neurons") for n in cores.neurons], most(cores.neurons),
        count(most(cores.neurons), "neurons"))
    limit = cores.memory_limit
    shares = [f", {percent(m / limit)} of {si(limit, 'bit')}" if limit else "" for m in cores.memory]
    add("Synapse memory per core", cores.memory,
        [f"{si(int(m), 'bit')}{share}" for m, share in zip(cores.memory, shares, strict=True)],
        most(cores.memory), si(most(cores.memory), "bit"))
    add("Energy per core", cores.energy_J, [si(float(e), "J") for e in cores.energy_J], most(cores.energy_J),
        si(most(cores.energy_J), "J"))
    busy = np.maximum(cores.soma_s, cores.synapse_s)
    add("Busy time per core", busy,
        [f"soma {si(float(a), 's')}, synapse {si(float(b), 's')}"
         for a, b in zip(cores.soma_s, cores.synapse_s, strict=True)], most(busy), si(most(busy), "s"))
    return plan, maps


def link_map(run: Run, links: views.Links) -> tuple[Plan, str] | None:
    """Links of the mesh by the share of the run they were occupied; None where no packet crossed one."""
    if not len(links.packets) or not links.packets.max():
        return None
    if len(links.packets) > MOST_TOLD:              # a link of a large mesh is a speck: idle ones stay undrawn
        order = np.argsort(-links.packets, kind="stable")
        links = views.of_links(links, order[links.packets[order] > 0])
    plan = link_plan(links, views.grid_of(run))
    packets = [count(int(n), "packets") for n in links.packets]
    if links.utilisation is None:
        top = float(links.packets.max())
        return plan, plan_map(plan, "Packets per link", links.packets, packets, top, count(top, "packets"))
    texts = [f"{n}, occupied {percent(float(u))}" for n, u in zip(packets, links.utilisation, strict=True)]
    top = float(links.utilisation.max())
    return plan, plan_map(plan, "Occupation of links", links.utilisation, texts, top, percent(top))


def span(first: int, stop: int) -> str:
    """ "tick 3", "ticks 10 to 19" """
    return f"tick {exact(first)}" if stop - first == 1 else f"ticks {exact(first)} to {exact(stop - 1)}"


def significant_count(value: float) -> str:
    """A mean count: exact when whole and short."""
    return count(value) if value == int(value) or value >= 1000 else f"{value:.3g}"
