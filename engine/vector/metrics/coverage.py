"""Quality of a coverage: validity, gaps, overlaps, agreement with its raster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from ..arrays import Ints

Polygons = NDArray[np.object_]


@dataclass(frozen=True)
class CoverageScores:
    """Validity of a coverage.

    Attributes:
        polygons: number of polygons.
        invalid: polygons that are not valid by themselves (OGC Simple Features).
        is_coverage: whether neighbours share exactly the same vertices along common borders and nothing overlaps.
        overlap_area: area that is covered more than once, in the CRS's square units.
        gap_area: area of the holes in the union that no polygon covers, in the CRS's square units.
        area: sum of the areas, in the CRS's square units.
    """

    polygons: int
    invalid: int
    is_coverage: bool
    overlap_area: float
    gap_area: float
    area: float


def score_coverage(polygons: Polygons, *, count_holes: bool = True) -> CoverageScores:
    """Check whether polygons form a coverage.

    Args:
        polygons: Polygons or MultiPolygons.
        count_holes: whether holes in the union are gaps; False where nodata was left out on purpose.
    """
    is_valid = shapely.is_valid(polygons)
    valid = np.where(is_valid, polygons, shapely.make_valid(polygons))
    area = float(shapely.area(valid).sum())
    union = shapely.union_all(valid)
    gap_area = 0.0
    if count_holes:
        for part in shapely.get_parts(union):
            gap_area += float(shapely.area(shapely.polygons(shapely.get_exterior_ring(part))) - shapely.area(part))
    return CoverageScores(
        polygons=len(polygons),
        invalid=int((~is_valid).sum()),
        is_coverage=bool(is_valid.all() and shapely.coverage_is_valid(polygons)),
        overlap_area=max(0.0, area - float(shapely.area(union))),
        gap_area=gap_area,
        area=area,
    )


def raster_agreement(polygons: Polygons, ids: Ints, classes: Ints, transform: Affine, nodata: int) -> float:
    """Share of the valid pixels that keep their class when the polygons are rasterized again, 0 to 1.

    Args:
        polygons: Polygons in the CRS of the raster.
        ids: class id of each polygon.
        classes: class ids of the raster, (rows, columns).
        transform: of the raster.
        nodata: value of pixels that do not count.
    """
    is_valid = classes != nodata
    if not is_valid.any():
        return 1.0
    rasterized = np.full(classes.shape, nodata, np.int32)
    if len(polygons):
        rasterized = rasterize(
            zip(polygons.tolist(), ids.tolist(), strict=True),
            classes.shape,
            fill=nodata,
            transform=transform,
            dtype="int32",
        )
    return float((rasterized == classes)[is_valid].mean())
