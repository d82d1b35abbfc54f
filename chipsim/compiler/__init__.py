"""How a network gets onto cores: passes from Network to Layout."""
from __future__ import annotations

from chipsim.compiler.codes import CODES
from chipsim.compiler.compile import PASSES, REPLACEABLE, compile
from chipsim.compiler.layout import Layout
from chipsim.compiler.layout_file import load_layout, save_layout
from chipsim.compiler.partitioning.bare import partition_graph
from chipsim.compiler.partitioning.limits import Capacities
from chipsim.compiler.placing.floorplan import Floorplan, grid, hexagonal, mesh, torus
from chipsim.compiler.placing.placement import place_graph
from chipsim.compiler.reweigh import reweigh

__all__ = ["CODES", "PASSES", "REPLACEABLE", "Capacities", "Floorplan", "Layout", "compile", "grid", "hexagonal",
           "load_layout", "mesh", "partition_graph", "place_graph", "reweigh", "save_layout", "torus"]
