"""Folder layouts of data sets: which image and label files belong together in each split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError
from ..config import DataConfig
from .labels import CITYSCAPES_TRAIN_IDS
from .samples import Decoder, Label, Sample, Split

#: Label value that layouts with class ids ignore unless ``data.label_map`` says otherwise.
IGNORE = 255


def open_split(config: DataConfig, name: str) -> Split:
    """Find the samples of the split ``name`` of a data set.

    Raises:
        SourceError: the folder, the split or a label is missing.
    """
    root = Path(config.root)
    if not config.root:
        raise SourceError("The configuration does not say where the data are.", "Give data.root=FOLDER.")
    if not root.is_dir() and not (config.layout == "mindrecord" and root.parent.is_dir()):
        raise SourceError(f"There is no folder {root}.", "Give data.root=FOLDER.")
    return replace(LAYOUTS[config.layout](config, root, name), ignore=config.ignore)


def open_train_val(config: DataConfig) -> tuple[Split, Split]:
    """Open the training and the validation split.

    If no validation split is configured, every ``holdout``-th training image by sorted name is held out for it, so
    that the test split does not influence the training.

    Raises:
        SourceError: data are missing, or nothing is left for one of the two.
    """
    train = open_split(config, config.train)
    if config.val:
        return train, open_split(config, config.val)
    if config.holdout < 2:
        raise SourceError("There are no validation images.", "Give data.val=SPLIT or data.holdout=12.")
    kept = tuple(sample for index, sample in enumerate(train.samples) if index % config.holdout)
    held = train.samples[:: config.holdout]
    if not kept:
        raise SourceError(
            f"The split {config.train!r} of {config.root} has a single image, and it is held out for validation.",
            "Give more images (smaller chips: `terraspore chips --size`), or data.val=SPLIT.",
        )
    return (
        replace(train, name=f"{config.train} (kept)", samples=kept),
        replace(train, name=f"{config.train} (held out)", samples=held),
    )


def decode_mask(values: NDArray[np.generic]) -> Label:
    """Class ids of a mask: 1 from 128 on, or from 1 on if its values are 0 and 1 only; the first of several bands."""
    flat = np.asarray(values[:, :, 0] if values.ndim == 3 else values, np.int64)
    threshold = 128 if flat.size and int(flat.max()) > 1 else 1
    return np.asarray(flat >= threshold, np.uint8)


def index_decoder(config: DataConfig, default: Mapping[int, int]) -> Decoder:
    """Make a decoder of label images (H, W) by ``config.label_map``, or by ``default`` if that is empty.

    Values that are not in the map are ignored; the decoder raises ValueError for what cannot be a label image.

    Raises:
        SourceError: a key of the map is no label value.
    """
    given = config.label_map.items()
    if not all(key.isdecimal() and int(key) < 256 for key, _ in given):
        raise SourceError("The keys of data.label_map must be label values, 0 to 255.")
    table = np.full(256, config.ignore, np.uint8)
    for value, class_id in ({int(key): value for key, value in given} or default).items():
        table[value] = class_id

    def decode(values: NDArray[np.generic]) -> Label:
        """Class ids of a label image."""
        if values.ndim != 2:
            raise ValueError("has colours where class ids are expected")
        numbers = np.asarray(values, np.int64)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < 256:
            raise ValueError(f"has values from {numbers.min()} to {numbers.max()}, but class ids are 0 to 255")
        return np.asarray(table[numbers], np.uint8)

    return decode


def _deepglobe(_config: DataConfig, root: Path, name: str) -> Split:
    """``<split>/<id>_sat.jpg`` (or ``.png``, ``.tif``) and ``<id>_mask.png``, in the same folder or ``<split>_mask``.

    A pixel is road where the mask is 128 or more.
    """
    folder = _folder(root / name)
    masks = root / f"{name}_mask" if (root / f"{name}_mask").is_dir() else folder
    samples = []
    for image in (path for path in folder.iterdir() if path.stem.endswith("_sat")):
        identifier = image.stem.removesuffix("_sat")
        label = _first(masks / f"{identifier}_mask{suffix}" for suffix in (".png", ".tif"))
        if label is None:
            raise SourceError(f"{folder} holds {image.name}, but {masks} no {identifier}_mask.png.")
        samples.append(Sample(identifier, image, label))
    return _split(name, samples, decode_mask, f"{folder} holds no images named <id>_sat.jpg.")


def _voc(config: DataConfig, root: Path, name: str) -> Split:
    """``VOC2007/{ImageSets/Segmentation/<split>.txt, JPEGImages, SegmentationClass}``, at or below ``root``.

    Label values are taken as they are, 255 ignored, unless ``data.label_map`` says otherwise (Vaihingen's 1..6 ->
    0..5).
    """
    base = next((path for path in (root, root / "VOC2007", root / "VOC2012") if (path / "ImageSets").is_dir()), None)
    if base is None:
        raise SourceError(f"{root} has no folder ImageSets (nor VOC2007/ImageSets).")
    listing = base / "ImageSets" / "Segmentation" / f"{name}.txt"
    samples = []
    for number, identifier in enumerate(read_lines(listing), 1):
        image = _first(base / "JPEGImages" / f"{identifier}{suffix}" for suffix in (".jpg", ".png", ".tif"))
        label = base / "SegmentationClass" / f"{identifier}.png"
        if image is None:
            raise SourceError(
                f"{listing} names {identifier!r} in line {number}, which is not in {base / 'JPEGImages'}."
            )
        if not label.is_file():
            raise SourceError(f"{listing} names {identifier!r} in line {number}, which has no label {label}.")
        samples.append(Sample(identifier, image, label))
    return _split(name, samples, index_decoder(config, {value: value for value in range(IGNORE)}))


def _camvid(config: DataConfig, root: Path, name: str) -> Split:
    """``<split>/<id>.png|jpg`` and ``<split>annot/<id>.png`` with SegNet's class numbers (11 is void)."""
    folder, labels = _folder(root / name), _folder(root / f"{name}annot")
    images = (path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    decode = index_decoder(config, {value: value for value in range(11)})
    return _split(name, _pair(images, labels), decode, f"{folder} holds no images.")


def _cityscapes(config: DataConfig, root: Path, name: str) -> Split:
    """``leftImg8bit/<split>/<city>/*_leftImg8bit.png`` and ``gtFine/...`` (``gtCoarse`` for the split ``train_extra``).

    Labels are ``_gtFine_labelIds.png`` (mapped to the 19 training ids) or, where there are any, ``_labelTrainIds.png``.
    """
    images = _folder(root / "leftImg8bit" / name)
    kind = "gtCoarse" if name == "train_extra" else "gtFine"
    samples, trained = [], False
    for image in sorted(images.glob("*/*_leftImg8bit.png")):
        stem = image.name.removesuffix("_leftImg8bit.png")
        base = root / kind / name / image.parent.name
        ready, plain = base / f"{stem}_{kind}_labelTrainIds.png", base / f"{stem}_{kind}_labelIds.png"
        trained = trained or ready.is_file()
        label = ready if trained else plain
        if not label.is_file():
            raise SourceError(f"{image} has no label {label}.")
        instances = base / f"{stem}_{kind}_instanceIds.png"
        samples.append(Sample(stem, image, label, instances if instances.is_file() else None))
    default = {value: value for value in range(19)} if trained else CITYSCAPES_TRAIN_IDS
    missing = f"{images} holds no images named <city>/<id>_leftImg8bit.png."
    return _split(name, samples, index_decoder(config, default), missing)


def _lists(config: DataConfig, root: Path, name: str) -> Split:
    """``<root>/<split>.txt`` (or ``_lst.txt``) with a line per image: image and label relative to ``root``.

    The two are separated by a tab or spaces; this is the form of DGCNet's and MindCV's lists (VOC2012+SBD).
    """
    listing = _first((root / f"{name}.txt", root / f"{name}_lst.txt"))
    if listing is None:
        raise SourceError(f"{root} has no list {name}.txt.", "Make one with `terraspore lists`.")
    samples = []
    for number, line in enumerate(read_lines(listing), 1):
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) not in (1, 2):
            raise SourceError(f"Line {number} of {listing} is not an image and a label: {line!r}.")
        paths = [root / column for column in columns]
        for path in paths:
            if not path.is_file():
                raise SourceError(f"{listing} names {path} in line {number}, which is not there.")
        samples.append(Sample(paths[0].stem, paths[0], paths[1] if len(paths) == 2 else None))
    return _split(name, samples, index_decoder(config, {value: value for value in range(IGNORE)}))


