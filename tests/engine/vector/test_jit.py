"""Kernels as plain Python, where numba is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyogrio

Writer = Callable[..., Path]


def test_vectors_are_the_same_without_numba_and_a_message_warns(tmp_path: Path, write_raster: Writer) -> None:
    """The same features from plain Python, in a process that cannot import numba."""
    mask = np.zeros((160, 160), np.uint8)
    cv2.polylines(mask, [np.array([[0, 80], [70, 80]]), np.array([[95, 80], [159, 80]])], False, 255, 7)
    cv2.polylines(mask, [np.array([[120, 80], [120, 159]])], False, 255, 7)
    classes = np.kron(np.array([[1, 2, 2], [2, 1, 2], [3, 3, 0]], np.uint8), np.ones((20, 20), np.uint8))
    roads, classes = write_raster(mask, "roads.tif"), write_raster(classes, "classes.tif", nodata=0)
    code = """
import sys
if sys.argv[1] == "plain":
    sys.modules["numba"] = None
from terraspore.engine.cli import run
sys.exit(max(run(["vectorize", "roads", sys.argv[2], "-o", sys.argv[4] + "_roads.gpkg", "--min-length", "20"]),
             run(["vectorize", "landcover", sys.argv[3], "-o", sys.argv[4] + "_landcover.gpkg"])))
"""
    texts = {}
    for kind in ("compiled", "plain"):
        command = [sys.executable, "-c", code, kind, str(roads), str(classes), str(tmp_path / kind)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        texts[kind] = done.stderr
    assert "numba is not installed" in texts["plain"]
    assert "numba" not in texts["compiled"]
    for name, layers in (("roads", ("roads", "road_nodes", "road_areas")), ("landcover", ("landcover",))):
        for layer in layers:
            one, other = (pyogrio.raw.read(tmp_path / f"{k}_{name}.gpkg", layer=layer) for k in texts)
            assert one[2].tolist() == other[2].tolist()
            assert [repr(c.tolist()) for c in one[3]] == [repr(c.tolist()) for c in other[3]]
