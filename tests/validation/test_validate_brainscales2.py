"""The table `brainscales2` of `chipsim validate`, and the trained network behind its accuracy."""
from __future__ import annotations

import numpy as np

from chipsim import validation
from chipsim.validation import brainscales2, first_spikes


def test_no_case_of_brainscales2_misses():
    results = list(validation.run({"brainscales2": brainscales2.CASES}))
    assert [(r.case.name, r.ours) for r in results if r.verdict not in ("ok", "inside")] == []


def test_brighter_pixels_spike_earlier_and_dark_ones_not_at_all():
    images = np.zeros((1, 64))
    images[0, :3] = 1.0, 0.5, 0.05
    spikes = first_spikes.encode(images)
    when = [np.flatnonzero(spikes[:, 0, line]).tolist() for line in (0, 2, 4)]
    assert when == [[0], [6], []] and spikes.sum() == 2 * 4
