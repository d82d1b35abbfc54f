"""The timeline, read back with Perfetto's own library: slices that nest, flows that join, counters that empty."""
from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import synthetic_run as paper

import chipsim
from chipsim.errors import UsageError
from chipsim.report.names import link_name
from chipsim.report.replay import hops_of
from chipsim.report.trace import to_trace

protos = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
TICKS = range(21, 25)


@pytest.fixture(scope="module")
def run(request):
    examples = request.config.rootpath / "examples"
    network = chipsim.load_network(examples / "digits.nir", dialect="snntorch")
    layout = chipsim.compile(network, chipsim.load_chip("loihi"), neurons_per_core=16)
    stimulus = chipsim.Stimulus.load(examples / "digits_test.h5", ticks_per_sample=20)
    return chipsim.simulate(layout, stimulus, samples=slice(0, 3), record_packets=TICKS)


@pytest.fixture(scope="module")
def trace(run):
    trace = protos.Trace()
    trace.ParseFromString(to_trace(run))
    return trace


@pytest.fixture(scope="module")
def tracks(trace):
    described = [p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")]
    assert len({t.uuid for t in described}) == len(described)
    return {t.uuid: t for t in described}


def slices(trace, tracks):
    """(track name, slice name, begin, end, event) of every slice; beginnings and ends must pair up."""
    open_, found = defaultdict(list), []
    for packet in trace.packet:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            assert not open_[event.track_uuid], "slices of one server overlap"
            open_[event.track_uuid].append((packet.timestamp, event))
        elif event.type == event.TYPE_SLICE_END:
            begin, first = open_[event.track_uuid].pop()
            found.append((tracks[event.track_uuid].name, first.name, begin, packet.timestamp, first))
    assert not any(open_.values())
    return found


def test_only_chosen_ticks_are_recorded(run):
    assert np.unique(run.packets["tick"]).tolist() == [t for t in TICKS if t in run.packets["tick"]]
    assert set(run.packets["from_core"]) <= {-1, *run.cores.tolist()}


def test_every_packet_is_made_and_taken_once_and_a_flow_joins_the_two(run, trace, tracks):
    found = slices(trace, tracks)
    made = {f: (end, name) for name, what, _, end, e in found if what == "make packet" for f in e.flow_ids}
    taken = {f: begin for _, what, begin, _, e in found if what == "take packet" for f in e.terminating_flow_ids}
    assert len(made) == len(taken) == len(run.packets["tick"]) > 100
    assert made.keys() == taken.keys()
    assert all(made[f][0] <= taken[f] for f in made)
    makers = {name for _, name in made.values()}
    assert "host port: packets" in makers and any(name.endswith(": soma") for name in makers)


def test_servers_work_as_long_as_the_packets_say(run, trace, tracks):
    spent = defaultdict(int)
    for track, what, begin, end, _ in slices(trace, tracks):
        if what == "take packet":
            spent[track] += end - begin
    for core in np.unique(run.packets["to_core"]):
        mine = run.packets["to_core"] == core
        assert spent[f"core {core}: synapse"] == (run.packets["done_ps"] - run.packets["started_ps"])[mine].sum()


def test_ticks_follow_one_another_and_end_in_a_barrier(run, trace, tracks):
    found = slices(trace, tracks)
    ticks = [(what, begin, end) for track, what, begin, end, _ in found if track == "ticks"]
    shown = np.unique(run.packets["tick"])
    assert [what for what, *_ in ticks] == [f"tick {t}" for t in shown]
    assert [end - begin for _, begin, end in ticks] == run.tick_ps[shown].tolist()
    barriers = [(begin, end) for track, _, begin, end, _ in found if track == "barrier"]
    assert [end for _, end in barriers] == [end for *_, end in ticks]


def test_counters_start_from_nothing_and_end_there(trace, tracks):
    values = defaultdict(list)
    for packet in trace.packet:
        if packet.track_event.type == packet.track_event.TYPE_COUNTER:
            values[tracks[packet.track_event.track_uuid].name].append(packet.track_event.counter_value)
    assert "packets in the mesh" in values
    for name, level in values.items():
        assert min(level) == 0 == level[-1], name
        assert tracks[next(u for u, t in tracks.items() if t.name == name)].HasField("counter")


def test_busy_links_show_every_packet_that_crosses_them(run, trace, tracks):
    hops = hops_of(run)
    crossed = defaultdict(int)
    for track, what, begin, end, _ in slices(trace, tracks):
        if track.startswith("link "):
            assert what.startswith("packet ") and end - begin == 1163
            crossed[track] += 1
    between = (run.links["from_router"] >= 0) & (run.links["to_router"] >= 0)
    flits = np.bincount(hops.channel, minlength=len(between)) * between
    busiest = [k for k in np.argsort(-flits, kind="stable")[:16] if flits[k]]
    assert crossed == {f"link {link_name(run, k)}": flits[k] for k in busiest} and busiest


def test_events_are_in_order_of_time(trace):
    times = [p.timestamp for p in trace.packet if p.HasField("track_event")]
    assert times == sorted(times)


def test_a_run_without_packets_says_how_to_get_them():
    with pytest.raises(UsageError, match="--trace-ticks"):
        to_trace(paper.run())
