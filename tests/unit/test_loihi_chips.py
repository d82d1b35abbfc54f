"""Several Loihi chips side by side: links between them, at about a thirtieth of the bandwidth on a chip."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.avoid import Avoid
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.network import NetworkBuilder
from chipsim.report.report import report

TWO = load_chip("loihi", set=("system.chips=[2,1]",))


def sent_to(router, n=40, chip=TWO, timing="exact", engine="compiled"):
    """n neurons on tile (7, 0) of the first chip spike in every tick, each to a neuron of one core elsewhere."""
    net = NetworkBuilder("two chips")
    net.add_population("here", n, "loihi_lif", vth_mant=0, bias_mant=1)
    net.add_population("there", n, "loihi_lif", vth_mant=10**5, bias_mant=1, dv=4095)
    net.connect("here", "there", "one_to_one", weights=1.0, delay=1)
    layout = compile(net.build(), chip, avoid=Avoid(pin=(("here", (7 * 4,)), ("there", (router * 4,)))))
    return simulate(layout, ticks=4, timing=timing, engine=engine, record_packets=timing == "exact")


def test_a_packet_to_the_next_chip_takes_one_link_between_chips_with_its_latency_and_energy():
    run, links = sent_to(8, n=1), TWO.fabric.channels
    sums = run.counts.sum(0)
    assert (sums[A["hop_interchip"]], sums[A["hop_east_west"]]) == (4, 0)
    flight = (run.packets["arrived_ps"] - run.packets["entered_ps"]).min() * 1e-12
    assert flight == pytest.approx(links.inject.latency + links.interchip.latency + links.eject.latency)
    assert report(run).energy.by_component["network"].actions["hop_interchip"].each_J == links.interchip.energy


def test_a_burst_between_chips_is_as_slow_as_their_link():
    near, far = sent_to(6), sent_to(8)
    cycle = round(TWO.fabric.channels.interchip.cycle * 1e12)
    assert near.tick_ps[1] < far.tick_ps[1] and far.tick_ps[1] - far.barrier_ps[1] > 39 * cycle
    arrived = np.sort(far.packets["arrived_ps"][far.packets["tick"] == 1])
    assert np.diff(arrived).min() == cycle


def test_engines_agree_across_chips():
    fast, plain = sent_to(9), sent_to(9, engine="reference")
    assert np.array_equal(fast.tick_ps, plain.tick_ps) and np.array_equal(fast.counts, plain.counts)
    assert all(np.array_equal(fast.packets[k], plain.packets[k]) for k in fast.packets)


def test_cores_and_static_power_are_those_of_all_chips():
    assert TWO.n_cores == 256
    one, two = report(sent_to(6, chip=load_chip("loihi"))), report(sent_to(6))
    assert two.energy.static_J / two.latency.total_s == pytest.approx(2 * one.energy.static_J / one.latency.total_s)


@pytest.mark.parametrize("name", ["loihi", "loihi-calibrated", "loihi2"])
def test_every_loihi_has_systems(name):
    assert load_chip(name, set=("system.chips=[2,2]",)).n_cores == 512
