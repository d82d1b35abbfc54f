"""How a network gets onto cores: passes from Network to Layout."""
from __future__ import annotations

from chipsim.compiler.bare import partition_graph
from chipsim.compiler.codes import CODES
from chipsim.compiler.compile import PASSES, REPLACEABLE, compile
from chipsim.compiler.layout import Layout
from chipsim.compiler.layout_file import load_layout, save_layout
from chipsim.compiler.limits import Capacities
from chipsim.compiler.placement import place_graph
from chipsim.compiler.reweigh import reweigh

__all__ = ["CODES", "PASSES", "REPLACEABLE", "Capacities", "Layout", "compile", "load_layout", "partition_graph",
           "place_graph", "reweigh", "save_layout"]
