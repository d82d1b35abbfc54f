"""A laboratory for the mesh: packets from named cores to named cores in one tick, with times that fit on paper.

Each entry of `flows` is one neuron that fires in the first tick and, unless its target is None, sends one packet. The
neurons of a core fire in the order of the list. All channels take LATENCY, CYCLE, CREDIT and all actions no time, until
`settings` says otherwise.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from chipsim.chip import load_chip
from chipsim.compiler import PASSES, compile
from chipsim.compiler.draft import Piece
from chipsim.engine import simulate
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Sparse

NS = 1000                                       # ps
LATENCY, CYCLE, CREDIT, SLOTS = 5, 2, 3, 8      # ns, ns, ns, flits
ENGINES = ("compiled", "reference")
SILENT = dict(du=0, dv=0, vth_mant=100_000, bias_mant=0)
FIRING = dict(du=0, dv=0, vth_mant=1, bias_mant=100)


def chip(width=1, height=1, cores_per_router=1, more=(), **settings):
    """loihi with a small mesh; settings by their last names: inject_latency=7 (ns), eject_slots=2, spike=4 (ns).

    more  settings as on the command line, after these
    """
    lines = [f"fabric.width={width}", f"fabric.height={height}", f"fabric.cores_per_router={cores_per_router}",
             "fabric.io.router=[0, 0]"]
    times = {f"{c}_{k}": v for c in ("inject", "eject", "east_west", "north_south")
             for k, v in dict(latency=LATENCY, cycle=CYCLE, credit=CREDIT, slots=SLOTS).items()}
    times |= dict.fromkeys(("neuron_idle", "neuron_active", "spike", "axon_out", "axon_in", "synop_sparse"), 0)
    for name, value in (times | settings).items():
        channel, _, key = name.rpartition("_")
        if key in ("latency", "cycle", "credit"):
            lines.append(f"fabric.channels.{channel}.{key}={value} ns")
        elif key == "slots":
            lines.append(f"fabric.channels.{channel}.slots={value}")
        elif name == "barrier":
            lines += [f"costs.barrier.tiles.{tiles}={ns} ns" for tiles, ns in value.items()]
        else:
            lines.append(f"costs.{name}.time={value} ns")
    return load_chip("loihi", set=(*lines, *more))


def pin(draft):
    """Every population onto the core that its name ends in, in the order of the populations."""
    cores: dict[int, list[Piece]] = {}
    for i, node in enumerate(draft.nodes):
        cores.setdefault(int(node.name[1:]), []).append(Piece(i, 0, node.size))
    return replace(draft, cores=tuple(map(tuple, cores.values())), places=np.array(list(cores), np.int32))


def layout_of(flows, chip, silent=()):
    """`silent` names cores that hold a neuron besides, without input."""
    senders: dict[int, list] = {}
    for source, target in flows:
        senders.setdefault(source, []).append(target)
    receivers = sorted({t for _, t in flows if t is not None} | set(silent))
    populations = {f"s{c}": Population(f"s{c}", (len(ts),), "loihi_lif", _arrays(FIRING)) for c, ts in senders.items()}
    populations |= {f"r{c}": Population(f"r{c}", (1,), "loihi_lif", _arrays(SILENT)) for c in receivers}
    projections = []
    for c, targets in senders.items():
        for target in sorted({t for t in targets if t is not None}):
            weights = np.array([[float(t == target) for t in targets]])
            projections.append(Projection(f"s{c}", f"r{target}", (Sparse(csr_array(weights)),), 1,
                                          dict(weight_exponent=6)))
    network = Network("lab", populations, tuple(projections), outputs=())
    return compile(network, chip, passes=(*(p for p in PASSES if p.__name__ not in ("partition", "place")), pin))


def _arrays(params):
    return {name: np.array(value) for name, value in params.items()}


class Tick:
    """What became of the flows: arrays in ps per flow that sent a packet, in the order of `flows`; and the Run."""

    def __init__(self, flows, chip, engine="compiled", silent=(), timing="exact", **options):
        self.layout = layout_of(flows, chip, silent)
        self.run = simulate(self.layout, ticks=1, engine=engine, timing=timing, record_packets=True, **options)
        if timing != "exact":
            return
        seen: dict[int, int] = {}
        rows = []
        for source, target in flows:
            k = seen[source] = seen.get(source, -1) + 1
            if target is not None:
                neuron = self.layout.neurons_of(f"s{source}")[k]
                rows.append(int(np.flatnonzero(self.run.packets["source"] == neuron)[0]))
        p = self.run.packets
        self.made, self.entered, self.arrived = p["made_ps"][rows], p["entered_ps"][rows], p["arrived_ps"][rows]
        self.started, self.done = p["started_ps"][rows], p["done_ps"][rows]

    @property
    def length(self):
        return int(self.run.tick_ps[0] - self.run.barrier_ps[0])
