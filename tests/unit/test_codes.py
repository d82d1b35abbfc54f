"""Every code that a message can carry can be looked up, and every code that can be looked up is in use."""
from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from pathlib import Path

from chipsim.cli import main
from chipsim.cli.explain import CODES, ROOMS, all_codes

SOURCE = Path(__file__).parents[2] / "chipsim"
BARE = {"E100"}                                            # errors.py: an error whose text is all there is


def test_every_code_is_explained_and_every_explained_code_is_used():
    text = "".join(f.read_text(encoding="utf-8") for f in SOURCE.rglob("*.py"))
    used = set(re.findall(r'"([A-Z]\d{3})"(?!:)', text)) - BARE       # with a colon: a key of a table of explanations
    assert used == set(all_codes())


def test_no_code_has_two_meanings():
    tables = [CODES, *(getattr(import_module(room), "CODES", {}) for room in ROOMS)]
    explained = Counter(code for table in tables for code in table)
    assert [code for code, n in explained.items() if n > 1] == []


def test_explanation_is_more_than_the_message(capsys):
    assert main(["explain", "M201"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("M201\n") and "pruning" in out
    for code, text in all_codes().items():
        assert len(text.split()) >= 5, code
