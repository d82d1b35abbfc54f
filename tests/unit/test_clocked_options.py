"""Options of clocked routers: what each does to a lone packet, and which are refused."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.engine.clocked import ClockedFabric
from chipsim.engine.reference_clocked import ClockedMesh
from chipsim.engine.reference_router import Clocked
from chipsim.engine.topology import plan_fabric
from chipsim.errors import ChipsimError

LINKS = tuple(f"fabric.channels.{c}.{number}" for c in ("inject", "eject", "east_west", "north_south")
              for number in ("latency=1 ns", "slots=8"))


def mesh(**clock):
    """A 4x4 mesh with links of one cycle."""
    lines = ["fabric.width=4", "fabric.height=4", "fabric.cores_per_router=1", "fabric.clock.period=1 ns", *LINKS]
    return load_chip("loihi", set=(*lines, *(f"fabric.clock.{key}={value}" for key, value in clock.items()))).fabric


def both(fabric, src, dst, cycle, size):
    """Times of the compiled routers, which are those of the plain ones."""
    plan = plan_fabric(fabric, np.arange(16), host=False)
    fast = ClockedFabric(plan, fabric.clock).run(src, dst, cycle, size)
    plain = ClockedMesh(plan, Clocked.of(fabric.clock)).run(src, dst, cycle, size)
    for name in plain:
        assert np.array_equal(fast[name], plain[name]), name
    return fast


@pytest.mark.parametrize(("hop", "clock"), [
    (4, {}), (5, {"routing_delay": 1}), (3, {"speculation": "switch"}), (3, {"internal_speedup": 2}),
    (3, {"internal_speedup": 2, "routing_delay": 1}),
    (5, {"traversal": 2}), (5, {"traversal": 2, "crossbar": "batches"}), (4, {"input_speedup": 2, "vcs": 2}),
    (4, {"connection": "packet"}), (4, {"allocator": "wavefront"}), (4, {"output_speedup": 2}),
    (4, {"vc_use": "next_output", "vcs": 6})])
def test_a_lone_packet_takes_so_many_cycles_per_router(hop, clock):
    """arrive = inject + 2 + (D + 1) hop + (flits - 1), as measured of BookSim 2 for the first two."""
    fabric = mesh(**clock)
    arrive = both(fabric, [0], [15], [10], [1])["arrive"][0]
    assert arrive == 10 + 2 + 7 * hop
    assert fabric.clock.router_cycles == hop - 2


@pytest.mark.parametrize("clock", [{"speculation": "switch"}, {"connection": "packet"}, {"internal_speedup": 2}])
def test_flits_of_a_lone_packet_follow_one_another(clock):
    one, four = (both(mesh(**clock), [0], [15], [0], [size])["arrive"][0] for size in (1, 4))
    assert four == one + 3


def test_batches_let_flits_in_when_the_crossbar_is_empty():
    """Flits that win in cycles t, t + 1 and t + 2 begin to cross in t + 1, t + 3 and t + 3."""
    pipeline, batches = (both(mesh(traversal=2, crossbar=c), [0], [1], [0], [8])["arrive"][0]
                         for c in ("pipeline", "batches"))
    assert pipeline == 2 + 2 * 5 + 7
    assert batches > pipeline


@pytest.mark.parametrize("clock", [{"vcs": 4}, {"vcs": 6, "routing_delay": 1}])
def test_channels_by_the_next_output_need_one_per_port_and_a_route_looked_ahead(clock):
    with pytest.raises(ChipsimError, match="by the next output"):
        mesh(vc_use="next_output", **clock)


def test_too_many_ports_and_channels_are_refused_with_a_remedy():
    with pytest.raises(ChipsimError, match="use fewer cores per router, fewer virtual channels"):
        load_chip("loihi", set=("fabric.cores_per_router=8", "fabric.clock={period: 1 ns, vcs: 8}"))
