"""Fabric measurements as text, JSON, CSV and pictures; the numbers are those of explore/fabric_stats.py."""
from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.topology import INTERCHIP, NORTH_SOUTH
from chipsim.explore.fabric_curve import Point, Saturation
from chipsim.explore.fabric_run import PARTS, FabricRun
from chipsim.explore.fabric_stats import PS, QUANTILES, FabricStats, utilisation
from chipsim.explore.traffic import Traffic
from chipsim.figures import count, exact, percent, si, significant
from chipsim.report.text import bar, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.chip.spec import ChipSpec

SCHEMA_VERSION = 1
LABEL = 12
POINT_COLUMNS = (
    "rate", "offered", "accepted", "sustained", "mean_s", "half_width_s", "min_s", "max_s",
    *(f"{q}_s" for q in QUANTILES), *(f"{p}_s" for p in PARTS),
    "zero_load_s", "mean_hops", "mean_utilisation", "peak_utilisation", "peak_link",
    "fairness", "waiting", "most_waiting", "in_flight", "drain_s", "warm_up_s", "window_s", "measured", "lost",
    "fanout", "copied", "packets", "deliveries", "once", "link_flits")
LINK_COLUMNS = ("channel", "name", "from_router", "to_router", "flits", "utilisation", "queue", "queue_peak", "slots")
PACKET_COLUMNS = ("packet_id", "src", "dst", "ready_ps", "size", "hops", "entered_ps", "done_ps",
                  *(f"{p}_ps" for p in PARTS), "lost")


# ---- text ----

def fabric_name(chip: ChipSpec) -> str:
    """ "loihi: 128 nodes, mesh 8x4, xy, handshakes fcfs" """
    f = chip.fabric
    shape = f"{f.n_routers} routers" if f.topology in ("tree", "custom") else f"{f.grid[0]}x{f.grid[1]}"
    timing = f"handshakes {f.arbitration}" + (f", {f.n_vcs} VC" if f.n_vcs > 1 else "")
    if f.clock is not None:
        timing = f"clock {si(1 / f.clock.period, 'Hz')}, {f.n_vcs} VC"
    return f"{chip.name}: {exact(chip.n_cores)} nodes, {f.topology} {shape}, {f.routing}, {timing}"


def heading(chip: ChipSpec, traffic: Traffic | None, trace: str | None, seed: int) -> dict:
    """What was measured: chip, fabric, and the traffic or the trace."""
    head: dict = {"chip": chip.name, "fabric": fabric_name(chip)}
    if traffic is None:
        return head | {"trace": trace}
    return head | {"traffic": asdict(traffic), "seed": seed}


def to_text(head: dict, points: Sequence[Point], found: Saturation | None, as_curve: bool) -> str:
    """Everything that was measured."""
    title = f"{head['fabric']}; {head['trace']}" if "trace" in head else _title(head)
    parts = [curve_text(points)] if as_curve else [point_text(p) for p in points]
    return "\n\n".join([title, *parts, *([saturation_text(found)] if found else [])])


def _title(head: dict) -> str:
    t = head["traffic"]
    bursts = "" if t["process"] == "steady" else f" ({t['process']}, {t['burst']} of {t['period']} cycles)"
    flits = "" if t["size"] == 1 else f", packets of {count(t['size'], 'flits')}"
    targets = f" to {count(t['fanout'], 'targets')}" if t["pattern"] == "multicast" else ""
    return f"{head['fabric']}; {t['pattern']}{targets}{bursts}{flits}, seed {head['seed']}"


def point_text(point: Point) -> str:
    """One load in full."""
    s = point.stats
    within = f" ± {si(s.half_width_s, 's', 2)}" if s.half_width_s is not None else ""
    quantiles = "   ".join(f"{name.replace('p999', 'p99.9')} {si(v, 's')}" for name, v in s.quantiles_s.items())
    lines = [
        ("throughput", f"{significant(s.accepted)} of {significant(s.offered)} flits per node and cycle accepted   "
                       f"(cycle {si(s.cycle_s, 's', 4)})"),
        ("latency", f"{si(s.mean_s, 's')}{within}   {quantiles}   max {si(s.max_s, 's')}"),
        *(("", f"{name:14} {si(s.parts_s[name], 's'):>8}  {percent(_share(s, name)):>7}  {bar(_share(s, name))}")
           for name in reversed(PARTS)),
        *_packet_lines(s),
        ("queues", f"in the fabric {significant(s.in_flight)} on average; in the sources {significant(s.waiting)}, at "
                   f"most {s.most_waiting} in one"),
        ("fairness", f"{significant(s.fairness, 4)} over sources (Jain; 1: all served alike)"),
        ("drain", f"{si(s.drain_s, 's')} after {si(s.window_s, 's')} of traffic"),
        ("links", f"{percent(s.mean_utilisation)} busy on average; {_over_links(s)}busiest channels:"),
        *(("", f"{link.name:22} {percent(link.utilisation):>7}  queue {significant(link.queue):>7}, at most "
               f"{link.queue_peak:<4} {bar(link.utilisation)}") for link in s.busiest),
    ]
    if s.window_s - s.warm_up_s < s.mean_s:
        lines.append(("note", "traffic ended sooner than a packet takes: accepted says little; more --packets"))
    if not point.sustained:
        lines.append(("note", "beyond saturation: latency and queues grow with the length of the run"))
    return "\n".join(f"{label:{LABEL}}{text}".rstrip() for label, text in lines)


