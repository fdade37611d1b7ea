"""The shape of lines and the places of nodes, against the roads as they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from affine import Affine
from drawn_roads import draw_roads, extract_roads, read_layer
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.roads.kernels.smoothing import GAP_WEIGHT, WIDTH_TOLERANCE, solve_fit, weigh_points

METRE = Affine(1.0, 0.0, 200_000.0, 0.0, -1.0, 900_000.0)
Writer = Callable[..., Path]
Layers = tuple[np.ndarray, np.ndarray, np.ndarray]


def extract(mask: np.ndarray, tmp_path: Path, write_raster: Writer) -> Layers:
    """Lines and nodes in pixels (x, y; the centre of a pixel lies at whole numbers), and the degrees of the nodes."""
    extract_roads(write_raster(mask, transform=METRE), tmp_path / "roads.gpkg", RoadOptions(areas=False))
    lines, _ = read_layer(tmp_path / "roads.gpkg", "roads")
    nodes, fields = read_layer(tmp_path / "roads.gpkg", "road_nodes")

    def to_pixels(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(~METRE * (xy[:, 0], xy[:, 1])) - 0.5

    return shapely.transform(lines, to_pixels), to_pixels(shapely.get_coordinates(nodes)), fields["degree"]


def furthest(lines: np.ndarray, truth: shapely.Geometry) -> float:
    """Largest distance of any point of the lines from the true roads."""
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(lines, 1.0)))
    return float(shapely.distance(points, truth).max())


def test_an_occlusion_on_one_side_does_not_bend_the_line(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 200), (410, 200)]], width=11)
    cv2.ellipse(mask, (200, 194), (9, 8), 0, 0, 360, 0, -1)
    lines, _, _ = extract(mask, tmp_path, write_raster)
    assert furthest(lines, shapely.LineString([(-10, 200), (410, 200)])) < 2.0  # the middle of what is seen: 4


def test_a_wide_junction_has_no_hook_and_lies_where_the_roads_cross(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 200), (410, 200)]], width=19) | draw_roads([[(150, 200), (190, 410)]], width=9)
    lines, nodes, degree = extract(mask, tmp_path, write_raster)
    assert nodes[degree == 3] == pytest.approx(np.array([[150.0, 200.0]]), abs=1.5)
    roads = shapely.MultiLineString([[(-10, 200), (410, 200)], [(150, 200), (190, 410)]])
    assert furthest(lines, roads) < 1.2


def test_two_close_junctions_stay_two(tmp_path: Path, write_raster: Writer) -> None:
    drawn = [[(-10, 200), (410, 200)], [(190, 200), (190, -10)], [(208, 200), (208, 410)]]
    lines, nodes, degree = extract(draw_roads(drawn), tmp_path, write_raster)
    found = nodes[degree == 3]
    assert found[np.argsort(found[:, 0])] == pytest.approx(np.array([[190.0, 200.0], [208.0, 200.0]]), abs=1.5)
    assert furthest(lines, shapely.MultiLineString(drawn)) < 1.2


def test_a_roundabout_is_round_and_has_a_node_for_each_arm(tmp_path: Path, write_raster: Writer) -> None:
    radius = 20
    ends = np.array([(-10, 200), (200, -10), (410, 200), (200, 410)])
    mask = draw_roads([[(x, y), (int(200 + radius * np.sign(x - 200)), int(200 + radius * np.sign(y - 200)))]
                       for x, y in ends])  # fmt: skip
    cv2.circle(mask, (200, 200), radius, 255, 6)
    lines, _, degree = extract(mask, tmp_path, write_raster)
    assert (degree == 3).sum() == 4
    ring = lines[shapely.distance(shapely.centroid(lines), shapely.points(200, 200)) < radius]
    assert len(ring) == 4
    from_middle = np.hypot(*(shapely.get_coordinates(shapely.segmentize(ring, 1.0)) - 200).T)
    assert radius - 2.0 < from_middle.min() < from_middle.max() < radius + 0.6


def test_a_dead_end_lies_near_the_end_of_the_road(tmp_path: Path, write_raster: Writer) -> None:
    """Thinning alone ends 6.5 pixels before it; a road with a round end must not become longer."""
    mask = np.zeros((400, 400), np.uint8)
    mask[196:207, :260] = 255
    _, nodes, _ = extract(mask, tmp_path, write_raster)
    assert nodes[np.argmax(nodes[:, 0])] == pytest.approx([257.5, 201.0], abs=2.0)


def test_the_fit_solves_its_equations() -> None:
    """Against the same least squares as a dense matrix."""
    rng = np.random.default_rng(3)
    points = np.cumsum(rng.uniform(0.5, 2.0, (40, 2)), axis=0)
    weights = rng.uniform(0.01, 1.0, 40)
    step = np.hypot(*np.diff(points, axis=0).T)
    bend = np.zeros((38, 40))
    for i in range(38):
        bend[i, i : i + 3] = 1 / step[i], -1 / step[i] - 1 / step[i + 1], 1 / step[i + 1]
    matrix = np.diag(weights) + 50.0 * bend.T @ np.diag(2.0 / (step[1:] + step[:-1])) @ bend
    np.testing.assert_allclose(
        solve_fit(points, weights, step, 50.0), np.linalg.solve(matrix, weights[:, np.newaxis] * points), rtol=1e-8
    )


def test_points_weigh_less_where_the_width_is_not_the_median_of_their_edge() -> None:
    """Edges of 1 to 40 points with many equal widths, some of them all gap; the medians are NumPy's."""
    random = np.random.default_rng(7)
    sizes = np.concatenate(([1, 1, 2, 2, 3], random.integers(1, 41, 200)))
    start = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    width = (random.integers(2, 60, start[-1]) * 0.25).astype(np.float32)
    width[random.random(width.size) < np.repeat(random.random(sizes.size), sizes)] = 0.0
    weights = weigh_points(start, width)
    for first, stop in pairwise(start):
        own = width[first:stop].astype(np.float64)
        usual = np.median(own[own > 0]) if own.any() else 0.0
        expected = np.where(own > 0, 1 / (1 + (0.5 * (own - usual) / WIDTH_TOLERANCE) ** 2), GAP_WEIGHT)
        np.testing.assert_allclose(weights[first:stop], expected, rtol=1e-12)
