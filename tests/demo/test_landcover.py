"""The land cover demo draws each class in its colour and place."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import terraspore
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.raster.grid import Grid
from terraspore.engine.raster.writer import RowWriter, make_class_layout
from terraspore.engine.vector.coverage.extract import vectorize_landcover
from terraspore.engine.vector.io.formats import VectorTarget

sys.path.insert(0, str(Path(terraspore.__file__).parent / "docs" / "demo"))

import landcover
import picture

NAMES, COLOURS = {1: "wood", 2: "road & path"}, {1: (0, 160, 0), 2: (250, 40, 40)}


@pytest.fixture
def found(tmp_path):
    """An image without a georeference, its class raster at 0.1 m, and the polygons of that."""
    values = np.ones((1, 60, 100), np.uint8)
    values[:, :, 60:] = 2
    image, classes, polygons = (tmp_path / name for name in ("image.png", "classes.tif", "polygons.gpkg"))
    with rasterio.open(image, "w", driver="PNG", width=100, height=60, count=3, dtype="uint8") as target:
        target.write(np.random.default_rng(1).integers(0, 255, (3, 60, 100), np.uint8))
    grid = Grid(None, rasterio.Affine(0.1, 0, 0, 0, -0.1, 0), 100, 60, 0.1)
    with RowWriter(classes, grid, make_class_layout(NAMES, COLOURS, {})) as writer:
        writer.write(values)
    options = CoverageOptions(minimum_area=0.0)
    vectorize_landcover(classes, VectorTarget(polygons), options, class_names=NAMES, context=RunContext())
    return image, polygons, classes


def test_names_and_colours_come_from_the_class_raster(found):
    assert landcover.category_names(found[2]) == NAMES
    assert landcover.class_colours(found[2]) == {
        "wood": pytest.approx((0, 160 / 255, 0)),
        "road & path": pytest.approx((250 / 255, 40 / 255, 40 / 255)),
    }


def test_polygons_lie_on_the_image(found):
    image, polygons, classes = found
    view = picture.read_view(image, classes)
    assert view.extent == pytest.approx((0, 10, -6, 0))
    figure, axes = picture.new_figure(view, 1)
    picture.draw_image(axes[0], view, "Image")
    areas = picture.draw_polygons(axes[0], polygons, view, landcover.class_colours(classes))
    assert areas == {"wood": pytest.approx(36, rel=0.01), "road & path": pytest.approx(24, rel=0.01)}
    patches = {tuple(np.round(c.get_edgecolor()[0][:3], 3)): c.get_paths() for c in axes[0].collections}
    assert patches[(0.0, 0.627, 0.0)][0].get_extents().bounds == pytest.approx((0, -6, 6, 6), abs=0.11)
    picture.plt.close(figure)


def test_the_picture_is_written(found, tmp_path):
    landcover.draw(*found, tmp_path / "pictures" / "out.png", "a licence")
    with rasterio.open(tmp_path / "pictures" / "out.png") as drawn:
        assert drawn.width > 1000
