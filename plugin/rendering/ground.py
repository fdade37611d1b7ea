"""How many units of a CRS are a metre on the ground."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsDistanceArea,
    QgsPointXY,
    QgsRectangle,
)


def units_per_metre(
    crs: QgsCoordinateReferenceSystem, extent: QgsRectangle, context: QgsCoordinateTransformContext
) -> tuple[float, float]:
    """Units of ``crs`` per true metre along x and y at the middle of ``extent``.

    Web Mercator's units are 0.77 m at 40 degrees north, and a degree is no length at all; so distances are
    measured on the ellipsoid.

    Raises:
        ValueError: the extent lies where the CRS has no scale.
    """
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, context)
    measure.setEllipsoid(crs.ellipsoidAcronym() or "EPSG:7030")
    middle = extent.center()
    step = max(extent.width(), extent.height()) / 1000 or 1e-6
    lengths = (
        measure.measureLine(middle, QgsPointXY(middle.x() + step, middle.y())),
        measure.measureLine(middle, QgsPointXY(middle.x(), middle.y() + step)),
    )
    if not all(0 < length < 1e9 for length in lengths):
        raise ValueError("no scale")
    return step / lengths[0], step / lengths[1]
