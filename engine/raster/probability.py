"""Probability rasters: how they are quantized, and how those of other programs are recognized and read.

A probability is stored as uint8, ``round(probability * PROBABILITY_SCALE)``, with ``NODATA`` where it is unknown. A
``ProbabilityRaster`` gives this representation for rasters of any encoding, with 0 in place of nodata.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ..errors import ParameterError, SourceError
from ..fs.spool import RowSpool, UInt8Array
from .dataset import open_raster

#: The quantized value of probability 1. The inverse is the scale tag of the GeoTIFFs.
PROBABILITY_SCALE = 250
NODATA = 255

#: Largest side of the decimated copy from which an encoding is detected.
_SAMPLE_SIDE = 2048


def quantize(probability: NDArray[np.float32], valid: NDArray[np.bool_] | None, out: UInt8Array) -> None:
    """Write ``round(probability * PROBABILITY_SCALE)`` to ``out``, ``NODATA`` where a pixel is not valid.

    Args:
        probability: (classes, rows, columns), 0 to 1.
        valid: (rows, columns), or None if all are.
        out: (classes, rows, columns).
    """
    scaled = probability * np.float32(PROBABILITY_SCALE)
    np.rint(scaled, out=scaled)
    np.copyto(out, scaled, casting="unsafe")
    if valid is not None:
        out[:, ~valid] = NODATA


def quantize_threshold(threshold: float) -> int:
    """Return the lowest quantized probability that reaches ``threshold`` (0 to 1); at least 1."""
    return max(1, math.ceil(threshold * PROBABILITY_SCALE - 1e-9))


def classify(
    probability: NDArray[np.float32], valid: NDArray[np.bool_] | None, ids: UInt8Array, out: UInt8Array
) -> None:
    """Write the most probable class and its probability to ``out``.

    Args:
        probability: (classes, rows, columns), 0 to 1.
        valid: (rows, columns), or None if all are.
        ids: (classes,) the id of each class.
        out: (1 or 2, rows, columns): class id and quantized probability; ``NODATA`` where a pixel is not valid.
    """
    # A pass per class, ties to the first: much faster than argmax along the axis that varies slowest.
    highest = probability[0].copy()
    out[0] = ids[0]
    for layer, value in zip(probability[1:], ids[1:], strict=True):
        np.copyto(out[0], value, where=layer > highest)
        np.maximum(highest, layer, out=highest)
    if len(out) > 1:
        quantize(highest[None], None, out[1:])
    if valid is not None:
        out[:, ~valid] = NODATA


def binarize(
    probability: NDArray[np.float32], valid: NDArray[np.bool_] | None, threshold: float, out: UInt8Array
) -> None:
    """Write whether the probability of the only class reaches a threshold, and the probability, to ``out``.

    The quantized value is compared, so that a threshold on a saved probability raster gives the same mask.

    Args:
        probability: (1, rows, columns), 0 to 1.
        valid: (rows, columns), or None if all are.
        threshold: 0 to 1.
        out: (1 or 2, rows, columns): 1 or 0 and quantized probability; ``NODATA`` where a pixel is not valid.
    """
    quantized = out[-1:]
    quantize(probability, None, quantized)
    np.greater_equal(quantized[0], quantize_threshold(threshold), out=out[0], casting="unsafe")
    if valid is not None:
        out[:, ~valid] = NODATA


@dataclass(frozen=True)
class Encoding:
    """How stored values represent probabilities: ``probability = value * scale + offset``.

    Attributes:
        name: description for messages.
        scale: probability of one unit.
        offset: probability of zero.
    """

    name: str
    scale: float
    offset: float = 0.0

    @property
    def is_quantized(self) -> bool:
        """Whether stored values are quantized by ``PROBABILITY_SCALE`` already."""
        return abs(self.scale * PROBABILITY_SCALE - 1.0) < 1e-6 and self.offset == 0.0


QUANTIZED = Encoding("quantized probabilities", 1 / PROBABILITY_SCALE)


class ProbabilityRaster(ABC):
    """A raster that is read as quantized probabilities.

    Attributes:
        shape: rows and columns.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
        encoding: meaning of the stored values.
    """

    def __init__(self, shape: tuple[int, int], transform: Affine, crs: Any, encoding: Encoding) -> None:
        self.shape, self.transform, self.crs, self.encoding = shape, transform, crs, encoding

    @abstractmethod
    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window within the raster as quantized probabilities (height, width), 0 for nodata.

        Raises:
            SourceError: the window cannot be read.
        """

    def read_valid(self, _row: int, _col: int, height: int, width: int) -> NDArray[np.bool_]:
        """Read which pixels of a window have a value, (height, width); 0 counts as one even where it is nodata."""
        return np.ones((height, width), np.bool_)

    def read_padded(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window that may extend beyond the raster, where pixels are mirrored at the border.

        On each axis the part outside must be shorter than the part inside, unless the raster is smaller than that.
        With mirrored pixels a road that leaves the raster continues straight, so its centerline ends at the border.
        """
        import cv2

        top, left = max(row, 0), max(col, 0)
        bottom, right = min(row + height, self.shape[0]), min(col + width, self.shape[1])
        inside = self.read(top, left, bottom - top, right - left)
        margins = (top - row, row + height - bottom, left - col, col + width - right)
        if not any(margins):
            return inside
        return np.asarray(cv2.copyMakeBorder(inside, *margins, cv2.BORDER_REFLECT_101), np.uint8)


class BandProbabilityRaster(ProbabilityRaster):
    """A band of an opened raster file.

    Args:
        dataset: rasterio's dataset.
        band: 1-based index.
        encoding: meaning of the band's values.
    """

    def __init__(self, dataset: Any, band: int, encoding: Encoding) -> None:
        super().__init__((int(dataset.height), int(dataset.width)), dataset.transform, dataset.crs, encoding)
        self._band = MaskedBand(dataset, band)

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window; see ``ProbabilityRaster.read``."""
        values, known = self._band.read(row, col, height, width)
        return quantize_values(values, self.encoding, self._band.nodata, known)

    def read_valid(self, row: int, col: int, height: int, width: int) -> NDArray[np.bool_]:
        """Read which pixels have a value; see ``ProbabilityRaster.read_valid``."""
        values, known = self._band.read(row, col, height, width)
        is_valid = ~_is_unknown(values, self.encoding, self._band.nodata)
        return is_valid if known is None else is_valid & known


class StreamingProbabilityRaster(ProbabilityRaster):
    """A raster whose rows are still being computed; reading blocks until they are available.

    Args:
        rows: quantized probabilities.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
    """

    def __init__(self, rows: RowSpool, transform: Affine, crs: Any) -> None:
        super().__init__(rows.shape, transform, crs, QUANTIZED)
        self._rows = rows

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Wait for the rows of a window and read it; ``Cancelled`` if they will not be computed."""
        return quantize_values(self._rows.read(row, col, height, width), self.encoding, NODATA, None)

    def read_valid(self, row: int, col: int, height: int, width: int) -> NDArray[np.bool_]:
        """Wait for the rows of a window and read which pixels have a value."""
        return self._rows.read(row, col, height, width) <= PROBABILITY_SCALE


class MaskedBand:
    """A band of an opened raster file with its mask.

    Args:
        dataset: rasterio's dataset.
        band: 1-based index.
    """

    def __init__(self, dataset: Any, band: int) -> None:
        self.name = str(dataset.name)
        self.nodata: float | None = dataset.nodatavals[band - 1]
        self._dataset, self._band = dataset, band
        # A nodata value is compared with the values; masks of other kinds have to be read.
        self._has_mask = any(
            flag not in (MaskFlags.all_valid, MaskFlags.nodata) for flag in dataset.mask_flag_enums[band - 1]
        )

    def read(self, row: int, col: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Read a window.

        Returns:
            Values (height, width) and the mask of known pixels; None if the nodata value is the only mask, which the
            caller compares the values with.

        Raises:
            SourceError: the file is damaged.
        """
        window = Window(col, row, width, height)
        try:
            values = self._dataset.read(self._band, window=window)
            known = self._dataset.read_masks(self._band, window=window) > 0 if self._has_mask else None
        except RasterioError as error:
            raise SourceError(
                f"{self.name} cannot be read at rows {row} to {row + height}: the file is damaged."
            ) from error
        return values, known


def quantize_values(
    values: NDArray[Any], encoding: Encoding, nodata: float | None, known: NDArray[np.bool_] | None
) -> UInt8Array:
    """Convert stored values to quantized probabilities; 0 where a value is nodata, NaN or masked.

    Args:
        values: (rows, columns), any dtype.
        encoding: meaning of the values.
        nodata: nodata value, or None.
        known: mask (rows, columns) of known pixels, or None if all are.
    """
    import cv2

    if values.dtype == np.uint8 and encoding.is_quantized and nodata in (None, 0, 255):
        # Values above PROBABILITY_SCALE become 0; many times as fast as the table.
        quantized = np.asarray(cv2.threshold(values, PROBABILITY_SCALE, 0, cv2.THRESH_TOZERO_INV)[1], np.uint8)
    elif values.dtype == np.uint8:
        table = _quantize_any(np.arange(256, dtype=np.uint8), encoding, nodata)
        quantized = np.asarray(cv2.LUT(values, table), np.uint8)
    else:
        quantized = _quantize_any(values, encoding, nodata)
    if known is not None:
        quantized[~known] = 0
    return quantized


def _quantize_any(values: NDArray[Any], encoding: Encoding, nodata: float | None) -> UInt8Array:
    """Quantize values of any dtype, pixel by pixel."""
    probability = values.astype(np.float32) * np.float32(encoding.scale) + np.float32(encoding.offset)
    probability[_is_unknown(values, encoding, nodata)] = 0.0
    quantized = np.empty(values.shape, np.uint8)
    quantize(np.clip(probability, 0.0, 1.0), None, quantized)
    return quantized


def _is_unknown(values: NDArray[Any], encoding: Encoding, nodata: float | None) -> NDArray[np.bool_]:
    """Whether stored values are NaN or nodata; 0 is a probability even where it is the nodata value."""
    unknown: NDArray[np.bool_] = ~np.isfinite(values)
    if nodata is not None and nodata != 0:
        unknown |= values == nodata
    if encoding.is_quantized:
        unknown |= values > PROBABILITY_SCALE  # 255 is nodata even if the file does not declare it
    return unknown


@contextmanager
def open_probability_raster(path: Path, band: int = 1, encoding: Encoding | None = None) -> Iterator[ProbabilityRaster]:
    """Open a probability raster or a mask, also of another program.

    Args:
        path: the raster file.
        band: 1-based index of the band with the probabilities.
        encoding: meaning of its values; None to detect it.

    Raises:
        SourceError: the raster cannot be opened, or its values are not probabilities.
        ParameterError: there is no such band.
    """
    with open_raster(path) as dataset:
        if not 1 <= band <= dataset.count:
            raise ParameterError(f"{path} has {dataset.count} bands, so there is no band {band}.")
        yield BandProbabilityRaster(dataset, band, encoding or detect_encoding(dataset, band))


def sample_values(dataset: Any, band: int) -> NDArray[Any]:
    """Read the valid values of a decimated copy (nearest neighbors) of a band, one-dimensional."""
    scale = max(1.0, dataset.height / _SAMPLE_SIDE, dataset.width / _SAMPLE_SIDE)
    shape = (max(1, round(dataset.height / scale)), max(1, round(dataset.width / scale)))
    try:
        values = dataset.read(band, out_shape=shape, masked=True, resampling=Resampling.nearest).compressed()
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    return np.asarray(values[np.isfinite(values)] if values.dtype.kind == "f" else values)


def detect_encoding(dataset: Any, band: int) -> Encoding:
    """Detect the encoding of a band from its scale tag, its dtype and a sample of its values.

    Raises:
        SourceError: the values are not probabilities.
    """
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    if scale != 1.0 or offset != 0.0:
        return Encoding(f"probabilities with the scale tag {scale:g}", float(scale), float(offset))
    values = sample_values(dataset, band)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low < -1e-6:
        raise SourceError(
            f"The values of {dataset.name} begin at {low:g}, so they are not probabilities.",
            "Give the probabilities themselves, not logits.",
        )
    is_float = np.dtype(dataset.dtypes[band - 1]).kind == "f"
    ranges = (
        (1.0, "probabilities from 0 to 1" if is_float else "a mask of 0 and 1"),
        (100.0, "percentages"),
        (255.0, "values from 0 to 255"),
        (10000.0, "values from 0 to 10,000"),
        (65535.0, "values from 0 to 65,535"),
    )
    for top, name in ranges:
        if high <= top + 1e-6:
            return Encoding(name, 1.0 / top)
    raise SourceError(f"The values of {dataset.name} go up to {high:g}, so they are not probabilities.")


def has_class_values(dataset: Any, band: int) -> bool:
    """Whether a band holds classes rather than probabilities or a mask.

    It does if it has a palette, or integers without a scale tag: at least three different values, all from 0 to 63 and
    some above 1.
    """
    if dataset.scales[band - 1] != 1.0 or np.dtype(dataset.dtypes[band - 1]).kind == "f":
        return False
    if dataset.colorinterp[band - 1].name == "palette":
        return True
    values = np.unique(sample_values(dataset, band))
    return bool(values.size >= 3 and values.min() >= 0 and 1 < values.max() < 64)
