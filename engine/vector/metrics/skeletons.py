"""Line F1 of road masks: completeness and correctness of their skeletons, whatever width roads are drawn with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from operator import add

import numpy as np
from scipy.spatial import cKDTree

from ..arrays import Flags, Floats
from ..roads.kernels.thinning import thin
from .network import harmonic_mean

#: Largest distance of matching skeletons, metres.
LINE_BUFFER = 5.0
#: Rows around a window with which its skeleton is that of the whole mask, where no road is wider than twice as much.
SKELETON_MARGIN = 128
#: Pixels in a word of bits.
_WORD = 64


@dataclass(frozen=True)
class BufferCounts:
    """Pixels of a result and its truth, and those of each within a buffer around the other; add them over images.

    Attributes:
        right: pixels of the result within the buffer around the truth.
        result: pixels of the result.
        found: pixels of the truth within the buffer around the result.
        truth: pixels of the truth.
    """

    right: int = 0
    result: int = 0
    found: int = 0
    truth: int = 0

    def __add__(self, other: BufferCounts) -> BufferCounts:
        """Counts of both together."""
        return BufferCounts(*map(add, astuple(self), astuple(other)))

    @property
    def correctness(self) -> float:
        """Share of the result that is right (precision), 0 to 1; NaN without a result."""
        return self.right / self.result if self.result else math.nan

    @property
    def completeness(self) -> float:
        """Share of the truth that is found (recall), 0 to 1; NaN without a truth."""
        return self.found / self.truth if self.truth else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where only the result or only the truth has pixels, NaN where neither has."""
        return harmonic_mean(self.completeness, self.correctness) if self.result or self.truth else math.nan

    @property
    def quality(self) -> float:
        """Right over the union of both, if as much is right as found (Heipke et al. 1997), 0 to 1; NaN as ``f1``."""
        return self.f1 / (2.0 - self.f1)


def compare_skeletons(
    windows: Iterable[tuple[Flags, Flags, Flags]], pixel: tuple[float, float], buffer: float = LINE_BUFFER
) -> BufferCounts:
    """Skeletonize masks and count the pixels of each skeleton that are near the other one.

    What is not counted is left out after that, so that no border of it becomes the end of a road.

    Args:
        windows: road masks of result and truth, and which pixels are counted, three arrays (rows, columns) each.
        pixel: height and width of a pixel, metres.
        buffer: largest distance of matching skeletons, metres.
    """
    total = BufferCounts()
    for result, truth, is_counted in windows:
        pixels = [np.argwhere(skeletonize(mask)) for mask in (result, truth)]
        counts: list[int] = []
        for own, other in (pixels, pixels[::-1]):
            counted = own[is_counted[own[:, 0], own[:, 1]]]
            counts += (_count_near(counted * np.array(pixel), other * np.array(pixel), buffer), len(counted))
        total += BufferCounts(*counts)
    return total


def skeletonize(mask: Flags) -> Flags:
    """Thin a mask (rows, columns) to lines of one pixel, see ``roads.kernels.thinning.thin``."""
    rows, cols = mask.shape
    count = -(-cols // _WORD)
    padded = np.zeros((rows, count * _WORD), np.bool_)
    padded[:, :cols] = mask
    words = np.zeros((count + 2, rows + 2), np.uint64)
    words[1:-1, 1:-1] = np.packbits(padded, axis=1, bitorder="little").view("<u8").T
    thin(words)
    packed = np.ascontiguousarray(words[1:-1, 1:-1].T).astype("<u8").view(np.uint8)
    return np.unpackbits(packed, axis=1, count=cols, bitorder="little").astype(np.bool_)


def _count_near(points: Floats, others: Floats, distance: float) -> int:
    """Count the points (n, 2) that have another one within a distance."""
    if not len(points) or not len(others):
        return 0
    nearest, _ = cKDTree(others).query(points, distance_upper_bound=distance + 1e-6)
    return int(np.isfinite(nearest).sum())
