"""Conversion of labels, with colours and ids from the data sets' own documentation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terraspore.engine.errors import OutputError, ParameterError, SourceError
from terraspore.training.data.labels import (
    CAMVID_COLOURS,
    camvid_classes,
    camvid_split,
    cityscapes_classes,
    convert_labels,
    voc_classes,
    voc_palette,
)


def row(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array([colours], np.uint8)


def test_camvid_colours() -> None:
    names = [*CAMVID_COLOURS, "void"]
    got = camvid_classes(row((128, 128, 128), (128, 0, 192), (192, 0, 192), (64, 64, 64), (0, 0, 0)))
    assert [names[v] for v in got[0]] == ["Sky", "Road", "Bicyclist", "void", "void"]


def test_camvid_split_counts() -> None:
    names = [f"Seq05VD_f{i:05d}" for i in range(171)] + [f"0001TP_{i:06d}" for i in range(6690, 6690 + 124 * 30, 30)]
    names += [f"0006R0_f{i:05d}" for i in range(101)] + [f"0016E5_{i:05d}" for i in range(7959, 8161, 2)]
    names += [f"0016E5_{i:05d}" for i in range(390, 390 + 204 * 30, 30)]
    split = camvid_split(names)
    assert {name: len(frames) for name, frames in split.items()} == {"train": 367, "val": 101, "test": 233}
    assert "0001TP_006690" in split["train"]


def test_cityscapes_ids() -> None:
    assert cityscapes_classes(np.array([[7, 8, 19, 33, 0, 29, 255]]))[0].tolist() == [0, 1, 6, 18, 255, 255, 255]


def test_voc_palette_and_back() -> None:
    palette = voc_palette()
    # aeroplane, bicycle, person, tv monitor, border
    assert palette[[1, 2, 15, 20, 255]].tolist() == [
        [128, 0, 0],
        [0, 128, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert voc_classes(row((0, 0, 0), (192, 128, 128), (224, 224, 192)))[0].tolist() == [0, 15, 255]


def test_folders_are_converted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(row((128, 64, 128), (9, 9, 9))).save(tmp_path / "in" / "x_L.png")
    assert convert_labels("camvid", tmp_path / "in", tmp_path / "out") == 1
    assert np.asarray(Image.open(tmp_path / "out" / "x.png")).tolist() == [[3, 11]]
    with pytest.raises(OutputError, match="exists already"):
        convert_labels("camvid", tmp_path / "in", tmp_path / "out")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "in" / "x_L.png")
    with pytest.raises(SourceError, match="no colours"):
        convert_labels("camvid", tmp_path / "in", tmp_path / "out", overwrite=True)
    with pytest.raises(SourceError, match="holds no files"):
        convert_labels("sbd", tmp_path / "in", tmp_path / "out")


def test_labels_are_not_converted_onto_themselves(tmp_path: Path) -> None:
    label = tmp_path / "x.png"
    Image.fromarray(row((0, 0, 0), (192, 128, 128))).save(label)
    before = label.read_bytes()
    with pytest.raises(ParameterError, match="which this run reads"):
        convert_labels("voc", tmp_path, tmp_path, overwrite=True)
    assert label.read_bytes() == before
