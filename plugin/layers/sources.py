"""Get an image that the engine can read from a raster layer: its file, or one fetched from its provider."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsMultiBandColorRenderer,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QThread

from ..engine.errors import EngineError
from ..i18n import tr
from .fetch import FetchJob, FetchSummary, fetch_image
from .grid import make_tile_grid, measure_units_per_metre

#: GDAL's file systems of images on the network that the engine reads.
REMOTE = ("/vsicurl/http", "/vsis3/", "/vsigs/", "/vsiaz/")


@dataclass
class LayerSource:
    """The properties of a layer that a run needs; the layer itself may be removed during the run.

    Attributes:
        name: the layer's name, for messages only.
        path: the file that the engine can read; None where the image has to be fetched.
        provider: a clone for fetching; None where ``path`` is set.
        crs: the layer's CRS.
        extent: the layer's extent in its CRS.
        crs_differs: whether the user gave the layer another CRS than its file has.
        bands: see ``get_displayed_bands``.
        pixel: size of its pixels on the ground in m; 0 where it is not known.
        remote: GDAL's name of an image on the network that the engine could read itself; empty for others.
    """

    name: str
    path: Path | None
    provider: QgsRasterDataProvider | None
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    crs_differs: bool
    bands: tuple[int, ...] = ()
    pixel: float = 0.0
    remote: str = ""


@dataclass(frozen=True)
class FetchRequest:
    """How to fetch an image.

    Attributes:
        resolution: m per pixel on the ground.
        extent: rectangle in the layer's CRS; None for the whole layer.
        area: polygons in the layer's CRS; tiles outside are not fetched; None for all.
        folder: for the file.
    """

    resolution: float
    extent: QgsRectangle | None
    area: QgsGeometry | None
    folder: Path


def resolve_layer(layer: QgsRasterLayer) -> LayerSource:
    """Read the properties of ``layer`` that a run needs. Call it in the layer's own thread, before the run.

    Raises:
        EngineError: the layer cannot be used.
    """
    if not layer.isValid():
        text = tr("The layer {layer} cannot be read; its source may have moved.")
        raise EngineError(text.format(layer=layer.name()))
    provider = layer.dataProvider()
    path = get_local_file(layer)
    clone = None if path is not None else provider.clone()
    if clone is not None:
        clone.moveToThread(None)
    return LayerSource(
        name=layer.name(),
        path=path,
        provider=clone,
        crs=layer.crs(),
        extent=layer.extent(),
        crs_differs=layer.crs().isValid() and layer.crs() != provider.crs(),
        bands=get_displayed_bands(layer) if path is not None else (),
        pixel=measure_pixel(layer),
        remote=get_remote_name(layer),
    )


def measure_pixel(layer: QgsRasterLayer | None) -> float:
    """Measure the size of a file's pixels on the ground in m; 0 for services and where it is not known.

    Units are taken as metres where there is no CRS, as the engine does.
    """
    if layer is None or not layer.isValid() or layer.dataProvider().name() != "gdal":
        return 0.0
    units = (1.0, 1.0)
    if layer.crs().isValid():
        try:
            units = measure_units_per_metre(layer.crs().toWkt(), layer.extent())
        except ValueError:
            return 0.0
    return math.sqrt(layer.rasterUnitsPerPixelX() / units[0] * layer.rasterUnitsPerPixelY() / units[1])


def get_displayed_bands(layer: QgsRasterLayer) -> tuple[int, ...]:
    """Return the bands that the layer's style shows as red, green and blue; empty for other styles.

    Empty also for the first three in their order, which QGIS shows unless told otherwise: the engine then chooses by
    the names of the bands.
    """
    renderer = layer.renderer()
    if not isinstance(renderer, QgsMultiBandColorRenderer):
        return ()
    bands = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    return bands if all(band > 0 for band in bands) and bands != (1, 2, 3) else ()


def get_local_file(layer: QgsRasterLayer) -> Path | None:
    """Return the plain file of ``layer``; None where it is a service, an archive or a part of a file."""
    if layer.dataProvider().name() != "gdal":
        return None
    path = Path(layer.source())
    try:
        return path.absolute() if path.is_file() else None
    except OSError:  # not a path: too long, or with characters that paths cannot have
        return None


def get_remote_name(layer: QgsRasterLayer | None) -> str:
    """Return GDAL's name of an image on the network that the engine can read with --allow-remote; empty for others.

    Empty also where the user gave the layer another CRS, which the engine would not know.
    """
    if layer is None or not layer.isValid() or layer.dataProvider().name() != "gdal":
        return ""
    name = layer.source()
    has_own_crs = not layer.crs().isValid() or layer.crs() == layer.dataProvider().crs()
    return name if has_own_crs and name.startswith(REMOTE) else ""


def get_file_with_crs(source: LayerSource, folder: Path, name: str = "image.vrt") -> Path:
    """Return the file of ``source``; a VRT with the layer's CRS in ``folder`` where that differs from the file's.

    Args:
        source: a layer with a file.
        folder: for the VRT.
        name: of the VRT.

    Raises:
        EngineError: the file cannot be read.
    """
    assert source.path is not None
    if not source.crs_differs:
        return source.path
    target = folder / name
    made = gdal.Translate(str(target), str(source.path), format="VRT", outputSRS=source.crs.toWkt())
    if made is None:
        text = tr("The file {path} cannot be read: {reason}.")
        raise EngineError(text.format(path=source.path, reason=gdal.GetLastErrorMsg()), code="SourceError")
    made.FlushCache()
    return target


def fetch_layer(
    source: LayerSource,
    request: FetchRequest,
    is_cancelled: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> tuple[Path, FetchSummary]:
    """Fetch the image of ``source`` into ``request.folder``. Blocks; call it in the run's thread.

    Args:
        source: a layer without a file.
        request: how to fetch it.
        is_cancelled: asked ten times a second.
        on_progress: called with a share of 0..1.

    Returns:
        The file, and how much of it came.

    Raises:
        EngineError: nothing came, or the layer has no CRS or scale there.
        EngineCancelledError: the run was cancelled.
    """
    assert source.provider is not None
    box = source.extent if request.extent is None else source.extent.intersect(request.extent)
    if box.isEmpty() or not box.isFinite():
        text = tr("The area lies outside of the layer {layer}.")
        raise EngineError(text.format(layer=source.name), tr("Choose another area."))
    if not source.crs.isValid():
        text, hint = tr("The layer {layer} has no CRS."), tr("Set it in the layer's properties.")
        raise EngineError(text.format(layer=source.name), hint)
    try:
        unit_x, unit_y = measure_units_per_metre(source.crs.toWkt(), box)
    except ValueError as error:
        text = tr("The layer {layer} has no scale in this area.")
        raise EngineError(text.format(layer=source.name), tr("Choose a smaller area.")) from error
    grid = make_tile_grid(box, request.resolution * unit_x, request.resolution * unit_y)
    target = request.folder / "image.tif"
    source.provider.moveToThread(QThread.currentThread())
    try:
        job = FetchJob(source.provider, source.name, source.crs, grid, request.area, target)
        return target, fetch_image(job, _CancelFeedback(is_cancelled), is_cancelled, on_progress)
    finally:
        source.provider.moveToThread(None)


class _CancelFeedback(QgsRasterBlockFeedback):
    """Cancels the request of a provider that waits for the network when the run is cancelled."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self._is_cancelled = is_cancelled
        self._timer = self.startTimer(100)

    def timerEvent(self, _event: object) -> None:  # noqa: N802 (Qt's name)
        """Ask, ten times a second while the provider's own event loop runs."""
        if self._is_cancelled():
            self.cancel()
