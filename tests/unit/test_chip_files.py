"""Shipped chips, chips that extend them, changes on top; what a ChipSpec keeps of where its numbers come from."""
from __future__ import annotations

import json
import re

import pytest
from pydantic import ValidationError

from chipsim.chip import ChipSpec, catalogue, check_chip, load_chip
from chipsim.errors import ChipError

SHIPPED = [entry.name for entry in catalogue()]


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
    return write


def test_the_catalogue_knows_what_the_files_say():
    assert {"loihi", "loihi-calibrated", "loihi2", "ideal"} <= set(SHIPPED)
    for entry in catalogue():
        chip = load_chip(entry.name)
        assert (entry.name, entry.title, entry.status) == (chip.name, chip.title, chip.status)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_number_says_its_unit_its_source_and_how_the_source_knows(name):
    chip = load_chip(name)
    assert len(chip.provenance) > 40
    for path, p in chip.provenance.items():
        assert p.value_text and p.unit and p.source, path
        assert p.kind in ("published", "measured", "derived", "estimated"), path
        assert p.source.split(",")[0] in chip.sources, path
        assert p.note or p.kind in ("published", "measured"), f"{path} is {p.kind}, but from what?"


def test_loihi_has_the_published_costs():
    """Davies et al., IEEE Micro 38(1), 2018, table 2."""
    chip = load_chip("loihi")
    costs, channels = chip.costs, chip.fabric.channels
    assert (chip.n_cores, chip.n_routers) == (128, 32)
    assert (costs.synop_dense.energy, costs.synop_dense.time) == (23.6e-12, 3.5e-9)
    assert (costs.neuron_active.energy, costs.neuron_active.time) == (81e-12, 8.4e-9)
    assert (costs.neuron_idle.energy, costs.neuron_idle.time) == (52e-12, 5.3e-9)
    assert (channels.east_west.energy, channels.east_west.latency) == (3e-12, 4.1e-9)
    assert (channels.north_south.energy, channels.north_south.latency) == (4e-12, 6.5e-9)
    assert channels.inject.energy + channels.eject.energy == pytest.approx(1.7e-12)
    assert channels.inject.latency + channels.eject.latency == pytest.approx(2.1e-9)
    assert costs.barrier.tiles == {1: 113e-9, 32: 465e-9}
    assert chip.core.synapse_memory.bits == 128 * 1024 * 8


def test_the_calibrated_loihi_differs_in_costs_only():
    published, calibrated = load_chip("loihi"), load_chip("loihi-calibrated")
    assert calibrated.core == published.core
    assert calibrated.costs.barrier.tiles == {1: 0.6e-6, 2: 1e-6, 4: 1.4e-6, 29: 1.8e-6}     # replaced, not mixed
    assert calibrated.costs.neuron_active.energy == pytest.approx(51.2e-12 + 21.6e-12)
    assert calibrated.costs.static == published.costs.static
    assert calibrated.provenance["costs.static.power"] == published.provenance["costs.static.power"]


def test_the_ideal_chip_costs_nothing_and_limits_nothing():
    chip = load_chip("ideal")
    assert chip.time_base == "untimed" and chip.costs.barrier is None
    assert {p.value_text.split()[0] for path, p in chip.provenance.items() if path.startswith("costs.")} == {"0"}
    assert chip.core.neurons is chip.core.axons_in is chip.core.axons_out is chip.core.synapse_memory.bits is None


@pytest.mark.parametrize("name", SHIPPED)
def test_a_chip_survives_json_bit_for_bit(name):
    chip = load_chip(name)
    assert ChipSpec.from_dict(chip.to_dict()) == chip
    assert ChipSpec.from_dict(json.loads(json.dumps(chip.to_dict(), sort_keys=True))) == chip
    assert chip.to_dict()["costs"]["static"]["power"] == chip.costs.static.power


def test_a_stored_chip_is_checked_like_a_file():
    stored = load_chip("loihi").to_dict()
    stored["fabric"]["io"]["router"] = [8, 0]
    with pytest.raises(ChipError, match="outside the 8x4 mesh"):
        ChipSpec.from_dict(stored)
    with pytest.raises(ChipError, match=r"stored chip: costs: Field required"):
        ChipSpec.from_dict({k: v for k, v in stored.items() if k != "costs"})


