"""`chipsim validate`: verdicts, forms, exit codes; and that the page shows the cases there are."""
from __future__ import annotations

import csv
import io
import json
import sys
from types import SimpleNamespace

import pytest
import validation as page_tool

from chipsim import validation
from chipsim.cli import main
from chipsim.validation.case import Case, NoData, Range, Result
from chipsim.validation.render import quantity, within

FIGURES = dict(workload="a workload", unit="J", published=2e-12, tolerance=0.1, source="me, 2020", basis="predicted")


def case(name="a case", **changes):
    return Case(name=name, **(FIGURES | dict(measure=lambda: 2.1e-12) | changes))


def verdict(**changes):
    return next(iter(validation.run({"t": [case(**changes)]}))).verdict


@pytest.fixture
def table(monkeypatch):
    def table(*cases):
        monkeypatch.setattr(validation, "tables", lambda: {"toy": SimpleNamespace(CASES=cases)})
    return table


def test_a_figure_is_ok_up_to_its_tolerance_and_a_miss_beyond():
    assert verdict() == "ok"
    assert verdict(measure=lambda: 2.21e-12) == verdict(measure=lambda: 1.79e-12) == "miss"
    assert verdict(measure=lambda: 2.1e-12, tolerance=0) == "miss"
    assert verdict(published=0, tolerance=0, measure=lambda: 0) == "ok"


def test_a_range_is_inside_when_it_holds_the_published_figure():
    assert verdict(measure=lambda: Range(5e-12, 1e-12, 6e-12)) == "inside"
    assert verdict(measure=lambda: Range(5e-12, 2.1e-12, 6e-12)) == "inside"        # widened by the tolerance
    assert verdict(measure=lambda: Range(5e-12, 3e-12, 6e-12)) == "miss"


def test_a_case_without_its_golden_data_has_no_verdict_of_its_own(monkeypatch):
    monkeypatch.delenv("CHIPSIM_VALIDATION", raising=False)
    assert verdict(measure=lambda: validation.golden("loihi", "x.npz")) == "no data"
    with pytest.raises(NoData):
        validation.golden("loihi", "x.npz")


def test_slow_cases_run_only_when_asked_for():
    cases = {"t": [case("quick"), case("slow", full=True)]}
    assert [r.case.name for r in validation.run(cases)] == ["quick"]
    assert [r.case.name for r in validation.run(cases, full=True)] == ["quick", "slow"]


def test_a_miss_is_shown_explained_and_gives_exit_code_4(table, capsys):
    table(case("good"), case("bad", measure=lambda: 4e-12, note="because of the weather"))
    assert main(["validate", "--quiet"]) == 4
    out = capsys.readouterr().out
    assert "4.000 pJ  +1e+02 %" in out and "toy: bad: because of the weather" in out
    assert out.endswith("2 cases: 1 ok, 1 miss\n")
    table(case("good"))
    assert main(["validate", "toy", "--quiet"]) == 0


def test_json_and_csv_hold_the_same_rows_with_plain_numbers(table, capsys, tmp_path):
    table(case("good"), case("swept", measure=lambda: Range(2e-12, 1e-12, 3e-12)))
    assert main(["validate", "--format", "json", "--quiet"]) == 0
    rows = json.loads(capsys.readouterr().out)["cases"]
    assert [r["verdict"] for r in rows] == ["ok", "inside"] and rows[1]["low"] == 1e-12
    assert rows[0]["ours"] == 2.1e-12 and rows[0]["error"] == pytest.approx(0.05) and rows[0]["low"] is None
    assert main(["validate", "--format", "csv", "--quiet", "-o", str(tmp_path / "t.csv")]) == 0
    read = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert [r["case"] for r in read] == ["good", "swept"] and float(read[1]["high"]) == 3e-12


def test_an_unknown_table_is_named_with_those_there_are(capsys):
    assert main(["validate", "loihj"]) == 2
    assert "U436" in (err := capsys.readouterr().err) and "did you mean `loihi`?" in err


def test_cases_are_listed_without_running(table, capsys):
    table(case("quick"), case("slow", full=True, measure=lambda: 1 / 0))
    assert main(["validate", "--list"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["toy           quick", "toy           slow   (full)"]


@pytest.mark.parametrize("name", validation.tables())
def test_every_case_is_well_formed_and_stands_on_the_page_as_it_is(name):
    cases = validation.tables()[name].CASES
    assert len({c.name for c in cases}) == len(cases)
    section = page_tool.sections(page_tool.PAGE.read_text(encoding="utf-8")).get(name, "")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in section.split("\n") if line.startswith("| ")}
    again = f"refresh with: python tools/validation.py {name}"
    assert list(rows)[1:] == [c.name for c in cases], again
    for c in cases:
        assert c.tolerance >= 0 and c.source and c.workload and c.basis in ("restated", "fitted", "predicted")
        cells = rows[c.name].strip("| ").split(" | ")
        assert [cells[1], cells[4], *cells[-2:]] == [quantity(c.published, c.unit), within(c), c.basis, c.source], again
        assert cells[5] in ("ok", "miss", "inside"), again
        assert cells[5] != "miss" or c.note, f"{c.name} misses: its note must say why"


def test_the_page_is_written_section_by_section(monkeypatch, tmp_path, table):
    table(case("good"))
    page = tmp_path / "page.md"
    monkeypatch.setattr(page_tool, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["validation.py"])
    assert page_tool.main() == 0
    first = page.read_text()
    assert page_tool.sections(first).keys() == {"toy"}
    assert "| good | 2.000 pJ | 2.100 pJ | +5 % | 10.0 % | ok |" in first
    table(case("good", measure=lambda: 2e-12))
    assert page_tool.main() == 0 and "| good | 2.000 pJ | 2.000 pJ | 0 % |" in page.read_text()


def test_zero_published_counts_the_error_in_units():
    assert Result("t", case(published=0), 3.0).error == 3.0
