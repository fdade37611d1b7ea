"""Read the rasters to compare: windows of both on the same grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...errors import SourceError
from ...raster.dataset import open_raster
from ...raster.probability import PROBABILITY_SCALE, open_probability_raster
from ..arrays import Ints

RasterPairs = Iterator[tuple[Ints, Ints]]

#: Rows of rasters that are compared at a time.
_ROWS = 512
#: Class id of pixels without a valid value.
NO_CLASS = -1


def read_raster_pairs(result: Path, truth: Path, threshold: float | None) -> tuple[RasterPairs, tuple[int, ...]]:
    """Open two rasters of the same size for ``score_rasters``.

    Args:
        result: raster of classes or probabilities.
        truth: raster of classes or a mask.
        threshold: probability from which a pixel of the result is road, where both are masks; None for classes.

    Returns:
        Windows of both rasters, read as they are asked for (int64 class ids, -1 without a valid value; or 0 and 1);
        the class ids of the truth.

    Raises:
        SourceError: a raster cannot be read, or their sizes differ.
    """
    with open_raster(result) as a, open_raster(truth) as b:
        shape = b.shape
        if a.shape != shape:
            raise SourceError(
                f"{result.name} has {a.width} x {a.height} pixels, but {truth.name} has {b.width} x {b.height}.",
                "Give rasters of the same size.",
            )
    if threshold is not None:
        return _read_masks(result, truth, threshold), (0, 1)
    ids: set[int] = set()
    for _, classes in _read_class_pairs(result, truth):
        ids |= set(np.unique(classes).tolist())
    ids.discard(NO_CLASS)
    if not ids:
        raise SourceError(f"{truth.name} ({shape[1]} x {shape[0]} pixels) holds no class at all.")
    return _read_class_pairs(result, truth), tuple(sorted(ids))


def read_classes(dataset: Any, window: Window | None = None) -> Ints:
    """Read the class ids of band 1 of an opened raster, int64, ``NO_CLASS`` without a valid value.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        values = dataset.read(1, window=window, masked=True)
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    return np.asarray(values.astype(np.int64).filled(NO_CLASS))


def _read_class_pairs(result: Path, truth: Path) -> RasterPairs:
    with open_raster(result) as a, open_raster(truth) as b:
        for row in range(0, a.height, _ROWS):
            window = Window(0, row, a.width, min(_ROWS, a.height - row))
            yield read_classes(a, window), read_classes(b, window)


def _read_masks(result: Path, truth: Path, threshold: float) -> RasterPairs:
    with open_probability_raster(result) as a, open_probability_raster(truth) as b:
        rows, cols = a.shape
        for row in range(0, rows, _ROWS):
            height = min(_ROWS, rows - row)
            is_road = a.read(row, 0, height, cols) >= threshold * PROBABILITY_SCALE
            is_road_in_truth = b.read(row, 0, height, cols) >= 0.5 * PROBABILITY_SCALE
            yield is_road.astype(np.int64), is_road_in_truth.astype(np.int64)
