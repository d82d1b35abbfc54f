"""Hops of recorded packets, found again from the run: the same channels, and arrivals as recorded."""
from __future__ import annotations

import numpy as np
import pytest

import chipsim
from chipsim.chip import load_chip
from chipsim.network import NetworkBuilder
from chipsim.report.replay import hops_of

FABRICS = {
    "handshakes": (),
    "multicast": ("fabric.cast=multicast",),
    "adaptive": ("fabric.routing=odd_even",),
    "clocked": ("fabric.clock.period=1 ns", "fabric.clock.vcs=2"),
    "wormhole": ("fabric.flit_bits=12", "fabric.vcs=2", "fabric.channels.east_west.body_latency=3 ns"),
    "multicast worms": ("fabric.flit_bits=16", "fabric.cast=multicast"),
}


def crowded(fabric):
    """Four cores that all talk to all, with short FIFOs: packets wait everywhere."""
    rng = np.random.default_rng(4)
    net = NetworkBuilder("crowd", dt=1e-3)
    net.add_input("in", 6)
    net.add_population("p", 24, "loihi_lif", du=0, dv=0, vth_mant=1, bias_mant=rng.integers(20, 90, 24))
    net.connect("in", "p", weights=rng.integers(1, 9, (24, 6)), format=dict(weight_exponent=0))
    net.connect("p", "p", weights=rng.integers(1, 9, (24, 24)), format=dict(weight_exponent=0), delay=1)
    spec = load_chip("loihi", set=(
        "fabric.width=3", "fabric.height=2", "fabric.cores_per_router=1", "fabric.channels.eject.slots=2",
        "fabric.channels.east_west.slots=2", "costs.axon_in.time=30 ns", *FABRICS[fabric]))
    layout = chipsim.compile(net.build(["p"]), spec, neurons_per_core=4)
    stimulus = chipsim.Stimulus.from_dense(np.ones((4, 1, 6), np.uint8))
    return chipsim.simulate(layout, stimulus, record_packets=True)


@pytest.mark.parametrize("fabric", FABRICS)
def test_hops_are_those_of_the_run(fabric):
    run = crowded(fabric)
    hops, p = hops_of(run), run.packets
    assert np.array_equal(np.bincount(hops.channel, minlength=len(run.link_packets)), run.link_packets)
    flits = load_chip("loihi", set=FABRICS[fabric]).fabric.flits
    eject = np.flatnonzero(run.links["kind"][hops.channel] == 1)
    order = np.lexsort((hops.arrived[eject], hops.packet[eject], hops.channel[eject], hops.tick[eject]))
    eject = eject[order][flits - 1 :: flits]                            # the tails
    recorded = np.lexsort((p["arrived_ps"], p["to_core"], p["tick"]))
    found = np.lexsort((hops.arrived[eject], run.links["core"][hops.channel[eject]], hops.tick[eject]))
    assert np.array_equal(hops.arrived[eject][found], p["arrived_ps"][recorded])
    assert np.array_equal(hops.left[eject][found], p["started_ps"][recorded])
    assert (hops.left >= hops.arrived).all() and (hops.arrived > hops.granted).all()
    queued = np.bincount(hops.channel, weights=hops.left - hops.arrived, minlength=len(run.link_packets))
    assert np.array_equal(queued.astype(np.int64), run.link_queued_ps) and queued.max() > 0
