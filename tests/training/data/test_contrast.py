"""Contrast of training images: measured, matched when images are read, and passed on to the card."""

from __future__ import annotations

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.errors import ParameterError
from terraspore.engine.raster.contrast import Contrast
from terraspore.training.config import from_mapping, load_config
from terraspore.training.data import ImageCache, open_sources, open_training_data
from terraspore.training.data.contrast import main, measure_contrast
from terraspore.training.export.card import create_card
from terraspore.training.export.details import CardDetails


def exact(low, high):
    """A contrast to which every image is stretched."""
    return {"low": low, "high": high, "low_deviation": [0] * len(low), "high_deviation": [0] * len(low)}


@pytest.fixture
def configure(tmp_path):
    """A configuration of images of two brightnesses (values 40..120 and 100..200), with further values by section."""
    generator = np.random.default_rng(0)
    for split in ("train", "valid"):
        (tmp_path / split).mkdir()
        for number, (low, high) in enumerate([(40, 120), (100, 200)] * 2):
            image = generator.uniform(low, high, (64, 64, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / split / f"{number}_sat.png"), image)
            mask = np.zeros((64, 64), np.uint8)
            mask[20:24] = 255
            cv2.imwrite(str(tmp_path / split / f"{number}_mask.png"), mask)

    def configure(**sections):
        data = {"layout": "deepglobe", "root": str(tmp_path), "train": "train", "val": "valid", "test": "valid"}
        network = {"name": "linknet", "num_classes": 1}
        return from_mapping({"data": data, "network": network, "resolution": 1.0, **sections})

    return configure


def test_contrast_is_the_mean_of_the_images_percentiles(configure):
    expected = Contrast((71.8,) * 3, (158.2,) * 3, (30.2,) * 3, (39.8,) * 3)  # of 41.6 and 102, 118.4 and 198
    for config in (configure(), configure(normalisation={"contrast": exact([10] * 3, [250] * 3)})):
        found = measure_contrast(open_training_data(config).train, RunContext())
        assert found.low == pytest.approx(expected.low, abs=2)
        assert found.high == pytest.approx(expected.high, abs=2)
        assert found.low_deviation == pytest.approx(expected.low_deviation, abs=2)
        assert found.high_deviation == pytest.approx(expected.high_deviation, abs=2)


def test_images_are_read_with_the_contrast(configure, tmp_path):
    contrast = exact([20, 30, 40], [180, 170, 160])
    (plain,) = open_sources(configure())
    (matched,) = open_sources(configure(normalisation={"contrast": contrast}))
    for index in range(4):
        image, label = matched.split.read(index)
        found = np.percentile(image.reshape(-1, 3), (2, 98), axis=0)
        np.testing.assert_allclose(found, [contrast["low"], contrast["high"]], atol=2.5)
        np.testing.assert_array_equal(label, plain.split.read(index)[1])
        np.testing.assert_array_equal(matched.split.read_image(index), image)
        cached = [ImageCache(source.split, 0, tmp_path / "cache").read(index)[0] for source in (plain, matched)]
        np.testing.assert_array_equal(cached[1], image)
        assert np.abs(cached[0].astype(int) - image).max() > 20


def test_card_has_the_contrast_of_the_configuration(configure):
    contrast = Contrast((20.0, 30.0, 40.0), (180.0, 170.0, 160.0), (9.0, 8.0, 7.0), (19.0, 18.0, 17.0))
    config = configure(normalisation={"contrast": asdict(contrast)})
    for configured, expected in ((config, contrast), (configure(), None)):
        card = create_card(configured, CardDetails(name="a"), weights="weights.ckpt", sha256="0" * 64)
        assert card.contrast == expected


@pytest.mark.parametrize("contrast", [exact([1], [9]), exact([9, 9, 9], [200, 200, 9]), {"low": [1, 2, 3]}])
def test_contrast_that_does_not_fit_is_refused(contrast):
    with pytest.raises(ParameterError, match=r"normalisation\.contrast"):
        load_config("linknet_camvid", [f"normalisation.contrast={json.dumps(contrast)}"])


@pytest.mark.parametrize("stretch", [{"low": [1], "high": [9]}, {"low": [1, 2, 3], "high": [9, 9, 3]}, {"low": [1]}])
def test_stretch_that_does_not_fit_is_refused(stretch):
    for key, value in (("data.stretch", stretch), ("data.sources", [{"root": "a", "stretch": stretch}])):
        with pytest.raises(ParameterError, match=r"data\.(sources\[0\]\.)?stretch"):
            load_config("linknet_camvid", [f"{key}={json.dumps(value)}"])


def test_stretch_of_a_source_replaces_that_of_each_image(configure, tmp_path):
    entry = {"root": str(tmp_path), "resolution": 1.0, "stretch": {"low": [0] * 3, "high": [127.5] * 3}}
    data = {"sources": [{**entry, "name": "a"}, {**entry, "name": "b", "stretch": None}], "layout": "deepglobe"}
    data |= {"train": "train", "val": "valid", "test": "valid"}
    contrast = exact([20, 30, 40], [180, 170, 160])
    stored = open_sources(configure())[0].split.read_image(0)
    first, second = open_sources(configure(data=data, normalisation={"contrast": contrast}))
    np.testing.assert_array_equal(first.split.read_image(0), np.minimum(stored.astype(int) * 2, 255))
    assert first.split.read_image(0).max() > second.split.read_image(0).max() + 50
    for source in open_sources(configure(data=data)):  # without the contrast the engine does not stretch, either
        np.testing.assert_array_equal(source.split.read_image(0), stored)


def test_command_prints_what_a_recipe_takes(configure, tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text(
        f"base: linknet.yaml\nnetwork: {{num_classes: 1}}\ndata: {{layout: deepglobe, root: '{tmp_path}'}}\n"
    )
    main([str(path), "data.train=train", "data.val=valid"])
    assert capsys.readouterr().out.startswith("contrast: {low: [")
    for image in tmp_path.glob("*/*_sat.png"):
        cv2.imwrite(str(image), np.full((64, 64, 3), 50, np.uint8))
    with pytest.raises(ParameterError, match="no contrast to train with"):
        main([str(path), "data.train=train", "data.val=valid"])
    with pytest.raises(ParameterError, match="No configuration is named"):
        main([])
