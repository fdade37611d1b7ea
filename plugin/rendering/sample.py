"""A small probability raster for trying the engine."""

from __future__ import annotations

from pathlib import Path

from osgeo import gdal, osr

_EDGE = 400
_HALF_ROAD = 5
#: Levels of the engine's probability rasters.
_LOW, _HIGH = 5, 245


def write_cross(path: Path) -> Path:
    """Write two roads that cross, 400 m long at 1 m per pixel, as a probability raster to ``path``."""
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), _EDGE, _EDGE, 1, gdal.GDT_Byte)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32632)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((500_000.0, 1.0, 0.0, 5_000_000.0, 0.0, -1.0))
    middle = range(_EDGE // 2 - _HALF_ROAD, _EDGE // 2 + _HALF_ROAD)
    rows = (
        bytes(_HIGH if row in middle or column in middle else _LOW for column in range(_EDGE)) for row in range(_EDGE)
    )
    band = dataset.GetRasterBand(1)
    band.SetScale(1 / 250)
    band.WriteRaster(0, 0, _EDGE, _EDGE, b"".join(rows))
    dataset.FlushCache()
    return path
