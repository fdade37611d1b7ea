"""Right angles in coverages: walls fit, neighbours follow, other shapes stay, and the coverage is valid."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
import shapely.affinity
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.vector.coverage.breaks import Breaks
from terraspore.engine.vector.coverage.extract import stream_coverage
from terraspore.engine.vector.geodesy import PixelGeodesy

from .test_extract import ArraySource

BUILDING = 2
SIZE = 60
#: Random ground of three classes with turned rectangles of buildings on it, partly at the border and touching each
#: other, and with some flipped pixels.
places = st.lists(
    st.tuples(st.integers(0, SIZE), st.integers(0, SIZE), st.integers(6, 40), st.integers(6, 40), st.integers(0, 89)),
    min_size=1,
    max_size=5,
)


#: Arcs end every 32 rows instead of 2048, so that buildings lie in several bands.
LOW = Breaks(32)


def turned_box(x: float, y: float, width: float, height: float, angle: float) -> shapely.Polygon:
    box = shapely.box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return shapely.affinity.rotate(box, angle)


def paint(values: np.ndarray, outline: shapely.Polygon, code: int = BUILDING) -> None:
    """Set the pixels whose centres lie in a polygon."""
    values[rasterize([outline], values.shape) == 1] = code


def draw(rectangles: list[tuple[int, ...]], seed: int, noise: float, size: int = SIZE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(1, 4, (6, 6)).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    ground[ground == BUILDING] = 0 if seed % 3 == 0 else 4
    for x, y, width, height, angle in rectangles:
        paint(ground, turned_box(x, y, width, height, angle))
    flipped = rng.random((size, size)) < noise
    ground[flipped] = rng.integers(0, 5, int(flipped.sum()))
    return ground.astype(np.uint16)


def cover(
    values: np.ndarray, regularized: tuple[int, ...] = (BUILDING - 1,), **options: object
) -> tuple[np.ndarray, np.ndarray]:
    geodesy = PixelGeodesy(None, Affine.identity())
    chosen = CoverageOptions(**options)
    source, context = ArraySource(values), RunContext()
    batches = list(stream_coverage(source, geodesy, chosen, context, regularized=regularized, breaks=LOW))
    return np.concatenate([batch.geometry for batch in batches]), np.concatenate([batch.code for batch in batches])


def count_right_corners(polygon: shapely.Polygon, tolerance: float = 3.0) -> tuple[int, int]:
    """Count corners within ``tolerance`` degrees of a right angle, and those that are neither such nor straight."""
    right, other = 0, 0
    for ring in (polygon.exterior, *polygon.interiors):
        steps = np.diff(np.asarray(ring.coords), axis=0)
        turn = np.degrees(
            np.angle(np.exp(1j * np.diff(np.arctan2(steps[:, 1], steps[:, 0]), append=np.arctan2(*steps[0, ::-1]))))
        )
        right += int((np.abs(np.abs(turn) - 90) <= tolerance).sum())
        other += int(((np.abs(turn) > tolerance) & (np.abs(np.abs(turn) - 90) > tolerance)).sum())
    return right, other


@settings(max_examples=60, deadline=None)
@given(places, st.integers(0, 1000), st.sampled_from([0.0, 0.02]), st.integers(5, 40), st.sampled_from([0.0, 0.5, 1.0]))
def test_random_coverages_stay_valid_and_do_not_depend_on_the_strips(
    rectangles: list[tuple[int, ...]], seed: int, noise: float, strip: int, tolerance: float
) -> None:
    values = draw(rectangles, seed, noise)
    options = {"simplify": tolerance, "smooth": tolerance > 0.0, "minimum_area": 6.0}
    codes = cover(values, (), **options)[1].tolist()
    for regularized in ((BUILDING - 1,), (BUILDING - 1, 0)):
        geometry, code = cover(values, regularized, **options)
        again, _ = cover(values, regularized, strip=strip, **options)
        assert shapely.to_wkb(geometry).tolist() == shapely.to_wkb(again).tolist()
        assert shapely.is_valid(geometry).all()
        assert shapely.coverage_is_valid(geometry)
        if (values > 0).all():
            assert shapely.area(geometry).sum() == values.size
        assert code.tolist() == codes


@settings(max_examples=60, deadline=None)
@given(places, st.integers(0, 1000), st.sampled_from([0.0, 0.02]), st.sampled_from([1.0, 2.0, 4.0]))
def test_no_vertex_is_further_from_the_pixels_than_the_error(
    rectangles: list[tuple[int, ...]], seed: int, noise: float, error: float
) -> None:
    values = draw(rectangles, seed, noise)
    exact, _ = cover(values, (), simplify=0.0, smooth=False, minimum_area=0.0)
    geometry, _ = cover(values, simplify=0.0, smooth=False, minimum_area=0.0, regularise_error=error)
    for one, other in zip(exact, geometry, strict=True):
        vertices = shapely.points(shapely.get_coordinates(other))
        assert shapely.distance(vertices, one.boundary).max() <= error + 0.51  # between the middles of pixel edges


@pytest.mark.parametrize("angle", [0, 7, 20, 33, 45, 61, 88])
def test_a_turned_rectangle_gets_four_right_angles(angle: int) -> None:
    values = draw([(30, 30, 32, 18, angle)], 1, 0.0)
    geometry, code = cover(values)
    [building] = geometry[code == BUILDING]
    assert count_right_corners(building, 1.5) == (4, 0)
    truth = turned_box(30, 30, 32, 18, angle)
    assert building.intersection(truth).area / building.union(truth).area > 0.93
    assert shapely.coverage_is_valid(geometry)


def test_a_courtyard_and_a_building_at_the_border_get_right_angles() -> None:
    values = draw([(30, 28, 44, 40, 20)], 1, 0.0, 90)
    paint(values, turned_box(30, 28, 20, 16, 20), 1)
    paint(values, turned_box(80, 75, 40, 16, 0))
    geometry, code = cover(values)
    at_border, court = sorted(geometry[code == BUILDING], key=shapely.area)
    assert len(court.interiors) == 1
    assert count_right_corners(court) == (8, 0)
    assert count_right_corners(at_border) == (4, 0)
    assert at_border.bounds[2] == 90
    assert shapely.area(geometry).sum() == values.size


@pytest.mark.parametrize("shape", ["circle", "triangle", "hexagon", "slanted"])
@pytest.mark.parametrize("radius", [9, 17, 25])
def test_other_shapes_stay(shape: str, radius: int) -> None:
    turns = {"circle": 90, "triangle": 3, "hexagon": 6}.get(shape, 0)
    corners = [(radius * np.cos(2 * np.pi * n / turns), radius * np.sin(2 * np.pi * n / turns)) for n in range(turns)]
    if shape == "slanted":
        corners = [(-radius, -radius), (radius, -radius), (0.45 * radius, radius), (-0.45 * radius, radius)]
    values = np.ones((SIZE, SIZE), np.uint16)
    turned = shapely.affinity.rotate(shapely.Polygon(corners), 11, origin=(0, 0))
    paint(values, shapely.affinity.translate(turned, 30, 30))
    one, other = cover(values)[0], cover(values, ())[0]
    assert shapely.to_wkb(one).tolist() == shapely.to_wkb(other).tolist()


def test_ragged_shapes_stay() -> None:
    """Blobs of noise, as large as buildings, have neither walls nor right angles, but by chance."""
    squared = []
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    for seed in range(40):
        noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), None, 5.0)
        values = np.ones((SIZE, SIZE), np.uint16)
        values[noise / noise.std() > np.hypot(x, y) / 8 - 2] = BUILDING
        options = {"minimum_area": 300.0}
        one, other = cover(values, **options)[0], cover(values, (), **options)[0]
        squared.append(shapely.to_wkb(one).tolist() != shapely.to_wkb(other).tolist())
    assert sum(squared) <= 1


def test_a_border_that_ends_at_a_wall_follows_it() -> None:
    values = np.ones((50, 60), np.uint16)
    values[:, 30:] = 3
    paint(values, turned_box(30, 25, 30, 20, 25))
    geometry, code = cover(values)
    [building] = geometry[code == BUILDING]
    right, other = count_right_corners(building)
    assert (right, other) == (4, 0)
    assert len(building.exterior.coords) == 4 + 2 + 2 + 1  # with nodes to its neighbours and between bands of rows
    assert shapely.coverage_is_valid(geometry)


def half_plane(size: int, through: tuple[float, float], normal: tuple[float, float]) -> np.ndarray:
    """Pixels on the side of a line to which its normal points."""
    y, x = np.mgrid[:size, :size] + 0.5
    return (x - through[0]) * normal[0] + (y - through[1]) * normal[1] > 0


@pytest.mark.parametrize("distance", [0.0, 0.7, 1.4, 2.1])
def test_a_border_that_passes_a_corner_is_led_around_it(distance: float) -> None:
    """The corner was not seen, and a border of others runs where it is."""
    outline = turned_box(30, 30, 32, 22, 25)
    corner = np.array(outline.exterior.coords[0])
    outward = (corner - 30) / np.hypot(*(corner - 30))
    values = np.ones((SIZE, SIZE), np.uint16)
    paint(values, outline)
    values[(values == BUILDING) & half_plane(SIZE, tuple(corner - 3 * outward), tuple(outward))] = 1
    values[half_plane(SIZE, tuple(corner - distance * outward), tuple(outward))] = 3
    geometry, code = cover(values)
    [building] = geometry[code == BUILDING]
    assert count_right_corners(building, 1.5) == (4, 0)
    assert building.intersection(outline).area / building.union(outline).area > 0.93
    assert sorted(code) == [1, 2, 3]
    assert shapely.coverage_is_valid(geometry)


@pytest.mark.parametrize("shift", [-3.0, -1.5, -0.5, 0.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("turn", [0, 40, 80])
def test_a_border_that_ends_near_a_corner_follows_it(shift: float, turn: int) -> None:
    outline = turned_box(30, 30, 32, 22, 25)
    corner = np.array(outline.exterior.coords[0])
    angle = np.arctan2(*(corner - 30)[::-1]) + np.radians(90 + turn - 40)
    values = np.ones((SIZE, SIZE), np.uint16)
    normal = np.cos(angle), np.sin(angle)
    values[half_plane(SIZE, tuple(corner + shift * np.array(normal)), normal)] = 3
    paint(values, outline)
    geometry, code = cover(values)
    [building] = geometry[code == BUILDING]
    assert count_right_corners(building, 1.5) == (4, 0)
    assert shapely.coverage_is_valid(geometry)


def test_walls_that_fail_leave_the_next_building_alone() -> None:
    values = np.ones((50, 100), np.uint16)
    values[25:] = 4  # its border leads from one building to the other
    paint(values, turned_box(25, 25, 30, 20, 0))
    paint(values, turned_box(75, 25, 30, 20, 20))
    values[15:17, 20:30] = 1
    values[15, 25] = 3  # an island in a dent
    geometry, code = cover(values, minimum_area=0.0)
    left, right = sorted(geometry[code == BUILDING], key=lambda polygon: polygon.centroid.x)
    assert count_right_corners(right) == (4, 0)
    assert count_right_corners(left) != (4, 0)
    assert shapely.coverage_is_valid(geometry)


def test_a_wall_does_not_pass_over_an_island() -> None:
    values = np.ones((50, 60), np.uint16)
    paint(values, turned_box(30, 25, 30, 20, 0))
    values[15:17, 25:35] = 1  # a dent in a wall, which the wall would close ...
    free, code = cover(values, minimum_area=0.0)
    assert count_right_corners(free[code == BUILDING][0]) == (4, 0)
    values[15, 30] = 3  # ... with something in it
    geometry, code = cover(values, minimum_area=0.0)
    assert shapely.coverage_is_valid(geometry)
    assert shapely.area(geometry[code == 3]).sum() > 0.4
    plain, _ = cover(values, (), minimum_area=0.0)
    assert shapely.to_wkb(geometry).tolist() == shapely.to_wkb(plain).tolist()


def test_pixels_that_are_not_square_are_measured_on_the_ground() -> None:
    """Half as wide as high: a turned rectangle is a parallelogram in pixels."""
    values = np.ones((60, 120), np.uint16)
    paint(values, shapely.affinity.scale(turned_box(30, 30, 32, 18, 30), 2, 1, origin=(0, 0)))
    geodesy = PixelGeodesy(None, Affine.scale(0.5, 1))
    batches = stream_coverage(
        ArraySource(values), geodesy, CoverageOptions(), RunContext(), regularized=(1,), breaks=LOW
    )
    [building] = [
        g for batch in batches for g, code in zip(batch.geometry, batch.code, strict=True) if code == BUILDING
    ]
    assert count_right_corners(building, 1.5) == (4, 0)


def test_it_is_used_on_what_is_drawn() -> None:
    """The random coverages above have buildings with right angles, so that what they check is not nothing."""
    values = draw([(20, 20, 30, 20, 10), (46, 44, 20, 24, 50)], 5, 0.0)
    geometry, code = cover(values)
    assert max(count_right_corners(polygon)[0] for polygon in geometry[code == BUILDING]) >= 4