def _packet_lines(s: FabricStats) -> list[tuple[str, str]]:
    targets, lines = s.deliveries + s.lost, []
    warm_up = f"warm-up ({si(s.warm_up_s, 's')}); {significant(s.mean_hops)} hops"
    if s.fanout == 1:
        lines.append(("packets", f"{count(s.packets)}, of them {count(s.packets - s.measured)} {warm_up}"))
    else:
        how = "copied by the routers" if s.copied else "a packet per target"
        lines.append(("packets", f"{count(s.packets)} with {s.fanout} targets each, {how}"))
        once = "not each target once" if not s.once else "no target twice" if s.lost else "each target once"
        early = count(s.deliveries - s.measured)
        lines.append(("deliveries", f"{count(s.deliveries)}, {once}; of them {early} {warm_up}"))
    if s.lost:
        what = "packets" if s.fanout == 1 else "deliveries"
        lines.append(("lost", f"{count(s.lost)}, {percent(s.lost / targets)} of the {what}"))
    return lines


def _over_links(s: FabricStats) -> str:
    return f"{count(s.link_flits, 'flits')} over them; " if s.fanout > 1 else ""


def _share(s: FabricStats, part: str) -> float:
    return s.parts_s[part] / s.mean_s if s.mean_s else 0.0


def curve_text(points: Sequence[Point]) -> str:
    """A line per load."""
    head = ("load", "accepted", "mean", "±", "p50", "p95", "p99", "p99.9", *PARTS[:2], "busiest link", "")
    rows = []
    for p in points:
        s = p.stats
        top = s.busiest[0] if s.busiest else None
        rows.append((f"{p.rate:g}", significant(s.accepted), si(s.mean_s, "s"),
                     "-" if s.half_width_s is None else si(s.half_width_s, "s", 2),
                     *(si(v, "s") for v in s.quantiles_s.values()), *(si(s.parts_s[n], "s") for n in PARTS[:2]),
                     f"{top.name} {percent(top.utilisation)}" if top else "-", "" if p.sustained else "saturated"))
    return table(head, rows, "<" + ">" * 9 + "<<")


def saturation_text(found: Saturation) -> str:
    """One line."""
    return (f"{'saturation':{LABEL}}{significant(found.rate)} ± {significant(found.half_width, 2)} flits per node and "
            f"cycle ({len(found.by_seed)} seeds, {found.runs} runs)   channel bound {significant(found.bound)}   "
            f"most accepted {significant(found.peak)}")


# ---- files ----

def to_json(head: dict, points: Sequence[Point], found: Saturation | None, as_curve: bool) -> str:
    """`head` says what was measured; then `point` or `curve`, and `saturation`."""
    body = {"schema_version": SCHEMA_VERSION, **head}
    if as_curve:
        body["curve"] = [p.to_dict() for p in points]
    elif points:
        body["point"] = points[0].to_dict()
    if found is not None:
        body["saturation"] = found.to_dict()
    return json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False)


def to_csv(points: Sequence[Point]) -> str:
    """A row per load; columns POINT_COLUMNS, SI units."""
    rows = []
    for p in points:
        s = p.stats
        top = s.busiest[0] if s.busiest else None
        flat = {**p.to_dict(), **s.to_dict(), **{f"{k}_s": v for k, v in (s.quantiles_s | s.parts_s).items()},
                "peak_link": top.name if top else "", "peak_utilisation": top.utilisation if top else 0.0,
                **{name: int(value) for name, value in (
                    ("sustained", p.sustained), ("copied", s.copied), ("once", s.once))}}
        rows.append(["" if flat[c] is None else flat[c] for c in POINT_COLUMNS])
    return _csv(POINT_COLUMNS, rows)


def links_csv(run: FabricRun) -> str:
    """A row per channel of the fabric, in the engine's order; router -1: a core or the host."""
    busy, plan, ends = utilisation(run), run.plan, max(1, int(run.done.max(initial=0)))
    return _csv(LINK_COLUMNS, ((k, plan.name(k), int(plan.from_router[k]), int(plan.to_router[k]), int(run.load[k]),
                                f"{busy[k]:.6f}", f"{run.queued[k] / ends:.6f}", int(run.peak[k]),
                                int(plan.slots[k] * plan.vcs))
                               for k in range(plan.n_channels)))


