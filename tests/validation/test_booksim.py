"""Clocked meshes, tori and concentrated meshes, packet by packet against BookSim 2.

The plain routers are held against the short traces, the compiled ones against all.
"""
from __future__ import annotations

import csv

import numpy as np

from chipsim.chip import load_chip
from chipsim.chip.fabric import Clock
from chipsim.engine.clocked import ClockedFabric
from chipsim.engine.reference_clocked import ClockedMesh
from chipsim.engine.reference_router import Clocked
from chipsim.engine.topology import plan_fabric

CONFIG = {"A": (0, 1), "B": (1, 1), "C": (0, 1), "D": (1, 2), "E": (0, 0)}    # routing delay, credit delay


def booksim_fabric(topology, k, slots, cores_per_router=1, link=1):
    """A k x k fabric in cycles of 1 ns; BookSim's torus links are 2 cycles long, its injection and ejection links 1."""
    chip = load_chip("loihi", set=(f"fabric.topology={topology}", f"fabric.width={k}", f"fabric.height={k}",
                                   f"fabric.cores_per_router={cores_per_router}"))
    channels = {name: getattr(chip.fabric.channels, name).model_copy(
        update=dict(latency=(link if name in ("east_west", "north_south") else 1) * 1e-9, slots=slots))
        for name in ("inject", "eject", "east_west", "north_south")}
    clock = Clock(period=1e-9)
    return chip.fabric.model_copy(update=dict(channels=chip.fabric.channels.model_copy(update=channels), clock=clock))


def trace(path):
    with open(path) as f:
        rows = list(csv.DictReader(f))
    return {key: np.array([int(r[key]) for r in rows]) for key in rows[0]}


def traces(folder):
    """(file, topology, k, nodes, VCs, slots, routing delay, credit delay) of every trace in the manifests."""
    found = []
    for manifest in ("manifest.csv", "manifest_other_topologies.csv"):
        with open(folder / manifest) as f:
            for row in csv.DictReader(f):
                path = folder / row["file"]
                if not path.exists():
                    continue
                options = dict(o.split("=") for o in row.get("options", "").split() if "=" in o)
                topology = options.get("topology", "mesh")
                found.append((path, topology, int(options.get("k", row.get("k") or 0)), int(row["num_vcs"]),
                              int(row["vc_buf_size"]), int(row["routing_delay"]), int(row["credit_delay"])))
    return found


def endpoints(topology, k, nodes):
    """Core numbers of BookSim's nodes; its concentrated mesh counts nodes along rows of 2x2 tiles."""
    n = np.arange(nodes)
    if topology != "cmesh":
        return n
    x, y = n % (2 * k), n // (2 * k)
    return ((x // 2) + k * (y // 2)) * 4 + (x % 2) + 2 * (y % 2)


def times(make, path, topology, k, vcs, slots, rd, cd):
    t = trace(path)
    concentrated = topology == "cmesh"
    nodes = k * k * (4 if concentrated else 1)
    fabric = booksim_fabric("mesh" if concentrated else topology, k, slots, 4 if concentrated else 1,
                            2 if topology == "torus" else 1)
    plan = plan_fabric(fabric, endpoints(topology, k, nodes), host=False)
    got = make(plan, vcs, rd, cd).run(t["src"], t["dst"], t["inject_cycle"], t["size_flits"])
    return t, got


def compiled(plan, vcs, rd, cd):
    return ClockedFabric(plan, Clocked(vcs, rd, cd))


def plain(plan, vcs, rd, cd):
    return ClockedMesh(plan, Clocked(vcs, rd, cd))


def assert_exact(t, got):
    for ours in ("head_inject", "head_arrive", "arrive"):
        wrong = np.flatnonzero(got[ours] != t[f"{ours}_cycle"])
        assert len(wrong) == 0, f"{ours}: {len(wrong)} of {len(t['src'])} packets, first {wrong[:3]}"


def test_every_trace_is_reproduced_to_the_cycle(validation_dir):
    cases = traces(validation_dir / "noc" / "traces")
    assert len(cases) > 60
    failures = []
    for path, *configuration in cases:
        try:
            assert_exact(*times(compiled, path, *configuration))
        except AssertionError as e:
            failures.append(f"{path.name}: {e}")
    assert not failures, "\n".join(failures)


def test_the_plain_routers_reproduce_the_short_traces(validation_dir):
    short = [c for c in traces(validation_dir / "noc" / "traces") if c[0].stat().st_size < 13000]
    assert len(short) > 40
    for path, *configuration in short:
        assert_exact(*times(plain, path, *configuration))
