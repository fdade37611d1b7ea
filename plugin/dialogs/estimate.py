"""How much work an area is, before a run. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """Size of a run: pixels as the model sees them, and tiles."""

    width: int
    height: int
    tiles: int


def estimate_work(width_m: float, height_m: float, resolution: float, tile: int, overlap: int) -> Work | None:
    """The work for an area.

    Args:
        width_m: width on the ground in m.
        height_m: height on the ground in m.
        resolution: the model's ground resolution in m per pixel.
        tile: edge of a tile in pixels.
        overlap: overlap of tiles in pixels.

    Returns:
        The work; None where a number is missing.
    """
    if min(width_m, height_m, resolution, tile) <= 0 or not tile > overlap >= 0:
        return None
    width, height = max(1, round(width_m / resolution)), max(1, round(height_m / resolution))
    return Work(width, height, _tiles(width, tile, overlap) * _tiles(height, tile, overlap))


def _tiles(length: int, tile: int, overlap: int) -> int:
    return 1 if length <= tile else math.ceil((length - overlap) / (tile - overlap))
