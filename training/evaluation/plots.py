"""Predictions as pictures: class colours, overlays, palette images, and the plot of a confusion matrix."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import nn
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...engine.context import RunContext
from ...engine.errors import ParameterError, SourceError
from ...engine.fs.outputs import check_written_files
from ..backend import configure_mindspore
from ..config import Config
from ..data import make_loader, open_sources, open_training_data, read_image
from ..data.image_files import Image
from ..networks.registry import create_configured_network
from .predictor import checkpoint_path, load_predictor

Colours = NDArray[np.uint8]
#: The file of an image, and what reads it.
ImageReader = tuple[Path, Callable[[], Image]]

_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def plot_predictions(
    config: Config,
    checkpoint: Path | None,
    out: Path,
    *,
    split: str | None = None,
    images: Path | None = None,
    alpha: float | None = 0.5,
    overwrite: bool = False,
    context: RunContext | None = None,
    make_network: Callable[[Config], nn.Cell] = create_configured_network,
) -> int:
    """Write the predicted classes of each image as a PNG; return the number of images.

    Args:
        config: network, data, colours.
        checkpoint: the weights; ``init.checkpoint`` unless given.
        out: folder for the pictures, named like the images.
        split: which images; ``data.test`` unless given.
        images: an image, or a folder of images, instead of a split.
        alpha: opacity of the colours over the image, 0 to 1; None writes class ids with a palette instead.
        overwrite: whether existing pictures may be replaced.
        context: its cancellation is checked before each image.
        make_network: creates the network.

    Raises:
        ParameterError: there are no weights, alpha is out of range, or an image would be replaced.
        OutputError: a picture exists already.
        SourceError: there are no images.
        Cancelled: the command was stopped.
    """
    context = context or RunContext()
    path = checkpoint_path(config, checkpoint)
    readers = _split_images(config, split) if images is None else _find_images(images)
    files = [path, *(file for file, _ in readers.values())]
    check_written_files([out / f"{name}.png" for name in readers], files, overwrite=overwrite)
    configure_mindspore(config.train, config.seed)
    predictor = load_predictor(config, path, make_network)
    colours = class_colours(config)
    highest = 0.0
    for name, (_, read) in readers.items():
        context.check_cancelled()
        image = read()
        probabilities = predictor.predict(image)
        classes = predictor.classify(probabilities)
        highest = max(highest, float(probabilities.max()))
        picture = out / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        if alpha is None:
            save_classes(classes, colours, picture)
        else:
            PillowImage.fromarray(overlay(image, classes, colours, alpha)).save(picture)
    threshold = config.evaluation.threshold
    if config.network.num_classes == 1 and highest < threshold:
        context.warn(
            f"Nothing in the {len(readers)} images reached the threshold {threshold:g} (highest {highest:.3f})."
        )
    return len(readers)


def plot_samples(
    config: Config,
    out: Path,
    count: int,
    *,
    alpha: float | None = 0.5,
    overwrite: bool = False,
    context: RunContext | None = None,
) -> int:
    """Write the first augmented samples of a training as PNGs ``<number>.png``; return their number.

    Args:
        config: of the training.
        out: folder for the pictures.
        count: number of samples.
        alpha: opacity of the labels' colours over the image, 0 to 1; None writes the images alone.
        overwrite: whether existing pictures may be replaced.
        context: its cancellation is checked before each sample.

    Raises:
        ParameterError: alpha is out of range.
        OutputError: a picture exists already.
        SourceError: the data are missing.
        Cancelled: the command was stopped.
    """
    context = context or RunContext()
    pictures = [out / f"{number:04d}.png" for number in range(count)]
    check_written_files(pictures, [], overwrite=overwrite)
    loader = make_loader(config, open_training_data(config, context).train)
    colours = class_colours(config)
    out.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        context.check_cancelled()
        image, label = loader.load_sample(*divmod(number, loader.batch))
        PillowImage.fromarray(overlay(image, label, colours, alpha or 0.0)).save(picture)
    return count


def _split_images(config: Config, split: str | None) -> dict[str, ImageReader]:
    """Readers of the images of a split, by the sample's id; with several sources below the name of the source."""
    return {
        f"{source.name}/{sample.id}" if source.name else sample.id: (
            sample.image,
            partial(source.split.read_image, index),
        )
        for source in open_sources(config, split)
        for index, sample in enumerate(source.split.samples)
    }


