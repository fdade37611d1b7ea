"""Masks of one road, and vector files, for situations."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import shapely
from pyproj import Transformer
from raster_files import NORTH_UP, UTM, write_raster

LEFT, TOP = NORTH_UP.c, NORTH_UP.f
#: A road from west to east in the middle of a raster of 400 x 400 pixels of 1 m.
ROAD = shapely.LineString([(LEFT, TOP - 200), (LEFT + 400, TOP - 200)])


def write_mask(path: Path, *, is_road: bool = True, **profile: object) -> Path:
    """Write a mask (0 and 250, nodata 255) with ``ROAD``."""
    mask = np.zeros((400, 400), np.uint8)
    if is_road:
        cv2.line(mask, (-10, 200), (410, 200), 250, 7)
    return write_raster(path, mask[None], **{"scales": (0.004,), "nodata": 255, **profile})


def move(shape: object, x: float, y: float = 0.0) -> object:
    return shapely.transform(shape, lambda xy: np.add(xy, (x, y)))


def to_crs(shape: object, crs: str) -> object:
    step = Transformer.from_crs(UTM, crs, always_xy=True)
    return shapely.transform(shape, lambda xy: np.column_stack(step.transform(*xy.T)))


def write_layer(path: Path, shapes: Sequence[object], crs: str | None = UTM, **options: object) -> Path:
    wkb = shapely.to_wkb(np.array(shapes, object))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file without a CRS is meant
        pyogrio.raw.write(path, wkb, [], [], **{"geometry_type": "Unknown", "crs": crs, **options})
    return path


def write_geojson(path: Path, shapes: Sequence[object]) -> Path:
    """Write a GeoJSON without a CRS, whatever its coordinates are."""
    features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
