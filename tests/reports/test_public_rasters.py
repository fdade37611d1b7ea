"""Reports about rasters in public trackers of other programs, tried on this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from drawn_roads import read_layer
from model_files import make_graph, write_linear_model, write_model
from onnx import helper, numpy_helper
from raster_files import NORTH_UP, write_raster
from reports.situation import Outcome, Situation, each, run_situation

SIZE = 240
#: A straight road through the middle of the images, in the coordinates of their CRS, and half its width in m.
ROAD = shapely.LineString([(500_000, 4_649_640), (500_240, 4_649_676)])
HALF_WIDTH = 4.0


def _draw(transform: Affine = NORTH_UP, road: float = 250, ground: float = 25, dtype: str = "uint8") -> np.ndarray:
    """Draw the road on an image (3, SIZE, SIZE) that lies where ``transform`` places it."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    x, y = transform @ (columns, rows)
    near = shapely.distance(shapely.points(x, y), ROAD) < HALF_WIDTH
    return np.repeat(np.where(near, road, ground)[None], 3, axis=0).astype(dtype)


def _model(folder: Path) -> Path:
    """A model for which the first band is the probability of road: 250 is 1."""
    (folder / "model").mkdir()
    return write_linear_model(folder / "model", stretch=True)


def _extract(folder: Path, pixels: np.ndarray, *options: object, **profile: object) -> tuple[object, ...]:
    image = write_raster(folder / "image.tif", pixels, **profile)
    output = folder / "roads.gpkg"
    return ("extract", "roads", image, "--model", _model(folder), "-o", output, "--runtime", "onnxruntime", *options)


def _placed(transform: Affine) -> Callable[[Path], tuple[object, ...]]:
    """A command for an image that ``transform`` places around the road."""
    return lambda folder: _extract(folder, _draw(transform), transform=transform)


def _found_where_it_is(outcome: Outcome) -> bool:
    """Whether the line is as long as the part of the road in the image, and nowhere 1.5 m off it."""
    lines, _ = read_layer(outcome.folder / "roads.gpkg", "roads")
    with rasterio.open(outcome.folder / "image.tif") as image:
        corners = [image.transform @ corner for corner in ((0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE))]
    inside = ROAD.intersection(shapely.Polygon(corners))
    found = shapely.union_all(lines)
    return bool(abs(found.length - inside.length) < 8 and inside.buffer(1.5).covers(found))


def _crs_is(text: str) -> Callable[[Outcome], bool]:
    def check(outcome: Outcome) -> bool:
        found = rasterio.crs.CRS.from_user_input(pyogrio.read_info(outcome.folder / "roads.gpkg", layer="roads")["crs"])
        return found == rasterio.crs.CRS.from_user_input(text) and _found_where_it_is(outcome)

    return check


def _around_road(transform: Affine) -> Affine:
    """Move ``transform`` so that the image's centre is the road's."""
    x, y = ROAD.centroid.coords[0]
    column_x, row_y = transform @ (SIZE / 2, SIZE / 2)
    return Affine.translation(x - column_x, y - row_y) @ transform


#: Pixels as damaged files have them: finite, but not so the area of one.
HUGE = Affine(1e262, 0, 0, 0, -1e262, 0)
#: A CRS without a code: a county's own transverse Mercator.
CUSTOM = "+proj=tmerc +lat_0=42 +lon_0=-75 +k=0.99995 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m +no_defs"


def _cropping_model(folder: Path) -> Path:
    """A model whose output is two pixels smaller than its input: a convolution without padding."""
    (folder / "model").mkdir()
    weights = numpy_helper.from_array(np.full((1, 3, 3, 3), 1 / 27, np.float32), "weights")
    graph = make_graph([helper.make_node("Conv", ["image", "weights"], ["scores"])], 3, [weights])
    return write_model(folder / "model", graph, 3, 1)


def _two_sizes(folder: Path) -> tuple[object, ...]:
    image = write_raster(folder / "image.tif", _draw())
    return ("extract", "roads", image, "--model", _cropping_model(folder), "-o", folder / "roads.gpkg")


def _mask(folder: Path, pixels: np.ndarray, **profile: object) -> tuple[object, ...]:
    raster = write_raster(folder / "image.tif", pixels, **profile)
    return ("vectorize", "roads", raster, "-o", folder / "roads.gpkg")


def _edges() -> np.ndarray:
    """An image with bright first and last rows and columns, whose size is no multiple of a tile."""
    pixels = np.full((3, 131, 97), 40, np.uint8)
    pixels[:, [0, -1]], pixels[:, :, [0, -1]] = 200, 200
    return pixels


def _keeps_edges(outcome: Outcome) -> bool:
    with rasterio.open(outcome.folder / "probability.tif") as result:
        return bool((result.read(1) == _edges()[0]).all())


