"""Labels of CamVid, Cityscapes, PASCAL VOC and SBD: their colours and ids, converted to class ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...engine.errors import SourceError
from ...engine.fs.outputs import check_written_files
from .image_files import read_label
from .samples import Label

Colour = tuple[int, int, int]

#: Cityscapes' label ids -> the 19 training ids.
CITYSCAPES_TRAIN_IDS: Mapping[int, int] = {
    label: number
    for number, label in enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33))
}

#: CamVid's colours by class, in SegNet's order; everything else is void.
CAMVID_COLOURS: Mapping[str, tuple[Colour, ...]] = {
    "Sky": ((128, 128, 128),),
    "Building": ((128, 0, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64)),
    "Pole": ((192, 192, 128), (0, 0, 64)),
    "Road": ((128, 64, 128), (128, 0, 192), (192, 0, 64), (128, 128, 192)),
    "Sidewalk": ((0, 0, 192), (64, 192, 128)),
    "Tree": ((128, 128, 0), (192, 192, 0)),
    "Sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "Fence": ((64, 64, 128), (64, 192, 0)),
    "Car": ((64, 0, 128), (128, 64, 64), (64, 128, 192), (192, 64, 128), (192, 128, 192)),
    "Pedestrian": ((64, 64, 0), (64, 0, 192), (192, 128, 64)),
    "Bicyclist": ((0, 128, 192), (192, 0, 192)),
}

#: CamVid's test sequence, the sequence whose first 62 labelled frames are for training and the rest for testing, and
#: the frames of 0016E5 for validation.
_CAMVID_TEST, _CAMVID_TRAIN_TEST = "Seq05VD", "0001TP"
_CAMVID_VAL = ("0016E5_07959", "0016E5_08159")
#: Files of labels by kind, and what is replaced by what in their names when they are converted.
_FILES: Mapping[str, tuple[str, str, str]] = {
    "camvid": ("*.png", "_L.png", ".png"),
    "voc": ("*.png", "", ""),
    "cityscapes": ("*_labelIds.png", "_labelIds", "_labelTrainIds"),
    "sbd": ("*.mat", "", ""),
}


def colours_to_classes(picture: NDArray[np.generic], colours: Sequence[Sequence[Colour]], void: int = 255) -> Label:
    """Class ids of a colour picture (H, W, 3): the index into ``colours``, ``void`` for all other colours."""
    rgb = np.asarray(picture, np.int64)
    packed = (rgb[:, :, 0] << 16) | (rgb[:, :, 1] << 8) | rgb[:, :, 2]
    classes = np.full(packed.shape, void, np.uint8)
    for class_id, group in enumerate(colours):
        classes[np.isin(packed, [(red << 16) | (green << 8) | blue for red, green, blue in group])] = class_id
    return classes


def voc_palette(count: int = 256) -> NDArray[np.uint8]:
    """PASCAL VOC's colours, uint8 (count, 3): the class id's bits spread over red, green and blue from bit 7 down."""
    place = np.arange(8)[:, None]
    bits = (np.arange(count)[:, None, None] >> (3 * place + np.arange(3))) & 1
    return np.asarray((bits << (7 - place)).sum(1), np.uint8)


def camvid_classes(picture: NDArray[np.generic]) -> Label:
    """SegNet's class ids (void 11) of a CamVid colour label; stray colours are void."""
    return colours_to_classes(picture, tuple(CAMVID_COLOURS.values()), void=len(CAMVID_COLOURS))


def voc_classes(picture: NDArray[np.generic]) -> Label:
    """Class ids 0..20 of a PASCAL VOC colour label; the border's colour (224, 224, 192) and others become 255."""
    palette = [[(int(red), int(green), int(blue))] for red, green, blue in voc_palette(21)]
    return colours_to_classes(picture, palette)


def cityscapes_classes(ids: NDArray[np.generic]) -> Label:
    """Training ids 0..18 (255 elsewhere) of Cityscapes' label ids."""
    table = np.full(256, 255, np.uint8)
    table[list(CITYSCAPES_TRAIN_IDS)] = list(CITYSCAPES_TRAIN_IDS.values())
    return np.asarray(table[np.asarray(ids, np.uint8)], np.uint8)


def sbd_classes(path: Path) -> Label:
    """Class ids of an SBD label file (``.mat`` with GTcls.Segmentation).

    Raises:
        SourceError: the file is no such label.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(str(path))
        return np.asarray(content["GTcls"]["Segmentation"][0, 0], np.uint8)
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise SourceError(f"{path} is not an SBD label (a .mat file with GTcls.Segmentation).") from error


def camvid_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Split CamVid's frames: test is Seq05VD and 0001TP from its 63rd on, val is 101 of 0016E5, train the rest.

    Args:
        names: labelled frames, e.g. ``0016E5_07959``; all 701 of them give 367, 101 and 233.
    """
    ordered = sorted(names)
    tested = [name for name in ordered if name.startswith(_CAMVID_TRAIN_TEST)][62:]
    split: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for name in ordered:
        if name.startswith(_CAMVID_TEST) or name in tested:
            split["test"].append(name)
        elif _CAMVID_VAL[0] <= name[:12] <= _CAMVID_VAL[1]:
            split["val"].append(name)
        else:
            split["train"].append(name)
    return split


def convert_labels(kind: str, source: Path, target: Path, *, overwrite: bool = False) -> int:
    """Convert every label of a folder into class-id PNGs of the same relative names; returns how many.

    Args:
        kind: ``camvid`` and ``voc`` (colour PNGs), ``cityscapes`` (``*_labelIds.png``), ``sbd`` (``.mat``).
        source: folder with labels, searched with its sub-folders.
        target: folder to write to; for Cityscapes it may be the same, names end in ``_labelTrainIds.png``.
        overwrite: whether existing files may be replaced.

    Raises:
        SourceError: there is nothing to convert, a file is not of the kind, or no label has a class of it.
        OutputError: a file exists already.
        ParameterError: a label of ``source`` would be replaced.
    """
    pattern, old, new = _FILES[kind]
    files = sorted(source.rglob(pattern))
    if not files:
        raise SourceError(f"{source} holds no files {pattern}.")
    names = [path.relative_to(source).with_suffix(".png") for path in files]
    targets = [target / name.with_name(name.name.replace(old, new)) for name in names]
    check_written_files(targets, files, overwrite=overwrite)
    found, void = False, len(CAMVID_COLOURS) if kind == "camvid" else 255
    for path, out in zip(files, targets, strict=True):
        out.parent.mkdir(parents=True, exist_ok=True)
        classes = _classes(kind, path)
        found = found or bool((classes != void).any())
        PillowImage.fromarray(classes).save(out)
    if not found:
        raise SourceError(
            f"No pixel of the {len(files)} labels in {source} has a class of {kind}; those in {target} are void.",
            "Choose the kind of the data set that the labels are of.",
        )
    return len(files)


def _classes(kind: str, path: Path) -> Label:
    if kind == "sbd":
        return sbd_classes(path)
    if kind == "cityscapes":
        return cityscapes_classes(read_label(path))
    values = read_label(path)
    if kind == "voc" and values.ndim == 2:
        # VOC's own PNGs have a palette: their indices are the classes already.
        return np.asarray(values, np.uint8)
    if values.ndim != 3:
        raise SourceError(f"{path} has no colours; it is not a colour label of {kind}.")
    return camvid_classes(values) if kind == "camvid" else voc_classes(values)
