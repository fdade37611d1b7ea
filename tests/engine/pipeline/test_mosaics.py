"""Roads and polygons of a mosaic, compared with those of the image that it was cut from."""

from __future__ import annotations

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from raster_files import NORTH_UP, UTM, write_raster
from rasterio.enums import Resampling
from rasterio.warp import calculate_default_transform, reproject
from terraspore.engine.context import RunContext
from terraspore.engine.errors import ResumeError, SourceError
from terraspore.engine.fs.journal import read_journal
from terraspore.engine.pipeline.landcover import extract_classes
from terraspore.engine.pipeline.plan import plan_run
from terraspore.engine.pipeline.request import ClassRequest, ImageRequest, RoadRequest
from terraspore.engine.pipeline.roads import extract_roads
from terraspore.engine.protocol.options import ImageOptions, RuntimeOptions

ONNX = RuntimeOptions(device="cpu", runtime="onnxruntime", precision="float32", threads=1)
CUTS = {
    "2x2": [(0, 0, 140, 150), (140, 0, 300, 150), (0, 150, 140, 300), (140, 150, 300, 300)],
    "3x3": [(x, y, x + 100, y + 100) for y in (0, 100, 200) for x in (0, 100, 200)],
    "overlapping": [(0, 0, 180, 160), (120, 0, 300, 170), (0, 110, 190, 300), (150, 130, 300, 300)],
}


def cut(folder, pixels, boxes):
    """Write windows of ``pixels`` as images with blocks of different sizes."""
    paths = []
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        blocks = [{}, {"tiled": True, "blockxsize": 64, "blockysize": 32}, {"blockysize": 7}][number % 3]
        place = NORTH_UP @ Affine.translation(x0, y0)
        paths.append(write_raster(folder / f"cut{number}.tif", pixels[:, y0:y1, x0:x1], transform=place, **blocks))
    return paths


def request(paths, model, **options):
    return ImageRequest(paths[0], ImageOptions(model=str(model), **options), ONNX, tuple(paths[1:]))


def read_layers(path):
    """All features of all layers of a file: geometries and values."""
    layers = {}
    for name, kind in pyogrio.list_layers(path):
        if kind is None:  # styles and metadata
            continue
        _, _, geometry, fields = pyogrio.raw.read(path, layer=name)
        layers[name] = (list(geometry), [list(map(str, column)) for column in fields])
    return layers


@pytest.mark.parametrize("cuts", CUTS)
def test_roads_of_a_mosaic_are_those_of_the_whole_image(make_model, sessions, tmp_path, crossing, cuts):
    model = make_model()
    whole, mosaic = tmp_path / "whole.gpkg", tmp_path / "mosaic.gpkg"
    extract_roads(
        RoadRequest(request([write_raster(tmp_path / "a.tif", crossing)], model), whole), sessions, RunContext()
    )
    paths = cut(tmp_path, crossing, CUTS[cuts])
    result = extract_roads(RoadRequest(request(paths, model), mosaic), sessions, RunContext())
    assert read_layers(mosaic) == read_layers(whole)
    assert result.summary["roads"] == 4


def test_roads_cross_an_image_of_another_resolution(make_model, sessions, tmp_path, crossing):
    left = cut(tmp_path, crossing, [(0, 0, 150, 300)])
    fine = crossing[:, :, 150:].repeat(2, axis=1).repeat(2, axis=2)
    place = NORTH_UP @ Affine.translation(150, 0) @ Affine.scale(0.5)
    right = write_raster(tmp_path / "right.tif", fine, transform=place)
    output = tmp_path / "roads.gpkg"
    result = extract_roads(RoadRequest(request([*left, right], make_model()), output), sessions, RunContext())
    assert result.summary["roads"] == 4
    lines = shapely.from_wkb(pyogrio.raw.read(output, layer="roads")[2])
    # One line runs from the junction at column 100 over the border at 150 to the end.
    assert any(line.bounds[0] < 500_110 and line.bounds[2] > 500_290 for line in lines)


