"""Class codes: class id plus one, 0 outside of the coverage; read from a raster of class ids."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError, SourceError
from ...protocol.options import CoverageOptions
from ...raster.probability import MaskedBand, ProbabilityRaster
from ..arrays import Flags, Floats

#: Number of codes (16 bits); class ids are below ``N_CODES`` - 1.
N_CODES = 65536
#: The minimum mapping unit where none is given, in pixels.
DEFAULT_MINIMUM = 16.0


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
        band: the band, from 1.
        nodata: a class id that counts as nodata, besides the band's own nodata value; None for no other.
        confidence: probability of each pixel's class, of the same size; or None.

    Raises:
        ParameterError: there is no such band.
        SourceError: the band holds no integers of at most 32 bits, or the confidence has another size.
    """

    def __init__(self, dataset: Any, band: int, nodata: int | None, confidence: ProbabilityRaster | None) -> None:
        if not 1 <= band <= dataset.count:
            raise ParameterError(f"{dataset.name} has {dataset.count} bands, so there is no band {band}.")
        dtype = np.dtype(dataset.dtypes[band - 1])
        if dtype.kind not in "ui" or dtype.itemsize > 4:
            raise SourceError(
                f"{dataset.name} holds {dtype.name} values, not classes.", "Give a raster of whole class numbers."
            )
        self.shape = (int(dataset.height), int(dataset.width))
        if confidence is not None and confidence.shape != self.shape:
            raise SourceError(
                f"The confidence raster has {confidence.shape[1]} x {confidence.shape[0]} pixels, but the classes "
                f"have {self.shape[1]} x {self.shape[0]}."
            )
        self._band, self._confidence = MaskedBand(dataset, band), confidence
        self._nodata = {value for value in (nodata, self._band.nodata) if value is not None}
        self._table = self._encode(np.arange(256, dtype=np.uint8), None)

    def read_codes(self, row: int, height: int) -> NDArray[np.uint16]:
        """Read the codes of some rows.

        Raises:
            SourceError: the file is damaged, or a value is no class id.
        """
        values, is_valid = self._band.read(row, 0, height, self.shape[1])
        if values.dtype != np.uint8:
            return self._encode(values, is_valid)
        codes = np.asarray(cv2.LUT(values, self._table), np.uint16)
        if is_valid is not None:
            codes[~is_valid] = 0
        return codes

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the quantized confidence of some rows; without rows where there is none."""
        if self._confidence is None:
            return np.zeros((0, 0), np.uint8)
        return self._confidence.read(row, 0, height, self.shape[1])

    def _encode(self, values: NDArray[Any], is_valid: Flags | None) -> NDArray[np.uint16]:
        """Convert class ids of any integer type to codes; nodata and masked pixels become 0.

        Raises:
            SourceError: a valid value is no class id. This is checked before the conversion, which wraps around.
        """
        is_class = np.ones(values.shape, np.bool_) if is_valid is None else is_valid.copy()
        for value in self._nodata:
            is_class &= values != value
        ids = values[is_class]
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) > N_CODES - 2):
            raise SourceError(
                f"{self._band.name} has values from {ids.min()} to {ids.max()}, but classes are numbered "
                f"from 0 to {N_CODES - 2}."
            )
        codes = values.astype(np.uint16) + np.uint16(1)
        codes[~is_class] = 0
        return np.asarray(codes, np.uint16)


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
