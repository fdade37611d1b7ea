"""Gaps between roads that do not quite point at each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.roads.extract import vectorize_roads


@pytest.mark.parametrize("across", [16, 24, 32])
def test_two_ends_that_pass_each_other_are_joined_once(
    tmp_path: Path, write_raster: Callable[..., Path], across: int
) -> None:
    """Each end is nearest to the other road just beside its end: closing both gaps would enclose a sliver."""
    mask = np.zeros((300, 300), np.uint8)
    for line in ([(20, 60), (100, 140)], [(100 + across, 134), (180 + across, 214)]):
        cv2.polylines(mask, [np.array(line, np.int32).reshape(-1, 1, 2)], False, 255, thickness=7)
    summary = vectorize_roads(
        write_raster(mask),
        tmp_path / "roads.gpkg",
        RoadOptions(areas=False),
        metadata={},
        context=RunContext(),
    )
    assert (summary.edges, summary.nodes, summary.pieces) == (1, 2, 1)
    assert summary.bridged > 0
