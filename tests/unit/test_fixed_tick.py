"""Ticks of a fixed period: how long they last, how much of them is used, what they cost."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run_file import load_run, save_run
from chipsim.errors import ChipError
from chipsim.network.build import NetworkBuilder
from chipsim.report import report
from chipsim.report.page import to_html

BARRIER_FREE = ("costs.barrier=null",)
INTERCHIP = "fabric.channels.interchip={latency: 50 ns, cycle: 50 ns, credit: 1 ns, slots: 4, energy: 832 pJ}"


def fixed(period, *more):
    return load_chip("loihi", set=("time_base=fixed_tick", f"tick={{period: {period}}}", *BARRIER_FREE, *more))


def busy_run(chip, timing="exact", engine="compiled"):
    """Twenty neurons that take turns: ticks of different lengths."""
    net = NetworkBuilder("turns")
    net.add_population("n", 20, "loihi_lif", vth_mant=np.arange(20) + 1, bias_mant=64, dv=0)
    net.connect("n", "n", "sparse", weights=np.eye(20, k=1) * 2, delay=1)
    return simulate(compile(net.build(["n"]), chip), ticks=30, timing=timing, engine=engine)


def test_total_time_is_ticks_times_period_and_static_energy_follows_it():
    chip = fixed("1 ms")
    r = report(busy_run(chip))
    assert r.latency.total_s == pytest.approx(30e-3, rel=1e-12)
    assert r.energy.static_J == pytest.approx(30e-3 * chip.costs.static.power, rel=1e-12)
    assert r.latency.use.overruns == 0 and r.latency.use.longest_overruns == ()


def test_busy_time_is_what_a_barrier_chip_without_barrier_takes():
    with_barrier = load_chip("loihi", set=("costs.barrier={energy: 0 pJ, tiles: {1: 0 ns}}",))
    a, b = busy_run(fixed("1 ms")), busy_run(with_barrier)
    assert np.array_equal(a.busy_ps, b.tick_ps) and np.array_equal(a.tick_limit, b.tick_limit)
    assert np.array_equal(b.busy_ps, b.tick_ps)
    use = report(a).latency.use
    assert use.fastest_tick_s == pytest.approx(b.tick_ps.max() * 1e-12, rel=1e-12)
    assert use.share == pytest.approx(b.tick_ps.mean() / 1e9, rel=1e-12)


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_ticks_that_overrun_are_stretched_and_named(engine):
    whole = busy_run(fixed("1 ms"))
    period = int(np.sort(whole.busy_ps)[-4])                # three ticks take longer
    run = busy_run(fixed(f"{period} ps"), engine=engine)
    assert np.array_equal(run.tick_ps, np.maximum(whole.busy_ps, period))
    late = np.flatnonzero(whole.busy_ps > period)
    use = report(run).latency.use
    assert use.overruns == len(late) > 0
    assert {o.tick for o in use.longest_overruns} == set(late.tolist())
    assert use.longest_overruns[0].late_s == pytest.approx((whole.busy_ps.max() - period) * 1e-12)
    assert f"tick {use.longest_overruns[0].tick} by" in str(report(run))


def test_the_fastest_tick_runs_without_an_overrun_and_one_picosecond_less_does_not():
    longest = int(busy_run(fixed("1 ms")).busy_ps.max())
    assert report(busy_run(fixed(f"{longest} ps"))).latency.use.overruns == 0
    assert report(busy_run(fixed(f"{longest - 1} ps"))).latency.use.overruns > 0


def test_without_timing_every_tick_lasts_its_period():
    run = busy_run(fixed("1 ms"), timing="none")
    r = report(run)
    assert (run.tick_ps == 10**9).all() and not run.busy_ps.any()
    assert r.energy.static_J > 0 and r.latency.use is None and r.latency.set_by == {}
    assert any("every tick is taken to last its period" in note for note in r.notes)
    assert "its period" in to_html(run)


def test_use_of_the_tick_stands_in_text_json_and_html():
    run = busy_run(fixed("2 us"))
    r = report(run)
    assert "fastest tick it could have run" in str(r)
    assert r.to_dict()["latency"]["use"]["period_s"] == pytest.approx(2e-6)
    assert "Work of ticks" in to_html(run) and "barriers are" not in to_html(run)


def test_a_stored_run_keeps_the_use_of_its_ticks(tmp_path):
    run = busy_run(fixed("2 us"))
    save_run(run, tmp_path / "a.run.h5")
    assert report(load_run(tmp_path / "a.run.h5")).latency == report(run).latency


@pytest.mark.parametrize(("change", "message"), [
    (("time_base=fixed_tick", "costs.barrier=null"), "needs `tick`"),
    (("time_base=fixed_tick", "tick={period: 1 ms}"), "do not end with a barrier"),
    (("tick={period: 1 ms}",), "is for `time_base: fixed_tick`"),
    (("time_base=fixed_tick", "tick={period: 0.1 ps}", "costs.barrier=null"), "finest time step"),
])
def test_what_a_fixed_tick_needs(change, message):
    with pytest.raises(ChipError, match=message):
        load_chip("loihi", set=change)


def test_every_chip_of_a_system_draws_static_power():
    chip = fixed("1 ms", "system.chips=[2,3]", INTERCHIP)
    assert (chip.n_chips, chip.n_cores, chip.fabric.grid) == (6, 6 * 128, (16, 12))
    assert report(busy_run(chip)).energy.static_J == pytest.approx(6 * 30e-3 * chip.costs.static.power)


def test_a_spike_that_leaves_its_chip_pays_for_the_border():
    """Two neurons on neighbouring routers of two chips of one router each: one flit over the border per spike."""
    chip = fixed("1 ms", "system.chips=[2,1]", INTERCHIP, "fabric.width=1", "fabric.height=1",
                 "fabric.cores_per_router=1")
    net = NetworkBuilder("pair")
    net.add_population("a", 1, "loihi_lif", vth_mant=1, bias_mant=65)
    net.add_population("b", 1, "loihi_lif", vth_mant=100)
    net.connect("a", "b", weights=np.ones((1, 1)))
    run = simulate(compile(net.build(["b"]), chip, objective="latency"), ticks=10)
    hops = report(run).energy.by_component["network"].actions["hop_interchip"]
    assert hops.count == 10 and hops.each_J == pytest.approx(832e-12)


def test_trees_are_not_put_side_by_side():
    with pytest.raises(ChipError, match="cannot be put side by side"):
        load_chip("loihi", set=("fabric.topology=custom", "fabric.routing=shortest", "fabric.width=1",
                                "fabric.height=1", "fabric.routers=2", "fabric.links=['0-1']",
                                "fabric.cores_per_router=1", "system.chips=[2,1]"))
