"""Seeded synthetic road networks of several kinds, drawn as masks with occlusions and noise, for benchmarks and tests.

All lengths are in metres; a pixel of the masks is one metre.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

KINDS = ("grid", "suburb", "rural", "motorway")


@dataclass(frozen=True)
class Roads:
    """Centre lines (x to the right, y downwards, metres) and widths of roads in a square of ``size`` metres."""

    lines: NDArray[np.object_]
    width: NDArray[np.float64]
    size: int


def make_roads(kind: str, seed: int, size: int = 1200) -> Roads:
    """Create a network of one of the ``KINDS``."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    maker = {"grid": _grid, "suburb": _suburb, "rural": _rural, "motorway": _motorway}[kind]
    drawn = maker(rng, size)
    box = shapely.box(0.0, 0.0, size, size)
    lines, widths = [], []
    for points, width in drawn:
        for part in shapely.get_parts(shapely.intersection(shapely.linestrings(points), box)):
            if shapely.length(part) > 15.0 and part.geom_type == "LineString":
                lines.append(part)
                widths.append(width)
    return Roads(np.array(lines, object), np.array(widths), size)


def draw(roads: Roads) -> NDArray[np.uint8]:
    """Draw the clean mask, uint8, 0 or 255; drawn finer and reduced, so that edges are exact to a quarter pixel."""
    fine = np.zeros((roads.size * 2, roads.size * 2), np.uint8)
    for line, width in zip(roads.lines, roads.width, strict=True):
        points = np.rint(shapely.get_coordinates(line) * 2.0 - 0.5).astype(np.int32)
        cv2.polylines(fine, [points.reshape(-1, 1, 2)], False, 255, thickness=round(width * 2.0))
    small = cv2.resize(fine, (roads.size, roads.size), interpolation=cv2.INTER_AREA)
    return np.where(small >= 128, 255, 0).astype(np.uint8)


