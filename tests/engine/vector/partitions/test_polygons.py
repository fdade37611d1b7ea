"""Coverages by partitions equal those of one run, feature by feature, wherever the borders of partitions lie."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.context import Cancellation, RunContext
from terraspore.engine.errors import SourceError
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.vector.coverage.breaks import Breaks
from terraspore.engine.vector.coverage.extract import CoverageBatch, stream_coverage
from terraspore.engine.vector.geodesy import PixelGeodesy
from terraspore.engine.vector.partitions.polygons.coverage import PartitionedCoverage
from terraspore.engine.vector.partitions.polygons.tables import CoverageFrame
from terraspore.engine.vector.partitions.storage import PartitionFolder
from terraspore.engine.vector.roads.centerlines import Tile

#: Side of a partition, and of the cells at whose borders arcs end in one run, too.
SIZE = 8
BREAKS = Breaks(4, 8)
BUILDING = 2
PLACE = Affine(0.5, 0.0, 600000.0, 0.0, -0.5, 5400000.0)

Feature = tuple[float | bytes, ...]


class ArrayCodes:
    """Codes of an array, and ten times the code, and some of the row, as confidence."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape = values, values.shape
        row = np.arange(len(values))[:, np.newaxis] % 3
        self.confidence = (values * 10 + np.where(values > 0, row, 0)).astype(np.uint8)

    def open_window(self, window: Tile) -> ArrayCodes:
        part = ArrayCodes.__new__(ArrayCodes)
        inside = np.s_[window.row : window.row + window.height, window.col : window.col + window.width]
        part.values, part.confidence = self.values[inside], self.confidence[inside]
        part.shape = part.values.shape
        return part

    def read_codes(self, row: int, height: int) -> np.ndarray:
        return self.values[row : row + height]

    def read_confidence(self, row: int, height: int) -> np.ndarray:
        return self.confidence[row : row + height]


def list_features(batches: list[CoverageBatch]) -> list[Feature]:
    columns = (np.concatenate([getattr(batch, name) for batch in batches]) for name in CoverageBatch._fields[1:])
    geometry = np.concatenate([batch.geometry for batch in batches])
    return sorted(zip(*(column.tolist() for column in columns), shapely.to_wkb(geometry).tolist(), strict=True))


def cover_whole(values: np.ndarray, options: CoverageOptions, regularized: tuple[int, ...] = ()) -> list[CoverageBatch]:
    geodesy, context = PixelGeodesy("EPSG:32632", PLACE), RunContext()
    source = ArrayCodes(values)
    return list(stream_coverage(source, geodesy, options, context, regularized=regularized, breaks=BREAKS))


def divide(values: np.ndarray, options: CoverageOptions, folder: Path, **frame: object) -> PartitionedCoverage:
    facts = CoverageFrame("raster", values.shape, options, **{"breaks": BREAKS, **frame})
    files = PartitionFolder(folder, facts.shape, facts.breaks.cols)
    return PartitionedCoverage(files, facts, ArrayCodes(values), PLACE, "EPSG:32632")


def cover_parts(coverage: PartitionedCoverage) -> list[CoverageBatch]:
    cancellation, order = Cancellation(), range(len(coverage.folder.windows))
    for number in reversed(order):
        coverage.measure(number, cancellation)
    coverage.merge(cancellation)
    for number in reversed(order):
        coverage.trace(number, cancellation)
    return list(coverage.open_joiner(None).join(cancellation))


def check(values: np.ndarray, **options: object) -> list[Feature]:
    """Compare both, for pixels of a quarter of a square metre; return the features."""
    chosen = CoverageOptions(**options)
    one = list_features(cover_whole(values, chosen))
    with TemporaryDirectory() as folder:
        assert list_features(cover_parts(divide(values, chosen, Path(folder)))) == one
    return one


