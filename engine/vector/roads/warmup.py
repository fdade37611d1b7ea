"""Run the road pipeline once on synthetic data to fill the JIT cache."""

from __future__ import annotations

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from ...context import RunContext
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..geodesy import PixelGeodesy
from ..jit import HAS_NUMBA
from .areas import polygonize_roads
from .extract import build_graph
from .lines import make_lines

_SIZE = 256


def warm_up_kernels() -> None:
    """Compile the kernels or load them from numba's cache.

    Otherwise each is loaded when it is first called, most of them at the end of a run.
    """
    if not HAS_NUMBA:
        return
    source, options = _SyntheticRoads(), RoadOptions(min_length=20.0, threads=1)
    context, geodesy = RunContext(), PixelGeodesy(None, Affine.identity())
    graph = build_graph(source, options, 1.0, context)
    for _ in make_lines(graph, geodesy, smooth=options.smooth, simplify=options.simplify):
        pass
    for _ in polygonize_roads(source, geodesy, options, context):
        pass


class _SyntheticRoads(ProbabilityRaster):
    """Crossing roads, one of them with a gap and a spur, a corner, a ring, and a blob too small for a road."""

    def __init__(self) -> None:
        super().__init__((_SIZE, _SIZE), Affine.identity(), None)
        self._values = np.zeros(self.shape, np.uint8)
        crossing = (((0, 60), (255, 70)), ((60, 0), (70, 255)), ((140, 0), (130, 80)), ((130, 104), (140, 255)))
        corner = (((158, 150), (215, 150)), ((158, 150), (158, 200)))
        for ends in (*crossing, *corner):
            cv2.line(self._values, *ends, (PROBABILITY_SCALE,), 7)
        cv2.line(self._values, (100, 64), (104, 80), (PROBABILITY_SCALE,), 5)
        cv2.circle(self._values, (160, 160), 4, (PROBABILITY_SCALE,), cv2.FILLED)
        cv2.circle(self._values, (100, 135), 17, (PROBABILITY_SCALE,), 6)

    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window; see ``ProbabilityRaster.read``."""
        return self._values[row : row + height, col : col + width].copy()
