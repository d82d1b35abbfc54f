"""The JSON Schema and the reference page say what the classes say."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from chipsim.chip import catalogue, json_schema
from chipsim.chip.page import key_table
from chipsim.chip.reader import all_paths

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "chip-file.md"


@pytest.fixture
def complaints():
    """A function that gives the schema's complaints about a YAML text."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)

    def complaints(text):
        return [e.message for e in validator.iter_errors(json.loads(json.dumps(yaml.safe_load(text))))]
    return complaints


def test_shipped_files_are_valid(complaints):
    for entry in catalogue():
        assert complaints(entry.path.read_text(encoding="utf-8")) == [], entry.name


@pytest.mark.parametrize("line", [
    "core: {neurns: 1}", "core: {neurons: -1}", "costs: {spike: {energy: 5}}", "costs: {spike: {energy: 5 ns}}",
    "costs: {spike: {energy: -5 pJ}}", "costs: {spike: {energy: {value: 5 pJ, sorce: x}}}", "fabric: {routing: yz}",
    "fabric: {io: {router: [1]}}", "costs: {barrier: {tiles: {x: 1 ns}}}", "costs: {provenance: guessed}",
])
def test_wrong_files_are_not(complaints, line):
    assert complaints(f"extends: loihi\nname: mine\n{line}\n")


@pytest.mark.parametrize("line", [
    "core: {neurons: 5, axons_in: {value: 8, source: a, provenance: derived, note: b}}",
    "costs: {static: {power: 1 mW}}",
    "costs: {barrier: null}", "costs: {barrier: {note: x, tiles: {1: 1 ns, 2: {value: 2 µs}}}}", "title: 010",
    "core: {synapse_memory: {bits: 128 KiB}}",
])
def test_changes_may_be_partial_and_long_or_short(complaints, line):
    assert complaints(f"extends: loihi\nname: mine\n{line}\n") == []


def test_a_chip_that_extends_none_must_be_complete(complaints):
    assert complaints("name: mine\ntitle: Mine\n")


def test_every_key_is_in_the_schema_with_its_meaning():
    definitions = json_schema()["definitions"]
    for path in all_paths():
        key = path.rpartition(".")[2]
        found = [d["properties"][key] for d in definitions.values() if key in d["properties"]]
        assert found and all(f.get("description") for f in found), path


def test_the_reference_page_lists_every_key():
    page = PAGE.read_text(encoding="utf-8")
    assert key_table() in page, "renew the table: python -m chipsim.chip.page"
    for path in all_paths():
        under_star = re.sub(r"[a-z_]+(\.[a-z_]+)$", r"*\1", path)
        assert f"| `{path}` |" in page or f"| `{under_star}` |" in page, path


def test_the_example_of_the_reference_page_is_a_chip(tmp_path):
    from chipsim.chip import load_chip
    example = re.search(r"```yaml\n(extends: .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    chip = load_chip(path)
    assert chip.core.neurons == 2048
    assert chip.provenance["costs.static.power"].note == "lid open"
