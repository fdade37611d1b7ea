"""Conflate a new extraction with existing lines: which parts are kept, new, gone or moved.

A person can then maintain a road layer instead of starting again: existing lines keep their identity, and only the
differences have to be looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

from ..context import RunContext
from ..raster.probability import ProbabilityRaster
from .arrays import Flags, Floats, Ints, Lines
from .crs import Bounds, Reference, describe_crs, explain_distance, make_metric_crs, make_outline, transform
from .geodesy import measure_lengths
from .io.reader import VectorLayer, read_vector_layer

KEPT, NEW, GONE, MOVED, NOT_EXAMINED = "kept", "new", "gone", "moved", "not examined"
#: A line has moved where its mean distance from the new line exceeds this share of the tolerance.
MOVED_SHARE = 0.3
#: Shortest part that counts as a change, in tolerances; shorter parts are ends of slightly longer or shorter lines.
SHORTEST_PART = 2.0
#: Metres between the points at which the distance of lines is measured.
_SPACING = 5.0
#: Distance of the points at which a line's pixels are looked up, in tolerances.
_LOOKUP_SPACING = 0.25
#: Rows of a raster that are read at a time.
_ROWS = 512


@dataclass(frozen=True)
class RoadChanges:
    """Differences between existing and new lines.

    Attributes:
        geometry: LineStrings: parts of existing lines, and parts of new lines.
        change: "kept", "gone", "moved" or "not examined" for parts of existing lines, "new" for those of new ones.
        source: int64, index of the existing line, or of the new line where the change is "new".
        distance: float64, mean distance in metres to the nearest new line; NaN except for kept and moved parts.
        length: float64, metres.
    """

    geometry: Lines
    change: NDArray[np.object_]
    source: Ints
    distance: Floats
    length: Floats

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return the metres of each kind of change, for the result event."""
        kinds = (KEPT, NEW, GONE, MOVED, NOT_EXAMINED)
        return {f"{kind.replace(' ', '_')}_m": float(self.length[self.change == kind].sum()) for kind in kinds}


