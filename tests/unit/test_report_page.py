"""The HTML report: one file that needs nothing else, with the numbers of the report in it, small for long runs too."""
from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import synthetic_run as paper

import chipsim
from chipsim.chip import ChipSpec, load_chip
from chipsim.engine.run import ACTIONS
from chipsim.engine.run_file import load_run, save_run
from chipsim.engine.stats import N_BINS, bin_of
from chipsim.figures import si
from chipsim.report import report
from chipsim.report.charts import SETTERS
from chipsim.report.cost import joules
from chipsim.report.maps import MOST_TOLD, link_plan
from chipsim.report.page import to_html
from chipsim.report.svg import decades, shades, ticks
from chipsim.report.views import (
    Grid,
    Links,
    bins_of,
    confusion,
    cores_of,
    grid_of,
    latency_bins,
    layer_energy,
    links_of,
    of_links,
    raster,
    rates,
    tick_series,
)

VOID = {"meta", "link", "br", "img", "input", "hr", "rect", "line", "path", "polyline"}


class Outline(HTMLParser):
    """Tags that are open, addresses, ids, headings and texts of a page; closing what is not open is an error."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.landmarks: set[str] = set()
        self.images: list[dict] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "xlink:href", "data", "action")]
        self.ids += [values["id"]] if "id" in values else []
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        if tag in ("header", "nav", "main", "footer"):
            self.landmarks.add(tag)
        if values.get("role") == "img":
            self.images.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(request):
    examples = request.config.rootpath / "examples"
    network = chipsim.load_network(examples / "digits.nir", dialect="snntorch")
    layout = chipsim.compile(network, load_chip("loihi"), neurons_per_core=8)
    stimulus = chipsim.Stimulus.load(examples / "digits_test.h5", ticks_per_sample=20)
    return chipsim.simulate(layout, stimulus, samples=slice(0, 12), record="all")


@pytest.fixture(scope="module")
def page(run):
    return to_html(run)


def test_page_is_well_formed_and_needs_no_other_file(page):
    outline = Outline(page)
    assert outline.landmarks == {"header", "nav", "main", "footer"}
    assert len(outline.ids) == len(set(outline.ids))
    inside = {a[1:] for a in outline.addresses if a.startswith("#")}
    assert inside <= set(outline.ids)
    publications = set(re.findall(r'<dd>.*?<a href="([^"]+)"', page))
    assert {a for a in outline.addresses if not a.startswith("#")} == publications
    assert "@import" not in page and "url(" not in page and "fetch(" not in page
    assert max(np.diff(outline.headings)) <= 1 and outline.headings[0] == 1


def test_whatever_sets_a_tick_has_a_colour(page):
    assert all(f".by-{kind} {{" in page for kind in SETTERS)


def test_every_picture_has_a_name(page):
    images = Outline(page).images
    assert len(images) >= 8
    assert all(image["aria-label"] for image in images)


def test_page_answers_what_the_report_answers(page, run):
    r = report(run)
    for shown in (si(r.energy.per_inference_J, "J"), si(r.latency.inference.mean_s, "s"), si(r.energy.per_sop_J, "J")):
        assert shown in page
    for heading in ("By component", "By layer", "Length of ticks", "Neurons per core", "Synapse memory per core",
                    "Energy per core", "Busy time per core", "Occupation of the links", "Packet latency", "Raster",
                    "Rates by population", "How full the cores are", "Sources and estimates", "Commonest confusions"):
        assert f"{heading}</h3>" in page or f"{heading}</h2>" in page, heading
    assert f"Accuracy {100 * r.inference.accuracy:.1f} %" in page or r.inference.accuracy == 1
    assert all(n.path in page for n in r.sources.numbers)


def test_maps_tell_every_core_and_link(page, run):
    plans = {key: json.loads(text) for key, text in
             re.findall(r'<script type="application/json" id="plan-(\w+)">(.*?)</script>', page)}
    assert len(plans["cores"]["name"]) == len(run.cores)
    assert plans["cores"]["name"][0] == f"core {run.cores[0]} at (0,0)"
    assert len(plans["links"]["name"]) == 2 * (7 * 4 + 8 * 3)
    for key, texts in re.findall(r'data-plan="(\w+)" data-texts="([^"]*)"', page):
        assert len(json.loads(texts.replace("&quot;", '"'))) == len(plans[key]["name"])


def test_numbers_have_a_unit_and_at_most_four_digits(page):
    texts = re.findall(r'<(?:td class="n"|dd|title|text[^>]*)>([^<]+)<', page)
    assert len(texts) > 300
    for text in texts:
        for number in re.findall(r"\b\d{1,3}(?: \d{3})*\.\d+|\d+\.\d+", text.replace("\N{NO-BREAK SPACE}", " ")):
            assert len(re.sub(r"\D", "", number).lstrip("0")) <= 4, text


@pytest.mark.parametrize("changes", [
    dict(), dict(layout_name="<script>x</script>"), dict(samples=None),
    dict(counts=np.zeros((4, len(ACTIONS)), np.int64)),
    dict(populations=()), dict(spikes={"out": (np.array([0, 3]), np.array([2, 9], np.int32))}),
], ids=["plain", "hostile name", "no samples", "nothing done", "no populations", "recorded"])
@pytest.mark.parametrize("timing", ["exact", "none"])
def test_pages_of_odd_runs(timing, changes):
    page = to_html(paper.run(timing, **changes))
    Outline(page)
    assert "<script>x" not in page and "nan" not in re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL).lower()


def test_page_at_other_costs_prices_cores_and_layers_too():
    cheap, dear = (to_html(paper.run(), costs=paper.chip(name, factor)) for name, factor in (("a", 1.0), ("b", 10.0)))
    assert "priced by b" in dear and cheap != dear


def test_a_long_run_on_many_cores_stays_small():
    ticks, cores = 100_000, 128
    rng = np.random.default_rng(5)
    base = paper.run()
    zeros = np.zeros(cores, np.int64)
    run = replace(
        base, ticks=ticks, counts=rng.integers(0, 900, (ticks, len(ACTIONS))),
        tick_ps=(lengths := rng.integers(10**6, 10**7, ticks)), busy_ps=lengths,
        barrier_ps=np.full(ticks, 10**5),
        tick_limit=(rng.integers(1, 3, ticks) << 24 | rng.integers(0, cores, ticks)),
        cores=np.arange(cores, dtype=np.int32), core_counts=rng.integers(0, 10**9, (cores, len(ACTIONS))),
        soma_ps=zeros + 10**9, synapse_ps=zeros + 10**8, stall_ps=zeros, samples=None,
        usage=dict(neurons=zeros + 1000, synapse_bits=zeros + 10**6), limits=dict(neurons=1024, synapse_bits=2**20),
        populations=(dict(name="out", size=128_000, spikes=10**8, packets=10**8, synops=10**9),),
        spikes={"out": (np.sort(rng.integers(0, ticks, 10**6)), rng.integers(0, 128_000, 10**6).astype(np.int32))})
    assert len(to_html(run).encode()) < 1_500_000


def test_a_stored_run_gives_the_same_page(run, page, tmp_path):
    save_run(run, tmp_path / "x.run.h5")
    assert to_html(load_run(tmp_path / "x.run.h5")) == page


def test_energy_of_cores_and_host_and_chip_adds_up_to_the_report(run):
    chip = load_chip("loihi")
    by_core = cores_of(run, chip).energy_J
    assert (by_core > 0).all()
    r = report(run)
    host = run.counts.sum(axis=0) - run.core_counts.sum(axis=0)
    of_host = sum(host[i] * joules(a, chip) for i, a in enumerate(ACTIONS) if a.startswith("hop"))
    of_host += host[ACTIONS.index("host_spike")] * chip.costs.host_spike.energy
    barriers = run.ticks * chip.costs.barrier.energy
    assert by_core.sum() + of_host + barriers == pytest.approx(r.energy.dynamic_J)


def test_layers_pay_for_their_spikes_and_their_own_updates(run):
    rows = {name: (spent, updates) for name, spent, updates in layer_energy(run, load_chip("loihi"))}
    r = report(run)
    assert {name: spent for name, (spent, _) in rows.items()} == \
        pytest.approx({name: p.energy_J for name, p in r.populations.items()})
    updates = r.energy.by_component["neuron"].actions
    assert rows["input"][1] == 0 and rows["lif1"][1] > rows["lif2"][1] > 0
    assert rows["lif1"][1] + rows["lif2"][1] == pytest.approx(
        updates["neuron_active"].energy_J + updates["neuron_idle"].energy_J)


def test_tick_series_keeps_the_longest_tick_and_the_total(run):
    s = tick_series(run, 50)
    assert len(s.mean_s) == 50 and s.first[0] == 0 and s.first[-1] == run.ticks
    assert s.max_s.max() == pytest.approx(run.tick_ps.max() * 1e-12)
    assert (s.mean_s * np.diff(s.first)).sum() == pytest.approx(run.tick_ps.sum() * 1e-12)
    assert (tick_series(run, 10**6).limit == run.tick_limit).all()


def test_bins_cover_all_ticks_once():
    for n, most in ((1, 5), (7, 3), (1000, 200)):
        first = bins_of(n, most)
        assert len(first) == min(n, most) and first[0] == 0 and (np.diff(first) >= n // most).all()


def test_latency_bins_keep_every_packet_in_its_octave_quarter():
    latency = np.zeros(N_BINS, np.int64)
    times = [3, 40, 999, 10**6, 10**6 + 1, 10**9]
    for t in times:
        latency[bin_of(t)] += 1
    bins = latency_bins(paper.run(latency=latency))
    assert bins.packets.sum() == len(times)
    for t in times:
        i = np.searchsorted(bins.edges_s, t * 1e-12, side="right") - 1
        assert bins.packets[i] > 0


def test_links_on_the_plan_are_neighbours_with_their_packets(run):
    links = links_of(run)
    assert (np.abs(links.start - links.end).sum(axis=1) == 1).all()
    crossed = run.counts[:, [ACTIONS.index("hop_east_west"), ACTIONS.index("hop_north_south")]].sum()
    assert links.packets.sum() == crossed
    assert 0 < links.utilisation.max() <= 1


def test_raster_shows_whole_samples(run):
    r = raster(run, 50)
    assert r.stop == 44
    tick, _ = run.spikes["lif1"]
    assert len(r.spikes["lif1"][1]) == (tick < 44).sum()


def test_rates_over_time_have_every_recorded_spike(run):
    edges, found = rates(run, most=7)
    for name, rate in found.items():
        size = next(p["size"] for p in run.populations if p["name"] == name)
        assert (rate * np.diff(edges) * size).sum() == pytest.approx(len(run.spikes[name][0]))


def small_corner(columns, rows):
    """A run on routers 0 to 4 of a mesh, whatever its size."""
    base = paper.run()
    fabric = base.chip["fabric"] | dict(topology="mesh", width=columns, height=rows)
    return replace(base, chip=base.chip | dict(fabric=fabric), link_packets=np.zeros_like(base.link_packets))


@pytest.mark.parametrize("columns, rows, window", [(64, 64, (0, 6, 0, 2)), (8, 8, (0, 8, 0, 8))])
def test_plan_of_a_large_chip_shows_where_something_happened(columns, rows, window):
    run = small_corner(columns, rows)
    assert grid_of(run).window == window
    said = f"Columns 0 to 5, rows 0 to 1 of {columns} × {rows} routers" in to_html(run)
    assert said == (window != (0, columns, 0, rows))


def test_pointer_is_told_the_busiest_of_many_links():
    side = 40
    pairs = [(r * side + c, r * side + c + 1) for r in range(side) for c in range(side - 1)] * 2
    pairs = pairs[: MOST_TOLD + 100]
    start, end = (np.array([(n % side, n // side) for n in ends]) for ends in zip(*pairs, strict=True))
    packets = np.arange(len(pairs))
    links = Links([str(n) for n in packets], start, end, packets, None)
    grid = Grid(side, side, 1, side * side, True, (0, side, 0, side))
    told = json.loads(link_plan(of_links(links, np.argsort(-packets)), grid).cells())
    assert told["name"] == [str(n) for n in packets[:-MOST_TOLD - 1:-1]]


def test_confusion_has_every_sample_once(run):
    matrix = confusion(run)
    assert matrix.sum() == 12 and np.trace(matrix) == report(run).inference.correct


@pytest.mark.parametrize("low, high, unit, shown", [
    (0, 9.52e-6, "s", ["0 s", "5 µs"]), (0, 7920, "", ["0", "2 000", "4 000", "6 000"]),
    (0, 151_000, "", ["0", "50 k", "100 k", "150 k"]), (0, 2.4, "", ["0", "1", "2"]),
])
def test_axes_count_in_round_steps(low, high, unit, shown):
    assert [text for _, text in ticks(low, high, unit, 4)] == shown


def test_logarithmic_axes_show_powers_of_ten():
    assert [text for _, text in decades(2e-9, 1.3e-6, "s")] == ["10 ns", "100 ns", "1 µs"]
    assert len(decades(2e-9, 2.4e-9, "s")) >= 1


def test_shades_leave_zero_out_and_end_at_the_top():
    assert shades(np.array([0, 1, 50, 100]), 100).tolist() == [-1, 0, 4, 8]


FABRICS = {
    "torus": dict(topology="torus"),
    "two chips": dict(chips=(2, 1), width=4),
    "tree": dict(topology="tree", arity=3, levels=2, width=1, height=1, routing="shortest", n_cores=None),
    "custom": dict(topology="custom", routers=3, links=("0-1", "1-2"), width=1, height=1, routing="shortest",
                   n_cores=None),
}


@pytest.mark.parametrize("changes", FABRICS.values(), ids=FABRICS.keys())
def test_pages_of_other_fabrics_have_every_core_on_the_plan(changes, request):
    values = load_chip("loihi").to_dict()
    channels = values["fabric"]["channels"]
    hop = channels["east_west"]
    values["fabric"] |= changes | dict(channels=channels | dict(tree=hop, interchip=hop, diagonal=hop))
    examples = request.config.rootpath / "examples"
    network = chipsim.load_network(examples / "digits.nir", dialect="snntorch")
    layout = chipsim.compile(network, ChipSpec.from_dict(values), neurons_per_core=16)
    stimulus = chipsim.Stimulus.load(examples / "digits_test.h5", ticks_per_sample=20)
    run = chipsim.simulate(layout, stimulus, samples=slice(0, 2))
    page = to_html(run)
    Outline(page)
    cells = json.loads(re.search(r'id="plan-cores">(.*?)</script>', page)[1])
    assert len(set(zip(cells["x"], cells["y"], strict=True))) == len(run.cores)
    assert min(cells["x"]) >= 0 and min(cells["y"]) >= 0
    assert "Busiest channels" in page
