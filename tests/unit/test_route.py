"""Routing tables: every spike finds its targets by key alone; short tables mean what long ones do, or that is told."""
from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from chipsim.chip import check_chip, load_chip
from chipsim.compiler import PASSES, compile
from chipsim.compiler.layout_file import load_layout, save_layout
from chipsim.compiler.placing.place import place
from chipsim.compiler.routing.tcam import first_wrong, minimise
from chipsim.engine import simulate
from chipsim.engine.run import ACTIONS
from chipsim.engine.topology import plan_fabric
from chipsim.errors import FitError, UsageError
from chipsim.network.build import NetworkBuilder

NOBODY = 10**9                              # tables of prefixes that long are left as they are


def board(entries=1024, neurons=4, chips="[3, 3]", more=()):
    return load_chip("spinnaker", set=(f"system.chips={chips}", f"fabric.router_entries={entries}",
                                       f"core.neurons={neurons}", *more))


def network(seed, sizes=(40, 40), density=0.1, lines=9):
    """Populations that fire by themselves, at random on each other, and lines on the first."""
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("random", dt=1e-3)
    net.add_input("in", lines)
    names = [net.add_population(f"p{i}", n, "lif", tau=0.01, r=3.0, v_leak=1.5, v_threshold=1.0)
             for i, n in enumerate(sizes)]
    for pre, post in itertools.product(["in", *names], names):
        n, m = net.populations[post].size, net.populations[pre].size
        if pre != "in" or post == "p0":
            net.connect(pre, post, "sparse", weights=random_array((n, m), density=density, rng=rng).tocsr(), delay=1)
    return net.build()


def delivered(layout, source):
    """Cores that a packet of a source comes to, router by router, as the tables say."""
    plan, tables = plan_fabric(layout.chip.fabric, layout.cores), layout.routing
    core = np.searchsorted(layout.core_start, source, "right") - 1 if source < layout.n_neurons else layout.n_cores
    at_port = {(int(plan.router[c]), int(plan.out_port[plan.eject[c]])): c for c in range(layout.n_cores)}
    waiting, found = [(int(plan.router[core]), -1)], []
    for _ in range(10_000):
        if not waiting:
            return sorted(found)
        router, came = waiting.pop()
        ports = tables.look_up(router, int(tables.source_key[source]))
        for p in [came] if ports is None else [p for p in range(64) if ports >> p & 1]:
            link = plan.out_channel[router, p]
            if link >= 0:
                waiting.append((int(plan.to_router[link]), p))
            else:
                found.append(at_port[router, p])
    raise AssertionError(f"the packets of source {source} go round for ever")


def targets(layout, source):
    own = layout.out_axon[layout.out_start[source] : layout.out_start[source + 1]]
    return sorted(layout.axon_core[own].tolist())


@given(st.integers(0, 2**32), st.sampled_from([1024, 40]), st.sampled_from(["hex_torus", "mesh"]))
@settings(max_examples=12, deadline=None)
def test_every_source_finds_all_of_its_targets_once_by_its_key(seed, entries, topology):
    rng = np.random.default_rng(seed)
    chip = board(entries, more=(f"fabric.topology={topology}", "fabric.blocked=null"))
    layout = compile(network(seed, tuple(rng.integers(5, 40, 2)), float(rng.uniform(0.02, 0.5))), chip, effort="fast")
    sends = [s for s in range(layout.n_sources) if targets(layout, s)]
    assert [delivered(layout, s) for s in sends] == [targets(layout, s) for s in sends]
    assert layout.routing.used.max() <= entries and (layout.routing.used <= layout.routing.plain).all()


def test_sources_share_their_routes_where_tables_are_short_and_what_comes_in_vain_is_simulated():
    """The same spikes and synaptic operations, more packets to more cores; the engines agree on all of it."""
    net = network(1, (60, 60), 0.05)
    roomy, tight = (compile(net, board(n), effort="fast") for n in (1024, 48))
    assert len(tight.approximations) == len(roomy.approximations) + 1
    assert tight.approximations[-1]["kind"] == "shared, to fit into 48 entries of a router"
    for layout in (roomy, tight):
        assert layout.usage["axons_out"].sum() == np.diff(layout.out_start)[: layout.n_neurons].sum()
    runs = [simulate(layout, ticks=12, engine=e) for layout in (roomy, tight) for e in ("compiled", "reference")]
    assert all(np.array_equal(a.counts, b.counts) for a, b in (runs[:2], runs[2:]))
    free, shared = (dict(zip(ACTIONS, run.counts.sum(axis=0).tolist(), strict=True)) for run in (runs[0], runs[2]))
    assert free["spike"] == shared["spike"] > 0 and free["synop_sparse"] == shared["synop_sparse"] > 0
    assert shared["axon_in"] > free["axon_in"]
    assert (np.diff(tight.axon_start) == 0).sum() <= tight.n_cores and (np.diff(roomy.axon_start) > 0).all()


def test_tables_that_are_too_long_are_told_with_need_and_have():
    with pytest.raises(FitError, match=r"M258.*routing table of router \(\d,\d\) needs \d+ entries, spinnaker has 3"):
        compile(network(2), board(3), effort="fast")


def test_a_layer_on_another_chip_takes_an_entry_where_its_packets_end():
    """64 sources on a core, all to one two chips away: an entry where they start, none between, one at the end."""
    net = NetworkBuilder("line", dt=1e-3)
    for name in "ab":
        net.add_population(name, 64, "lif", tau=0.01, v_leak=1.0)
    net.connect("a", "b", "one_to_one", delay=1)
    chip = board(chips="[5, 1]", neurons=64, more=("fabric.cores_per_router=1",))
    passes = [apart if step is place else step for step in PASSES]
    layout = compile(net.build(), chip, passes=passes)
    assert layout.routing.used.tolist() == [1, 0, 1, 0, 0] and layout.routing.plain.tolist() == [64, 0, 64, 0, 0]