def degrade(mask: NDArray[np.uint8], roads: Roads, seed: int, strength: float = 1.0) -> NDArray[np.float32]:
    """Return a probability raster similar to that of a network: soft edges, occlusions, ragged borders, blobs, noise.

    Args:
        mask: the clean mask.
        roads: the roads in the mask.
        seed: seed of the generator.
        strength: share of the usual number of occlusions and blobs.
    """
    rng = np.random.default_rng([991, seed])
    size = mask.shape[0]
    probability = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), 1.5)
    probability *= 0.92
    total = float(shapely.length(roads.lines).sum())
    for _ in range(int(strength * total / 220.0)):  # trees and shadows over the road
        line = roads.lines[rng.integers(len(roads.lines))]
        x, y = shapely.get_coordinates(shapely.line_interpolate_point(line, rng.random(), normalized=True))[0]
        axes = (int(rng.integers(5, 17)), int(rng.integers(5, 17)))
        patch = np.zeros_like(mask)
        cv2.ellipse(patch, (int(x), int(y)), axes, float(rng.integers(180)), 0, 360, 1, -1)
        probability = np.where(patch > 0, probability * rng.uniform(0.0, 0.35), probability)
    for _ in range(int(strength * size * size / 24000.0)):  # roofs, driveways and bare soil classified as road
        x, y = rng.integers(0, size, 2)
        axes = (int(rng.integers(3, 12)), int(rng.integers(2, 7)))
        patch = np.zeros_like(mask)
        cv2.ellipse(patch, (int(x), int(y)), axes, float(rng.integers(180)), 0, 360, 1, -1)
        probability = np.where(patch > 0, np.maximum(probability, rng.uniform(0.5, 0.9)), probability)
    coarse = cv2.resize(rng.normal(0.0, 1.0, (size // 4 + 1,) * 2).astype(np.float32), (size, size))
    fine = rng.normal(0.0, 1.0, (size, size)).astype(np.float32)
    return np.clip(probability + 0.13 * coarse + 0.06 * fine, 0.0, 1.0).astype(np.float32)


Drawn = list[tuple[NDArray[np.float64], float]]


def _grid(rng: np.random.Generator, size: int) -> Drawn:
    """Create streets at right angles, rotated, with some blocks missing."""
    angle = rng.uniform(-0.4, 0.4)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    steps = np.concatenate(([0.0], np.cumsum(rng.uniform(90.0, 150.0, 24)))) - size * 0.75
    drawn: Drawn = []
    for i, x in enumerate(steps):
        for j, y in enumerate(steps):
            for dx, dy in ((1, 0), (0, 1)):
                if i + dx >= len(steps) or j + dy >= len(steps) or rng.random() < 0.12:
                    continue
                ends = np.array([[x, y], [steps[i + dx], steps[j + dy]]])
                drawn.append((ends @ turn.T + size / 2.0, 11.0 if (j if dx else i) % 4 == 0 else 7.0))
    return drawn


def _curve(points: NDArray[np.float64], rounds: int = 3) -> NDArray[np.float64]:
    """Smooth a coarse line by Chaikin's corner cutting."""
    for _ in range(rounds):
        first = 0.75 * points[:-1] + 0.25 * points[1:]
        second = 0.25 * points[:-1] + 0.75 * points[1:]
        inner = np.stack((first, second), axis=1).reshape(-1, 2)
        points = np.concatenate((points[:1], inner, points[-1:]))
    return points


def _suburb(rng: np.random.Generator, size: int) -> Drawn:
    """Create winding collectors with loops and cul-de-sacs that end in turning circles."""
    drawn: Drawn = []
    for y in np.arange(100.0, size, 330.0):
        x = np.linspace(-50.0, size + 50.0, 9)
        collector = _curve(np.column_stack((x, y + rng.normal(0.0, 35.0, 9))))
        drawn.append((collector, 9.0))
        line = shapely.linestrings(collector)
        at = 40.0
        while at < shapely.length(line) - 80.0:
            base = shapely.get_coordinates(shapely.line_interpolate_point(line, at))[0]
            side = rng.choice([-1.0, 1.0])
            if rng.random() < 0.35:
                back = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 110.0))[0]
                depth = side * rng.uniform(80.0, 130.0)
                loop = np.array([base, base + np.array([0.0, depth]), back + np.array([0.0, depth]), back])
                drawn.append((_curve_ends(loop), 6.0))
                at += 110.0
            else:
                end = base + np.array([rng.normal(0.0, 25.0), side * rng.uniform(60.0, 140.0)])
                bend = 0.5 * (base + end) + rng.normal(0.0, 12.0, 2)
                drawn.append((_curve(np.array([base, bend, end])), 6.0))
                if rng.random() < 0.5:
                    turn = np.linspace(0.0, 2.0 * np.pi, 25)
                    centre = end + np.array([0.0, side * 14.0])
                    circle = centre + 14.0 * np.column_stack((np.sin(turn), -side * np.cos(turn)))
                    drawn.append((circle, 5.0))
            at += rng.uniform(55.0, 110.0)
    for x in (size * 0.25, size * 0.7):
        y = np.linspace(-50.0, size + 50.0, 9)
        drawn.append((_curve(np.column_stack((x + rng.normal(0.0, 20.0, 9), y))), 9.0))
    return drawn


def _curve_ends(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return _curve(points, 2)


def _rural(rng: np.random.Generator, size: int) -> Drawn:
    """Create a few long winding roads with tracks that branch off."""
    drawn: Drawn = []
    for number in range(4):
        heading = number * np.pi / 4.0 + rng.uniform(-0.2, 0.2)
        along = np.linspace(-0.8, 0.8, 8) * size
        off = rng.normal(0.0, 60.0, 8) + rng.uniform(-0.25, 0.25) * size
        direction = np.array([np.cos(heading), np.sin(heading)])
        normal = np.array([-direction[1], direction[0]])
        road = _curve(size / 2.0 + along[:, np.newaxis] * direction + off[:, np.newaxis] * normal)
        drawn.append((road, 7.0))
        line = shapely.linestrings(road)
        for at in rng.uniform(0.1, 0.9, 4):
            base = shapely.get_coordinates(shapely.line_interpolate_point(line, at, normalized=True))[0]
            steps = np.cumsum(rng.normal(0.0, 25.0, (4, 2)) + rng.choice([-1.0, 1.0]) * normal * 60.0, axis=0)
            drawn.append((_curve(np.concatenate((base[np.newaxis], base + steps))), 4.5))
    return drawn


def _motorway(rng: np.random.Generator, size: int) -> Drawn:
    """Create two carriageways 26 m apart, crossed by roads, with ramps between them."""
    drawn: Drawn = []
    middle = size / 2.0 + rng.uniform(-80.0, 80.0)
    x = np.linspace(-50.0, size + 50.0, 7)
    bend = rng.normal(0.0, 25.0, 7)
    for offset in (-13.0, 13.0):
        drawn.append((_curve(np.column_stack((x, middle + bend + offset))), 9.0))
    trunk = shapely.linestrings(_curve(np.column_stack((x, middle + bend))))
    for at in (0.28, 0.72):
        cross = shapely.get_coordinates(shapely.line_interpolate_point(trunk, at, normalized=True))[0]
        drawn.append((np.array([[cross[0] - 30.0, -50.0], cross, [cross[0] + 40.0, size + 50.0]]), 8.0))
        for side in (-1.0, 1.0):
            for way in (-1.0, 1.0):
                away = shapely.line_interpolate_point(
                    trunk, shapely.line_locate_point(trunk, shapely.points(cross)) + way * 170.0
                )
                start = shapely.get_coordinates(away)[0] + np.array([0.0, side * 13.0])
                end = cross + np.array([side * 20.0, side * 90.0])
                drawn.append((_curve(np.array([start, start + np.array([-way * 80.0, side * 12.0]), end])), 6.0))
    for y in (120.0, size - 130.0):
        drawn.append((_curve(np.column_stack((x, y + rng.normal(0.0, 20.0, 7)))), 7.0))
    return drawn
