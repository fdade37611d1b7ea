"""Rasters for the vector tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

#: One metre, south of the origin of Massachusetts' state plane.
METRE = Affine(1.0, 0.0, 200_000.0, 0.0, -1.0, 900_000.0)


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array as a GeoTIFF and gives its path."""

    def write(
        values: np.ndarray,
        name: str = "raster.tif",
        crs: str | None = "EPSG:26986",
        transform: Affine = METRE,
        scale: float | None = None,
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=values.shape[0],
            width=values.shape[1],
            count=1,
            dtype=values.dtype,
            crs=crs,
            transform=transform,
            **options,
        ) as dataset:
            dataset.write(values, 1)
            if scale is not None:
                dataset.scales = (scale,)
        return path

    return write
