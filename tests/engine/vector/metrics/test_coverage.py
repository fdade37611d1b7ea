"""Checks of coverages against hand-worked polygons."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from terraspore.engine.vector.metrics.coverage import raster_agreement, score_coverage


def test_coverage_checks_by_hand() -> None:
    good = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)])
    scores = score_coverage(good)
    assert (scores.invalid, scores.is_coverage, scores.overlap_area, scores.gap_area) == (0, True, 0.0, 0.0)
    overlapping = score_coverage(np.array([shapely.box(0, 0, 1.25, 1), shapely.box(1, 0, 2, 1)]))
    assert (overlapping.is_coverage, overlapping.overlap_area) == (False, 0.25)
    ring = shapely.box(0, 0, 4, 4) - shapely.box(1, 1, 2, 3)
    assert score_coverage(np.array([ring])).gap_area == 2.0
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert score_coverage(np.array([bow])).invalid == 1


def test_agreement_by_hand() -> None:
    classes = np.array([[1, 1, 2], [1, 1, 2]])
    polygons, ids = np.array([shapely.box(0, 0, 1, 2), shapely.box(1, 0, 3, 2)]), np.array([1, 2])
    assert raster_agreement(polygons, ids, classes, Affine.identity(), -1) == pytest.approx(4 / 6)
