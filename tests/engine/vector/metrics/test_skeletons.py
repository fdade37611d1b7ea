"""Line F1 of masks against drawn roads, scikit-image's skeletons and distances."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, label
from skimage.morphology import skeletonize as skeletonize_by_skimage
from terraspore.engine.vector.metrics.skeletons import BufferCounts, compare_skeletons, skeletonize

METRE = (1.0, 1.0)


def draw(*lines: tuple[int, int, int, int], width: int = 7, shape: tuple[int, int] = (120, 200)) -> np.ndarray:
    """Mask of roads from (x, y) to (x, y)."""
    mask = np.zeros(shape, np.uint8)
    for x0, y0, x1, y1 in lines:
        cv2.line(mask, (x0, y0), (x1, y1), 1, width)
    return mask > 0


def compare(result: np.ndarray, truth: np.ndarray, **options: object) -> BufferCounts:
    return compare_skeletons([(result, truth, np.ones_like(truth))], METRE, **options)


def test_the_drawn_width_does_not_count() -> None:
    roads = ((10, 20, 190, 20), (100, 20, 100, 110))
    counts = compare(draw(*roads, width=15), draw(*roads, width=5))
    assert counts.f1 > 0.98
    union = (draw(*roads, width=15) | draw(*roads, width=5)).sum()
    assert draw(*roads, width=5).sum() / union < 0.5  # the IoU of the same masks


def test_half_of_a_road_and_a_false_one_by_hand() -> None:
    """The result has 90 of 180 m, and a road of 60 m that does not exist: completeness .5, correctness .6, F1 .545.

    Thinning shortens an end by about half the width of a road, and 5 m beyond the end of the result are still near it.
    """
    truth = draw((10, 20, 190, 20), width=1)
    result = draw((10, 20, 99, 20), (50, 80, 109, 80), width=1)
    counts = compare(result, truth)
    assert (counts.truth, counts.result) == (181, 150)
    assert (counts.found, counts.right) == (95, 90)
    assert counts.completeness == pytest.approx(95 / 181)
    assert counts.correctness == pytest.approx(90 / 150)
    assert counts.f1 == pytest.approx(2 * (95 / 181) * 0.6 / (95 / 181 + 0.6))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_counts_equal_those_of_a_distance_transform(seed: int) -> None:
    """Completeness, correctness and quality of skeletons as Citraro et al. (ECCV 2020) count them, slack 3 pixels."""
    rng = np.random.default_rng(seed)
    masks = [draw(*rng.integers(0, 120, (4, 4)).tolist(), width=int(rng.integers(2, 9))) for _ in range(2)]
    result, truth = map(skeletonize, masks)
    near_truth, near_result = (distance_transform_edt(~other) <= 3.0 for other in (truth, result))
    correctness, completeness = near_truth[result].mean(), near_result[truth].mean()
    counts = compare(*masks, buffer=3.0)
    assert (counts.correctness, counts.completeness) == pytest.approx((correctness, completeness))
    union = completeness + correctness - completeness * correctness
    assert counts.quality == pytest.approx(completeness * correctness / union if union else 0.0)


@pytest.mark.parametrize(("offset", "near"), [(5, True), (6, False)])
def test_the_buffer_is_five_metres(offset: int, near: bool) -> None:
    truth, result = draw((10, 20, 190, 20), width=1), draw((10, 20 + offset, 190, 20 + offset), width=1)
    assert (compare(result, truth).right == 181) is near
    # Pixels that are 2 m high and half a metre wide: the offset in metres decides.
    tall = compare_skeletons([(result, truth, np.ones_like(truth))], (2.0, 0.5))
    assert tall.right == 0


def test_ignored_areas_are_not_counted_and_end_no_road() -> None:
    """A road goes on below an area to ignore: the part there counts neither as right nor as wrong."""
    road, missing = draw((0, 60, 199, 60), width=9), draw((0, 100, 199, 100), width=9)
    is_counted = np.ones_like(road)
    is_counted[:, 100:] = False
    counts = compare_skeletons([(road | missing, road & is_counted, is_counted)], METRE)
    assert counts.result == pytest.approx(200, abs=10)
    assert counts.correctness == pytest.approx(0.5, abs=0.02)
    assert counts.completeness == 1.0
    nothing = compare_skeletons([(road, road, np.zeros_like(road))], METRE)
    assert (nothing.result, nothing.truth) == (0, 0)


def test_empty_masks() -> None:
    road, empty = draw((10, 20, 190, 20)), draw()
    assert compare(empty, road).f1 == compare(road, empty).f1 == 0.0
    assert compare(empty, road).completeness == 0.0
    assert math.isnan(compare(empty, road).correctness)
    assert math.isnan(compare(empty, empty).f1)
    assert not skeletonize(np.zeros((1, 1), np.bool_)).any()


def test_images_are_summed_as_lengths() -> None:
    long, short, empty = draw((10, 20, 190, 20), width=1), draw((10, 20, 28, 20), width=1), draw()
    total = compare(long, long) + compare(empty, short)
    assert total.completeness == pytest.approx(181 / 200)
    assert total.f1 == pytest.approx(2 * 0.905 / 1.905)


def test_skeletons_are_those_of_scikit_image_but_for_their_corners() -> None:
    near: list[bool] = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        ends = rng.integers(0, 120, (4, 4)).tolist()
        mask = draw(*ends, width=int(rng.integers(1, 12)))[:, : int(rng.integers(1, 201))]
        ours, theirs = skeletonize(mask), skeletonize_by_skimage(mask)
        eight = np.ones((3, 3))
        assert label(ours, eight)[1] == label(mask, eight)[1]
        assert not (ours & ~mask).any()
        for own, other in ((ours, theirs), (theirs, ours)):
            if other.any():
                near += (distance_transform_edt(~other)[own] <= 5.0).tolist()
    # All together: one network in a thousand has a spur at a corner of the mask in only one of the two.
    assert np.mean(near) > 0.995
