"""The pixels around a partition, and the lines of pixels on both sides of its borders, by which regions are matched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...arrays import Ints, Labels
from ...coverage.codes import CodeSource
from ...coverage.regions import LabelledRuns, RegionMap
from ...roads.centerlines import Tile
from ..layout import grow

TOP, BOTTOM, LEFT, RIGHT = range(4)
_NONE = np.zeros(0, np.int32)


class Halo(NamedTuple):
    """A partition with one pixel more on the sides where the raster goes on.

    Attributes:
        window: the partition.
        outer: the partition with these pixels.
        shape: rows and columns of the raster.
    """

    window: Tile
    outer: Tile
    shape: tuple[int, int]

    @classmethod
    def make(cls, window: Tile, shape: tuple[int, int]) -> Halo:
        """Return the halo of a partition of a raster of ``shape`` (rows, columns)."""
        return cls(window, grow(window, 1, shape), shape)

    @property
    def has_neighbour(self) -> tuple[bool, bool, bool, bool]:
        """Whether the raster goes on at the top, the bottom, the left and the right side."""
        own, outer = self.window, self.outer
        return (
            outer.row < own.row,
            outer.row + outer.height > own.row + own.height,
            outer.col < own.col,
            outer.col + outer.width > own.col + own.width,
        )


class BorderLines(NamedTuple):
    """Regions of the pixels at the four sides, along the whole ``outer`` window; empty where the raster ends.

    Attributes:
        outside: the outermost pixels, by side: those of the neighbours.
        inside: the pixels next to them, which are the partition's but for the first and last one.
    """

    outside: tuple[Labels, Labels, Labels, Labels]
    inside: tuple[Labels, Labels, Labels, Labels]


def read_border_lines(source: CodeSource, region_map: RegionMap, halo: Halo) -> BorderLines:
    """Read the regions along the borders of a partition.

    Args:
        source: the codes of the outer window.
        region_map: its regions.
        halo: the partition.
    """
    rows, cols = halo.outer.height, halo.outer.width
    wanted = (0, 1 % rows, rows - 1, max(rows - 2, 0))
    found_rows: dict[int, Labels] = {}
    columns: list[Labels] = []
    for number in range(region_map.strips):
        runs, region_of = region_map.read_strip(source, number)
        label, top = region_of[runs.component], number * region_map.strip_rows
        for row in wanted:
            if top <= row < top + len(runs.start) - 1:
                found_rows[row] = _expand_row(runs, label, row - top, cols)
        columns.append(_pick_columns(runs, label, np.array([0, 1 % cols, cols - 1, max(cols - 2, 0)]), cols))
    left = np.concatenate(columns).T
    lines = [found_rows[wanted[0]], found_rows[wanted[2]], left[0], left[2]]
    inner = [found_rows[wanted[1]], found_rows[wanted[3]], left[1], left[3]]
    has = halo.has_neighbour
    outside, inside = (
        tuple(line.astype(np.int32) if is_there else _NONE for line, is_there in zip(each, has, strict=True))
        for each in (lines, inner)
    )
    return BorderLines(outside, inside)  # type: ignore[arg-type]  # both have four items


def _expand_row(runs: LabelledRuns, label: Labels, row: int, cols: int) -> Labels:
    """Return the label of each pixel of a row."""
    own = slice(runs.start[row], runs.start[row + 1])
    return np.asarray(np.repeat(label[own], np.diff(runs.col[own], append=cols)), np.int32)


def _pick_columns(runs: LabelledRuns, label: Labels, wanted: Ints, cols: int) -> Labels:
    """Return the labels of the pixels of some columns, (rows, columns)."""
    first = np.arange(len(runs.start) - 1) * cols
    position = np.repeat(first, np.diff(runs.start)) + runs.col
    return np.asarray(label[np.searchsorted(position, first[:, np.newaxis] + wanted, side="right") - 1], np.int32)


def list_foreign_sides(lines: BorderLines, halo: Halo) -> Iterator[tuple[Labels, Labels]]:
    """Yield the regions on both sides of those sides of pixels that belong to other partitions.

    A side of two pixels belongs to the partition of the lower or the right one.

    Args:
        lines: the regions along the borders.
        halo: the partition.
    """
    top, bottom, left, right = halo.has_neighbour
    if top:
        yield lines.outside[TOP][:-1], lines.outside[TOP][1:]
    if bottom:
        yield lines.outside[BOTTOM][:-1], lines.outside[BOTTOM][1:]
        yield lines.inside[BOTTOM], lines.outside[BOTTOM]
    # Those of the lowest pixels were yielded just now.
    end = halo.outer.height - bottom
    for side, is_there in ((LEFT, left), (RIGHT, right)):
        if is_there:
            yield lines.outside[side][: end - 1], lines.outside[side][1:end]
    if right:
        own = slice(int(top), end)
        yield lines.inside[RIGHT][own], lines.outside[RIGHT][own]


def list_foreign_pixels(lines: BorderLines, halo: Halo) -> Iterator[Labels]:
    """Yield the regions of the pixels of other partitions, each pixel once."""
    top, bottom, _, _ = halo.has_neighbour
    yield from lines.outside[:2]
    for side in lines.outside[2:]:
        if side.size:
            yield side[int(top) : side.size - bottom]