def test_a_chip_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_chip("loihi").core.neurons = 5


def test_a_chip_says_what_it_is_in_a_line_and_in_a_notebook():
    chip = load_chip("loihi")
    assert "128 cores on a 8x4 mesh, loihi_lif loihi_compartment, barrier" in repr(chip) and "\n" not in repr(chip)
    assert f"{chip.kinds()['published']} published" in repr(chip)
    html = chip._repr_html_()
    assert "costs.synop_dense.energy" in html and "davies2018, table 2" in html
    assert html.count("<tr>") == 1 + len(chip.provenance)


def test_what_a_chip_does_not_say_it_takes_from_the_chip_it_extends(write):
    chip = load_chip(write("extends: loihi\nname: wide\ncore: {neurons: 2048}\n"))
    loihi = load_chip("loihi")
    assert (chip.name, chip.core.neurons, chip.core.axons_in) == ("wide", 2048, 4096)
    assert chip.costs == loihi.costs and chip.fabric == loihi.fabric
    assert chip.provenance["core.neurons"].kind == "unstated"
    assert chip.provenance["core.axons_in"] == loihi.provenance["core.axons_in"]


def test_paths_of_extends_count_from_the_file(write):
    write("extends: loihi\nname: base\ncore: {neurons: 7}\n", "base.yaml")
    write("extends: ../base.yaml\nname: middle\ncore: {axons_in: 8}\n", "sub/middle.yaml")
    chip = load_chip(write("extends: sub/middle.yaml\nname: top\n"))
    assert (chip.core.neurons, chip.core.axons_in, chip.core.axons_out) == (7, 8, 4096)


def test_the_nearest_source_holds(write):
    chip = load_chip(write("""\
extends: loihi
name: mine
sources: {lab: {cite: our lab}, book: {cite: a book}}
source: book
costs:
  source: "lab, table 1"
  provenance: measured
  note: at 20 degrees
  spike: {energy: 5 pJ, time: {value: 2 ns, source: "davies2018, p. 3", provenance: published}}
  barrier: {note: slow, energy: 1 pJ, tiles: {1: 1 ns, 2: {value: 2 ns, note: slower}}}
core: {neurons: 5}
"""))
    p = chip.provenance
    assert (p["costs.spike.energy"].source, p["costs.spike.energy"].kind) == ("lab, table 1", "measured")
    assert (p["costs.spike.time"].source, p["costs.spike.time"].kind) == ("davies2018, p. 3", "published")
    assert (p["costs.spike.time"].value_text, p["costs.spike.time"].unit) == ("2 ns", "s")
    assert [p[f"costs.barrier.tiles.{n}"].note for n in (1, 2)] == ["slow", "slower"]
    assert (p["core.neurons"].source, p["core.neurons"].kind) == ("book", "unstated")
    assert p["costs.axon_out.energy"].source == "davies2018, table 2"       # a number of the file below keeps its own


def test_words_are_words_and_numbers_numbers(write):
    chip = load_chip(write("""\
extends: loihi
name: no
title: 010
core: {neurons: 1_000, axons_in: 1e3, axons_out: "64"}
costs: {spike: {energy: 1e-12 J, time: .5 ns}, axon_out: {energy: "3 pJ", time: +1_0.0e-1 ns}}
"""))
    assert (chip.name, chip.title) == ("no", "010")
    assert (chip.core.neurons, chip.core.axons_in, chip.core.axons_out) == (1000, 1000, 64)
    assert (chip.costs.spike.energy, chip.costs.spike.time) == (1e-12, 0.5e-9)
    assert (chip.costs.axon_out.energy, chip.costs.axon_out.time) == (3e-12, 1e-9)


def test_anchors_and_merge_keys(write):
    chip = load_chip(write("""\
extends: loihi
name: mine
costs:
  spike:    &cheap {energy: 1 pJ, time: 2 ns}
  axon_out: {<<: *cheap, time: 3 ns}
  axon_in:  {energy: 9 pJ, <<: [*cheap, {time: 5 ns}]}
"""))
    costs = chip.costs
    assert (costs.axon_out.energy, costs.axon_out.time) == (1e-12, 3e-9)
    assert (costs.axon_in.energy, costs.axon_in.time) == (9e-12, 2e-9)


