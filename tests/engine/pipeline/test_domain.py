"""Whether an image is like those of a model's training: by the statistics in a bundled card, before a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import rasterio
from affine import Affine
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.models.card import read_card
from terraspore.engine.models.domain import compare_with_training
from terraspore.engine.models.registry import BUNDLED
from terraspore.engine.pipeline.plan import open_run
from terraspore.engine.pipeline.prepare import DEMO_IMAGE
from terraspore.engine.pipeline.request import ImageRequest
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.reader import ImageView

CARD = read_card(BUNDLED / "roads-efficientnet-lite2" / "card.json")


@pytest.fixture
def compare(make_raster):
    """Compares pixels (bands, H, W) of 1 m with the training images of the default road model."""

    def compare(pixels, **profile):
        with open_source(make_raster(pixels, **profile)) as source:
            view = ImageView(source, source.make_grid(1.0), choose_bands(source, None, 3), None, "uint8")
            return compare_with_training(view, CARD)

    return compare


@pytest.fixture(scope="module")
def vegas():
    """The suburb in ``resources/demo.tif``, one band of 0.3 m: Las Vegas is a city of the training."""
    with rasterio.open(DEMO_IMAGE) as dataset:
        return dataset.read()


def make_terrain(size=512):
    """Heights of smooth hills as grey values (1, size, size)."""
    y, x = np.mgrid[:size, :size] / size
    heights = sum(np.sin(2 * np.pi * (a * x + b * y) + a) / (a + b) for a in (1, 2, 3) for b in (1, 2, 4))
    return (5 + 240 * (heights - heights.min()) / np.ptp(heights)).astype(np.uint8)[None]


def make_street(size=384):
    """A street scene (3, size, size): bright sky, facades with windows, grey road, one red car."""
    generator = np.random.default_rng(0)
    street = np.zeros((3, size, size))
    y = np.arange(size)[:, None] / size
    street[:] = np.array([150, 190, 250])[:, None, None] - 40 * y
    street[:, size // 4 : 2 * size // 3] = np.array([120, 70, 50])[:, None, None]
    street[:, size // 4 + 10 : 2 * size // 3 : 24, ::3] = 20
    street[:, 2 * size // 3 :] = 60 + 30 * generator.random((1, size - 2 * size // 3, 1))
    street[:, size // 2 : 3 * size // 4, 100:180] = np.array([220, 10, 20])[:, None, None]
    return np.clip(street + generator.normal(0, 1.5, street.shape), 5, 245).astype(np.uint8)


def test_a_city_of_the_training_is_like_the_training(compare, vegas):
    fit = compare(vegas, transform=Affine(0.3, 0, 500_000, 0, -0.3, 4_649_776))
    assert fit.is_alike
    assert fit.distance < 0.8


def test_its_negative_is_not(compare, vegas):
    fit = compare(255 - vegas, transform=Affine(0.3, 0, 500_000, 0, -0.3, 4_649_776))
    assert fit.is_negative
    assert not fit.is_alike
    assert "its light and dark seem to be inverted" in dataclasses.replace(fit, distance=0.9).describe("x")


@pytest.mark.parametrize("make", [make_terrain, make_street])
def test_terrain_and_a_photograph_are_not(compare, make):
    fit = compare(make())
    assert fit.distance > 1
    assert f"above all in its {fit.trait} ({fit.distance:.1f} times the distance" in fit.describe("x")


def test_nothing_is_said_without_statistics_or_without_anything_to_see(compare, vegas, make_raster):
    assert compare(np.zeros((3, 200, 200), np.uint8)) is None
    assert compare(vegas[:, :31, :]) is None  # too low
    with open_source(make_raster(vegas)) as source:
        view = ImageView(source, source.make_grid(1.0), choose_bands(source, None, 3), None, "uint8")
        assert compare_with_training(view, dataclasses.replace(CARD, domain=None)) is None
        later = dataclasses.replace(CARD.domain, version=2)
        assert compare_with_training(view, dataclasses.replace(CARD, domain=later)) is None


def test_a_run_warns_before_it_begins_and_in_its_metadata(make_raster, sessions):
    reporter = RecordingReporter()
    context = RunContext(reporter)
    request = ImageRequest(make_raster(make_terrain()), ImageOptions(model=CARD.name))
    with open_run(request, "roads", sessions, context) as run:
        (warning,) = context.warnings
        assert warning.startswith(f"The image differs from those that the model {CARD.name} was trained on: above all ")
        assert [event.type for event in reporter.events][-1] == "plan"
        assert run.tags["WARNING"] == warning
        assert run.fit.distance > 1


@pytest.mark.parametrize("contrast", [CARD.contrast, None])
def test_values_of_hardly_any_contrast_are_kept_on_request(vegas, make_raster, make_model, sessions, contrast):
    model = str(make_model(stretch=True, contrast=contrast and dataclasses.asdict(contrast)))
    path = make_raster((vegas * 0.1 + 80).astype(np.uint8))
    for keep in (False, True):
        options = ImageOptions(model=model, keep_contrast=keep)
        with open_run(ImageRequest(path, options), "roads", sessions, RunContext()) as run:
            assert (run.job.view.spec.images[0].stretch is None) == keep


def test_contrast_is_matched_and_told_but_not_when_compared(vegas, make_raster, sessions):
    """A hazy image is seen nearly like the clear one; it is compared with the training as it is."""
    hazy = (vegas * 0.5 + 80).round().astype(np.uint8)
    pixels, fits, texts = {}, {}, {}
    for name, image, keep in (("clear", vegas, False), ("hazy", hazy, False), ("kept", hazy, True)):
        reporter = RecordingReporter()
        path = make_raster(image, transform=Affine(0.3, 0, 500_000, 0, -0.3, 4_649_776))
        options = ImageOptions(model=CARD.name, keep_contrast=keep)
        with open_run(ImageRequest(path, options), "roads", sessions, RunContext(reporter)) as run:
            grid = run.job.view.spec.grid
            seen = np.empty((run.job.view.spec.layers, grid.height, grid.width), np.uint8)
            run.job.view.read(0, 0, grid.width, grid.height, seen)
            pixels[name], fits[name] = seen.astype(int), run.fit.distance
        texts[name] = " ".join(event.text for event in reporter.events if event.type == "message")
    differences = {name: np.abs(pixels[name] - pixels["clear"]).mean() for name in ("hazy", "kept")}
    assert differences["hazy"] < 0.5 * differences["kept"]
    assert "was matched to that of the model's training images; --keep-contrast" in texts["hazy"]
    assert "was matched" not in texts["kept"]
    assert fits["hazy"] == pytest.approx(fits["kept"])
    assert fits["hazy"] > fits["clear"]
