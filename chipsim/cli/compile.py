"""`chipsim compile`: map a network onto a chip; how full the cores are, and what stands where."""
from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from chipsim.cli.options import (
    LAYOUT_SUFFIX,
    add_chip_options,
    add_mapping_options,
    add_network_options,
    compiled,
    existing,
    network_from,
    rates_from,
    stored_kind,
    writable,
)
from chipsim.cli.output import Talk, show
from chipsim.cli.parser import whole
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import count, exact, percent, si

if TYPE_CHECKING:
    from pathlib import Path

    from chipsim.compiler.layout import Layout

USAGE = "NETWORK --chip CHIP [-o FILE.layout.h5] [options]"
EXAMPLES = """\
  chipsim compile examples/digits.nir --chip loihi --nir-dialect snntorch
  chipsim compile examples/digits.nir --chip loihi --nir-dialect snntorch -o digits.layout.h5
  chipsim compile examples/digits.nir --chip loihi --nir-dialect snntorch --check-accuracy examples/digits_test.h5
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help=".nir or .yaml")
    add_chip_options(parser)
    add_mapping_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="FILE", help=f"store the layout here, as NAME{LAYOUT_SUFFIX}")
    group.add_argument("--explain", action="store_true",
                       help="also where every population was placed, each pass, a floorplan")
    group.add_argument("--explain-core", metavar="N", type=whole(), help="what stands on core N of the chip, which "
                       "limit is closest, and what would relieve it")
    group.add_argument("--quantisation", action="store_true", help="also a row per layer: bits, signal to noise, "
                       "weights that saturate or become zero, errors of thresholds")
    group.add_argument("--check-accuracy", metavar="SAMPLES", help="also run these samples on the chip and in floating "
                       "point, and say how far apart they are")
    group.add_argument("--reweigh", metavar="LAYOUT", help="put the weights of NETWORK on this stored layout of the "
                       "same network: nothing else changes")
    group.add_argument("--format", metavar="F", choices=("text", "json"), default="text", help="text or json")
    group.add_argument("--seed", metavar="N", type=whole(), default=0, help="of what is drawn at random (default 0)")
    parser.add_argument("--quiet", action="store_true", help="nothing on stderr but errors")


def run(args: Namespace) -> int:
    file = existing(args.network, "network")
    if stored_kind(file) == "layout":
        raise UsageError(Diagnostic("U434", f"`{file}` is a layout already", help=f"`chipsim run {file}` simulates it"))
    target = writable(args.output) if args.output else None
    if target is not None and not target.name.endswith(LAYOUT_SUFFIX):
        raise UsageError(Diagnostic("U434", f"a layout's file name ends in {LAYOUT_SUFFIX}, `{target}` does not",
                                    help=f"-o {target.with_suffix('')}{LAYOUT_SUFFIX}"))
    samples = existing(args.check_accuracy, "samples") if args.check_accuracy else None
    talk = Talk(args.quiet)
    layout = _reweighed(args, file, talk) if args.reweigh else compiled(args, talk)
    if target is not None:
        from chipsim.compiler.layout_file import save_layout

        save_layout(layout, target)
        talk.line("saved", f"{target}")
    if args.explain_core is not None:
        core = core_account_of(layout, args.explain_core)
        show(json.dumps(core, indent=2, ensure_ascii=False) if args.format == "json" else _core(core))
        return 0
    account = account_of(layout)
    if samples is not None:
        account["accuracy"] = _checked(args, layout, file, samples)
    if args.format == "json":
        show(json.dumps(account, indent=2, ensure_ascii=False))
        return 0
    from chipsim.report import quality

    parts = [_text(account, args.explain)]
    parts += [_plan(layout)] if args.explain else []
    parts += [quality.quantisation(account["approximations"])] if args.quantisation else []
    parts += [quality.accuracy(account["accuracy"])] if samples is not None else []
    show("\n\n".join(parts))
    return 0


def _checked(args: Namespace, layout: Layout, file: Path, samples: Path) -> dict[str, Any]:
    from chipsim.compiler.accuracy import check_accuracy
    from chipsim.network.stimulus import Stimulus

    return check_accuracy(layout, network_from(args, file), Stimulus.load(samples), seed=args.seed)


def _reweighed(args: Namespace, file: Path, talk: Talk) -> Layout:
    """The stored layout with the network's weights."""
    if given := [f"--{o.replace('_', '-')}" for o in ("chip", "set", "avoid", "effort", "neurons_per_core", "objective",
                                                            "partitioner")
                 if getattr(args, o)]:
        raise UsageError(Diagnostic(
            "U433", f"`--reweigh` keeps chip and places of `{args.reweigh}`: {', '.join(given)} cannot change them",
            help="leave the option out, or compile without `--reweigh`"))
    from time import perf_counter

    from chipsim.compiler import load_layout, reweigh

    old, network = load_layout(existing(args.reweigh, "layout")), network_from(args, file, talk)
    began = perf_counter()
    with talk.progress("reweighing", "passes") as progress:
        layout = reweigh(old, network, approximate=args.approximate, rates=rates_from(args), progress=progress.step)
    talk.line("reweighed", f"{network.name} → {old.chip.name}   {si(perf_counter() - began, 's')}")
    return layout


