"""Files to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.vector.metrics.inputs import choose_metric_crs, read_layer, to_crs
from terraspore.engine.vector.metrics.network import build_network


def test_files_in_degrees_are_measured_in_metres(tmp_path: Path) -> None:
    path = tmp_path / "line.geojson"
    line = shapely.LineString([(10.0, 60.0), (10.0, 60.01)])
    pyogrio.raw.write(
        path, np.array([line.wkb], object), [np.array([1])], np.array(["id"]), driver="GeoJSON",
        geometry_type="LineString", crs="EPSG:4326",
    )  # fmt: skip
    layer = read_layer(path)
    assert build_network(to_crs(layer, choose_metric_crs(layer))).length.sum() == pytest.approx(1114.2, abs=0.5)
