"""The tasks "landcover" and "segmentation" with real runtimes and small networks."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import onnx
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from onnx import TensorProto, helper, numpy_helper
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ParameterError
from terraspore.engine.models.card import read_card
from terraspore.engine.pipeline.landcover import extract_classes
from terraspore.engine.pipeline.request import ClassRequest, ImageRequest
from terraspore.engine.protocol.messages import Message, Plan, Progress
from terraspore.engine.protocol.options import CoverageOptions, ImageOptions, RuntimeOptions

ONNX = RuntimeOptions(device="cpu", runtime="onnxruntime", precision="float32", threads=1)
TRANSFORM = Affine(1, 0, 500_000, 0, -1, 4_649_776)


def test_polygons_restrict_the_work(make_raster, make_model, sessions, tmp_path, crossing):
    area = tmp_path / "area.geojson"
    polygon = shapely.box(500_200, 4_649_500, 500_260, 4_649_560)
    pyogrio.raw.write(area, shapely.to_wkb([polygon]), [], [], geometry_type="Polygon", crs="EPSG:32618")
    image = ImageRequest(
        make_raster(crossing), ImageOptions(model=str(make_model(task="segmentation")), area=area), runtime=ONNX
    )
    target, reporter = tmp_path / "probability.tif", RecordingReporter()
    extract_classes(ClassRequest(image, probability=target), "segmentation", sessions, RunContext(reporter))
    plan = next(event for event in reporter.events if isinstance(event, Plan))
    assert plan.tiles <= 4
    with rasterio.open(target) as raster:
        window = rasterio.windows.from_bounds(*polygon.bounds, transform=raster.transform)
        assert (raster.read_masks(1) > 0).sum() == 3600
        assert (raster.read(1, window=window) == 20).all()


def test_finer_image_gives_outputs_at_the_models_resolution(make_raster, make_model, sessions, tmp_path, crossing):
    fine = np.repeat(np.repeat(crossing[:, :100, :100], 3, axis=1), 3, axis=2)
    image = make_raster(fine, transform=TRANSFORM @ Affine.scale(1 / 3))
    target = tmp_path / "probability.tif"
    request = ClassRequest(
        ImageRequest(image, ImageOptions(model=str(make_model(task="segmentation"))), runtime=ONNX), probability=target
    )
    extract_classes(request, "segmentation", sessions, RunContext())
    with rasterio.open(target) as raster:
        assert (raster.width, raster.height) == (100, 100)
        assert raster.transform.almost_equals(TRANSFORM)
        np.testing.assert_array_equal(raster.read(1), crossing[0, :100, :100])


def test_coarse_image_is_remarked_on(make_raster, make_model, sessions, tmp_path, crossing):
    image = make_raster(crossing[:, :20, :20], transform=TRANSFORM @ Affine.scale(10))
    model, reporter = str(make_model(task="segmentation")), RecordingReporter()
    options = ImageOptions(model=model, resolution=1.0)
    request = ClassRequest(ImageRequest(image, options, runtime=ONNX), probability=tmp_path / "p.tif")
    extract_classes(request, "segmentation", sessions, RunContext(reporter))
    assert any("expect a poor result" in event.text for event in reporter.events if isinstance(event, Message))


def raster_names(model):
    return [entry.name for entry in read_card(model / "card.json").classes]


def test_classes_with_confidence(make_raster, make_model, sessions, tmp_path):
    pixels = np.zeros((3, 90, 90), np.uint8)
    pixels[0, :, :30] = 200
    pixels[1, :, 30:60] = 180
    pixels[2, :, 60:] = 160
    model = make_model(np.eye(3), task="landcover")
    output, classes, confidence = tmp_path / "cover.gpkg", tmp_path / "classes.tif", tmp_path / "confidence.tif"
    request = ClassRequest(
        ImageRequest(make_raster(pixels), ImageOptions(model=str(model)), runtime=ONNX),
        output,
        classes=classes,
        confidence=confidence,
    )
    result = extract_classes(request, "landcover", sessions, RunContext())
    assert result.summary["polygons"] == 3
    for index in range(3):  # 30 x 90 m; the ellipsoid's metres are not quite those of the projection
        assert result.summary[f"area_of_class_{index}"] == pytest.approx(2700, rel=6e-3)
        assert re.search(rf"{raster_names(model)[index]} 2,[67]\d\d m²", result.text)
    _, _, geometry, _ = pyogrio.raw.read(output, layer="landcover")
    bounds = shapely.bounds(shapely.from_wkb(geometry))
    assert sorted(bounds[:, 0]) == [500_000, 500_030, 500_060]
    assert (bounds[:, 2] - bounds[:, 0] == 30).all()
    with rasterio.open(classes) as raster:
        np.testing.assert_array_equal(raster.read(1), np.repeat([[0, 1, 2]], 30, axis=1).repeat(90, axis=0))
        assert raster.colormap(1)[2] == (80, 80, 90, 255)
    categories = ElementTree.parse(tmp_path / "classes.tif.aux.xml").iter("Category")
    assert [entry.text for entry in categories] == raster_names(model)
    with rasterio.open(confidence) as raster:
        assert raster.read(1)[0, [0, 40, 80]].tolist() == [200, 180, 160]


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (CoverageOptions(classes=frozenset({1, 7})), "--only"),
        (CoverageOptions(protected=frozenset({7})), "--protect"),
        (CoverageOptions(minimum_area_by_class={7: 5.0}), "--class-minimum-area"),
        (CoverageOptions(regularise=("7",)), "--regularise"),
    ],
)
def test_options_of_a_class_that_the_model_does_not_have_are_refused(
    make_raster, make_model, sessions, tmp_path, options, flag
):
    model, reporter = make_model(np.eye(3), task="landcover"), RecordingReporter()
    image = ImageRequest(make_raster(np.zeros((3, 90, 90), np.uint8)), ImageOptions(model=str(model)), runtime=ONNX)
    request = ClassRequest(image, tmp_path / "cover.gpkg", options=options)
    with pytest.raises(
        ParameterError, match=rf"no class 7 \({flag}\)\. Its classes are: 0 \({raster_names(model)[0]}\)"
    ):
        extract_classes(request, "landcover", sessions, RunContext(reporter))
    assert not any(isinstance(event, Progress) and event.stage == "infer" for event in reporter.events)


def test_a_chosen_class_without_pixels_is_named_as_a_reason(make_raster, make_model, sessions, tmp_path):
    model, reporter = make_model(np.eye(3), task="landcover"), RecordingReporter()
    pixels = np.zeros((3, 90, 90), np.uint8)
    pixels[0] = 200
    image = ImageRequest(make_raster(pixels), ImageOptions(model=str(model)), runtime=ONNX)
    request = ClassRequest(image, tmp_path / "cover.gpkg", options=CoverageOptions(classes=frozenset({2})))
    extract_classes(request, "landcover", sessions, RunContext(reporter))
    assert any(
        "no pixel has a class of --only" in event.text for event in reporter.events if isinstance(event, Message)
    )


def test_a_model_of_deepness_is_run_as_its_metadata_say(make_raster, sessions, tmp_path):
    """Three classes of which the brightest band decides, at 50 cm, from values with a mean and a deviation."""
    weights = numpy_helper.from_array((np.eye(3) * 40)[:, :, None, None].astype(np.float32), "weights")
    sides = ["batch", 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weights"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sides)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    properties = {"model_type": "Segmentor", "class_names": {"0": "field", "1": "wood", "2": "water"}, "resolution": 50}
    properties |= {
        "tiles_overlap": 25,
        "standardization_mean": [0.5, 0.5, 0.5],
        "standardization_std": [0.25, 0.25, 0.25],
    }
    helper.set_model_props(model, {key: json.dumps(value) for key, value in properties.items()})
    onnx.save(model, tmp_path / "net.onnx")
    truth = np.random.default_rng(4).integers(0, 3, (9, 9)).repeat(10, axis=0).repeat(10, axis=1)
    pixels = np.stack([np.where(truth == i, 200, 60) for i in range(3)]).astype(np.uint8)
    image = make_raster(pixels, transform=TRANSFORM @ Affine.scale(0.5))
    request = ClassRequest(
        ImageRequest(image, ImageOptions(model=str(tmp_path / "net.onnx")), runtime=ONNX),
        tmp_path / "v.gpkg",
        classes=tmp_path / "c.tif",
        confidence=tmp_path / "p.tif",
    )
    result = extract_classes(request, "segmentation", sessions, RunContext())
    assert result.summary["tiles"] == 4
    with rasterio.open(tmp_path / "c.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), truth)
    with rasterio.open(tmp_path / "p.tif") as raster:  # the softmax of 40 / 0.25 x (200 - 60) / 255 is 1
        assert raster.read(1).min() == 250
    names = pyogrio.raw.read(tmp_path / "v.gpkg", layer=request.layer)[3][2]
    assert set(names) == {"field", "wood", "water"}


def test_model_of_one_class_gives_a_mask(make_raster, make_model, sessions, tmp_path, crossing):
    target = tmp_path / "mask.tif"
    request = ClassRequest(
        ImageRequest(make_raster(crossing), ImageOptions(model=str(make_model())), runtime=ONNX),
        classes=target,
        threshold=0.9,
    )
    extract_classes(request, "roads", sessions, RunContext())
    with rasterio.open(target) as raster:
        np.testing.assert_array_equal(raster.read(1), crossing[0] == 245)
