"""Compare an image with those of a model's training, by a few patches, before a run."""

from __future__ import annotations

import numpy as np

from ..models.card import ModelCard
from ..models.domain import DOMAIN_VERSION, PATCH, DomainFit, judge_patches, measure_patch
from ..raster.pixel_view import PixelView

#: Patches along each side of the grid.
_PATCHES = 4


def compare_with_training(view: PixelView, card: ModelCard) -> DomainFit | None:
    """Compare patches that are spread over an image with the images that a model was trained on.

    Args:
        view: the pixels as the network gets them.
        card: of the model.

    Returns:
        None where the card has no statistics, or no part of the image is large enough and without gaps.

    Raises:
        SourceError: the image is damaged there.
    """
    if card.domain is None or card.domain.version != DOMAIN_VERSION:
        return None
    width, height = min(PATCH, view.grid.width), min(PATCH, view.grid.height)
    features = []
    for y in _spread(view.grid.height, height):
        for x in _spread(view.grid.width, width):
            pixels = np.empty((view.layers, height, width), view.dtype)
            valid = view.read(x, y, x + width, y + height, pixels)
            found = measure_patch(pixels, card.normalisation.scale, valid)
            if found is not None:
                features.append(found)
    return judge_patches(card.domain, features) if features else None


def _spread(length: int, size: int) -> list[int]:
    """Return the starts of at most ``_PATCHES`` intervals of ``size`` that are spread over ``length``."""
    count = min(_PATCHES, max(1, length // size))
    return [round(start) for start in np.linspace(0, length - size, count)]
