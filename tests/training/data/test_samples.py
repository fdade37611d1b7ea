"""Samples: what they depend on, and that image and label stay together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.training.config import AugmentConfig, DataConfig, NormalisationConfig
from terraspore.training.data import Cache, Sampler, batches, normalise, open_split
from terraspore.training.data.augment import change_colours, draw_sample, placement, shift_hsv

WILD = AugmentConfig(
    crop=32,
    scale=(0.5, 2.0),
    aspect=0.1,
    rotate=0.5,
    perspective=0.1,
    rot90=True,
    vflip=0.5,
    grey=0.2,
    colour=0.8,
    contrast_chance=0.8,
    gamma_chance=0.5,
    band_gamma_chance=0.5,
    blur_chance=0.5,
    noise_chance=0.5,
    hsv_chance=0.5,
)


def sampler(roads, batch=3, **options) -> Sampler:
    split = open_split(DataConfig(root=str(roads)), "train")
    return Sampler(Cache(split, 10**8), WILD, NormalisationConfig(), seed=4, batch=batch, **options)


def test_a_batch_depends_on_seed_and_step_only(roads) -> None:
    one = sampler(roads)
    stream = batches(one, 0, threads=3, prefetch=4)
    made = [next(stream) for _ in range(6)]
    stream.close()
    late = batches(sampler(roads), 4, threads=1, prefetch=0)
    for want in made[4:]:
        got = next(late)
        assert np.array_equal(want.images, got.images)
        assert np.array_equal(want.labels, got.labels)
    late.close()
    assert not np.array_equal(made[0].images, made[1].images)


def test_each_epoch_sees_every_image_once(roads) -> None:
    one = sampler(roads, batch=2)
    drawn = [one.image_of(step, k) for step in range(8) for k in range(2)]
    assert sorted(drawn[:8]) == list(range(8))
    assert sorted(drawn[8:]) == list(range(8))
    assert drawn[:8] != drawn[8:]


def test_ranks_share_the_images(roads) -> None:
    drawn = [
        sampler(roads, batch=2, rank=r, ranks=2).image_of(step, k) for step in range(2) for r in (0, 1) for k in (0, 1)
    ]
    assert sorted(drawn) == list(range(8))


def test_normalise() -> None:
    image = np.array([[[0, 255, 51]]], np.uint8)
    got = normalise(image, NormalisationConfig(1 / 255, (0.5, 0.5, 0.5), (0.3125, 0.3125, 0.3125)))
    assert got[:, 0, 0] == pytest.approx([-1.6, 1.6, 0.2 * 3.2 - 1.6], abs=1e-6)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), bands=st.sampled_from([1, 3, 5]))
def test_label_moves_with_its_image(seed: int, bands: int) -> None:
    # The image is its own label: bright where the label is 1. Geometry alone must keep them together.
    rng = np.random.default_rng(seed)
    label = np.zeros((48, 40), np.uint8)
    y, x = rng.integers(4, 28, 2)
    label[y : y + 14, x : x + 10] = 1
    image = np.repeat((label * 200)[:, :, None], bands, 2)
    config = AugmentConfig(crop=32, scale=(0.7, 1.5), rotate=0.5, rot90=True, vflip=0.5, perspective=0.05)
    crop, target = draw_sample(image, label, config, 255, rng)
    assert crop.shape == (32, 32, bands)
    bright, dark = crop[target == 1], crop[target == 0]
    wrong = (bright < 60).sum() + (dark > 140).sum()
    assert wrong <= 0.02 * crop.size


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), height=st.integers(40, 90), width=st.integers(40, 90))
def test_crops_stay_inside_images_that_are_large_enough(seed: int, height: int, width: int) -> None:
    matrix = placement((height, width), AugmentConfig(crop=20, scale=(0.5, 2.0)), np.random.default_rng(seed))
    inverse = np.linalg.inv(matrix)
    corners = inverse @ np.array([[-0.5, 19.5], [-0.5, 19.5], [1, 1]])
    assert (corners[:2] >= -0.5 - 1e-9).all()
    assert (corners[0] <= width - 0.5 + 1e-9).all()
    assert (corners[1] <= height - 0.5 + 1e-9).all()


def test_a_class_that_the_network_does_not_have_is_named(roads) -> None:
    one = sampler(roads, batch=8, classes=1)
    with pytest.raises(SourceError, match=r"_mask\.png has the class 1, but there are only 1"):
        one.make(0)
    with pytest.raises(ParameterError, match="5 bands"):
        normalise(np.zeros((2, 2, 5), np.uint8), NormalisationConfig())


def test_outside_is_ignored_or_mirrored() -> None:
    image, label = np.full((10, 10, 3), 200, np.uint8), np.ones((10, 10), np.uint8)
    _, ignored = draw_sample(image, label, AugmentConfig(crop=32), 255, np.random.default_rng(0))
    assert sorted(np.unique(ignored)) == [1, 255]
    _, mirrored = draw_sample(image, label, AugmentConfig(crop=32, border="reflect"), 255, np.random.default_rng(0))
    assert (mirrored == 1).all()


def test_hue_turns_around_at_a_full_circle() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    shifted = [shift_hsv(red, (30.0, 0.0, 0.0), np.random.default_rng(seed))[0, 0] for seed in range(30)]
    # 30 of 180 are 60 degrees: red moves towards yellow or magenta, and stays the strongest band.
    assert all(pixel[0] >= 198 for pixel in shifted)
    assert any(pixel[1] > 50 for pixel in shifted)
    assert any(pixel[2] > 50 for pixel in shifted)


def test_each_band_gets_a_gamma_curve_of_its_own() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    config = AugmentConfig(hflip=0, band_gamma_chance=1, band_gamma=(0.5, 2.0))
    exponents = []
    for seed in range(40):
        got = change_colours(ramp, config, np.random.default_rng(seed))[0]
        assert (got[[0, 255]] == [[0, 0, 0], [255, 255, 255]]).all()
        drawn = np.log(got[128] / 255) / np.log(128 / 255)
        want = np.rint((np.arange(256)[:, None] / 255) ** drawn * 255)
        assert np.abs(got - want).max() <= 2, "no curve of this form"
        exponents.append(drawn)
    spread = np.array(exponents)
    assert spread.min() >= 0.49
    assert spread.max() <= 2.02
    assert spread.min() < 0.6
    assert spread.max() > 1.7
    assert np.abs(spread[:, 0] - spread[:, 1]).max() > 0.5, "the bands are drawn together"
    assert abs(np.log(spread).mean()) < 0.15, "brighter and darker are not as likely"


def test_without_a_chance_bands_keep_their_curve() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(change_colours(ramp, AugmentConfig(), np.random.default_rng(0)), ramp)
