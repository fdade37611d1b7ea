"""Pictures of what a network sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mindspore import nn
from PIL import Image as Pictures

from ...engine.context import Cancellation
from ...engine.errors import SourceError
from ..backend import set_up
from ..config import Config
from ..data import open_split, read_image
from ..trainer.state_files import load_weights
from ..trainer.train import create_configured_network
from .evaluate import as_function, weights_path
from .plots import colour_table, overlay, save_classes
from .predictor import Predictor

_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def show_predictions(
    config: Config,
    checkpoint: Path | None,
    out: Path,
    *,
    split: str | None = None,
    images: Path | None = None,
    alpha: float | None = 0.5,
    cancellation: Cancellation | None = None,
    make_network: Callable[[Config], nn.Cell] = create_configured_network,
) -> int:
    """Write a PNG per image; returns how many.

    Args:
        config: network, data, colours.
        checkpoint: the weights; ``init.checkpoint`` unless given.
        out: folder for the pictures, named like the images.
        split: which images; ``data.test`` unless given.
        images: a folder of pictures instead of a split.
        alpha: weight of the colours over the image; None writes the class numbers with a palette.
        cancellation: is asked after each image.
        make_network: makes the network.

    Raises:
        ParameterError: there are no weights, or alpha is out of range.
        SourceError: there are no images.
    """
    path = weights_path(config, checkpoint)
    files = _files(config, split, images)
    set_up(config.train, config.seed)
    network = make_network(config)
    load_weights(network, path)
    predictor = Predictor(as_function(network, config.train.compile), config.evaluation, config.normalisation)
    colours = colour_table(config)
    watch = cancellation or Cancellation()
    out.mkdir(parents=True, exist_ok=True)
    for name, file in files:
        watch.check()
        image = read_image(file)
        classes = predictor.classes(image)
        if alpha is None:
            save_classes(classes, colours, out / f"{name}.png")
        else:
            Pictures.fromarray(overlay(image, classes, colours, alpha)).save(out / f"{name}.png")
    return len(files)


def _files(config: Config, split: str | None, images: Path | None) -> list[tuple[str, Path]]:
    if images is None:
        chosen = open_split(config.data, split or config.data.test)
        return [(item.id, item.image) for item in chosen.items]
    if not images.is_dir():
        raise SourceError(f"There is no folder {images}.")
    files = [(path.stem, path) for path in sorted(images.iterdir()) if path.suffix.lower() in _SUFFIXES]
    if not files:
        raise SourceError(f"{images} holds no pictures.")
    return files
