"""Placement of compiled networks: traffic of cores, what to avoid, what is pinned, on every fabric."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.avoid import Avoid, load_avoid
from chipsim.compiler.compile import PASSES
from chipsim.compiler.draft import Draft, Options
from chipsim.compiler.placing.place import core_traffic, place
from chipsim.engine.topology import plan_fabric, walk
from chipsim.errors import FitError, UsageError
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Sparse


def ring(n_layers=6, size=8, seed=0):
    """Layers in a ring, each to the next, sparse; one input population to the first."""
    rng = np.random.default_rng(seed)
    lif = dict(tau=np.array(0.01), r=np.array(1.0), v_leak=np.array(0.0), v_threshold=np.array(1.0))
    populations = {"in": Population("in", (size,), "input")}
    populations |= {f"l{k}": Population(f"l{k}", (size,), "lif", lif) for k in range(n_layers)}

    def weights():
        return Sparse(csr_array(rng.normal(size=(size, size)) * (rng.random((size, size)) < 0.5)))
    links = [Projection("in", "l0", (weights(),))]
    links += [Projection(f"l{k}", f"l{(k + 1) % n_layers}", (weights(),), delay=1) for k in range(n_layers)]
    return Network("ring", populations, tuple(links), dt=0.001)


def draft_of(network, chip, **options):
    draft = Draft(network, chip, Options(**options))
    for step in PASSES:
        if step is place:
            return draft
        draft = step(draft)
    raise AssertionError("no pass `place`")


def fabric_with(*settings):
    return load_chip("loihi", set=("fabric.n_cores=null", *settings))


FABRICS = {
    "mesh": ("fabric.width=4", "fabric.height=2", "fabric.cores_per_router=2"),
    "torus": ("fabric.topology=torus", "fabric.width=4", "fabric.height=4", "fabric.cores_per_router=1"),
    "chips": ("fabric.width=2", "fabric.height=2", "system.chips=[2,2]", "fabric.cores_per_router=1",
              "fabric.channels.interchip={latency: 50 ns, cycle: 50 ns, credit: 1 ns, slots: 4, energy: 60 pJ}"),
}


@pytest.mark.parametrize("name", FABRICS)
def test_every_core_gets_a_place_and_hops_are_those_of_the_routes(name):
    chip = fabric_with(*FABRICS[name])
    draft = draft_of(ring(), chip, neurons_per_core=4)
    placed = place(draft)
    assert len(set(placed.places.tolist())) == len(draft.cores) == 12
    plan, traffic = plan_fabric(chip.fabric, placed.places), core_traffic(draft).tocoo()
    hops = sum(traffic.data[moving].sum() for _, moving in walk(plan, traffic.row, traffic.col))
    assert placed.merit["hops_per_packet"] == pytest.approx(hops / traffic.data.sum())
    assert (place(draft).places == placed.places).all()


def test_traffic_counts_a_packet_per_source_and_core_it_reaches():
    network = ring(3, 5)
    draft = draft_of(network, fabric_with(), neurons_per_core=2)
    traffic = core_traffic(draft).toarray()
    home = {node.name: [None] * node.size for node in draft.nodes}
    for c, pieces in enumerate(draft.cores):
        for p in pieces:
            for k in range(p.first, p.stop):
                home[draft.nodes[p.node].name][k] = c
    expected = np.zeros_like(traffic)
    for link in network.projections:
        weight = link.ops[0].weight.toarray()
        for pre in range(5):
            for core in {home[link.post][post] for post in range(5) if weight[post, pre]}:
                expected[len(draft.cores) if link.pre == "in" else home[link.pre][pre], core] += 1
    assert (traffic == expected).all()


def test_dead_cores_and_routers_stay_empty_and_pins_hold(tmp_path):
    file = tmp_path / "dead.yaml"
    file.write_text("cores: [0, 1, 2]\nrouters: [[1, 0]]\npin: {l3: [30]}\n")
    layout = compile(ring(), "loihi", avoid=str(file))
    assert not {0, 1, 2, 4, 5, 6, 7} & set(layout.cores.tolist())
    core = next(g.core for g in layout.groups if layout.populations[g.population].name == "l3")
    assert layout.cores[core] == 30


def test_no_packet_crosses_a_dead_link():
    chip = fabric_with("fabric.width=4", "fabric.height=2", "fabric.cores_per_router=1")
    draft = draft_of(ring(), chip, avoid=Avoid(links=((0, 1), (0, 4)), routers=frozenset({0})))
    with pytest.raises(FitError, match=r"M253.*dead link between routers 0 and"):
        place(draft)                                     # the host's port is on router 0: nothing can get in
    placed = place(draft_of(ring(), chip, avoid=Avoid(links=((5, 6),))))
    plan, traffic = plan_fabric(chip.fabric, placed.places), core_traffic(placed).tocoo()
    used = {int(k) for channel, _ in walk(plan, traffic.row, traffic.col) for k in channel}
    assert not {k for k in used if {int(plan.from_router[k]), int(plan.to_router[k])} == {5, 6}}


def test_border_between_chips_is_crossed_less():
    chip = fabric_with("fabric.width=4", "fabric.height=4", "system.chips=[2,1]", "fabric.cores_per_router=1",
                       "fabric.channels.interchip={latency: 50 ns, cycle: 50 ns, credit: 1 ns, slots: 4, energy: 9 nJ}")
    placed = place(draft_of(ring(8), chip))
    assert (placed.places % 8 < 4).all()                 # eight cores fit the chip that has the host's port


@pytest.mark.parametrize(("text", "message"), [
    ("cores: [128]", r"there is no core 128; cores go from 0 to 127"),
    ("cores: 3", r"`cores` is not a list"),
    ("routers: [[8, 0]]", r"there is no router \[8, 0\]"),
    ("links: [[[0, 0]]]", r"is not a pair of routers"),
    ("core: [1]", r"there is no key `core`"),
    ("- 3", r"it is not a mapping"),
    ("cores: [", r"cannot be read"),
])
def test_mistakes_in_the_file_are_named(tmp_path, text, message):
    file = tmp_path / "dead.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=rf"U450.*{message}"):
        load_avoid(file, load_chip("loihi").fabric)


@pytest.mark.parametrize(("pin", "message"), [
    ((("nobody", (3,)),), "there is no population `nobody` to pin"),
    ((("l0", ()),), "takes 1 cores, 0 are given"),
    ((("l0", (9,)),), "pinned to core 9, which is dead"),
    ((("l0", (3,)), ("l1", (3,))), "two pins meet"),
])
def test_pins_that_cannot_hold_are_refused(pin, message):
    draft = draft_of(ring(), load_chip("loihi"), avoid=Avoid(cores=frozenset({9}), pin=pin))
    with pytest.raises(FitError, match=f"M252.*{message}"):
        place(draft)


def test_an_unknown_effort_is_refused():
    with pytest.raises(UsageError, match=r"U422.*`lazy`"):
        compile(ring(), effort="lazy")


def test_a_network_can_be_pinned_whole():
    pin = tuple((f"l{k}", (3 * k,)) for k in range(6))
    placed = place(draft_of(ring(), load_chip("loihi"), avoid=Avoid(pin=pin)))
    assert placed.places.tolist() == [0, 3, 6, 9, 12, 15]
