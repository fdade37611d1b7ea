"""Find dual roads: two carriageways side by side over a length, similar in width and direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from ..arrays import Flags, Floats, Ints
from .graph import Graph, label_components

#: Least length of a dual road, in metres.
MIN_LENGTH = 150.0
#: Distance of samples along an edge, as a share of the largest distance of carriageways.
_SPACING = 0.4
#: Neighbours of a sample: five of its own edge and of each of three others are within the distance.
_NEIGHBOURS = 20
#: Largest sine of the angle between carriageways (20 degrees), and largest ratio of their widths.
_MAX_SINE, _MAX_RATIO = 0.34, 1.6
#: Carriageways whose lines are closer than this share of their mean width would lie on each other.
_MIN_OFFSET = 0.7
#: Share of an edge that must have a partner.
_MIN_SHARE = 0.6
#: Samples whose neighbours are searched at a time.
_CHUNK = 200_000


@dataclass(frozen=True)
class _Samples:
    """Points at equal distances along the edges, in pixels: position, direction (unit vectors) and edge of each."""

    xy: Floats
    direction: Floats
    edge: Ints


def find_pairs(graph: Graph, distance: float, min_length: float) -> Ints:
    """Number the dual roads of a network.

    Args:
        graph: the network.
        distance: largest distance between the lines of two carriageways, pixels; 0 finds none.
        min_length: least length of the pair, pixels.

    Returns:
        For each edge the number of its dual road from 1, which both carriageways share; 0 for other edges.
    """
    pairs = np.zeros(graph.edge_count, np.int64)
    if distance <= 0.0 or graph.edge_count < 2:
        return pairs
    spacing = distance * _SPACING
    samples = _sample_edges(graph, spacing)
    if not len(samples.xy):
        return pairs
    partner = _find_partners(samples, _mean_widths(graph), distance, spacing)
    count = graph.edge_count
    has_partner = partner >= 0
    matched = coo_array(
        (np.ones(has_partner.sum(), np.int64), (samples.edge[has_partner], partner[has_partner])), shape=(count, count)
    ).tocsr()
    both = matched.minimum(matched.T).tocoo()  # a partner in one direction alone is no pair
    link = np.column_stack((both.row, both.col)).astype(np.int32)
    total = np.bincount(samples.edge, minlength=count)
    shared = np.bincount(both.row, weights=both.data, minlength=count)
    is_paired = shared >= np.maximum(_MIN_SHARE * total, 1)
    kept = is_paired[link].all(axis=1)
    component = label_components(link[kept], count)
    lengths = np.bincount(component[both.row[kept]], weights=both.data[kept], minlength=count) * spacing / 2
    is_paired &= np.isin(np.arange(count), link[kept]) & (lengths[component] >= min_length)
    pairs[is_paired] = np.unique(component[is_paired], return_inverse=True)[1] + 1
    return pairs


def _sample_edges(graph: Graph, spacing: float) -> _Samples:
    """Sample the edges that have two samples or more."""
    steps = graph.step_lengths()
    edge = np.repeat(np.arange(graph.edge_count), np.diff(graph.start))
    along = np.cumsum(steps)
    along -= along[graph.start[:-1]][edge]
    bucket = (along / spacing).astype(np.int64)
    is_first = np.ones(len(edge), bool)
    is_first[1:] = (bucket[1:] != bucket[:-1]) | (edge[1:] != edge[:-1])
    chosen = np.flatnonzero(is_first & (np.bincount(edge[is_first], minlength=graph.edge_count) > 1)[edge])
    edge, xy = edge[chosen], np.column_stack((graph.col[chosen], graph.row[chosen])).astype(np.float64)
    if not len(edge):
        return _Samples(xy, xy, edge)
    before, after = np.arange(len(edge)) - 1, np.arange(len(edge)) + 1
    starts, ends = np.ones(len(edge), bool), np.ones(len(edge), bool)
    starts[1:] = ends[:-1] = edge[1:] != edge[:-1]
    before[starts] += 1
    after[ends] -= 1
    direction = xy[after] - xy[before]
    direction /= np.maximum(np.hypot(*direction.T), 1e-9)[:, None]
    return _Samples(xy, direction, edge)


def _mean_widths(graph: Graph) -> Floats:
    """Mean width of each edge where it was seen, in pixels; 0 for an edge that is all closed gap."""
    width = graph.width.astype(np.float64)
    total, seen = np.add.reduceat(width, graph.start[:-1]), np.add.reduceat(width > 0.0, graph.start[:-1], dtype=int)
    return np.asarray(total / np.maximum(seen, 1), np.float64)


def _find_partners(samples: _Samples, widths: Floats, distance: float, spacing: float) -> Ints:
    """Find the edge beside each sample: the nearest one that could be the other carriageway; -1 for none.

    A sample between two such edges has none, as rows of parallel streets and the aisles of a car park have them.
    """
    tree = cKDTree(samples.xy)
    partner = np.full(len(samples.xy), -1, np.int64)
    for first in range(0, len(partner), _CHUNK):
        own = np.arange(first, min(first + _CHUNK, len(partner)))
        gaps, other = tree.query(samples.xy[own], _NEIGHBOURS, distance_upper_bound=distance + spacing)
        found, column = np.nonzero(np.isfinite(gaps))
        one, two = own[found], other[found, column]
        offset = samples.xy[two] - samples.xy[one]
        aside = _cross(samples.direction[one], offset)
        ahead = np.abs((samples.direction[one] * offset).sum(axis=1))
        sine = np.abs(_cross(samples.direction[one], samples.direction[two]))
        good = (samples.edge[one] != samples.edge[two]) & (sine <= _MAX_SINE) & (ahead <= spacing)
        good &= (np.abs(aside) <= distance) & _are_similar(
            widths[samples.edge[one]], widths[samples.edge[two]], np.abs(aside)
        )
        has_left, has_right = np.zeros(len(own), bool), np.zeros(len(own), bool)
        has_left[found[good & (aside < 0)]] = True
        has_right[found[good & (aside > 0)]] = True
        order = np.flatnonzero(good)[np.argsort(-np.abs(aside[good]), kind="stable")]  # the nearest is assigned last
        partner[one[order]] = samples.edge[two[order]]
        partner[own[has_left & has_right]] = -1
    return partner


def _are_similar(one: Floats, two: Floats, offset: Floats) -> Flags:
    narrow, wide = np.minimum(one, two), np.maximum(one, two)
    return np.asarray((narrow > 0.0) & (wide <= _MAX_RATIO * narrow) & (offset >= _MIN_OFFSET * (one + two) / 2))


def _cross(one: Floats, two: Floats) -> Floats:
    return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0], np.float64)
