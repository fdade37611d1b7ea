"""Run the road pipeline once on synthetic data to fill the JIT cache."""

from __future__ import annotations

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from ...context import RunContext
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, Encoding, ProbabilityRaster
from ..geodesy import PixelGeodesy
from ..jit import HAS_NUMBA
from .areas import road_areas
from .build import build_graph
from .lines import road_lines

_SIDE = 192


def warm_up_kernels() -> None:
    """Compile the kernels or load them from numba's cache.

    Otherwise each is loaded when it is first called, most of them at the end of a run.
    """
    if not HAS_NUMBA:
        return
    raster, options = _SyntheticRoads(), RoadOptions(min_length=20.0, threads=1)
    context, ground = RunContext(), PixelGeodesy(None, Affine.identity())
    graph = build_graph(raster, options, 1.0, context)
    for _ in road_lines(graph, ground, smooth=options.smooth, simplify=options.simplify, levels=PROBABILITY_SCALE):
        pass
    for _ in road_areas(raster, ground, options, context):
        pass


class _SyntheticRoads(ProbabilityRaster):
    """Crossing roads, one of them with a gap and a spur, and a blob that is too small for a road."""

    def __init__(self) -> None:
        super().__init__(
            (_SIDE, _SIDE), Affine.identity(), None, Encoding("quantized probabilities", 1 / PROBABILITY_SCALE)
        )
        self._levels = np.zeros(self.shape, np.uint8)
        for ends in (((0, 60), (191, 70)), ((60, 0), (70, 191)), ((140, 0), (130, 80)), ((130, 104), (140, 191))):
            cv2.line(self._levels, *ends, (PROBABILITY_SCALE,), 7)
        cv2.line(self._levels, (100, 64), (104, 80), (PROBABILITY_SCALE,), 5)
        cv2.circle(self._levels, (160, 160), 4, (PROBABILITY_SCALE,), cv2.FILLED)

    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window; see ``ProbabilityRaster.read``."""
        return self._levels[row : row + height, col : col + width].copy()
