"""Class histogram and class weights."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terraspore.engine.errors import ParameterError
from terraspore.training.config import Config, DataConfig, LossConfig, NetworkConfig
from terraspore.training.data import Sample, Split
from terraspore.training.data.checks import (
    cached_histogram,
    class_histogram,
    configured_class_weights,
    enet_weights,
)


def split_of(folder: Path, *labels: list[int]) -> Split:
    samples = []
    for number, values in enumerate(labels):
        path = folder / f"{number}.png"
        Image.fromarray(np.array([values], np.uint8)).save(path)
        samples.append(Sample(str(number), path, path))
    return Split("train", tuple(samples), lambda values: np.asarray(values, np.uint8))


def test_counts_are_cached_until_a_label_changes(tmp_path: Path) -> None:
    split = split_of(tmp_path, [0, 0, 1, 255], [1, 1, 2, 0])
    assert class_histogram(split, 3).tolist() == [3, 3, 1]
    assert cached_histogram(split, 3, tmp_path).tolist() == [3, 3, 1]
    (cached,) = tmp_path.glob("class_histogram_*.json")
    cached.write_text(json.dumps({"pixels": [7, 8, 9]}))
    assert cached_histogram(split, 3, tmp_path).tolist() == [7, 8, 9]
    changed = split_of(tmp_path, [0, 0, 1, 255], [1, 1, 2, 0, 2])
    assert cached_histogram(changed, 3, tmp_path).tolist() == [3, 3, 2]


def test_weights_of_linknet(tmp_path: Path) -> None:
    split = split_of(tmp_path, [0, 0, 0, 0], [1, 1, 255, 255])
    config = Config(
        network=NetworkConfig(num_classes=2),
        data=DataConfig(classes=()),
        loss=LossConfig(name="ce", weights="enet", share="largest"),
    )
    weights = configured_class_weights(config, [split], None)
    assert np.allclose(weights, [1 / np.log(1.02 + 1), 1 / np.log(1.02 + 0.5)])
    assert configured_class_weights(Config(), [split], None) is None


def test_enet_weights() -> None:
    assert enet_weights(np.array([50, 50]), 1.02)[0] == pytest.approx(1 / math.log(1.52), rel=1e-6)
    linknet = enet_weights(np.array([100, 50]), 1.02, "largest")
    assert linknet == pytest.approx([1 / math.log(2.02), 1 / math.log(1.52)], rel=1e-6)
    with pytest.raises(ParameterError):
        enet_weights(np.array([0, 0]))
