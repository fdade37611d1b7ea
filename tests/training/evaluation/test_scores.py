"""Pooled metrics and means over images."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")

from terraspore.engine.errors import ParameterError
from terraspore.training.config import Config, DataConfig, NetworkConfig, class_names
from terraspore.training.evaluation.scores import SegmentationScores, SourceScores, line_buffer_pixels, write_confusion


def mask(text: str) -> np.ndarray:
    return np.array([[int(value) for value in text]], np.uint8)


def test_pooled_and_per_image_metrics_of_a_mask() -> None:
    scores = SegmentationScores(2)
    scores.add(mask("1111"), mask("1110"))
    scores.add(mask("0001"), mask("0011"))
    metrics = scores.metrics()
    # 4 hits of 5 true and 5 predicted pixels; IoU 3/4 and 1/2 of the images.
    assert metrics["foreground_iou"] == pytest.approx(4 / 6)
    assert metrics["foreground_iou_per_image"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == pytest.approx(4 / 5)
    assert metrics["f1_per_image"] == pytest.approx((6 / 7 + 2 / 3) / 2)
    assert metrics["background_iou"] == pytest.approx(2 / 4)


def test_line_f1_does_not_depend_on_the_width() -> None:
    scores = SegmentationScores(2, ignore=255, line_buffer=5.0)
    truth, predicted = np.zeros((2, 60, 200), np.uint8)
    truth[28:33] = 1
    predicted[24:37] = 1
    predicted[50, :40] = 1
    truth[45:, 20:] = 255
    scores.add(truth, predicted)
    metrics = scores.metrics()
    assert metrics["foreground_iou"] < 0.5
    assert metrics["line_completeness"] == 1
    assert metrics["line_correctness"] == pytest.approx(200 / 220, abs=0.01)  # 20 pixels of the false road are ignored
    assert metrics["line_f1"] == pytest.approx(2 * 200 / 220 / (1 + 200 / 220), abs=0.01)
    nowhere = SegmentationScores(2, line_buffer=5.0)
    nowhere.add(truth, predicted)
    means = SourceScores({"here": scores, "there": nowhere}).metrics()
    assert means["line_f1"] == pytest.approx((means["line_f1_here"] + means["line_f1_there"]) / 2)
    assert line_buffer_pixels(Config(resolution=0.5)) == 10
    assert line_buffer_pixels(Config()) == 5
    assert "line_f1" not in SegmentationScores(2).metrics()


def test_images_without_a_metric_are_left_out_of_its_mean() -> None:
    scores = SegmentationScores(2)
    scores.add(mask("0000"), mask("0000"))
    scores.add(mask("1000"), mask("1000"))
    assert scores.metrics()["foreground_iou_per_image"] == 1
    many = SegmentationScores(3, ignore=9)
    many.add(mask("0129"), mask("0119"))
    many.add(mask("0000"), mask("0002"))
    # IoU of the first image: 1, 1/2, 0; of the second: 3/4, none, 0.
    assert many.metrics()["mean_iou_per_image"] == pytest.approx((1.5 / 3 + 0.75 / 2) / 2)
    assert many.metrics()["overall_acc"] == pytest.approx(5 / 7)


def test_names_of_the_rows(tmp_path: Path) -> None:
    assert class_names(Config()) == ("background", "road")
    many = Config(network=NetworkConfig(num_classes=2), data=DataConfig(classes=()))
    assert class_names(many) == ("class 0", "class 1")
    with pytest.raises(ParameterError, match="1 names"):
        class_names(Config(network=NetworkConfig(num_classes=2)))
    write_confusion(np.array([[5, 1], [0, 7]]), ("a", "b"), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines()[1:] == ["a,5,1", "b,0,7"]


def test_pooled_and_per_image_metrics_differ() -> None:
    scores = SegmentationScores(2)
    big_truth = np.zeros((10, 10), np.uint8)
    big_truth[:5] = 1
    scores.add(big_truth, big_truth)
    small_truth = np.zeros((10, 10), np.uint8)
    small_truth[0, :2] = 1
    scores.add(small_truth, np.zeros((10, 10), np.uint8))
    scores.add(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
    metrics = scores.metrics()
    assert metrics["foreground_iou"] == pytest.approx(50 / 52)
    # The third image has no road at all: its metric is undefined and left out.
    assert metrics["foreground_iou_per_image"] == pytest.approx(0.5)
