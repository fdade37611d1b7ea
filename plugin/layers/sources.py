"""Raster layers as images of the engine: their properties and files, and what the engine is given as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMultiBandColorRenderer,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRectangle,
)

from ..engine.errors import EngineError
from ..i18n import tr
from .grid import measure_units_per_metre

#: GDAL's file systems of images on the network that the engine reads.
REMOTE = ("/vsicurl/http", "/vsis3/", "/vsigs/", "/vsiaz/")
#: More images than this are named in a file, because a command line is limited in length.
_MAX_ARGUMENTS = 100


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
        crs_differs=has_other_crs(layer),
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


def require_local_file(layer: QgsRasterLayer) -> Path:
    """Return the plain file of ``layer``.

    Raises:
        EngineError: it has none, see ``get_local_file``.
    """
    path = get_local_file(layer)
    if path is None:
        text = tr("{layer} is not a raster file; save it as one first.")
        raise EngineError(text.format(layer=layer.name()))
    return path


def get_remote_name(layer: QgsRasterLayer) -> str:
    """Return GDAL's name of an image on the network that the engine can read with --allow-remote; empty for others.

    Empty also where the user gave the layer another CRS, which the engine would not know.
    """
    if layer.dataProvider().name() != "gdal" or has_other_crs(layer):
        return ""
    return layer.source() if layer.source().startswith(REMOTE) else ""


def has_other_crs(layer: QgsRasterLayer) -> bool:
    """Whether the user gave ``layer`` another CRS than its source has."""
    return layer.crs().isValid() and layer.crs() != layer.dataProvider().crs()


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


def name_images(sources: Sequence[LayerSource], folder: Path | None, scratch: Path, *, allow_remote: bool) -> list[str]:
    """Return what the engine is given as images.

    Args:
        sources: the layers, from the top.
        folder: a folder of further images; None for none.
        scratch: a private folder.
        allow_remote: whether the engine may read images on the network.

    Raises:
        EngineError: a layer is no file that the engine can read.
    """
    images = [
        _name_image(source, scratch, f"image{number}.vrt", allow_remote=allow_remote)
        for number, source in enumerate(sources)
    ]
    if folder:
        images.append(str(folder))
    if len(images) <= _MAX_ARGUMENTS:
        return images
    listed = scratch / "images.txt"
    listed.write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    return [str(listed)]


def _name_image(source: LayerSource, scratch: Path, name: str, *, allow_remote: bool) -> str:
    if source.path is not None:
        return str(get_file_with_crs(source, scratch, name))
    if source.remote and allow_remote:
        return source.remote
    if source.remote:
        hint = tr('Choose "Read images from the network", or save the layer as a file first.')
        raise EngineError(tr("The layer {layer} is on the network.").format(layer=source.name), hint)
    hint = tr("A mosaic needs files; save the layer as one first.")
    raise EngineError(tr("{layer} is not a raster file.").format(layer=source.name), hint)
