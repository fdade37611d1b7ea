"""Statistics of the training images for the model card, by which the engine warns of images that differ from them.

``python -m terraspore.training.export.domain CONFIG FOLDER [KEY=VALUE]...`` writes them into the card of a model that
was exported without.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from ...engine.context import RunContext
from ...engine.errors import UserError
from ...engine.models.card import CARD_NAME, read_card, write_card
from ...engine.models.domain import (
    DOMAIN_VERSION,
    PATCH,
    Domain,
    Floats,
    grey_features,
    invert_features,
    measure_patch,
)
from ..config import Config, load_config
from ..data import Source, open_training_data

#: Most images of a source that are measured, and patches of all images of a source together.
_IMAGES, _PATCHES = 240, 720
#: Fewest and most patches of an image.
_PATCHES_PER_IMAGE = (3, 12)
#: Rows that each source has in the fit, so that all count alike; of them one in so many is without colours, too.
_ROWS, _GREY_STEP = 500, 6
_CENTRES = 32
#: Least patches in which anything can be learned.
_FEWEST = 24
#: Spread that is added to that of each axis, relative to the features', so that axes of noise do not count.
_SHRINKAGE = 0.1
_FOLDS = 4
#: Shares of the training images that are within the limits.
_INSIDE, _NOT_NEGATIVE = 0.95, 0.98


def measure_domain(config: Config, sources: Sequence[Source], context: RunContext) -> Domain | None:
    """Measure the statistics of training images.

    Args:
        config: of the training.
        sources: its images.
        context: its cancellation is checked before each image.

    Returns:
        None where the images are too few or too small.

    Raises:
        SourceError: an image cannot be read.
        Cancelled: the command was stopped.
    """
    measured = [_measure_source(source, config.normalisation.scale, context) for source in sources]
    return fit_domain([images for images in measured if images], has_grey=config.augment.grey > 0)


def fit_domain(sources: Sequence[Sequence[Floats]], *, has_grey: bool) -> Domain | None:
    """Fit the statistics to the features of training images.

    The limits are those of images that the statistics were not fitted to, a little wider if the images are few.

    Args:
        sources: by source and image the features (N, F) of its patches.
        has_grey: whether images without colours were trained on, too.

    Returns:
        None where the patches are too few.
    """
    images = [image for source in sources for image in source]
    if sum(map(len, images)) < _FEWEST or len(images) < _FOLDS:
        return None
    scores = []
    for fold in range(_FOLDS):
        kept = [[image for i, image in enumerate(source) if i % _FOLDS != fold] for source in sources]
        domain = _fit([np.concatenate(source) for source in kept if source], has_grey)
        held = [image for source in sources for i, image in enumerate(source) if i % _FOLDS == fold]
        scores += [_score(domain, image) for image in held]
    distances, excesses = np.array(scores).T
    margin = 1 + 3 / len(scores)
    return dataclasses.replace(
        _fit([np.concatenate(source) for source in sources], has_grey),
        limit=round(float(margin * np.quantile(distances, _INSIDE)), 4),
        negative_limit=round(float(np.quantile(excesses, _NOT_NEGATIVE)) + 1 / len(scores), 4),
    )


def _measure_source(source: Source, scale: float, context: RunContext) -> list[Floats]:
    """Measure patches of the images of a source, at places that are the same in each call."""
    split = dataclasses.replace(source.split, contrast=None)  # images are compared before they are stretched
    count = len(split.samples)
    indices = np.unique(np.linspace(0, count - 1, min(count, _IMAGES)).astype(int))
    patches = int(np.clip(_PATCHES // len(indices), *_PATCHES_PER_IMAGE))
    generator = np.random.default_rng(0)
    found = []
    for index in indices:
        context.check_cancelled()
        image = split.read_image(int(index)).transpose(2, 0, 1)
        features = [_measure_anywhere(image, scale, generator) for _ in range(patches)]
        if rows := [row for row in features if row is not None]:
            found.append(np.stack(rows))
    return found


def _measure_anywhere(image: NDArray[Any], scale: float, generator: np.random.Generator) -> Floats | None:
    height, width = image.shape[1:]
    y, x = (int(generator.integers(0, max(1, length - PATCH + 1))) for length in (height, width))
    return measure_patch(image[:, y : y + PATCH, x : x + PATCH], scale)


def _fit(sources: Sequence[Floats], has_grey: bool) -> Domain:
    """Fit everything but the limits to the features (N, F) of each source."""
    rows = []
    for source in sources:
        repeated = np.concatenate([source] * max(1, round(_ROWS / len(source))))
        rows += [repeated, grey_features(repeated[::_GREY_STEP])] if has_grey else [repeated]
    features = np.concatenate(rows).astype(np.float64)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    points = (features - mean) / deviation
    spread, directions = np.linalg.eigh(np.cov(points.T))
    axes = (directions / np.sqrt(spread.clip(0) + _SHRINKAGE)).T
    points = points @ axes.T
    count = min(_CENTRES, sum(map(len, sources)) // 6, len(np.unique(points.round(6), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of centres without patches, which are left out
        centres, labels = kmeans2(points, count, seed=0, minit="++")
    used = centres[np.unique(labels)]
    return Domain(DOMAIN_VERSION, _round(mean), _round(deviation), _round_rows(axes), _round_rows(used), 1.0, 0.0)


def _score(domain: Domain, features: Floats) -> tuple[float, float]:
    """Distance of an image, and its excess over that of its negative."""
    distances = domain.measure_distances(features)
    excesses = distances - domain.measure_distances(invert_features(features))
    return float(np.median(distances)), float(np.median(excesses))


def _round(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.3g}") for value in values)


def _round_rows(rows: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(_round(row) for row in rows)


def main(arguments: Sequence[str]) -> None:
    """Write the statistics of the training images of a configuration into the card of a model."""
    config, path = load_config(arguments[0], arguments[2:]), Path(arguments[1]) / CARD_NAME
    context = RunContext()
    domain = measure_domain(config, open_training_data(config, context).train, context)
    write_card(path, dataclasses.replace(read_card(path), domain=domain))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
