from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.errors import ParameterError
from terraspore.engine.tiling.blend import weight_tile
from terraspore.engine.tiling.layout import TilePlan, make_axis, make_plan


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
