"""Several data sets in one training: shares, resolutions, areas without image, and exact repetition."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.training.config import Config, from_mapping
from terraspore.training.data import ImageCache, open_sources, open_training_data
from terraspore.training.data.batches import DrawOrder
from terraspore.training.data.samples import find_blank_areas, resample_image, resample_label


def write_source(folder: Path, size: int, count: int = 4, width: int = 8) -> Path:
    """Images of noise with a road of ``width`` pixels, in the DeepGlobe layout; every split has the same ones."""
    for split in ("train", "valid"):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            image = np.random.default_rng(number).integers(60, 120, (size, size, 3), np.uint8)
            mask = np.zeros((size, size), np.uint8)
            mask[:, size // 2 - width // 2 : size // 2 + width // 2] = 255
            image[mask > 0] = 200
            cv2.imwrite(str(folder / split / f"{number}_sat.png"), image)
            cv2.imwrite(str(folder / split / f"{number}_mask.png"), mask)
    return folder


def config(*sources: dict, **values: object) -> Config:
    data = {"sources": list(sources), "holdout": 4}
    return from_mapping({"data": data, "resolution": 1.0, **values})


def test_images_are_seen_at_the_resolution_of_the_network(tmp_path: Path) -> None:
    fine, coarse = write_source(tmp_path / "fine", 96), write_source(tmp_path / "coarse", 20)
    data = open_training_data(
        config({"root": str(fine), "resolution": 0.5}, {"root": str(coarse), "resolution": 2, "weight": 3})
    )
    assert [source.name for source in data.train] == ["fine", "coarse"]
    assert [source.weight for source in data.train] == [1.0, 3.0]
    assert [len(source.split.samples) for source in (*data.train, *data.validation)] == [3, 3, 1, 1]
    image, label = data.train[0].split.read(0)
    assert image.shape == (48, 48, 3)
    # A road of 8 pixels of 0.5 m is 4 m wide.
    assert np.count_nonzero(label[5]) == 4
    image, label = data.train[1].split.read(0)
    assert (image.shape, label.shape) == ((40, 40, 3), (40, 40))
    assert np.count_nonzero(label[5]) == 16


def test_a_table_has_the_resolution_of_each_image(tmp_path: Path) -> None:
    root = write_source(tmp_path / "mixed", 40, 2)
    table = root / "images.csv"
    table.write_text("split,name,resolution_m\ntrain,0,0.5\ntrain,1,2.0\n")
    (source,) = open_sources(config({"root": str(root), "resolution": "images.csv", "name": "m"}), "train")
    assert [source.split.read(index)[0].shape[0] for index in (0, 1)] == [20, 80]
    table.write_text("name,resolution\n0,0.5\n")
    with pytest.raises(SourceError, match="no resolution of the image 1"):
        open_sources(config({"root": str(root), "resolution": "images.csv"}))
    table.write_text("name,resolution\n0,wide\n")
    with pytest.raises(SourceError, match="Line 2"):
        open_sources(config({"root": str(root), "resolution": "images.csv"}))


def test_mistakes_are_named(tmp_path: Path) -> None:
    root = str(write_source(tmp_path / "a", 20))
    with pytest.raises(ParameterError, match="Set resolution"):
        open_sources(config({"root": root, "resolution": 1.0}, resolution=0.0))
    with pytest.raises(ParameterError, match="name 'a'"):
        open_sources(config({"root": root}, {"root": root}))


def test_areas_without_image_are_ignored(tmp_path: Path) -> None:
    root = write_source(tmp_path / "a", 120)
    path = root / "train" / "1_sat.png"
    image = cv2.imread(str(path))
    image[:, 90:] = 255
    image[100:, :40] = 0
    # Bright and dark things within the image stay.
    image[20:50, 10:40] = 255
    image[60:63] = 0
    cv2.imwrite(str(path), image)
    _, label = open_training_data(config({"root": str(root)})).train[0].split.read(0)
    ignored = label == 255
    assert ignored[:, 91:].all()
    assert ignored[101:, :39].all()
    assert not ignored[:95, :85].any()
    # Transparent pixels are without image in every data set.
    alpha = np.full((120, 120, 1), 255, np.uint8)
    alpha[:7] = 0
    cv2.imwrite(str(path), np.concatenate([image, alpha], 2))
    (plain,) = open_training_data(config(data={"root": str(root), "holdout": 4})).train
    label = plain.split.read(0)[1]
    assert (label[:7] == 255).all()
    assert not (label[7:] == 255).any()


def test_blank_areas_reach_the_border_and_are_uniform() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    assert not find_blank_areas(image).any()
    image[:20] = np.random.default_rng(0).integers(248, 256, (20, 100, 3))
    assert find_blank_areas(image)[:20].all()
    image[30:60, 30:60] = 255
    assert not find_blank_areas(image)[35:55, 35:55].any()


def test_small_pixels_have_the_class_of_most_of_what_they_cover() -> None:
    label = np.repeat(np.repeat(np.array([[0, 1], [2, 255]], np.uint8), 4, 0), 4, 1)
    label[0, 0] = label[0, 1] = 1
    assert resample_label(label, 0.25).tolist() == [[0, 1], [2, 255]]
    # Of two that cover as much it is the higher one: thin roads stay.
    assert resample_label(np.array([[0, 1, 1, 1, 0, 0]], np.uint8).repeat(2, 0), 0.5).tolist() == [[1, 1, 0]]
    assert resample_label(label, 2.0).shape == (16, 16)
    image = np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 10, 7 * 8, 2).reshape(8, 8, 7)
    assert resample_image(image, 0.5).shape == (4, 4, 7)
    assert resample_image(image, 1.01) is image


def test_sources_are_drawn_by_weight_and_their_images_in_turn() -> None:
    order = DrawOrder((3, 50), (1.0, 3.0), seed=1)
    drawn = [order.draw(position) for position in range(4000)]
    assert Counter(source for source, _ in drawn) == {0: 1000, 1: 3000}
    # Every image of a source comes once before any comes again, across rounds too.
    for source, count in ((0, 3), (1, 50)):
        images = [index for which, index in drawn if which == source]
        for first in range(0, len(images) - count, count):
            assert sorted(images[first : first + count]) == list(range(count))
    # A draw depends on seed and position only.
    assert DrawOrder((3, 50), (1.0, 3.0), seed=1).draw(2345) == drawn[2345]
    assert [DrawOrder((3, 50), (1.0, 3.0), seed=2).draw(position) for position in range(100)] != drawn[:100]
    # Sources alternate: no run of thirty without the rare one.
    assert all(0 in {source for source, _ in drawn[first : first + 60]} for first in range(3900))


def test_one_source_alone_is_drawn_as_before_there_were_several() -> None:
    order = DrawOrder((5,), (1.0,), seed=3)
    want = [*np.random.default_rng([3, 7, 0]).permutation(5), *np.random.default_rng([3, 7, 1]).permutation(5)]
    assert [order.draw(position)[1] for position in range(10)] == want


def test_decoded_images_are_kept_in_a_folder(tmp_path: Path) -> None:
    root = write_source(tmp_path / "a", 40)
    split = open_training_data(config({"root": str(root), "resolution": 0.5})).train[0].split
    cache = tmp_path / "cache"
    want = ImageCache(split, 0, cache).read(0)
    (file,) = cache.iterdir()
    assert want[0].shape == (20, 20, 3)
    # What is in the folder is used, until a file or the scale changes.
    np.savez(file, image=want[0] + 1, label=want[1])
    assert np.array_equal(ImageCache(split, 0, cache).read(0)[0], want[0] + 1)
    file.write_bytes(b"damaged")
    assert np.array_equal(ImageCache(split, 0, cache).read(0)[0], want[0])
    other = open_training_data(config({"root": str(root), "resolution": 1.0})).train[0].split
    assert ImageCache(other, 0, cache).read(0)[0].shape == (40, 40, 3)
    cv2.imwrite(str(split.samples[0].image), np.zeros((40, 40, 3), np.uint8))
    assert not ImageCache(split, 0, cache).read(0)[0].any()


def test_missing_classes_are_warned_of(tmp_path: Path) -> None:
    root = write_source(tmp_path / "a", 20)
    cv2.imwrite(str(root / "train" / "0_mask.png"), np.zeros((20, 20), np.uint8))
    context = RunContext()
    open_training_data(config({"root": str(root)}), context)
    assert len(context.warnings) == 1
    assert "class road is in the 1 labels of the split 'train (held out)'" in context.warnings[0]


def test_training_images_are_resized_where_asked(tmp_path: Path) -> None:
    root = write_source(tmp_path / "a", 40)
    data = open_training_data(from_mapping({"data": {"root": str(root), "resize": 0.25, "holdout": 4}}))
    assert data.train[0].split.read(0)[0].shape == (10, 10, 3)
    assert data.validation[0].split.read(0)[0].shape == (40, 40, 3)


def test_background_beside_drawn_roads_is_ignored_in_training_alone(tmp_path: Path) -> None:
    root = write_source(tmp_path / "a", 96)
    data = open_training_data(config({"root": str(root), "resolution": 0.5, "ignore_band": [3, 10]}))
    _, label = data.train[0].split.read(0)
    # 48 pixels of 1 m: the road takes columns 22 to 25; 3 m beside it are background, the next 7 m are ignored.
    assert label[5].tolist() == [0] * 12 + [255] * 7 + [0] * 3 + [1] * 4 + [0] * 3 + [255] * 7 + [0] * 12
    _, label = data.validation[0].split.read(0)
    assert set(np.unique(label)) == {0, 1}
    cached = ImageCache(data.train[0].split, 0, tmp_path / "cache").read(0)[1]
    assert np.count_nonzero(cached == 255) == 48 * 14
    with pytest.raises(ParameterError, match="ignore_band"):
        open_training_data(config({"root": str(root), "ignore_band": [3, 10]}, resolution=0.0))
