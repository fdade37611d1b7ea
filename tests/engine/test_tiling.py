"""The layout of tiles covers a grid, weights sum to one, and tiles or blocks blend to the same sum."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.errors import ParameterError
from terraspore.engine.tiling import (
    RowBlender,
    TilePlan,
    make_axis,
    make_block,
    make_plan,
    weight_tile,
)


@st.composite
def axes(draw):
    tile = draw(st.integers(1, 300))
    overlap = draw(st.integers(0, tile // 2))
    return make_axis(draw(st.integers(1, 2000)), tile, overlap), overlap


def tile_weights(axis, index):
    """The weights of tile ``index`` over its active range, in a grid of one row."""
    plan = TilePlan(make_axis(1, axis.tile, 0), axis, axis.tile, 0)
    return weight_tile(np.ones((1, axis.tile, axis.tile), np.float32), plan, 0, index)[0, 0]


@given(axes())
def test_weights_sum_to_one_at_every_pixel_and_at_most_two_tiles_count(case):
    axis, _ = case
    total = np.zeros(axis.length, np.float32)
    counting = np.zeros(axis.length, int)
    for index in range(axis.count):
        first, end = axis.active_range(index)
        weights = tile_weights(axis, index)
        assert len(weights) == end - first
        total[first:end] += weights
        counting[first:end] += 1
    assert (total == 1).all()
    assert counting.max() <= 2


@given(axes())
def test_tiles_lie_inside_overlap_enough_and_see_what_they_count_for(case):
    axis, overlap = case
    starts = axis.starts
    assert starts[0] == 0
    assert all(0 < b - a <= axis.tile - overlap for a, b in pairwise(starts))
    if axis.length >= axis.tile:
        assert starts[-1] + axis.tile == axis.length
    else:
        assert starts == (0,)
    for index, start in enumerate(starts):
        first, end = axis.active_range(index)
        assert start <= first < end <= start + axis.tile


@given(axes())
def test_there_is_no_tile_too_many(case):
    axis, overlap = case
    reach = axis.tile + (axis.count - 2) * (axis.tile - overlap)  # what one tile fewer could cover
    assert axis.count == 1 or reach < axis.length


def test_weight_falls_slowly_over_the_overlap():
    axis = make_axis(192, 128, 64)
    assert axis.starts == (0, 64)
    assert axis.borders == (96,)
    weights = tile_weights(axis, 0)
    assert len(weights) == 128
    assert weights[:64].min() == 1.0
    assert weights[95] == 1 - weights[96]
    assert (np.diff(weights) <= 0).all()


@pytest.mark.parametrize(
    ("tile", "overlap", "multiple", "word"),
    [(100, 10, 32, "multiples of 32"), (64, 33, 32, "half a tile"), (64, -1, 1, "overlap"), (0, 0, 1, "tile")],
)
def test_sizes_that_cannot_be_used_are_refused(tile, overlap, multiple, word):
    with pytest.raises(ParameterError, match=word):
        make_plan(1000, 1000, tile, overlap, multiple)


CLASSES = 2


def tile_pixels(plan, row, column):
    """Pixels that differ from tile to tile, so that blending has something to blend."""
    return np.random.default_rng([row, column]).random((CLASSES, plan.tile, plan.tile), np.float32)


def predict(tiles):
    return np.sqrt(tiles)


def whole_run(plan, empty=frozenset()):
    """All tiles in the order of a stream."""
    blender = RowBlender(plan, CLASSES)
    whole = np.full((CLASSES, plan.rows.length, plan.columns.length), np.nan, np.float32)
    for row in range(plan.rows.count):
        for column in range(plan.columns.count):
            nothing = (row, column) in empty
            tile = None if nothing else predict(tile_pixels(plan, row, column)[None])[0]
            (x0, y0, x1, y1), piece = blender.add(row, column, tile)
            assert np.isnan(whole[:, y0:y1, x0:x1]).all(), "a pixel was given twice"
            whole[:, y0:y1, x0:x1] = piece
    assert not np.isnan(whole).any(), "a pixel was never given"
    return whole


plans = st.builds(
    lambda width, height, tile, share: make_plan(width, height, tile, int(tile * share)),
    st.integers(1, 120),
    st.integers(1, 120),
    st.integers(1, 40),
    st.sampled_from([0, 0.1, 0.25, 0.5]),
).filter(lambda plan: plan.count <= 400)


def expected_weights(axis, index):
    """The weights of tile ``index`` over its active range, by their definition."""
    first, end = axis.active_range(index)
    weights = np.ones(end - first)
    if index > 0:
        weights[: axis.ramp] = axis.ramps[0]
    if index < axis.count - 1:
        weights[len(weights) - axis.ramp :] = axis.ramps[1]
    return weights


@given(plans)
def test_blending_equals_the_weighted_mean_of_the_tiles(plan):
    """Against the definition, in float64, with weights that are divided by their sum."""
    total = np.zeros((CLASSES, plan.rows.length, plan.columns.length))
    weight = np.zeros((plan.rows.length, plan.columns.length))
    for row in range(plan.rows.count):
        for column in range(plan.columns.count):
            (y0, y1), (x0, x1) = plan.rows.active_range(row), plan.columns.active_range(column)
            top, left = plan.rows.starts[row], plan.columns.starts[column]
            share = np.outer(expected_weights(plan.rows, row), expected_weights(plan.columns, column))
            tile = predict(tile_pixels(plan, row, column)).astype(float)[:, y0 - top : y1 - top, x0 - left : x1 - left]
            total[:, y0:y1, x0:x1] += tile * share
            weight[y0:y1, x0:x1] += share
    np.testing.assert_allclose(whole_run(plan), total / weight, atol=1 / 4096)


def test_a_block_knows_what_it_reads_and_writes():
    plan = make_plan(1000, 500, 200, 40)
    block = make_block(plan, range(1, 3), range(2, 4))
    assert block.input_window == (
        plan.columns.starts[2],
        plan.rows.starts[1],
        plan.columns.starts[3] + 200,
        plan.rows.starts[2] + 200,
    )
    x0, y0, x1, y1 = block.window
    assert block.input_window[0] <= x0 < x1 <= block.input_window[2]
    assert block.input_window[1] <= y0 < y1 <= block.input_window[3]
