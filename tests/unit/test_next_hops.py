"""Written routes: entries that say what dimension order says mean the same; what leads astray is named, in place."""
from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import check_chip, load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.engine.run import A
from chipsim.engine.topology import LOCAL, plan_fabric
from tests.mesh_lab import ENGINES, LATENCY, NS, Tick, chip

MESH = "  width: 3\n  height: 2\n  cores_per_router: 1\n"
RING = ("  topology: custom\n  routers: 4\n  links: [0-1, 1-2, 2-3, 3-0]\n  width: 1\n  height: 1\n"
        "  cores_per_router: 1\n")


def described(folder, fabric, table):
    """A chip file with this table."""
    path = folder / "mine.yaml"
    path.write_text("extends: loihi\nname: mine\nfabric:\n"
                    f"{fabric}  n_cores: null\n  routing: table\n  table:\n{table}")
    return path


def by_rows(width, height):
    """X first, written with rectangles: settings for `load_chip`."""
    at = "fabric.table.routers"
    for x in range(width):
        column = f"x{x}y0-x{x}y{height - 1}"
        if x + 1 < width:
            yield f"{at}.{column}.x{x + 1}y0-x{width - 1}y{height - 1}=east"
        if x:
            yield f"{at}.{column}.x0y0-x{x - 1}y{height - 1}=west"
    for y in range(height):
        row = f"x0y{y}-x{width - 1}y{y}"
        if y + 1 < height:
            yield f"{at}.{row}.x0y{y + 1}-x{width - 1}y{height - 1}=north"
        if y:
            yield f"{at}.{row}.x0y0-x{width - 1}y{y - 1}=south"


@pytest.mark.parametrize(("width", "height"), [(1, 4), (4, 1), (3, 3), (5, 2)])
def test_dimension_order_written_as_a_table_is_dimension_order(width, height):
    size = (f"fabric.width={width}", f"fabric.height={height}", "fabric.cores_per_router=2")
    plain = load_chip("loihi", set=size)
    written = load_chip("loihi", set=(*size, "fabric.routing=table", *by_rows(width, height)))
    cores = np.arange(plain.n_cores)
    assert np.array_equal(*(plan_fabric(c.fabric, cores).next_port for c in (plain, written)))
    assert ChipSpec.from_dict(written.to_dict()) == written


def test_straight_goes_on_the_way_a_packet_came(tmp_path):
    """On a row of five, entries stand only where packets are made: cores are on routers 0 and 1, the host on 4."""
    row = "  width: 5\n  height: 1\n  cores_per_router: 1\n  io: {router: [4, 0]}\n"
    table = "    default: straight\n    routers: {0: {1: east}, 1: {0: west}, 4: {0-1: west}}\n"
    path = described(tmp_path, row, table)
    path.write_text(path.read_text().replace("n_cores: null", "n_cores: 2"))
    plan = plan_fabric(load_chip(path).fabric, np.arange(2))
    assert plan.next_port[:, :2].tolist() == [[LOCAL, 0], [1, LOCAL], [1, 1], [1, 1], [1, 1]]


@pytest.mark.parametrize(("fabric", "table", "line", "code", "said"), [
    (MESH, ["0-4: {all: east}", "5: {all: west}"], "0-4: {all: east}", "E118", "leave router (2,0) where it has no"),
    (MESH, ["0-1: {all: east}"], "routers:", "E118", "router (2,0) has no entry for packets to (0,0), (1,0), "),
    (MESH, ["0: {3-5: north, all: east}", "1: {4: straight}"], "1: {4: straight}", "E118", "`straight` leads nowhere"),
    (MESH, ["all: {x1y0: west, x0y0-x2y1: east}", "0: {0-1: east}"], "all: {x1y0: west, x0y0-x2y1: east}", "E118",
     "packets to (1,0) leave router (0,0) where it has no link"),
    (MESH, ["0: {all: east}", "1: {all: west}"], "0: {all: east}", "E118", "circle: (0,0) → (1,0) → (0,0)"),
    (MESH, ["9: {all: east}"], "9: {all: east}", "E118", "`9` does not name routers of this mesh"),
    (MESH, ["0: {x0y0-x3y0: east}"], "0: {x0y0-x3y0: east}", "E118", "`x0y0-x3y0` does not name routers"),
    (MESH, ["0: {all: up}"], "0: {all: up}", "E118", "`up` is no way out of a router of this mesh"),
    (MESH, ["0: {all: 4}"], "0: {all: 4}", "E118", "packets to (1,0), (2,0), (0,1), (1,1), (2,1) leave router (0,0)"),
    (RING, ["0: {all: straight}"], "0: {all: straight}", "E118", "`straight` is no way out of a router of this custom"),
    (RING, ["0: {all: 1}", "1: {all: 2}", "2: {all: 3}", "3: {all: 0}"], "0: {all: 1}", "F502",
     "router 0→router 1, router 1→router 2, router 2→router 3, router 3→router 0, router 0→router 1"),
])
def test_what_leads_astray_is_named_where_it_is_written(tmp_path, fabric, table, line, code, said):
    found = check_chip(described(tmp_path, fabric, "    routers:\n" + "".join(f"      {row}\n" for row in table)))
    said_there = [(d.text.strip(), d.code) for d in found if said in d.message]
    assert (line, code) in said_there, [d.render() for d in found]


