"""Folder layouts of data sets: which files belong together, with errors that name the file that is missing or odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError
from ..config import DataConfig
from .labels import CITYSCAPES_TRAIN_IDS
from .samples import Item, Label, Split, map_values

IGNORE = 255


def open_split(config: DataConfig, name: str) -> Split:
    """The split ``name`` of the data set that ``config`` describes.

    Raises:
        SourceError: the folder, the split or a label is missing.
    """
    root = Path(config.root)
    if not config.root:
        raise SourceError("The configuration does not say where the data are.", "Give data.root=FOLDER.")
    if not root.is_dir() and not (config.layout == "mindrecord" and root.parent.is_dir()):
        raise SourceError(f"There is no folder {root}.", "Give data.root=FOLDER.")
    return LAYOUTS[config.layout](config, root, name)


def split_train_monitor(config: DataConfig) -> tuple[Split, Split]:
    """Training and monitor split.

    With no ``monitor`` split configured, every ``holdout``-th training image by sorted name becomes the monitor's, so
    that the test split steers nothing.
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


def decode_mask(values: NDArray[np.generic]) -> Label:
    """1 where a mask (0..255, or 0/1 if it has no other values) is set, 0 elsewhere; three equal bands are one."""
    flat = np.asarray(values[:, :, 0] if values.ndim == 3 else values, np.int64)
    threshold = 128 if flat.size and int(flat.max()) > 1 else 1
    return np.asarray(flat >= threshold, np.uint8)


def indexed(config: DataConfig, default: Mapping[int, int]) -> Callable[[NDArray[np.generic]], Label]:
    """A decoder of index labels by ``config.label_map``, or ``default`` where that is empty.

    Raises:
        SourceError: a key of the map is no label value.
    """
    given = config.label_map.items()
    if not all(key.isdecimal() and int(key) < 256 for key, _ in given):
        raise SourceError("The keys of data.label_map must be label values, 0 to 255.")
    table = map_values({int(key): value for key, value in given} or dict(default), IGNORE)

    def decode(values: NDArray[np.generic]) -> Label:
        """Class numbers of a label image of index values."""
        if values.ndim != 2:
            raise SourceError(
                "A label image has colours where class numbers are expected.",
                "Convert it with `terraspore labels`.",
            )
        numbers = np.asarray(values, np.int64)
        return np.asarray(table[np.clip(numbers, 0, 255)], np.uint8)

    return decode


def _deepglobe(_config: DataConfig, root: Path, name: str) -> Split:
    """``<split>/<id>_sat.jpg`` (or ``.png``, ``.tif``) and ``<split>/<id>_mask.png``; road where it is 128 or more."""
    folder = _folder(root / name)
    images = [path for path in folder.iterdir() if path.stem.endswith("_sat")]
    if not images:
        raise SourceError(f"{folder} holds no images named <id>_sat.jpg.")
    items = []
    for image in images:
        identifier = image.stem.removesuffix("_sat")
        label = _first(folder / f"{identifier}_mask{suffix}" for suffix in (".png", ".tif"))
        if label is None:
            raise SourceError(f"{folder} holds {image.name} but no {identifier}_mask.png.")
        items.append(Item(identifier, image, label))
    return _split(name, items, decode_mask)


def _voc(config: DataConfig, root: Path, name: str) -> Split:
    """``VOC2007/{ImageSets/Segmentation/<split>.txt, JPEGImages, SegmentationClass}``, at or below ``root``.

    Label values are taken as they are, 255 ignored, unless ``data.label_map`` says otherwise (Vaihingen's 1..6 ->
    0..5).
    """
    base = next((path for path in (root, root / "VOC2007", root / "VOC2012") if (path / "ImageSets").is_dir()), None)
    if base is None:
        raise SourceError(f"{root} has no folder ImageSets (nor VOC2007/ImageSets).")
    listing = base / "ImageSets" / "Segmentation" / f"{name}.txt"
    items = []
    for number, identifier in enumerate(_lines(listing), 1):
        image = _first(base / "JPEGImages" / f"{identifier}{suffix}" for suffix in (".jpg", ".png", ".tif"))
        label = base / "SegmentationClass" / f"{identifier}.png"
        if image is None:
            raise SourceError(
                f"{listing} names {identifier!r} in line {number}, which is not in {base / 'JPEGImages'}."
            )
        if not label.is_file():
            raise SourceError(f"{listing} names {identifier!r} in line {number}, which has no label {label}.")
        items.append(Item(identifier, image, label))
    return _split(name, items, indexed(config, {value: value for value in range(IGNORE)}))


