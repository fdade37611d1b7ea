"""Seeded road networks with difficult places, drawn at sub-pixel precision and degraded as a network's output is.

Added to the networks of ``networks``: dead ends that point at another road, tracks without a connection, pairs of close
junctions and roundabouts. Lengths are in metres; a pixel is one metre.
"""

from __future__ import annotations

import cv2
import numpy as np
import shapely
from networks import KINDS, Roads, make_roads
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Bits of the fraction of a pixel in the coordinates that OpenCV draws, and subdivisions of a pixel.
_SHIFT, _FINE = 4, 4


def make_difficult_roads(seed: int, size: int = 1200) -> Roads:
    """Create a network of one of the ``KINDS``, by the seed, with difficult places."""
    rng = np.random.default_rng([4711, seed])
    base = make_roads(KINDS[seed % len(KINDS)], seed, size)
    lines, width = _add_roundabouts(rng, list(base.lines), np.maximum(base.width, 6.0).tolist())
    for maker in (_side_roads, _close_junctions, _tracks):
        for line in maker(rng, lines, size):
            lines.append(line)
            width.append(float(rng.uniform(6.0, 8.0)))
    return Roads(np.array(lines, object), np.array(width), size)


def draw_coverage(roads: Roads) -> NDArray[np.float32]:
    """Draw the share of each pixel that is road, 0 to 1."""
    fine = np.zeros((roads.size * _FINE, roads.size * _FINE), np.uint8)
    for line, width in zip(roads.lines, roads.width, strict=True):
        around = shapely.get_coordinates(shapely.buffer(line, width / 2.0).exterior)
        holes = shapely.buffer(line, width / 2.0).interiors
        rings = [around, *(shapely.get_coordinates(hole) for hole in holes)]
        points = [np.rint((ring * _FINE - 0.5) * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2) for ring in rings]
        layer = np.zeros_like(fine)
        cv2.fillPoly(layer, points, 255, shift=_SHIFT)
        fine |= layer
    return cv2.resize(fine, (roads.size, roads.size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0


def degrade_coverage(coverage: NDArray[np.float32], roads: Roads, seed: int) -> NDArray[np.float32]:
    """Return a probability raster: ragged borders, occlusions (many of one side only), blobs, driveways, noise."""
    rng = np.random.default_rng([1213, seed])
    probability = 0.92 * cv2.GaussianBlur(_warp(rng, coverage), (0, 0), 1.5)
    total = float(shapely.length(roads.lines).sum())
    for _ in range(int(total / 200.0)):
        point, normal, width = _draw_place(rng, roads)
        centre = point + normal * rng.uniform(-1.0, 1.0) * width
        axes, angle = rng.uniform(4.0, 15.0, 2), rng.uniform(0.0, 180.0)
        patch = _ellipse(coverage.shape, centre, axes, angle)
        probability = np.where(patch, probability * rng.uniform(0.0, 0.35), probability)
    for _ in range(int(coverage.size / 16000.0)):
        centre, axes = rng.uniform(0.0, roads.size, 2), np.array((rng.uniform(3.0, 13.0), rng.uniform(2.0, 7.0)))
        patch = _ellipse(coverage.shape, centre, axes, rng.uniform(0.0, 180.0))
        probability = np.where(patch, np.maximum(probability, rng.uniform(0.5, 0.9)), probability)
    for _ in range(int(total / 400.0)):
        point, normal, width = _draw_place(rng, roads)
        end = point + normal * rng.choice([-1.0, 1.0]) * (0.5 * width + rng.uniform(8.0, 22.0))
        patch = np.zeros(coverage.shape, np.uint8)
        ends = np.rint(np.array([point, end])).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(patch, [ends], False, 1, thickness=int(rng.integers(4, 12)))
        probability = np.where(patch > 0, np.maximum(probability, rng.uniform(0.5, 0.9)), probability)
    size = roads.size
    coarse = cv2.resize(rng.normal(0.0, 1.0, (size // 4 + 1,) * 2).astype(np.float32), (size, size))
    fine = rng.normal(0.0, 1.0, (size, size)).astype(np.float32)
    return np.clip(probability + 0.13 * coarse + 0.06 * fine, 0.0, 1.0).astype(np.float32)


def _warp(rng: np.random.Generator, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move every pixel by about a metre, smoothly, so that borders are ragged."""
    size = len(values)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    for grid in (x, y):
        noise = cv2.GaussianBlur(rng.normal(0.0, 1.0, (size, size)).astype(np.float32), (0, 0), 3.0)
        grid += noise / noise.std()
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _ellipse(shape: tuple[int, ...], centre: Array, axes: Array, angle: float) -> NDArray[np.bool_]:
    patch = np.zeros(shape, np.uint8)
    middle, half = (np.rint(value * 2**_SHIFT).astype(int) for value in (centre, axes))
    cv2.ellipse(patch, middle.tolist(), half.tolist(), angle, 0, 360, 1, -1, shift=_SHIFT)
    return patch > 0


def _draw_place(rng: np.random.Generator, roads: Roads) -> tuple[Array, Array, float]:
    """Draw a point on a road in proportion to length: its position, the normal there, the width of the road."""
    length = shapely.length(roads.lines)
    number = int(rng.choice(len(length), p=length / length.sum()))
    point, normal = _place(roads.lines[number], rng.uniform(0.0, float(length[number])))
    return point, normal, float(roads.width[number])


def _place(line: shapely.LineString, along: float) -> tuple[Array, Array]:
    ends = shapely.line_interpolate_point(line, [along, along - 1.0, along + 1.0])
    point, before, after = shapely.get_coordinates(ends)
    direction = (after - before) / max(float(np.hypot(*(after - before))), 1e-9)
    return point, np.array([-direction[1], direction[0]])


def _draw_line(rng: np.random.Generator, lines: list[shapely.LineString]) -> tuple[Array, Array, shapely.LineString]:
    length = shapely.length(np.array(lines, object))
    line = lines[int(rng.choice(len(lines), p=length / length.sum()))]
    point, normal = _place(line, rng.uniform(0.05, 0.95) * line.length)
    return point, normal * rng.choice([-1.0, 1.0]), line


def _side_roads(rng: np.random.Generator, lines: list[shapely.LineString], size: int) -> list[shapely.LineString]:
    """Create dead ends, most of which stop 18 to 45 m before another road."""
    roads, found = shapely.union_all(np.array(lines, object)), []
    for _ in range(40):
        point, normal, _ = _draw_line(rng, lines)
        ahead = shapely.linestrings([point + 8.0 * normal, point + 170.0 * normal])
        meets = shapely.get_coordinates(shapely.intersection(ahead, roads))
        reach = float(np.hypot(*(meets - point).T).min()) if len(meets) else 200.0
        length = reach - rng.uniform(18.0, 45.0) if len(meets) else rng.uniform(50.0, 120.0)
        end = point + length * normal
        line = shapely.linestrings([point, end])
        others = shapely.difference(roads, shapely.buffer(shapely.points(point), 25.0))
        if length < 45.0 or not (end.min() > 0 and end.max() < size) or shapely.distance(line, others) < 15.0:
            continue
        found.append(line)
        roads = shapely.union(roads, line)
        if len(found) == 6:
            break
    return found


def _close_junctions(rng: np.random.Generator, lines: list[shapely.LineString], size: int) -> list[shapely.LineString]:
    """Create pairs of side roads on both sides of a road, 16 to 26 m apart."""
    roads, found = shapely.union_all(np.array(lines, object)), []
    for _ in range(20):
        point, normal, line = _draw_line(rng, lines)
        other, _ = _place(line, shapely.line_locate_point(line, shapely.points(point)) + rng.uniform(16.0, 26.0))
        pair = [shapely.linestrings([at, at + way * 75.0 * normal]) for at, way in ((point, 1.0), (other, -1.0))]
        around = shapely.buffer(shapely.points([point, other]), 20.0)
        others = shapely.difference(roads, shapely.union_all(around))
        inside = shapely.contains(shapely.box(5, 5, size - 5, size - 5), np.array(pair, object)).all()
        if not inside or shapely.distance(np.array(pair, object), others).min() < 15.0:
            continue
        found += pair
        roads = shapely.union_all(np.array([roads, *pair], object))
        if len(found) == 6:
            break
    return found


def _tracks(rng: np.random.Generator, lines: list[shapely.LineString], size: int) -> list[shapely.LineString]:
    """Create up to three winding tracks that are connected with nothing and at least 25 m from any road."""
    roads, found = shapely.union_all(np.array(lines, object)), []
    for _ in range(300):
        heading = rng.uniform(0.0, 2.0 * np.pi) + np.cumsum(rng.normal(0.0, 0.25, 8))
        steps = np.cumsum(20.0 * np.column_stack((np.cos(heading), np.sin(heading))), axis=0)
        line = shapely.linestrings(rng.uniform(0.0, size, 2) + steps)
        if shapely.contains(shapely.box(20, 20, size - 20, size - 20), line) and shapely.distance(line, roads) > 25.0:
            found.append(line)
            roads = shapely.union(roads, line)
        if len(found) == 3:
            break
    return found


def _add_roundabouts(
    rng: np.random.Generator, lines: list[shapely.LineString], width: list[float]
) -> tuple[list[shapely.LineString], list[float]]:
    """Replace up to two crossings by roundabouts."""
    for _ in range(2):
        first, second = (lines[i] for i in rng.choice(len(lines), 2, replace=False))
        crossing = shapely.get_coordinates(shapely.intersection(first, second))
        if not len(crossing):
            continue
        disc = shapely.buffer(shapely.points(crossing[0]), rng.uniform(13.0, 22.0), quad_segs=12)
        cut = [shapely.get_parts(shapely.difference(line, disc)) for line in lines]
        width = [w for w, parts in zip(width, cut, strict=True) for part in parts if part.length > 2.0]
        lines = [part for parts in cut for part in parts if part.length > 2.0]
        lines.append(shapely.linestrings(shapely.get_coordinates(disc.exterior)))
        width.append(6.5)
    return lines, width
