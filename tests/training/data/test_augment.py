"""Augmentation: image and label stay together, and changes stay within their ranges."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.training.config import AugmentConfig
from terraspore.training.data.augment import augment_sample, random_transform
from terraspore.training.data.colours import change_colours, compress_jpeg, shift_hsv
from terraspore.training.data.occlusions import cast_shadows, cut_out, plant_crowns


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), bands=st.sampled_from([1, 3, 5]))
def test_image_and_label_are_transformed_alike(seed: int, bands: int) -> None:
    # The image is its own label: bright where the label is 1. Geometry alone must keep them together.
    rng = np.random.default_rng(seed)
    label = np.zeros((48, 40), np.uint8)
    y, x = rng.integers(4, 28, 2)
    label[y : y + 14, x : x + 10] = 1
    image = np.repeat((label * 200)[:, :, None], bands, 2)
    config = AugmentConfig(crop=32, scale=(0.7, 1.5), rotate=0.5, rot90=True, vflip=0.5, perspective=0.05)
    crop, target = augment_sample(image, label, config, 255, rng)
    assert crop.shape == (32, 32, bands)
    bright, dark = crop[target == 1], crop[target == 0]
    wrong = (bright < 60).sum() + (dark > 140).sum()
    assert wrong <= 0.02 * crop.size


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), height=st.integers(40, 90), width=st.integers(40, 90))
def test_crops_stay_inside_images_that_are_large_enough(seed: int, height: int, width: int) -> None:
    matrix = random_transform((height, width), AugmentConfig(crop=20, scale=(0.5, 2.0)), np.random.default_rng(seed))
    inverse = np.linalg.inv(matrix)
    corners = inverse @ np.array([[-0.5, 19.5], [-0.5, 19.5], [1, 1]])
    assert (corners[:2] >= -0.5 - 1e-9).all()
    assert (corners[0] <= width - 0.5 + 1e-9).all()
    assert (corners[1] <= height - 0.5 + 1e-9).all()


def test_outside_is_ignored_or_mirrored() -> None:
    image, label = np.full((10, 10, 3), 200, np.uint8), np.ones((10, 10), np.uint8)
    _, ignored = augment_sample(image, label, AugmentConfig(crop=32), 255, np.random.default_rng(0))
    assert sorted(np.unique(ignored)) == [1, 255]
    _, mirrored = augment_sample(image, label, AugmentConfig(crop=32, border="reflect"), 255, np.random.default_rng(0))
    assert (mirrored == 1).all()


def test_hue_wraps_around_at_a_full_circle() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    shifted = [shift_hsv(red, (30.0, 0.0, 0.0), np.random.default_rng(seed))[0, 0] for seed in range(30)]
    # 30 of 180 are 60 degrees: red moves towards yellow or magenta, and stays the strongest band.
    assert all(pixel[0] >= 198 for pixel in shifted)
    assert any(pixel[1] > 50 for pixel in shifted)
    assert any(pixel[2] > 50 for pixel in shifted)


def test_band_gamma_differs_between_bands() -> None:
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


def test_colours_stay_without_a_chance_of_change() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(change_colours(ramp, AugmentConfig(), np.random.default_rng(0)), ramp)


def test_cut_out_covers_a_square_of_the_image() -> None:
    crop = np.zeros((100, 100, 3), np.uint8)
    sides = []
    for seed in range(50):
        covered = cut_out(crop, (0.1, 0.3), np.random.default_rng(seed)) == 127
        rows, columns = np.flatnonzero(covered.any((1, 2))), np.flatnonzero(covered.any((0, 2)))
        assert covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        sides.append(max(len(rows), len(columns)))
    assert not crop.any()
    # At the border a part of the square is outside.
    assert 20 < max(sides) <= 30


def test_samples_without_a_cut_out_are_those_of_before_there_was_one() -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    label = np.zeros((64, 64), np.uint8)
    plain = AugmentConfig(crop=32, noise_chance=1.0)
    want = augment_sample(image, label, plain, 255, np.random.default_rng(5))[0]
    got = augment_sample(image, label, replace(plain, cutout_chance=1.0), 255, np.random.default_rng(5))[0]
    changed = (want != got).any(2)
    assert 0 < changed.mean() < 0.1
    assert (got[changed] == 127).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), bands=st.sampled_from([1, 3, 5]))
def test_shadows_only_darken_within_their_range(seed: int, bands: int) -> None:
    crop = np.full((64, 80, bands), 180, np.uint8)
    shaded = cast_shadows(crop, (0.4, 0.6), np.random.default_rng(seed))
    assert shaded.shape == crop.shape
    # Skylight: red loses up to 8 % more, blue up to 12 % less.
    assert shaded.min() >= 180 * 0.4 * 0.92 - 1
    assert shaded.max() <= 180
    assert shaded.min() <= 180 * 0.6 * 1.12 or (shaded == 180).all()


def test_most_shadows_fall_into_the_crop() -> None:
    crop = np.full((64, 64, 3), 180, np.uint8)
    dark = [(cast_shadows(crop, (0.4, 0.6), np.random.default_rng(seed)) < 150).mean() for seed in range(50)]
    assert np.mean(np.array(dark) > 0.02) > 0.8
    assert np.mean(dark) < 0.5


def test_crowns_are_planted_on_the_foreground_only() -> None:
    crop = np.full((96, 96, 3), 200, np.uint8)
    foreground = np.zeros((96, 96), bool)
    foreground[:, 46:50] = True
    planted = plant_crowns(crop, foreground, (6, 6), np.random.default_rng(3))
    changed = (planted != crop).any(2)
    assert 0.2 < changed[foreground].mean() < 1
    assert not changed[:, :20].any()
    assert not changed[:, 76:].any()
    # Foliage: green is the strongest band where the crown covers fully.
    covered = planted[changed & (planted.max(2) < 150)].astype(int).mean(0)
    assert covered[1] > covered[0] > covered[2]
    assert np.array_equal(plant_crowns(crop, ~np.ones_like(foreground), (6, 6), np.random.default_rng(3)), crop)


def test_haze_brightens_and_flattens() -> None:
    ramp = np.repeat(np.arange(0, 200, dtype=np.uint8)[None, :, None], 3, axis=2)
    hazy = change_colours(ramp, AugmentConfig(haze_chance=1.0, haze=(0.3, 0.3)), np.random.default_rng(0))
    assert abs(float(np.ptp(hazy)) - 0.7 * np.ptp(ramp)) <= 1
    # 0.3 of a light between 0.7 and 0.95 of full scale.
    assert 0.21 * 255 - 1 <= hazy.min() <= 0.285 * 255 + 1


def test_jpeg_loses_detail_with_falling_quality() -> None:
    crop = np.random.default_rng(1).integers(0, 256, (40, 40, 5), np.uint8)
    errors = [np.abs(compress_jpeg(crop, quality).astype(int) - crop).mean() for quality in (95, 60, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]
    three = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 6, 3, axis=2)
    assert np.abs(compress_jpeg(three, 90).astype(int) - three).max() < 12


def test_samples_with_shadows_are_those_without_but_darker_in_places() -> None:
    image = np.random.default_rng(1).integers(100, 256, (64, 64, 3), np.uint8)
    label = (np.random.default_rng(2).random((64, 64)) > 0.8).astype(np.uint8)
    plain = AugmentConfig(crop=32, scale=(0.7, 1.4), rotate=0.5)
    shaded = replace(plain, shadow_chance=1.0, shadow=(0.5, 0.5))
    darker = 0
    for seed in range(10):
        want, target = augment_sample(image, label, plain, 255, np.random.default_rng(seed))
        got, same = augment_sample(image, label, shaded, 255, np.random.default_rng(seed))
        assert np.array_equal(target, same)
        assert (got <= want).all()
        darker += (got < want).any()
    assert darker >= 8
