"""Wrong chip files: a mistake is named, at its place, with what to do; all of a file at once, none as a traceback."""
from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from chipsim.chip import CODES, check_chip, load_chip
from chipsim.errors import ChipError

HEAD = "extends: loihi\nname: mine\n"


def findings(folder, text, set=()):
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_chip(path, set)


def only(found):
    assert len(found) == 1, "\n\n".join(d.render() for d in found)
    return found[0]


def underlined(d):
    return d.text[d.column - 1: d.column - 1 + d.width]


@dataclass
class Bad:
    """A mistake in line 3 of a file that extends Loihi, and what has to be said about it.

    at   line of the file the finding stands at; None: in the file of Loihi, whose number the mistake contradicts
    """

    line: str
    code: str
    marked: str
    message: str
    advice: str = ""
    at: int | None = 3

    def __str__(self):
        return self.line


MISTAKES = [
    # keys
    Bad("core: {neurns: 1}", "E103", "neurns", "unknown key `neurns` in `core`", "did you mean `neurons`?"),
    Bad("neurons: 2048", "E103", "neurons", "unknown key `neurons` in the chip", "there is `core.neurons`"),
    Bad("tile: {}", "E103", "tile", "unknown key `tile`", "known keys: name, title"),
    Bad("core: {neurons: 1, neurons: 2}", "E102", "neurons", "`neurons` is given twice in `core`", "line 3"),
    Bad("? [a, b]\n: 1", "E101", "[a, b]", "a key of the chip is a list", "plain words"),
    Bad("costs: {spike: {energy: {valu: 1 pJ}}}", "E103", "valu", "unknown key `valu`", "did you mean `value`?"),
    Bad("costs: {spike: {energy: {note: hm}}}", "E104", "energy", "lacks the key `value`", "{value: 23.6 pJ"),
    # units
    Bad("costs: {spike: {energy: 23.6}}", "E106", "23.6", "`costs.spike.energy` needs a unit of energy", "`23.6 pJ`"),
    Bad("costs: {spike: {energy: 0}}", "E106", "0", "even a zero has one", "write `0 pJ`"),
    Bad("costs: {spike: {energy: 2.36e-11}}", "E106", "2.36e-11", "needs a unit", "write `23.6 pJ`"),
    Bad("costs: {spike: {energy: 23.6 ns}}", "E106", "23.6 ns", "is a quantity of time", "expected energy"),
    Bad("costs: {spike: {energy: 23.6 pj}}", "E106", "23.6 pj", "unknown unit `pj`", "did you mean `pJ`?"),
    Bad("core: {neurons: 3 pJ}", "E106", "3 pJ", "plain number of neurons", "write `3`"),
    # numbers
    Bad("costs: {spike: {energy: -1 pJ}}", "E107", "-1 pJ", "must be at least 0 J, not -1 pJ", "energy of one action"),
    Bad("costs: {spike: {time: .nan ns}}", "E107", ".nan ns", "must be finite"),
    Bad("costs: {spike: {time: inf}}", "E107", "inf", "must be finite"),
    Bad("fabric: {width: 0}", "E107", "0", "`fabric.width` must be at least 1 and at most 65536, not 0",
        "routers in a row"),
    Bad("core: {weights: {bits: 64}}", "E107", "64", "at least 1 and at most 32"),
    Bad("core: {neurons: 010}", "E116", "010", "`core.neurons` is written `010`", "plain decimal"),
    Bad("core: {neurons: 1:30}", "E116", "1:30", "is written `1:30`"),
    Bad("core: {neurons: many}", "E105", "many", "must be a number, not `many`", "neurons of a core"),
    Bad("core: {neurons: 1.5}", "E105", "1.5", "must be a whole number"),
    Bad("core: {neurons: yes}", "E105", "yes", "must be a number, not `yes`"),
    Bad("costs: {barrier: {tiles: {0: 1 ns}}}", "E107", "1 ns", "a key of `costs.barrier.tiles` must be at least 1"),
    Bad("costs: {barrier: {tiles: {x: 1 ns}}}", "E105", "x", "a key of `costs.barrier.tiles` must be a number"),
    Bad("costs: {barrier: {tiles: {}}}", "E105", "tiles", "`costs.barrier.tiles` is empty"),
    # kinds
    Bad("core: 5", "E101", "5", "`core` must be a mapping of keys to values, not `5`", "What one core holds"),
    Bad("core: {neuron: {resets: zero}}", "E101", "zero", "must be a list, not `zero`", "write `[zero]`"),
    Bad("core: {neurons: [1]}", "E101", "[1]", "must be a single value, not a list"),
    Bad("costs: {spike: {energy: {value: {a: 1}}}}", "E101", "value", "must be a single value, not a mapping"),
    Bad("fabric: {io: {router: [1]}}", "E101", "[1]", "takes 2 values, not 1"),
    Bad("title: [a]", "E101", "[a]", "`title` must be a single value"),
    Bad("title:", "E105", "", "`title` has no value", "expected a text"),
    Bad("core: {neurons: }", "E105", "}", "`core.neurons` has no value", "or `null`"),
    # choices
    Bad("fabric: {routing: yz}", "E108", "yz", "cannot be `yz`: the choices are xy, yx", "did you mean `yx`?"),
    Bad("core: {neuron: {resets: [zero, no]}}", "E108", "no", "cannot be `no`: the choices are zero"),
    Bad("core: {neuron: {resets: []}}", "E105", "[]", "`core.neuron.resets` is empty"),
    Bad("costs: {provenance: publishd}", "E108", "publishd", "cannot be `publishd`", "did you mean `published`?"),
    Bad("costs: {source: davis2018}", "E112", "davis2018", "unknown source `davis2018`", "did you mean `davies2018`?"),
    # contradictions
    Bad("fabric: {n_cores: 200}", "E109", "200", "mesh too small for its cores: 200 cores, but 8x4 routers", "`width`"),
    Bad("fabric: {io: {router: [8, 0]}}", "E109", "[8, 0]", "outside the 8x4 mesh", "columns go from 0 to 7"),
    Bad("core: {delay: {min: 9, max: 8}}", "E109", "8", "`core.delay.max` is 8, less than `core.delay.min`"),
    Bad("core: {delay: {min: 0}}", "E109", "0", "cannot act in the tick it is sent", "`time_base: untimed`"),
    Bad("core: {weights: {exponent_min: 8}}", "E109", "7", "less than `core.weights.exponent_min`", at=None),
    Bad("core: {weights: {bits: null}}", "E109", "weights", "needs `core.weights.bits`", "packing: none"),
    Bad("core: {neuron: {profile: null}}", "E109", "neuron", "needs `core.neuron.profile`", "profile: loihi"),
    Bad("fabric: {channels: {inject: {credit: 0 ns}}}", "E109", "0 ns", "the finest time step is 1 ps", "1 ps or more"),
    Bad("costs: {barrier: null}", "E109", "null", "`time_base: barrier` needs `costs.barrier`", "tiles"),
    Bad("costs: {barrier: {tiles: {32: 1 ns, 2: 5 ns}}}", "E109", "1 ns", "a barrier of 32 tiles takes 1 ns, less than",
        "ascend"),
    # YAML
    Bad("core: {neurons: 1", "E111", "", "YAML syntax: did not find expected"),
    Bad("core:\n\tneurons: 1", "E111", " ", "a tab in the indentation", "replace the tab", at=4),
    Bad("title: a: b", "E111", ":", "mapping values are not allowed", "wants quotes"),
    Bad("core: {neurons: *n}", "E111", "*", "found undefined alias"),
    Bad("core: &c {<<: *c}", "E111", "<<", "merges another mapping", "give the other mapping an anchor"),
    Bad("---", "E111", "-", "a second document starts here", "one chip"),
]