def write_warped(path, pixels, x0, crs):
    """Write ``pixels`` from column ``x0`` on in another coordinate system."""
    _, rows, columns = pixels.shape
    place = NORTH_UP @ Affine.translation(x0, 0)
    left, top = place @ (0, 0)
    right, bottom = place @ (columns - x0, rows)
    target, width, height = calculate_default_transform(UTM, crs, columns - x0, rows, left, bottom, right, top)
    out = np.zeros((3, height, width), np.uint8)
    reproject(
        np.ascontiguousarray(pixels[:, :, x0:]), out, src_transform=place, src_crs=UTM, dst_transform=target,
        dst_crs=crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    return write_raster(path, out, crs=crs, transform=target, nodata=0)


def read_shapes(path, layer, column):
    """The values of a column, and the geometries."""
    names, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
    return list(fields[list(names["fields"]).index(column)]), shapely.from_wkb(geometry)


@pytest.mark.parametrize("crs", ["EPSG:32617", "EPSG:3857", "EPSG:4326"])
def test_features_of_images_in_two_coordinate_systems_are_those_of_the_whole(
    make_model, sessions, tmp_path, crossing, crs
):
    whole = [write_raster(tmp_path / "a.tif", crossing)]
    halves = [*cut(tmp_path, crossing, [(0, 0, 150, 300)]), write_warped(tmp_path / "w.tif", crossing, 140, crs)]
    model, cover = make_model(), make_model(((1.0, 0.0, 0.0), (0.0, -1.0, 0.0)), task="landcover")
    lines, polygons = [], []
    for name, paths in (("whole", whole), ("halves", halves)):
        roads, vectors = tmp_path / f"{name}.gpkg", tmp_path / f"{name}-c.gpkg"
        extract_roads(RoadRequest(request(paths, model), roads), sessions, RunContext())
        extract_classes(ClassRequest(request(paths, cover), output=vectors), "landcover", sessions, RunContext())
        assert pyogrio.read_info(roads, layer="roads")["crs"] == UTM
        lines.append(read_shapes(roads, "roads", "road_id"))
        polygons.append(read_shapes(vectors, "landcover", "class_id"))
    assert len(lines[0][1]) == len(lines[1][1]) == 4
    inside = shapely.box(500_005, 4_649_481, 500_295, 4_649_771)  # the warped image ends a little elsewhere
    clipped = [shapely.intersection(shapes, inside) for _, shapes in lines]
    for one in clipped[0]:  # the border lies 50 m from the crossing, in the middle of a road
        assert min(shapely.hausdorff_distance(one, clipped[1])) < 1
    for value in set(polygons[0][0]):
        parts = [
            shapely.intersection(shapely.union_all(shapes[np.equal(values, value)]), inside)
            for values, shapes in polygons
        ]
        assert parts[0].area > 1000
        assert shapely.symmetric_difference(*parts).area < 0.03 * parts[0].area


def test_polygons_and_rasters_of_a_mosaic_are_those_of_the_whole_image(make_model, sessions, tmp_path, crossing):
    model = make_model(((1.0, 0.0, 0.0), (0.0, -1.0, 0.0)), task="landcover")
    found = []
    for name, paths in (
        ("whole", [write_raster(tmp_path / "a.tif", crossing)]),
        ("mosaic", cut(tmp_path, crossing, CUTS["3x3"])),
    ):
        vectors, classes = tmp_path / f"{name}.gpkg", tmp_path / f"{name}.tif"
        extract_classes(
            ClassRequest(request(paths, model), output=vectors, classes=classes), "landcover", sessions, RunContext()
        )
        with rasterio.open(classes) as raster:
            found.append((read_layers(vectors), raster.read().tolist(), raster.tags()["SOURCE"]))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] == "a.tif"
    assert found[1][2] == "cut0.tif, cut1.tif, cut2.tif and 6 more"


def test_area_limits_a_mosaic(make_model, sessions, tmp_path, crossing):
    area = tmp_path / "area.gpkg"
    box = shapely.box(500_050, 4_649_600, 500_160, 4_649_700)
    pyogrio.raw.write(
        area, np.array([shapely.to_wkb(box)]), [], [], geometry_type="Polygon", crs="EPSG:32618", driver="GPKG"
    )
    paths = cut(tmp_path, crossing, CUTS["3x3"])
    output, probability = tmp_path / "roads.gpkg", tmp_path / "probability.tif"
    image = request(paths, make_model(), area=area)
    extract_roads(RoadRequest(image, output, probability), sessions, RunContext())
    with rasterio.open(probability) as raster:
        assert (raster.read(1) != 255).sum() == 110 * 100


def test_plan_and_messages_name_the_mosaic(make_model, sessions, tmp_path, crossing):
    paths = cut(tmp_path, crossing, CUTS["2x2"])
    assert plan_run(request(paths, make_model()), "roads", sessions, RunContext()).summary["width"] == 300
    with pytest.raises(SourceError, match=r"cut4\.tif"):
        plan_run(request([*paths, tmp_path / "cut4.tif"], make_model()), "roads", sessions, RunContext())


class Interruption(Exception):
    """Stands for a failure in the middle of a run."""


def test_interrupted_mosaic_is_resumed_and_a_changed_image_is_named(
    make_model, sessions, tmp_path, crossing, monkeypatch
):
    from terraspore.engine.pipeline import runner

    paths, model = cut(tmp_path, crossing, CUTS["3x3"]), make_model()
    whole, output = tmp_path / "whole.gpkg", tmp_path / "roads.gpkg"
    extract_roads(RoadRequest(request(paths, model, tile=32), whole), sessions, RunContext())
    advance, rows = runner.ProgressTracker.advance, []

    def fail_in_the_middle(self, tiles, empty):
        advance(self, tiles, empty)
        rows.append(tiles)
        if sum(rows) > 200:
            raise Interruption

    with monkeypatch.context() as patch:
        patch.setattr(runner.ProgressTracker, "advance", fail_in_the_middle)
        with pytest.raises(Interruption):
            extract_roads(RoadRequest(request(paths, model, tile=32), output), sessions, RunContext())
    assert len(read_journal(output).header.fingerprint.files) == 9
    other = request(paths[::-1], model, tile=32)
    with pytest.raises(ResumeError, match=r"cut8\.tif, not .*cut0\.tif"):
        extract_roads(RoadRequest(other, output, resume=True), sessions, RunContext())
    extract_roads(RoadRequest(request(paths, model, tile=32), output, resume=True), sessions, RunContext())
    assert read_layers(output) == read_layers(whole)
