"""Lead arcs around the walls of regularized rings that they would touch or cross."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from ..arrays import Flags, Floats, Ints, make_offsets
from .arcs import Arcs
from .kernels.arcs import gather_points
from .simplify import UNITS

#: How far from the walls arcs are led, in units of the lattice: half a pixel. No region fits in between.
_MARGIN = UNITS // 2


def lead_around(arcs: Arcs, is_led: Flags, outlines: NDArray[np.object_], reach: float) -> tuple[Arcs, Flags]:
    """Lead arcs around outlines that they touch or cross.

    The ends of the arcs stay. What lies within half a pixel of an outline, or inside, is replaced by the shorter way
    around it at that distance, unless the arc would move too far.

    Args:
        arcs: on the lattice.
        is_led: bool (n,), the arcs that may be changed.
        outlines: polygons on the lattice; arcs belong outside of them.
        reach: how far an arc may be moved, in units of the lattice.

    Returns:
        The arcs; which of them, bool (n,), were changed.
    """
    led = np.flatnonzero(is_led)
    if not len(led) or not len(outlines):
        return arcs, np.zeros(arcs.number, np.bool_)
    lines = [shapely.linestrings(arcs.points[arcs.start[arc] : arcs.start[arc + 1]]) for arc in led]
    changed: dict[int, shapely.LineString] = {}
    line_number, outline_number = shapely.STRtree(outlines).query(lines, predicate="intersects")
    for number, outline in zip(line_number.tolist(), outline_number.tolist(), strict=True):
        zone = shapely.buffer(outlines[outline], _MARGIN, join_style="mitre")
        line = _go_around(changed.get(number, lines[number]), zone.exterior)
        if line is not None and shapely.hausdorff_distance(line, lines[number]) <= reach:
            changed[number] = line
    if not changed:
        return arcs, np.zeros(arcs.number, np.bool_)
    return _replace(arcs, {int(led[number]): line for number, line in changed.items()})


def _go_around(line: shapely.LineString, border: shapely.LinearRing) -> shapely.LineString | None:
    """Replace what of a line lies within a border by the shorter ways along the border; None for the whole line."""
    outside = shapely.get_parts(shapely.difference(line, shapely.polygons(border)))
    outside = outside[np.argsort(shapely.line_locate_point(line, shapely.get_point(outside, 0)))]
    if not len(outside):
        return None
    pieces = [shapely.get_coordinates(outside[0])]
    for part in outside[1:]:
        xy = shapely.get_coordinates(part)
        pieces += [_follow(border, pieces[-1][-1], xy[0]), xy]
    ends = shapely.get_coordinates(line)[[0, -1]]
    points = np.rint(np.concatenate((ends[:1], *pieces, ends[1:])))
    is_new = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
    return shapely.linestrings(points[is_new]) if is_new.sum() > 1 else None


def _follow(border: shapely.LinearRing, begin: Floats, end: Floats) -> Floats:
    """Return the vertices of a border on the shorter way between two of its points."""
    vertices: Floats = shapely.get_coordinates(border)[:-1]
    at = shapely.line_locate_point(border, shapely.points(vertices))
    first, last = shapely.line_locate_point(border, shapely.points([begin, end])).tolist()
    length = shapely.length(border)
    is_forward = (last - first) % length <= length / 2
    low, high = (first, last) if is_forward else (last, first)
    behind = (at - low) % length
    passed = np.flatnonzero(behind < (high - low) % length)
    passed = passed[np.argsort(behind[passed])]
    return vertices[passed if is_forward else passed[::-1]]


def _replace(arcs: Arcs, lines: dict[int, shapely.LineString]) -> tuple[Arcs, Flags]:
    """Give some arcs the points of lines; which, bool (n,)."""
    index: Ints = np.arange(arcs.number)
    is_changed = np.zeros(arcs.number, np.bool_)
    points, sizes = [arcs.points], [np.diff(arcs.start)]
    for number, (arc, line) in enumerate(lines.items()):
        xy = shapely.get_coordinates(line).astype(arcs.points.dtype)
        index[arc], is_changed[arc] = arcs.number + number, True
        points.append(xy)
        sizes.append(np.array([len(xy)]))
    start = make_offsets(np.concatenate(sizes))
    gathered, gathered_start = gather_points(np.concatenate(points), start, index)
    return arcs._replace(points=gathered, start=gathered_start), is_changed
