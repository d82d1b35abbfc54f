"""Every quick case of the table `loihi` of `chipsim validate` holds."""
from __future__ import annotations

from chipsim import validation
from chipsim.validation import loihi


def test_no_case_of_loihi_misses(validation_dir, monkeypatch):
    monkeypatch.setenv("CHIPSIM_VALIDATION", str(validation_dir))
    results = list(validation.run({"loihi": loihi.CASES}))
    assert [(r.case.name, r.ours) for r in results if r.verdict not in ("ok", "inside")] == []
