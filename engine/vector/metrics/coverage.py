"""How good a coverage is: gaps, overlaps, validity, agreement with its raster."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize


@dataclass(frozen=True)
class CoverageScores:
    """Checks of a coverage.

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

    def figures(self) -> dict[str, float | int | str | None]:
        """The scores for the result event."""
        return asdict(self)


def check_coverage(polygons: NDArray[np.object_], *, holes: bool = True) -> CoverageScores:
    """Check polygons for being a coverage.

    Args:
        polygons: Polygons or MultiPolygons.
        holes: whether holes in the union count as gaps (not where nodata is left out on purpose).
    """
    valid = shapely.is_valid(polygons)
    whole = np.where(valid, polygons, shapely.make_valid(polygons))
    area = float(shapely.area(whole).sum())
    union = shapely.union_all(whole)
    gaps = 0.0
    if holes:
        for part in shapely.get_parts(union):
            gaps += float(shapely.area(shapely.polygons(shapely.get_exterior_ring(part))) - shapely.area(part))
    return CoverageScores(
        polygons=len(polygons),
        invalid=int((~valid).sum()),
        is_coverage=bool(valid.all() and shapely.coverage_is_valid(polygons)),
        overlap_area=max(0.0, area - float(shapely.area(union))),
        gap_area=gaps,
        area=area,
    )


def raster_agreement(
    polygons: NDArray[np.object_], ids: NDArray[np.int64], classes: NDArray[np.int64], transform: Affine, nodata: int
) -> float:
    """The share of known pixels that get their own class when the polygons are drawn again.

    Args:
        polygons: Polygons in the CRS of the raster.
        ids: class of each.
        classes: the raster (rows, columns).
        transform: of the raster.
        nodata: value of pixels that do not count.
    """
    known = classes != nodata
    if not known.any():
        return 1.0
    drawn = np.full(classes.shape, nodata, np.int32)
    if len(polygons):
        drawn = rasterize(
            zip(polygons.tolist(), ids.tolist(), strict=True),
            classes.shape,
            fill=nodata,
            transform=transform,
            dtype="int32",
        )
    return float((drawn == classes)[known].mean())


def area_drift(
    polygons: NDArray[np.object_], ids: NDArray[np.int64], classes: NDArray[np.int64], pixel_area: float
) -> dict[int, float]:
    """By class, how much larger the polygons are than the pixels, as a share of the pixels' area."""
    area = shapely.area(polygons)
    drift = {}
    for key in np.unique(ids).tolist():
        pixels = float((classes == key).sum()) * pixel_area
        drift[int(key)] = (float(area[ids == key].sum()) - pixels) / pixels if pixels else float("inf")
    return drift
