"""Chosen ticks as a timeline for ui.perfetto.dev: what every core's two servers did, packet by packet.

One track per soma server and per synapse server, counters for the queue before each synapse server and for the packets
in the mesh, a track of ticks and one of barriers; an arrow leads from each packet's making to its taking. The busiest
links have a track each, with a counter of the queue behind them. A microsecond of the timeline is a nanosecond of the
chip, for Perfetto counts in nanoseconds and the chip in picoseconds.

The format is Perfetto's TracePacket stream (https://perfetto.dev/docs/reference/trace-packet-proto), of which a few
fields are enough; they are written here, so that no library is needed.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from chipsim.engine.outcome import LOST
from chipsim.engine.run import Run
from chipsim.errors import Diagnostic, UsageError
from chipsim.report.names import link_name, set_by
from chipsim.report.replay import Hops, hops_of

SLICE_BEGIN, SLICE_END, COUNTER = 1, 2, 4
SEQUENCE = 1
PROCESS, TICKS, BARRIERS, IN_FLIGHT = 1, 2, 3, 4                   # uuids of the tracks; those of cores follow
SOMA, SYNAPSE, QUEUE, PER_CORE, FIRST_CORE = 0, 1, 2, 3, 16
HOT_LINKS = 16                                                    # links that get a track
HOST = -1
Facts = dict[str, int | str] | None

CODES = {
    "R510": "A timeline is drawn from the records of single packets, which are kept for chosen ticks only: give "
            "`--trace FILE` and `--trace-ticks A:B` to `chipsim run`, or `record_packets=range(A, B)` to `simulate`. "
            "It takes timing `exact`: at other levels no packet has times.",
}


def to_trace(run: Run) -> bytes:
    """The ticks whose packets were recorded, as the bytes of a .pftrace file. UsageError where there are none."""
    if run.packets is None or run.timing != "exact":
        raise UsageError(Diagnostic("R510", f"this run (timing {run.timing}) has no records of packets",
                                    help="--trace FILE --trace-ticks A:B records those of ticks A to B-1"))
    return b"".join(_field(1, packet) for packet in _packets(run))


def _packets(run: Run) -> Iterator[bytes]:
    p = run.packets
    assert p is not None
    start = np.concatenate([[0], np.cumsum(run.tick_ps)])
    shown = np.unique(p["tick"])
    at = start[p["tick"]] - (start[shown[0]] if len(shown) else 0)
    cores = np.union1d(p["from_core"], p["to_core"]).tolist()
    yield _track(PROCESS, f"{run.layout_name} on {run.chip['name']} (1 µs here is 1 ns of the chip)", process=True)
    yield _track(TICKS, "ticks", PROCESS)
    yield _track(BARRIERS, "barrier", PROCESS)
    yield _track(IN_FLIGHT, "packets in the mesh", PROCESS, counter=True)
    for i, core in enumerate(cores):
        name = "host port" if core == HOST else f"core {core}"
        yield _track(_uuid(i, SOMA), f"{name}: {'packets' if core == HOST else 'soma'}", PROCESS)
        if core != HOST:
            yield _track(_uuid(i, SYNAPSE), f"{name}: synapse", PROCESS)
            yield _track(_uuid(i, QUEUE), f"{name}: input queue", PROCESS, counter=True)
    hops = hops_of(run)
    links = _hot_links(run, hops)
    for i, link in enumerate(links):
        name = f"link {link_name(run, link)}"
        yield _track(_uuid(len(cores), 2 * i), name, PROCESS)
        yield _track(_uuid(len(cores), 2 * i + 1), f"{name}: queue behind it", PROCESS, counter=True)
    events: list[tuple[int, int, bytes]] = []                      # time, order among equals, packet

    def slice_(track: int, name: str, begin: int, end: int, facts: Facts = None, flow: int = 0,
               end_flow: int = 0) -> None:
        """Ends come before begins of the same time, so that slices of a track never overlap."""
        events.append((begin, 1, _event(begin, track, SLICE_BEGIN, name, facts, flow=flow, end_flow=end_flow)))
        events.append((end, 0 if end > begin else 1, _event(end, track, SLICE_END)))

    for tick in shown.tolist():
        begin, length = int(start[tick] - start[shown[0]]), int(run.tick_ps[tick])
        slice_(TICKS, f"tick {tick}", begin, begin + length, {"set by": set_by(run, int(run.tick_limit[tick]))})
        if run.barrier_ps[tick]:
            slice_(BARRIERS, "barrier", begin + length - int(run.barrier_ps[tick]), begin + length)
    index = {core: i for i, core in enumerate(cores)}
    _servers(run, at, index, slice_)
    _links(run, hops, links, at, len(cores), slice_)
    for track, arrive, leave in [*_queues(run, at, index), *_link_queues(hops, links, at, len(cores))]:
        events += [(t, 1, _event(t, track, COUNTER, value=n)) for t, n in _level(arrive, leave)]
    for _, _, packet in sorted(events, key=lambda e: e[:2]):
        yield packet


def _servers(run: Run, at: np.ndarray, index: dict[int, int], slice_: Callable[..., None]) -> None:
    """Slices of the soma servers (work, then stall while the FIFO is full) and of the synapse servers."""
    p = run.packets
    assert p is not None
    order = np.lexsort((p["made_ps"], p["from_core"], p["tick"]))
    before: tuple[int, int, int] | None = None                     # tick, core, time the server was free again
    last = (-1, -1, -1, -1)
    for i in order.tolist():
        tick, core, made, entered = (int(p[k][i]) for k in ("tick", "from_core", "made_ps", "entered_ps"))
        origin = int(at[i])
        if (tick, core, int(p["source"][i]), made) != last:        # the copies of a multicast packet are made once
            last = (tick, core, int(p["source"][i]), made)
            free = before[2] if before and before[:2] == (tick, core) else 0
            track = _uuid(index[core], SOMA)
            slice_(track, "make packet", origin + free, origin + made, {"source": int(p["source"][i])}, flow=i + 1)
            if entered > made:
                slice_(track, "stall: FIFO full", origin + made, origin + entered)
            before = (tick, core, entered)
        if p["arrived_ps"][i] == LOST:
            continue
        slice_(_uuid(index[int(p["to_core"][i])], SYNAPSE), "take packet", origin + int(p["started_ps"][i]),
               origin + int(p["done_ps"][i]),
               {"axon": int(p["axon"][i]), "latency ps": int(p["arrived_ps"][i]) - made}, end_flow=i + 1)


def _hot_links(run: Run, hops: Hops) -> list[int]:
    """Links between routers that were busy longest in the recorded ticks, by number."""
    busy = np.bincount(hops.channel, minlength=len(run.links["kind"])) * run.links["cycle_ps"]
    busy[(run.links["from_router"] < 0) | (run.links["to_router"] < 0)] = 0
    order = np.argsort(-busy, kind="stable")[:HOT_LINKS]
    return sorted(order[busy[order] > 0].tolist())


def _links(run: Run, hops: Hops, links: list[int], at: np.ndarray, n_cores: int,
           slice_: Callable[..., None]) -> None:
    """A slice per flit, for as long as it keeps the link from the next one."""
    p = run.packets
    assert p is not None
    track = {link: _uuid(n_cores, 2 * i) for i, link in enumerate(links)}
    for k in np.flatnonzero(np.isin(hops.channel, links)).tolist():
        row, begin = int(hops.packet[k]), int(at[hops.packet[k]] + hops.granted[k])
        facts = {"from": _name(int(p["from_core"][row])), "to": _name(int(p["to_core"][row])),
                 "arrives ps": int(hops.arrived[k]), "waits behind the link ps": int(hops.left[k] - hops.arrived[k])}
        slice_(track[int(hops.channel[k])], f"packet {row + 1}", begin,
               begin + int(run.links["cycle_ps"][hops.channel[k]]), facts)


def _link_queues(hops: Hops, links: list[int], at: np.ndarray,
                 n_cores: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for i, link in enumerate(links):
        mine = hops.channel == link
        origin = at[hops.packet[mine]]
        yield _uuid(n_cores, 2 * i + 1), origin + hops.arrived[mine], origin + hops.left[mine]


def _name(core: int) -> str:
    return "host port" if core == HOST else f"core {core}"


def _queues(run: Run, at: np.ndarray, index: dict[int, int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(track, times in, times out) of each counter."""
    p = run.packets
    assert p is not None
    lost = p["arrived_ps"] == LOST
    yield IN_FLIGHT, at + p["entered_ps"], at + np.where(lost, p["done_ps"], p["arrived_ps"])
    for core in np.unique(p["to_core"]).tolist():
        mine = (p["to_core"] == core) & ~lost
        yield _uuid(index[core], QUEUE), (at + p["arrived_ps"])[mine], (at + p["started_ps"])[mine]


