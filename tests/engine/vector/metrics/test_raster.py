"""Scores of rasters against counting and hand-worked matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.vector.metrics.raster import count_pixels


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_raster_measures_equal_those_of_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, result = rng.integers(0, 4, 60), rng.integers(0, 5, 60)
    scores = count_pixels([(result[:25], truth[:25]), (result[25:], truth[25:])], (0, 1, 2, 3), ignore=3)
    known = truth != 3
    assert scores.accuracy == pytest.approx((truth == result)[known].mean())
    for key in (0, 1, 2):
        hit = ((truth == key) & (result == key)).sum()
        union = (((truth == key) | (result == key)) & known).sum()
        assert scores.iou[key] == pytest.approx(hit / union)
        assert scores.recall[key] == pytest.approx(hit / (truth == key).sum())
        assert scores.precision[key] == pytest.approx(hit / ((result == key) & known).sum())


def test_kappa_by_hand() -> None:
    """Cohen's example: 20 and 15 agree, 5 and 10 do not: observed 0.7, by chance 0.5, kappa 0.4."""
    truth = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    result = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert count_pixels([(result, truth)], (0, 1)).kappa == pytest.approx(0.4)
