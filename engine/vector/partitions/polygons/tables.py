"""What a traced partition stores: finished polygons, and arcs and sums of those that other partitions complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....protocol.options import CoverageOptions
from ...arrays import Flags, Ints
from ...coverage.breaks import BREAKS, Breaks

#: Files of each partition, and the file of the ``OpenRegions``.
MEASURED, MERGED, TRACED, OPEN = ".regions", ".merged", ".polygons", "open.merged"


@dataclass(frozen=True)
class CoverageFrame:
    """What all partitions of a coverage have in common.

    Attributes:
        name: of the raster.
        shape: its rows and columns.
        options: minimum mapping units, simplification, smoothing, and the classes that get polygons.
        regularized: ids of the classes that get right angles.
        breaks: where arcs end: at least at the borders of all partitions.
    """

    name: str
    shape: tuple[int, int]
    options: CoverageOptions
    regularized: tuple[int, ...] = ()
    breaks: Breaks = BREAKS


class FirstPixels(NamedTuple):
    """The regions whose first pixel lies in a partition.

    Attributes:
        key: int64 (n,), ascending.
        is_included: bool (n,), whether the region gets a polygon.
    """

    key: Ints
    is_included: Flags


class RegionParts(NamedTuple):
    """The parts of open regions in a partition, ascending by key.

    Attributes:
        key: int64 (n,), of the region.
        area: int64 (n,), pixels.
        confidence: int64 (n,), sum over them.
    """

    key: Ints
    area: Ints
    confidence: Ints


class PolygonTable(NamedTuple):
    """What is known of each of the finished ``Polygons``, whose points are on the lattice of the raster.

    Attributes:
        key: int64 (n,), of the region.
        code: uint16 (n,), class code.
        pixels: int64 (n,).
        confidence: int64 (n,), sum over the pixels.
    """

    key: Ints
    code: NDArray[np.uint16]
    pixels: Ints
    confidence: Ints
