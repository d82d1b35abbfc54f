"""The reference pages of networks are true: their examples run, and no model, parameter or code is missing."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from chipsim.models import neurons
from chipsim.network import CODES, load_network
from chipsim.network.build import KINDS, OPTIONS
from chipsim.network.dialect import DIALECTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "network-file.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_yaml_example_is_a_network(tmp_path):
    (example,) = blocks("yaml")
    (tmp_path / "ring.yaml").write_text(example, encoding="utf-8")
    assert repr(load_network(tmp_path / "ring.yaml")).startswith("<Network ring: 20 neurons, 3 projections;")


def test_the_python_examples_run():
    names: dict = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["network"].n_neurons == 10
    assert (names["stimulus"].n_samples, names["dense"].n_events) == (5, 4)


@pytest.mark.parametrize("model", [*neurons.framework_models, *neurons.chip_models])
def test_every_model_is_listed_with_its_parameters_and_defaults(model):
    rows = PAGE.read_text(encoding="utf-8").splitlines()
    cell = next(row for row in rows if row.startswith(f"| `{model}` |")).rsplit(" | ", 1)[-1]
    listed = dict(re.findall(r"`(\w+)`(?: \((-?[\d.]+)(?: s)?\))?", cell))
    parameters = neurons.parameters_of(model)
    defaults = {name: float(value) if value else None for name, value in listed.items()}
    assert defaults == {name: parameter.default for name, parameter in parameters.items()}


def test_every_option_kind_and_dialect_is_listed():
    text = PAGE.read_text(encoding="utf-8")
    assert [o for o in (*OPTIONS, *KINDS) if f"`{o}`" not in text] == []
    nir = (ROOT / "docs" / "reference" / "nir.md").read_text(encoding="utf-8")
    assert [d for d in DIALECTS if f"| `{d}`" not in nir] == []


def test_every_code_is_explained_and_every_explanation_is_of_a_code():
    source = "".join(p.read_text(encoding="utf-8") for folder in ("network", "models/neurons", "models/plasticity")
                     for p in (ROOT / "chipsim" / folder).rglob("*.py") if p.name != "codes.py")
    assert set(re.findall(r'"([NS][23]\d\d)"', source)) == CODES.keys()