def _tagged_as_points(folder: Path) -> tuple[object, ...]:
    arguments = _extract(folder, _draw())
    with rasterio.open(folder / "image.tif", "r+") as image:
        image.update_tags(AREA_OR_POINT="Point")
    return arguments


SITUATIONS = (
    Situation(
        "rows run from south to north",
        make=_placed(_around_road(Affine.scale(1, 1))),
        check=_found_where_it_is,
        report="jblindsay/whitebox_next_gen#36",
    ),
    Situation(
        "columns run from east to west",
        make=_placed(_around_road(Affine.scale(-1, -1))),
        check=_found_where_it_is,
        report="serapeum-org/pyramids#1148",
    ),
    Situation(
        "an image turned by 180 degrees and a fraction",
        make=_placed(_around_road(Affine.rotation(180.3) @ Affine.scale(1, -1))),
        check=_found_where_it_is,
        report="rasterio/rasterio#1710",
    ),
    Situation(
        "an image turned by exactly 90 degrees: pixel sizes stand in the terms of rotation",
        make=_placed(_around_road(Affine(0, 1, 0, 1, 0, 0))),
        check=_found_where_it_is,
        report="OSGeo/gdal#1474",
    ),
    Situation(
        "an image turned by 10 degrees with a rectangle to work on",
        make=lambda folder: _extract(
            folder,
            _draw(_around_road(Affine.rotation(10) @ Affine.scale(1, -1))),
            "--extent=500060,4649600,500180,4649720",
            transform=_around_road(Affine.rotation(10) @ Affine.scale(1, -1)),
        ),
        check=lambda outcome: 90 < outcome.summary["length"] < 200,
        report="rasterio/rasterio#2303",
    ),
    Situation(
        "values that belong to the centres of pixels (AREA_OR_POINT=Point)",
        make=_tagged_as_points,
        check=_found_where_it_is,
        report="jblindsay/whitebox-tools#14",
    ),
    Situation(
        "a CRS without a code is written as it is, and the roads lie on the image",
        make=lambda folder: _extract(folder, _draw(), crs=CUSTOM),
        check=_crs_is(CUSTOM),
        report="opengeos/segment-geospatial#12",
    ),
    Situation(
        "a float32 image from 0 to 1 is not read as black",
        make=lambda folder: _extract(folder, _draw(road=1.0, ground=0.1, dtype="float32")),
        check=_found_where_it_is,
        report="PaddleCV-SIG/EISeg#111",
    ),
    Situation(
        "a uint16 image of reflectances up to 10,000 is not read as white",
        make=lambda folder: _extract(folder, _draw(road=9000, ground=900, dtype="uint16")),
        check=_found_where_it_is,
        report="ESAOpenSR/SEN2SR#3",
    ),
    Situation(
        "a model whose output is smaller than its input",
        make=_two_sizes,
        code=2,
        says=("model", "tile"),
        check=lambda outcome: not (outcome.folder / "roads.gpkg").exists(),
        report="PUTvision/qgis-plugin-deepness#112",
    ),
    Situation(
        "an image that is no multiple of the tile keeps its last rows and columns",
        make=lambda folder: _extract(folder, _edges(), "--probability", folder / "probability.tif"),
        check=_keeps_edges,
        report="PUTvision/qgis-plugin-deepness#122",
    ),
    Situation(
        "a rectangle outside the image",
        make=lambda folder: _extract(folder, _draw(), "--extent=100,100,200,200"),
        code=2,
        says=("extent", "image"),
        report="PUTvision/qgis-plugin-deepness#143",
    ),
    Situation(
        "a float image of which every pixel is NaN",
        make=lambda folder: _extract(folder, np.full((3, SIZE, SIZE), np.nan, np.float32)),
        says="nodata",
        check=lambda outcome: outcome.summary["edges"] == 0 and bool(outcome.warnings),
        report="fieldsoftheworld/ftw-baselines#14",
    ),
    Situation(
        "a rasterized road layer whose 0 is tagged as nodata",
        make=lambda folder: _mask(folder, _draw(road=1, ground=0)[:1], nodata=0),
        check=_found_where_it_is,
        report="qgis/QGIS-Documentation#8299",
    ),
    Situation(
        "a damaged georeference with pixels of 1e262 m",
        make=lambda folder: ("info", write_raster(folder / "image.tif", _draw(), crs=None, transform=HUGE)),
        code=2,
        says="not a place on a map",
    ),
    Situation(
        "metres that are said to be degrees",
        make=lambda folder: _mask(folder, _draw(road=255, ground=0)[:1], crs="EPSG:4326"),
        code=2,
        says="outside the area of its coordinate system",
        check=lambda outcome: not (outcome.folder / "roads.gpkg").exists(),
    ),
    Situation(
        "a mask of one bit per pixel",
        make=lambda folder: _mask(folder, _draw(road=1, ground=0)[:1], nbits=1),
        check=_found_where_it_is,
        report="OSGeo/grass#2905",
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
