"""Chips from a small georeferenced raster and vector layers made here."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from terraspore.engine.errors import OutputError, ParameterError, VectorError
from terraspore.engine.models.checkpoint import read_checkpoint
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.engine.models.registry import find_model
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.raster.stretch import estimate_stretch
from terraspore.training.chips import ChipsRequest, cut_chips
from terraspore.training.chips.cutter import split_windows
from terraspore.training.config import from_mapping, load_config
from terraspore.training.data import open_sources, open_split, open_training_data

# 2 m pixels, UTM 33N, the upper left corner at 500000 E, 5500000 N.
TRANSFORM = Affine(2, 0, 500000, 0, -2, 5500000)


def raster(
    path: Path, width: int = 300, height: int = 100, span: tuple[int, int] = (1, 255), dtype: str = "uint8"
) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(*span, (3, height, width), dtype)
    profile = {"driver": "GTiff", "count": 3, "width": width, "height": height, "dtype": dtype, "crs": "EPSG:32633"}
    with rasterio.open(path, "w", transform=TRANSFORM, **profile) as target:
        target.write(pixels)
    return path


def vectors(path: Path, geometry: list, geometry_type: str, crs: str = "EPSG:32633", **fields: list) -> Path:
    columns = [np.array(values, object) for values in fields.values()]
    pyogrio.raw.write(
        path, shapely.to_wkb(geometry), columns, list(fields), geometry_type=geometry_type, crs=crs, driver="GPKG"
    )
    return path


def world(column: float, row: float) -> tuple[float, float]:
    return TRANSFORM @ (column, row)


def test_roads_get_their_width_on_the_ground(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    line = shapely.LineString([world(0, 50), world(300, 50)])
    labels = vectors(tmp_path / "roads.gpkg", [line], "LineString")
    out = tmp_path / "chips"
    summary = cut_chips(ChipsRequest(image, labels, out, size=50, width=12.0))
    # 12 m are 6 pixels: rows 47 to 52. 300 pixels, a fifth for validation: chips from 240; training ends before that.
    assert (summary.train, summary.valid) == (8, 2)
    config = load_config(summary.config)
    split = open_split(config.data, "train")
    assert config.network.num_classes == 1
    chip, label = split.read([sample.id for sample in split.samples].index("x000050_y000050"))
    assert label[:3].all()
    assert not label[3:].any()
    with rasterio.open(image) as source:
        assert np.array_equal(chip, source.read()[:, 50:100, 50:100].transpose(1, 2, 0))
    with rasterio.open(out / "train" / "images" / "x000050_y000050.tif") as stored:
        assert stored.transform @ (0, 0) == world(50, 50)
        assert stored.crs.to_epsg() == 32633


def test_widths_and_classes_from_attributes_and_another_crs(tmp_path: Path) -> None:
    from pyproj import Transformer

    image = raster(tmp_path / "image.tif")
    step = Transformer.from_crs(32633, 4326, always_xy=True)
    boxes = [shapely.box(*world(0, 100), *world(150, 50)), shapely.box(*world(150, 100), *world(300, 0))]
    moved = [shapely.transform(box, lambda p: np.column_stack(step.transform(p[:, 0], p[:, 1]))) for box in boxes]
    labels = vectors(tmp_path / "cover.gpkg", moved, "Polygon", "EPSG:4326", kind=["water", "forest"])
    summary = cut_chips(
        ChipsRequest(image, labels, tmp_path / "chips", field="kind", size=50, classes=("water", "forest"))
    )
    assert summary.names == ("water", "forest")
    split = open_split(load_config(summary.config).data, "train")
    values = {sample.id: np.unique(split.read(i)[1]).tolist() for i, sample in enumerate(split.samples)}
    # The upper left has no label at all: no chip there.
    assert "x000000_y000000" not in values
    assert values["x000000_y000050"] == [0]
    assert values["x000150_y000000"] == [1]


def test_chips_are_a_source_at_another_resolution(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    line = shapely.LineString([world(0, 24), world(300, 24)])
    labels = vectors(tmp_path / "roads.gpkg", [line], "LineString")
    cut_chips(ChipsRequest(image, labels, tmp_path / "chips", size=48, width=8.0))
    source = {"root": str(tmp_path / "chips"), "layout": "chips", "resolution": 2.0, "test": "valid"}
    config = from_mapping({"resolution": 1.0, "data": {"sources": [source], "holdout": 4}})
    split = open_training_data(config).train[0].split
    pixels, label = split.read([sample.id for sample in split.samples].index("x000048_y000000"))
    assert pixels.shape == (96, 96, 3)
    # The road of 8 m is 8 pixels wide now.
    assert label.sum(0).tolist() == [8] * 96


def test_one_class_starts_from_the_default_road_model(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    labels = vectors(tmp_path / "roads.gpkg", [shapely.LineString([world(0, 24), world(300, 24)])], "LineString")
    cut_chips(ChipsRequest(image, labels, tmp_path / "chips", size=48, width=8.0))
    config = load_config(tmp_path / "chips" / "train.yaml")
    assert config.network.name == "dlinknet_efficientnet_lite2"
    weights = read_checkpoint(find_model(config.init.checkpoint).weights)
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    wanted = parameter_shapes(load_onnx(graph_path(config.network.name, {})))
    assert shapes.keys() == wanted.keys()
    assert config.normalisation.mean == (0.485, 0.456, 0.406)
    assert config.normalisation.contrast == find_model(config.init.checkpoint).card.contrast is not None
    cut_chips(ChipsRequest(image, labels, tmp_path / "one", size=48, width=8.0, bands=(1,)))
    config = load_config(tmp_path / "one" / "train.yaml")
    assert (config.init.checkpoint, config.network.options) == ("", {"in_channels": 1})
    assert (config.normalisation.std, config.normalisation.contrast) == ((0.3125,), None)


@pytest.mark.parametrize(
    ("span", "dtype"), [((60, 130), "uint8"), ((60, 90), "uint8"), ((14, 184), "uint8"), ((300, 2900), "uint16")]
)
def test_training_sees_the_pixels_that_the_engine_sees_in_the_image(
    tmp_path: Path, span: tuple[int, int], dtype: str
) -> None:
    image = raster(tmp_path / "image.tif", span=span, dtype=dtype)
    with rasterio.open(image, "r+") as target:  # chips that differ in contrast
        pixels = target.read()
        pixels[:, :, :100] = pixels[:, :, :100] // 3
        target.write(pixels)
    line = shapely.LineString([world(0, 50), world(300, 50)])
    labels = vectors(tmp_path / "roads.gpkg", [line], "LineString")
    config = load_config(cut_chips(ChipsRequest(image, labels, tmp_path / "chips", size=50)).config)
    with open_source(image) as source:
        bands = choose_bands(source, None, 3)
        stretch = estimate_stretch(source, bands, find_model(config.init.checkpoint).card.contrast)
        seen = np.empty((3, 100, 300), np.uint8)
        ImageView(source, source.make_grid(None), bands, stretch, "uint8").read(0, 0, 300, 100, seen)
    assert config.data.stretch is not None
    for data in open_training_data(config).train, open_sources(config):
        for number, sample in enumerate(data[0].split.samples):
            x, y = int(sample.id[1:7]), int(sample.id[9:])
            np.testing.assert_array_equal(
                data[0].split.read_image(number), seen[:, y : y + 50, x : x + 50].transpose(1, 2, 0)
            )
            if dtype == "uint8":  # the engine compares them with those of the training before they are stretched
                stored = data[0].split.decode_image(number)[0]
                np.testing.assert_array_equal(stored, pixels[:, y : y + 50, x : x + 50].transpose(1, 2, 0))


def test_width_field(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    lines = [shapely.LineString([world(0, 20), world(300, 20)]), shapely.LineString([world(0, 70), world(300, 70)])]
    labels = vectors(tmp_path / "roads.gpkg", lines, "LineString", wide=[8.0, None])
    out = tmp_path / "chips"
    cut_chips(ChipsRequest(image, labels, out, size=100, width=20.0, width_field="wide", validation=0))
    split = open_split(load_config(out / "train.yaml").data, "train")
    column = split.read(0)[1][:, 50]
    assert np.flatnonzero(column).tolist() == [*range(18, 22), *range(65, 75)]


@pytest.mark.parametrize(("width", "height"), [(300, 100), (100, 300), (257, 130)])
@pytest.mark.parametrize("stride", [32, 64])
def test_splits_never_touch(width: int, height: int, stride: int) -> None:
    windows = split_windows(width, height, 64, stride, 0.3)
    assert windows["train"]
    assert windows["valid"]
    for x, y in windows["train"] + windows["valid"]:
        assert 0 <= x <= width - 64
        assert 0 <= y <= height - 64
    for x, y in windows["train"]:
        for a, b in windows["valid"]:
            assert max(abs(x - a), abs(y - b)) > 64


def test_mistakes_are_named(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    far = vectors(tmp_path / "far.gpkg", [shapely.LineString([(0, 0), (9, 9)])], "LineString", kind=["a"])
    with pytest.raises(ParameterError, match="do not touch"):
        cut_chips(ChipsRequest(image, far, tmp_path / "a", size=50))
    with pytest.raises(ParameterError, match=r"no attribute class.*kind"):
        cut_chips(ChipsRequest(image, far, tmp_path / "b", size=50, field="class"))
    with pytest.raises(ParameterError, match="There are: a"):
        cut_chips(ChipsRequest(image, far, tmp_path / "b", size=50, field="kind", classes=("b",)))
    with pytest.raises(ParameterError, match="only 0 training and 0 validation chips of 128"):
        cut_chips(ChipsRequest(image, far, tmp_path / "c", size=128))
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "c").exists()
    points = vectors(tmp_path / "points.gpkg", [shapely.Point(1, 1)], "Point")
    with pytest.raises(VectorError, match="lines or polygons are needed"):
        cut_chips(ChipsRequest(image, points, tmp_path / "d", size=50))
    (tmp_path / "e" / "train").mkdir(parents=True)
    with pytest.raises(OutputError, match="already"):
        cut_chips(ChipsRequest(image, far, tmp_path / "e", size=50))


def test_pixels_outside_of_the_checked_area_are_not_labelled(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif", 400, 100)
    labels = vectors(tmp_path / "roads.gpkg", [shapely.LineString([world(0, 50), world(400, 50)])], "LineString")
    checked = [shapely.box(*world(120, 80), *world(170, 20)), shapely.box(*world(260, 100), *world(400, 0))]
    area = vectors(tmp_path / "area.gpkg", checked, "Polygon")
    request = ChipsRequest(image, labels, tmp_path / "chips", size=50, width=12.0, area=area)
    summary = cut_chips(request)
    # The rectangle around is 120 to 400 in x: validation from 344, and chips of 170 to 220 have nothing checked.
    corners = {split: sorted(path.stem for path in (tmp_path / "chips" / split / "images").iterdir()) for split in
               ("train", "valid")}  # fmt: skip
    assert corners["valid"] == ["x000344_y000000", "x000344_y000050"]
    assert [name[1:7] for name in corners["train"]] == ["000120"] * 2 + ["000220"] * 2 + ["000270"] * 2
    split = open_split(load_config(summary.config).data, "train")
    label = split.read([sample.id for sample in split.samples].index("x000120_y000000"))[1]
    assert set(np.unique(label[:20])) == {255}  # above the box of rows 20 to 80
    assert set(np.unique(label[20:47])) == {0}
    assert set(np.unique(label[47:])) == {1}


def test_checked_area_elsewhere_is_refused(tmp_path: Path) -> None:
    image = raster(tmp_path / "image.tif")
    labels = vectors(tmp_path / "roads.gpkg", [shapely.LineString([world(0, 50), world(300, 50)])], "LineString")
    area = vectors(tmp_path / "area.gpkg", [shapely.box(*world(500, 80), *world(600, 20))], "Polygon")
    with pytest.raises(ParameterError, match=r"polygons .* do not touch the image"):
        cut_chips(ChipsRequest(image, labels, tmp_path / "chips", size=50, area=area))
    with pytest.raises(VectorError, match="polygons are needed"):
        cut_chips(ChipsRequest(image, labels, tmp_path / "chips", size=50, area=labels))
