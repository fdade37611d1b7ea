"""Measure how close the polygons of class rasters come to borders that were drawn at sub-pixel precision."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rasters import METRE, QUIET, write
from rows import Row, show
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.vector.coverage.extract import vectorize_landcover
from terraspore.engine.vector.io.reader import read_vector_layer
from terraspore.engine.vector.io.target import VectorTarget

#: Fine pixels along a side of a pixel; odd, so that one lies in its centre.
FINE = 9
#: Raster of the shapes in pixels, and seeds that nothing was tuned on.
SIZE, SEEDS = 400, range(2101, 2113)
#: Tolerances in pixels; None keeps the edges of the pixels.
TOLERANCES = {"pixel edges": None, "0.25 px": 0.25, "0.5 px": 0.5, "1 px": 1.0, "2 px": 2.0}


class BorderScore(NamedTuple):
    """Error of a coverage: mean distance of its borders from the true ones in pixels, vertices, bytes of the file."""

    distance: float
    vertices: float
    size: float


def borders(folder: Path, seeds: int) -> list[Row]:
    """Compare tolerances of the simplification by their error against the true border."""
    scores = {
        name: np.mean([_score(folder, seed, limit) for seed in SEEDS[:seeds]], axis=0)
        for name, limit in TOLERANCES.items()
    }
    edges, half = scores["pixel edges"], scores["0.5 px"]
    rows = []
    for name, values in scores.items():
        score, title = BorderScore(*values), f"border of land cover, {name}: mean distance from the true one"
        note = f"{score.vertices:.0f} vertices, {score.size / 1000:.0f} kB"
        goal = edges[0] if values is half else None
        rows.append(show(Row(title, "px", score.distance, goal, score.distance / half[0], note)))
    return rows


def _score(folder: Path, seed: int, tolerance: float | None) -> BorderScore:
    truth = draw_classes(seed)
    raster = write(folder / "shapes.tif", truth[FINE // 2 :: FINE, FINE // 2 :: FINE])
    options = CoverageOptions(simplify=tolerance or 0.0, smooth=tolerance is not None, minimum_area=0.0)
    output = folder / f"shapes-{tolerance}.gpkg"
    vectorize_landcover(raster, VectorTarget(output), options, context=QUIET)
    layer = read_vector_layer(output, context=QUIET, columns=["class_id"])
    drawn = rasterio.features.rasterize(
        zip(layer.geometry, layer.columns["class_id"], strict=True),
        truth.shape,
        transform=METRE @ Affine.scale(1 / FINE),
    )
    length = sum(np.count_nonzero(np.diff(truth, axis=axis)) for axis in (0, 1)) * np.pi / 4 / FINE
    distance = np.count_nonzero(drawn != truth) / FINE**2 / length
    return BorderScore(distance, int(shapely.get_num_coordinates(layer.geometry).sum()), output.stat().st_size)


def draw_classes(seed: int) -> NDArray[np.uint8]:
    """Draw four classes with smooth borders on fine pixels."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal((SIZE, SIZE), np.float32), 6.0) for _ in range(4)]
    fine = [cv2.resize(field, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC) for field in fields]
    return np.asarray(np.argmax(fine, axis=0) + 1, np.uint8)
