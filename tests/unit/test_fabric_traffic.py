"""Packet lists for the fabric alone: patterns, times, traces."""
from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.cli import fabric as command
from chipsim.errors import UsageError
from chipsim.explore import arrivals
from chipsim.explore.destinations import targets
from chipsim.explore.trace import load_trace
from chipsim.explore.traffic import PATTERNS, PROCESSES, Nodes, Traffic

SQUARE = Nodes(64, 8, 8, 1)


@pytest.mark.parametrize("chunk", [64, 1 << 20])
@pytest.mark.parametrize("pattern", ["uniform", "transpose", "bitcomp", "tornado", "neighbor"])
@pytest.mark.parametrize(("rate", "cycles"), [(0.02, 300), (0.9, 40)])
def test_lists_are_those_of_the_oracles_generator(validation_dir, monkeypatch, chunk, pattern, rate, cycles):
    spec = importlib.util.spec_from_file_location("oracle", validation_dir / "noc" / "packets.py")
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    monkeypatch.setattr(arrivals, "CHUNK", chunk)
    theirs = np.array(list(oracle.packets(8, rate, cycles, 1, 7, pattern)))
    ours = Traffic(pattern=pattern, rate=rate).packets(SQUARE, cycles, 1000, seed=7)
    assert np.array_equal(np.stack([ours.src, ours.dst, ours.at], 1), theirs[:, 1:4])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("pattern", ["uniform", "permutation"])
def test_every_process_offers_the_rate_that_was_asked_for(process, pattern):
    traffic = Traffic(pattern=pattern, process=process, rate=0.08, size=2, burst=20, period=100)
    p = traffic.packets(SQUARE, 20_000, 1, 3)
    assert abs(p.size.sum() / (64 * 20_000) / 0.08 - 1) < 0.05
    assert (np.diff(p.at) >= 0).all() and p.at.max() < 20_000
    again = traffic.packets(SQUARE, 20_000, 1, 3)
    assert np.array_equal(p.at, again.at) and np.array_equal(p.dst, again.dst)


def test_bursts_leave_gaps():
    ticks = Traffic(process="ticks", rate=0.05, burst=10, period=200).packets(SQUARE, 4000, 1)
    assert (ticks.at % 200 < 10).all()
    bursty = Traffic(process="bursty", rate=0.05, burst=10, period=200).packets(SQUARE, 40_000, 1)
    gaps = np.diff(bursty.at[bursty.src == 5])
    assert np.median(gaps) <= 2 and gaps.max() > 200


def test_permutations_are_permutations_and_hotspots_get_their_share():
    for pattern in ("bitcomp", "bitrev", "shuffle", "transpose", "tornado", "neighbor", "permutation"):
        assert sorted(targets(Traffic(pattern=pattern), SQUARE, 4)) == list(range(64)), pattern
    assert targets(Traffic(pattern="bitrev"), SQUARE, 0)[0b000110] == 0b011000
    assert targets(Traffic(pattern="shuffle"), SQUARE, 0)[0b100110] == 0b001101
    tile = targets(Traffic(pattern="transpose"), Nodes(64, 4, 4, 4), 0)
    assert tile[(1 + 4 * 3) * 4 + 2] == (3 + 4 * 1) * 4 + 2            # a core keeps its place at the router
    p = Traffic(pattern="hotspot", hotspots=((5, 0.3), (9, 0.2)), rate=0.5).packets(SQUARE, 2000, 1)
    share = np.bincount(p.dst, minlength=64) / len(p)
    assert abs(share[5] - 0.3 - 0.5 / 64) < 0.01 and abs(share[9] - 0.2 - 0.5 / 64) < 0.01
    assert np.delete(share, [5, 9]).max() < 0.012


@pytest.mark.parametrize(("code", "nodes", "what"), [
    ("F511", SQUARE, dict(pattern="zigzag")), ("F511", SQUARE, dict(process="poisson")),
    ("F512", Nodes(128, 8, 4, 4), dict(pattern="transpose")), ("F512", Nodes(12, 12, 1, 1), dict(pattern="bitrev")),
    ("F512", Nodes(60, 8, 8, 1), dict(pattern="tornado")),
    ("F513", SQUARE, dict(rate=1.5)), ("F513", SQUARE, dict(rate=0.0)), ("F513", SQUARE, dict(burst=9, period=8)),
    ("F513", SQUARE, dict(rate=0.2, process="ticks", burst=10, period=100)),
    ("F515", SQUARE, dict(pattern="hotspot")), ("F515", SQUARE, dict(pattern="hotspot", hotspots=((64, 0.1),))),
    ("F515", SQUARE, dict(pattern="hotspot", hotspots=((1, 0.6), (2, 0.6)))),
])
def test_what_cannot_be_offered_is_refused(code, nodes, what):
    with pytest.raises(UsageError) as error:
        Traffic(**what).packets(nodes, 100, 1)
    assert error.value.diagnostics[0].code == code


def test_the_command_knows_the_patterns_and_processes():
    assert tuple(PATTERNS) == command.PATTERNS and tuple(PROCESSES) == command.PROCESSES


def test_traces_come_in_cycles_or_picoseconds_and_in_order(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("packet_id,src,dst,inject_cycle,size\n0,1,2,7,3\n1,4,5,2,1\n")
    p = load_trace(file, SQUARE, 1000)
    assert [p.src.tolist(), p.dst.tolist(), p.at.tolist(), p.size.tolist()] == [[4, 1], [5, 2], [2, 7], [1, 3]]
    assert p.cycle_ps == 1000
    file.write_text("src,dst,ready_ps\n1,2,1234\n")
    p = load_trace(file, SQUARE, 1000)
    assert (p.at.tolist(), p.size.tolist(), p.cycle_ps) == ([1234], [1], 1)


@pytest.mark.parametrize(("text", "line", "word"), [
    ("src,dst\n1,2\n", 1, "inject_cycle"), ("src,dst,ready_ps\n1,2,3\n1,64,3\n", 3, "dst is 64"),
    ("src,dst,ready_ps\n1,x,3\n", 2, "whole numbers"), ("src,dst,inject_cycle,size\n1,2,3,0\n", 2, "size is 0"),
    ("src,dst,inject_cycle\n1,2,99999999999999999999\n", 2, "is the most"),
    ("src,dst,ready_ps\n", 1, "no packet"), ("", 1, "no column"), ("src,dst,ready_ps\n1,2\n", 2, "whole numbers"),
])
def test_a_wrong_trace_is_refused_with_its_line(tmp_path, text, line, word):
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        load_trace(file, SQUARE, 1000)
    found = error.value.diagnostics[0]
    assert found.code == "F514" and found.line == line and word in found.message


def test_nodes_are_the_cores_of_the_chip():
    assert Nodes.of(load_chip("loihi")) == Nodes(128, 8, 4, 4)
