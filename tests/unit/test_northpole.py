"""IBM NorthPole: the schedule of a frame, its energy, what is refused."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile, load_layout, save_layout
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import ChipError, ExpressError, FitError, UsageError
from chipsim.explore.fabric_run import FabricBench
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report
from chipsim.report.page import to_html

HOP = CYCLE = 2500


def dense(sizes, bits=None, delay=0, **weights):
    net = NetworkBuilder("layers", dt=1e-3)
    net.add_input("in", sizes[0])
    before, rng = "in", np.random.default_rng(0)
    for i, n in enumerate(sizes[1:], 1):
        net.add_population(f"n{i}", n, "lif", tau=1e-2, v_threshold=1.0)
        net.connect(before, f"n{i}", weights=rng.normal(size=(n, sizes[i - 1])), delay=delay,
                    format=None if bits is None else {"weight_bits": bits})
        before = f"n{i}"
    return net.build([before])


def one_core(*more):
    return load_chip("northpole", set=("fabric.width=1", "fabric.height=1", *more))


def run_of(layout, ticks=3, **options):
    spikes = np.zeros((ticks, layout.n_lines), np.uint8)
    spikes[0] = 1
    return simulate(layout, Stimulus.from_dense(spikes), **options)


@pytest.mark.parametrize("bits, cycles", [(8, 16), (4, 8), (2, 4)])
def test_a_layer_takes_its_multiplications_by_those_of_a_cycle_at_its_precision(bits, cycles):
    """128 x 128 weights on one core, which does 1024, 2048 or 4096 of them in a cycle of 2.5 ns."""
    frame = compile(dense((128, 128), bits), one_core()).frame
    assert frame.operations.tolist() == [2 * 128 * 128] and frame.cycles.tolist() == [cycles]
    assert frame.parts_ps[0].tolist() == [cycles * CYCLE, CYCLE, 128 * 78, 8 * CYCLE + 2 * HOP]
    assert frame.length_ps == max(cycles * CYCLE, 128 * 78) + 8 * CYCLE + 2 * HOP


def test_layers_follow_one_another_and_frames_too():
    layout = compile(dense((64, 64, 64, 10)), "northpole")
    run = run_of(layout, ticks=5)
    assert layout.frame.population.tolist() == [1, 2, 3]
    assert run.tick_ps.tolist() == [int(layout.frame.layer_ps.sum())] * 5
    assert sum(run.slowest["parts_ps"].values()) == layout.frame.length_ps


def test_a_frame_takes_the_same_whatever_spikes():
    layout = compile(dense((64, 32)), "northpole")
    loud, silent = (simulate(layout, Stimulus.from_dense(np.full((4, 64), s, np.uint8))) for s in (1, 0))
    assert np.array_equal(loud.tick_ps, silent.tick_ps)
    assert np.array_equal(loud.counts[:, A["matrix"]], silent.counts[:, A["matrix"]])
    assert loud.counts[:, A["spike"]].sum() > 0 == silent.counts[:, A["spike"]].sum()


def test_activations_of_a_layer_cross_a_link_as_many_at_once_as_it_has_wires():
    """1024 inputs, from the host to two cores: 8 bits each, 512 of them on 4096 wires in a cycle."""
    layout = compile(dense((1024, 2)), "northpole", neurons_per_core=1)
    assert layout.n_cores == 2
    frame = layout.frame
    assert frame.parts_ps[0, 1] == 2 * CYCLE and frame.flits.max() == 2


def test_a_large_layer_is_spread_over_all_cores_and_a_small_one_over_few():
    layout = compile(dense((2048, 2048, 8)), "northpole")
    assert layout.frame.cores.tolist() == [256, 7]
    assert np.diff(layout.core_start).max() <= 10


def test_zeros_of_a_sparse_layer_are_multiplied_too():
    net = NetworkBuilder("sparse", dt=1e-3)
    net.add_input("in", 64)
    net.add_population("n", 64, "lif", tau=1e-2, v_threshold=1.0)
    weights = np.eye(64)
    weights[0] = 1.0                                                    # one neuron hears every input
    net.connect("in", "n", "sparse", weights=weights)
    layout = compile(net.build(["n"]), one_core())
    assert layout.frame.operations.tolist() == [2 * 64 * 64]


def test_energy_is_cycles_and_the_power_of_the_rest():
    layout = compile(dense((256, 256)), "northpole")
    energy = report(run_of(layout, ticks=4)).energy
    cycles = int(layout.frame.cycles.sum())
    assert energy.by_component["synapse"].energy_J == pytest.approx(4 * cycles * 389e-12)
    assert energy.static_J == pytest.approx(4 * layout.frame.length_ps * 1e-12 * 41.0)
    assert energy.total_J == pytest.approx(energy.dynamic_J + energy.static_J)


def test_the_report_has_the_frame_layer_by_layer():
    r = report(run_of(layout := compile(dense((64, 64, 10)), "northpole")))
    frame = r.latency.frame
    assert frame.frames_per_s == pytest.approx(1e12 / layout.frame.length_ps)
    assert [layer.population for layer in frame.layers] == ["n1", "n2"] and frame.longest.population == "n1"
    assert sum(layer.length_s for layer in frame.layers) == pytest.approx(frame.length_s)
    assert frame.utilisation == pytest.approx(layout.frame.cycles.sum() * CYCLE / (256 * layout.frame.length_ps))
    assert "frames/s" in str(r) and "activations move by the schedule" in str(r)
    assert r.latency.set_by == {"layer n1": 3}


def test_the_page_of_a_run_shows_the_layers():
    run = run_of(compile(dense((64, 64, 10)), "northpole"), record="all")
    assert "Layers of a frame" in to_html(run)


def test_a_run_without_times_has_no_frame_in_its_report():
    run = run_of(compile(dense((64, 10)), "northpole"), timing="none")
    assert report(run).latency is None and run.counts[:, A["matrix"]].all()


def test_a_reset_between_samples_is_not_part_of_a_frame():
    layout = compile(dense((16, 4)), load_chip("northpole", set=("costs.reset.time=1 us",)))
    run = simulate(layout, Stimulus.from_dense(np.ones((3, 2, 16), np.uint8)))
    length = layout.frame.length_ps
    assert run.tick_ps.tolist() == [length + 1_000_000, length, length] * 2


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_weights_of_a_layer_are_integers_times_one_scale(bits):
    network = dense((30, 20), bits)
    layout = compile(network, "northpole")
    (rounded,) = [a for a in layout.approximations if a["kind"] == "rounding"]
    steps = np.asarray(layout.weight, float) / rounded["scale"]
    assert rounded["bits"] == bits and np.array_equal(steps, np.round(steps))
    assert np.abs(steps).max() == 2 ** (bits - 1) - 1


def test_memory_holds_weights_at_their_precision_and_a_byte_for_each_input():
    for bits in (8, 2):
        usage = compile(dense((64, 10), bits), one_core()).usage
        assert usage["synapse_bits"].tolist() == [64 * 10 * bits + 64 * 8]


def test_what_does_not_fit_the_memory_of_all_cores_is_refused():
    chip = load_chip("northpole", set=("fabric.width=2", "fabric.height=2", "core.synapse_memory.bits=40000"))
    assert compile(dense((100, 100)), chip).n_cores == 4
    with pytest.raises(FitError) as error:
        compile(dense((100, 300)), chip)
    assert "M203" in {d.code for d in error.value.diagnostics}


def test_populations_share_cores_where_an_even_spread_would_fill_a_memory():
    chip = load_chip("northpole", set=("fabric.width=2", "fabric.height=1", "core.synapse_memory.bits=40000"))
    layout = compile(dense((40, 40, 40, 60)), chip)
    assert (layout.usage["synapse_bits"] <= 40000).all()


@pytest.mark.parametrize("network, code", [
    (dense((8, 4), 5), "M248"),
    (dense((8, 4), delay=2), "M233"),
])
def test_what_it_cannot_compute_is_refused_by_name(network, code):
    with pytest.raises(ExpressError) as error:
        compile(network, "northpole")
    assert [d.code for d in error.value.diagnostics] == [code]


def test_learning_is_refused():
    net = NetworkBuilder("learns", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("n", 2, "lif", tau=1e-2, v_threshold=1.0)
    net.connect("in", "n", weights=np.ones((2, 4)), plasticity="2^-2 * x0 * y0")
    with pytest.raises(ExpressError) as error:
        compile(net.build(), "northpole")
    assert error.value.diagnostics[0].code == "M260"


def test_its_fabric_has_no_packets_to_measure():
    with pytest.raises(UsageError, match="no packets cross its fabric"):
        FabricBench(load_chip("northpole"))


@pytest.mark.parametrize("settings, said", [
    (("schedule=null",), "needs `schedule`"),
    (("core.weights.bits=5",), "not among the precisions"),
    (("costs.matrix=null",), "has no time for one"),
    (("core.matrix.rows=1", "core.matrix.columns=1"), "cores that react to spikes"),
    (("time_base=untimed",), "`schedule` is for"),
])
def test_chips_whose_schedule_makes_no_sense_are_refused(settings, said):
    with pytest.raises(ChipError, match=said):
        load_chip("northpole", set=settings)


def values(*levels):
    net = NetworkBuilder("values", dt=1e-3)
    net.add_input("in", 6)
    before, n, rng = "in", 6, np.random.default_rng(1)
    for i, most in enumerate(levels, 1):
        net.add_population(f"r{i}", 9, "relu", step=1 / 16, levels=most)
        weights = rng.integers(-127, 128, (9, n))
        weights[0, 0] = 127
        net.connect(before, f"r{i}", weights=weights / 128, bias=np.full(9, 0.25))
        before, n = f"r{i}", 9
    return net.build([before])


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_a_network_of_values_is_one_of_integers(engine):
    """Two layers of 8 bits on several cores, against whole numbers added up here: weights over 128, values over 16."""
    network = values(255, 255)
    layout = compile(network, "northpole", neurons_per_core=4)
    x = np.random.default_rng(2).integers(0, 256, (5, 6))
    stimulus = Stimulus.from_dense(x / 16)
    run = simulate(layout, stimulus, engine=engine)
    a = x
    for projection in network.projections:
        w = np.round(projection.ops[0].weight * 128).astype(int)
        total = a @ w.T + 16 * 128 // 4                                 # the bias in units of 1 / (16 * 128)
        a = np.clip(np.rint(total / 128).astype(int), 0, 255)
    assert layout.n_cores > 2 and (run.values["r2"] * 16 == a).all() and 0 < (a > 0).mean() < 1


def test_activations_of_more_bits_than_the_chip_has_are_refused():
    assert compile(values(255, 4095), "northpole").n_neurons == 18      # what leaves the network may be any value
    with pytest.raises(ExpressError, match="4095 levels to another") as error:
        compile(values(4095, 255), "northpole")
    assert error.value.diagnostics[0].code == "M249"
    net = NetworkBuilder("readout", dt=1e-3)
    net.add_input("in", 4)
    net.add_population("li", 4, "leaky", tau=1e-2)
    net.add_population("n", 2, "lif", tau=1e-2, v_threshold=1.0)
    net.connect("in", "li", weights=np.ones((4, 4)))
    net.connect("li", "n", weights=np.ones((2, 4)))
    with pytest.raises(ExpressError, match="values in floating point"):
        compile(net.build(["n"]), "northpole")


def test_the_schedule_of_another_layout_is_not_read(tmp_path):
    layout, other = (compile(dense(sizes), "northpole") for sizes in ((16, 8), (512, 400)))
    save_layout(layout, tmp_path / "a.layout.h5")
    assert load_layout(tmp_path / "a.layout.h5").frame.length_ps == layout.frame.length_ps
    save_layout(replace(layout, frame=other.frame), tmp_path / "b.layout.h5")
    with pytest.raises(UsageError, match="schedule of another layout"):
        load_layout(tmp_path / "b.layout.h5")
