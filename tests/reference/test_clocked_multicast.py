"""Multicast through clocked routers: every target once, along the tree, and never more over a link than unicast."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim import simulate
from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Dense
from chipsim.network.stimulus import Stimulus

CLOCK = ("fabric.width=4", "fabric.height=3", "fabric.cores_per_router=1", "fabric.clock={period: 1 ns, vcs: 2}")
TICKS = 6


def crowd(n=48):
    """A population on twelve cores that excites all of itself, and inputs that reach it all."""
    params = dict(du=[0], dv=[4095], vth_mant=[3], bias_mant=[0], bias_exp=[0], refract=[1])
    populations = {"in": Population("in", (4,), "input"), "p": Population("p", (n,), "loihi_lif", params)}
    form = dict(weight_exponent=0, weight_bits=8, sign="mixed")
    weights = np.random.default_rng(1).integers(1, 200, (n, n)).astype(float)
    return Network("crowd", populations, (Projection("in", "p", (Dense(weights[:, :4]),), 0, form),
                                          Projection("p", "p", (Dense(weights),), 1, form)), outputs=("p",))


def run(cast, *settings, engine="compiled"):
    stimulus = Stimulus.from_dense((np.random.default_rng(2).random((TICKS, 1, 4)) < 0.5).astype(np.uint8))
    layout = compile(crowd(), load_chip("loihi", set=(*CLOCK, f"fabric.cast={cast}", *settings)), neurons_per_core=4)
    return simulate(layout, stimulus, engine=engine, record_packets=True)


def deliveries(found):
    return sorted(zip(*(found.packets[key].tolist() for key in ("tick", "source", "to_core")), strict=True))


@pytest.mark.parametrize("settings", [
    (), ("fabric.clock.speculation=switch",), ("fabric.clock.internal_speedup=2", "fabric.clock.allocator=wavefront"),
    ("fabric.channels.eject.slots=1", "fabric.channels.east_west.slots=1")])
def test_every_target_gets_a_spike_once_and_no_link_carries_more_than_with_unicast(settings):
    unicast, multicast = run("unicast", *settings), run("multicast", *settings)
    got = deliveries(multicast)
    assert got == deliveries(unicast) and len(set(got)) == len(got) > 100
    assert (multicast.link_packets <= unicast.link_packets).all()
    assert multicast.link_packets.sum() < 0.7 * unicast.link_packets.sum()


def test_plain_and_compiled_routers_copy_at_the_same_times():
    fast, plain = run("multicast"), run("multicast", engine="reference")
    for key in fast.packets:
        assert np.array_equal(fast.packets[key], plain.packets[key]), key
