"""How a network gets onto cores: passes from Network to Layout."""
from __future__ import annotations

from chipsim.compiler.codes import CODES
from chipsim.compiler.compile import PASSES, REPLACEABLE, compile
from chipsim.compiler.layout import Layout
from chipsim.compiler.layout_file import load_layout, save_layout
from chipsim.compiler.placement import place_graph

__all__ = ["CODES", "PASSES", "REPLACEABLE", "Layout", "compile", "load_layout", "place_graph",
           "save_layout"]
