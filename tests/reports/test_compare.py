"""Comparisons of maps that do not lie on each other as the person thinks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from raster_files import NORTH_UP, UTM, write_raster
from reports.situation import Situation, each, run_situation
from reports.vector_files import LEFT, ROAD, TOP, move, to_crs, write_geojson, write_layer, write_mask

#: Classes 1 to 4 in quarters of 40 x 40 pixels, unlike each other under every flip.
QUARTERS = np.kron(np.array([[1, 2], [3, 4]], np.uint8), np.ones((20, 20), np.uint8))


def write_classes(path: Path, classes: np.ndarray = QUARTERS, **profile: object) -> Path:
    return write_raster(path, np.asarray(classes)[None], **profile)


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def lines(folder: Path, result: Sequence[object], truth: Sequence[object], *options: object) -> tuple[object, ...]:
    pair = (write_layer(folder / "result.gpkg", result), write_layer(folder / "truth.gpkg", truth))
    return ("compare", *pair, *options)


def rasters(folder: Path, result: dict[str, object], truth: dict[str, object], *options: object) -> tuple[object, ...]:
    """Compare class rasters; the values are arguments of ``write_classes``."""
    return (
        "compare",
        write_classes(folder / "result.tif", **result),
        write_classes(folder / "truth.tif", **truth),
        *options,
    )


def write_polygons(path: Path, classes: Sequence[object], name: str = "class_id") -> Path:
    """Write the quarters of ``QUARTERS`` as polygons with their classes."""
    boxes = [shapely.box(LEFT + x, TOP - y - 20, LEFT + x + 20, TOP - y) for y in (0, 20) for x in (0, 20)]
    wkb = shapely.to_wkb(np.array(boxes, object))
    pyogrio.raw.write(path, wkb, [np.array(classes)], [name], geometry_type="Polygon", crs=UTM)
    return path


LINES = (
    Situation(
        "what is compared is said",
        make=lambda folder: lines(folder, [ROAD], [ROAD, move(ROAD, 0, 50)]),
        says="Lines, 0.40 km of result.gpkg against 0.80 km of truth.gpkg",
    ),
    Situation(
        "identical roads, one file without a CRS",
        make=lambda folder: (
            "compare",
            write_layer(folder / "result.shp", [ROAD], crs=None, geometry_type="LineString"),
            write_layer(folder / "truth.gpkg", [ROAD]),
        ),
        says="result.shp has no CRS: EPSG:32618 of truth.gpkg is assumed",
        check=lambda outcome: outcome.summary["apls"] == pytest.approx(1) and len(outcome.warnings) == 1,
    ),
    Situation(
        "identical roads, the truth without a CRS",
        make=lambda folder: (
            "compare",
            write_layer(folder / "result.gpkg", [ROAD]),
            write_layer(folder / "truth.shp", [ROAD], crs=None, geometry_type="LineString"),
        ),
        says="truth.shp has no CRS: EPSG:32618 of result.gpkg is assumed",
        check=lambda outcome: outcome.summary["apls"] == pytest.approx(1),
    ),
    Situation(
        "both files without a CRS",
        make=lambda folder: (
            "compare",
            write_layer(folder / "result.shp", [ROAD], crs=None, geometry_type="LineString"),
            write_layer(folder / "truth.shp", [ROAD], crs=None, geometry_type="LineString"),
        ),
        check=lambda outcome: outcome.summary["apls"] == pytest.approx(1) and outcome.warnings == [],
    ),
    Situation(
        "roads without a CRS in degrees against roads in metres",
        make=lambda folder: (
            "compare",
            write_layer(folder / "result.shp", [to_crs(ROAD, "EPSG:4326")], crs=None, geometry_type="LineString"),
            write_layer(folder / "truth.gpkg", [ROAD]),
        ),
        code=2,
        says=("result.shp has no CRS", "fit EPSG:4326"),
    ),
    Situation(
        "a GeoJSON in metres without a CRS",
        make=lambda folder: (
            "compare",
            write_geojson(folder / "result.geojson", [ROAD]),
            write_layer(folder / "truth.gpkg", [ROAD]),
        ),
        code=2,
        says=("result.geojson", "no degrees", "fit EPSG:32618"),
    ),
    Situation(
        "two GeoJSON files in metres without a CRS",
        make=lambda folder: (
            "compare",
            write_geojson(folder / "result.geojson", [ROAD]),
            write_geojson(folder / "truth.geojson", [ROAD]),
        ),
        code=2,
        says="no degrees",
    ),
    Situation(
        "roads of different places",
        make=lambda folder: lines(folder, [ROAD], [move(ROAD, 5000)]),
        says="result.gpkg and truth.gpkg do not overlap",
        check=lambda outcome: outcome.summary["apls"] == 0 and len(outcome.warnings) == 1,
    ),
    Situation(
        "a tile's roads against those of the town, within the common extent",
        make=lambda folder: lines(
            folder,
            [ROAD, move(ROAD, 0, 50)],
            [shapely.LineString([(LEFT - 900, y), (LEFT + 900, y)]) for y in (TOP - 200, TOP - 150, TOP + 700)],
            "--extent",
            "common",
        ),
        check=lambda outcome: (
            outcome.summary["apls"] > 0.98 and outcome.summary["truth_length"] == pytest.approx(812, abs=2)
        ),
    ),
    Situation(
        "an extent in the coordinates of the truth",
        make=lambda folder: lines(
            folder, [ROAD], [to_crs(ROAD, "EPSG:32618")], "--extent", f"{LEFT},{TOP - 300},{LEFT + 100},{TOP}"
        ),
        check=lambda outcome: (
            outcome.summary["length"] == outcome.summary["truth_length"] == pytest.approx(100, abs=0.1)
        ),
    ),
    Situation(
        "an extent that is no rectangle",
        make=lambda folder: lines(folder, [ROAD], [ROAD], "--extent", "1,2,3"),
        code=2,
        says="xmin,ymin,xmax,ymax or common",
    ),
    Situation(
        "an extent elsewhere",
        make=lambda folder: lines(folder, [ROAD], [ROAD], "--extent", "1,2,3,4"),
        code=2,
        says="Nothing of truth.gpkg is within --extent",
    ),
    Situation(
        "a mask of polygons in degrees",
        make=lambda folder: lines(
            folder,
            [ROAD],
            [ROAD],
            "--mask",
            write_geojson(
                folder / "mask.geojson", [to_crs(shapely.box(LEFT + 50, TOP - 300, LEFT + 150, TOP), "EPSG:4326")]
            ),
        ),
        check=lambda outcome: outcome.summary["length"] == pytest.approx(100, abs=0.5),
    ),
    Situation(
        "a raster as the mask: its pixels without data do not count",
        make=lambda folder: lines(
            folder,
            [ROAD],
            [shapely.LineString([(LEFT - 500, TOP - 200), (LEFT + 900, TOP - 200)])],
            "--mask",
            write_raster(
                folder / "mask.tif",
                np.where(np.arange(400) < 150, 255, 90)[None, None].repeat(400, 1).astype(np.uint8),
                nodata=255,
            ),
        ),
        check=lambda outcome: (
            outcome.summary["length"] == outcome.summary["truth_length"] == pytest.approx(250, abs=0.2)
        ),
    ),
    *(
        Situation(
            f"a raster of 0 and 1 as the mask, {name}: all of it is compared, which is said",
            make=lambda folder, nodata=nodata: lines(
                folder,
                [ROAD],
                [ROAD],
                "--mask",
                write_raster(folder / "mask.tif", np.eye(400, dtype=np.uint8)[None], nodata=nodata),
            ),
            check=lambda outcome, reason=reason: (
                outcome.summary["length"] == pytest.approx(400, abs=0.5)
                and outcome.warnings
                == [f"All pixels of mask.tif are compared, because {reason}; polygons as --mask select a part."]
            ),
        )
        for name, nodata, reason in (
            ("without a nodata value", None, "none of them is nodata"),
            ("with the nodata value 0", 0, "its nodata value 0 may be a value"),
        )
    ),
    Situation(
        "a mask that is no file",
        make=lambda folder: lines(folder, [ROAD], [ROAD], "--mask", folder / "nowhere.gpkg"),
        code=2,
        says="nowhere.gpkg",
    ),
    Situation(
        "roads cut at 180 degrees are measured where they are",
        make=lambda folder: (
            "compare",
            write_geojson(
                folder / "result.geojson",
                [shapely.MultiLineString([[(179.99, 60), (180, 60)], [(-180, 60), (-179.99, 60)]])],
            ),
            write_geojson(folder / "truth.geojson", [shapely.LineString([(179.99, 60), (-179.99, 60)])]),
        ),
        check=lambda outcome: (
            outcome.summary["apls"] == pytest.approx(1) and outcome.summary["length"] == pytest.approx(1116, abs=1)
        ),
    ),
    Situation(
        "polygons against polygons",
        make=lambda folder: lines(folder, [shapely.buffer(ROAD, 3)], [ROAD]),
        code=2,
        says=("result.gpkg holds 1 polygons", "lines are needed"),
    ),
    Situation(
        "a GeoJSON that ends too early",
        make=lambda folder: (
            "compare",
            _cut(write_geojson(folder / "result.geojson", [to_crs(ROAD, "EPSG:4326")])),
            write_layer(folder / "truth.gpkg", [ROAD]),
        ),
        code=2,
        says=("vector file", "result.geojson"),
        never_says="raster",
    ),
    Situation(
        "a mask against lines",
        make=lambda folder: (
            "compare",
            write_mask(folder / "result.tif"),
            write_layer(folder / "truth.gpkg", [ROAD]),
        ),
        code=2,
        says=("result.tif is a raster", "vectorize"),
    ),
)

RASTERS = (
    Situation(
        "class rasters on the same grid",
        make=lambda folder: rasters(folder, {}, {}),
        says="Pixels of classes, 1600 of truth.tif",
        check=lambda outcome: outcome.summary["accuracy"] == 1 and outcome.warnings == [],
    ),
    Situation(
        "maps of equal size of other places",
        make=lambda folder: rasters(folder, {}, {"transform": NORTH_UP @ Affine.translation(1000, 0)}),
        code=2,
        says="maps of different places",
    ),
    Situation(
        "maps of equal size and coordinates in other CRSs",
        make=lambda folder: rasters(folder, {}, {"crs": "EPSG:32633"}),
        code=2,
        says="maps of different places",
    ),
    Situation(
        "the same map stored south up",
        make=lambda folder: rasters(
            folder, {"classes": QUARTERS[::-1], "transform": NORTH_UP @ Affine(1, 0, 0, 0, -1, 40)}, {}
        ),
        check=lambda outcome: outcome.summary["accuracy"] == 1 and outcome.warnings == [],
    ),
    Situation(
        "a map of half the place, shifted by whole pixels",
        make=lambda folder: rasters(
            folder, {"classes": QUARTERS[:, 20:], "transform": NORTH_UP @ Affine.translation(20, 0), "nodata": 0}, {}
        ),
        says="covers only 50%",
        check=lambda outcome: outcome.summary["accuracy"] == 0.5 and outcome.summary["recall_2"] == 1,
    ),
    Situation(
        "a map of half the place, within the common extent",
        make=lambda folder: rasters(
            folder,
            {"classes": QUARTERS[:, 20:], "transform": NORTH_UP @ Affine.translation(20, 0)},
            {},
            "--extent",
            "common",
        ),
        check=lambda outcome: outcome.summary["accuracy"] == 1,
    ),
    Situation(
        "the same map at half the resolution",
        make=lambda folder: rasters(
            folder, {"classes": QUARTERS[::2, ::2], "transform": NORTH_UP @ Affine.scale(2)}, {}
        ),
        says="nearest pixels",
        check=lambda outcome: outcome.summary["accuracy"] == 1,
    ),
    Situation(
        "the same map without georeference",
        make=lambda folder: rasters(folder, {"crs": None, "transform": Affine.identity()}, {}),
        says="result.tif has no georeference",
        check=lambda outcome: outcome.summary["accuracy"] == 1 and len(outcome.warnings) == 1,
    ),
    Situation(
        "the same map without a CRS but with a transform",
        make=lambda folder: rasters(folder, {"crs": None}, {}),
        says="result.tif has no CRS: EPSG:32618 of truth.tif is assumed",
        check=lambda outcome: outcome.summary["accuracy"] == 1,
    ),
    Situation(
        "pictures of different sizes without georeference",
        make=lambda folder: rasters(
            folder,
            {"classes": QUARTERS[:20], "crs": None, "transform": Affine.identity()},
            {"crs": None, "transform": Affine.identity()},
        ),
        code=2,
        says=("40 x 20", "40 x 40"),
    ),
    Situation(
        "class ids without a match",
        make=lambda folder: rasters(folder, {"classes": np.where(QUARTERS == 4, 9, QUARTERS)}, {}),
        says=("only result.tif has 9", "only truth.tif has 4"),
        check=lambda outcome: outcome.summary["accuracy"] == 0.75 and len(outcome.warnings) == 1,
    ),
    Situation(
        "no class id in common",
        make=lambda folder: rasters(folder, {"classes": QUARTERS * 10}, {}),
        code=2,
        says=("10, 20, 30, 40", "1, 2, 3, 4"),
    ),
    Situation(
        "a mask of 0 and 255 against one of 0 and 1, without a threshold",
        make=lambda folder: rasters(
            folder,
            {"classes": np.where(QUARTERS > 1, 255, 0).astype(np.uint8)},
            {"classes": QUARTERS > 1, "dtype": "uint8"},
        ),
        says=("only result.tif has 255", "--threshold"),
    ),
    Situation(
        "probabilities against classes, without a threshold",
        make=lambda folder: rasters(folder, {"classes": (QUARTERS / 5).astype(np.float32)}, {}),
        code=2,
        says=("not classes", "--threshold"),
    ),
    Situation(
        "classes as real numbers, with NaN for no data",
        make=lambda folder: rasters(
            folder, {}, {"classes": np.where(QUARTERS == 4, np.nan, QUARTERS).astype(np.float32)}
        ),
        says="1200 of truth.tif",
        check=lambda outcome: outcome.summary["accuracy"] == 1,
    ),
    Situation(
        "masks of other places",
        make=lambda folder: (
            "compare",
            write_mask(folder / "a.tif"),
            write_mask(folder / "b.tif", transform=NORTH_UP @ Affine.translation(2000, 0)),
            "--threshold",
            "0.5",
        ),
        code=2,
        says="maps of different places",
    ),
    Situation(
        "masks whose tiles overlap by half, within a mask of polygons",
        make=lambda folder: (
            "compare",
            write_mask(folder / "a.tif"),
            write_mask(folder / "b.tif", transform=NORTH_UP @ Affine.translation(200, 0)),
            "--threshold",
            "0.5",
            "--mask",
            write_layer(folder / "mask.gpkg", [shapely.box(LEFT + 250, TOP - 300, LEFT + 350, TOP - 100)]),
        ),
        says="Pixels of masks, 20000 of b.tif",
        check=lambda outcome: outcome.summary["iou_1"] == 1,
    ),
)

COVERAGES = (
    Situation(
        "polygons and the raster that they are of",
        make=lambda folder: (
            "compare",
            write_polygons(folder / "a.gpkg", [1, 2, 3, 4]),
            write_classes(folder / "a.tif"),
        ),
        says="4 polygons of a.gpkg against pixels of a.tif",
        check=lambda outcome: outcome.summary["agreement"] == 1,
    ),
    Situation(
        "polygons and a raster that is all nodata",
        make=lambda folder: (
            "compare",
            write_polygons(folder / "a.gpkg", [1, 2, 3, 4]),
            write_classes(folder / "a.tif", np.zeros((40, 40), np.uint8), nodata=0),
        ),
        code=2,
        says="a.tif holds no class",
    ),
    Situation(
        "polygons with other class ids than the raster",
        make=lambda folder: (
            "compare",
            write_polygons(folder / "a.gpkg", [1, 2, 3, 9]),
            write_classes(folder / "a.tif"),
        ),
        says=("only a.gpkg has 9", "only a.tif has 4"),
        check=lambda outcome: outcome.summary["agreement"] == 0.75,
    ),
    Situation(
        "polygons whose classes are names",
        make=lambda folder: (
            "compare",
            write_polygons(folder / "a.gpkg", np.array(["wood", "lake", "town", "field"], object), "kind"),
            write_classes(folder / "a.tif"),
            "--field",
            "kind",
        ),
        code=2,
        says=("kind of a.gpkg", "no class ids"),
    ),
    Situation(
        "polygons of another place than the raster",
        make=lambda folder: (
            "compare",
            write_polygons(folder / "a.gpkg", [1, 2, 3, 4]),
            write_classes(folder / "a.tif", transform=NORTH_UP @ Affine.translation(5000, 0)),
        ),
        code=2,
        says="a.gpkg and a.tif do not overlap",
    ),
)


@each((*LINES, *RASTERS, *COVERAGES))
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
