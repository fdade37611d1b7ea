"""Contrast of training images, to which recipe and model card let every image be stretched.

``python -m terraspore.training.data.contrast CONFIG [KEY=VALUE]...`` prints it for ``normalisation.contrast``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from ...engine.context import RunContext
from ...engine.errors import ParameterError, UserError
from ...engine.raster.contrast import Contrast, measure_limits
from ..config import load_config
from .sources import Source, open_training_data

#: Most images of a source that are measured.
_IMAGES = 240


def measure_contrast(sources: Sequence[Source], context: RunContext) -> Contrast:
    """Measure the percentiles of training images, and how they differ; each source counts by its number of images.

    Args:
        sources: the images, 8 bits.
        context: its cancellation is checked before each image.

    Raises:
        SourceError: an image cannot be read.
        Cancelled: the command was stopped.
    """
    limits: list[list[tuple[float, float]]] = []
    weights: list[float] = []
    for source in sources:
        split = replace(source.split, contrast=None)
        count = len(split.samples)
        indices = np.unique(np.linspace(0, count - 1, min(count, _IMAGES)).astype(int))
        for index in indices:
            context.check_cancelled()
            image = split.read_image(int(index))
            limits.append(measure_limits(list(image.reshape(-1, image.shape[2]).T)))
            weights.append(count / len(indices))
    mean = np.average(limits, axis=0, weights=weights)
    deviation = np.sqrt(np.average((limits - mean) ** 2, axis=0, weights=weights))
    low, high, low_deviation, high_deviation = (
        tuple(row) for values in (mean, deviation) for row in values.round(1).T.tolist()
    )
    return Contrast(low, high, low_deviation, high_deviation)


def main(arguments: Sequence[str]) -> None:
    """Print the contrast of the training images of a configuration.

    Raises:
        ParameterError: no configuration is named, or the images hardly have a contrast.
        UserError: it cannot be read, or its data cannot.
    """
    if not arguments:
        raise ParameterError("No configuration is named.", "Give its file, and KEY=VALUE for each value to override.")
    contrast = measure_contrast(open_training_data(load_config(arguments[0], arguments[1:])).train, RunContext())
    if problem := contrast.find_problem(len(contrast.low)):
        raise ParameterError(f"The training images have no contrast to train with: {problem}.")
    values = ", ".join(f"{name}: {list(value)}" for name, value in asdict(contrast).items())
    sys.stdout.write(f"contrast: {{{values}}}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
