"""Every case of the tables `neurram` and `isaac` of `chipsim validate` holds."""
from __future__ import annotations

import pytest

from chipsim import validation
from chipsim.validation import isaac, neurram


@pytest.mark.parametrize("table", [neurram, isaac])
def test_no_case_of_a_crossbar_misses(table):
    results = list(validation.run({"crossbars": table.CASES}))
    assert [(r.case.name, r.ours) for r in results if r.verdict != "ok"] == []
