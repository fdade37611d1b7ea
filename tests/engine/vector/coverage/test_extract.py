"""Coverages of random rasters: valid, equal to the raster, the same for every strip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label
from terraspore.engine.context import RunContext
from terraspore.engine.fs.spool import ArraySpool, SpooledArray
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.vector.coverage import arcs, polygons, regions
from terraspore.engine.vector.coverage.breaks import BREAKS, Breaks
from terraspore.engine.vector.coverage.extract import CoverageBatch, stream_coverage
from terraspore.engine.vector.geodesy import PixelGeodesy

codes = st.integers(1, 4).flatmap(
    lambda top: arrays(
        np.uint16, st.tuples(st.integers(1, 22), st.integers(1, 22)), elements=st.integers(0, top), fill=st.nothing()
    )
)


class ArraySource:
    """Codes of an array, and ten times the code as confidence."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape = values, values.shape

    def read_codes(self, row: int, height: int) -> np.ndarray:
        return self.values[row : row + height]

    def read_confidence(self, row: int, height: int) -> np.ndarray:
        return (self.values[row : row + height] * 10).astype(np.uint8)


#: Arcs end every 7 rows instead of 2048, and every 9 columns, so that it happens in small rasters.
SHORT = Breaks(7, 9)


def cover(
    values: np.ndarray,
    strip_rows: int = 512,
    minimum: float = 0.0,
    smooth: bool = False,
    tolerance: float = 0.0,
    breaks: Breaks = SHORT,
) -> list[CoverageBatch]:
    options = CoverageOptions(minimum_area=minimum, smooth=smooth, simplify=tolerance, strip=strip_rows)
    return list(
        stream_coverage(
            ArraySource(values), PixelGeodesy(None, Affine.identity()), options, RunContext(), breaks=breaks
        )
    )


def shapes_of(batches: list[CoverageBatch]) -> tuple[np.ndarray, np.ndarray]:
    if not batches:
        return np.zeros(0, object), np.zeros(0, int)
    return np.concatenate([batch.geometry for batch in batches]), np.concatenate([batch.code for batch in batches])


