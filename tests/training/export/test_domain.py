"""Statistics of the training images in the card: measured, written and read, and what they find unlike."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.errors import CardError
from terraspore.engine.models.card import card_text, parse_card, read_card
from terraspore.engine.models.domain import TRAITS, invert_features, judge_patches, measure_patch
from terraspore.engine.models.registry import BUNDLED
from terraspore.training.config import from_mapping
from terraspore.training.data import open_training_data
from terraspore.training.export.domain import fit_domain, measure_domain


def make_scene(seed, size=160):
    """An aerial scene (3, size, size): meadow, trees, bright roofs with dark shadows beside them, a grey road."""
    generator = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(generator.normal(size=(size, size)), (0, 0), 6) * 60
    scene = np.array([105, 115, 80])[:, None, None] + noise + generator.normal(0, 6, (3, size, size))
    for _ in range(12):
        y, x = generator.integers(5, size - 30, 2)
        h, w = generator.integers(8, 20, 2)
        scene[:, y + 4 : y + h + 4, x + 4 : x + w + 4] *= 0.3
        scene[:, y : y + h, x : x + w] = generator.integers(170, 230) + generator.normal(0, 4, (3, h, w))
    y = generator.integers(20, size - 20)
    scene[:, y : y + 9] = 140 + generator.normal(0, 4, (3, 9, size))
    return np.clip(scene, 6, 240).astype(np.uint8)


def measure(image):
    corners = [(0, 0), (0, 32), (32, 0), (32, 32)]
    return np.stack([measure_patch(image[:, y : y + 128, x : x + 128], 1 / 255) for y, x in corners])


@pytest.fixture(scope="module")
def domain():
    return fit_domain([[measure(make_scene(seed)) for seed in range(40)]], has_grey=False)


def test_scenes_of_the_same_kind_are_alike_and_others_not(domain):
    scenes = [make_scene(seed) for seed in range(100, 140)]
    alike = [judge_patches(domain, list(measure(scene))) for scene in scenes]
    assert sum(not fit.is_alike for fit in alike) <= 4
    for change in (
        lambda image: 255 - image,
        lambda image: cv2.GaussianBlur(image.transpose(1, 2, 0), (0, 0), 5).transpose(2, 0, 1),
        lambda image: image[[1, 2, 0]] // np.array([1, 2, 1], np.uint8)[:, None, None],
    ):
        assert sum(judge_patches(domain, list(measure(change(scene)))).is_alike for scene in scenes) <= 4


def test_features_of_a_negative_need_no_second_measurement():
    scene = make_scene(1)[:, :128, :128]
    features, negative = (measure_patch(image, 1 / 255) for image in (scene, 255 - scene))
    assert len(features) == len(TRAITS)
    np.testing.assert_allclose(invert_features(features[None])[0], negative, atol=2e-3)


def test_too_few_images_give_no_statistics():
    assert fit_domain([], has_grey=False) is None
    assert fit_domain([[measure(make_scene(seed)) for seed in range(3)]], has_grey=False) is None


def test_statistics_of_a_folder_with_chips(tmp_path):
    (tmp_path / "train").mkdir()
    for number in range(12):
        cv2.imwrite(str(tmp_path / "train" / f"{number:02}_sat.jpg"), make_scene(number).transpose(1, 2, 0)[..., ::-1])
        mask = np.zeros((160, 160), np.uint8)
        mask[50:60] = 255
        cv2.imwrite(str(tmp_path / "train" / f"{number:02}_mask.png"), mask)
    config = from_mapping({"network": {"name": "lednet", "num_classes": 1}, "data": {"root": str(tmp_path)}})
    found = measure_domain(config, open_training_data(config).train, RunContext())
    packed = cv2.imencode(".jpg", make_scene(50).transpose(1, 2, 0))[1]  # colours of JPEG have less noise
    scene = cv2.imdecode(packed, cv2.IMREAD_COLOR).transpose(2, 0, 1)
    assert judge_patches(found, list(measure(scene))).is_alike
    assert not judge_patches(found, list(measure(255 - scene))).is_alike


def test_the_card_holds_them_and_may_lack_them(domain):
    card = dataclasses.replace(read_card(BUNDLED / "roads-lednet" / "card.json"), domain=domain)
    text = card_text(card)
    assert parse_card(text, "x").domain == domain
    assert len(text.splitlines()) < 300  # a row of numbers is one line
    bare = dataclasses.replace(card, domain=None)
    assert "domain" not in card_text(bare)
    assert parse_card(card_text(bare), "x") == bare
    for wrong, message in (
        ({"mean": domain.mean[1:]}, "do not have as many entries as domain.mean"),
        ({"centres": ()}, "no axes or no centres"),
        ({"centres": ((1.0,),)}, "domain.centres do not have"),
    ):
        with pytest.raises(CardError, match=message):
            card_text(dataclasses.replace(card, domain=dataclasses.replace(domain, **wrong)))
