"""Pixels per class, counted and kept."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from terraspore.training.config import Config, DataConfig, LossConfig, NetworkConfig
from terraspore.training.data import Item, Split
from terraspore.training.data.histogram import cached_histogram, class_histogram, class_weights


def split_of(folder: Path, *labels: list[int]) -> Split:
    items = []
    for number, values in enumerate(labels):
        path = folder / f"{number}.png"
        Image.fromarray(np.array([values], np.uint8)).save(path)
        items.append(Item(str(number), path, path))
    return Split("train", tuple(items), lambda values: np.asarray(values, np.uint8))


def test_counts_are_kept_until_a_label_changes(tmp_path: Path) -> None:
    split = split_of(tmp_path, [0, 0, 1, 255], [1, 1, 2, 0])
    assert class_histogram(split, 3).tolist() == [3, 3, 1]
    assert cached_histogram(split, 3, tmp_path).tolist() == [3, 3, 1]
    (kept,) = tmp_path.glob("class_histogram_*.json")
    kept.write_text(json.dumps({"pixels": [7, 8, 9]}))
    assert cached_histogram(split, 3, tmp_path).tolist() == [7, 8, 9]
    changed = split_of(tmp_path, [0, 0, 1, 255], [1, 1, 2, 0, 2])
    assert cached_histogram(changed, 3, tmp_path).tolist() == [3, 3, 2]


def test_weights_of_linknet_by_hand(tmp_path: Path) -> None:
    split = split_of(tmp_path, [0, 0, 0, 0], [1, 1, 255, 255])
    config = Config(
        network=NetworkConfig(num_classes=2),
        data=DataConfig(classes=()),
        loss=LossConfig(name="ce", weights="enet", share="largest"),
    )
    weights = class_weights(config, split, None)
    assert np.allclose(weights, [1 / np.log(1.02 + 1), 1 / np.log(1.02 + 0.5)])
    assert class_weights(Config(), split, None) is None
