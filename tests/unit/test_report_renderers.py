"""The report as people and programs read it."""
from __future__ import annotations

import csv
import json
import re
from types import SimpleNamespace

import pytest
import synthetic_run as paper
from hypothesis import given
from hypothesis import strategies as st

from chipsim.cli.output import Progress, encodable
from chipsim.figures import count, percent, si, significant
from chipsim.report import SCHEMA_VERSION, report
from chipsim.report.formats import CSV_COLUMNS, to_csv, to_json
from chipsim.report.html import run_html
from chipsim.report.text import bar, sources_table


@pytest.fixture(scope="module")
def r():
    return report(paper.run())


def test_text_fits_a_hundred_columns_and_answers_every_question(r):
    text = str(r)
    assert max(map(len, text.split("\n"))) <= 100
    for block in ("accuracy", "energy", "latency", "traffic", "cores", "sources", "changed", "SOP"):
        assert re.search(rf"^{block}\b", text, re.MULTILINE), block
    assert "toy → paper" in text
    assert "slowest tick 3 set by core 17 (synapse): soma 10.0 %" in text
    assert "weights of `in → out`: rounding, at most 0.012 relative" in text
    assert "2 samples × 2 ticks" in text
    assert not text.endswith("\n") and not re.search(r"[ ]$", text, re.MULTILINE)


def test_text_of_a_run_without_times_says_so_and_prints_no_time(r):
    text = str(report(paper.run("none")))
    assert "latency " not in text.replace("no latency", "")
    assert "dynamic" in text
    assert not re.search(r"\bstatic +0", text)


def test_text_of_a_free_chip_does_not_invent_energy():
    text = str(report(paper.run("none"), costs=paper.chip("free", 0.0)))
    assert "`free` has no price" in text


def test_a_run_without_packets_or_synapses_renders():
    run = paper.run(counts=paper.run().counts * 0, link_packets=paper.run().link_packets * 0)
    assert "no packet crossed the mesh" in str(report(run))


def test_prompt_shows_a_few_lines(r):
    assert len(repr(r).split("\n")) <= 12
    assert "/SOP" in repr(r) and "/inference" in repr(r)


def test_json_round_trips_and_names_its_units(r):
    back = json.loads(to_json(r))
    assert back == r.to_dict()
    assert back["schema_version"] == SCHEMA_VERSION
    assert back["energy"]["by_component"]["synapse"]["energy_J"] == pytest.approx(210e-12)
    assert back["latency"]["inference"]["mean_s"] == pytest.approx(0.5e-6)
    assert json.loads(to_json(report(paper.run("none"))))["latency"] is None


def test_json_page_names_every_key(r):
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "reference" / "report-json.md").read_text("utf-8")
    named = set(re.findall(r"`([A-Za-z0-9_]+)`", page))
    open_tables = {"by_component", "actions", "parts_s", "set_by", "populations", "utilisation", "by_source", "by_kind",
                   "approximations"}

    def keys(value: object, inside: str = ""):
        if isinstance(value, dict):
            for key, below in value.items():
                if inside not in open_tables:
                    yield key
                yield from keys(below, key)
        elif isinstance(value, list):
            for item in value:
                if inside not in open_tables:
                    yield from keys(item)

    assert sorted(set(keys(r.to_dict())) - named) == []


def test_csv_adds_up_to_the_report(r):
    rows = list(csv.DictReader(to_csv(r).splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert sum(float(row["energy_J"]) for row in rows) == pytest.approx(r.energy.total_J)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    for row in rows:
        if row["count"]:
            assert int(row["count"]) * float(row["each_J"]) == pytest.approx(float(row["energy_J"]))


def test_sources_table_has_a_line_per_number(r):
    assert len(sources_table(r).split("\n")) == 1 + len(r.sources.numbers)


def test_notebook_views_are_escaped_markup(r):
    html = report(paper.run(layout_name="<b>x")).__class__._repr_html_(report(paper.run(layout_name="<b>x")))
    assert "&lt;b&gt;x" in html and "<b>x" not in html
    assert "packets" in run_html(paper.run())


@pytest.mark.parametrize("value, unit, text", [
    (1.72e-3, "J", "1.72 mJ"), (9.4e-7, "J", "940 nJ"), (23.6e-12, "J", "23.6 pJ"), (0.0, "J", "0 J"), (None, "J", "-"),
    (9.9996e-7, "s", "1.00 µs"), (12.4, "W", "12.4 W"), (3.5e6, "SOP/s", "3.50 MSOP/s"), (-2e-9, "s", "-2.00 ns"),
    (3e-21, "J", "0.00300 aJ"),
])
def test_quantities_have_a_prefix_and_a_unit(value, unit, text):
    assert si(value, unit) == text


@pytest.mark.parametrize("value, noun, text", [
    (7200, "ticks", "7 200 ticks"), (1, "ticks", "1 tick"), (2_100_000, "packets", "2.10 M packets"), (0, "", "0"),
    (38_400, "", "38.4 k"),
])
def test_counts_are_exact_while_short(value, noun, text):
    assert count(value, noun) == text


@given(st.floats(1e-17, 1e14))
def test_a_written_quantity_is_within_half_a_digit_of_its_value(value):
    number, unit = si(value, "J").rsplit(" ", 1)
    scale = {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9,
             "T": 1e12, "P": 1e15}[unit.removesuffix("J")]
    assert float(number.replace(" ", "")) * scale == pytest.approx(value, rel=0.0051)
    assert len(re.sub(r"\D", "", number).lstrip("0")) <= 4


def test_shares_never_round_to_nothing():
    assert [percent(x) for x in (0, 0.0001, 0.547, 1, None)] == ["0 %", "< 0.1 %", "54.7 %", "100 %", "-"]
    assert significant(0.0123456) == "0.0123"


def test_bars_grow_with_their_share_and_show_even_little():
    assert (bar(0), bar(1), bar(0.5)) == ("", "█" * 10, "█" * 5)
    assert bar(1e-6) == "▏"


def test_text_falls_back_to_what_the_encoding_has(r):
    plain = encodable(str(r), SimpleNamespace(encoding="ascii"))
    assert plain.isascii() and "#" in plain and "toy -> paper" in plain and "?" not in plain
    assert encodable(str(r), SimpleNamespace(encoding="utf-8")) == str(r)


def test_progress_tells_rate_and_time_left():
    assert Progress("simulating", "ticks", True).text(3400, 7200, 2.0) == \
        "simulating 3 400 of 7 200 ticks   1 700 ticks/s   2.2 s left"


def test_progress_is_silent_in_the_first_second_and_off_a_terminal(capsys):
    for shown, began in ((True, 0.0), (False, -60.0)):
        with Progress("simulating", "ticks", shown) as progress:
            progress.began += began
            progress.last = progress.began
            progress(1, 2)
        assert capsys.readouterr().err == ""


def test_progress_leaves_no_line_behind(capsys):
    with Progress("simulating", "ticks", True) as progress:
        progress.began -= 2
        progress.last -= 2
        progress(1, 2)
    err = capsys.readouterr().err
    assert "1 of 2 ticks" in err
    assert err.split("\r")[-2].strip() == "" and err.endswith("\r")
