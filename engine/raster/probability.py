"""Probability rasters: how they are quantized, and how those of other programs are read.

A probability is stored as uint8, ``round(probability * PROBABILITY_SCALE)``, with ``NODATA`` where it is unknown. A
``ProbabilityRaster`` gives this representation for rasters of any encoding, with 0 in place of nodata.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ..errors import SourceError
from ..fs.spool import UInt8Array
from .dataset import open_raster
from .values import Encoding

Mask = NDArray[np.bool_]

#: The quantized value of probability 1. The inverse is the scale tag of the GeoTIFFs.
PROBABILITY_SCALE = 250
NODATA = 255

#: Rows that are measured at a time.
_MEASURED_ROWS = 256


def quantize(probability: NDArray[np.float32], valid: Mask | None, out: UInt8Array) -> None:
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


def classify(probability: NDArray[np.float32], valid: Mask | None, ids: UInt8Array, out: UInt8Array) -> None:
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


def binarize(probability: NDArray[np.float32], valid: Mask | None, threshold: float, out: UInt8Array) -> None:
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


QUANTIZED = Encoding("probability", "it is quantized", 1 / PROBABILITY_SCALE)


def _is_quantized(encoding: Encoding) -> bool:
    """Whether stored values are quantized by ``PROBABILITY_SCALE`` already."""
    return abs(encoding.scale * PROBABILITY_SCALE - 1.0) < 1e-6 and encoding.offset == 0.0


@dataclass
class ProbabilityStatistics:
    """How many pixels are valid, and their lowest and highest probability; counted part by part.

    Attributes:
        pixels: number of pixels.
        valid: number of pixels that are not nodata.
        highest: highest quantized probability.
        lowest: lowest quantized probability.
        cause: what marks pixels as nodata, such as ``alpha band``; empty if unknown.
    """

    pixels: int = 0
    valid: int = 0
    highest: int = 0
    lowest: int = PROBABILITY_SCALE
    cause: str = ""

    def add(self, quantized: UInt8Array) -> None:
        """Add quantized probabilities, ``NODATA`` where there are none; any shape."""
        self.pixels += quantized.size
        if quantized.max(initial=0) > PROBABILITY_SCALE:
            quantized = quantized[quantized <= PROBABILITY_SCALE]
        self.valid += quantized.size
        self.highest = max(self.highest, int(quantized.max(initial=0)))
        self.lowest = min(self.lowest, int(quantized.min(initial=PROBABILITY_SCALE)))

    def explain_nothing(self, name: str, threshold: float, reached: str = "") -> str:
        """Return why nothing was found: no data, or nothing reached the threshold.

        Args:
            name: of the raster or image.
            threshold: 0 to 1.
            reached: why there is nothing although pixels reach the threshold.
        """
        cause = f" ({self.cause})" if self.cause else ""
        if not self.valid:
            return f"Nothing was found: all pixels of {name} are nodata{cause}."
        if self.highest >= quantize_threshold(threshold):
            text = f"Nothing was found in {name}, although pixels reach the threshold {threshold:g}: {reached}"
        else:
            highest = f"the highest probability is {self.highest / PROBABILITY_SCALE:.2g}"
            text = f"Nothing in {name} reached the threshold {threshold:g}: {highest}"
        hidden = 1 - self.valid / self.pixels
        is_cause = hidden > 0.5 or (hidden > 0 and self.highest == 0)  # of a mask whose road is tagged as nodata
        return text + (f", and {100 * hidden:.2g} % of the pixels are nodata{cause}." if is_cause else ".")


@dataclass(eq=False)
class ProbabilityRaster(ABC):
    """A raster that is read as quantized probabilities.

    Attributes:
        shape: rows and columns.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
        nodata_cause: what marks pixels as nodata, for messages; empty for nothing.
    """

    shape: tuple[int, int]
    transform: Affine
    crs: Any
    nodata_cause: str = ""

    @abstractmethod
    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window within the raster as quantized probabilities (height, width), 0 for nodata.

        Raises:
            SourceError: the window cannot be read.
        """

    def read_valid(self, _row: int, _col: int, height: int, width: int) -> Mask:
        """Read which pixels of a window have a value, (height, width); 0 counts as one even where it is nodata."""
        return np.ones((height, width), np.bool_)

    def measure(self) -> ProbabilityStatistics:
        """Measure all pixels, to explain why nothing was found.

        Raises:
            SourceError: the raster cannot be read.
        """
        statistics = ProbabilityStatistics(cause=self.nodata_cause)
        for row in range(0, self.shape[0], _MEASURED_ROWS):
            window = (row, 0, min(_MEASURED_ROWS, self.shape[0] - row), self.shape[1])
            quantized = self.read(*window)
            quantized[~self.read_valid(*window)] = NODATA
            statistics.add(quantized)
        return statistics

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
        encoding: the band and the meaning of its values.
    """

    def __init__(self, dataset: Any, encoding: Encoding) -> None:
        self._encoding = encoding
        self._band = MaskedBand(dataset, encoding.band, encoding.nodata, is_alpha=encoding.is_alpha)
        shape = (int(dataset.height), int(dataset.width))
        super().__init__(shape, dataset.transform, dataset.crs, self._band.describe_nodata())

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window; see ``ProbabilityRaster.read``."""
        values, known = self._band.read(row, col, height, width)
        return quantize_values(values, self._encoding, self._band.nodata, known)

    def read_valid(self, row: int, col: int, height: int, width: int) -> Mask:
        """Read which pixels have a value; see ``ProbabilityRaster.read_valid``."""
        values, known = self._band.read(row, col, height, width)
        is_valid = ~_is_unknown(values, self._encoding, self._band.nodata)
        return is_valid if known is None else is_valid & known


