"""The two passes from a class raster to measured polygons in the CRS of the raster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geodesy import PixelGeodesy
from .kernels.rings import place_points
from .polygons import Polygons, stream_polygons
from .regions import CodeReader, Regions, find_regions, leave_out, merge_units

Floats = NDArray[np.float64]

#: Polygons and points of a batch that is to be written at once.
_BATCH, _BATCH_POINTS = 20_000, 1_000_000


@dataclass(frozen=True)
class CoveragePart:
    """Some polygons of a coverage.

    Attributes:
        geometry: Polygons in the CRS of the raster.
        region: int32 (n,), number of each region; its order is that of the regions' first pixels.
        code: uint16 (n,), class code.
        area: float64 (n,), square metres on the ellipsoid.
        perimeter: float64 (n,), metres on the ellipsoid, holes included.
        confidence: float64 (n,), mean over the region's pixels, in the units of the reader.
        points: number of vertices.
    """

    geometry: NDArray[np.object_]
    region: NDArray[np.int32]
    code: NDArray[np.uint16]
    area: Floats
    perimeter: Floats
    confidence: Floats
    points: int = 0


NO_PART = CoveragePart(
    np.zeros(0, object),
    np.zeros(0, np.int32),
    np.zeros(0, np.uint16),
    np.zeros(0),
    np.zeros(0),
    np.zeros(0),
)


def build_coverage(
    reader: CodeReader,
    ground: PixelGeodesy,
    *,
    minimum: Floats,
    wanted: NDArray[np.bool_],
    smooth: bool,
    simplify: float,
    strip: int,
    check: Callable[[int, int], None],
    scratch: Path | None = None,
) -> Iterator[CoveragePart]:
    """Make a coverage of a class raster.

    Args:
        reader: gives the rows of class codes.
        ground: where pixels lie.
        minimum: pixels that a region of each code needs to stay (minimum mapping unit); 0 for one that always stays.
        wanted: bool by code: regions of the other codes get no polygon, but small ones are merged all the same.
        smooth: cut lines at the corners of pixels.
        simplify: tolerance in pixels; 0 drops no vertex.
        strip: rows worked on at a time.
        check: called with the rows done and to be done, of both passes together.
        scratch: folder for what does not fit in memory; None for the system's folder for temporary files.
    """
    rows = reader.shape[0]
    regions, labelling, borders = find_regions(
        reader, strip, float(minimum.max(initial=0.0)), lambda done: check(done, 2 * rows)
    )
    regions, labelling = merge_units(regions, labelling, borders, minimum)
    del borders
    labelling = leave_out(regions, labelling, wanted)
    for polygons in stream_polygons(
        reader,
        regions,
        labelling,
        ground.make_grid(reader.shape),
        smooth=smooth,
        tolerance=simplify,
        scratch=scratch,
        check=lambda done: check(rows + done, 2 * rows),
    ):
        yield _placed(polygons, regions, ground)


def _placed(polygons: Polygons, regions: Regions, ground: PixelGeodesy) -> CoveragePart:
    """Polygons in half pixels as polygons in the CRS, with what is known of their regions."""
    t, region = ground.transform, polygons.region
    world = place_points(polygons.points, 0.5, t.a, t.b, t.c, t.d, t.e, t.f)
    return CoveragePart(
        geometry=shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, world, (polygons.ring_start, polygons.first_ring)
        ),
        region=region,
        code=regions.code[region],
        area=polygons.area,
        perimeter=polygons.perimeter,
        confidence=regions.confidence[region] / regions.area[region],
        points=len(world),
    )


def in_batches(parts: Iterable[CoveragePart]) -> Iterator[CoveragePart]:
    """Parts of a coverage put together to batches; one at least, so that a layer is there in any case."""
    waiting: list[CoveragePart] = []
    polygons = points = 0
    yielded = False
    for part in parts:
        waiting.append(part)
        polygons, points = polygons + len(part.region), points + part.points
        if polygons >= _BATCH or points >= _BATCH_POINTS:
            yield _concatenate(waiting)
            waiting, yielded = [], True
            polygons = points = 0
    if waiting or not yielded:
        yield _concatenate(waiting or [NO_PART])


def _concatenate(parts: list[CoveragePart]) -> CoveragePart:
    if len(parts) == 1:
        return parts[0]
    return CoveragePart(
        np.concatenate([part.geometry for part in parts]),
        np.concatenate([part.region for part in parts]),
        np.concatenate([part.code for part in parts]),
        np.concatenate([part.area for part in parts]),
        np.concatenate([part.perimeter for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        sum(part.points for part in parts),
    )
