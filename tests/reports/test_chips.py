"""Chips from images in degrees, with oblong pixels, or too small for the chips that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from PIL import Image
from raster_files import NORTH_UP, write_raster
from reports.situation import Outcome, Situation, each, run_situation

#: A pixel of a hundred thousandth degree at 60 N: 0.56 m wide and 1.11 m high.
DEGREES = Affine(1e-5, 0, 24.9, 0, -1e-5, 60.17)
OBLONG = Affine(2.0, 0, 500_000, 0, -0.5, 4_649_776)
#: Metres in a degree of longitude and of latitude at 60.17 N, on WGS 84.
DEGREE = (55_521.0, 111_416.0)


def _cut(
    transform: Affine, size: tuple[int, int], crs: str, *options: object, layer_crs: str | None = "same"
) -> Callable[[Path], tuple[object, ...]]:
    """A road from west to east and one from north to south, through an image of ``size`` (columns, rows)."""

    def make(folder: Path) -> tuple[object, ...]:
        pixels = np.random.default_rng(0).integers(30, 200, (3, size[1], size[0]), np.uint8)
        image = write_raster(folder / "town.tif", pixels, crs=crs, transform=transform)
        row, column = 0.4 * size[1], 0.4 * size[0]
        lines = [((0, row), (size[0], row)), ((column, 0), (column, size[1]))]
        roads = [shapely.LineString([transform @ start, transform @ end]) for start, end in lines]
        pyogrio.raw.write(
            folder / "streets.gpkg",
            shapely.to_wkb(roads),
            [],
            [],
            geometry_type="LineString",
            crs=crs if layer_crs == "same" else layer_crs,
        )
        return ("chips", image, folder / "streets.gpkg", "--out", folder / "chips", "--width", 10, *options)

    return make


def _hidden(folder: Path) -> tuple[object, ...]:
    """A road in the middle of rows without data."""
    arguments = _cut(NORTH_UP, (640, 520), "EPSG:32618", "--size", 64)(folder)
    pixels = np.random.default_rng(0).integers(30, 200, (3, 520, 640), np.uint8)
    pixels[:, 150:300] = 0
    write_raster(folder / "town.tif", pixels, nodata=0)
    road = shapely.LineString([NORTH_UP @ (0, 220), NORTH_UP @ (640, 220)])
    pyogrio.raw.write(
        folder / "streets.gpkg", shapely.to_wkb([road]), [], [], geometry_type="LineString", crs="EPSG:32618"
    )
    return arguments


def _widths(outcome: Outcome, metres_x: float = 1.0, metres_y: float = 1.0) -> tuple[set[float], set[float]]:
    """Widths in metres of roads from west to east, and from north to south, where a chip has one of them alone."""
    across, along = set(), set()
    for path in (outcome.folder / "chips").glob("*/labels/*.png"):
        label = np.asarray(Image.open(path)) == 1
        with rasterio.open(path.parents[1] / "images" / f"{path.stem}.tif") as chip:
            pixel_x, pixel_y = chip.transform.a * metres_x, -chip.transform.e * metres_y
        columns, rows = label.sum(0), label.sum(1)
        # A road along the edge of a chip is cut off.
        if not label[[0, -1]].any() and columns.min() == columns.max() > 0:
            across.add(float(columns[0] * pixel_y))
        if not label[:, [0, -1]].any() and rows.min() == rows.max() > 0:
            along.add(float(rows[0] * pixel_x))
    return across, along


def _ten_metres(metres_x: float = 1.0, metres_y: float = 1.0) -> Callable[[Outcome], bool]:
    def check(outcome: Outcome) -> bool:
        across, along = _widths(outcome, metres_x, metres_y)
        # A width is a whole number of pixels of at most 1 m.
        return bool(across) and bool(along) and all(9.3 < width < 10.7 for width in across | along)

    return check


def _nothing_left(outcome: Outcome) -> bool:
    return not (outcome.folder / "chips").exists()


SITUATIONS = (
    Situation(
        "roads of 10 m in an image in degrees at 60 N",
        make=_cut(DEGREES, (600, 300), "EPSG:4326", "--size", 64),
        says=("0.555 m wide and 1.11 m high", "0.786 m both ways"),
        check=_ten_metres(*DEGREE),
    ),
    Situation(
        "the same at a resolution of 0.6 m",
        make=_cut(DEGREES, (600, 300), "EPSG:4326", "--size", 64, "--resolution", 0.6),
        check=_ten_metres(*DEGREE),
    ),
    Situation(
        "roads of 10 m in an image with oblong pixels",
        make=_cut(OBLONG, (200, 800), "EPSG:32618", "--size", 64),
        says="2 m wide and 0.5 m high",
        check=_ten_metres(),
    ),
    Situation(
        "an image that gives one chip of the default size",
        make=_cut(NORTH_UP, (640, 520), "EPSG:32618"),
        code=2,
        says=("640 x 520 pixels", "of 512 x 512", "--size 96 gives up to 25 and 5"),
        check=_nothing_left,
    ),
    Situation(
        "an image that gives few chips",
        make=_cut(NORTH_UP, (640, 520), "EPSG:32618", "--size", 200),
        check=lambda outcome: any("--size 96" in text for text in outcome.warnings) and outcome.summary["train"] == 4,
    ),
    Situation(
        "labels of another place",
        make=_cut(NORTH_UP, (640, 520), "EPSG:32618", "--size", 64, layer_crs="EPSG:32633"),
        code=2,
        says=("streets.gpkg do not touch", "town.tif"),
        check=_nothing_left,
        report="torchgeo/torchgeo#1336",
    ),
    Situation(
        "labels where the image has no data",
        make=_hidden,
        code=2,
        says=("labelled by", "streets.gpkg", "town.tif has no data there"),
        check=_nothing_left,
    ),
    Situation(
        "labels without a CRS",
        make=_cut(NORTH_UP, (640, 520), "EPSG:32618", "--size", 64, layer_crs=None),
        check=lambda outcome: "streets.gpkg has no CRS" in outcome.warnings[0] and outcome.summary["pixels_class"] > 0,
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