def components(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """Code and pixels of every 4-connected component."""
    for code in np.unique(values[values > 0]).tolist():
        found, count = label(values == code)
        yield from ((code, int((found == n).sum())) for n in range(1, count + 1))


@settings(max_examples=150)
@given(codes, st.integers(1, 9))
def test_the_coverage_is_valid_and_equals_the_raster(values: np.ndarray, strip: int) -> None:
    geometry, code = shapes_of(cover(values, strip))
    assert sorted(zip(code.tolist(), shapely.area(geometry).tolist(), strict=True)) == sorted(components(values))
    if not len(geometry):
        return
    assert shapely.is_valid(geometry).all()
    assert shapely.coverage_is_valid(geometry)
    drawn = rasterio.features.rasterize(zip(geometry, code.tolist(), strict=True), values.shape, fill=0)
    assert np.array_equal(drawn, values)


@settings(max_examples=150)
@given(
    codes,
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([0.0, 0.6, 1.0, 3.0]),
    st.sampled_from([0.0, 3.0, 8.0]),
)
def test_strips_equal_the_whole_and_stay_valid(
    values: np.ndarray, strip: int, smooth: bool, tolerance: float, minimum: float
) -> None:
    options = {"smooth": smooth, "tolerance": tolerance, "minimum": minimum}
    whole, parts = cover(values, 512, **options), cover(values, strip, **options)
    one, other = shapes_of(whole), shapes_of(parts)
    assert shapely.to_wkb(one[0]).tolist() == shapely.to_wkb(other[0]).tolist()
    assert one[1].tolist() == other[1].tolist()
    for name in ("region", "area", "perimeter", "confidence"):
        assert [getattr(p, name).tolist() for p in whole] == [getattr(p, name).tolist() for p in parts]
    if len(one[0]):
        assert shapely.is_valid(one[0]).all()
        assert shapely.coverage_is_valid(one[0])


@settings(max_examples=100)
@given(codes, st.floats(0.5, 2.0), st.booleans())
def test_simplified_borders_stay_within_the_tolerance(values: np.ndarray, tolerance: float, smooth: bool) -> None:
    exact, _ = shapes_of(cover(values, 512))
    simple, _ = shapes_of(cover(values, 5, smooth=smooth, tolerance=tolerance))
    for one, other in zip(exact, simple, strict=True):
        limit = tolerance + (0.36 if smooth else 0.0) + 1e-9  # a cut corner is 0.354 pixels away
        assert shapely.hausdorff_distance(one.boundary, other.boundary) <= limit + 0.6
        vertices = shapely.points(shapely.get_coordinates(one.boundary))
        assert shapely.distance(vertices, other.boundary).max() <= limit


@settings(max_examples=150)
@given(codes, st.integers(2, 12), st.integers(1, 9))
def test_no_region_with_a_neighbour_is_below_the_minimum(values: np.ndarray, minimum: int, strip: int) -> None:
    geometry, _ = shapes_of(cover(values, strip, float(minimum)))
    assert shapely.area(geometry).sum() == (values > 0).sum()
    tree = shapely.STRtree(geometry)
    for number in np.flatnonzero(shapely.area(geometry) < minimum).tolist():
        near = tree.query(geometry[number], predicate="intersects")
        shared = shapely.length(shapely.intersection(geometry[number], geometry[near[near != number]]))
        assert not (shared > 0).any()


def test_a_small_region_goes_to_the_neighbour_with_the_longest_border() -> None:
    values = np.ones((6, 8), np.uint16)
    values[:, 5:] = 2
    values[2:4, 4] = 3  # shares 2 + 1 + 1 sides with 1, and 2 with 2
    geometry, code = shapes_of(cover(values, 2, 5.0))
    assert dict(zip(code.tolist(), shapely.area(geometry).tolist(), strict=True)) == {1: 30.0, 2: 18.0}


def test_merging_goes_on_until_regions_are_large_enough() -> None:
    values = np.full((1, 12), 9, np.uint16)
    values[0, :4] = [1, 2, 3, 4]  # four regions of one pixel in a row: only together they could reach 3
    _, code = shapes_of(cover(values, 1, 3.0))
    assert len(code) <= 2


def test_a_touching_diagonal_makes_a_hole_and_not_a_broken_ring() -> None:
    values = np.ones((4, 4), np.uint16)
    values[1, 1] = values[2, 2] = 2
    geometry, code = shapes_of(cover(values, 1))
    outer = geometry[code == 1][0]
    assert outer.is_valid
    assert len(outer.interiors) == 2


@settings(max_examples=100)
@given(codes, st.integers(1, 9), st.floats(0.5, 3.0))
def test_simplified_areas_sum_up_to_the_raster(values: np.ndarray, strip: int, tolerance: float) -> None:
    geometry, _ = shapes_of(cover(values + np.uint16(1), strip, 3.0, smooth=True, tolerance=tolerance))
    assert shapely.area(geometry).sum() == values.size
    assert shapely.union_all(geometry).equals(shapely.box(0, 0, *values.shape[::-1]))


def test_staircases_become_straight() -> None:
    values = (np.add.outer(np.arange(20), np.arange(20)) < 20).astype(np.uint16) + 1
    geometry, code = shapes_of(cover(values, 6, smooth=True, tolerance=0.1, breaks=BREAKS))
    # From node to node: a straight line with a half pixel at either end, and around three corners of the raster.
    assert shapely.get_num_coordinates(geometry[code == 1][0]) <= 8


def test_area_and_perimeter_are_true_metres_in_degrees() -> None:
    from pyproj import Geod

    step = 0.0005
    transform = Affine(step, 0.0, 10.0, 0.0, -step, 60.0)
    values = np.ones((40, 40), np.uint16)
    values[10:30, 5:15] = 2
    options = CoverageOptions(minimum_area=0.0, classes=frozenset({1}), smooth=False, simplify=0.0, strip=8)
    parts = list(stream_coverage(ArraySource(values), PixelGeodesy("EPSG:4326", transform), options, RunContext()))
    assert [part.code.tolist() for part in parts] == [[2]]
    area, perimeter = Geod(ellps="WGS84").geometry_area_perimeter(parts[0].geometry[0])
    assert parts[0].area[0] == pytest.approx(abs(area), rel=1e-5)
    assert parts[0].perimeter[0] == pytest.approx(perimeter, rel=1e-5)


def test_confidence_is_the_mean_of_the_pixels_of_a_region() -> None:
    values = np.array([[1, 1, 2], [1, 2, 2]], np.uint16)
    parts = cover(values, 1, 0.0)
    assert np.concatenate([part.confidence for part in parts]).tolist() == [10.0, 20.0]


@pytest.mark.parametrize("runs", [0, 150])
def test_runs_that_are_not_kept_give_the_same(monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    values = np.random.default_rng(5).integers(0, 3, (30, 17)).astype(np.uint16)
    kept = shapes_of(cover(values, 4, 3.0))
    monkeypatch.setattr(regions, "KEEP_RUNS", runs)
    again = shapes_of(cover(values, 4, 3.0))
    assert shapely.to_wkb(kept[0]).tolist() == shapely.to_wkb(again[0]).tolist()


@settings(max_examples=60)
@given(codes, st.integers(1, 9), st.sampled_from([0.0, 1.0]))
def test_arcs_on_disk_come_back_the_same(
    monkeypatch: pytest.MonkeyPatch, values: np.ndarray, strip: int, tolerance: float
) -> None:
    options = {"smooth": tolerance > 0.0, "tolerance": tolerance}
    in_memory = cover(values, strip, **options)
    with monkeypatch.context() as patch:
        patch.setattr(arcs, "BUFFER_BYTES", -1)
        spilled = cover(values, strip, **options)
    assert shapely.to_wkb(shapes_of(in_memory)[0]).tolist() == shapely.to_wkb(shapes_of(spilled)[0]).tolist()
    for name in ("region", "area", "perimeter", "confidence"):
        assert [getattr(p, name).tolist() for p in in_memory] == [getattr(p, name).tolist() for p in spilled]


def test_arcs_of_regions_that_end_far_below_wait_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arcs, "BUFFER_BYTES", 500)
    written: list[int] = []
    append = ArraySpool.append

    def watched(self: ArraySpool, arrays: list[np.ndarray]) -> list[SpooledArray]:
        written.append(sum(array.nbytes for array in arrays))
        return append(self, arrays)

    monkeypatch.setattr(ArraySpool, "append", watched)
    values = np.ones((80, 40), np.uint16)
    values[::2, 1::2] = 2
    values[:, 0] = 3
    geometry, code = shapes_of(cover(values, 6))
    assert sum(written) > 5000
    assert shapely.coverage_is_valid(geometry)
    drawn = rasterio.features.rasterize(zip(geometry, code.tolist(), strict=True), values.shape, fill=0)
    assert np.array_equal(drawn, values)


def test_polygons_come_in_parts_of_limited_size(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).integers(1, 4, (60, 40)).astype(np.uint16)
    whole = cover(values, 9)
    monkeypatch.setattr(polygons, "MAX_POINTS", 40)
    parts = cover(values, 9)
    assert len(parts) > 3 * len(whole)
    assert all(shapely.get_num_coordinates(part.geometry).sum() <= 40 or len(part.geometry) == 1 for part in parts)
    assert shapely.to_wkb(shapes_of(whole)[0]).tolist() == shapely.to_wkb(shapes_of(parts)[0]).tolist()
