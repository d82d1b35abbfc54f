"""The compiled clocked routers equal the plain ones, flit for flit, on fabrics and traffic nobody chose."""
from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.engine.clocked import ClockedFabric
from chipsim.engine.queues import Queues
from chipsim.engine.reference_clocked import ClockedMesh
from chipsim.engine.reference_router import Clocked
from chipsim.engine.routing import BY_VC
from chipsim.engine.topology import plan_fabric

ROUTINGS = ("xy", "yx", "west_first", "north_last", "negative_first", "odd_even")


OPTIONS = {"routing_delay": (1,), "credit_delay": (0, 2, 3), "traversal": (2, 3), "reuse": ("when_empty",),
           "allocator": ("round_robin", "wavefront", "oldest"), "iterations": (2, 3), "priority": ("age",)}
UNUSUAL = {"speculation": ("switch",), "connection": ("packet",), "crossbar": ("batches",), "input_speedup": (2, 3),
           "output_speedup": (2,), "internal_speedup": (2, 3), "output_queue": (1, 2)}


@st.composite
def cases(draw):
    topology = draw(st.sampled_from(["mesh", "torus"]))
    vcs = draw(st.integers(2 if topology == "torus" else 1, 4))
    cores = draw(st.integers(1, 3))
    settings = [f"fabric.topology={topology}", f"fabric.width={draw(st.integers(1, 4))}",
                f"fabric.height={draw(st.integers(1, 4))}", f"fabric.cores_per_router={cores}",
                f"fabric.routing={draw(st.sampled_from(ROUTINGS if topology == 'mesh' else ROUTINGS[:2]))}",
                "fabric.clock.period=1 ns", f"fabric.clock.vcs={vcs}"]
    options = dict(OPTIONS, **draw(st.sampled_from([{}, UNUSUAL, UNUSUAL])))
    for name in draw(st.lists(st.sampled_from(sorted(options)), unique=True)):
        settings.append(f"fabric.clock.{name}={draw(st.sampled_from(options[name]))}")
    if topology == "mesh" and vcs > 1 and draw(st.booleans()):
        settings.append(f"fabric.routing={draw(st.sampled_from(BY_VC))}")
    elif topology == "mesh" and cores == 1 and draw(st.booleans()):
        settings += ["fabric.routing=xy", "fabric.clock.vcs=6", "fabric.clock.vc_use=next_output",
                     "fabric.clock.routing_delay=0"]
    for channel in ("inject", "eject", "east_west", "north_south"):
        settings += [f"fabric.channels.{channel}.latency={draw(st.integers(1, 4))} ns",
                     f"fabric.channels.{channel}.slots={draw(st.integers(1, 5))}"]
    fabric = load_chip("loihi", set=tuple(settings)).fabric
    nodes = fabric.width * fabric.height * cores
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 60))
    packets = (rng.integers(0, nodes, n), rng.integers(0, nodes, n),
               np.sort(rng.integers(0, draw(st.integers(1, 200)), n)), rng.integers(1, draw(st.integers(1, 6)) + 1, n))
    return fabric, np.arange(nodes), packets


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_compiled_routers_equal_the_plain_ones(case):
    fabric, cores, packets = case
    plan, clock = plan_fabric(fabric, cores, host=False), fabric.clock
    routers = ClockedFabric(plan, clock)
    fast, mesh = routers.run(*packets), ClockedMesh(plan, Clocked.of(clock))
    plain, queues = mesh.run(*packets), Queues.of_stays(mesh.stays)
    for name in plain:
        assert np.array_equal(fast[name], plain[name]), name
    assert np.array_equal(routers.occupancy()[0], queues.queued_ps)
    assert np.array_equal(routers.occupancy()[1], queues.peak)
    hops = fast["load"][plan.kind == 0].sum()
    assert hops == packets[3].sum() == fast["load"][plan.kind == 1].sum()
