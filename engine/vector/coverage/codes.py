"""Class codes: class id plus one, 0 outside of the coverage; read from a raster of class ids."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError, SourceError
from ...protocol.options import CoverageOptions
from ...raster.georeferencing import has_same_pixels
from ...raster.probability import MaskedBand, ProbabilityRaster
from ...raster.values import Encoding
from ..arrays import Flags, Floats

#: Number of codes (16 bits); class ids are below ``N_CODES`` - 1.
N_CODES = 65536
#: The minimum mapping unit where none is given, in pixels.
DEFAULT_MINIMUM = 16.0

#: Pixels by which the confidence may be shifted: half of one, because positions mean corners or centers.
_MAX_SHIFT = 0.6


class CodeSource(Protocol):
    """Rows of class codes and, optionally, of their confidence."""

    shape: tuple[int, int]

    def read_codes(self, row: int, height: int) -> NDArray[np.unsignedinteger[Any]]:
        """Read the codes of some rows, uint8 or uint16."""

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the confidence of some rows, after their codes; without rows where there is none."""


class ClassRaster:
    """Codes and confidence of a class raster, a ``CodeSource``.

    Args:
        dataset: raster of class ids, opened by rasterio.
        encoding: the band, and a class id that counts as nodata besides its own nodata value.
        confidence: probability of each pixel's class, of the same size; or None.

    Attributes:
        has_classes: whether a row that was read has a class.

    Raises:
        SourceError: the confidence has another size, or lies elsewhere.
    """

    def __init__(self, dataset: Any, encoding: Encoding, confidence: ProbabilityRaster | None) -> None:
        self.has_classes = False
        self.shape = (int(dataset.height), int(dataset.width))
        if confidence is not None and confidence.shape != self.shape:
            raise SourceError(
                f"The confidence raster has {confidence.shape[1]} x {confidence.shape[0]} pixels, but the classes "
                f"have {self.shape[1]} x {self.shape[0]}."
            )
        if confidence is not None and not _has_same_place(dataset, confidence):
            raise SourceError(
                "The confidence raster has another georeference than the classes.",
                "Warp it to their grid first, or give that of the same run.",
            )
        self._band = MaskedBand(dataset, encoding.band, encoding.nodata, is_alpha=encoding.is_alpha)
        self._confidence = confidence
        self._table = self._encode(np.arange(256, dtype=np.uint8), None)

    def read_codes(self, row: int, height: int) -> NDArray[np.uint16]:
        """Read the codes of some rows.

        Raises:
            SourceError: the file is damaged, or a value is no class id.
        """
        values, is_valid = self._band.read(row, 0, height, self.shape[1])
        if values.dtype == np.uint8:
            codes = np.asarray(cv2.LUT(values, self._table), np.uint16)
            if is_valid is not None:
                codes[~is_valid] = 0
        else:
            codes = self._encode(values, is_valid)
        self.has_classes = self.has_classes or bool(codes.any())
        return codes

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the quantized confidence of some rows; without rows where there is none."""
        if self._confidence is None:
            return np.zeros((0, 0), np.uint8)
        return self._confidence.read(row, 0, height, self.shape[1])

    def _encode(self, values: NDArray[Any], is_valid: Flags | None) -> NDArray[np.uint16]:
        """Convert class ids of any type to codes; nodata, masked pixels and NaN become 0.

        Raises:
            SourceError: a valid value is no class id. This is checked before the conversion, which wraps around.
        """
        is_class = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, np.bool_)
        if is_valid is not None:
            is_class &= is_valid
        if self._band.nodata is not None:
            is_class &= values != self._band.nodata
        ids = values[is_class]
        if ids.size and (ids.min() < 0 or ids.max() > N_CODES - 2):
            raise SourceError(
                f"{self._band.name} has values from {ids.min():.10g} to {ids.max():.10g}, but classes are numbered "
                f"from 0 to {N_CODES - 2}.",
                "If one of them stands for missing data, name it with --nodata.",
            )
        if ids.dtype.kind == "f" and (ids != np.rint(ids)).any():
            raise SourceError(f"{self._band.name} has values that are no whole numbers, so they are not classes.")
        codes = np.where(is_class, values, 0).astype(np.uint16) + np.uint16(1)
        codes[~is_class] = 0
        return np.asarray(codes, np.uint16)


def _has_same_place(dataset: Any, confidence: ProbabilityRaster) -> bool:
    """Whether two rasters of one size show the same place, as far as both have a georeference."""
    if dataset.transform.is_identity or confidence.transform.is_identity:
        return True
    codes = {crs.to_epsg() for crs in (dataset.crs, confidence.crs) if crs is not None} - {None}
    return len(codes) < 2 and has_same_pixels(dataset.transform, confidence.transform, dataset.shape, _MAX_SHIFT)


def minimum_pixels(options: CoverageOptions, pixel_area: float) -> Floats:
    """Compute the pixels that a region of each code needs to stay, float64 (N_CODES,); 0 for one that always stays.

    Args:
        options: minimum mapping units and protected classes.
        pixel_area: square metres of a pixel.

    Raises:
        ParameterError: an option names a class that cannot occur.
    """
    for key in (*options.minimum_area_by_class, *options.protected):
        if not 0 <= key <= N_CODES - 2:
            raise ParameterError(f"There is no class {key}: classes are numbered from 0 to {N_CODES - 2}.")
    minimum = np.full(N_CODES, DEFAULT_MINIMUM if options.minimum_area is None else options.minimum_area / pixel_area)
    for key, value in options.minimum_area_by_class.items():
        minimum[key + 1] = value / pixel_area
    for key in options.protected:
        minimum[key + 1] = 0.0
    return minimum
