"""List files with "image<TAB>label" in each line, for Cityscapes, VOC with SBD, and any two folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...engine.errors import SourceError
from .layouts import read_lines

Pair = tuple[str, str | None]


def write_list(pairs: Sequence[Pair], path: Path) -> None:
    """Write a list file; a pair without label becomes a line of one column."""
    lines = [image if label is None else f"{image}\t{label}" for image, label in pairs]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def cityscapes_lists(root: Path) -> dict[str, list[Pair]]:
    """Pairs by list name, relative to ``root``: train, val, trainval, test (one column), train+ and train++.

    ``train+`` adds the coarse labels of ``train_extra``, ``train++`` those of ``train_extra`` and the fine ones of
    ``val``. Lists without images are left out.

    Raises:
        SourceError: there are no images, or a label is missing.
    """
    fine = {name: _cityscapes(root, name, "gtFine") for name in ("train", "val")}
    coarse = _cityscapes(root, "train_extra", "gtCoarse")
    lists: dict[str, list[Pair]] = {
        **fine,
        "trainval": fine["train"] + fine["val"],
        "test": [(image, None) for image, _ in _cityscapes(root, "test", None)],
    }
    if coarse:
        lists["train+"] = fine["train"] + coarse
        lists["train++"] = fine["train"] + fine["val"] + coarse
    found = {name: pairs for name, pairs in lists.items() if pairs}
    if not found:
        raise SourceError(f"{root} holds no leftImg8bit/<split>/<city>/*_leftImg8bit.png.")
    return found


def _cityscapes(root: Path, split: str, kind: str | None) -> list[Pair]:
    pairs: list[Pair] = []
    for image in sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png")):
        label = None
        if kind is not None:
            stem = image.name.removesuffix("_leftImg8bit.png")
            path = root / kind / split / image.parent.name / f"{stem}_{kind}_labelTrainIds.png"
            if not path.is_file():
                raise SourceError(f"{image} has no label {path}.", "Make it with `terraspore labels cityscapes`.")
            label = str(path.relative_to(root))
        pairs.append((str(image.relative_to(root)), label))
    return pairs


def voc_sbd_lists(voc: Path, sbd: Path, voc_labels: Path, sbd_labels: Path, root: Path) -> dict[str, list[Pair]]:
    """Pairs of the five lists of VOC2012 with SBD: voc_train, voc_val, sbd_train, sbd_val, and vocaug_train.

    Paths are relative to ``root``; absolute where a file is not in it.

    ``vocaug_train`` is everything of SBD that is neither in VOC's train nor in its val, plus VOC's train (10,582
    images).

    Args:
        voc: the folder VOC2012 (ImageSets, JPEGImages).
        sbd: SBD's folder ``dataset`` (img, train.txt, val.txt).
        voc_labels: class-id PNGs of VOC.
        sbd_labels: class-id PNGs of SBD.
        root: folder of the lists.

    Raises:
        SourceError: a list of VOC or SBD cannot be read, or names a file that is not there.
    """
    sources = {
        "voc": (voc / "ImageSets" / "Segmentation", voc / "JPEGImages", voc_labels),
        "sbd": (sbd, sbd / "img", sbd_labels),
    }
    names, lists = {}, {}
    for source, (folder, images, labels) in sources.items():
        for part in ("train", "val"):
            name = f"{source}_{part}"
            names[name] = [line.split()[0] for line in read_lines(folder / f"{part}.txt")]
            lists[name] = _pairs(names[name], images, labels, root)
    taken = set(names["voc_train"]) | set(names["voc_val"])
    further = [name for name in names["sbd_train"] + names["sbd_val"] if name not in taken]
    lists["vocaug_train"] = lists["voc_train"] + _pairs(further, sbd / "img", sbd_labels, root)
    return lists


def folder_list(images: Path, labels: Path, root: Path) -> list[Pair]:
    """Pair the images of a folder with the labels of the same name of another, relative to ``root``.

    Raises:
        SourceError: there are no images, or a label is missing.
    """
    for folder in (images, labels):
        if not folder.is_dir():
            raise SourceError(f"There is no folder {folder}.")
    found = {path.stem: path for path in labels.iterdir() if path.suffix.lower() in (".png", ".tif")}
    pairs: list[Pair] = []
    for image in sorted(images.iterdir()):
        if image.suffix.lower() not in (".jpg", ".jpeg", ".png", ".tif"):
            continue
        if image.stem not in found:
            raise SourceError(f"{image} has no label of the same name in {labels}.")
        pairs.append((_relative(image, root), _relative(found[image.stem], root)))
    if not pairs:
        raise SourceError(f"{images} holds no images.")
    return pairs


def _pairs(names: Iterable[str], images: Path, labels: Path, root: Path) -> list[Pair]:
    files = [(images / f"{name}.jpg", labels / f"{name}.png") for name in names]
    for path in (path for pair in files for path in pair):
        if not path.is_file():
            raise SourceError(f"There is no file {path}, which the lists of the data set name.")
    return [(_relative(image, root), _relative(label, root)) for image, label in files]


def _relative(path: Path, root: Path) -> str:
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        return str(path.resolve())
