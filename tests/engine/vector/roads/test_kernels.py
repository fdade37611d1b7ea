"""The kernels of road extraction against plain definitions and independent implementations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.graph import MCP_Geometric
from terraspore.engine.vector.roads.kernels.gaps import least_cost_path
from terraspore.engine.vector.roads.kernels.graph_index import order_points
from terraspore.engine.vector.roads.kernels.mask import DISTANCE_SCALE, distance_transform
from terraspore.engine.vector.roads.kernels.thinning import BLOCK, thin
from terraspore.engine.vector.roads.mask import apply_threshold, fill_small_holes


def blobs(seed: int, rows: int = 140, cols: int = 200) -> np.ndarray:
    """Random masks from noise to large blobs, more than a word wide and more than a block high."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.random((rows, cols)).astype(np.float32), (0, 0), 0.3 + 4.0 * rng.random())
    return np.asarray(field > np.quantile(field, rng.uniform(0.1, 0.9)), np.uint8)


def thinned(mask: np.ndarray) -> np.ndarray:
    rows, cols = mask.shape
    wide = np.zeros((rows, -(-cols // 64) * 64), np.uint8)
    wide[:, :cols] = mask
    words = np.zeros((wide.shape[1] // 64 + 2, rows + 2), np.uint64)
    words[1:-1, 1:-1] = np.packbits(wide, axis=1, bitorder="little").view("<u8").T
    thin(words)
    inner = np.ascontiguousarray(words[1:-1, 1:-1].T).view(np.uint8)
    return np.unpackbits(inner, axis=1, bitorder="little")[:, :cols]


def thinned_by_definition(mask: np.ndarray) -> np.ndarray:
    """Zhang and Suen's rules pixel by pixel, with at least 3 neighbours (Lu and Wang)."""
    now = np.pad(mask, 1)
    while True:
        before = now.copy()
        for second in (False, True):
            # P2 to P9 of the paper: clockwise from the north.
            p = [np.roll(now, shift, (0, 1)) for shift in
                 ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))]  # fmt: skip
            count = sum(p[1:], p[0])
            begins = sum((p[i] == 0) & (p[(i + 1) % 8] == 1) for i in range(8))
            n, e, s, w = p[0], p[2], p[4], p[6]
            side = (n * e * w == 0) & (n * s * w == 0) if second else (n * e * s == 0) & (e * s * w == 0)
            now = np.where((count >= 3) & (count <= 6) & (begins == 1) & side, 0, now)
        if np.array_equal(now, before):
            return now[1:-1, 1:-1]


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_thinning_by_words_is_thinning_by_pixels(seed: int) -> None:
    mask = blobs(seed)
    assert mask.shape[0] > 2 * BLOCK
    np.testing.assert_array_equal(thinned(mask), thinned_by_definition(mask))


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_thinned_lines_lie_in_the_mask_and_connect_what_it_connects(seed: int) -> None:
    mask = blobs(seed)
    line = thinned(mask)
    assert not (line & ~mask & 1).any()
    holes = [ndimage.label(np.pad(values, 1) == 0)[1] for values in (mask, line)]
    assert holes[0] == holes[1]
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    for number, box in enumerate(ndimage.find_objects(pieces), 1):
        own = np.pad(pieces[box] == number, 1)
        parts = ndimage.label(np.pad(line[box], 1) * own, np.ones((3, 3)))[1]
        assert parts == 1 or (parts == 0 and length_by_width(own) <= 2)  # a round blob may vanish: it is no road


def length_by_width(piece: np.ndarray) -> float:
    """Diagonal of a piece's box by the width of the largest circle in the piece, which has a border of zeros."""
    rows, cols = np.nonzero(piece)
    return float(np.hypot(np.ptp(rows) + 1, np.ptp(cols) + 1) / (2 * ndimage.distance_transform_edt(piece).max()))


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_distances_to_the_background_are_nearly_euclidean(seed: int) -> None:
    mask = blobs(seed)
    road = apply_threshold(mask, 1)
    rows, stride = road.values.shape
    distance = np.zeros((rows + 4) * stride + 4, np.uint16)
    largest = distance_transform(road.runs, stride, distance)
    found = distance[2 * stride + 2 : -2 * stride - 2].reshape(rows, stride)[:, : mask.shape[1]] / DISTANCE_SCALE
    true = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]  # beyond the window is background
    np.testing.assert_allclose(found, true, rtol=0.025, atol=1e-9)
    assert largest == distance.max()


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 12))
def test_small_components_of_the_background_are_filled(seed: int, area: int, extent: int) -> None:
    mask = blobs(seed, 60, 90)
    expected = mask.copy()
    labels, _ = ndimage.label(1 - mask)
    for number, (high, wide) in enumerate(ndimage.find_objects(labels), 1):
        cut = high.start == 0 or wide.start == 0 or high.stop == mask.shape[0]
        size = int((labels == number).sum())
        if not cut and max(high.stop - high.start, wide.stop - wide.start) <= extent and size <= area:
            expected[labels == number] = wide.stop < mask.shape[1] or expected[labels == number]
    filled = fill_small_holes(apply_threshold(mask, 1), area, extent)
    np.testing.assert_array_equal(filled.values[:, : mask.shape[1]], expected)
    np.testing.assert_array_equal(filled.runs, apply_threshold(filled.values[:, : mask.shape[1]], 1).runs)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_paths_cost_no_more_than_those_of_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0.9, rng.uniform(1.0, 60.0), rng.integers(3, 40, 2)).astype(np.float32)
    begin, end = (tuple(rng.integers(0, cost.shape).tolist()) for _ in range(2))
    path = least_cost_path(cost, 0.9, *begin, *end)
    assert (tuple(path[0].tolist()), tuple(path[-1].tolist())) == (begin, end)
    steps = np.diff(path, axis=0)
    assert (np.abs(steps).max(axis=1, initial=0) == 1).all()
    along = cost[path[:, 0], path[:, 1]].astype(float)
    total = (0.5 * (along[1:] + along[:-1]) * np.hypot(*steps.T)).sum()
    least, _ = MCP_Geometric(cost).find_costs([begin], [end])
    assert total == pytest.approx(least[end], rel=1e-5, abs=1e-5)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=60))
def test_points_are_ordered_by_row_and_column(points: list[tuple[int, int]]) -> None:
    row, col = np.array(points, np.int32).reshape(-1, 2).T.copy()
    first, order = order_points(row, col, 7, 5)
    np.testing.assert_array_equal(order, np.lexsort((np.arange(len(row)), col, row)))
    np.testing.assert_array_equal(first, np.searchsorted(np.sort(row), np.arange(8)))
