"""Augmentation by another image: which one, what it changes, and what stays."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.errors import SourceError
from terraspore.training.config import AugmentConfig, DataConfig, NormalisationConfig
from terraspore.training.data import BatchLoader, ImageCache, open_split
from terraspore.training.data.mixing import exchange_low_frequencies, match_histograms, paste_rectangle


def smooth_image(seed: int, shape: tuple[int, int, int] = (48, 40, 3)) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(90, 150, shape).astype(np.float32)
    return np.rint(cv2.GaussianBlur(noise, (0, 0), 1.5)).astype(np.uint8).reshape(shape)


def write_source(folder: Path, *values: int) -> ImageCache:
    """A source of one image of 64 x 64 for each value, its mean; a road crosses each, brighter by ten."""
    (folder / "train").mkdir(parents=True)
    for number, value in enumerate(values):
        mask = np.zeros((64, 64, 3), np.uint8)
        mask[28:36] = 255
        picture = np.full((64, 64, 3), value, np.uint8) + mask // 25
        # Not compressed as JPEG in spite of the name, so that the values stay.
        cv2.imwrite(str(folder / "train" / f"{number}.png"), picture)
        (folder / "train" / f"{number}.png").rename(folder / "train" / f"{number}_sat.jpg")
        cv2.imwrite(str(folder / "train" / f"{number}_mask.png"), mask)
    return ImageCache(open_split(DataConfig(root=str(folder)), "train"), 10**8)


def loader(*images: ImageCache, **options) -> BatchLoader:
    augment = AugmentConfig(crop=32, rot90=True, vflip=0.5, noise_chance=0.5, border="reflect")
    weights = options.pop("weights", ())
    return BatchLoader(images, replace(augment, **options), NormalisationConfig(), seed=4, batch=4, weights=weights)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), bands=st.sampled_from([1, 3, 5]), share=st.floats(0, 0.49))
def test_low_frequencies_are_exchanged_as_by_a_whole_transform(seed: int, bands: int, share: float) -> None:
    crop, reference = smooth_image(seed, (48, 40, bands)), smooth_image(seed + 1, (48, 40, bands))
    own, other = (np.fft.fftshift(np.fft.fft2(x, axes=(0, 1)), axes=(0, 1)) for x in (crop, reference))
    b = int(40 * share)
    square = slice(24 - b, 24 + b + 1), slice(20 - b, 20 + b + 1)
    own[square] = np.abs(other[square]) * np.exp(1j * np.angle(own[square]))
    want = np.fft.ifft2(np.fft.ifftshift(own, axes=(0, 1)), axes=(0, 1)).real
    got = exchange_low_frequencies(crop, reference, share)
    assert got.dtype == np.uint8
    assert np.abs(got - np.clip(want, 0, 255)).max() < 0.51


def test_an_exchange_takes_the_colours_and_leaves_the_edges() -> None:
    crop, reference = smooth_image(1), smooth_image(2, (30, 64, 3)) + np.array([60, 0, 90], np.uint8)
    crop[:, 20:22] = 170
    got = exchange_low_frequencies(crop, reference, 0.03).astype(float)
    assert got.mean((0, 1)) == pytest.approx(reference.mean((0, 1)), abs=1)
    assert (got[:, 21] - got[:, 25]).mean() == pytest.approx((crop[:, 21].astype(float) - crop[:, 25]).mean(), abs=12)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), bands=st.sampled_from([1, 3, 5]))
def test_a_matched_histogram_is_that_of_the_reference(seed: int, bands: int) -> None:
    crop, reference = smooth_image(seed, (96, 80, bands)), smooth_image(seed + 1, (60, 90, bands)) // 2 + 70
    got = match_histograms(crop, reference, 1.0)
    for band in range(bands):
        own, want, have = (x[:, :, band].astype(float).ravel() for x in (crop, reference, got))
        points = np.linspace(0.05, 0.95, 10)
        assert np.quantile(have, points) == pytest.approx(np.quantile(want, points), abs=2)
        order = np.argsort(own, kind="stable")
        assert (np.diff(have[order]) >= 0).all(), "a darker pixel became brighter than another one"
    half = match_histograms(crop, reference, 0.5).astype(float)
    assert np.abs(half - (crop.astype(float) + got) / 2).max() <= 1
    assert np.array_equal(match_histograms(crop, reference, 0.0), crop)


def test_histograms_are_matched_with_another_source(tmp_path: Path) -> None:
    plain = loader(*[write_source(tmp_path / str(value), value) for value in (40, 200)], noise_chance=0.0)
    changed = replace(plain, augment=replace(plain.augment, histogram_chance=1.0, histogram=(1.0, 1.0)))
    for number in range(8):
        before, after = plain.load_sample(number, 0), changed.load_sample(number, 0)
        assert np.array_equal(before[1], after[1])
        assert (before[0].mean() < 100) != (after[0].mean() < 100)


def test_the_other_image_is_of_another_source(tmp_path: Path) -> None:
    first, second, third = (write_source(tmp_path / str(value), value, value + 5) for value in (40, 90, 200))
    plain = loader(first, second, third, weights=(1.0, 1.0, 2.0), noise_chance=0.0)
    changed = replace(plain, augment=replace(plain.augment, exchange_chance=1.0, exchange=(0.0, 0.0)))
    chosen = {0: [], 1: [], 2: []}
    for number in range(60):
        source, _ = plain.draw(number, 0)
        before, label = plain.load_sample(number, 0)
        after, same = changed.load_sample(number, 0)
        assert np.array_equal(label, same)
        assert np.ptp(after.astype(int) - before) <= 1, "more than the mean changed"
        means = np.array([40, 90, 200])
        nearest = int(np.argmin(np.abs(after.mean() - means - 4)))
        assert nearest != source
        chosen[source].append(nearest)
    # By their weights: the third source is the other one of the first twice as often as the second is.
    assert chosen[0].count(2) > chosen[0].count(1) > 0


def test_one_source_exchanges_among_its_images(tmp_path: Path) -> None:
    plain = loader(write_source(tmp_path / "two", 40, 200), noise_chance=0.0)
    changed = replace(plain, augment=replace(plain.augment, exchange_chance=1.0))
    for number in range(6):
        before, after = plain.load_sample(number, 0)[0].mean(), changed.load_sample(number, 0)[0].mean()
        assert (before < 100) != (after < 100)
    single = loader(write_source(tmp_path / "one", 40), exchange_chance=1.0, noise_chance=0.0)
    assert single.load_sample(0, 0)[0].mean() < 60


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), low=st.floats(0, 1), more=st.floats(0, 1))
def test_a_pasted_rectangle_brings_its_label(seed: int, low: float, more: float) -> None:
    shares = (low, low + more * (1 - low))
    mine = np.zeros((60, 50, 3), np.uint8), np.zeros((60, 50), np.uint8)
    other = np.full((60, 50, 3), 9, np.uint8), np.ones((60, 50), np.uint8)
    image, label = paste_rectangle(mine, other, shares, np.random.default_rng(seed))
    assert (image == 9 * label[:, :, None]).all()
    rows, columns = np.flatnonzero(label.any(1)), np.flatnonzero(label.any(0))
    if len(rows):
        assert label[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    # Rounded sides.
    assert np.sqrt(shares[0]) - 0.05 < np.sqrt(label.mean()) < np.sqrt(shares[1]) + 0.05
    assert not mine[0].any()


def test_a_rectangle_of_another_source_is_mixed_in(tmp_path: Path) -> None:
    plain = loader(*[write_source(tmp_path / str(value), value) for value in (40, 200)], noise_chance=0.0)
    mixed = replace(plain, augment=replace(plain.augment, mix_chance=1.0, mix=(0.2, 0.4)))
    labels = []
    for number in range(20):
        source, _ = plain.draw(number, 0)
        before, after = plain.load_sample(number, 0), mixed.load_sample(number, 0)
        inside = (after[0].mean(2) > 120) == (source == 0)
        assert 0.12 < inside.mean() < 0.48
        assert np.array_equal(before[0][~inside], after[0][~inside])
        assert np.array_equal(before[1][~inside], after[1][~inside])
        # The road is brighter by ten: its label has to be where it is.
        road = after[0][:, :, 0] >= np.where(after[0].mean(2) > 120, 206, 46)
        assert (road == (after[1] == 1)).mean() > 0.9
        labels.append(inside)
    assert len({label.tobytes() for label in labels}) > 15


@pytest.mark.parametrize("option", ["exchange_chance", "histogram_chance", "mix_chance"])
def test_samples_without_the_chance_are_those_without_the_option(tmp_path: Path, option: str) -> None:
    sources = [write_source(tmp_path / str(value), value) for value in (40, 200)]
    plain = loader(*sources)
    rare = replace(plain, augment=replace(plain.augment, **{option: 0.5}))
    kept = sum(np.array_equal(plain.load_sample(n, 0)[0], rare.load_sample(n, 0)[0]) for n in range(40))
    assert 10 < kept < 30


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("option", ["exchange_chance", "histogram_chance", "mix_chance"])
def test_images_of_other_bands_are_an_error_that_names_both(tmp_path: Path, option: str, bands: int) -> None:
    sources = [write_source(tmp_path / name, 40) for name in ("first", "second")]
    path = tmp_path / "second" / "train" / "0_sat.tif"
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": bands, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, photometric="MINISBLACK") as file:
        file.write(np.full((bands, 64, 64), 50, np.uint8))
    changed = replace(sources[1].split.samples[0], image=path)
    sources[1] = replace(sources[1], split=replace(sources[1].split, samples=(changed,)))
    with pytest.raises(SourceError, match=rf"(jpg has 3 bands, but .*tif has {bands}|tif has {bands} .*jpg has 3)\."):
        loader(*sources, **{option: 1.0}).load_sample(0, 0)
