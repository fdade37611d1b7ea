"""Predictions as pictures: colours, overlays, the confusion matrix."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from ...engine.errors import ParameterError
from ..config import Config
from ..data.samples import Image

Colours = NDArray[np.uint8]


def colour_table(config: Config) -> Colours:
    """RGB per class id, uint8 (256, 3): as configured, or well-separated hues; background of a mask and void are black.

    Raises:
        ParameterError: there are not as many colours as classes.
    """
    table = np.zeros((256, 3), np.uint8)
    count = config.network.num_classes
    given = config.data.colours
    if given and len(given) != count:
        raise ParameterError(f"data.colours has {len(given)} entries, but network.num_classes is {count}.")
    first = 1 if count == 1 else 0
    for number in range(count):
        table[first + number] = given[number] if given else _hue(number, count)
    return table


def _hue(number: int, count: int) -> tuple[int, int, int]:
    # The golden angle keeps neighbours far apart, however many there are.
    red, green, blue = colorsys.hsv_to_rgb((number * 0.618034) % 1, 0.75, 0.95 if count < 8 or number % 2 else 0.7)
    return round(red * 255), round(green * 255), round(blue * 255)


def save_classes(classes: NDArray[np.uint8], colours: Colours, path: Path) -> None:
    """Write class ids as a palette PNG: the indices are the ids, the palette shows the colours."""
    picture = Pictures.fromarray(np.asarray(classes, np.uint8), mode="P")
    picture.putpalette(colours.tobytes())
    picture.save(path)


def overlay(image: Image, classes: NDArray[np.uint8], colours: Colours, alpha: float) -> Image:
    """The image with the classes laid over it.

    ``image (1 - alpha) + colour alpha`` where a class has a colour; black classes (background, void) leave the image
    as it is.
    Upstream's LEDNet weighs image and colours both with alpha, which darkens the picture.

    Raises:
        ParameterError: ``alpha`` is not within 0 and 1.
    """
    if not 0 <= alpha <= 1:
        raise ParameterError(f"alpha is {alpha}, but must be between 0 and 1.")
    base = image[:, :, :3].astype(np.float32)
    if base.shape[2] == 1:
        base = np.repeat(base, 3, 2)
    colour = colours[classes].astype(np.float32)
    shown = colour.any(2, keepdims=True)
    mixed = np.where(shown, base * (1 - alpha) + colour * alpha, base)
    return np.asarray(np.rint(mixed), np.uint8)


def draw_confusion(matrix: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix, each row as shares of its true class."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    size = max(4.0, 0.6 * len(names) + 2)
    figure, axes = plt.subplots(figsize=(size, size))
    axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for i in range(len(names)):
        for j in range(len(names)):
            shade = "black" if shares[i, j] > 0.5 else "white"
            axes.text(j, i, f"{shares[i, j]:.2f}", ha="center", va="center", color=shade, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
