"""Read the rasters to compare: windows of both on the same grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...context import RunContext
from ...errors import SourceError
from ...protocol.options import RasterOptions
from ...raster.band_facts import interpret_band
from ...raster.dataset import open_raster
from ...raster.probability import PROBABILITY_SCALE, open_probability_raster
from ...raster.values import Encoding, Expected
from ..arrays import Ints

RasterPairs = Iterator[tuple[Ints, Ints]]

#: Rows of rasters that are compared at a time.
_ROWS = 512
#: Class id of pixels without a valid value.
NO_CLASS = -1


def read_raster_pairs(
    result: Path,
    truth: Path,
    threshold: float | None,
    options: tuple[RasterOptions, RasterOptions],
    context: RunContext,
) -> tuple[RasterPairs, tuple[int, ...]]:
    """Open two rasters of the same size for ``score_rasters``.

    Args:
        result: raster of classes or probabilities.
        truth: raster of classes or a mask.
        threshold: probability from which a pixel of the result is road, where both are masks; None for classes.
        options: band and meaning of the values of result and truth, as far as they are known.
        context: receives messages; checked for cancellation.

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
        expected: Expected = "classes" if threshold is None else "roads"
        encodings = (
            interpret_band(a, options[0], expected, context),
            interpret_band(b, options[1], expected, context),
        )
    if threshold is not None:
        return _read_masks(result, truth, encodings, threshold), (0, 1)
    ids: set[int] = set()
    for _, classes in _read_class_pairs(result, truth, encodings):
        ids |= set(np.unique(classes).tolist())
    ids.discard(NO_CLASS)
    if not ids:
        raise SourceError(f"{truth.name} ({shape[1]} x {shape[0]} pixels) holds no class at all.")
    return _read_class_pairs(result, truth, encodings), tuple(sorted(ids))


def read_classes(dataset: Any, encoding: Encoding, window: Window | None = None) -> Ints:
    """Read the class ids of a band of an opened raster, int64, ``NO_CLASS`` without a valid value.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        values = dataset.read(encoding.band, window=window)
        is_class = dataset.read_masks(encoding.band, window=window) > 0
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    is_class &= np.isfinite(values) & (values != encoding.nodata)
    classes = np.full(values.shape, NO_CLASS, np.int64)
    classes[is_class] = values[is_class]
    return classes


def _read_class_pairs(result: Path, truth: Path, encodings: tuple[Encoding, Encoding]) -> RasterPairs:
    with open_raster(result) as a, open_raster(truth) as b:
        for row in range(0, a.height, _ROWS):
            window = Window(0, row, a.width, min(_ROWS, a.height - row))
            yield read_classes(a, encodings[0], window), read_classes(b, encodings[1], window)


def _read_masks(result: Path, truth: Path, encodings: tuple[Encoding, Encoding], threshold: float) -> RasterPairs:
    with open_probability_raster(result, encodings[0]) as a, open_probability_raster(truth, encodings[1]) as b:
        rows, cols = a.shape
        for row in range(0, rows, _ROWS):
            height = min(_ROWS, rows - row)
            is_road = a.read(row, 0, height, cols) >= threshold * PROBABILITY_SCALE
            is_road_in_truth = b.read(row, 0, height, cols) >= 0.5 * PROBABILITY_SCALE
            yield is_road.astype(np.int64), is_road_in_truth.astype(np.int64)
