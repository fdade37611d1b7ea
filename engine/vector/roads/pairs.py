"""Find dual roads: two carriageways side by side over a length, similar in width and direction.

Samples and what they have beside them depend on their surroundings alone, and lengths are whole numbers, so that
partitions of a raster find them alike and add them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from ..arrays import Flags, Floats, Ints
from .graph import Graph, label_components

#: Least length of a dual road, in metres.
MIN_LENGTH = 150.0
#: Distance of samples along a row or a column, as a share of the largest distance of carriageways.
_SPACING = 0.4
#: Neighbours of a sample: seven of its own edge and of each of two others are within the distance.
_NEIGHBOURS = 24
#: Largest sine of the angle between carriageways (20 degrees), and largest ratio of their widths.
_MAX_SINE, _MAX_RATIO = 0.34, 1.6
#: Carriageways whose lines are closer than this share of their mean width would lie on each other.
_MIN_OFFSET = 0.7
#: Share of an edge that must have a partner.
MIN_SHARE = 0.6
#: Samples whose neighbours are searched at a time.
_CHUNK = 200_000
#: Points on both sides of a point over which its direction is measured, and its width in spacings of samples.
_DIRECTION_POINTS, _WIDTH_SPACINGS = 3, 5
#: Lengths and widths are whole numbers of this many in a pixel.
_FINE = 256


@dataclass(frozen=True)
class Samples:
    """Points of the edges, about one for each spacing.

    Attributes:
        point: int64 (n,), index of each point.
        edge: int64 (n,), its edge.
        xy: float64 (n, 2), its position in pixels.
        direction: float64 (n, 2), unit vectors.
        width: float64 (n,), width of the road around it in pixels; 0 where that is all closed gap.
        length: int64 (n,), the length of road that it stands for, in 1/256 pixels.
    """

    point: Ints
    edge: Ints
    xy: Floats
    direction: Floats
    width: Floats
    length: Ints


class Sides(NamedTuple):
    """What edges have beside them; edges are numbered from 0.

    Attributes:
        total: int64 (edges,), length of each edge by its samples.
        one: int64 (n,), an edge.
        other: int64 (n,), the edge beside it.
        shared: int64 (n,), over which length of ``one``; rows of the same edges are added up. 0 where the other one is
            not beside it but begins where that ends, as beyond a junction.
    """

    total: Ints
    one: Ints
    other: Ints
    shared: Ints


def find_pairs(graph: Graph, distance: float, min_length: float) -> Ints:
    """Number the dual roads of a network.

    Args:
        graph: the network.
        distance: largest distance between the lines of two carriageways, pixels; 0 finds none.
        min_length: least length of the pair, pixels.

    Returns:
        For each edge the number of its dual road from 1, which both carriageways share; 0 for other edges.
    """
    if distance <= 0.0 or graph.edge_count < 2:
        return np.zeros(graph.edge_count, np.int64)
    samples = sample_edges(graph, distance)
    one, other, shared = find_neighbours(samples, distance)
    total = np.bincount(samples.edge, samples.length, minlength=graph.edge_count).astype(np.int64)
    return choose_pairs(Sides(total, samples.edge[one], samples.edge[other], shared), min_length)


def choose_pairs(sides: Sides, min_length: float) -> Ints:
    """Number the dual roads, given what all edges have beside them; see ``find_pairs``."""
    count = sides.total.size
    matched = coo_array((sides.shared, (sides.one, sides.other)), shape=(count, count)).tocsr()
    both = matched.minimum(matched.T).tocoo()  # a partner in one direction alone is no pair
    link = np.column_stack((sides.one, sides.other)).astype(np.int32)
    shared = np.bincount(both.row, weights=both.data, minlength=count)
    is_paired = shared >= np.maximum(MIN_SHARE * sides.total, 1)
    kept = is_paired[both.row] & is_paired[both.col]
    is_paired &= np.isin(np.arange(count), both.row[kept])
    component = label_components(link[is_paired[link].all(axis=1)], count)
    lengths = np.bincount(component[both.row[kept]], weights=both.data[kept], minlength=count) / (2 * _FINE)
    is_paired &= lengths[component] >= min_length
    pairs = np.zeros(count, np.int64)
    pairs[is_paired] = np.unique(component[is_paired], return_inverse=True)[1] + 1
    return pairs


def sample_edges(graph: Graph, distance: float) -> Samples:
    """Sample the edges where they pass every n-th column, or row where they are steep; not the shortest ones.

    Args:
        graph: the network.
        distance: see ``find_pairs``.
    """
    spacing = max(1, round(distance * _SPACING))
    edge = np.repeat(np.arange(graph.edge_count), np.diff(graph.start))
    first, last = graph.start[:-1][edge], graph.start[1:][edge] - 1
    point = np.arange(edge.size)
    before, after = np.maximum(point - _DIRECTION_POINTS, first), np.minimum(point + _DIRECTION_POINTS, last)
    down, right = graph.row[after] - graph.row[before], graph.col[after] - graph.col[before]
    is_sample = np.where(np.abs(down) > np.abs(right), graph.row % spacing, graph.col % spacing) == 0
    is_sample &= (point > first) & (point < last)  # the ends of edges are shared
    is_sample &= (np.bincount(edge[is_sample], minlength=graph.edge_count) > 1)[edge]
    chosen = np.flatnonzero(is_sample)
    width = _measure_widths(graph, chosen, first[chosen], last[chosen], _WIDTH_SPACINGS * spacing)
    edge, xy = edge[chosen], np.column_stack((graph.col[chosen], graph.row[chosen])).astype(np.float64)
    previous, following = np.arange(len(edge)) - 1, np.arange(len(edge)) + 1
    starts, ends = np.ones(len(edge), bool), np.ones(len(edge), bool)
    starts[1:] = ends[:-1] = edge[1:] != edge[:-1]
    previous[starts] += 1
    following[ends] -= 1
    direction = xy[following] - xy[previous]
    direction /= np.maximum(np.hypot(*direction.T), 1e-9)[:, None]
    steepness = np.maximum(np.abs(direction).max(axis=1, initial=0.0), 0.5)
    length = np.rint(_FINE * spacing / steepness).astype(np.int64)
    return Samples(chosen, edge, xy, direction, width, length)


def _measure_widths(graph: Graph, points: Ints, first: Ints, last: Ints, reach: int) -> Floats:
    """Mean width, in pixels, over ``reach`` points on both sides of some points, as far as the road was seen."""
    width = np.concatenate(([0], np.cumsum(np.rint(graph.width * np.float32(_FINE)).astype(np.int64))))
    seen = np.concatenate(([0], np.cumsum(graph.width > 0.0)))
    begin, stop = np.maximum(points - reach, first), np.minimum(points + reach, last) + 1
    count = seen[stop] - seen[begin]
    return np.asarray((width[stop] - width[begin]) / (_FINE * np.maximum(count, 1)), np.float64)


def find_neighbours(samples: Samples, distance: float) -> tuple[Ints, Ints, Ints]:
    """Find what is beside each sample: the nearest sample of an edge that could be the other carriageway.

    A sample between two such edges has none, as rows of parallel streets and the aisles of a car park have them.

    Args:
        samples: of a network.
        distance: see ``find_pairs``.

    Returns:
        Samples; samples beside them; the lengths of the first ones. Further samples of other carriageways that are not
        beside it but close by have the length 0.
    """
    found: list[tuple[Ints, Ints, Ints]] = [(np.zeros(0, np.int64),) * 3]
    if len(samples.xy):
        tree = cKDTree(samples.xy)
        for begin in range(0, len(samples.xy), _CHUNK):
            own = np.arange(begin, min(begin + _CHUNK, len(samples.xy)))
            gaps, other = tree.query(samples.xy[own], _NEIGHBOURS, distance_upper_bound=distance * (1.0 + _SPACING))
            place, column = np.nonzero(np.isfinite(gaps))
            found.append(_choose_neighbours(samples, own[place], other[place, column], gaps[place, column], distance))
    one, two, length = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return one, two, length


def _choose_neighbours(samples: Samples, one: Ints, two: Ints, gap: Floats, distance: float) -> tuple[Ints, Ints, Ints]:
    """Choose among the samples ``two`` near each of the samples ``one``, see ``find_neighbours``."""
    offset, spacing = samples.xy[two] - samples.xy[one], distance * _SPACING
    aside = _cross(samples.direction[one], offset)
    ahead = np.abs((samples.direction[one] * offset).sum(axis=1))
    sine = np.abs(_cross(samples.direction[one], samples.direction[two]))
    good = (samples.edge[one] != samples.edge[two]) & (sine <= _MAX_SINE) & (ahead <= 2.0 * spacing)
    good &= (np.abs(aside) <= distance) & _are_similar(samples.width[one], samples.width[two], np.abs(aside))
    beside = good & (ahead <= spacing)
    count = len(samples.xy)
    sides = np.zeros((count, 2), np.bool_)
    sides[one[beside], (aside[beside] > 0).astype(np.int64)] = True
    good &= sides[one].sum(axis=1) == 1
    beside &= good
    # The nearest comes first; of two at the same distance the upper or left one, whatever their order.
    ranks = (samples.xy[two, 0], samples.xy[two, 1], gap, np.abs(aside), ~beside, one)
    order = np.flatnonzero(good)[np.lexsort([rank[good] for rank in ranks])]
    one, two, beside = one[order], two[order], beside[order]
    is_nearest = beside & (np.diff(one, prepend=-1) != 0)
    return one, two, np.where(is_nearest, samples.length[one], 0)


def _are_similar(one: Floats, two: Floats, offset: Floats) -> Flags:
    narrow, wide = np.minimum(one, two), np.maximum(one, two)
    return np.asarray((narrow > 0.0) & (wide <= _MAX_RATIO * narrow) & (offset >= _MIN_OFFSET * (one + two) / 2))


def _cross(one: Floats, two: Floats) -> Floats:
    return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0], np.float64)
