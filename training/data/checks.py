"""Checks of a data set before anything is computed (sizes and classes), and weights by the pixels of each class."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import ParameterError, SourceError
from ..config import Config
from .samples import Split, size_error


def check_files(split: Split) -> None:
    """Compare the sizes of images and labels by the headers of their files, and read the first sample.

    Raises:
        SourceError: a label is missing, has another size than its image, or a file is no image or too large.
    """
    for index, sample in enumerate(split.samples):
        image, label = split.measure(index)
        if label is None:
            if split.needs_labels:
                raise SourceError(f"{sample.image} has no label.")
        elif label != image:
            raise size_error(sample, label, image)
    split.read(0)


def find_missing_classes(split: Split, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes of which the labels of a split have no pixel.

    Labels are read until all classes were found, so this is fast except where a class is missing.

    Args:
        split: with its labels.
        names: of the classes by id.

    Raises:
        SourceError: a label cannot be read, or has a class above the last one.
    """
    counts = np.zeros(256, np.int64)
    for index, sample in enumerate(split.samples):
        if sample.label is None:
            continue
        counts += np.bincount(split.read_label(index).ravel(), minlength=256)
        counts[split.ignore] = 0
        if counts[len(names) :].any():
            raise class_error(sample.label, int(counts.nonzero()[0].max()), names)
        if counts[: len(names)].all():
            return ()
    return tuple(name for name, count in zip(names, counts, strict=False) if not count)


def class_error(label: object, class_id: int, names: Sequence[str]) -> SourceError:
    """Error for a label with a class id that the network does not have."""
    return SourceError(
        f"{label} has the class {class_id}, but there are only {len(names)} ({', '.join(names)}).",
        "Set network.num_classes, or data.label_map.",
    )


def check_classes(split: Split, names: Sequence[str]) -> str | None:
    """Check that the labels of a training split have something to learn.

    Args:
        split: with its labels.
        names: of the classes by id; two for a mask, background and foreground.

    Returns:
        A sentence on classes without a pixel; None if all have some.

    Raises:
        SourceError: no pixel has a class, or none of a mask is foreground.
    """
    if all(sample.label is None for sample in split.samples):
        return None
    missing = find_missing_classes(split, names)
    needed = names[1:] if len(names) == 2 else names
    if not set(needed) <= set(missing):
        return None if not missing else describe_missing(split, missing)
    values = _stored_values(split)
    listed = ", ".join(map(str, values[:10])) + (", ..." if len(values) > 10 else "")
    high = int(values[-1]) if len(values) == 2 else None
    hint = "Check that the labels are those of these images."
    if high is not None and len(names) == 2:
        hint = f"If {high} means {names[1]}, set data.label_map={{{values[0]}: 0, {high}: 1}} (layouts lists and voc)."
    text = f"{describe_missing(split, needed)} Stored in them: {listed}; {split.ignore} is ignored."
    raise SourceError(text, hint)


def describe_missing(split: Split, missing: Sequence[str]) -> str:
    """Sentence on classes without a pixel in the labels of a split."""
    kind = "class" if len(missing) == 1 else "classes"
    listed = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
    return f"No pixel of the {kind} {listed} is in the {len(split.samples)} labels of the split {split.name!r}."


def _stored_values(split: Split) -> NDArray[np.generic]:
    """Values that are stored in the labels of a split, in order."""
    labelled = (index for index, sample in enumerate(split.samples) if sample.label is not None)
    values = [np.unique(split.read_values(index)) for index in labelled]
    return np.asarray(np.unique(np.concatenate(values)))


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