@dataclass(eq=False)
class QuantizedRaster(ProbabilityRaster):
    """A raster whose stored values are quantized already.

    Attributes:
        read_stored: reads a window (row, col, height, width), ``NODATA`` for nodata; may wait until it is computed.
    """

    read_stored: Callable[[int, int, int, int], UInt8Array] = field(kw_only=True)

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window; see ``ProbabilityRaster.read``."""
        return quantize_values(self.read_stored(row, col, height, width), QUANTIZED, NODATA, None)

    def read_valid(self, row: int, col: int, height: int, width: int) -> Mask:
        """Read which pixels of a window have a value; see ``ProbabilityRaster.read_valid``."""
        return self.read_stored(row, col, height, width) <= PROBABILITY_SCALE


class MaskedBand:
    """A band of an opened raster file with its mask.

    Args:
        dataset: rasterio's dataset.
        band: 1-based index.
        nodata: a value without data, besides the band's own; None for none.
        is_alpha: whether a band that is tagged as alpha is one.
    """

    def __init__(self, dataset: Any, band: int, nodata: float | None = None, *, is_alpha: bool = True) -> None:
        self.name, self.shape = str(dataset.name), (int(dataset.height), int(dataset.width))
        self.block_rows = int(dataset.block_shapes[band - 1][0])
        self.nodata: float | None = dataset.nodatavals[band - 1]
        self._dataset, self._band, self._missing = dataset, band, nodata
        # A nodata value is compared with the values; masks of other kinds have to be read.
        flags = dataset.mask_flag_enums[band - 1]
        has_mask = any(flag not in (MaskFlags.all_valid, MaskFlags.nodata) for flag in flags)
        self._has_mask = has_mask and (is_alpha or MaskFlags.alpha not in flags)

    def read(self, row: int, col: int, height: int, width: int) -> tuple[NDArray[Any], Mask | None]:
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
        if self._missing is not None:
            is_known = values != self._missing
            known = is_known if known is None else known & is_known
        return values, known

    def read_values(self, row: int, height: int) -> NDArray[Any]:
        """Read the valid, finite values of some rows, one-dimensional; errors as ``read``."""
        values, known = self.read(row, 0, height, self._dataset.width)
        if self.nodata is not None:
            is_known = values != self.nodata
            known = is_known if known is None else known & is_known
        if values.dtype.kind == "f":
            known = np.isfinite(values) if known is None else known & np.isfinite(values)
        return values.ravel() if known is None else values[known]

    def describe_nodata(self) -> str:
        """Name what marks pixels without data; empty if nothing does."""
        values = dict.fromkeys(value for value in (self.nodata, self._missing) if value is not None)
        texts = [f"nodata value {value:.6g}" for value in values]
        return " and ".join([*texts, "mask"] if self._has_mask else texts)


def quantize_values(values: NDArray[Any], encoding: Encoding, nodata: float | None, known: Mask | None) -> UInt8Array:
    """Convert stored values to quantized probabilities; 0 where a value is nodata, NaN or masked.

    Args:
        values: (rows, columns), any dtype.
        encoding: meaning of the values.
        nodata: nodata value, or None.
        known: mask (rows, columns) of known pixels, or None if all are.
    """
    import cv2

    if values.dtype == np.uint8 and _is_quantized(encoding) and nodata in (None, 0, 255):
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


def _is_unknown(values: NDArray[Any], encoding: Encoding, nodata: float | None) -> Mask:
    """Whether stored values are NaN or nodata; 0 is a probability even where it is the nodata value."""
    unknown: Mask = ~np.isfinite(values)
    if nodata is not None and nodata != 0:
        unknown |= values == nodata
    if _is_quantized(encoding):
        unknown |= values > PROBABILITY_SCALE  # 255 is nodata even if the file does not declare it
    return unknown


@contextmanager
def open_probability_raster(path: Path, encoding: Encoding) -> Iterator[ProbabilityRaster]:
    """Open a probability raster or a mask, also of another program.

    Args:
        path: the raster file.
        encoding: its band and the meaning of the values (see ``band_facts.interpret_band``).

    Raises:
        SourceError: the raster cannot be opened.
    """
    with open_raster(path) as dataset:
        yield BandProbabilityRaster(dataset, encoding)
