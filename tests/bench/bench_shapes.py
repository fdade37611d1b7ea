"""Measure how close the polygons of class rasters come to borders and buildings drawn at sub-pixel precision."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import rasterio.features
import shapely
import shapely.affinity
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_coverage import faults
from rasters import METRE, QUIET, write
from rows import Row, show
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.vector.coverage.extract import vectorize_landcover
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.reader import read_vector_layer

#: Fine pixels along a side of a pixel; odd, so that one lies in its centre.
FINE = 9
#: Raster of the shapes in pixels, and seeds that nothing was tuned on.
SIZE, SEEDS = 400, range(2101, 2113)
#: Pixels for each building, its blur in pixels and the noise of its probability.
CELL, BLUR, NOISE = 80, 1.5, 0.15
#: Aims: corners in per cent, mean IoU. A vertex is a corner where the outline turns by more degrees than this.
MIN_RIGHT, MIN_IOU, MIN_TURN = 85.0, 0.93, 10.0
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
        name: np.mean([_score(folder, seed, limit) for seed in SEEDS[:seeds]], axis=0).tolist()
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


def right_angles(folder: Path, seeds: int) -> list[Row]:
    """Compare buildings with and without right angles with those that were drawn."""
    rows = []
    for name, chosen in (("right angles", ()), ("simplified alone", ("none",))):
        scores = [_score_buildings(folder, seed, CoverageOptions(regularise=chosen)) for seed in SEEDS[:seeds]]
        right, corners, iou, invalid = np.sum(scores, axis=0).tolist()
        aims = (MIN_RIGHT, MIN_IOU) if not chosen else (None, None)
        title, note = (
            f"buildings, {name}:",
            f"{seeds} seeds, {corners:.0f} corners, {invalid:.0f} faults of the coverage",
        )
        share, right_title = 100 * right / corners, f"{title} corners within 3 degrees of 90"
        rows.append(show(Row(right_title, "%", share, aims[0], note=note, at_least=True)))
        rows.append(show(Row(f"{title} IoU with those drawn", "", iou / seeds, aims[1], at_least=True)))
        rows.append(show(Row(f"{title} faults of the coverage", "", invalid, 0)))
    return rows


def _score_buildings(folder: Path, seed: int, options: CoverageOptions) -> tuple[int, int, float, int]:
    """Right corners, corners, mean IoU of the buildings, faults of the coverage."""
    truth, classes = draw_buildings(seed)
    raster = write(folder / "buildings.tif", classes)
    target, names = VectorTarget(folder / "buildings.gpkg"), {3: "building"}
    vectorize_landcover(raster, target, options, context=QUIET, class_names=names)
    layer = read_vector_layer(target.path, context=QUIET, columns=["class_id"])
    shift, scale = (-METRE.c, -METRE.f), (1.0, -1.0)
    found = shapely.transform(layer.geometry[layer.columns["class_id"] == 3], lambda xy: (xy + shift) * scale)
    shared = shapely.area(shapely.intersection(truth[:, None], found[None]))
    best = found[shared.argmax(axis=1)]
    iou = shared.max(axis=1) / shapely.area(shapely.union(truth, best))
    turns = np.concatenate([_turns(polygon) for polygon in best])
    corners = turns[turns > MIN_TURN]
    return int((np.abs(corners - 90) <= 3).sum()), len(corners), float(iou.mean()), faults(layer.geometry)


def _turns(polygon: shapely.Polygon) -> NDArray[np.float64]:
    """Return by how many degrees the outline of a polygon turns at each vertex."""
    steps = np.diff(shapely.get_coordinates(polygon.exterior), axis=0)
    angle = np.arctan2(steps[:, 1], steps[:, 0])
    return np.abs(np.degrees(np.angle(np.exp(1j * (np.roll(angle, -1) - angle)))))


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


def draw_buildings(seed: int) -> tuple[NDArray[np.object_], NDArray[np.uint8]]:
    """Draw turned rectangles, L and T shapes on two other classes, as a network of limited sharpness sees them.

    Returns:
        The true polygons in pixels, and the class raster: 1 and 2 the ground, 3 the buildings.
    """
    rng = np.random.default_rng(seed)
    shapes = []
    for center in np.argwhere(np.ones((SIZE // CELL, SIZE // CELL))):
        width, height = rng.uniform(20, 46, 2)
        outline = shapely.box(-width / 2, -height / 2, width / 2, height / 2)
        kind, share = rng.integers(3), rng.uniform(0.35, 0.6, 2)
        if kind == 1:  # L: without a corner
            outline -= (
                shapely.box(0, 0, width, height)
                if share.min() > 0.55
                else shapely.box(width * (share[0] - 0.5), height * (share[1] - 0.5), width, height)
            )
        elif kind == 2:  # T: with a wing at the middle of a side
            outline |= shapely.box(-width * share[0] / 2, 0, width * share[0] / 2, height / 2 + rng.uniform(8, 16))
        outline = shapely.affinity.rotate(outline, rng.uniform(0, 180), origin=(0, 0))
        place = (center[::-1] + 0.5) * CELL + rng.uniform(-4, 4, 2)
        shapes.append(shapely.affinity.translate(outline, *place))
    fine = rasterio.features.rasterize(shapes, (SIZE * FINE,) * 2, transform=Affine.scale(1 / FINE))
    sharp = fine.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3), dtype=np.float32)
    noise = gaussian_filter(rng.standard_normal((SIZE, SIZE), np.float32), 2.0)
    probability = gaussian_filter(sharp, BLUR) + NOISE * noise / noise.std()
    ground = gaussian_filter(rng.standard_normal((SIZE, SIZE), np.float32), 12.0) > 0
    return np.array(shapes, object), np.where(probability > 0.5, 3, 1 + ground).astype(np.uint8)
