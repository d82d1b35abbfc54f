"""Load curves of BookSim 2, row by row, against the clocked fabric: used by the tests (a sample) and by bench.py (all).

    python tools/bench.py fabric --curves FOLDER           # the folder that holds booksim_mesh_k4.csv ...

A row agrees if our mean latency lies within 1 % of BookSim's, or within three standard errors of the difference. Rows
are compared up to 85 % of capacity, as near saturation a mean depends on the length of the run; capacity is the least
of the channel bound and of what the configuration accepts when overloaded (its `throughput` row, or one that did not
converge).
"""
from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.explore.fabric_curve import FabricLab
from chipsim.explore.fabric_stats import T_BATCHES
from chipsim.explore.traffic import Traffic

CURVES = ("booksim_mesh_k4.csv", "booksim_hotspot4_k4.csv", "booksim_sensitivity_k8.csv")
# What a row changes. BookSim ignores alloc_iters. On a torus of even k it tosses a coin between ways of equal length.
VARIANTS: dict[str, dict] = {
    "": {}, "base": {}, "alloc_iters=2": {}, "routing_delay=1": dict(routing_delay=1),
    "credit_delay=0": dict(credit_delay=0), "credit_delay=2": dict(credit_delay=2),
    "separable_input_first": dict(allocator="round_robin"), "wavefront": dict(allocator="wavefront"),
    "age_based": dict(priority="age"), "wait_for_tail_credit=1": dict(reuse="when_empty"),
    "speculative=1": dict(speculation="switch"), "hold_switch_for_packet=1": dict(connection="packet"),
    "input_speedup=2": dict(input_speedup=2), "internal_speedup=2": dict(internal_speedup=2),
    "st_final_delay=2": dict(traversal=2, crossbar="batches"),
    "xy_yx": dict(routing="xy_yx"), "min_adapt": dict(routing="xy_escape"), "torus_dim_order": dict(topology="torus")}
BELOW = 0.85
PACKETS = 40_000


@dataclass(frozen=True)
class Comparison:
    """Mean latency in cycles, theirs and ours, and three standard errors of the difference."""

    row: dict
    theirs: float
    ours: float
    three_errors: float

    @property
    def agrees(self) -> bool:
        return abs(self.ours - self.theirs) <= max(0.01 * self.theirs, self.three_errors)

    def __str__(self) -> str:
        r = self.row
        return (f"k{r['k']} V{r['num_vcs']} B{r['vc_buf_size']} {r['packet_size']} flits {r['traffic']} "
                f"{r.get('variant', '')} at {r['rate_flits_per_node_cycle']}: {self.ours:.2f} cycles, BookSim "
                f"{self.theirs:.2f} ({100 * (self.ours / self.theirs - 1):+.1f} %, three errors "
                f"{self.three_errors:.2f})")


def booksim_chip(k: int, vcs: int, slots: int, routing_delay: int = 0, credit_delay: int = 1,
                 topology: str = "mesh", routing: str = "xy", **clock: object) -> ChipSpec:
    """A k x k fabric of BookSim's `iq` routers, one node each, in cycles of 1 ns, links one cycle long (torus: two)."""
    link = 2 if topology == "torus" else 1
    lines = [f"fabric.topology={topology}", f"fabric.routing={routing}", f"fabric.width={k}", f"fabric.height={k}",
             "fabric.cores_per_router=1",
             f"fabric.clock={{period: 1 ns, vcs: {vcs}, routing_delay: {routing_delay}, credit_delay: {credit_delay}}}"]
    lines += [f"fabric.clock.{name}={value}" for name, value in clock.items()]
    for name, cycles in (("inject", 1), ("eject", 1), ("east_west", link), ("north_south", link)):
        lines += [f"fabric.channels.{name}.latency={cycles} ns", f"fabric.channels.{name}.slots={slots}"]
    return load_chip("loihi", set=tuple(lines))


def curve_rows(file: Path) -> list[dict]:
    """Rows that can be compared: options we have, converged, below 85 % of capacity."""
    with open(file, newline="") as f:
        rows = [r for r in csv.DictReader(f) if r.get("variant", "") in VARIANTS]
    capacity: dict[tuple, float] = {}
    for r in rows:
        if r["sim_type"] == "throughput" or r["stable"] == "0":
            accepted = float(r["accepted_flits_per_node_cycle"])
            capacity[_kind(r)] = min(accepted, capacity.get(_kind(r), accepted))
    return [r for r in rows if r["sim_type"] == "latency" and r["stable"] == "1"
            and float(r["frac_of_channel_bound"]) <= BELOW
            and float(r["rate_flits_per_node_cycle"]) <= BELOW * capacity.get(_kind(r), inf)]


def _kind(r: dict) -> tuple:
    return tuple(r.get(c, "") for c in ("variant", "k", "num_vcs", "vc_buf_size", "packet_size", "traffic"))


def compare(r: dict, packets: int = PACKETS) -> Comparison:
    """Run what a row ran, with packets of our own."""
    k, size, pattern = int(r["k"]), int(r["packet_size"]), r["traffic"]
    chip = booksim_chip(k, int(r["num_vcs"]), int(r["vc_buf_size"]), **VARIANTS[r.get("variant", "")])
    centre = [x + k * y for y in (k // 2 - 1, k // 2) for x in (k // 2 - 1, k // 2)]
    hot = {"hotspot1": ((centre[0], 1.0),), "hotspot4": tuple((c, 0.25) for c in centre)}.get(pattern, ())
    traffic = Traffic(pattern="hotspot" if hot else pattern, hotspots=hot, size=size,
                      rate=float(r["rate_flits_per_node_cycle"]))
    lab = FabricLab(chip, traffic, packets=packets, seed=1)
    run = lab.run()
    s = lab.measure(run).stats
    error = (s.half_width_s or 0.0) / T_BATCHES / s.cycle_s
    alone = run.latency.std() / run.cycle_ps / s.measured**0.5      # if packets were independent
    theirs = float(r["std_packet_latency"]) / int(r["n_packets"]) ** 0.5 * max(1.0, error / max(alone, 1e-12))
    return Comparison(r, float(r["avg_packet_latency"]), s.mean_s / s.cycle_s, 3 * (error**2 + theirs**2) ** 0.5)


def compare_all(folder: Path, names: Iterable[str] = CURVES) -> dict[str, list[Comparison]]:
    """Every row of the files that can be compared."""
    return {name: [compare(row) for row in curve_rows(folder / name)] for name in names}


__all__ = ["CURVES", "Comparison", "booksim_chip", "compare", "compare_all", "curve_rows"]