def _find_images(path: Path) -> dict[str, ImageReader]:
    """Readers of an image, or of the images of a folder, by their names without suffix.

    Raises:
        SourceError: there are none.
    """
    if path.is_file():
        return {path.stem: (path, partial(read_image, path))}
    if not path.is_dir():
        raise SourceError(f"There is no image or folder {path}.")
    files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES]
    if not files:
        raise SourceError(f"{path} holds no pictures.")
    return {file.stem: (file, partial(read_image, file)) for file in files}


def class_colours(config: Config) -> Colours:
    """RGB per class id, uint8 (256, 3): configured or well-separated hues; a mask's background and void are black.

    Raises:
        ParameterError: there are not as many colours as classes.
    """
    table = np.zeros((256, 3), np.uint8)
    count = config.network.num_classes
    configured = config.data.colours
    if configured and len(configured) != count:
        raise ParameterError(f"data.colours has {len(configured)} entries, but network.num_classes is {count}.")
    first = 1 if count == 1 else 0
    for number in range(count):
        if configured:
            table[first + number] = configured[number]
        else:
            # The golden angle keeps the hues of neighbouring classes far apart, whatever their number.
            value = 0.95 if count < 8 or number % 2 else 0.7
            rgb = colorsys.hsv_to_rgb((number * 0.618034) % 1, 0.75, value)
            table[first + number] = [round(band * 255) for band in rgb]
    return table


def save_classes(classes: NDArray[np.uint8], colours: Colours, path: Path) -> None:
    """Write class ids (H, W) as a palette PNG: the indices are the ids, the palette holds the colours."""
    picture = PillowImage.fromarray(np.asarray(classes, np.uint8), mode="P")
    picture.putpalette(colours.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def overlay(image: Image, classes: NDArray[np.uint8], colours: Colours, alpha: float) -> Image:
    """Blend the colours of the classes over the image, uint8 (H, W, 3).

    ``image (1 - alpha) + colour alpha`` where a class has a colour; black classes (background, void) leave the image
    unchanged. Upstream's LEDNet weighs image and colours both with alpha, which darkens the picture.

    Raises:
        ParameterError: ``alpha`` is not within 0 and 1.
    """
    if not 0 <= alpha <= 1:
        raise ParameterError(f"alpha is {alpha}, but must be between 0 and 1.")
    base = image[:, :, :3].astype(np.float32)
    if base.shape[2] == 1:
        base = np.repeat(base, 3, 2)
    colour = colours[classes].astype(np.float32)
    mixed = np.where(colour.any(2, keepdims=True), base * (1 - alpha) + colour * alpha, base)
    return np.asarray(np.rint(mixed), np.uint8)


@contextmanager
def draw_figure(path: Path, *, dpi: int, rows: int = 1, **options: Any) -> Iterator[Any]:
    """Yield the axes of a figure, with ``options`` of matplotlib's ``subplots``; it is written at the block's end."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, **options)
    yield axes
    figure.tight_layout()
    figure.savefig(path, dpi=dpi)
    plt.close(figure)


def plot_confusion(matrix: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Plot a confusion matrix, each row as shares of its true class."""
    rows = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    size = max(4.0, 0.6 * len(names) + 2)
    with draw_figure(path, dpi=120, figsize=(size, size)) as axes:
        axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        for i in range(len(names)):
            for j in range(len(names)):
                shade = "black" if shares[i, j] > 0.5 else "white"
                axes.text(j, i, f"{shares[i, j]:.2f}", ha="center", va="center", color=shade, fontsize=7)