@st.composite
def rasters(draw: st.DrawFn) -> np.ndarray:
    """Rasters of several partitions: noise, or blots of some pixels; 0 is no data."""
    rows, cols, coarse = draw(st.integers(3, 30)), draw(st.integers(3, 30)), draw(st.sampled_from([1, 1, 3, 4]))
    rng, top = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.integers(1, 4))
    small = rng.integers(draw(st.integers(0, 1)), top + 1, (-(-rows // coarse), -(-cols // coarse))).astype(np.uint8)
    return cv2.resize(small, (cols, rows), interpolation=cv2.INTER_NEAREST).astype(np.uint16)


@settings(max_examples=40)
@given(
    rasters(),
    st.sampled_from([0.0, 1.0, 2.0, 10.0]),
    st.sampled_from([0.0, 0.3, 0.5, 1.5]),
    st.booleans(),
    st.integers(1, 12),
    st.sampled_from([None, frozenset({0, 1})]),
)
def test_random_rasters(values, minimum, tolerance, smooth, strip, classes) -> None:
    check(values, minimum_area=minimum, simplify=tolerance, smooth=smooth, strip=strip, classes=classes)


def draw_junction() -> np.ndarray:
    """Three regions meet on a border."""
    values = np.ones((16, 16), np.uint16)
    values[:, 8:] = 2
    values[5:, 8:] = 3
    return values


def draw_hole() -> np.ndarray:
    """A hole, with an island, lies in four partitions."""
    values = np.ones((16, 16), np.uint16)
    values[5:11, 4:13], values[7:9, 7:10] = 2, 3
    return values


def draw_river() -> np.ndarray:
    """One region winds through all partitions, along borders and over them."""
    values = np.ones((32, 32), np.uint16)
    values[::4, 1:-1] = 2
    values[:, 7] = np.where(np.arange(32) % 8 < 5, 2, 1)
    values[:, 24] = 2
    return values


def draw_pinch() -> np.ndarray:
    """Regions touch themselves at corners: where four partitions meet, and where two do."""
    values = np.ones((24, 24), np.uint16)
    values[4:8, 4:8] = values[8:12, 8:12] = 2
    values[2:4, 6:8] = values[4:6, 8:10] = 2
    values[14:16, 2:6] = values[16:18, 6:9] = 0
    return values


def draw_frame() -> np.ndarray:
    """A region around all partitions, whose middle is a hole without data."""
    values = np.ones((24, 24), np.uint16)
    values[1:-1, 1:-1] = 0
    values[8, 8] = values[15, 16] = 2
    return values


@pytest.mark.parametrize("draw", [draw_junction, draw_hole, draw_river, draw_pinch, draw_frame])
@pytest.mark.parametrize("smooth", [False, True])
def test_border_cases(draw, smooth) -> None:
    assert check(draw(), minimum_area=0.0, simplify=0.4, smooth=smooth, strip=5)


def test_small_regions_on_both_sides_of_a_border_are_one() -> None:
    """Six pixels in two partitions are a region of the minimum mapping unit; five of another are not."""
    values = np.ones((16, 16), np.uint16)
    values[3:5, 7:10] = 2
    values[12, 6:11] = 3
    features = check(values, minimum_area=1.5, simplify=0.0, smooth=False)
    assert sorted(feature[2] for feature in features) == [1, 2]


def test_merging_goes_on_across_borders() -> None:
    """A chain of small regions, each next to the next one, crosses a partition; no longer border is in sight of one."""
    values = np.full((8, 32), 9, np.uint16)
    values[:, 3:29] = np.repeat(np.arange(1, 14) % 7 + 1, 2)
    values[::2, 5:27] = 8
    check(values, minimum_area=4.0, simplify=0.0, smooth=False)


def test_of_equal_borders_the_first_region_of_the_raster_counts() -> None:
    """A pixel has two sides with each neighbour; which of them comes first is seen in other partitions only."""
    values = np.ones((24, 24), np.uint16)
    values[:, 12:] = 2
    values[0, :] = 2
    values[12, 11], values[12, 12] = 3, 3
    features = check(values, minimum_area=1.0, simplify=0.0, smooth=False)
    assert sorted(feature[2] for feature in features) == [1, 2]


def test_buildings_at_borders_keep_their_outlines() -> None:
    """Right angles are those of one run, except near the borders of partitions: buildings there have none and count."""
    values = np.ones((128, 128), np.uint16)
    for x, y in ((20, 20), (100, 30), (64, 50), (30, 100)):
        box = shapely.affinity.rotate(shapely.box(x - 9, y - 6, x + 9, y + 6), 25)
        cv2.fillPoly(values, [np.rint(shapely.get_coordinates(box)).astype(np.int32)], BUILDING)
    options, breaks = CoverageOptions(minimum_area=0.0), Breaks(32, 64)
    geodesy = PixelGeodesy("EPSG:32632", PLACE)
    whole = stream_coverage(
        ArrayCodes(values), geodesy, options, RunContext(), regularized=(BUILDING - 1,), breaks=breaks
    )
    one = list_features(list(whole))
    with TemporaryDirectory() as folder:
        coverage = divide(values, options, Path(folder), breaks=breaks, regularized=(BUILDING - 1,))
        cover_parts(coverage)
        joiner = coverage.open_joiner(None)
        batches = list(joiner.join(Cancellation()))
    parts = list_features(batches)
    assert joiner.kept_plain == 1
    assert len(parts) == len(one)
    # The one at the border, and the ground around all.
    assert len({feature[0] for feature in set(one) - set(parts)}) == 2
    geometry = np.concatenate([batch.geometry for batch in batches])
    assert shapely.coverage_is_valid(geometry)


def test_borders_on_the_frame_are_there_when_polygons_are_made(tmp_path) -> None:
    """Where the raster ends with a row of cells, its lowest borders are those of a cell below."""
    values = np.ones((128, 128), np.uint16)
    values[20:36, 90:110] = values[100:120, 90:110] = BUILDING
    values[80:, 10:30] = values[110:, 40:55] = 3
    options, breaks, regularized = CoverageOptions(minimum_area=0.0), Breaks(64, 64), (BUILDING - 1,)
    geodesy = PixelGeodesy("EPSG:32632", PLACE)
    whole = stream_coverage(ArrayCodes(values), geodesy, options, RunContext(), regularized=regularized, breaks=breaks)
    coverage = divide(values, options, tmp_path, breaks=breaks, regularized=regularized)
    assert list_features(cover_parts(coverage)) == list_features(list(whole))


def test_finished_partitions_are_not_made_again(tmp_path) -> None:
    values = draw_river()
    coverage = divide(values, CoverageOptions(minimum_area=0.0), tmp_path)
    one = list_features(cover_parts(coverage))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[0-9]*.polygons")}
    assert len(times) == 16
    damaged = sorted(times)[3]
    damaged.write_bytes(damaged.read_bytes()[:-30])
    assert list_features(cover_parts(coverage)) == one
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {damaged}


def test_a_missing_partition_is_named(tmp_path) -> None:
    coverage = divide(draw_river(), CoverageOptions(minimum_area=0.0), tmp_path)
    cover_parts(coverage)
    (tmp_path / "000005.polygons").unlink()
    with pytest.raises(SourceError, match=r"000005\.polygons is not a complete partition"):
        list(coverage.open_joiner(None).join(Cancellation()))
