"""Polygons that limit a run: merged from features, and written to a file for the engine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeature,
    QgsFields,
    QgsGeometry,
    QgsWkbTypes,
)

from ...engine.fs.rename import rename
from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.geopackage import make_geopackage_writer

#: How long areas are kept for runs that may be resumed.
_MAX_AGE_SECONDS = 30 * 24 * 3600


def merge_polygons(features: Iterable[QgsFeature], transform: QgsCoordinateTransform) -> QgsGeometry:
    """Merge the features' polygons in the target CRS of ``transform``.

    Raises:
        EngineError: there are none, or they cannot be transformed.
    """
    polygons = []
    for feature in features:
        geometry = QgsGeometry(feature.geometry())
        if geometry.isNull() or geometry.isEmpty():
            continue
        try:
            geometry.transform(transform)
        except QgsCsException as error:
            raise EngineError(
                tr("The polygons cannot be transformed to the image's CRS."), tr("Choose others.")
            ) from error
        polygons.append(geometry.makeValid())
    union = QgsGeometry.unaryUnion(polygons) if polygons else QgsGeometry()
    if union.isNull() or union.isEmpty():
        raise EngineError(
            tr("There is no polygon that limits the area."), tr("Select polygons, or choose another area.")
        )
    return union


def store_area(
    area: QgsGeometry, crs: QgsCoordinateReferenceSystem, folder: Path, transforms: QgsCoordinateTransformContext
) -> Path:
    """Write ``area`` into ``folder`` under a name made of its content, unless it exists; return the file.

    A run can only be resumed with unchanged files, so the same polygons must be the same file.

    Raises:
        EngineError: it cannot be written.
    """
    digest = hashlib.sha256(bytes(area.asWkb()) + crs.toWkt().encode()).hexdigest()[:32]
    target = folder / f"{digest}.gpkg"
    if target.is_file():
        return target
    partial = folder / f".{digest}.{os.getpid()}.gpkg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.gpkg"):
            with contextlib.suppress(OSError):  # another run has it open
                if time.time() - old.stat().st_mtime > _MAX_AGE_SECONDS:
                    old.unlink()
        area.convertToMultiType()
        writer = make_geopackage_writer(
            partial, "area", QgsFields(), QgsWkbTypes.Type.MultiPolygon, crs=crs, transforms=transforms
        )
        feature = QgsFeature()
        feature.setGeometry(area)
        written = writer.addFeature(feature) and writer.flushBuffer()
        reason = writer.errorMessage()
        del writer  # closes the file
        if not written:
            raise _make_write_error(target, reason)
        rename(partial, target)
    except OSError as error:
        raise _make_write_error(target, error.strerror) from error
    return target


def _make_write_error(target: Path, reason: str | None) -> EngineError:
    text = tr("The area could not be written to {path}: {reason}.")
    return EngineError(text.format(path=target, reason=reason), code="OutputError")
