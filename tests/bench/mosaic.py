"""Large rasters for benchmarks, made by repeating a small one in mirrored copies, so that there are no seams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

BLOCK = 512


def synthetic_scene(size: int, seed: int) -> NDArray[np.uint8]:
    """Return a synthetic RGB scene (3, size, size) of smooth fields with bright straight roads."""
    import cv2

    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (size // 8, size // 8, 3)).astype(np.float32)
    fields = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 6), (size, size), interpolation=cv2.INTER_CUBIC)
    scene = np.clip(105 + fields * 220 + random.normal(0, 6, fields.shape), 0, 255).astype(np.uint8)
    for _ in range(size // 60):
        start, end = random.integers(0, size, (2, 2))
        cv2.line(scene, start.tolist(), end.tolist(), (176, 172, 168), int(random.integers(6, 12)), cv2.LINE_AA)
    return np.ascontiguousarray(scene.transpose(2, 0, 1))


def write_mosaic(path: Path, size: tuple[int, int], tile: NDArray[np.uint8]) -> None:
    """Write a tiled, compressed GeoTIFF of ``size`` (height, width) that repeats ``tile`` (bands, h, w), at 1 m."""
    height, width = size
    cell = np.concatenate([tile, tile[:, :, ::-1]], axis=2)
    cell = np.concatenate([cell, cell[:, ::-1]], axis=1)
    repeated = np.tile(cell, (1, 1, -(-width // cell.shape[2])))[:, :, :width]
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": tile.shape[0], "dtype": "uint8",
        "crs": "EPSG:26986", "transform": rasterio.transform.from_origin(200_000, 900_000, 1, 1),
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1,
        "num_threads": 2, "bigtiff": "if_safer", "photometric": "rgb" if tile.shape[0] == 3 else "minisblack",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        for row in range(0, height, BLOCK):
            rows = min(BLOCK, height - row)
            take = np.arange(row, row + rows) % cell.shape[1]
            target.write(repeated[:, take], window=Window(0, row, width, rows))