def _camvid(config: DataConfig, root: Path, name: str) -> Split:
    """``<split>/<id>.png|jpg`` and ``<split>annot/<id>.png`` with SegNet's class numbers (11 is void)."""
    folder, labels = _folder(root / name), _folder(root / f"{name}annot")
    items = []
    for image in sorted(folder.iterdir()):
        if image.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            continue
        label = labels / f"{image.stem}.png"
        if not label.is_file():
            raise SourceError(f"{image} has no label {label}.")
        items.append(Item(image.stem, image, label))
    if not items:
        raise SourceError(f"{folder} holds no images.")
    return _split(name, items, indexed(config, {value: value for value in range(11)}))


def _cityscapes(config: DataConfig, root: Path, name: str) -> Split:
    """``leftImg8bit/<split>/<city>/*_leftImg8bit.png`` and ``gtFine/...`` (``gtCoarse`` for the split ``train_extra``).

    Labels are ``_gtFine_labelIds.png`` (mapped to the 19 training ids) or, where there are any, ``_labelTrainIds.png``.
    """
    images = _folder(root / "leftImg8bit" / name)
    kind = "gtCoarse" if name == "train_extra" else "gtFine"
    items, trained = [], False
    for image in sorted(images.glob("*/*_leftImg8bit.png")):
        stem = image.name.removesuffix("_leftImg8bit.png")
        base = root / kind / name / image.parent.name
        ready, plain = base / f"{stem}_{kind}_labelTrainIds.png", base / f"{stem}_{kind}_labelIds.png"
        trained = trained or ready.is_file()
        label = ready if trained else plain
        if not label.is_file():
            raise SourceError(f"{image} has no label {label}.")
        instances = base / f"{stem}_{kind}_instanceIds.png"
        items.append(Item(stem, image, label, instances if instances.is_file() else None))
    if not items:
        raise SourceError(f"{images} holds no images named <city>/<id>_leftImg8bit.png.")
    default = {value: value for value in range(19)} if trained else CITYSCAPES_TRAIN_IDS
    return _split(name, items, indexed(config, default))


def _lists(config: DataConfig, root: Path, name: str) -> Split:
    """``<root>/<split>.txt`` (or ``_lst.txt``) with a line per image: image and label relative to ``root``.

    The two are separated by a tab or spaces; this is the form of DGCNet's and MindCV's lists (VOC2012+SBD).
    """
    listing = _first((root / f"{name}.txt", root / f"{name}_lst.txt"))
    if listing is None:
        raise SourceError(f"{root} has no list {name}.txt.", "Make one with `terraspore lists`.")
    items = []
    for number, line in enumerate(_lines(listing), 1):
        words = line.split("\t") if "\t" in line else line.split()
        if len(words) not in (1, 2):
            raise SourceError(f"Line {number} of {listing} is not an image and a label: {line!r}.")
        paths = [root / word for word in words]
        for path in paths:
            if not path.is_file():
                raise SourceError(f"{listing} names {path} in line {number}, which is not there.")
        items.append(Item(paths[0].stem, paths[0], paths[1] if len(paths) == 2 else None))
    return _split(name, items, indexed(config, {value: value for value in range(IGNORE)}))


def _chips(config: DataConfig, root: Path, name: str) -> Split:
    """What ``terraspore chips`` writes: ``<split>/images/<id>.tif`` and ``<split>/labels/<id>.png``."""
    images, labels = _folder(root / name / "images"), _folder(root / name / "labels")
    items = []
    for image in sorted(images.glob("*.tif")):
        label = labels / f"{image.stem}.png"
        if not label.is_file():
            raise SourceError(f"{image} has no label {label}.")
        items.append(Item(image.stem, image, label))
    if not items:
        raise SourceError(f"{images} holds no chips.")
    return _split(name, items, indexed(config, {value: value for value in range(IGNORE)}))


def _mindrecord(_config: DataConfig, root: Path, name: str) -> Split:
    """``<root>/<split>0``, ``1``, ... as ``terraspore records`` writes them; their labels are mapped already."""
    from .mindrecord import open_records

    return open_records(root, name, indexed(DataConfig(), {value: value for value in range(IGNORE)}))


def _split(name: str, items: Iterable[Item], decode: Callable[[NDArray[np.generic]], Label]) -> Split:
    ordered = tuple(sorted(items, key=lambda item: item.id))
    if not ordered:
        raise SourceError(f"The split {name!r} is empty.")
    return Split(name, ordered, decode)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise SourceError(f"There is no folder {path}.")
    return path


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The list {path} cannot be read.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


LAYOUTS: Mapping[str, Callable[[DataConfig, Path, str], Split]] = {
    "deepglobe": _deepglobe,
    "voc": _voc,
    "camvid": _camvid,
    "cityscapes": _cityscapes,
    "lists": _lists,
    "chips": _chips,
    "mindrecord": _mindrecord,
}
