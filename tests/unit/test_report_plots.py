"""Plots: on the axes they are given, with the run's numbers, units on the axes, and a word where there is nothing."""
from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import synthetic_run as paper

mpl.use("agg")

from matplotlib import pyplot as plt

from chipsim.report import plots, report

SPIKES = {"out": (np.array([0, 1, 3]), np.array([2, 9, 4], np.int32))}
CALLS = {
    "raster": lambda ax: plots.raster(paper.run(spikes=SPIKES), ax=ax),
    "energy": lambda ax: plots.energy(report(paper.run()), ax=ax),
    "latency": lambda ax: plots.latency(paper.run(), ax=ax),
    "links": lambda ax: plots.links(paper.run(), ax=ax),
    "ticks": lambda ax: plots.ticks(paper.run(), ax=ax),
    "floorplan": lambda ax: plots.floorplan(paper.run(), "neurons", ax=ax),
    "weights": lambda ax: plots.weights(np.eye(3), ax=ax),
    "receptive_fields": lambda ax: plots.receptive_fields(np.arange(24).reshape(4, 6), (2, 3), ax=ax),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", CALLS)
def test_a_plot_draws_on_the_axes_it_is_given_and_gives_them_back(name):
    figure, ax = plt.subplots()
    assert CALLS[name](ax) is ax
    assert ax.get_title()
    figure.canvas.draw()
    assert CALLS[name](None) is not ax


def test_every_plot_is_tested():
    public = {n for n, f in vars(plots).items()
              if callable(f) and not n.startswith("_") and getattr(f, "__module__", "") == plots.__name__}
    assert public == set(CALLS)


def test_energy_bars_are_the_joules_of_the_report():
    r = report(paper.run())
    widths = sorted(bar.get_width() for bar in plots.energy(r).patches)
    assert widths == pytest.approx(sorted(c.energy_J for c in r.energy.by_component.values() if c.energy_J))


def test_raster_has_every_spike_and_one_label_per_population():
    ax = plots.raster(paper.run(spikes=SPIKES | {"in": (np.array([1]), np.array([0], np.int32))}))
    assert sum(len(c.get_offsets()) for c in ax.collections) == 4
    assert [t.get_text() for t in ax.get_yticklabels()] == ["in (3)", "out (10)"]          # as the run lists them


def test_latency_counts_every_packet():
    assert sum(bar.get_height() for bar in plots.latency(paper.run()).patches) == 100


def test_ticks_reach_the_slowest_and_carry_a_unit():
    ax = plots.ticks(paper.run())
    assert max(bar.get_height() for bar in ax.patches) == pytest.approx(500e-9)
    ax.figure.canvas.draw()
    assert any(label.get_text().endswith("ns") for label in ax.get_yticklabels())


@pytest.mark.parametrize("what", ["neurons", "memory", "energy", "time"])
def test_floorplans_have_a_cell_per_core(what):
    assert len(plots.floorplan(paper.run(), what).collections[0].get_paths()) == 2


def test_receptive_fields_put_each_row_back_into_its_image():
    weight = np.arange(18.0).reshape(3, 6)
    sheet = np.asarray(plots.receptive_fields(weight, (2, 3)).images[0].get_array().filled(np.nan))
    assert (sheet[:2, :3] == weight[0].reshape(2, 3)).all()
    assert np.nansum(sheet) == weight.sum()
    with pytest.raises(ValueError, match="no images of 2 x 2"):
        plots.receptive_fields(weight, (2, 2))


def test_runs_without_times_spikes_or_packets_say_so():
    run = paper.run("none")
    for ax in (plots.ticks(run), plots.raster(run), plots.latency(run)):
        assert [t.get_text() for t in ax.texts]
