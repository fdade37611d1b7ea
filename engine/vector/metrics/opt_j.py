"""OPT-J: junctions and ends of two road networks, matched by place and by the number of roads that meet there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.spatial import cKDTree

from ..arrays import Floats, Ints
from .network import Network, PrecisionRecall

#: Largest distance of matching junctions, and below which a vertex is taken instead of a new one: 25 and 10 pixels of
#: 0.6 m in the published code, metres.
_SNAP, _EXISTING = 15.0, 6.0
#: Nearest candidates that are tried for a junction.
_TRIED = 5


@dataclass(frozen=True)
class _Vertices:
    """The vertices of a network, nodes first.

    Attributes:
        xy: float64 (n, 2), coordinates in metres.
        order: int64 (n,), roads that meet there; 2 within a line.
        segments: int64 (segments, 2), the vertices at the ends of each segment, nodes first.
    """

    xy: Floats
    order: Ints
    segments: Ints

    def list_junctions(self) -> Ints:
        """List the vertices where other than two roads meet."""
        return np.flatnonzero(self.order != 2).astype(np.int64)


def opt_j(result: Network, truth: Network) -> PrecisionRecall:
    """OPT-J (Citraro, Koziński and Fua 2020, ECCV): how many of the roads at junctions and ends are right.

    Every junction and end of the truth is snapped to the result and matched with one of its junctions or snapped
    places there, then those of the result that are left are matched with places of the truth. The smaller number of
    roads of each pair is right; that of the result counts for precision, that of the truth for recall.

    Junctions choose one after the other, from west to east; who chooses first can take another one's counterpart.

    Args:
        result: the network to score.
        truth: the reference.
    """
    if not len(result.lines) or not len(truth.lines):
        return PrecisionRecall(0.0, 0.0)
    own, reference = _read_vertices(result), _read_vertices(truth)
    junctions = reference.list_junctions()
    matched, order = _match(reference.xy[junctions], reference.order[junctions], own)
    rest = np.setdiff1d(own.list_junctions(), matched)
    matched_truth, truth_order = _match(own.xy[rest], own.order[rest], reference)
    of_truth = np.concatenate((reference.order[junctions], np.where(matched_truth >= 0, truth_order, 0)))
    of_result = np.concatenate((np.where(matched >= 0, order, 0), own.order[rest]))
    right = float(np.minimum(of_truth, of_result).sum())
    return PrecisionRecall(right / max(int(of_result.sum()), 1), right / max(int(of_truth.sum()), 1))


def _read_vertices(network: Network) -> _Vertices:
    """Read the vertices of a network; those within its lines have numbers after its nodes."""
    xy, line = shapely.get_coordinates(network.lines, return_index=True)
    is_first, is_last = np.ones(len(line), np.bool_), np.ones(len(line), np.bool_)
    is_first[1:] = is_last[:-1] = line[1:] != line[:-1]
    is_inner = ~(is_first | is_last)
    count = len(network.nodes)
    vertex = np.empty(len(line), np.int64)
    vertex[is_first], vertex[is_last] = network.ends[:, 0], network.ends[:, 1]
    vertex[is_inner] = count + np.arange(int(is_inner.sum()))
    segments = np.sort(np.stack((vertex[:-1], vertex[1:]), axis=1)[line[1:] == line[:-1]], axis=1)
    order = np.full(count + int(is_inner.sum()), 2, np.int64)
    order[:count] = network.degree()
    return _Vertices(np.concatenate((network.nodes, xy[is_inner])), order, segments)


def _match(xy: Floats, order: Ints, other: _Vertices) -> tuple[Ints, Ints]:
    """Match junctions with the junctions of another network, and with the places there to which they are snapped.

    Args:
        xy: float64 (n, 2), coordinates of the junctions in metres.
        order: int64 (n,), roads that meet there.
        other: the other network.

    Returns:
        The vertex of each junction's counterpart, numbers after those of ``other`` for places between its vertices,
        -1 for none; roads that meet there.
    """
    snapped, new_xy = _snap(xy, other)
    places = np.concatenate((other.xy, new_xy))
    orders = np.concatenate((other.order, np.full(len(new_xy), 2, np.int64)))
    candidates = np.union1d(other.list_junctions(), snapped[snapped >= 0])
    found, found_order = np.full(len(xy), -1, np.int64), np.zeros(len(xy), np.int64)
    if not len(candidates) or not len(xy):
        return found, found_order
    count = min(_TRIED, len(candidates))
    distance, nearest = cKDTree(places[candidates]).query(xy, count)
    distance, nearest = distance.reshape(len(xy), count), nearest.reshape(len(xy), count)
    is_free = np.ones(len(places), np.bool_)
    for number in range(len(xy)):
        tried = candidates[nearest[number]]
        is_near = (distance[number] <= _SNAP) & is_free[tried]
        if not is_near.any():
            continue
        # The number of roads decides, whatever the distance.
        difference = np.abs(orders[tried] - order[number])
        best = np.lexsort((distance[number], difference, ~is_near))[0]
        found[number], found_order[number] = tried[best], orders[tried[best]]
        is_free[tried[best]] = False
    return found, found_order


def _snap(xy: Floats, other: _Vertices) -> tuple[Ints, Floats]:
    """Snap points to the nearest segments of a network, there to a vertex or to a new place.

    Returns:
        The vertex of each point, numbers after those of ``other`` for new places, -1 for none; the new places.
    """
    snapped = np.full(len(xy), -1, np.int64)
    tree = shapely.STRtree(shapely.linestrings(other.xy[other.segments]))
    index, segment = tree.query_nearest(shapely.points(xy), max_distance=_SNAP, all_matches=False)
    first, last = other.segments[segment].T
    begin, step, point = other.xy[first], other.xy[last] - other.xy[first], xy[index]
    share = np.einsum("ij,ij->i", point - begin, step) / np.maximum(np.einsum("ij,ij->i", step, step), 1e-12)
    to_first = np.hypot(*(begin - point).T)
    to_last = np.hypot(*(other.xy[last] - point).T)
    is_first = (share <= 0.0) | ((share < 1.0) & (to_first < _EXISTING))
    is_last = ~is_first & ((share >= 1.0) | (to_last < _EXISTING))
    is_new = ~is_first & ~is_last
    snapped[index[is_first]], snapped[index[is_last]] = first[is_first], last[is_last]
    snapped[index[is_new]] = len(other.xy) + np.arange(int(is_new.sum()))
    return snapped, (begin + share[:, None] * step)[is_new]
