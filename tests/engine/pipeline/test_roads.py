"""The task "roads" with real runtimes and small networks."""

from __future__ import annotations

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, ModelError, OutputError, ParameterError, SourceError
from terraspore.engine.pipeline.request import ImageRequest, RoadRequest
from terraspore.engine.pipeline.roads import extract_roads
from terraspore.engine.protocol.messages import Plan
from terraspore.engine.protocol.options import ImageOptions, RuntimeOptions

ONNX = RuntimeOptions(device="cpu", runtime="onnxruntime", precision="float32", threads=1)
TRANSFORM = Affine(1, 0, 500_000, 0, -1, 4_649_776)


def test_roads_of_a_crossing(make_raster, make_model, sessions, tmp_path, crossing):
    output, probability = tmp_path / "roads.gpkg", tmp_path / "probability.tif"
    image = ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model())), runtime=ONNX)
    reporter = RecordingReporter()
    result = extract_roads(RoadRequest(image, output, probability), sessions, RunContext(reporter))
    plan = next(event for event in reporter.events if isinstance(event, Plan))
    assert (plan.width, plan.height, plan.tile, plan.overlap) == (300, 300, 64, 16)
    info, _, geometry, _ = pyogrio.raw.read(output, layer="roads")
    assert info["crs"] == "EPSG:32618"
    lines = shapely.from_wkb(geometry)
    assert shapely.is_valid(lines).all()
    truth = shapely.union_all(
        [
            shapely.LineString([(500_000, 4_649_626 - 0.5), (500_300, 4_649_626 - 0.5)]),
            shapely.LineString([(500_100.5, 4_649_776), (500_100.5, 4_649_476)]),
        ]
    )
    assert shapely.hausdorff_distance(shapely.union_all(lines), truth) < 6
    assert result.summary["length_m"] == pytest.approx(600 / 0.9996, rel=0.03)
    assert result.summary["roads"] == 4
    assert "km of road" in result.text
    assert result.outputs == {"roads": str(output), "probability": str(probability)}
    with rasterio.open(probability) as raster:
        assert (raster.read(1)[146:155] >= 245).all()
        assert raster.tags()["MODEL"] == result.summary["model"]
        assert len(raster.tags()["MODEL_SHA256"]) == 64


def test_a_name_without_a_suffix_is_a_folder(make_raster, make_model, sessions, tmp_path, crossing):
    image = ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model())), runtime=ONNX)
    reporter, folder = RecordingReporter(), tmp_path / "out"
    for output in (folder, tmp_path / "out.gpkg"):
        result = extract_roads(RoadRequest(image, output), sessions, RunContext(reporter))
        assert result.outputs == {"roads": str(output)}
    assert any(f"{folder} has no suffix" in getattr(event, "text", "") for event in reporter.events)
    for layer in ("roads", "road_nodes", "road_areas"):
        assert (folder / f"{layer}.qml").exists()
        (_, _, geometry, fields), expected = (
            pyogrio.raw.read(folder / f"{layer}.vrt"),
            pyogrio.raw.read(tmp_path / "out.gpkg", layer=layer),
        )
        order, expected_order = np.argsort(fields[0]), np.argsort(expected[3][0])
        assert [bytes(item) for item in geometry[order]] == [bytes(item) for item in expected[2][expected_order]]
        for found, column in zip(fields, expected[3], strict=True):
            np.testing.assert_array_equal(found[order], column[expected_order])
    with pytest.raises(OutputError, match="layers of an earlier run"):
        extract_roads(RoadRequest(image, folder), sessions, RunContext())


def test_only_what_was_asked_for_is_left(make_raster, make_model, sessions, tmp_path, crossing):
    folder = tmp_path / "out"
    folder.mkdir()
    image = ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model())), runtime=ONNX)
    extract_roads(RoadRequest(image, folder / "roads.gpkg"), sessions, RunContext())
    assert [path.name for path in folder.iterdir()] == ["roads.gpkg"]


