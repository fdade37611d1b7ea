"""Folder layouts of data sets: which files belong together, with errors that name the file that is missing or odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError
from ..config import DataConfig
from .items import Item, Label, Split, map_values

IGNORE = 255


def open_split(config: DataConfig, name: str) -> Split:
    """The split ``name`` of the data set that ``config`` describes.

    Raises:
        SourceError: the folder, the split or a label is missing.
    """
    root = Path(config.root)
    if not config.root:
        raise SourceError("The configuration does not say where the data are.", "Give data.root=FOLDER.")
    if not root.is_dir():
        raise SourceError(f"There is no folder {root}.", "Give data.root=FOLDER.")
    return LAYOUTS[config.layout](config, root, name)


def split_train_monitor(config: DataConfig) -> tuple[Split, Split]:
    """Training and monitor split.

    With no ``monitor`` split configured, every ``holdout``-th training image by sorted name becomes the monitor's, so
    that
    the test split steers nothing.
    """
    train = open_split(config, config.train)
    if config.monitor:
        return train, open_split(config, config.monitor)
    if config.holdout < 2:
        raise SourceError("There is nothing to watch the training by.", "Give data.monitor=SPLIT or data.holdout=12.")
    kept = tuple(item for index, item in enumerate(train.items) if index % config.holdout)
    held = train.items[:: config.holdout]
    if not kept:
        raise SourceError(f"The split {config.train!r} has only {len(train.items)} images; none is left to train on.")
    return Split(f"{config.train} (kept)", kept, train.decode), Split(f"{config.train} (held out)", held, train.decode)


def _deepglobe(_config: DataConfig, root: Path, name: str) -> Split:
    """``<split>/<id>_sat.jpg`` (or ``.png``, ``.tif``) and ``<split>/<id>_mask.png``; road where it is 128 or more."""
    folder = _folder(root / name)
    images = sorted(path for path in folder.iterdir() if path.stem.endswith("_sat"))
    if not images:
        raise SourceError(f"{folder} holds no images named <id>_sat.jpg.")
    items = []
    for image in images:
        identifier = image.stem.removesuffix("_sat")
        label = _first(folder / f"{identifier}_mask{suffix}" for suffix in (".png", ".tif"))
        if label is None:
            raise SourceError(f"{folder} holds {image.name} but no {identifier}_mask.png.")
        items.append(Item(identifier, image, label))
    return Split(name, tuple(sorted(items, key=lambda item: item.id)), decode_mask)


def decode_mask(values: NDArray[np.generic]) -> Label:
    """1 where a mask (0..255, or 0/1 if it has no other values) is set, 0 elsewhere; three equal bands are one."""
    flat = np.asarray(values[:, :, 0] if values.ndim == 3 else values, np.int64)
    threshold = 128 if flat.size and int(flat.max()) > 1 else 1
    return np.asarray(flat >= threshold, np.uint8)


def indexed(config: DataConfig, default: Mapping[int, int]) -> Callable[[NDArray[np.generic]], Label]:
    """A decoder of index labels by ``config.label_map``, or ``default`` where that is empty."""
    chosen = {int(key): value for key, value in config.label_map.items()} or dict(default)
    table = map_values(chosen, IGNORE)

    def decode(values: NDArray[np.generic]) -> Label:
        if values.ndim != 2:
            raise SourceError(
                "A label image has colours where class numbers are expected.", "Convert it with `terraspore labels`."
            )
        return np.asarray(table[np.asarray(values, np.uint8)], np.uint8)

    return decode


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise SourceError(f"There is no folder {path}.")
    return path


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


LAYOUTS: Mapping[str, Callable[[DataConfig, Path, str], Split]] = {
    "deepglobe": _deepglobe,
}
