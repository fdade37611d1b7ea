"""Pooled figures and means over images, by hand."""

from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.config import Config, DataConfig, NetworkConfig
from terraspore.training.evaluation.evaluator import Judgement, class_names, write_confusion


def mask(text: str) -> np.ndarray:
    return np.array([[int(value) for value in text]], np.uint8)


def test_pooled_and_per_image_figures_of_a_mask() -> None:
    judgement = Judgement(2)
    judgement.add(mask("1111"), mask("1110"))
    judgement.add(mask("0001"), mask("0011"))
    figures = judgement.figures()
    # 4 hits of 5 true and 5 predicted pixels; IoU 3/4 and 1/2 of the images.
    assert figures["foreground_iou"] == pytest.approx(4 / 6)
    assert figures["foreground_iou_per_image"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert figures["precision"] == figures["recall"] == figures["f1"] == pytest.approx(4 / 5)
    assert figures["f1_per_image"] == pytest.approx((6 / 7 + 2 / 3) / 2)
    assert figures["background_iou"] == pytest.approx(2 / 4)


def test_images_without_a_figure_are_left_out_of_its_mean() -> None:
    judgement = Judgement(2)
    judgement.add(mask("0000"), mask("0000"))
    judgement.add(mask("1000"), mask("1000"))
    assert judgement.figures()["foreground_iou_per_image"] == 1
    many = Judgement(3, ignore=9)
    many.add(mask("0129"), mask("0119"))
    many.add(mask("0000"), mask("0002"))
    # IoU of the first image: 1, 1/2, 0; of the second: 3/4, none, 0.
    assert many.figures()["mean_iou_per_image"] == pytest.approx((1.5 / 3 + 0.75 / 2) / 2)
    assert many.figures()["overall_acc"] == pytest.approx(5 / 7)


def test_names_of_the_rows(tmp_path: Path) -> None:
    assert class_names(Config()) == ("background", "road")
    many = Config(network=NetworkConfig(num_classes=2), data=DataConfig(classes=()))
    assert class_names(many) == ("class 0", "class 1")
    with pytest.raises(ParameterError, match="1 names"):
        class_names(Config(network=NetworkConfig(num_classes=2)))
    write_confusion(np.array([[5, 1], [0, 7]]), ("a", "b"), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines()[1:] == ["a,5,1", "b,0,7"]
