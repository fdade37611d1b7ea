"""Conflation of existing and new lines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from terraspore.engine.vector.conflation import conflate


def test_conflation_splits_lines_where_the_change_is() -> None:
    existing = np.array([shapely.LineString([(0, 0), (300, 0)])], object)
    new = np.array([shapely.LineString([(0, 1), (200, 1)]), shapely.LineString([(100, 1), (100, 90)])], object)
    changes = conflate(existing, new, 10.0)
    assert changes.metrics()["kept_m"] == pytest.approx(210, abs=1)
    assert changes.metrics()["gone_m"] == pytest.approx(90, abs=1)
    assert changes.metrics()["new_m"] == pytest.approx(80, abs=2)
    assert changes.distance[changes.change == "kept"].tolist() == pytest.approx([1.2], abs=0.5)
    assert changes.source[changes.change == "new"].tolist() == [1]