@pytest.mark.parametrize("bad", MISTAKES, ids=str)
def test_a_mistake_is_named_at_its_place(tmp_path, bad):
    found = findings(tmp_path, HEAD + bad.line + "\n")
    d = only(found)
    assert (d.code, d.severity) == (bad.code, "error")
    assert bad.message in d.message
    assert bad.advice in f"{d.label} {d.help}"
    if bad.at is None:
        assert d.file.endswith("loihi.yaml")
    else:
        assert (d.file, d.line) == (str(tmp_path / "mine.yaml"), bad.at)
    assert underlined(d) == bad.marked
    assert d.code in CODES


def test_all_mistakes_of_a_file_come_in_one_pass_in_the_order_of_its_lines(tmp_path):
    found = findings(tmp_path, HEAD + """\
fabric:
  width: 0
  io: {router: [0, 99]}
  channels:
    east_west: {latency: 4.1, energy: 3.0 ns}
core:
  neurons: 1024
  neurons: 512
  delay: {min: 5, max: 2}
  weights: {bits: 64}
  synapse_memory: [1]
costs:
  synop_dense: {energy: {value: 23.6 pJ, source: nobody}}
""", set=["core.axons_in=many"])
    assert [(d.line, d.code) for d in found] == [
        (4, "E107"), (7, "E106"), (7, "E106"), (10, "E102"), (11, "E109"), (12, "E107"), (13, "E101"), (15, "E112"),
        (1, "E105")]
    assert found[-1].file == "--set core.axons_in=many"