def test_windows_files_read_the_same(write, tmp_path):
    (tmp_path / "crlf.yaml").write_bytes(b"\xef\xbb\xbfextends: loihi\r\nname: mine\r\ncore:\r\n  neurons: 5\r\n")
    assert load_chip(tmp_path / "crlf.yaml").core.neurons == 5


def test_changes_apply_in_order_and_say_so():
    chip = load_chip("loihi", set=["core.neurons=1", "core.neurons=2048", "costs.static.power=104.4 mW",
                                   "costs.barrier.tiles.8=200 ns", "core.neuron.resets=[zero, value]",
                                   "costs.spike.energy={value: 3 pJ, source: boyle2025, provenance: measured}"])
    assert (chip.core.neurons, chip.costs.static.power) == (2048, 0.1044)
    assert chip.costs.barrier.tiles == {1: 113e-9, 8: 200e-9, 32: 465e-9}
    assert chip.core.neuron.resets == ("zero", "value")
    stated = chip.provenance["costs.static.power"]
    assert (stated.value_text, stated.source, stated.kind) == ("104.4 mW", "--set", "unstated")
    assert chip.provenance["costs.spike.energy"].kind == "measured"
    assert chip.provenance["core.axons_in"].kind == "published"


def test_a_change_can_mend_what_contradicts_it():
    assert load_chip("loihi", set=["fabric.n_cores=256", "fabric.width=16"]).n_cores == 256
    assert load_chip("loihi", set=["fabric.width=16"]).n_cores == 256


def test_a_right_file_has_no_findings(write):
    assert check_chip("loihi") == []
    assert check_chip(write("extends: ideal\nname: mine\n")) == []


@pytest.mark.parametrize("changes, words", [
    (("fabric.topology=torus", "fabric.clock.period=1 ns"), "a torus with one virtual channel deadlocks"),
    (("fabric.clock.period=1 ns", "fabric.clock.vcs=8"), "the engine holds 64 in all"),
    (("fabric.clock.period=10 ps",), "cycles is longer than the 200"),
    (("fabric.topology=torus", "fabric.clock={period: 1 ns, vcs: 2}", "fabric.cast=multicast"),
     "clocked routers copy packets along trees"),
    (("fabric.topology=tree", "fabric.routing=shortest"), "a tree needs `arity` and `levels`"),
    (("system.chips=[2,1]", "fabric.channels.interchip=null"), "channels of class `interchip`, which are not"),
])
def test_a_fabric_that_cannot_be_simulated_is_refused(changes, words):
    with pytest.raises(ChipError, match=re.escape(words)):
        load_chip("loihi", set=changes)


def test_loihi_2_costs_are_those_of_loihi_times_the_factors_it_states():
    """All estimated; a synaptic operation stays under what Hala Point takes per operation, everything included."""
    old, new = load_chip("loihi"), load_chip("loihi2")
    for path, p in new.provenance.items():
        if path.startswith("costs."):
            assert p.kind == "estimated", path
    for action, time in dict(neuron_idle=2, neuron_active=2, synop_dense=5, learn_update=5, reset=1).items():
        was, now = getattr(old.costs, action), getattr(new.costs, action)
        assert now.energy == pytest.approx(was.energy / 4, rel=0.01) and now.time == pytest.approx(was.time / time)
    for name in ("inject", "eject", "east_west", "north_south", "interchip"):
        assert getattr(new.fabric.channels, name).energy == pytest.approx(getattr(old.fabric.channels, name).energy / 4)
    assert old.fabric.channels.interchip.cycle == pytest.approx(30 * old.fabric.channels.east_west.cycle, rel=1e-3)
    assert new.fabric.channels.interchip.cycle == pytest.approx(old.fabric.channels.interchip.cycle / 10, rel=0.01)
    assert new.costs.synop_dense.energy < 2600 / 380e12
    assert new.core.neurons * new.n_cores == 2**20