def _level(arrive: np.ndarray, leave: np.ndarray) -> Iterable[tuple[int, int]]:
    """(time, how many are inside from then on), where it changes."""
    times = np.concatenate([arrive, leave])
    steps = np.repeat([1, -1], [len(arrive), len(leave)])
    moments, inverse = np.unique(times, return_inverse=True)
    change = np.bincount(inverse, weights=steps).astype(np.int64)
    level = np.cumsum(change)
    return [(int(t), int(n)) for t, n, c in zip(moments, level, change, strict=True) if c]


def _uuid(core: int, part: int) -> int:
    return FIRST_CORE + PER_CORE * core + part


# One message of the format each; the numbers are those of the fields in its .proto files.

def _track(uuid: int, name: str, parent: int = 0, *, counter: bool = False, process: bool = False) -> bytes:
    body = _number(1, uuid) + (_field(3, _number(1, 1) + _field(6, name.encode())) if process else b"")
    body += b"" if process else _field(2, name.encode())
    body += (_number(5, parent) if parent else b"") + (_field(8, b"") if counter else b"")
    body += _number(11, 3) if process else _number(12, uuid)       # tracks in the order of their uuids
    return _field(60, body) + _number(10, SEQUENCE)


def _event(time_ps: int, track: int, kind: int, name: str = "", facts: Facts = None, *, value: int | None = None,
           flow: int = 0, end_flow: int = 0) -> bytes:
    body = _number(9, kind) + _number(11, track) + (_field(23, name.encode()) if name else b"")
    for fact, what in (facts or {}).items():
        content = _number(3, what) if isinstance(what, int) else _field(6, what.encode())
        body += _field(4, _field(10, fact.encode()) + content)
    body += _number(30, value) if value is not None else b""
    body += _fixed64(47, flow) if flow else b""
    body += _fixed64(48, end_flow) if end_flow else b""
    return _number(8, time_ps) + _field(11, body) + _number(10, SEQUENCE)


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed64(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + value.to_bytes(8, "little")


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
