"""Numba kernels that trace centre-line pixels into edges, and kernels on the points of edges.

Half edge 2e leaves the first node of edge e, half edge 2e + 1 its last node.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Bits, Flags, Floats, Ints
from ...jit import jit

#: Coordinates, and indices of pixels: there are fewer than 2^31 centre-line pixels in any raster.
Index = NDArray[np.int32]


@jit
def link_pixels(row_start: Ints, col: Index) -> tuple[Index, Index, Bits, Bits]:
    """Find the neighbours of pixels that are ordered by row and column.

    Args:
        row_start: (rows + 1,), index of the first pixel of each row.
        col: (n,), column of each pixel.

    Returns:
        For each pixel: the index of the first pixel of the row above that is not left of the upper left neighbour; the
        same of the row below; bits of the neighbours that exist (E, SE, S, SW, W, NW, N, NE from the lowest bit); the
        same bits without diagonals that a side neighbour connects as well (m-adjacency; Rosenfeld 1970), so that the
        corner of a staircase is no crossing.
    """
    count = col.size
    rows = row_start.size - 1
    above = np.zeros(count, np.int32)
    below = np.zeros(count, np.int32)
    near = np.zeros(count, np.uint8)
    linked = np.zeros(count, np.uint8)
    for row in range(rows):
        first, last = row_start[row], row_start[row + 1]
        up, up_end = (row_start[row - 1], first) if row > 0 else (np.int64(0), np.int64(0))
        down, down_end = (last, row_start[row + 2]) if row + 1 < rows else (np.int64(0), np.int64(0))
        for i in range(first, last):
            c = col[i]
            bits = 0
            if i + 1 < last and col[i + 1] == c + 1:
                bits |= 1
            if i > first and col[i - 1] == c - 1:
                bits |= 16
            while up < up_end and col[up] < c - 1:
                up += 1
            for j in range(up, min(up + 3, up_end)):
                if col[j] <= c + 1:
                    bits |= 32 << (col[j] - c + 1)
            while down < down_end and col[down] < c - 1:
                down += 1
            for j in range(down, min(down + 3, down_end)):
                if col[j] <= c + 1:
                    bits |= 8 >> (col[j] - c + 1)
            above[i], below[i], near[i] = up, down, bits
            if bits & 5:
                bits &= ~2
            if bits & 20:
                bits &= ~8
            if bits & 80:
                bits &= ~32
            if bits & 65:
                bits &= ~128
            linked[i] = bits
    return above, below, near, linked


@jit
def neighbour(i: int, direction: int, above: Index, below: Index, near: Bits) -> int:
    """Return the index of the neighbour of pixel ``i`` in ``direction`` (0 east, clockwise), which must exist."""
    bits = near[i]
    if direction == 0:
        return i + 1
    if direction == 4:
        return i - 1
    if direction > 4:
        j: int = above[i]
        if direction > 5 and bits & 32:
            j += 1
        if direction > 6 and bits & 64:
            j += 1
        return j
    k: int = below[i]
    if direction < 3 and bits & 8:
        k += 1
    if direction < 2 and bits & 4:
        k += 1
    return k


@jit
def trace_edges(above: Index, below: Index, near: Bits, linked: Bits, degree: Bits) -> tuple[Index, Ints]:
    """Trace edges from node to node (pixels with any number of links but two), then the rings that remain.

    Args:
        above: see ``link_pixels``.
        below: likewise.
        near: likewise.
        linked: likewise.
        degree: number of links of each pixel.

    Returns:
        The pixels of all edges, one edge after the other with both end pixels, and the offset of each edge
        (edges + 1,). A pixel without links is an edge of one pixel. A ring starts and ends with the same pixel.
    """
    count = linked.size
    twos, ends = 0, 0
    for i in range(count):
        twos += degree[i] == 2
        ends += max(degree[i], 1) if degree[i] != 2 else 0
    # An edge uses two links of nodes; a ring has at least four pixels; edges repeat their two end pixels.
    path = np.empty(twos + ends + twos // 4 + 1, np.int32)
    start = np.empty(ends + twos // 4 + 2, np.int64)
    open_links = linked.copy()
    used, edges = 0, 0
    start[0] = 0
    for ring in range(2):
        for first in range(count):
            is_node = degree[first] != 2
            if is_node == (ring == 1) or (not is_node and open_links[first] == 0):
                continue
            if degree[first] == 0:
                path[used] = first
                used += 1
                edges += 1
                start[edges] = used
                continue
            for direction in range(8):
                if not open_links[first] >> direction & 1:
                    continue
                i, step = first, direction
                path[used] = i
                used += 1
                while True:
                    open_links[i] &= 255 ^ (1 << step)
                    i = neighbour(i, step, above, below, near)
                    back = (step + 4) & 7
                    open_links[i] &= 255 ^ (1 << back)
                    path[used] = i
                    used += 1
                    if degree[i] != 2 or i == first:
                        break
                    rest = linked[i] & (255 ^ (1 << back))
                    step = 0
                    while not rest >> step & 1:
                        step += 1
                edges += 1
                start[edges] = used
    return path[:used].copy(), start[: edges + 1].copy()


@jit
def follow_chains(node_first: Ints, node_halves: Index, tail: Index, keep: Flags) -> tuple[Index, Ints]:
    """Join edges to chains across nodes that are not kept.

    Args:
        node_first: (nodes + 1,), offset of each node's half edges in ``node_halves``.
        node_halves: half edges by the node that they leave.
        tail: (2 * edges,), the node that each half edge leaves.
        keep: (nodes,), nodes at which chains end; the others have exactly two half edges.

    Returns:
        The half edges of all chains in walking order and the offset of each chain (chains + 1,). A ring without a kept
        node starts at the lowest of its nodes.
    """
    halves = tail.size
    used = np.zeros(halves // 2, np.bool_)
    order = np.empty(halves // 2, np.int32)
    start = np.empty(halves // 2 + 1, np.int64)
    start[0] = 0
    count, chains = 0, 0
    for ring in range(2):
        for node in range(keep.size):
            if keep[node] == (ring == 1):
                continue
            for k in range(node_first[node], node_first[node + 1]):
                half = node_halves[k]
                if used[half >> 1]:
                    continue
                while True:
                    used[half >> 1] = True
                    order[count] = half
                    count += 1
                    end = tail[half ^ 1]
                    if keep[end] or end == node:
                        break
                    first = node_halves[node_first[end]]
                    half = node_halves[node_first[end] + 1] if first == half ^ 1 else first
                chains += 1
                start[chains] = count
    return order[:count].copy(), start[: chains + 1].copy()


@jit
def join_points(
    order: Index, chain_start: Ints, edge_start: Ints, row: Index, col: Index, width: NDArray[np.float32]
) -> tuple[Index, Ints]:
    """Concatenate the points of the edges of each chain; the point at a common node is taken once.

    Of a road and a closed gap that meet there the road's point is taken, in whichever direction the chain leads.

    Args:
        order: half edges of all chains, see ``follow_chains``.
        chain_start: offset of each chain.
        edge_start: offset of each edge's points.
        row: row of each point.
        col: column of each point.
        width: width of the road at each point, 0 in closed gaps.

    Returns:
        Indices of points, and the offset of each chain in them (chains + 1,).
    """
    total = 0
    for k in range(order.size):
        edge = order[k] >> 1
        total += edge_start[edge + 1] - edge_start[edge]
    take = np.empty(total, np.int32)
    start = np.empty(chain_start.size, np.int64)
    start[0] = 0
    used = 0
    for chain in range(chain_start.size - 1):
        begin = used
        for k in range(chain_start[chain], chain_start[chain + 1]):
            edge = order[k] >> 1
            first, last = edge_start[edge], edge_start[edge + 1]
            for n in range(last - first):
                i = first + n if order[k] & 1 == 0 else last - 1 - n
                if n == 0 and used > begin and row[i] == row[take[used - 1]] and col[i] == col[take[used - 1]]:
                    if width[i] > width[take[used - 1]]:
                        take[used - 1] = i
                    continue
                take[used] = i
                used += 1
        start[chain + 1] = used
    return take[:used], start


@jit
def measure_edges(start: Ints, row: Index, col: Index, along: Floats) -> Floats:
    """Measure the length of each edge along its points, in pixels.

    Steps to the side and diagonal ones are counted, so that the direction of an edge does not change the last digit.

    Args:
        start: offset of each edge's points.
        row: row of each point.
        col: column of each point.
        along: (points,), written: the distance of each point from the first one of its edge. Empty where not needed.
    """
    lengths = np.zeros(start.size - 1)
    for edge in range(start.size - 1):
        straight, diagonal, other = 0, 0, 0.0
        for i in range(start[edge], start[edge + 1]):
            if i > start[edge]:
                down, right = row[i] - row[i - 1], col[i] - col[i - 1]
                square = down * down + right * right
                if square == 1:
                    straight += 1
                elif square == 2:
                    diagonal += 1
                else:
                    other += math.sqrt(square)
            lengths[edge] = straight + diagonal * math.sqrt(2.0) + other
            if along.size:
                along[i] = lengths[edge]
    return lengths


@jit
def take_points(start: Ints, order: Ints, is_reversed: Flags) -> tuple[Index, Ints]:
    """Find the indices of the points of edges in another order, some of which are reversed.

    Args:
        start: (edges + 1,), offset of each edge's points.
        order: the edges in the new order.
        is_reversed: (edges,), whether an edge of the old order is reversed.

    Returns:
        Indices of points, and the offset of each edge in them (edges + 1,).
    """
    total = 0
    for edge in order:
        total += start[edge + 1] - start[edge]
    points = np.empty(total, np.int32)
    new_start = np.zeros(order.size + 1, np.int64)
    used = 0
    for number in range(order.size):
        first, last = start[order[number]], start[order[number] + 1]
        for n in range(last - first):
            points[used + n] = last - 1 - n if is_reversed[order[number]] else first + n
        used += last - first
        new_start[number + 1] = used
    return points, new_start


@jit
def turn_rings(start: Ints, row: Index, col: Index, is_ring: Flags) -> tuple[Index, Ints]:
    """Find the indices of the points of edges such that rings begin and end at their uppermost, then leftmost point.

    Args:
        start: (edges + 1,), offset of each edge's points.
        row: row of each point.
        col: column of each point.
        is_ring: (edges,), edges that are turned.

    Returns:
        Indices of points, and the offset of each edge in them (edges + 1,).
    """
    points = np.empty(row.size + int(is_ring.sum()), np.int32)
    new_start = np.zeros(start.size, np.int64)
    used = 0
    for edge in range(start.size - 1):
        first, last = start[edge], start[edge + 1]
        if is_ring[edge]:
            is_closed = row[first] == row[last - 1] and col[first] == col[last - 1]
            count = last - first - (1 if is_closed else 0)
            top = first
            for i in range(first + 1, first + count):
                if row[i] < row[top] or (row[i] == row[top] and col[i] < col[top]):
                    top = i
            for n in range(count + 1):
                points[used + n] = first + (top - first + n) % count
            used += count + 1
        else:
            for i in range(first, last):
                points[used + i - first] = i
            used += last - first
        new_start[edge + 1] = used
    return points[:used].copy(), new_start
