"""The two passes from a class raster to measured polygons in the CRS of the raster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from ..ground import Ground, MetricGrid
from .polygons import Polygons, stream_polygons
from .regions import CodeReader, Regions, find_regions, leave_out, merge_units

Floats = NDArray[np.float64]


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
    """

    geometry: NDArray[np.object_]
    region: NDArray[np.int32]
    code: NDArray[np.uint16]
    area: Floats
    perimeter: Floats
    confidence: Floats


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
    ground: Ground,
    *,
    minimum: Floats,
    wanted: NDArray[np.bool_],
    smooth: bool,
    simplify: float,
    strip: int,
    check: Callable[[int, int], None],
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
    """
    rows = reader.shape[0]
    regions, labelling, borders = find_regions(
        reader, strip, float(minimum.max(initial=0.0)), lambda done: check(done, 2 * rows)
    )
    regions, labelling = merge_units(regions, labelling, borders, minimum)
    labelling = leave_out(regions, labelling, wanted)
    grid = ground.metric_grid(reader.shape)
    for polygons in stream_polygons(
        reader, regions, labelling, smooth=smooth, tolerance=simplify, check=lambda done: check(rows + done, 2 * rows)
    ):
        yield _measured(polygons, regions, ground, grid)


def _measured(polygons: Polygons, regions: Regions, ground: Ground, grid: MetricGrid) -> CoveragePart:
    pixel = polygons.points * 0.5
    area, length = grid.rings(pixel, polygons.ring_start)
    # Shells and holes run in opposite directions, so that the sum of signed areas is the polygon's.
    first = polygons.first_ring[:-1]
    region = polygons.region
    return CoveragePart(
        geometry=shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, ground.world(pixel), (polygons.ring_start, polygons.first_ring)
        ),
        region=region,
        code=regions.code[region],
        area=np.abs(np.add.reduceat(area, first)),
        perimeter=np.add.reduceat(length, first),
        confidence=regions.confidence[region] / regions.area[region],
    )