def _chips(config: DataConfig, root: Path, name: str) -> Split:
    """Chips of ``terraspore chips``: ``<split>/images/<id>.tif`` and ``<split>/labels/<id>.png``."""
    images, labels = _folder(root / name / "images"), _folder(root / name / "labels")
    decode = index_decoder(config, {value: value for value in range(IGNORE)})
    return _split(name, _pair(images.glob("*.tif"), labels), decode, f"{images} holds no chips.")


def _mindrecord(config: DataConfig, root: Path, name: str) -> Split:
    """``<root>/<split>0``, ``1``, ... as ``terraspore records`` writes them; their labels are mapped already."""
    from .mindrecord import open_records

    decode = index_decoder(replace(config, label_map={}), {value: value for value in range(256)})
    return open_records(root, name, decode)


def _pair(images: Iterable[Path], labels: Path) -> list[Sample]:
    """Pair images with the PNGs of the same name in the folder ``labels``."""
    samples = []
    for image in sorted(images):
        label = labels / f"{image.stem}.png"
        if not label.is_file():
            raise SourceError(f"{image} has no label {label}.")
        samples.append(Sample(image.stem, image, label))
    return samples


def _split(name: str, samples: Iterable[Sample], decode: Decoder, missing: str = "") -> Split:
    """Make the split of ``samples``; raise ``SourceError``, with the sentence ``missing``, if there are none."""
    ordered = tuple(sorted(samples, key=lambda sample: sample.id))
    if not ordered:
        raise SourceError(missing or f"The split {name!r} is empty.")
    return Split(name, ordered, decode)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise SourceError(f"There is no folder {path}.")
    return path


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def read_lines(path: Path) -> list[str]:
    """Read the lines of a list file, without blank ones.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The list {path} cannot be read: {getattr(error, 'strerror', error)}.") from error
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
