"""Class weights of the loss from the class histogram of a split, which is cached in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import ParameterError
from ..config import Config
from .samples import Split


def configured_class_weights(config: Config, train: Sequence[Split], cache: Path | None) -> tuple[float, ...] | None:
    """Class weights of the configured loss, or None if it has none.

    Args:
        config: loss and classes.
        train: splits whose classes are counted for ENet's weights.
        cache: folder for the histogram; None counts each time.

    Raises:
        ParameterError: the weights cannot be computed.
    """
    loss = config.loss
    if loss.weights == "given":
        return loss.class_weights
    if loss.weights == "enet":
        classes, ignore = config.network.num_classes, config.data.ignore
        histogram = np.sum([cached_histogram(split, classes, cache, ignore) for split in train], axis=0)
        return tuple(float(weight) for weight in enet_weights(histogram, loss.enet_c, loss.share))
    return None


def enet_weights(histogram: NDArray[np.int64], c: float = 1.02, share: str = "total") -> NDArray[np.float32]:
    """Class weights 1 / ln(c + p) (ENet, Paszke et al. 2016).

    Args:
        histogram: pixels per class.
        c: the constant; larger values weigh more evenly.
        share: p is the class's share of all pixels (``total``), or its count over the largest count (``largest``,
            LinkNet).

    Raises:
        ParameterError: there is no pixel at all, or c is so small that a weight is not positive.
    """
    counts = np.asarray(histogram, np.float64)
    whole = counts.sum() if share == "total" else counts.max(initial=0)
    if whole <= 0:
        raise ParameterError("Class weights cannot be computed: no labelled pixel was found.")
    logs = np.log(c + counts / whole)
    if (logs <= 0).any():
        raise ParameterError(f"Class weights cannot be computed with loss.enet_c = {c}: it must be above 1.")
    return np.asarray(1 / logs, np.float32)


def class_histogram(split: Split, classes: int, ignore: int = 255) -> NDArray[np.int64]:
    """Count the pixels of each class over all labels of a split."""
    total = np.zeros(256, np.int64)
    for index, sample in enumerate(split.samples):
        if sample.label is not None:
            total += np.bincount(split.read_label(index).ravel(), minlength=256)
    total[ignore] = 0
    return total[:classes]


def cached_histogram(split: Split, classes: int, cache: Path | None, ignore: int = 255) -> NDArray[np.int64]:
    """``class_histogram``, cached as JSON in the folder ``cache`` until a label file is added, removed or rewritten."""
    if cache is None:
        return class_histogram(split, classes, ignore)
    digest = hashlib.sha256(f"{classes} {ignore}".encode())
    for index in range(len(split.samples)):
        digest.update(split.identify(index).encode())
    path = cache / f"class_histogram_{digest.hexdigest()[:16]}.json"
    try:
        counts = json.loads(path.read_text("utf-8"))["pixels"]
    except (OSError, ValueError, KeyError):
        counts = None
    if isinstance(counts, list) and len(counts) == classes:
        return np.asarray(counts, np.int64)
    histogram = class_histogram(split, classes, ignore)
    path.write_text(json.dumps({"split": split.name, "pixels": histogram.tolist()}) + "\n", "utf-8")
    return histogram