def account_of(layout: Layout) -> dict[str, Any]:
    """What the compiler did, as JSON's types: utilisation per core, placement, approximations, passes."""
    from chipsim.compiler.binding import binding
    from chipsim.compiler.frame import PARTS
    from chipsim.report.report import plain

    chip = layout.chip
    return plain({
        "schema_version": 1, "network": layout.network, "chip": chip.name,
        "cores": layout.n_cores, "cores_available": chip.n_cores, "neurons": layout.n_neurons,
        "utilisation": {
            name: {"max": used.max(initial=0), "mean": used.mean(), "limit": layout.limits.get(name)}
            for name, used in layout.in_use.items()
        },
        "placement": [
            {"population": layout.populations[g.population].name, "first": g.first,
             "last": layout.population_index[g.stop - 1], "neurons": g.stop - g.start,
             "core": layout.cores[g.core], "router": _router(int(layout.cores[g.core]), chip.fabric),
             "slot": g.start - layout.core_start[g.core]}
            for g in layout.groups
        ],
        "frame": None if layout.frame is None else [
            {"population": layout.populations[p].name, "bits": layout.frame.bits[i], "cores": layout.frame.cores[i],
             "operations": layout.frame.operations[i], "length_s": layout.frame.layer_ps[i] * 1e-12}
            | {f"{part}_s": ps * 1e-12 for part, ps in zip(PARTS, layout.frame.parts_ps[i], strict=True)}
            for i, p in enumerate(layout.frame.population)],
        "binding": binding(layout),
        "approximations": layout.approximations, "passes": layout.log, "notes": layout.notes,
        "routing": None if layout.routing is None else [
            {"router": [r % chip.fabric.grid[0], r // chip.fabric.grid[0]], "entries": used,
             "entries_uncompressed": layout.routing.plain[r]}
            for r, used in enumerate(layout.routing.used.tolist()) if used],
    })


def core_account_of(layout: Layout, number: int) -> dict[str, Any]:
    """What stands on one core of the chip, as JSON's types. UsageError if nothing does."""
    from chipsim.compiler.partitioning.misfits import KEY, REMEDY, UNIT
    from chipsim.report.report import plain

    if number not in layout.cores:
        raise UsageError(Diagnostic("U425", f"nothing stands on core {number}", help="cores in use: " + ", ".join(
            map(str, layout.cores[:16])) + (", ..." if layout.n_cores > 16 else "")))
    c = int((layout.cores == number).argmax())
    here: dict[str, int] = {}
    for g in layout.groups:
        if g.core == c:
            name = layout.populations[g.population].name
            here[name] = here.get(name, 0) + g.stop - g.start
    used = {name: used[c] for name, used in layout.usage.items()}
    full = {name: used[name] / limit for name in used if (limit := layout.limits.get(name))}
    closest = max(full, key=lambda name: full[name]) if full else None
    return plain({
        "schema_version": 1, "network": layout.network, "chip": layout.chip.name, "core": number,
        "router": _router(number, layout.chip.fabric), "neurons": here,
        "resources": {name: {"unit": UNIT[name], "used": n, "limit": layout.limits.get(name)}
                      for name, n in used.items()},
        "closest": closest,
        "remedy": f"{REMEDY[closest]}; or larger cores ({KEY[closest]})" if closest else None})


def _core(core: dict[str, Any]) -> str:
    """One core of the chip in text."""
    from chipsim.report.text import table

    rows = [(r["unit"], count(r["used"]), "no limit" if r["limit"] is None else count(r["limit"]),
             percent(r["used"] / r["limit"]) if r["limit"] else "-") for r in core["resources"].values()]
    parts = [f"core {core['core']}, router {tuple(core['router'])}",
             table(("population", "neurons"), [(name, count(n)) for name, n in core["neurons"].items()], "<>"),
             table(("resource", "used", "limit", "full"), rows, "<>>>")]
    if core["closest"]:
        r = core["resources"][core["closest"]]
        parts.append(f"closest to its limit: {r['unit']} ({percent(r['used'] / r['limit'])})\n"
                     f"what would relieve it: {core['remedy']}")
    return "\n\n".join(parts)


def _plan(layout: Layout) -> str:
    """The floorplan, by the resource that fills the fullest core most; by neurons where nothing is limited."""
    import numpy as np

    from chipsim.compiler.partitioning.misfits import UNIT
    from chipsim.report.plan_text import plan_text

    shares = {name: used / limit for name, used in layout.usage.items() if (limit := layout.limits.get(name))}
    if not shares:
        neurons = np.diff(layout.core_start)
        return plan_text(layout.chip, layout.cores, neurons / max(1, neurons.max(initial=1)), "neurons of the most")
    name = max(shares, key=lambda name: shares[name].max(initial=0))
    return plan_text(layout.chip, layout.cores, shares[name], f"{UNIT[name]} of {count(layout.limits[name] or 0)}")


def _router(core: int, fabric: Any) -> list[int]:
    router = core // fabric.cores_per_router
    return [router % fabric.grid[0], router // fabric.grid[0]]


def _text(account: dict[str, Any], explain: bool) -> str:
    from chipsim.report.text import approximation, table

    rows = [
        (name.replace("_", " "), count(u["max"]), count(u["mean"]) if u["mean"] >= 100 else f"{u['mean']:.1f}",
         "no limit" if u["limit"] is None else count(u["limit"]),
         percent(u["max"] / u["limit"]) if u["limit"] else "-")
        for name, u in account["utilisation"].items()
    ]
    parts = [f"{account['network']} → {account['chip']}   {count(account['neurons'], 'neurons')} on "
             f"{exact(account['cores'])} of {exact(account['cores_available'])} cores",
             table(("per core", "max", "mean", "limit", "fullest"), rows, "<>>>>")]
    if account["approximations"]:
        parts.append("changed\n" + "\n".join(f"  {approximation(a)}" for a in account["approximations"]))
    if explain:
        placed = [(p["population"], _range(p), str(p["core"]),
                   f"({p['router'][0]},{p['router'][1]})", str(p["slot"])) for p in _joined(account["placement"])]
        parts.append(table(("population", "neurons", "core", "router", "from slot"), placed, "<>>>>"))
        bound = [(b["population"], count(b["cores"]), b["unit"] or "none", percent(b["full"]), b["remedy"] or "-")
                 for b in account["binding"]]
        head = "population", "cores", "limit that binds", "fullest", "what would relieve it"
        parts.append(table(head, bound, "<><><"))
        if account["routing"]:
            tables = [(f"({t['router'][0]},{t['router'][1]})", count(t["entries"]), count(t["entries_uncompressed"]))
                      for t in account["routing"]]
            parts.append(table(("routing table of", "entries", "one per source"), tables, "<>>"))
        if account["frame"]:
            parts.append(_frame(account["frame"]))
        parts.append("passes\n" + "\n".join(f"  {_pass(p)}" for p in account["passes"]))
        parts += ["notes\n" + "\n".join(f"  {n}" for n in account["notes"])] if account["notes"] else []
    return "\n\n".join(parts)


def _frame(layers: list[dict[str, Any]]) -> str:
    """The schedule of a frame, layer by layer, and its length."""
    from chipsim.report.text import table

    rows = [(f["population"], si(f["length_s"], "s"), str(f["bits"]), count(f["cores"]), count(f["operations"]),
             *(si(f[f"{part}_s"], "s") for part in ("fill", "multiply", "move", "update"))) for f in layers]
    length, operations = (sum(f[name] for f in layers) for name in ("length_s", "operations"))
    rows.append(("frame", si(length, "s"), "", "", count(operations), "", "", "", ""))
    return table(("layer", "time", "bits", "cores", "operations", "start", "multiply", "move", "update"), rows,
                 "<>>>>>>>>")


def _joined(placement: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each population on a core: cores filled for few packets hold hundreds of pieces of an image."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for p in placement:
        row = rows.setdefault((p["population"], p["core"]), p | {"neurons": 0})
        row["neurons"] += p["neurons"]
        row["first"], row["last"] = min(row["first"], p["first"]), max(row["last"], p["last"])
    return list(rows.values())


def _range(p: dict[str, Any]) -> str:
    """ "0..31", or, where others of the population between them stand elsewhere, "20 of 0..31" """
    whole_range = f"{p['first']}..{p['last']}"
    return whole_range if p["last"] - p["first"] + 1 == p["neurons"] else f"{p['neurons']} of {whole_range}"


def _pass(entry: dict[str, Any]) -> str:
    merit = (f"{k.replace('_', ' ')} {v:.3g}" if isinstance(v, float) else f"{k.replace('_', ' ')} {v}"
             for k, v in entry.items() if k not in ("pass", "seconds"))
    return f"{entry['pass']:12}{si(entry['seconds'], 's'):>8}   {', '.join(merit)}"
