"""How often each class occurs in a split, counted once and kept in a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import Config
from ..losses.segmentation import enet_weights
from .samples import Split, read_label


def class_histogram(split: Split, classes: int, ignore: int = 255) -> NDArray[np.int64]:
    """Pixels per class over all labels of a split."""
    total = np.zeros(256, np.int64)
    for item in split.items:
        if item.label is not None:
            total += np.bincount(split.decode(read_label(item.label)).ravel(), minlength=256)
    total[ignore] = 0
    return total[:classes]


def cached_histogram(split: Split, classes: int, cache: Path | None, ignore: int = 255) -> NDArray[np.int64]:
    """``class_histogram``, kept as JSON in the folder ``cache`` for as long as the label files are the same."""
    if cache is None:
        return class_histogram(split, classes, ignore)
    key = _key(split, classes, ignore)
    path = cache / f"class_histogram_{key}.json"
    try:
        counts = json.loads(path.read_text("utf-8"))["pixels"]
    except (OSError, ValueError, KeyError):
        counts = None
    if isinstance(counts, list) and len(counts) == classes:
        return np.asarray(counts, np.int64)
    histogram = class_histogram(split, classes, ignore)
    path.write_text(json.dumps({"split": split.name, "pixels": histogram.tolist()}) + "\n", "utf-8")
    return histogram


def _key(split: Split, classes: int, ignore: int) -> str:
    """Changes when a label file is added, removed or rewritten."""
    digest = hashlib.sha256(f"{classes} {ignore}".encode())
    for item in split.items:
        if item.label is not None:
            facts = item.label.stat()
            digest.update(f"{item.label} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def class_weights(config: Config, train: Split, cache: Path | None) -> tuple[float, ...] | None:
    """The class weights of the configured loss, or None where it has none."""
    loss = config.loss
    if loss.weights == "given":
        return loss.class_weights
    if loss.weights == "enet":
        histogram = cached_histogram(train, config.network.num_classes, cache, config.data.ignore)
        return tuple(float(weight) for weight in enet_weights(histogram, loss.enet_c, loss.share))
    return None
