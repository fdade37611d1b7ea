"""Data and configurations of trainings that end before the first step, with a sentence."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from raster_files import write_raster
from reports.situation import Outcome, Situation, each, run_situation


def _images(folder: Path, names: tuple[str, ...] = ("a", "b", "c"), *, scale: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pixels = (
            np.random.default_rng(number).integers(20, 200, (32, 32, 3)).astype(np.uint16 if scale > 1 else np.uint8)
        )
        cv2.imwrite(str(folder / f"{name}.png"), pixels * scale)


def _masks(folder: Path, on: int = 255, names: tuple[str, ...] = ("a", "b", "c"), dtype: type = np.uint8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        mask = np.zeros((32, 32), dtype)
        mask[:, 4 * number + 8 : 4 * number + 12] = on
        cv2.imwrite(str(folder / f"{name}.png"), mask)


def _lists(folder: Path) -> None:
    lines = "".join(f"images/{name}.png\tmasks/{name}.png\n" for name in "abc")
    (folder / "train.txt").write_text(lines)


def _train(folder: Path, layout: str, *overrides: str) -> tuple[object, ...]:
    data = (f"data.layout={layout}", f"data.root={folder}", "data.holdout=3")
    return ("train", "dlinknet34", *data, *overrides, "--out", folder / "run")


def _listed(on: int = 255, *, scale: int = 1, dtype: type = np.uint8) -> Callable[[Path], tuple[object, ...]]:
    def make(folder: Path) -> tuple[object, ...]:
        _images(folder / "images", scale=scale)
        _masks(folder / "masks", on, dtype=dtype)
        _lists(folder)
        return _train(folder, "lists")

    return make


def _voc(folder: Path) -> tuple[object, ...]:
    base = folder / "VOC2007"
    _images(base / "JPEGImages")
    _masks(base / "SegmentationClass")
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    (base / "ImageSets" / "Segmentation" / "train.txt").write_text("a\nb\nc\n")
    return _train(folder, "voc")


def _deepglobe(folder: Path, on: int = 255, label: Callable[[Path], None] | None = None) -> tuple[object, ...]:
    names = ("a", "b", "c")
    _images(folder / "train", tuple(f"{name}_sat" for name in names))
    _masks(folder / "train", on, tuple(f"{name}_mask" for name in names))
    if label is not None:
        (folder / "train" / "b_mask.png").unlink()
        label(folder / "train")
    return _train(folder, "deepglobe")


def _missing_mask(folder: Path) -> tuple[object, ...]:
    return _deepglobe(folder, label=lambda path: None)


def _jpeg_masks(folder: Path) -> tuple[object, ...]:
    arguments = _listed()(folder)
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path.with_suffix(".jpg")), cv2.circle(np.zeros((32, 32), np.uint8), (15, 15), 9, 255, 2))
    lines = (folder / "train.txt").read_text()
    (folder / "train.txt").write_text(re.sub(r"(masks/.)\.png", r"\1.jpg", lines))
    return arguments


def _colour_labels(folder: Path) -> tuple[object, ...]:
    arguments = _listed()(folder)
    _images(folder / "masks")
    return arguments


def _huge_tiff(folder: Path) -> None:
    size = {"width": 100_000, "height": 100_000, "tiled": True, "blockxsize": 8192, "blockysize": 8192}
    path = write_raster(
        folder / "b_mask.tif", np.zeros((1, 1, 1), np.uint8), **size, sparse_ok=True, compress="deflate"
    )
    assert path.stat().st_size < 20_000


def _huge_png(folder: Path) -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(bytes(100)), b"IEND")
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    (folder / "b_mask.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def _configured(text: str) -> Callable[[Path], tuple[object, ...]]:
    def make(folder: Path) -> tuple[object, ...]:
        (folder / "recipe.yaml").write_text(text)
        return ("train", folder / "recipe.yaml", "--out", folder / "run")

    return make


def _voc_lists(folder: Path) -> tuple[object, ...]:
    voc, sbd = folder / "VOC2012", folder / "sbd"
    (voc / "ImageSets" / "Segmentation").mkdir(parents=True)
    for name, ids in (("train", "a\n"), ("val", "b\n")):
        (voc / "ImageSets" / "Segmentation" / f"{name}.txt").write_text(ids)
    sbd.mkdir()
    (sbd / "train.txt").write_text("a\nc\n")
    (sbd / "val.txt").write_text("b\n")
    for path in (voc / "JPEGImages", sbd / "img"):
        path.mkdir()
        for name in "abc":
            cv2.imwrite(str(path / f"{name}.jpg"), np.full((8, 8, 3), 90, np.uint8))
    for path in (voc / "classes", sbd / "classes"):
        _masks(path, 1)
    labels = ("--voc-labels", voc / "classes", "--sbd-labels", sbd / "classes")
    return ("lists", "voc", voc, sbd, *labels, "--out", folder / "lists")


def _can_read_lists(outcome: Outcome) -> bool:
    lines = (outcome.folder / "lists" / "vocaug_train.txt").read_text().splitlines()
    paths = [Path(column) for line in lines for column in line.split("\t")]
    return len(lines) == 2 and all((outcome.folder / "lists" / path).is_file() for path in paths)


def _no_run(outcome: Outcome) -> bool:
    return not (outcome.folder / "run").exists()


SITUATIONS = (
    Situation(
        "masks of 0 and 255 in lists, where 255 is ignored",
        make=_listed(255),
        code=2,
        says=("no pixel of the class road", "0, 255", "data.label_map={0: 0, 255: 1}"),
        check=_no_run,
    ),
    Situation(
        "the same in the VOC layout", make=_voc, code=2, says=("no pixel of the class road", "label_map={0: 0, 255: 1}")
    ),
    Situation("masks of 0 and 7", make=_listed(7), code=2, says=("has the class 7", "data.label_map")),
    Situation(
        "masks that are all empty",
        make=lambda folder: _deepglobe(folder, 0),
        code=2,
        says="no pixel of the class road",
        report="uni-medical/SAM-Med3D#75",
    ),
    Situation(
        "images of 16 bits, which would become black",
        make=_listed(1, scale=20),
        code=2,
        says=("b.png", "uint16", "terraspore chips"),
    ),
    Situation(
        "masks saved as JPEG, whose values are blurred",
        make=_jpeg_masks,
        code=2,
        says=("b.jpg has the class", "data.label_map"),
        report="divamgupta/image-segmentation-keras#204",
    ),
    Situation(
        "labels with the colours of the classes",
        make=_colour_labels,
        code=2,
        says=("b.png has colours", "terraspore labels"),
        report="GeorgeSeif/Semantic-Segmentation-Suite#89",
    ),
    Situation(
        "images of which one has no mask",
        make=_missing_mask,
        code=2,
        says=("b_sat.png", "b_mask.png"),
        report="datapink/robosat.pink#87",
    ),
    Situation(
        "labels of 16 bits", make=_listed(4000, dtype=np.uint16), code=2, says=("b.png", "values from 0 to 4000")
    ),
    Situation(
        "a label of 100,000 x 100,000 pixels in some kilobytes",
        make=lambda folder: _deepglobe(folder, label=_huge_tiff),
        code=2,
        says=("b_mask.tif", "more than 134,217,728 pixels"),
        check=_no_run,
    ),
    Situation(
        "the same as a PNG",
        make=lambda folder: _deepglobe(folder, label=_huge_png),
        code=2,
        says=("b_mask.png", "more than 134,217,728 pixels"),
    ),
    Situation(
        "a label of another size than its image",
        make=lambda folder: _deepglobe(
            folder, label=lambda path: cv2.imwrite(str(path / "b_mask.png"), np.eye(31) * 255)
        ),
        code=2,
        says=("b_mask.png is 31 x 31", "b_sat.png is 32 x 32"),
        check=_no_run,
        report="kevinjohncutler/omnipose#3",
    ),
    Situation("a recipe of 20,000 levels", make=_configured("[" * 20_000), code=2, says="30 levels"),
    Situation(
        "a recipe with a number of 5,000 digits", make=_configured(f"seed: {'9' * 5000}"), code=2, says="recipe.yaml"
    ),
    Situation(
        "a recipe whose anchors stand for gigabytes",
        make=_configured(
            "x0: &x0 [1]\n"
            + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 10))
            + "name: *x9\n"
        ),
        code=2,
        says="aliases",
        check=lambda outcome: len(outcome.sentences) < 1000,
    ),
    Situation("lists of VOC from relative folders", make=_voc_lists, check=_can_read_lists),
    Situation(
        "colour labels of another data set than the one named",
        make=lambda folder: (
            _images(folder / "labels"),
            ("labels", "camvid", folder / "labels", folder / "out"),
        )[1],
        code=2,
        says=("no pixel of the 3 labels", "camvid"),
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
