"""`chipsim models`: the neuron models a network can ask for, their parameters, and the chips that compute them."""
from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from chipsim.cli.output import show
from chipsim.cli.parser import closest
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import significant

if TYPE_CHECKING:
    from chipsim.models.neurons.framework import Parameter

USAGE = "[MODEL] [--format text|json]"
EXAMPLES = """\
  chipsim models
  chipsim models lif
  chipsim models loihi_lif --format json
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", nargs="?", help="show this model's parameters, units and defaults")
    parser.add_argument("--format", metavar="F", choices=("text", "json"), default="text", help="text or json")


def run(args: Namespace) -> int:
    from chipsim.report.text import table

    known = _models()
    if args.model and args.model not in known:
        raise UsageError(Diagnostic("U437", f"there is no model `{args.model}`",
                                    help=closest(args.model, known, "models")))
    chosen = {args.model: known[args.model]} if args.model else known
    if args.format == "json":
        show(json.dumps(list(chosen.values()), indent=2, ensure_ascii=False))
    elif args.model:
        show(_one(known[args.model]))
    else:
        from chipsim.chip import catalogue

        shipped = [entry.name for entry in catalogue()]
        rows = [(m["name"], _cut(m["what"]), ", ".join(_families(m["chips"], shipped)) or "-") for m in known.values()]
        show(table(("model", "what", "chips"), rows, "<<<"))
    return 0


def _families(chips: list[str], shipped: list[str]) -> list[str]:
    """`loihi*` in place of all chips that ship whose names begin so."""
    out: list[str] = []
    for chip in chips:
        family = [name for name in shipped if name.startswith(chip)]
        if not any(o.endswith("*") and chip.startswith(o[:-1]) for o in out):
            out.append(f"{chip}*" if len(family) > 1 and set(family) <= set(chips) else chip)
    return out


def _cut(text: str, width: int = 64) -> str:
    return text if len(text) <= width else text[: width - 3].rpartition(" ")[0] + " ..."


def _models() -> dict[str, dict[str, Any]]:
    """Every model by name: what it is, its parameters, and which shipped chips have an arithmetic for it."""
    from importlib import import_module

    from chipsim.chip import catalogue, load_chip
    from chipsim.compiler.lowering.lower import OF_AFFINE
    from chipsim.models.kernels import find_kernel
    from chipsim.models.neurons import arithmetics, chip_models, framework_models

    chips = {e.name: load_chip(e.name).core for e in catalogue()}
    cores = {name: set(core.neuron.models) for name, core in chips.items()}
    crossbars = {name for name, core in chips.items() if core.crossbar is not None}
    out = {}
    for name, parameters in chip_models.items():
        kernel = find_kernel(name)
        out[name] = _account(name, import_module(kernel.__module__).__doc__ if kernel else "", parameters,
                             [chip for chip, models in cores.items() if name in models])
    for name, module in framework_models.items():
        computed = set(arithmetics(module))
        linear = "affine" in computed and module.spiking
        computed |= set(OF_AFFINE) if linear else set()
        out[name] = _account(name, module.__doc__ or "", getattr(module, "parameters", {}),
                             [chip for chip, models in cores.items()
                              if computed & models or (linear and chip in crossbars)])
    return dict(sorted(out.items()))


def _account(name: str, doc: str | None, parameters: dict[str, Parameter], chips: list[str]) -> dict[str, Any]:
    doc = doc or ""
    first = " ".join(doc.partition("\n\n")[0].split())
    return {"name": name, "what": first, "about": doc.strip(), "chips": chips, "parameters": {
        key: {"unit": p.unit, "default": p.default, "above": p.above, "low": p.low, "high": p.high,
              "integer": p.integer, "doc": p.doc} for key, p in parameters.items()}}


def _one(model: dict[str, Any]) -> str:
    from chipsim.report.text import table

    rows = [(key, p["unit"] or "-", "must be given" if p["default"] is None else f"{p['default']:g}", _range(p),
             p["doc"])
            for key, p in model["parameters"].items()]
    parts = [f"{model['name']}   on {', '.join(model['chips']) or 'no chip that ships'}", model["about"]]
    parts += [table(("parameter", "unit", "default", "range", "what"), rows, "<<><<")] if rows else []
    return "\n\n".join(parts)


def _range(p: dict[str, Any]) -> str:
    low = f"> {_short(p['above'])}" if p["above"] is not None else ""
    low = f">= {_short(p['low'])}" if p["low"] is not None else low
    high = f"<= {_short(p['high'])}" if p["high"] is not None else ""
    return ", ".join(filter(None, ("whole" if p["integer"] else "", low, high))) or "-"


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else significant(value, 4)