class CancelAtFirstProgress(RecordingReporter):
    def __init__(self, cancellation):
        super().__init__()
        self.cancellation = cancellation

    def emit(self, event):
        super().emit(event)
        if event.type == "progress":
            self.cancellation.cancel()


def test_cancelled_run_leaves_nothing(make_raster, make_model, sessions, tmp_path, crossing):
    folder = tmp_path / "out"
    folder.mkdir()
    cancellation = Cancellation()
    image = ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model())), runtime=ONNX)
    request = RoadRequest(image, folder / "roads.gpkg", folder / "probability.tif")
    with pytest.raises(Cancelled):
        extract_roads(request, sessions, RunContext(CancelAtFirstProgress(cancellation), cancellation))
    assert list(folder.iterdir()) == []


def test_polygons_elsewhere_are_refused(make_raster, make_model, sessions, tmp_path, crossing):
    area = tmp_path / "area.geojson"
    pyogrio.raw.write(area, shapely.to_wkb([shapely.box(0, 0, 1, 1)]), [], [], geometry_type="Polygon", crs="EPSG:4326")
    image = ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model()), area=area), runtime=ONNX)
    with pytest.raises(ParameterError, match="do not touch"):
        extract_roads(RoadRequest(image, tmp_path / "r.gpkg"), sessions, RunContext())


def refused(kind, match, request, sessions):
    with pytest.raises(kind, match=match):
        extract_roads(request, sessions, RunContext())


def test_mistakes_are_found_before_the_work(make_raster, make_model, sessions, tmp_path, crossing):
    image, model, out = make_raster(crossing), str(make_model()), tmp_path / "r.gpkg"
    four = str(make_model([[1, 0, 0, 0]]))
    landcover = str(make_model(np.eye(3), task="landcover"))

    def ask(image, model, **options):
        return ImageRequest(image, ImageOptions(model=model, **options))

    refused(SourceError, "does not exist", RoadRequest(ask(tmp_path / "none.tif", model), out), sessions)
    refused(SourceError, "takes 4 bands", RoadRequest(ask(image, four), out), sessions)
    refused(ModelError, "not for roads", RoadRequest(ask(image, landcover), out), sessions)
    refused(ParameterError, "extent", RoadRequest(ask(image, model, extent=(0, 0, 1, 1)), out), sessions)
    refused(ParameterError, "overlap", RoadRequest(ask(image, model, overlap=60), out), sessions)
    refused(ParameterError, "no suffix of a vector", RoadRequest(ask(image, model), image), sessions)
    refused(ParameterError, "which this run reads", RoadRequest(ask(image, model), out, probability=image), sessions)
    refused(ParameterError, "given twice", RoadRequest(ask(image, model), out, out), sessions)
    refused(OutputError, "folder", RoadRequest(ask(image, model), tmp_path / "no" / "r.gpkg"), sessions)
    assert not out.exists()


def test_image_that_only_says_to_be_large_is_refused(make_model, sessions, tmp_path):
    image = tmp_path / "huge.vrt"
    image.write_text(
        '<VRTDataset rasterXSize="9000000" rasterYSize="9000000"><SRS>EPSG:32618</SRS>'
        "<GeoTransform>500000,0.01,0,4000000,0,-0.01</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    ask = ImageRequest(image, ImageOptions(model=str(make_model()), resolution=0.01), runtime=ONNX)
    refused(ParameterError, "columns needs about", RoadRequest(ask, tmp_path / "r.gpkg"), sessions)


def test_raw_values_that_do_not_fit_the_model_are_refused(make_raster, make_model, sessions, tmp_path, crossing):
    image = make_raster(crossing.astype(np.uint16) * 100)
    request = RoadRequest(ImageRequest(image, ImageOptions(model=str(make_model()))), tmp_path / "r.gpkg")
    refused(ParameterError, "takes uint8 values as they are", request, sessions)
    stretched = ImageRequest(image, ImageOptions(model=str(make_model(stretch=True))), runtime=ONNX)
    result = extract_roads(RoadRequest(stretched, tmp_path / "r.gpkg"), sessions, RunContext())
    assert result.summary["roads"] == 4
