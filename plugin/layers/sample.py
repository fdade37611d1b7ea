"""A small probability raster for trying the engine: roads that cross, a gap, a ring, a place, a dead end, a hole."""

from __future__ import annotations

from pathlib import Path

from osgeo import gdal, osr

_EDGE = 400
_HALF_ROAD = 5
#: Levels of the engine's probability rasters.
_LOW, _HIGH = 5, 245


def write_sample(path: Path) -> Path:
    """Write roads of 10 m at 1 m per pixel as a probability raster to ``path``, one of each difficulty."""
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), _EDGE, _EDGE, 1, gdal.GDT_Byte)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32632)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((500_000.0, 1.0, 0.0, 5_000_000.0, 0.0, -1.0))
    pixels = bytes(_HIGH if is_road(column, row) else _LOW for row in range(_EDGE) for column in range(_EDGE))
    band = dataset.GetRasterBand(1)
    band.SetScale(1 / 250)
    band.WriteRaster(0, 0, _EDGE, _EDGE, pixels)
    dataset.FlushCache()
    return path


def is_road(column: int, row: int) -> bool:
    """Whether the sample's pixel is road."""
    along = abs(row - 200) < _HALF_ROAD and not 60 <= column < 85  # with a gap
    across = abs(column - 200) < _HALF_ROAD
    ring = abs(((column - 300) ** 2 + (row - 200) ** 2) ** 0.5 - 40) < _HALF_ROAD
    place = 80 <= column < 140 and 300 <= row < 360
    to_place = abs(row - 330) < _HALF_ROAD and 100 <= column <= 200
    dead_end = abs(row - 80) < _HALF_ROAD and 200 <= column < 330
    hole = 196 <= column < 203 and 100 <= row < 108
    return (along or across or ring or place or to_place or dead_end) and not hole
