"""Simplification of arcs against a plain implementation."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from terraspore.engine.vector.coverage.kernels.simplify import simplify_visvalingam


def simplify_plainly(line: np.ndarray, deferred: np.ndarray, tolerance: float) -> list[int]:
    """``simplify_visvalingam`` without constraints: compute all triangles again for each dropped point."""
    points, kept = line.astype(float), list(range(len(line)))
    refused: set[tuple[int, int, int]] = set()
    while True:
        found = []
        for p, i, q in zip(kept, kept[1:], kept[2:], strict=False):
            one, two = points[i] - points[p], points[q] - points[p]
            area = abs(one[0] * two[1] - one[1] * two[0])
            if (p, i, q) not in refused:
                found.append(((deferred[i], area, i), (p, i, q)))
        if not found:
            return kept
        (_, area, _), (p, i, q) = min(found)
        chord = shapely.LineString([points[p], points[q]])
        if area and max(chord.distance(shapely.Point(points[k])) for k in range(p + 1, q)) > tolerance + 1e-9:
            refused.add((p, i, q))
        else:
            kept.remove(i)


@given(
    steps=arrays(np.int64, st.tuples(st.integers(2, 30), st.just(2)), elements=st.integers(0, 3)),
    deferred=arrays(np.bool_, 31),
    tolerance=st.sampled_from([0.9, 1.7, 3.1]),
)
def test_the_smallest_triangle_goes_first(steps: np.ndarray, deferred: np.ndarray, tolerance: float) -> None:
    line = np.concatenate((np.zeros((1, 2), np.int64), np.cumsum(steps, axis=0)))
    start, bits = np.array([0, len(line)], np.int64), np.zeros((128, 4), np.uint32)
    keep = simplify_visvalingam(line, start, deferred[: len(line)], tolerance, bits)
    assert np.flatnonzero(keep).tolist() == simplify_plainly(line, deferred, tolerance)
