"""Layouts: the samples that are found, and errors that name a missing file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terraspore.engine.errors import OutputError, SourceError
from terraspore.training.config import DataConfig, load_config
from terraspore.training.config.loader import PACKAGED
from terraspore.training.data import open_split, open_train_val


def picture(path: Path, value: int = 7, size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


def label(path: Path, values: list, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.resize(np.array(values, np.uint8), (4, 6)), mode="P" if palette else "L")
    if palette:
        image.putpalette([255 - i // 3 for i in range(768)])
    image.save(path)


def test_deepglobe_and_its_holdout(roads: Path) -> None:
    config = DataConfig(root=str(roads), holdout=4)
    train, val = open_train_val(config)
    assert [sample.id for sample in val.samples] == ["00", "04"]
    assert [sample.id for sample in train.samples] == ["01", "02", "03", "05", "06", "07"]
    image, mask = train.read(0)
    assert image.shape == (40, 40, 3)
    assert set(np.unique(mask)) == {0, 1}
    assert image[mask == 1].mean() > image[mask == 0].mean() + 60


def test_errors_of_deepglobe_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"data\.root"):
        open_split(DataConfig(), "train")
    with pytest.raises(SourceError, match="no folder"):
        open_split(DataConfig(root=str(tmp_path)), "train")
    picture(tmp_path / "train" / "a_sat.jpg")
    with pytest.raises(SourceError, match=r"a_mask\.png"):
        open_split(DataConfig(root=str(tmp_path)), "train")
    label(tmp_path / "train" / "a_mask.png", [0, 255])
    picture(tmp_path / "train" / "a_sat.jpg", size=(5, 4))
    with pytest.raises(SourceError, match="6 x 4, but its image"):
        open_split(DataConfig(root=str(tmp_path)), "train").read(0)


def test_voc_with_a_label_map_reads_palette_indices(tmp_path: Path) -> None:
    base = tmp_path / "VOC2007"
    listing = base / "ImageSets" / "Segmentation" / "train.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("b\n\na\n")
    for name in "ab":
        picture(base / "JPEGImages" / f"{name}.jpg")
        label(base / "SegmentationClass" / f"{name}.png", [0, 1, 6, 9], palette=True)
    config = DataConfig(layout="voc", root=str(tmp_path), label_map={str(v): v - 1 for v in range(1, 7)})
    split = open_split(config, "train")
    assert [sample.id for sample in split.samples] == ["a", "b"]
    assert split.read(0)[1][0, :4].tolist() == [255, 0, 5, 255]
    listing.write_text("a\nmissing\n")
    with pytest.raises(SourceError, match="'missing' in line 2"):
        open_split(config, "train")


def test_camvid_and_void(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "x.jpg")
    with pytest.raises(SourceError, match="trainannot"):
        open_split(DataConfig(layout="camvid", root=str(tmp_path)), "train")
    label(tmp_path / "trainannot" / "x.png", [0, 10, 11])
    split = open_split(DataConfig(layout="camvid", root=str(tmp_path)), "train")
    assert split.read(0)[1][0, :3].tolist() == [0, 10, 255]


def test_cityscapes_ids_become_training_ids(tmp_path: Path) -> None:
    picture(tmp_path / "leftImg8bit" / "val" / "ulm" / "ulm_1_leftImg8bit.png")
    base = tmp_path / "gtFine" / "val" / "ulm"
    label(base / "ulm_1_gtFine_labelIds.png", [7, 33, 0, 18])
    config = DataConfig(layout="cityscapes", root=str(tmp_path))
    assert open_split(config, "val").read(0)[1][0, :4].tolist() == [0, 18, 255, 255]
    label(base / "ulm_1_gtFine_labelTrainIds.png", [0, 18, 255, 3])
    assert open_split(config, "val").read(0)[1][0, :4].tolist() == [0, 18, 255, 3]


def test_errors_of_lists_name_the_line(tmp_path: Path) -> None:
    picture(tmp_path / "i" / "x.png")
    label(tmp_path / "l" / "x.png", [0, 20, 255])
    (tmp_path / "voc_val_lst.txt").write_text("i/x.png l/x.png\n")
    config = DataConfig(layout="lists", root=str(tmp_path))
    assert open_split(config, "voc_val").read(0)[1][0, :3].tolist() == [0, 20, 255]
    (tmp_path / "voc_val_lst.txt").write_text("i/x.png\tl/x.png\ni/y.png\tl/y.png\n")
    with pytest.raises(SourceError, match="line 2"):
        open_split(config, "voc_val")


def test_a_colour_label_is_an_error_with_a_hint(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "x.jpg")
    picture(tmp_path / "trainannot" / "x.png")
    with pytest.raises(SourceError, match=r"x\.png has colours.*terraspore labels"):
        open_split(DataConfig(layout="camvid", root=str(tmp_path)), "train").read(0)


def test_masks_may_be_in_a_folder_of_their_own(roads: Path, tmp_path: Path) -> None:
    shutil.copytree(roads / "valid", tmp_path / "valid")
    want = open_split(DataConfig(root=str(roads)), "valid")
    (tmp_path / "valid_mask").mkdir()
    for path in (tmp_path / "valid").glob("*_mask.png"):
        path.rename(tmp_path / "valid_mask" / path.name)
    got = open_split(DataConfig(root=str(tmp_path)), "valid")
    assert [sample.id for sample in got.samples] == [sample.id for sample in want.samples]
    assert np.array_equal(got.read(2)[1], want.read(2)[1])
    (tmp_path / "valid_mask" / "02_mask.png").unlink()
    with pytest.raises(SourceError, match=r"02_sat\.jpg, but .*valid_mask no 02_mask\.png"):
        open_split(DataConfig(root=str(tmp_path)), "valid")


def test_values_above_255_are_errors_and_ignored_ones_have_the_configured_value(tmp_path: Path) -> None:
    picture(tmp_path / "x.png")
    label(tmp_path / "y.png", [0, 1, 7])
    (tmp_path / "train.txt").write_text("x.png\ty.png\n")
    config = DataConfig(layout="lists", root=str(tmp_path), label_map={"0": 0, "1": 1}, ignore=9)
    assert open_split(config, "train").read(0)[1][0, :3].tolist() == [0, 1, 9]
    Image.fromarray(np.full((4, 6), 300, np.uint16)).save(tmp_path / "y.png")
    with pytest.raises(SourceError, match=r"y\.png has values from 300 to 300"):
        open_split(config, "train").read(0)


@pytest.mark.mindspore
def test_mindrecord_round_trip(roads: Path, tmp_path: Path) -> None:
    pytest.importorskip("mindspore")
    from terraspore.training.data.mindrecord import write_records

    split = open_split(DataConfig(root=str(roads)), "valid")
    files = write_records(split, tmp_path / "valid", shards=2)
    assert len(files) == 2
    back = open_split(DataConfig(layout="mindrecord", root=str(tmp_path)), "valid")
    assert len(back.samples) == len(split.samples)
    for index in range(len(split.samples)):
        want, got = split.read(index), back.read(index)
        assert np.array_equal(want[0], got[0])
        assert np.array_equal(want[1], got[1])
        assert back.measure(index) == ((40, 40), (40, 40))


@pytest.mark.mindspore
def test_mindrecord_splits_whose_names_begin_alike_are_not_mixed(roads: Path, tmp_path: Path) -> None:
    pytest.importorskip("mindspore")
    from terraspore.training.data.mindrecord import write_records

    source = DataConfig(root=str(roads))
    write_records(open_split(source, "train"), tmp_path / "trainval", shards=3)
    config = DataConfig(layout="mindrecord", root=str(tmp_path))
    with pytest.raises(SourceError, match="no MindRecord files"):
        open_split(config, "train")
    write_records(open_split(source, "valid"), tmp_path / "train", shards=2)
    assert len(open_split(config, "train").samples) == 3
    assert len(open_split(config, "trainval").samples) == 8
    with pytest.raises(OutputError, match="already"):
        write_records(open_split(source, "valid"), tmp_path / "train", shards=1)
    (tmp_path / "trainval1").unlink()
    with pytest.raises(SourceError, match="damaged or missing"):
        open_split(config, "trainval")


@pytest.mark.mindspore
def test_every_packaged_recipe_can_hold_records_out(roads: Path, tmp_path: Path) -> None:
    pytest.importorskip("mindspore")
    from terraspore.training.data.checks import cached_histogram
    from terraspore.training.data.mindrecord import write_records

    split = open_split(DataConfig(root=str(roads)), "train")
    paths = sorted(PACKAGED.glob("*.yaml"))
    for name in {load_config(path).data.train for path in paths}:
        write_records(split, tmp_path / name, shards=1)
    for path in paths:
        config = load_config(path, ["data.layout=mindrecord", f"data.root={tmp_path}"])
        train, held = open_train_val(config.data)
        assert held.read(0)[0].shape == (40, 40, 3)
        counts = cached_histogram(train, 2, tmp_path)
        assert counts.sum() == 1600 * len(train.samples)