def packets_csv(run: FabricRun) -> str:
    """A row per delivery, which `--trace` replays as a packet; those of a packet that was copied share its number."""
    p = run.packets
    number = np.arange(len(p)) // (p.fanout if run.copied else 1)
    return _csv(PACKET_COLUMNS, zip(number, p.src, p.dst, run.made, p.size, run.hops, run.entered, run.done,
                                    *(run.parts[name] for name in PARTS), run.lost.astype(int), strict=True))


def _csv(columns: Sequence[str], rows: Iterable[Iterable]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


# ---- pictures ----

def latency_histogram(run: FabricRun, *, ax: Axes | None = None) -> Axes:
    """Packets by latency."""
    from chipsim.report.plots import COLOURS, _axes, _unit

    ax, seconds = _axes(ax), run.latency * PS
    ax.hist(seconds, bins=min(60, max(10, len(seconds) // 50)), color=COLOURS["sky"])
    for q, style in ((50, "-"), (95, "--"), (99, ":")):
        ax.axvline(np.percentile(seconds, q), color="black", linestyle=style, linewidth=1, label=f"p{q}")
    ax.set(title="Packet latency", ylabel="packets")
    ax.legend()
    return _unit(ax, "x", "s", "offered to delivered")


def link_map(run: FabricRun, *, ax: Axes | None = None) -> Axes:
    """Utilisation of every link, drawn between its routers; both directions side by side."""
    from matplotlib.collections import LineCollection

    from chipsim.report.plots import SCALE, _axes

    ax, plan, busy = _axes(ax), run.plan, utilisation(run)
    links = np.flatnonzero(plan.endpoint < 0)
    in_rows = plan.columns > 1 or set(plan.kind[links]) <= {NORTH_SOUTH, INTERCHIP}
    columns = plan.columns if in_rows else int(np.ceil(np.sqrt(plan.n_routers)))
    a, b = (np.stack([r % columns, r // columns], 1).astype(float)
            for r in (plan.from_router[links], plan.to_router[links]))
    along = b - a
    wraps = np.abs(along).max(1) > 1 if in_rows else np.zeros(len(links), bool)
    along = np.where(wraps[:, None], -np.sign(along), along)            # a ring's seam: drawn as a stub outwards
    b = np.where(wraps[:, None], a + 0.45 * along, a + along)
    length = np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    aside = 0.09 * np.stack([along[:, 1], -along[:, 0]], 1) / length
    drawn = LineCollection(list(np.stack([a + aside, b + aside], 1)), cmap=SCALE, linewidths=4, capstyle="butt")
    drawn.set_array(busy[links])
    drawn.set_clim(0, max(1e-9, float(busy[links].max(initial=0))))
    ax.add_collection(drawn)
    r = np.arange(plan.n_routers)
    ax.scatter(r % columns, r // columns, s=60, marker="s", color="0.85", edgecolor="0.4", zorder=3)
    ax.set(title="Links", xlabel="column", ylabel="row", aspect="equal")
    ax.margins(0.1)
    ax.figure.colorbar(drawn, ax=ax, label="share of time busy", shrink=0.8)
    return ax


def load_curve(points: Sequence[Point], found: Saturation | None = None, *, ax: Axes | None = None) -> Axes:
    """Mean latency with its confidence interval, and p99, over the load; the saturation as a line."""
    from chipsim.report.plots import COLOURS, _axes, _unit

    ax, rates = _axes(ax), [p.rate for p in points]
    ax.errorbar(rates, [p.stats.mean_s for p in points], [p.stats.half_width_s or 0.0 for p in points], marker="o",
                color=COLOURS["blue"], label="mean, 95 % confidence")
    ax.plot(rates, [p.stats.quantiles_s["p99"] for p in points], marker=".", color=COLOURS["orange"], label="p99")
    if found is not None:
        ax.axvline(found.rate, color=COLOURS["red"], linestyle="--", label="saturation")
        ax.axvspan(found.rate - found.half_width, found.rate + found.half_width, color=COLOURS["red"], alpha=0.15)
    ax.set(title="Latency over load", xlabel="offered, flits per node and cycle", yscale="log")
    ax.legend()
    return _unit(ax, "y", "s", "latency")


def picture(file: Path, run: FabricRun | None, points: Sequence[Point], found: Saturation | None) -> None:
    """Write a figure, in the form that the file's suffix says. A run: histogram and map; a curve: the curve."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.pyplot import close, subplots

    if run is not None:
        figure, axes = subplots(1, 2, figsize=(11, 4.5), layout="constrained")
        latency_histogram(run, ax=axes[0])
        link_map(run, ax=axes[1])
    else:
        figure, ax = subplots(figsize=(6.5, 4.5), layout="constrained")
        load_curve(points, found, ax=ax)
    figure.savefig(file, format=file.suffix[1:])
    close(figure)
