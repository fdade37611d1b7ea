"""Encode blended probabilities as the bytes of a raster; values that another process can use, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..fs.spool import UInt8Array
from ..raster.bands import Mask
from ..raster.probability import binarize, classify, quantize
from ..tiling import Floats


class Encoder(Protocol):
    """Encodes each pixel by itself."""

    @property
    def bands(self) -> int:
        """Bands of the raster."""

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array, /) -> None:
        """Encode blended probabilities, which are not changed.

        Args:
            probability: (classes, rows, columns), 0 to 1.
            valid: (rows, columns), or None if all pixels are.
            out: (bands, rows, columns), ``NODATA`` where a pixel is not valid.
        """


@dataclass(frozen=True)
class ProbabilityEncoder:
    """Quantized probabilities, one band for each class.

    Attributes:
        bands: number of classes.
    """

    bands: int

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array) -> None:
        """Quantize; see ``Encoder.encode``."""
        quantize(probability, valid, out)


@dataclass(frozen=True)
class ClassEncoder:
    """The most probable class, and its quantized probability where it is wanted or decides the class.

    Attributes:
        ids: the class id of each layer.
        threshold: for a single layer, the probability from which a pixel is 1 and not 0.
        has_confidence: whether the probability is wanted.
    """

    ids: tuple[int, ...]
    threshold: float
    has_confidence: bool

    @property
    def bands(self) -> int:
        """Class, and perhaps probability."""
        return 2 if self.has_confidence or len(self.ids) == 1 else 1

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array) -> None:
        """Choose the class; see ``Encoder.encode``."""
        if len(self.ids) == 1:
            binarize(probability, valid, self.threshold, out)
        else:
            classify(probability, valid, np.array(self.ids, np.uint8), out)