def apart(draft):
    """Instead of `place`: the first core on chip 0, the second on chip 2."""
    return replace(draft, places=np.array([0, 2], np.int32))


def test_tables_are_stored_with_the_layout(tmp_path):
    layout = compile(network(3), board(), effort="fast")
    save_layout(layout, tmp_path / "a.layout.h5")
    stored = load_layout(tmp_path / "a.layout.h5").routing
    assert all(np.array_equal(v, getattr(stored, k)) for k, v in vars(layout.routing).items())


@pytest.mark.parametrize("router", [0, 1])
def test_stored_tables_that_overlap_are_refused(tmp_path, router):
    layout = compile(network(3), board(), effort="fast")
    start = layout.routing.start.copy()
    start[router] = start[-1] + 1
    save_layout(replace(layout, routing=replace(layout.routing, start=start)), tmp_path / "a.layout.h5")
    with pytest.raises(UsageError, match="tables of another layout"):
        load_layout(tmp_path / "a.layout.h5")


def test_entries_belong_to_routers_that_copy():
    found = check_chip("loihi", set=("fabric.router_entries=64",))
    assert ["`cast: multicast`" in d.message for d in found] == [True]


# ---- short tables ----

@st.composite
def blocks(draw, most=14):
    """(base, bits, route, passes) of blocks that ascend and do not overlap, with gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    at, found = 0, []
    for _ in range(draw(st.integers(1, most))):
        bits = int(rng.integers(0, 3))
        at = (at + (1 << bits) - 1 >> bits << bits) + (int(rng.integers(0, 3)) << bits) * int(rng.random() < 0.3)
        found.append((at, bits))
        at += 1 << bits
    base, bits = np.array(found).T
    n = len(found)
    return (base.astype(np.uint32), bits.astype(np.uint8), rng.integers(0, draw(st.integers(1, 4)), n).astype(np.int32),
            (rng.random(n) < 0.3).astype(np.uint8))


def ways(case, tables, base, bits):
    """The route of every key of a block, by looking each up; None: no entry."""
    _, key, mask, to = tables
    keys = range(int(base), int(base) + (1 << int(bits)))
    return {next((int(to[e]) for e in range(len(key)) if k & int(mask[e]) == int(key[e])), None) for k in keys}


@given(blocks(), st.sampled_from([0, NOBODY]))
@settings(max_examples=150, deadline=None)
def test_a_short_table_sends_every_key_where_the_long_one_does(case, hopeless):
    base, bits, route, passes = case
    tables = minimise(np.array([0, len(base)]), *case, hopeless)
    for b, n, r, p in zip(base, bits, route, passes, strict=True):
        assert ways(case, tables, b, n) <= ({int(r), None} if p else {int(r)})
    assert len(tables[1]) <= (passes == 0).sum()


@given(blocks(most=5))
@settings(max_examples=60, deadline=None)
def test_prefixes_are_as_few_as_can_be(case):
    """Against all choices of a route or none for every node of the tree of prefixes, longest first."""
    base, bits, route, passes = case
    few = len(minimise(np.array([0, len(base)]), *case, 0)[1])
    size = max(1, int(base[-1]) + (1 << int(bits[-1])) - 1).bit_length()

    def best(prefix, level, comes):
        """Fewest entries below a prefix when `comes` is the route from above (-1: none)."""
        inside = [i for i in range(len(base)) if int(base[i]) >> level == prefix]
        whole = [i for i in range(len(base)) if bits[i] >= level
                 and int(base[i]) >> bits[i] == prefix << level >> bits[i]]
        if not inside and not whole:
            return 0
        found = []
        for way in {comes, *map(int, route)} - {-1} | {comes}:
            if whole:
                i = whole[0]
                below = 0 if way == route[i] or (way == -1 and passes[i]) else 99
            else:
                below = best(2 * prefix, level - 1, way) + best(2 * prefix + 1, level - 1, way)
            found.append(below + (way != comes))
        return min(found)

    assert few == best(0, size, -1)


def test_masks_reach_where_prefixes_do_not():
    """Every other block goes one way: four prefixes, one mask."""
    base, route = np.arange(8, dtype=np.uint32), np.array([0, 1] * 4, np.int32)
    case = base, np.zeros(8, np.uint8), route, np.zeros(8, np.uint8)
    first = np.array([0, 8])
    assert len(minimise(first, *case, 0)[1]) > len(minimise(first, *case, NOBODY)[1]) == 2


@given(blocks(most=10), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_the_proof_finds_what_looking_up_every_key_finds(case, seed):
    """Of tables with one bit turned."""
    rng = np.random.default_rng(seed)
    start, key, mask, to = minimise(np.array([0, len(case[0])]), *case, NOBODY)
    if len(key):
        e, bit = int(rng.integers(len(key))), np.uint32(1 << int(rng.integers(5)))
        mask[e], key[e] = mask[e] ^ bit, key[e] & (mask[e] ^ bit)
    wrong = [i for i in range(len(case[0])) if not ways(case, (start, key, mask, to), case[0][i], case[1][i]) <= (
        {int(case[2][i]), None} if case[3][i] else {int(case[2][i])})]
    assert first_wrong(np.array([0, len(case[0])]), *case, start, key, mask, to) == (wrong[0] if wrong else -1)
