"""Batches: what they depend on, and how images are shared among epochs and processes."""

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.training.config import AugmentConfig, DataConfig, NormalisationConfig
from terraspore.training.data import BatchLoader, ImageCache, normalise, open_split, prefetch_batches

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
    exchange_chance=0.5,
    mix_chance=0.5,
    histogram_chance=0.5,
)


def loader(roads, batch=3, **options) -> BatchLoader:
    split = open_split(DataConfig(root=str(roads)), "train")
    return BatchLoader((ImageCache(split, 10**8),), WILD, NormalisationConfig(), seed=4, batch=batch, **options)


def test_a_batch_depends_on_seed_and_number_only(roads) -> None:
    one = loader(roads)
    stream = prefetch_batches(one, 0, threads=3, prefetch=4)
    made = [next(stream) for _ in range(6)]
    stream.close()
    late = prefetch_batches(loader(roads), 4, threads=1, prefetch=0)
    for want in made[4:]:
        got = next(late)
        assert np.array_equal(want.images, got.images)
        assert np.array_equal(want.labels, got.labels)
    late.close()
    assert not np.array_equal(made[0].images, made[1].images)


def test_each_epoch_sees_every_image_once(roads) -> None:
    one = loader(roads, batch=2)
    drawn = [one.draw(step, k)[1] for step in range(8) for k in range(2)]
    assert sorted(drawn[:8]) == list(range(8))
    assert sorted(drawn[8:]) == list(range(8))
    assert drawn[:8] != drawn[8:]


def test_ranks_share_the_images(roads) -> None:
    drawn = [
        loader(roads, batch=2, rank=r, ranks=2).draw(step, k)[1] for step in range(2) for r in (0, 1) for k in (0, 1)
    ]
    assert sorted(drawn) == list(range(8))


def test_normalise() -> None:
    image = np.array([[[0, 255, 51]]], np.uint8)
    got = normalise(image, NormalisationConfig(1 / 255, (0.5, 0.5, 0.5), (0.3125, 0.3125, 0.3125)))
    assert got[:, 0, 0] == pytest.approx([-1.6, 1.6, 0.2 * 3.2 - 1.6], abs=1e-6)


def test_a_label_above_the_number_of_classes_is_an_error(roads) -> None:
    one = loader(roads, batch=8, names=("ground",))
    with pytest.raises(SourceError, match=r"_mask\.png has the class 1, but there are only 1 \(ground\)"):
        one.load(0)
    with pytest.raises(ParameterError, match="5 bands"):
        normalise(np.zeros((2, 2, 5), np.uint8), NormalisationConfig())