def conflate(existing: Lines, new: Lines, distance: float, is_examined: Flags | None = None) -> RoadChanges:
    """Compare existing lines with new ones.

    Args:
        existing: LineStrings in metres.
        new: LineStrings in metres.
        distance: tolerance in metres: lines within it of each other are the same road.
        is_examined: which existing lines are compared; None for all. The others still make near lines not new.
    """
    parts: list[tuple[object, str, int, float]] = []
    for number, near in enumerate(_find_near(existing, new, distance)):
        if is_examined is not None and not is_examined[number]:
            parts.append((existing[number], NOT_EXAMINED, number, np.nan))
            continue
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
        layer: the lines, one LineString each, in the CRS that they are really in.
        reference: the raster of the new lines.
        distance: tolerance in metres, see ``conflate``.
    """

    layer: VectorLayer
    reference: Reference
    distance: float

    def conflate(self, new: Lines, source: ProbabilityRaster, context: RunContext) -> RoadChanges:
        """Conflate with new lines where the raster that they were made of has valid pixels.

        Args:
            new: LineStrings in the CRS of the raster.
            source: the raster.
            context: receives a warning where no existing line was examined.

        Returns:
            The changes, with geometries in the CRS of the raster; ``source`` of parts of existing lines is the id of
            their feature.
        """
        layer, reference = self.layer, self.reference
        crs, name, center = reference.crs, reference.name, (reference.bounds[0] + reference.bounds[2]) / 2
        metric = make_metric_crs(crs, reference.bounds)
        inverse = ~source.transform

        def is_valid(points: Lines) -> Flags:
            """Look up the pixels at points in metres."""
            x, y = shapely.get_coordinates(transform(points, metric, crs, name, near=center)).T
            return _look_up_valid(source, np.column_stack(inverse @ (x, y)))

        lines = layer.to_crs(metric)
        outline = transform(np.array([make_outline(reference.bounds)], object), crs, metric, name)
        parts, index, is_examined = _split_by_validity(
            lines, shapely.total_bounds(outline).tolist(), is_valid, self.distance
        )
        if not len(parts):
            context.warn(f"No lines in {layer.name}, so every road is new.")
        elif not is_examined.any():
            reason = explain_distance(layer.reference, reference) or ""
            text = f"No road of {layer.name} lies on valid pixels of {name}, so none was examined. {reason}"
            context.warn(text.rstrip())
        changes = conflate(parts, transform(new, crs, metric, name), self.distance, is_examined)
        geometry = transform(changes.geometry, metric, crs, layer.name, near=center)
        is_old = changes.change != NEW
        feature = changes.source.copy()
        feature[is_old] = layer.ids[index[changes.source[is_old]]]
        is_near = np.isfinite(shapely.bounds(geometry)).all(axis=1)
        if not is_near.all():
            context.warn(
                f"{(~is_near).sum()} roads of {layer.name} are too far away to be written in {describe_crs(crs)}."
            )
        # Far from the raster, the plane in metres is distorted.
        length = measure_lengths(changes.geometry, metric)
        values = (geometry, changes.change, feature, changes.distance, length)
        return RoadChanges(*(column[is_near] for column in values))


def read_existing_roads(
    path: Path, layer: str | None, distance: float, reference: Reference, context: RunContext
) -> ExistingRoads:
    """Read the lines of a file.

    Args:
        path: the vector file.
        layer: name of the layer; None for ``roads`` or else the first with lines.
        distance: tolerance in metres, see ``conflate``.
        reference: the raster of the new lines.
        context: receives messages.

    Raises:
        VectorError: the file cannot be read, holds no lines, or contradicts its CRS.
    """
    found = read_vector_layer(
        path, layer, context=context, dimensions=(1,), preferred=("roads",), option="--update-layer"
    )
    return ExistingRoads(found.select((1,), context).resolve(reference, context), reference, distance)


def _split_by_validity(
    lines: Lines, bounds: Bounds, is_valid: Callable[[Lines], Flags], distance: float
) -> tuple[Lines, Ints, Flags]:
    """Split lines into parts on valid pixels and others; parts that are too short to count stay with their neighbours.

    Args:
        lines: LineStrings in metres.
        bounds: of the raster, in the CRS of the lines; lines outside are not looked up.
        is_valid: returns whether the pixels at points (n,) are valid.
        distance: tolerance, see ``conflate``.

    Returns:
        The parts, the index of each part's line, and whether it is on valid pixels.
    """
    west, south, east, north = shapely.bounds(lines).T
    near = np.flatnonzero((west <= bounds[2]) & (east >= bounds[0]) & (south <= bounds[3]) & (north >= bounds[1]))
    length = shapely.length(lines[near])
    count = np.maximum(1, np.ceil(length / max(_LOOKUP_SPACING * distance, 0.5))).astype(np.int64)
    line = np.repeat(np.arange(len(near)), count)
    first = np.cumsum(count) - count
    along = (np.arange(len(line)) - first[line] + 0.5) / count[line]
    points = shapely.line_interpolate_point(lines[near][line], along, normalized=True)
    valid = is_valid(points)
    far = np.setdiff1d(np.arange(len(lines)), near).tolist()
    parts: list[tuple[object, int, bool]] = [(lines[k], k, False) for k in far]
    for number, k in enumerate(near.tolist()):
        states = valid[first[number] : first[number] + count[number]]
        shortest = SHORTEST_PART * distance * count[number] / length[number] if length[number] else 0.0
        for state in (False, True):
            runs = _find_runs(states)
            for start, stop in runs:
                if len(runs) > 1 and states[start] == state and stop - start < shortest:
                    states[start:stop] = not state
        for start, stop in _find_runs(states):
            whole = stop - start == len(states)
            ends = (start / len(states), stop / len(states))
            part = lines[k] if whole else substring(lines[k], *ends, normalized=True)
            parts.append((part, k, bool(states[start])))
    geometry = np.empty(len(parts), object)
    geometry[:] = [part[0] for part in parts]
    return geometry, np.array([part[1] for part in parts], np.int64), np.array([part[2] for part in parts], np.bool_)


def _find_runs(states: Flags) -> list[tuple[int, int]]:
    """Start and end of each run of equal values."""
    edges = [0, *(np.flatnonzero(states[1:] != states[:-1]) + 1).tolist(), len(states)]
    return list(itertools.pairwise(edges))


def _look_up_valid(source: ProbabilityRaster, pixel: Floats) -> Flags:
    """Whether the pixels at pixel coordinates (n, 2) are within the raster and valid, (n,)."""
    height, width = source.shape
    found = np.zeros(len(pixel), np.bool_)
    inside = np.flatnonzero(((pixel >= 0) & (pixel < (width, height))).all(axis=1))
    col, row = pixel[inside].astype(np.int64).T
    for top in np.unique(row // _ROWS * _ROWS).tolist():
        here = np.flatnonzero((row >= top) & (row < top + _ROWS))
        left, right = int(col[here].min()), int(col[here].max()) + 1
        valid = source.read_valid(top, left, min(_ROWS, height - top), right - left)
        found[inside[here]] = valid[row[here] - top, col[here] - left]
    return found


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
