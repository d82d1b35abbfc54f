"""chipsim: a compiler and cycle-level simulator for neuromorphic chips.

Four verbs on five nouns, each noun saved in a file of its own:

    chip, network = chipsim.load_chip("loihi"), chipsim.load_network("net.nir")
    layout = chipsim.compile(network, chip)
    run = chipsim.simulate(layout, chipsim.Stimulus.load("input.h5"))
    print(chipsim.report(run))

Names are imported when first used, so that `import chipsim` costs nothing.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from chipsim.chip import ChipSpec, catalogue, load_chip
    from chipsim.compiler.compile import compile
    from chipsim.compiler.layout import Layout
    from chipsim.engine.run import Run
    from chipsim.engine.simulate import simulate
    from chipsim.network import Network, Stimulus, load_network
    from chipsim.report.report import Report, report

_HOME = {
    "load_chip": "chipsim.chip",
    "catalogue": "chipsim.chip",
    "ChipSpec": "chipsim.chip.spec",
    "load_network": "chipsim.network",
    "Network": "chipsim.network.graph",
    "Stimulus": "chipsim.network.stimulus",
    "compile": "chipsim.compiler",
    "Layout": "chipsim.compiler.layout",
    "simulate": "chipsim.engine",
    "Run": "chipsim.engine.run",
    "Report": "chipsim.report",
}

__all__ = [
    "ChipSpec", "Layout", "Network", "Report", "Run", "Stimulus",
    "catalogue", "compile", "load_chip", "load_network", "report", "simulate",
]


def __getattr__(name: str) -> object:
    if name == "report":                       # the package itself: it can be called (see chipsim/report/__init__.py)
        return import_module("chipsim.report")
    if name not in _HOME:
        raise AttributeError(f"module `chipsim` has no attribute `{name}`; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
