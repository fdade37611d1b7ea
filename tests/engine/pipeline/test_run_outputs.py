"""The free space that a run needs at its start."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest
from affine import Affine
from rasterio.crs import CRS
from terraspore.engine.errors import DiskFullError
from terraspore.engine.pipeline.run_outputs import check_disk_space
from terraspore.engine.raster.grid import Grid

GRID = Grid(CRS.from_epsg(32618), Affine(1, 0, 500_000, 0, -1, 4_649_776), 10_000, 10_000, 1.0)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def set_free(monkeypatch):
    """Set the free bytes of all disks."""

    def set_free(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))

    return set_free


@pytest.mark.parametrize(
    ("spooled", "rasters", "needed"),
    [(1, 0, 102_000_000), (0, 0, 2_000_000), (0, 1, 4_000_000), (1, 1, 104_000_000)],
)
def test_rows_take_a_byte_per_pixel_and_compressed_files_a_fiftieth(tmp_path, set_free, spooled, rasters, needed):
    bands = {tmp_path / "p.tif": 1} if rasters else {}
    set_free(needed)
    check_disk_space(GRID, bands, tmp_path / "r.gpkg", spooled)
    set_free(needed - 1)
    with pytest.raises(DiskFullError, match="MB free"):
        check_disk_space(GRID, bands, tmp_path / "r.gpkg", spooled)
