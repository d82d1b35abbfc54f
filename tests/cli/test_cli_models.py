"""`chipsim models`: does it list every model a network may ask for, with what each needs?"""
import json

from chipsim.cli import main
from chipsim.models.neurons import chip_models, framework_models


def said(capsys, *argv):
    assert main(["models", *argv]) == 0
    return capsys.readouterr().out


def test_every_model_is_listed_with_the_chips_that_compute_it(capsys):
    models = {m["name"]: m for m in json.loads(said(capsys, "--format", "json"))}
    assert set(models) == {*chip_models, *framework_models}
    assert all(m["what"] for m in models.values())
    assert "ideal" in models["lif"]["chips"] and "loihi" in models["lif"]["chips"]
    assert "ideal" not in models["loihi_lif"]["chips"]


def test_one_model_shows_units_defaults_and_ranges(capsys):
    text = said(capsys, "loihi_lif")
    row = next(line for line in text.split("\n") if line.startswith("vth_mant"))
    assert "2^6" in row and "must be given" in row and "whole, >= 0" in row


def test_families_of_chips_stand_together_in_the_list(capsys):
    row = next(line for line in said(capsys).split("\n") if line.startswith("loihi_lif"))
    assert row.endswith("  loihi*")
