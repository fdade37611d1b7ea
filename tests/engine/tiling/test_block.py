"""Blocks of any size, computed in any order, merge to exactly what one run gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.tiling.blend import RowBlender, compute_block, make_block, merge_blocks, split_plan
from terraspore.engine.tiling.layout import make_plan

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


@settings(max_examples=60)
@given(plans, st.integers(1, 5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_merged_blocks_equal_the_whole_run_exactly(plan, rows, columns, random):
    blocks = list(split_plan(plan, rows, columns))
    random.shuffle(blocks)
    parts = [(b, compute_block(plan, b, lambda r, c: tile_pixels(plan, r, c), predict, CLASSES)) for b in blocks]
    np.testing.assert_array_equal(merge_blocks(plan, parts, CLASSES), whole_run(plan))


@settings(max_examples=30)
@given(plans, st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_skipped_tiles_count_as_nothing_in_both(plan, empty):
    parts = [
        (b, compute_block(plan, b, lambda r, c: None if (r, c) in empty else tile_pixels(plan, r, c), predict, CLASSES))
        for b in split_plan(plan, 2, 3)
    ]
    np.testing.assert_array_equal(merge_blocks(plan, parts, CLASSES), whole_run(plan, empty))


def tile_weights(axis, index):
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
            share = np.outer(tile_weights(plan.rows, row), tile_weights(plan.columns, column))
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
