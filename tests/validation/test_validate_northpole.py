"""The table `northpole` of `chipsim validate`, but for what takes long, and the ResNet-50 that it is about."""
from __future__ import annotations

import pytest

from chipsim import validation
from chipsim.compiler.compile import draft_of
from chipsim.compiler.lowering.lower import lower
from chipsim.validation import northpole


def test_no_quick_case_misses():
    results = list(validation.run({"northpole": northpole.CASES}))
    assert len(results) == 2
    assert [(r.case.name, r.ours) for r in results if r.verdict != "ok"] == []


def test_resnet50_has_the_weights_and_multiplications_that_are_known_of_it():
    """He et al. 2016: 3.8 G multiplications with the stride in a block's first layer; 4.1 G with it in the second."""
    draft = lower(draft_of(northpole.resnet50(4), "northpole"))
    trained = [c for c in draft.connections if c.is_dense or c.windows and c.windows.weight.shape[1] > 1]   # no pools
    weights = sum(c.weight.size if c.is_dense else c.windows.weight.size for c in trained)
    assert weights == pytest.approx(25.5e6, rel=2e-3)
    assert 3.8e9 < sum(c.n_synapses for c in trained) < 4.1e9
