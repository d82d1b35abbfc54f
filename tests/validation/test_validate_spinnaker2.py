"""Every case of the table `spinnaker2` of `chipsim validate` holds."""
from __future__ import annotations

from chipsim import validation
from chipsim.validation import spinnaker2


def test_no_case_of_spinnaker2_misses():
    results = list(validation.run({"spinnaker2": spinnaker2.CASES}))
    assert [(r.case.name, r.ours) for r in results if r.verdict not in ("ok", "inside")] == []
