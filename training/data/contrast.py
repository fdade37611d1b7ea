"""Contrast of training images, to which recipe and model card let every image be stretched.

``python -m terraspore.training.data.contrast CONFIG [KEY=VALUE]...`` prints it for ``normalisation.contrast``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...engine.context import RunContext
from ...engine.errors import UserError
from ...engine.raster.stretch import Contrast, measure_limits
from ..config import load_config
from .sources import Source, open_training_data

#: Most images of a source that are measured.
_IMAGES = 240


def measure_contrast(sources: Sequence[Source], context: RunContext) -> Contrast:
    """Measure the mean percentiles of training images, each source by its number of images.

    Args:
        sources: the images, 8 bits.
        context: its cancellation is checked before each image.

    Raises:
        SourceError: an image cannot be read.
        Cancelled: the command was stopped.
    """
    means, counts = [], []
    for source in sources:
        split = replace(source.split, contrast=None)
        count = len(split.samples)
        limits = []
        for index in np.unique(np.linspace(0, count - 1, min(count, _IMAGES)).astype(int)):
            context.check_cancelled()
            image = split.read_image(int(index))
            limits.append(measure_limits(list(image.reshape(-1, image.shape[2]).T)))
        means.append(np.mean(limits, axis=0))
        counts.append(count)
    low, high = np.average(means, axis=0, weights=counts).round(1).T.tolist()
    return Contrast(tuple(low), tuple(high))


def main(arguments: Sequence[str]) -> None:
    """Print the contrast of the training images of a configuration."""
    contrast = measure_contrast(open_training_data(load_config(arguments[0], arguments[1:])).train, RunContext())
    sys.stdout.write(f"contrast: {{low: {list(contrast.low)}, high: {list(contrast.high)}}}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
