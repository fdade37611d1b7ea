"""Probability rasters, also of others, read as levels: uint8, probability in units of 1/250, 0 where unknown."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from ..errors import ParameterError, SourceError
from ..fs.spool import RowSpool
from .gdal_environment import SAFE_SETTINGS
from .vrt_security import check_references

#: Probability 1 as it is written; 0 is 0. The GeoTIFF's scale tag is the inverse.
PROBABILITY_SCALE = 250
NODATA = 255
UInt8Array = NDArray[np.uint8]
#: Blocks that GDAL keeps: its own default, a share of the machine's memory, would fill up with what is read only once.
_CACHE_BYTES = 100_000_000
#: Largest side of the reduced copy from which the values of a foreign raster are recognised.
_SAMPLE = 2048


@dataclass(frozen=True)
class Encoding:
    """How stored values stand for probabilities: ``probability = value * scale + offset``.

    Attributes:
        name: in words, for the person.
        scale: probability of one unit.
        offset: probability of zero.
    """

    name: str
    scale: float
    offset: float = 0.0

    @property
    def is_quantized(self) -> bool:
        """Whether stored values are levels already."""
        return abs(self.scale * PROBABILITY_SCALE - 1.0) < 1e-6 and self.offset == 0.0


class ProbabilityRaster(ABC):
    """A raster of probabilities that is read as levels.

    Attributes:
        shape: rows and columns.
        transform: from pixel coordinates to those of the CRS.
        crs: the CRS, or None.
        encoding: what the stored values mean.
    """

    def __init__(self, shape: tuple[int, int], transform: Affine, crs: Any, encoding: Encoding) -> None:
        self.shape, self.transform, self.crs, self.encoding = shape, transform, crs, encoding

    @abstractmethod
    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window that lies within the raster, as levels (uint8, height x width).

        Raises:
            SourceError: the window cannot be read.
        """

    def read_padded(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window that may reach over the raster's edges; what is outside mirrors what is inside.

        A window has to reach further into the raster than out of it (or the raster is smaller than that).
        With a mirrored outside a road that leaves the raster goes on straight, and its centre line ends at the edge.
        """
        import cv2

        top, left = max(row, 0), max(col, 0)
        bottom, right = min(row + height, self.shape[0]), min(col + width, self.shape[1])
        levels = self.read(top, left, bottom - top, right - left)
        margins = (top - row, row + height - bottom, left - col, col + width - right)
        if not any(margins):
            return levels
        return np.asarray(cv2.copyMakeBorder(levels, *margins, cv2.BORDER_REFLECT_101), np.uint8)


class MaskedBand:
    """A band of an opened raster file, with its mask.

    Args:
        dataset: the file.
        band: from 1.
    """

    def __init__(self, dataset: Any, band: int) -> None:
        self.name = str(dataset.name)
        self.nodata: float | None = dataset.nodatavals[band - 1]
        self._dataset, self._band = dataset, band
        # A nodata value is looked up like any other value; masks of other kinds are read.
        self._masked = any(
            flag not in (MaskFlags.all_valid, MaskFlags.nodata) for flag in dataset.mask_flag_enums[band - 1]
        )

    def read(self, row: int, col: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """The values of a window, and which of them are known; None where all are but for the nodata value.

        Raises:
            SourceError: the file is damaged.
        """
        window = Window(col, row, width, height)
        try:
            values = self._dataset.read(self._band, window=window)
            known = self._dataset.read_masks(self._band, window=window) > 0 if self._masked else None
        except RasterioError as error:
            raise SourceError(
                f"{self.name} cannot be read at rows {row} to {row + height}: the file is damaged."
            ) from error
        return values, known


class BandProbabilityRaster(ProbabilityRaster):
    """A band of an opened raster file."""

    def __init__(self, dataset: Any, band: int, encoding: Encoding) -> None:
        super().__init__((int(dataset.height), int(dataset.width)), dataset.transform, dataset.crs, encoding)
        self._source = MaskedBand(dataset, band)

    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window; see ``ProbabilityRaster.read``."""
        values, known = self._source.read(row, col, height, width)
        return to_levels(values, self.encoding, self._source.nodata, known)


class StreamingProbabilityRaster(ProbabilityRaster):
    """Rows of levels that may still be computed: reading waits for them."""

    def __init__(self, store: RowSpool, transform: Affine, crs: Any) -> None:
        super().__init__(store.shape, transform, crs, Encoding("quantized probabilities", 1 / PROBABILITY_SCALE))
        self._store = store

    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window once its rows are there; ``Cancelled`` where they will not come."""
        return self._store.read(row, col, height, width)


def to_levels(
    values: NDArray[Any], encoding: Encoding, nodata: float | None, known: NDArray[np.bool_] | None
) -> NDArray[np.uint8]:
    """Convert stored values to levels; 0 where a value is nodata, NaN or masked."""
    import cv2

    if values.dtype == np.uint8 and encoding.is_quantized and nodata in (None, 0, 255):
        # What is no level becomes 0; many times as fast as the table.
        levels = np.asarray(cv2.threshold(values, PROBABILITY_SCALE, 0, cv2.THRESH_TOZERO_INV)[1], np.uint8)
    elif values.dtype == np.uint8:
        table = _to_levels(np.arange(256, dtype=np.uint8), encoding, nodata)
        levels = np.asarray(cv2.LUT(values, table), np.uint8)
    else:
        levels = _to_levels(values, encoding, nodata)
    if known is not None:
        levels[~known] = 0
    return levels


def _to_levels(values: NDArray[Any], encoding: Encoding, nodata: float | None) -> NDArray[np.uint8]:
    probability = values.astype(np.float32) * np.float32(encoding.scale) + np.float32(encoding.offset)
    unknown = ~np.isfinite(probability)
    if nodata is not None and nodata != 0:
        unknown |= values == nodata
    if encoding.is_quantized:
        unknown |= values > PROBABILITY_SCALE  # 255 is nodata also where no tag says so
    probability[unknown] = 0.0
    return np.asarray(np.rint(np.clip(probability, 0.0, 1.0) * PROBABILITY_SCALE), np.uint8)


@contextmanager
def open_probability_raster(path: Path, band: int = 1, encoding: Encoding | None = None) -> Iterator[ProbabilityRaster]:
    """Open a probability raster or mask, whoever made it.

    Args:
        path: the raster.
        band: the band with the probabilities, from 1.
        encoding: what its values mean; recognised where None.

    Raises:
        SourceError: the raster cannot be opened, or its values are no probabilities.
        ParameterError: there is no such band.
    """
    with open_raster(path) as dataset:
        if not 1 <= band <= dataset.count:
            raise ParameterError(f"{path} has {dataset.count} bands, so there is no band {band}.")
        yield BandProbabilityRaster(dataset, band, encoding or detect_encoding(dataset, band))


@contextmanager
def open_raster(path: Path) -> Iterator[Any]:
    """Open a raster file for reading.

    Raises:
        SourceError: there is no such file, or it is not a raster with bands.
    """
    if not path.is_file():
        raise SourceError(f"{path} is not there or is not a plain file.")
    check_references(path)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**SAFE_SETTINGS, GDAL_CACHEMAX=_CACHE_BYTES))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            # rasterio reads "a:b" as an address; an absolute path is a path.
            dataset = stack.enter_context(rasterio.open(path.absolute(), sharing=False))
        except (RasterioError, OSError, ValueError, TypeError) as error:
            raise SourceError(f"{path} is not a raster that can be read.") from error
        if dataset.count == 0 or dataset.width == 0 or dataset.height == 0:
            raise SourceError(f"{path} has no raster bands.")
        if np.dtype(dataset.dtypes[0]).kind == "c":
            raise SourceError(f"{path} holds complex numbers, not probabilities or classes.")
        yield dataset


def sample_values(dataset: Any, band: int) -> NDArray[Any]:
    """Known values of a reduced copy of a band (nearest neighbours), flat."""
    scale = max(1.0, dataset.height / _SAMPLE, dataset.width / _SAMPLE)
    shape = (max(1, round(dataset.height / scale)), max(1, round(dataset.width / scale)))
    try:
        values = dataset.read(band, out_shape=shape, masked=True, resampling=Resampling.nearest).compressed()
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    return np.asarray(values[np.isfinite(values)] if values.dtype.kind == "f" else values)


def detect_encoding(dataset: Any, band: int) -> Encoding:
    """Find out what the values of a band mean from its scale tag, its type and a sample of its values.

    Raises:
        SourceError: the values are no probabilities.
    """
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    if scale != 1.0 or offset != 0.0:
        return Encoding(f"probabilities with the scale tag {scale:g}", float(scale), float(offset))
    values = sample_values(dataset, band)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low < -1e-6:
        raise SourceError(
            f"The values of {dataset.name} begin at {low:g}, so they are no probabilities.",
            "Give the probabilities themselves, not logits.",
        )
    real = np.dtype(dataset.dtypes[band - 1]).kind == "f"
    if high <= 1.0 + 1e-6:
        return Encoding("probabilities from 0 to 1" if real else "a mask of 0 and 1", 1.0)
    for top, name in ((100.0, "percentages"), (255.0, "values from 0 to 255"), (10000.0, "values from 0 to 10,000")):
        if high <= top + 1e-6:
            return Encoding(name, 1.0 / top)
    if high <= 65535.0:
        return Encoding("values from 0 to 65,535", 1.0 / 65535.0)
    raise SourceError(f"The values of {dataset.name} go up to {high:g}, so they are no probabilities.")


def has_class_values(dataset: Any, band: int) -> bool:
    """Whether a band looks like classes rather than probabilities or a mask.

    A palette says so; so do whole numbers without a scale tag of which at least three different ones occur, all below
    64 but some above 1.
    """
    if dataset.scales[band - 1] != 1.0 or np.dtype(dataset.dtypes[band - 1]).kind == "f":
        return False
    if dataset.colorinterp[band - 1].name == "palette":
        return True
    values = np.unique(sample_values(dataset, band))
    return bool(values.size >= 3 and values.min() >= 0 and 1 < values.max() < 64)


def quantize(probability: NDArray[np.float32], valid: NDArray[np.bool_] | None, out: UInt8Array) -> None:
    """Write round(probability x 250) to ``out``, 255 where a pixel is not valid.

    Args:
        probability: (classes, rows, columns), 0 to 1.
        valid: (rows, columns), or None where all are.
        out: (classes, rows, columns).
    """
    levels = probability * np.float32(PROBABILITY_SCALE)
    np.rint(levels, out=levels)
    np.copyto(out, levels, casting="unsafe")
    if valid is not None:
        out[:, ~valid] = NODATA


def classify(
    probability: NDArray[np.float32], valid: NDArray[np.bool_] | None, ids: UInt8Array, out: UInt8Array
) -> None:
    """Write the most probable class and its probability to ``out``.

    Args:
        probability: (classes, rows, columns), 0 to 1.
        valid: (rows, columns), or None where all are.
        ids: (classes,) the id of each layer.
        out: (1 or 2, rows, columns): class id, and round(its probability x 250); 255 where a pixel is not valid.
    """
    # Layer by layer, of equals the first: much quicker than argmax along the axis that varies slowest.
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

    The written level is compared, so that a threshold on a kept probability raster gives the same.

    Args:
        probability: (1, rows, columns), 0 to 1.
        valid: (rows, columns), or None where all are.
        threshold: 0 to 1.
        out: (1 or 2, rows, columns): 1 or 0, and round(probability x 250); 255 where a pixel is not valid.
    """
    levels = out[-1:]
    quantize(probability, None, levels)
    np.greater_equal(levels[0], max(1, math.ceil(threshold * PROBABILITY_SCALE - 1e-9)), out=out[0], casting="unsafe")
    if valid is not None:
        out[:, ~valid] = NODATA
