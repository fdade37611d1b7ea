"""The warm-up compiles or loads every kernel before the first row of a raster arrives."""

import subprocess
import sys

import pytest
from terraspore.engine.vector.jit import HAS_NUMBA

PROGRAM = """
import sys
import numpy as np
from affine import Affine
from terraspore.engine.context import RunContext
from terraspore.engine.vector.geodesy import PixelGeodesy
from terraspore.engine.vector.roads.extract import build_graph
from terraspore.engine.vector.roads.lines import make_lines
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.roads.warmup import warm_up_kernels
from terraspore.engine.vector.roads.areas import polygonize_roads
from terraspore.engine.raster.probability import ProbabilityRaster


class Grid(ProbabilityRaster):
    def __init__(self):
        super().__init__((900, 700), Affine.identity(), None)
        self.values = np.random.default_rng(1).integers(0, 90, self.shape, dtype=np.uint8)
        for at in range(100, 700, 150):
            self.values[:, at : at + 9] = self.values[at : at + 9] = 230
        self.values[300:330] = 0

    def read(self, row, col, height, width):
        return self.values[row : row + height, col : col + width].copy()


def loaded():
    kernels = [value for name, module in sys.modules.items() if name.startswith("terraspore.")
               for value in vars(module).values() if hasattr(value, "signatures")]
    return {(kernel.__name__, signature) for kernel in kernels for signature in kernel.signatures}


warm_up_kernels()
before = loaded()
source, options, context = Grid(), RoadOptions(), RunContext()
graph = build_graph(source, options, 1.0, context)
assert graph.edge_count > 10
list(make_lines(graph, PixelGeodesy(None, Affine.identity()), smooth=3.0, simplify=1.0))
list(polygonize_roads(source, PixelGeodesy(None, Affine.identity()), options, context))
print(len(before), *sorted(name for name, _ in loaded() - before))
"""


@pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")
def test_warm_up_loads_every_kernel_of_the_road_pipeline() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    count, *late = done.stdout.split()
    assert int(count) > 20
    assert not late