def test_a_fork_by_straight_is_refused(tmp_path):
    """Packets to (1,0) come to (1,1), which makes none, from both sides: straight would part them."""
    table = ("    default: straight\n    routers:\n      0: {all: north}\n      2: {all: north}\n      3: {all: east}\n"
             "      5: {all: west}\n      1: {0: west, 2: east}\n")
    path = described(tmp_path, MESH, table)
    path.write_text(path.read_text().replace("n_cores: null", "n_cores: 3"))
    found = check_chip(path)
    assert [(d.line, d.message) for d in found] == [(
        10, "packets to (0,0), (1,0), (2,0) come to router (1,1) from several sides and would part there by "
        "`straight`")]


def test_a_circle_of_channels_may_stand_where_blocked_packets_are_dropped(tmp_path):
    table = "    routers:\n      0: {all: 1}\n      1: {all: 2}\n      2: {all: 3}\n      3: {all: 0}\n"
    path = described(tmp_path, RING + "  blocked: {wait: 1 us}\n", table)
    assert not check_chip(path)


@given(st.integers(2, 7), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_table_is_refused_if_it_leads_astray_or_can_deadlock(n, seed):
    """Random entries on random trees with links more, against packets followed one by one and networkx's cycles."""
    rng = np.random.default_rng(seed)
    links = {(int(rng.integers(0, b)), b) for b in range(1, n)}
    links |= {tuple(sorted(rng.choice(n, 2, False).tolist())) for _ in range(2)}
    near = {r: [b if a == r else a for a, b in sorted(links) if r in (a, b)] for r in range(n)}
    tree = {r: {d: min(near[r], key=lambda k, d=d: (distance(near, k, d), k)) for d in range(n) if d != r}
            for r in near}
    for r, d in [(int(rng.integers(0, n)), int(rng.integers(0, n))) for _ in range(rng.integers(0, 2))]:
        if r != d:
            tree[r][d] = int(rng.choice(near[r]))
    joined = ", ".join(f"{a}-{b}" for a, b in sorted(links))
    lines = [f"fabric.table.routers.{r}.{d}={way}" for r, row in tree.items() for d, way in row.items()]
    found = check_chip("loihi", set=(
        "fabric.topology=custom", f"fabric.routers={n}", "fabric.width=1", "fabric.height=1",
        "fabric.cores_per_router=1", f"fabric.links=[{joined}]", "fabric.routing=table", *lines))
    lost = any(not arrives(tree, r, d) for r in range(n) for d in range(n))
    if lost:
        assert found and all(f.code == "E118" for f in found)
        return
    turns = nx.DiGraph(((r, tree[r][d]), (tree[r][d], tree[tree[r][d]][d]))
                       for r in range(n) for d in range(n) if r != d != tree[r][d])
    assert [f.code for f in found] == ["F502"] * (not nx.is_directed_acyclic_graph(turns))


def distance(near, a, b):
    reached, hops = {a}, 0
    while b not in reached:
        reached, hops = reached | {k for r in reached for k in near[r]}, hops + 1
    return hops


def arrives(tree, here, goal):
    for _ in range(len(tree)):
        if here == goal:
            return True
        here = tree[here][goal]
    return here == goal


@pytest.mark.parametrize("engine", ENGINES)
def test_a_detour_takes_its_links_one_after_the_other(engine):
    """From (0,0) to (1,0) by way of the upper row: inject, three links, eject; the other way stays direct."""
    detour = ("fabric.routing=table", "fabric.table.routers.0.1=north", "fabric.table.routers.0.2=north",
              "fabric.table.routers.0.3=north", "fabric.table.routers.2.0=south", "fabric.table.routers.2.all=east",
              "fabric.table.routers.3.1=south", "fabric.table.routers.3.all=west", "fabric.table.routers.1.0=west",
              "fabric.table.routers.1.all=north")
    tick = Tick([(0, 1), (1, 0)], chip(2, 2, more=detour), engine)
    assert (tick.arrived - tick.entered).tolist() == [5 * LATENCY * NS, 3 * LATENCY * NS]
    assert [tick.run.counts[:, A[hop]].sum() for hop in ("hop_east_west", "hop_north_south")] == [2, 2]


def test_a_custom_fabric_that_falls_apart_is_refused():
    found = check_chip("loihi", set=("fabric.topology=custom", "fabric.routing=shortest", "fabric.routers=4",
                                     "fabric.width=1", "fabric.height=1", "fabric.links=[0-1, 2-3]",
                                     "fabric.cores_per_router=1"))
    assert [d.message for d in found] == ["no path leads from router 0 to router 2"]