def test_a_finding_looks_like_a_compilers(tmp_path):
    d = only(findings(tmp_path, HEAD + "costs:\n  synop_dense: {energy: 23.6 pj, time: 3.5 ns}\n"))
    assert d.render() == f"""\
error[E106]: `costs.synop_dense.energy` has the unknown unit `pj`
 --> {tmp_path}/mine.yaml:4:25
  |
4 |   synop_dense: {{energy: 23.6 pj, time: 3.5 ns}}
  |                         ^^^^^^^ did you mean `pJ`?
   = help: energy: energy of one action"""


def test_a_chip_that_extends_none_lacks_all_it_does_not_say(tmp_path):
    found = findings(tmp_path, "name: mine\ntitle: Mine\ncore:\n  neurons: 5\n")
    lacking = {re.findall("`([^`]*)`", d.message)[-1]: d for d in found}
    assert {d.code for d in found} == {"E104"}
    assert {"status", "time_base", "fabric", "costs", "axons_in", "delay"} <= set(lacking)
    assert (lacking["delay"].line, underlined(lacking["delay"])) == (3, "core")
    assert "input axons of a core" in lacking["axons_in"].help


def test_half_a_cost_is_no_cost(tmp_path):
    path = tmp_path / "base.yaml"
    path.write_text(load_text("ideal").replace("&nothing {energy: 0 pJ, time: 0 ns}", "&nothing {energy: 0 pJ}"))
    assert {(d.code, underlined(d)) for d in check_chip(path)} >= {("E104", "neuron_idle"), ("E104", "reset")}


def load_text(name):
    from chipsim.chip import catalogue
    return next(e.path for e in catalogue() if e.name == name).read_text(encoding="utf-8")


@pytest.mark.parametrize("content, code, message", [
    (b"", "E111", "is empty"),
    (b"# nothing but a comment\n", "E111", "is empty"),
    (b"- a\n- b\n", "E101", "not a list"),
    (b"loihi\n", "E101", "not a single value"),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "E110", "not a text file"),
    (b"name: \x00\n", "E110", "not a text file"),
    (b'name: "\x01"\n', "E110", "not a text file"),
    (b"a: " + b"[" * 100_000, "E111", "nested more than"),
], ids=["empty", "comment", "list", "scalar", "binary", "zero-byte", "control-character", "nested"])
def test_what_is_no_chip_file_at_all(tmp_path, content, code, message):
    d = only(findings(tmp_path, content))
    assert d.code == code
    assert message in d.message


def test_missing_files_directories_and_names(tmp_path):
    assert "there is no file" in only(check_chip(tmp_path / "none.yaml")).message
    assert "is a directory" in only(check_chip(tmp_path)).message
    unknown = only(check_chip("lohi"))
    assert (unknown.code, unknown.message) == ("E114", "there is no chip `lohi`; did you mean `loihi`?")
    assert "ideal, isaac, loihi, loihi-calibrated" in unknown.help


def test_extending_nothing(tmp_path):
    d = only(findings(tmp_path, "extends: lohi\nname: mine\n"))
    assert (d.code, d.line, underlined(d)) == ("E113", 1, "lohi")
    d = only(findings(tmp_path, "extends: sub/none.yaml\nname: mine\n"))
    assert (d.code, d.line, underlined(d)) == ("E113", 1, "sub/none.yaml")


def test_extending_in_a_circle(tmp_path):
    (tmp_path / "b.yaml").write_text("name: b\nextends: mine.yaml\n")
    d = only(findings(tmp_path, "extends: b.yaml\nname: mine\n"))
    assert (d.code, d.file, d.line) == ("E113", str(tmp_path / "b.yaml"), 2)
    assert "mine.yaml -> b.yaml -> mine.yaml" in d.message


