"""Conflate a new extraction with existing lines: which parts are kept, new, gone or moved.

A person can then maintain a road layer instead of starting again: existing lines keep their identity, and only the
differences have to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from ..context import RunContext
from .arrays import Floats, Ints, Lines
from .crs import Reference, make_metric_crs, transform
from .io.reader import VectorLayer, read_vector_layer

KEPT, NEW, GONE, MOVED = "kept", "new", "gone", "moved"
#: A line has moved where its mean distance from the new line exceeds this share of the tolerance.
MOVED_SHARE = 0.3
#: Shortest part that counts as a change, in tolerances; shorter parts are ends of slightly longer or shorter lines.
SHORTEST_PART = 2.0
#: Metres between the points at which the distance of lines is measured.
_SPACING = 5.0


@dataclass(frozen=True)
class RoadChanges:
    """Differences between existing and new lines.

    Attributes:
        geometry: LineStrings: parts of existing lines that are kept, gone or moved, and parts of new lines.
        change: "kept", "new", "gone" or "moved".
        source: int64, index of the existing line, or of the new line where the change is "new".
        distance: float64, mean distance in metres to the nearest new line; NaN for new and gone parts.
        length: float64, metres.
    """

    geometry: Lines
    change: NDArray[np.object_]
    source: Ints
    distance: Floats
    length: Floats

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return the metres of each kind of change, for the result event."""
        return {f"{kind}_m": float(self.length[self.change == kind].sum()) for kind in (KEPT, NEW, GONE, MOVED)}


def conflate(existing: Lines, new: Lines, distance: float) -> RoadChanges:
    """Compare existing lines with new ones.

    Args:
        existing: LineStrings in metres.
        new: LineStrings in metres.
        distance: tolerance in metres: lines within it of each other are the same road.
    """
    parts: list[tuple[object, str, int, float]] = []
    for number, near in enumerate(_find_near(existing, new, distance)):
        inside, outside = _split(existing[number], near, distance)
        parts += [(part, GONE, number, np.nan) for part in outside]
        for part in inside:
            offset = _mean_distance(part, near, distance)
            parts.append((part, MOVED if offset > MOVED_SHARE * distance else KEPT, number, offset))
    for number, near in enumerate(_find_near(new, existing, distance)):
        parts += [(part, NEW, number, np.nan) for part in _split(new[number], near, distance)[1]]
    geometry = np.empty(len(parts), object)
    geometry[:] = [part[0] for part in parts]
    return RoadChanges(
        geometry,
        np.array([part[1] for part in parts], object),
        np.array([part[2] for part in parts], np.int64),
        np.array([part[3] for part in parts], np.float64),
        np.asarray(shapely.length(geometry), np.float64),
    )


@dataclass(frozen=True)
class ExistingRoads:
    """Lines of a file to conflate with.

    Attributes:
        layer: the lines.
        distance: tolerance in metres, see ``conflate``.
    """

    layer: VectorLayer
    distance: float

    def conflate(self, new: Lines, crs: CRS | None, context: RunContext) -> RoadChanges:
        """Conflate with new lines in ``crs``; the geometries of the result are in ``crs``, too."""
        reference = Reference("the raster", crs, tuple(shapely.total_bounds(new).tolist()))
        layer = self.layer.resolve(reference, context)
        metric = make_metric_crs(layer.crs, layer.bounds)
        changes = conflate(layer.to_crs(metric), transform(new, crs, metric, reference.name), self.distance)
        geometry = transform(changes.geometry, metric, crs, layer.name)
        return replace(changes, geometry=geometry)


def read_existing_roads(path: Path, distance: float, context: RunContext) -> ExistingRoads:
    """Read the lines of a file: its layer ``roads``, or its first layer.

    Args:
        path: the vector file.
        distance: tolerance in metres, see ``conflate``.
        context: receives messages.

    Raises:
        VectorError: the file cannot be read, or holds no lines.
    """
    layer = read_vector_layer(path, context=context, dimensions=(1,), preferred=("roads",), option="--update-layer")
    return ExistingRoads(layer.select((1,), context), distance)


def _find_near(lines: Lines, others: Lines, distance: float) -> list[Lines]:
    """For each line the other lines within the distance."""
    if not len(lines):
        return []
    line, other = shapely.STRtree(others).query(lines, predicate="dwithin", distance=distance)
    order = np.argsort(line, kind="stable")
    return np.split(others[other[order]], np.searchsorted(line[order], np.arange(1, len(lines))))


def _split(line: object, near: Lines, distance: float) -> tuple[list[object], list[object]]:
    """Split a line into the parts within the distance of others and the parts outside, if long enough to count."""
    if not len(near):
        return [], [line]
    around = shapely.union_all(shapely.buffer(near, distance))
    parts = shapely.get_parts(shapely.difference(line, around))
    is_long = shapely.length(parts) >= SHORTEST_PART * distance
    if not is_long.any():
        return shapely.get_parts(line).tolist(), []
    if not is_long.all():
        around = shapely.union_all([around, *shapely.buffer(parts[~is_long], 0.01)])
    inside = shapely.line_merge(shapely.intersection(line, around))
    return [] if shapely.is_empty(inside) else shapely.get_parts(inside).tolist(), parts[is_long].tolist()


def _mean_distance(line: object, near: Lines, distance: float) -> float:
    """Mean distance of points along a line from the nearest of others; points beyond ``distance`` do not count."""
    count = max(2, int(shapely.length(line) / _SPACING) + 1)
    points = shapely.line_interpolate_point(line, np.linspace(0.0, 1.0, count), normalized=True)
    distances = shapely.distance(points, shapely.union_all(near))
    is_close = distances <= distance
    return float(distances[is_close].mean()) if is_close.any() else float(distance)
