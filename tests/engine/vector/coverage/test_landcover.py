"""Land cover from class rasters to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.context import RunContext
from terraspore.engine.errors import SourceError
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.raster.values import Encoding
from terraspore.engine.vector.coverage.extract import CoverageSummary, vectorize_landcover
from terraspore.engine.vector.io.formats import VectorTarget

Writer = Callable[..., Path]
NAMES = {1: "water", 2: "forest", 3: "town"}


def run(
    raster: Path, output: Path, confidence: Path | None = None, encoding: Encoding | None = None, **options: object
) -> CoverageSummary:
    return vectorize_landcover(
        raster,
        VectorTarget(output),
        CoverageOptions(**options),
        confidence=confidence,
        class_names=NAMES,
        context=RunContext(),
        encoding=encoding,
    )


def patches(size: int = 60) -> np.ndarray:
    values = np.full((size, size), 2, np.uint8)
    values[:20, :30] = 1
    values[40:, 10:40] = 3
    values[30, 30] = values[50, 20] = 1
    values[55:, 55:] = 0
    return values


def read(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    meta, _, geometry, fields = pyogrio.raw.read(path, layer="landcover")
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], fields, strict=True))


def test_attributes_tell_class_area_and_confidence(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(patches(), nodata=0)
    sure = write_raster(np.where(patches() == 2, 200, 100).astype(np.uint8), "sure.tif", scale=0.004)
    summary = run(raster, tmp_path / "a.gpkg", sure, minimum_area=0.0, smooth=False, simplify=0.0)
    geometry, fields = read(tmp_path / "a.gpkg")
    assert sorted(zip(fields["class_name"], fields["area"].round(-1), fields["confidence"], strict=True)) == [
        ("forest", pytest.approx(2370, abs=11), 0.8),
        ("town", pytest.approx(600, abs=11), 0.4),
        ("water", 0, 0.4),
        ("water", 0, 0.4),
        ("water", pytest.approx(600, abs=11), 0.4),
    ]
    assert shapely.area(geometry).sum() == 60 * 60 - 25
    assert summary.area == pytest.approx(3575, rel=1e-3)
    assert fields["perimeter"].max() == pytest.approx(max(shapely.length(geometry)), rel=1e-3)


def test_the_style_names_the_classes_that_occur(tmp_path: Path, write_raster: Writer) -> None:
    import sqlite3
    from contextlib import closing
    from xml.etree import ElementTree

    run(write_raster(patches(), nodata=0), tmp_path / "a.gpkg", minimum_area=0.0)
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as database:
        (qml,) = database.execute("SELECT styleQML FROM layer_styles WHERE f_table_name = 'landcover'").fetchone()
    renderer = ElementTree.fromstring(qml.partition("\n")[2]).find("renderer-v2")
    assert renderer.attrib["attr"] == "class_id"
    labels = {category.attrib["value"]: category.attrib["label"] for category in renderer.find("categories")}
    assert labels == {str(key): name for key, name in NAMES.items()}
    assert len({symbol.find(".//Option[@name='color']").attrib["value"] for symbol in renderer.find("symbols")}) == 3


def test_minimum_areas_protection_and_single_classes(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(patches(), nodata=0)
    options = {"smooth": False, "simplify": 0.0}
    assert run(raster, tmp_path / "a.gpkg", **options).polygons == 3  # 16 pixels by default
    assert run(raster, tmp_path / "b.gpkg", minimum_area=50.0, protected=frozenset({1}), **options).polygons == 5
    assert run(raster, tmp_path / "c.gpkg", minimum_area=0.0, minimum_area_by_class={1: 5.0}, **options).polygons == 3
    only = run(raster, tmp_path / "d.gpkg", classes=frozenset({3}), **options)
    assert only.area_by_class == {3: pytest.approx(600, rel=0.01)}
    without = run(raster, tmp_path / "e.gpkg", encoding=Encoding("classes", "", nodata=2), minimum_area=0.0, **options)
    assert set(without.area_by_class) == {1, 3}


def test_a_raster_without_classes_gives_an_empty_layer(tmp_path: Path, write_raster: Writer) -> None:
    summary = run(write_raster(np.zeros((9, 9), np.uint8), nodata=0), tmp_path / "a.gpkg")
    assert (summary.polygons, summary.area) == (0, 0.0)
    assert len(read(tmp_path / "a.gpkg")[0]) == 0


@pytest.mark.parametrize("values", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), -1, np.int16)])
def test_a_refused_raster_leaves_no_output(tmp_path: Path, write_raster: Writer, values: np.ndarray) -> None:
    with pytest.raises(SourceError):
        run(write_raster(values), tmp_path / "a.gpkg")
    assert not (tmp_path / "a.gpkg").exists()


def test_confidence_has_to_fit(tmp_path: Path, write_raster: Writer) -> None:
    raster, other = write_raster(patches()), write_raster(patches()[:40, :40], "other.tif", scale=0.004)
    with pytest.raises(SourceError, match="40 x 40"):
        run(raster, tmp_path / "a.gpkg", other)
