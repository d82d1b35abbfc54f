"""What went over the mesh: packets, hops, how long packets took, which channel was busiest."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.engine.run import HOPS, A, Run
from chipsim.engine.stats import percentile_ps
from chipsim.report.cost import ratio
from chipsim.report.names import link_name
from chipsim.report.timing import PS, total_time


@dataclass(frozen=True)
class PacketLatency:
    """From made to accepted by the synapse server's FIFO; percentiles are at most 3 % high (engine/stats.py)."""

    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True)
class BusiestLink:
    """The channel occupied longest. `utilisation` = flits × least time between flits / time of the run."""

    name: str
    packets: int
    utilisation: float | None


@dataclass(frozen=True)
class LongestQueue:
    """The channel in whose FIFO flits spent most time (engine/queues.py): mean of the run, most at once, its slots."""

    name: str
    mean: float | None
    peak: int
    slots: int


@dataclass(frozen=True)
class Blocked:
    """What became of packets that could not go on: `lost` deliveries, `detours` round a link; `worst` dropped most."""

    lost: int
    detours: int
    worst: str | None
    worst_drops: int


@dataclass(frozen=True)
class Traffic:
    """packets: made by cores and by the host port; hops: links between routers crossed per packet.

    blocked  None on fabrics where a packet waits until it can go on, and with timings that do not follow packets
    """

    packets: int
    packets_from_host: int
    mean_hops: float | None
    latency: PacketLatency | None
    busiest_link: BusiestLink | None
    longest_queue: LongestQueue | None
    blocked: Blocked | None = None


def traffic_of(run: Run, flits: int = 1) -> Traffic:
    """Counted by the engine; link occupancy follows from the channel cycles of the chip that was simulated.

    flits  of a packet
    """
    totals = run.counts.sum(axis=0)
    from_host = int(totals[A["host_spike"]])
    packets = int(totals[A["axon_out"]]) + from_host
    hops = int(sum(totals[A[hop]] for hop in HOPS if hop not in ("hop_inject", "hop_eject")))
    return Traffic(packets, from_host, ratio(hops, flits * packets), packet_latency(run), _busiest(run, flits),
                   _longest_queue(run), _blocked(run))


def packet_latency(run: Run) -> PacketLatency | None:
    """None where no packet was timed."""
    if not run.latency.sum():
        return None
    return PacketLatency(*(percentile_ps(run.latency, q) * PS for q in (50, 95, 99)))


def _blocked(run: Run) -> Blocked | None:
    if run.lost is None:
        return None
    worst = int(run.link_drops.argmax())
    drops = int(run.link_drops[worst])
    return Blocked(len(run.lost["tick"]), int(run.link_detours.sum()), link_name(run, worst) if drops else None, drops)


def _busiest(run: Run, flits: int) -> BusiestLink | None:
    if not len(run.link_packets) or not run.link_packets.max():
        return None
    occupied = run.link_packets * run.links["cycle_ps"] * PS
    busiest = int(np.argmax(occupied if occupied.max() > 0 else run.link_packets))
    return BusiestLink(
        link_name(run, busiest), int(run.link_packets[busiest]) // flits,
        ratio(float(occupied[busiest]), total_time(run)))


def _longest_queue(run: Run) -> LongestQueue | None:
    """None where queues were not counted, or no flit crossed a channel."""
    if not len(run.link_peak) or not run.link_peak.max():
        return None
    k = int(np.lexsort((run.link_peak, run.link_queued_ps))[-1])
    return LongestQueue(link_name(run, k), ratio(float(run.link_queued_ps[k]) * PS, total_time(run)),
                        int(run.link_peak[k]), int(run.links["slots"][k]))
