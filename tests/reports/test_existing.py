"""Existing roads, and the CRS of vector files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from raster_files import write_raster
from reports.situation import Outcome, Situation, each, run_situation
from reports.vector_files import LEFT, ROAD, TOP, move, to_crs, write_geojson, write_layer, write_mask


def update(folder: Path, existing: Path, *options: object, **mask: object) -> tuple[object, ...]:
    raster = write_mask(folder / "mask.tif", **mask)
    return ("vectorize", "roads", raster, "-o", folder / "new.gpkg", "--update", existing, "--no-areas", *options)


def read_changes(outcome: Outcome) -> dict[str, list[int]]:
    """Ids of the existing features by change."""
    _, _, _, (change, existing, *_) = pyogrio.raw.read(outcome.folder / "new.gpkg", layer="road_changes")
    return {key: sorted(existing[change == key].tolist()) for key in sorted(set(change.tolist()))}


def has_metres(outcome: Outcome, **metres: float) -> bool:
    """Whether the metres of each kind of change are right, and those of the others are 0."""
    kinds = {kind: outcome.summary[f"{kind}_m"] for kind in ("kept", "new", "gone", "moved", "not_examined")}
    assert kinds == pytest.approx({**dict.fromkeys(kinds, 0.0), **metres}, abs=12)
    return True


def half_nodata() -> np.ndarray:
    """Pixels of the mask whose right half has no value."""
    mask = np.zeros((1, 400, 400), np.uint8)
    cv2.line(mask[0], (-10, 200), (410, 200), 250, 7)
    mask[:, :, 200:] = 255
    return mask


def update_with_pixels(folder: Path, pixels: np.ndarray, existing: Path, **profile: object) -> tuple[object, ...]:
    raster = write_raster(folder / "mask.tif", pixels, **{"scales": (0.004,), "nodata": 255, **profile})
    return ("vectorize", "roads", raster, "-o", folder / "new.gpkg", "--update", existing, "--no-areas")


def write_image(folder: Path) -> Path:
    return write_raster(folder / "image.tif", np.full((3, 400, 400), 90, np.uint8))


def update_antimeridian(folder: Path, existing: object) -> tuple[object, ...]:
    """Update a road along 17 N in a mask of degrees from 179.998 E to 179.998 W, 426 m."""
    path = write_geojson(folder / "old.geojson", [existing])
    return update(folder, path, crs="EPSG:4326", transform=Affine(1e-5, 0, 179.998, 0, -1e-5, 17.002))


#: Pixels of 1 m in UTM zone 60, from 179.999 E to 179.997 W.
ACROSS_180 = {"crs": "EPSG:32660", "transform": Affine(1, 0, 833_800, 0, -1, 111_000)}


def is_across_180(outcome: Outcome, layer: str) -> bool:
    """Whether the layer is 400 m wide, although it crosses 180 degrees."""
    info = pyogrio.read_info(outcome.folder / "new.gpkg", layer=layer, force_total_bounds=True)
    west, _, east, _ = info["total_bounds"]
    return bool(west == pytest.approx(179.9989, abs=1e-4) and east == pytest.approx(180.0024, abs=1e-4))


SITUATIONS = (
    Situation(
        "a town-wide layer updated with one tile: roads outside are not examined",
        make=lambda folder: update(
            folder, write_layer(folder / "town.gpkg", [ROAD, *(move(ROAD, 0, -600 - 50 * k) for k in range(10))])
        ),
        says=("0.40 km kept", "0.00 km gone", "4.00 km not examined"),
        check=lambda outcome: (
            has_metres(outcome, kept=400, not_examined=4000)
            and read_changes(outcome) == {"kept": [1], "not examined": list(range(2, 12))}
        ),
    ),
    Situation(
        "a road that goes on beyond the raster: only its part inside can be gone",
        make=lambda folder: update(
            folder,
            write_layer(folder / "old.gpkg", [shapely.LineString([(LEFT + 200, TOP - 100), (LEFT + 900, TOP - 100)])]),
        ),
        check=lambda outcome: (
            has_metres(outcome, new=400, gone=200, not_examined=500)
            and read_changes(outcome) == {"gone": [1], "new": [-1], "not examined": [1]}
        ),
    ),
    Situation(
        "a raster whose right half is nodata",
        make=lambda folder: update_with_pixels(folder, half_nodata(), write_layer(folder / "old.gpkg", [ROAD])),
        check=lambda outcome: has_metres(outcome, kept=200, not_examined=200),
    ),
    Situation(
        "a raster whose mask band hides the right half",
        make=lambda folder: update_with_pixels(
            folder,
            np.where(half_nodata() == 255, 0, half_nodata()),
            write_layer(folder / "old.gpkg", [ROAD]),
            nodata=None,
            mask=np.repeat(np.where(np.arange(400) < 200, 255, 0)[None], 400, 0).astype(np.uint8),
        ),
        check=lambda outcome: has_metres(outcome, kept=200, not_examined=200),
    ),
    Situation(
        "single pixels without data on a road do not cut it",
        make=lambda folder: update_with_pixels(
            folder,
            np.where(np.arange(400) % 50 == 7, 255, np.zeros((1, 400, 400))).astype(np.uint8),
            write_layer(folder / "old.gpkg", [ROAD]),
        ),
        check=lambda outcome: has_metres(outcome, gone=400) and read_changes(outcome) == {"gone": [1]},
    ),
    Situation(
        "a mask whose nodata value is 0: no data and no road cannot be told apart, which is said",
        make=lambda folder: update(
            folder, write_layer(folder / "old.gpkg", [move(ROAD, 0, 100)]), nodata=0, scales=None
        ),
        says="0 is the nodata value of mask.tif",
        check=lambda outcome: has_metres(outcome, new=400, gone=400) and len(outcome.warnings) == 1,
    ),
    Situation(
        "an existing layer of another place",
        make=lambda folder: update(folder, write_layer(folder / "old.gpkg", [move(ROAD, 90_000)])),
        says="none was examined",
        check=lambda outcome: has_metres(outcome, new=400, not_examined=400) and len(outcome.warnings) == 1,
    ),
    Situation(
        "an existing layer with latitude and longitude swapped",
        make=lambda folder: update(
            folder,
            write_geojson(
                folder / "old.geojson", [shapely.transform(to_crs(ROAD, "EPSG:4326"), lambda xy: xy[:, ::-1])]
            ),
        ),
        says=("none was examined", "swapped"),
    ),
    Situation(
        "an existing road at the other end of the world is measured on the ellipsoid",
        make=lambda folder: update(
            folder, write_geojson(folder / "old.geojson", [shapely.LineString([(105, -42), (105.1, -42)])])
        ),
        check=lambda outcome: has_metres(outcome, new=400, not_examined=8286),
    ),
    Situation(
        "a raster without any road, and existing roads",
        make=lambda folder: update(folder, write_layer(folder / "old.gpkg", [ROAD]), is_road=False),
        check=lambda outcome: has_metres(outcome, gone=400),
    ),
    Situation(
        "an existing layer without features",
        make=lambda folder: update(folder, write_layer(folder / "old.gpkg", [], geometry_type="LineString")),
        says="No lines in old.gpkg",
        check=lambda outcome: has_metres(outcome, new=400),
    ),
    Situation(
        "multi-part lines and empty geometries keep their feature ids",
        make=lambda folder: update(
            folder,
            write_layer(
                folder / "old.gpkg",
                [
                    None,
                    shapely.MultiLineString([move(ROAD, 0, 50).coords, move(ROAD, 0, 100).coords]),
                    shapely.LineString(),
                    ROAD,
                ],
                layer_options={"SPATIAL_INDEX": "NO"},
            ),
        ),
        check=lambda outcome: read_changes(outcome) == {"gone": [2, 2], "kept": [4]},
    ),
    Situation(
        "feature ids of a shapefile begin at 0",
        make=lambda folder: update(
            folder, write_layer(folder / "old.shp", [ROAD, move(ROAD, 0, 100)], geometry_type="LineString")
        ),
        check=lambda outcome: read_changes(outcome) == {"gone": [1], "kept": [0]},
    ),
    Situation(
        "a coordinate that is damaged",
        make=lambda folder: update(
            folder, write_layer(folder / "old.gpkg", [ROAD, shapely.LineString([(LEFT, TOP), (1e300, 0)])])
        ),
        says="1 features of old.gpkg have geometries that cannot be read",
        check=lambda outcome: has_metres(outcome, kept=400),
    ),
    Situation(
        "polygons as existing roads are refused",
        make=lambda folder: update(folder, write_layer(folder / "areas.gpkg", [shapely.buffer(ROAD, 3)])),
        code=2,
        says=("areas.gpkg holds 1 polygons", "lines are needed"),
    ),
    Situation(
        "a file of points, lines and polygons, as exports of OpenStreetMap are",
        make=lambda folder: update(
            folder, write_layer(folder / "osm.gpkg", [ROAD, shapely.Point(LEFT, TOP), shapely.buffer(ROAD, 3)])
        ),
        says="1 points, 1 polygons of osm.gpkg are left out",
        check=lambda outcome: has_metres(outcome, kept=400),
    ),
    Situation(
        "several layers with lines: the one that is used is said",
        make=lambda folder: (
            write_layer(folder / "old.gpkg", [shapely.Point(LEFT, TOP)], layer="stops", geometry_type="Point"),
            write_layer(
                folder / "old.gpkg", [move(ROAD, 0, 90)], layer="rails", geometry_type="LineString", append=True
            ),
            write_layer(folder / "old.gpkg", [ROAD], layer="streets", geometry_type="LineString", append=True),
            update(folder, folder / "old.gpkg"),
        )[-1],
        says=("old.gpkg has the layers rails, streets: rails is used", "--update-layer"),
        check=lambda outcome: has_metres(outcome, new=400, gone=400),
    ),
    Situation(
        "several layers with lines: --update-layer selects",
        make=lambda folder: (
            write_layer(folder / "old.gpkg", [move(ROAD, 0, 90)], layer="rails"),
            write_layer(folder / "old.gpkg", [ROAD], layer="streets", append=True),
            update(folder, folder / "old.gpkg", "--update-layer", "streets"),
        )[-1],
        never_says="is used",
        check=lambda outcome: has_metres(outcome, kept=400),
    ),
    Situation(
        "existing roads in GeoJSON with metres and no CRS",
        make=lambda folder: update(folder, write_geojson(folder / "old.geojson", [ROAD])),
        code=2,
        says=("old.geojson", "no degrees", "fit EPSG:32618"),
    ),
    Situation(
        "existing roads in Web Mercator metres and no CRS",
        make=lambda folder: update(folder, write_geojson(folder / "old.geojson", [to_crs(ROAD, "EPSG:3857")])),
        code=2,
        says=("old.geojson", "fit EPSG:3857"),
    ),
    Situation(
        "existing roads without a CRS, in the coordinates of the raster",
        make=lambda folder: update(
            folder, write_layer(folder / "old.shp", [ROAD], crs=None, geometry_type="LineString")
        ),
        says="old.shp has no CRS: EPSG:32618 of mask.tif is assumed",
        check=lambda outcome: has_metres(outcome, kept=400) and len(outcome.warnings) == 1,
    ),
    Situation(
        "existing roads without a CRS, in degrees",
        make=lambda folder: update(
            folder, write_layer(folder / "old.shp", [to_crs(ROAD, "EPSG:4326")], crs=None, geometry_type="LineString")
        ),
        code=2,
        says=("old.shp has no CRS", "fit EPSG:4326"),
    ),
    Situation(
        "degrees in a file that says it is in metres",
        make=lambda folder: update(folder, write_layer(folder / "old.gpkg", [to_crs(ROAD, "EPSG:4326")])),
        says=("none was examined", "fit EPSG:4326, but its CRS is EPSG:32618"),
    ),
    Situation(
        "existing roads cut at 180 degrees, and a raster across it",
        make=lambda folder: update_antimeridian(
            folder, shapely.MultiLineString([[(179.998, 17), (180, 17)], [(-180, 17), (-179.998, 17)]])
        ),
        check=lambda outcome: (
            has_metres(outcome, kept=426)
            and pyogrio.read_info(outcome.folder / "new.gpkg", layer="road_changes", force_total_bounds=True)[
                "total_bounds"
            ]
            == pytest.approx((179.998, 17, 180.002, 17), abs=1e-4)
        ),
    ),
    Situation(
        "an existing road that crosses 180 degrees in one piece",
        make=lambda folder: update_antimeridian(folder, shapely.LineString([(179.998, 17), (-179.998, 17)])),
        check=lambda outcome: has_metres(outcome, kept=426),
    ),
    Situation(
        "roads across 180 degrees, written in degrees",
        make=lambda folder: update(
            folder,
            write_geojson(folder / "old.geojson", [shapely.LineString([(179.99, 1.00106), (-179.99, 1.00106)])]),
            "--crs",
            "EPSG:4326",
            **ACROSS_180,
        ),
        check=lambda outcome: (
            is_across_180(outcome, "roads") and is_across_180(outcome, "road_nodes") and outcome.summary["new_m"] == 0
        ),
    ),
    Situation(
        "land cover across 180 degrees, written in degrees",
        make=lambda folder: (
            "vectorize",
            "landcover",
            write_mask(folder / "mask.tif", **ACROSS_180, scales=None),
            "-o",
            folder / "new.gpkg",
            "--crs",
            "EPSG:4326",
        ),
        check=lambda outcome: is_across_180(outcome, "landcover"),
    ),
    Situation(
        "an area in GeoJSON with metres and no CRS",
        make=lambda folder: (
            "plan",
            write_image(folder),
            "--area",
            write_geojson(folder / "area.geojson", [shapely.box(LEFT, TOP - 100, LEFT + 100, TOP)]),
        ),
        code=2,
        says=("area.geojson", "no degrees", "fit EPSG:32618"),
    ),
    Situation(
        "an area without a CRS, in degrees",
        make=lambda folder: (
            "plan",
            write_image(folder),
            "--area",
            write_layer(
                folder / "area.shp",
                [to_crs(shapely.box(LEFT, TOP - 100, LEFT + 100, TOP), "EPSG:4326")],
                crs=None,
                geometry_type="Polygon",
            ),
        ),
        code=2,
        says=("area.shp has no CRS", "fit EPSG:4326"),
    ),
    Situation(
        "an area of lines",
        make=lambda folder: ("plan", write_image(folder), "--area", write_layer(folder / "area.gpkg", [ROAD])),
        code=2,
        says=("area.gpkg holds 1 lines", "polygons are needed"),
    ),
    Situation(
        "labels of chips in GeoJSON with metres and no CRS",
        make=lambda folder: (
            "chips",
            write_image(folder),
            write_geojson(folder / "labels.geojson", [ROAD]),
            "--out",
            folder / "chips",
            "--size",
            "64",
        ),
        code=2,
        says=("labels.geojson", "no degrees", "fit EPSG:32618"),
        check=lambda outcome: not (outcome.folder / "chips" / "train").exists(),
    ),
    Situation(
        "labels of chips of another place, in degrees that are said to be metres",
        make=lambda folder: (
            "chips",
            write_image(folder),
            write_layer(folder / "labels.gpkg", [to_crs(ROAD, "EPSG:4326")]),
            "--out",
            folder / "chips",
            "--size",
            "64",
        ),
        code=2,
        says=("do not touch", "fit EPSG:4326, but its CRS is EPSG:32618"),
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
