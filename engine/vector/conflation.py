"""Conflate a new extraction with existing lines: what is kept, new, gone or moved.

So a person maintains a road layer instead of starting again: the existing lines keep their identity, and only what
differs has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from .metrics.inputs import Layer, metric_crs, read_layer, to_crs

Lines = NDArray[np.object_]
Floats = NDArray[np.float64]

KEPT, NEW, GONE, MOVED = "kept", "new", "gone", "moved"
#: A line that is further away than this share of the distance, on average, has moved.
MOVED_SHARE = 0.3
#: Parts shorter than this many distances are ends of lines that are a little longer or shorter, and no change.
SHORTEST_PART = 2.0
#: Metres between the points at which the distance of lines is measured.
_SPACING = 5.0


@dataclass(frozen=True)
class Changes:
    """Differences between existing and new lines.

    Attributes:
        geometry: LineStrings: parts of existing lines that are kept, gone or have moved, parts of new lines.
        change: "kept", "new", "gone" or "moved".
        source: int64, index of the existing line, or of the new line where the change is "new".
        distance: float64, mean distance in metres to the nearest new line; NaN for what is new or gone.
        length: float64, metres.
    """

    geometry: Lines
    change: NDArray[np.object_]
    source: NDArray[np.int64]
    distance: Floats
    length: Floats

    def figures(self) -> dict[str, float | int | str | None]:
        """Metres of each kind of change."""
        return {f"{kind}_m": self.metres(kind) for kind in (KEPT, NEW, GONE, MOVED)}

    def metres(self, kind: str) -> float:
        """Metres of one kind of change."""
        return float(self.length[self.change == kind].sum())


def conflate(existing: Lines, new: Lines, distance: float) -> Changes:
    """Compare existing lines with new ones.

    Args:
        existing: LineStrings in metres.
        new: LineStrings in metres.
        distance: lines within this many metres of each other are the same road.
    """
    found = [_existing_parts(number, line, near, distance) for number, line, near in _near(existing, new, distance)]
    found += [_new_parts(number, line, near, distance) for number, line, near in _near(new, existing, distance)]
    rows = [row for part in found for row in part]
    geometry = np.empty(len(rows), object)
    geometry[:] = [row[0] for row in rows]
    return Changes(
        geometry,
        np.array([row[1] for row in rows], object),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.asarray(shapely.length(geometry), np.float64),
    )


@dataclass(frozen=True)
class ExistingRoads:
    """Lines of a file to conflate with, and how far apart the same road may be."""

    layer: Layer
    distance: float

    def compare(self, new: Lines, crs: CRS | None) -> Changes:
        """Conflate with new lines in ``crs``; the geometries of the result are in ``crs``, too."""
        metric = metric_crs(self.layer)
        parts = np.asarray(shapely.get_parts(to_crs(self.layer, metric)), np.object_)
        changes = conflate(parts, to_crs(Layer(new, {}, crs), metric), self.distance)
        back = to_crs(Layer(changes.geometry, {}, metric), crs)
        return Changes(back, changes.change, changes.source, changes.distance, changes.length)


def read_existing(path: Path, distance: float) -> ExistingRoads:
    """Read the lines of a file: its layer ``roads``, or its first.

    Raises:
        VectorError: the file cannot be read.
    """
    return ExistingRoads(read_layer(path, None, ("roads",)), distance)


Row = tuple[object, str, int, float]


def _near(lines: Lines, others: Lines, distance: float) -> list[tuple[int, object, Lines]]:
    """Each line with those of the others that come within the distance."""
    if not len(lines):
        return []
    which, other = shapely.STRtree(others).query(lines, predicate="dwithin", distance=distance)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(lines) + 1))
    return [(n, lines[n], others[other[order[bounds[n] : bounds[n + 1]]]]) for n in range(len(lines))]


def _split(line: object, near: Lines, distance: float) -> tuple[object, list[object]]:
    """The part of a line within the distance of others, and the parts outside that are long enough to count."""
    if not len(near):
        return None, [line]
    around = shapely.union_all(shapely.buffer(near, distance))
    parts = shapely.get_parts(shapely.difference(line, around))
    long = shapely.length(parts) >= SHORTEST_PART * distance
    if not long.any():
        return line, []
    if not long.all():
        around = shapely.union_all([around, *shapely.buffer(parts[~long], 0.01)])
    inside = shapely.line_merge(shapely.intersection(line, around))
    return (None if shapely.is_empty(inside) else inside), parts[long].tolist()


def _existing_parts(number: int, line: object, near: Lines, distance: float) -> list[Row]:
    inside, outside = _split(line, near, distance)
    rows: list[Row] = [(part, GONE, number, np.nan) for part in outside]
    for part in [] if inside is None else shapely.get_parts(inside).tolist():
        off = _mean_distance(part, near, distance)
        rows.append((part, MOVED if off > MOVED_SHARE * distance else KEPT, number, off))
    return rows


def _new_parts(number: int, line: object, near: Lines, distance: float) -> list[Row]:
    return [(part, NEW, number, np.nan) for part in _split(line, near, distance)[1]]


def _mean_distance(line: object, near: Lines, distance: float) -> float:
    """The mean distance of a line's points from the nearest of others; those beyond ``distance`` do not count."""
    count = max(2, int(shapely.length(line) / _SPACING) + 1)
    points = shapely.line_interpolate_point(line, np.linspace(0.0, 1.0, count), normalized=True)
    away = shapely.distance(points, shapely.union_all(near))
    close = away <= distance
    return float(away[close].mean()) if close.any() else float(distance)
