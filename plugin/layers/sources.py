"""From a raster layer to an image that the engine reads: the file itself, or one fetched from the layer's provider."""

from __future__ import annotations

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
from .render import Job, Rendered, render
from .tile_grid import Box, make_lattice
from .units import units_per_metre


@dataclass
class LayerSource:
    """What is known of a layer after ``resolve_layer``, without the layer: it may be removed meanwhile.

    Attributes:
        name: the layer's name, for messages only.
        path: the file that the engine can read itself; None where it has to be fetched.
        provider: a clone for fetching; None where ``path`` is set.
        crs: the layer's CRS.
        extent: the layer's extent in its CRS.
        crs_differs: whether the person gave the layer another CRS than the file says.
        bands: the bands that the layer's style shows as red, green and blue; empty where it shows no such three.
    """

    name: str
    path: Path | None
    provider: QgsRasterDataProvider | None
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    crs_differs: bool
    bands: tuple[int, ...] = ()


@dataclass(frozen=True)
class FetchRequest:
    """How to fetch an image: resolution in m per pixel, area in the layer's CRS, folder for the file."""

    resolution: float
    extent: QgsRectangle | None
    area: QgsGeometry | None
    folder: Path


def resolve_layer(layer: QgsRasterLayer) -> LayerSource:
    """Take from ``layer`` what a run needs. Called in the layer's own thread, before the run.

    Raises:
        EngineError: the layer cannot be used.
    """
    if not layer.isValid():
        raise EngineError(f"The layer {layer.name()} cannot be read; its source may have moved.")
    provider = layer.dataProvider()
    path = local_file(layer)
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
        bands=shown_bands(layer) if path is not None else (),
    )


def shown_bands(layer: QgsRasterLayer) -> tuple[int, ...]:
    """The bands that the layer's style shows as red, green and blue; empty where it shows no such three."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsMultiBandColorRenderer):
        return ()
    bands = (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    return bands if all(band > 0 for band in bands) else ()


def local_file(layer: QgsRasterLayer) -> Path | None:
    """The plain file that ``layer`` shows, or None where it is a service, an archive or a part of a file."""
    if layer.dataProvider().name() != "gdal":
        return None
    path = Path(layer.source())
    try:
        return path.absolute() if path.is_file() else None
    except OSError:  # no path at all: too long, or with characters that paths cannot have
        return None


def with_crs(source: LayerSource, folder: Path) -> Path:
    """The file of ``source``; a small VRT around it where the person gave the layer another CRS."""
    assert source.path is not None
    if not source.crs_differs:
        return source.path
    target = folder / "image.vrt"
    made = gdal.Translate(str(target), str(source.path), format="VRT", outputSRS=source.crs.toWkt())
    if made is None:
        raise EngineError(f"The file {source.path} cannot be read: {gdal.GetLastErrorMsg()}.", code="SourceError")
    made.FlushCache()
    return target


def fetch(
    source: LayerSource, request: FetchRequest, cancelled: Callable[[], bool], progress: Callable[[float], None]
) -> tuple[Path, Rendered]:
    """Fetch the image of ``source`` into ``request.folder``. Blocks; called in the run's thread.

    Returns:
        The file, and how much of it came.

    Raises:
        EngineError: nothing came, or the layer has no CRS or scale there.
        EngineCancelledError: ``cancelled`` said so.
    """
    assert source.provider is not None
    box = source.extent if request.extent is None else source.extent.intersect(request.extent)
    if box.isEmpty() or not box.isFinite():
        raise EngineError(f"The area lies outside of the layer {source.name}.", "Choose another area.")
    if not source.crs.isValid():
        raise EngineError(f"The layer {source.name} has no CRS.", "Set it in the layer's properties.")
    area = Box(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
    try:
        unit_x, unit_y = units_per_metre(source.crs.toWkt(), area)
    except ValueError as error:
        raise EngineError(f"The layer {source.name} has no scale in this area.", "Choose a smaller area.") from error
    lattice = make_lattice(area, request.resolution * unit_x, request.resolution * unit_y)
    target = request.folder / "image.tif"
    source.provider.moveToThread(QThread.currentThread())
    try:
        feedback = _CancelFeedback(cancelled)
        job = Job(source.provider, source.name, source.crs, lattice, request.area, target)
        return target, render(job, feedback, cancelled, progress)
    finally:
        source.provider.moveToThread(None)


class _CancelFeedback(QgsRasterBlockFeedback):
    """Tells a provider that waits for the network of the person's cancel."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self._cancelled = cancelled
        self._timer = self.startTimer(100)

    def timerEvent(self, _event: object) -> None:  # noqa: N802 (Qt's name)
        """Ask, ten times a second while the provider's own event loop runs."""
        if self._cancelled():
            self.cancel()
