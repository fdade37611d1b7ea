"""Metrics against values computed by hand."""

import math

import numpy as np
import pytest
from terraspore.engine.vector.metrics.raster import ConfusionMatrix, count_pixels
from terraspore.training.metrics import InstanceCounts, matrix_metrics, relaxed_counts

TRUTH = np.array([[0, 0, 1, 1], [1, 2, 255, 2]])
PREDICTED = np.array([[0, 1, 1, 1], [0, 2, 0, 2]])


def test_matrix_counts_truth_by_prediction_without_ignored() -> None:
    matrix = count_pixels([(PREDICTED, TRUTH)], range(3), 255).matrix
    assert matrix.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 2, 0]]


def test_metrics_of_many_classes() -> None:
    confusion = count_pixels([(PREDICTED, TRUTH)], range(3), 255)
    assert confusion.iou == pytest.approx([1 / 3, 2 / 4, 1])
    assert confusion.recall == pytest.approx([1 / 2, 2 / 3, 1])
    assert confusion.precision == pytest.approx([1 / 2, 2 / 3, 1])
    summary = matrix_metrics(confusion.matrix[:, :3])
    assert summary["overall_acc"] == pytest.approx(5 / 7)
    assert summary["mean_acc"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert summary["mean_iou"] == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert summary["freqw_acc"] == pytest.approx(2 / 7 / 3 + 3 / 7 / 2 + 2 / 7)


def test_absent_classes_are_left_out_of_means() -> None:
    confusion = ConfusionMatrix(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert math.isnan(confusion.iou[2])
    assert matrix_metrics(confusion.matrix)["mean_iou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    # A class that is predicted but does not occur has an IoU of 0 and no recall.
    wrong = ConfusionMatrix(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert wrong.iou[2] == 0
    assert matrix_metrics(wrong.matrix)["mean_acc"] == pytest.approx((3 / 4 + 1) / 2)
    assert matrix_metrics(wrong.matrix)["freqw_acc"] == pytest.approx(0.5 * 3 / 4 + 0.5)


def test_published_road_metrics_give_the_road_iou_of_the_fact_sheet() -> None:
    # Pixel accuracy 0.98131 with road share 4.13 %, recall 0.753 and precision 0.786: background 98.07 %, roads 62.5 %.
    total, road = 1_000_000, 41_300
    hit = round(road * 0.753)
    false = round(hit / 0.786) - hit
    metrics = matrix_metrics(np.array([[total - road - false, false], [road - hit, hit]]))
    assert metrics["background_iou"] == pytest.approx(0.9807, abs=2e-4)
    assert metrics["foreground_iou"] == pytest.approx(0.6248, abs=2e-3)
    assert metrics["f1"] == pytest.approx(2 * 0.753 * 0.786 / (0.753 + 0.786), abs=1e-4)


def test_relaxed_counts_within_the_buffer() -> None:
    truth, predicted = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[10, :] = True
    predicted[13, :10] = True
    predicted[0, :5] = True
    counts = relaxed_counts(truth, predicted, 3)
    assert counts.correctness == pytest.approx(10 / 15)
    # Columns 0 to 9 lie straight above; column 10 and beyond are more than 3 away (sqrt(9 + 1) > 3).
    assert counts.completeness == pytest.approx(10 / 20)
    assert relaxed_counts(truth, predicted, 2).completeness == 0
    both = counts + relaxed_counts(truth, truth, 0)
    assert both.correctness == pytest.approx(30 / 35)
    assert math.isnan(relaxed_counts(np.zeros_like(truth), predicted, 3).completeness)


def test_instances_weigh_in_inverse_proportion_to_their_size() -> None:
    # Two cars (label id 26, class 13) of 4 and 12 pixels, mean 8: the small one is missed, the large one found, and 3
    # pixels of road are called car.
    truth = np.zeros((4, 8), np.uint8)
    ids = np.full((4, 8), 7, np.int32)
    truth[0, :4], ids[0, :4] = 13, 26000
    truth[1:3, :6], ids[1:3, :6] = 13, 26001
    predicted = np.where(ids == 26001, 13, 0).astype(np.uint8)
    predicted[3, :3] = 13
    counts = InstanceCounts({26: 13, 24: 11})
    counts.add(truth, predicted, ids)
    # iTP = 12 * 8/12 = 8, iFN = 4 * 8/4 = 8, FP = 3
    assert counts.iiou()[13] == pytest.approx(8 / 19)
    assert math.isnan(counts.iiou()[11])
    assert counts.iiou({13: 4.0})[13] == pytest.approx(4 / (4 + 3 + 4))
    assert counts.summary()["mean_iiou"] == pytest.approx(8 / 19)
