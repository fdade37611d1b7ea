"""Rasters and timers for the benchmark of vectors."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from affine import Affine
from networks import KINDS, draw, make_roads
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from terraspore.engine.context import RunContext

METRE = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_600_000.0)
CRS = "EPSG:32618"
QUIET = RunContext()
Result = TypeVar("Result")


@dataclass(frozen=True)
class Taken:
    """Wall time and processor time in seconds."""

    seconds: float
    cpu: float


def timed(function: Callable[[], Result], times: int = 1) -> tuple[Taken, Result]:
    """Return the shortest time of ``function`` in ``times`` attempts, and its last result."""
    attempts = []
    for _ in range(times):
        begin, cpu = time.perf_counter(), time.process_time()
        result = function()
        attempts.append(Taken(time.perf_counter() - begin, time.process_time() - cpu))
    return Taken(min(taken.seconds for taken in attempts), min(taken.cpu for taken in attempts)), result


def gdal_polygonize(raster: Path, output: Path) -> Taken | None:
    """Measure gdal_polygonize; return None if it is not installed."""
    command = shutil.which("gdal_polygonize.py") or shutil.which("gdal_polygonize")
    if command is None:
        return None
    output.unlink(missing_ok=True)
    begin, before = time.perf_counter(), os.times()
    subprocess.run([command, "-q", str(raster), str(output)], check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Taken(time.perf_counter() - begin, cpu)


def classes(size: int, sigma: float) -> NDArray[np.uint8]:
    """Return a raster of five classes, the largest of five fields of smoothed noise."""
    rng = np.random.default_rng(7)
    fields = [gaussian_filter(rng.standard_normal((size, size), np.float32), sigma) for _ in range(5)]
    return np.asarray(np.argmax(fields, axis=0) + 1, np.uint8)


def road_block() -> NDArray[np.uint8]:
    """Return a mask of 2,000 x 2,000 pixels with networks of all kinds, to be repeated."""
    kinds = [draw(make_roads(kind, 40 + number, 1000)) for number, kind in enumerate(KINDS)]
    return np.vstack((np.hstack(kinds[:2]), np.hstack(kinds[2:])))


def repeated(block: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Repeat a block over a square."""
    times = -(-size // len(block))
    return np.tile(block, (times, times))[:size, :size]


def write(path: Path, values: NDArray[Any], scale: float | None = None) -> Path:
    """Write a band as a tiled GeoTIFF with pixels of one metre."""
    with rasterio.open(path, "w", **_profile(values.shape, values.dtype)) as dataset:
        dataset.write(values, 1)
        if scale is not None:
            dataset.scales = (scale,)
    return path


def write_repeated(path: Path, block: NDArray[np.uint8], size: int, height: int | None = None) -> Path:
    """Write a block repeated over ``size`` columns and ``height`` rows (a square unless given), some rows at a time."""
    times, height = -(-size // block.shape[1]), height or size
    with rasterio.open(path, "w", **_profile((height, size), block.dtype)) as dataset:
        for row in range(0, height, 512):
            rows = np.arange(row, min(row + 512, height)) % len(block)
            window = rasterio.windows.Window(0, row, size, len(rows))
            dataset.write(np.tile(block[rows], (1, times))[:, :size], 1, window=window)
    return path


def _profile(shape_: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "height": shape_[0],
        "width": shape_[1],
        "count": 1,
        "dtype": dtype,
        "crs": CRS,
        "transform": METRE,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