def test_a_mistake_in_the_file_below_is_shown_there(tmp_path):
    (tmp_path / "base.yaml").write_text(HEAD + "core: {neurns: 1}\n")
    found = findings(tmp_path, "extends: base.yaml\nname: mine\ncore: {axons: 1}\n")
    assert [(d.file, d.line, d.code) for d in found] == [
        (str(tmp_path / "mine.yaml"), 3, "E103"), (str(tmp_path / "base.yaml"), 3, "E103")]


def test_a_changed_chip_needs_a_name_of_its_own(tmp_path):
    d = only(findings(tmp_path, "extends: loihi\ntitle: Mine\n"))
    assert (d.code, d.line) == ("E104", 1)
    assert "the chip lacks the key `name`" in d.message


@pytest.mark.parametrize("change, code, marked, message", [
    ("core.neurns=1", "E103", "neurns", "unknown key `neurns` in `core`"),
    ("core.neurons=1k", "E106", "1k", "without the unit `k`"),
    ("core.neurons=0", "E107", "0", "must be at least 1"),
    ("core.neurons=", "E105", "", "has no value"),
    ("costs.static.power=30", "E106", "30", "needs a unit of power"),
    ("core=5", "E101", "5", "must be a mapping"),
    ("fabric.io.router=[9, 9]", "E109", "[9, 9]", "outside the 8x4 mesh"),
    ("core.neurons", "E115", "core.neurons", "does not set a key"),
    ("=5", "E115", "=", "does not set a key"),
    ("core..neurons=5", "E115", "core..neurons", "does not set a key"),
    ("extends=ideal", "E115", "extends", "does not set a key"),
    ("core.neurons={value: 1", "E111", "c", "YAML syntax"),
])
def test_changes_are_checked_like_the_file(change, code, marked, message):
    with pytest.raises(ChipError) as caught:
        load_chip("loihi", set=[change])
    d = only(caught.value.diagnostics)
    assert (d.code, d.file, d.text, underlined(d)) == (code, f"--set {change}", change, marked)
    assert message in d.message
    assert caught.value.exit_code == 2


def test_every_code_is_explained():
    assert all(re.fullmatch(r"E1\d\d", code) and len(text) > 40 for code, text in CODES.items())


@pytest.mark.parametrize(("line", "marked", "message"), [
    ("fabric: {width: 60000, height: 3}", "60000", "a fabric of 60 000 x 3 routers; the engine holds 65 536"),
    ("system: {chips: [200, 100]}", "[200, 100]", "200x100 chips with"),
    ("fabric: {channels: {east_west: {slots: 1000000000}}}", "1000000000", "slots in all; the engine holds 268 435"),
    ("fabric: {packet_bits: 1000000000, flit_bits: 1}", "1000000000", "a packet of 1 000 000 000 flits"),
    ("fabric: {topology: tree, width: 1, height: 1, routing: shortest, arity: 50, levels: 16}", "16",
     "a fabric of 50^16 and more routers"),
])
def test_a_fabric_that_nothing_could_simulate_is_refused_when_it_is_loaded(tmp_path, line, marked, message):
    found = next(d for d in findings(tmp_path, HEAD + line + "\n") if d.code == "E119")
    assert (underlined(found), found.line) == (marked, 3) and message in found.message and found.help


def test_the_largest_fabric_is_loaded():
    chip = load_chip("loihi", set=("fabric.width=256", "fabric.height=256"))
    assert chip.n_cores == 4 * 65_536


def test_costs_of_a_part_that_is_not_there_are_a_warning(tmp_path):
    found = only(findings(tmp_path, HEAD + "costs: {matrix: {energy: 1 pJ, time: 1 ns}}\n"))
    assert (found.severity, found.line, underlined(found)) == ("warning", 3, "matrix")
    assert "the chip has no `core.matrix`" in found.message
    assert load_chip(tmp_path / "mine.yaml").costs.matrix is not None


@pytest.mark.parametrize(("clock", "wrong"), [
    ("", 0), ("clock: {period: 1 ns}", 1), ("clock: {period: 1 ns, priority: age}", 0),
    ("clock: {period: 1 ns, allocator: oldest}", 0)])
def test_oldest_first_wants_a_clock_that_knows_ages(tmp_path, clock, wrong):
    found = findings(tmp_path, HEAD + f"fabric:\n  arbitration: oldest\n  {clock}\n")
    assert len(found) == wrong and all("`fabric.clock`" in d.message and underlined(d) == "oldest" for d in found)
