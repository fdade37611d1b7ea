"""Estimates, and a limit of memory: fewer tiles at once, and an error where one tile needs too much."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from model_files import write_linear_model
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ParameterError
from terraspore.engine.pipeline import plan
from terraspore.engine.pipeline.job import InferenceJob
from terraspore.engine.pipeline.landcover import extract_classes
from terraspore.engine.pipeline.plan import estimate_memory, limit_batch
from terraspore.engine.pipeline.request import ClassRequest, ImageRequest
from terraspore.engine.protocol.messages import Message
from terraspore.engine.protocol.options import ImageOptions, OutputOptions
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.tiling import make_plan


@pytest.fixture
def job(make_raster):
    """Sixteen tiles of 512 pixels at once: over a gigabyte for the network alone."""
    with open_source(make_raster(np.zeros((3, 600, 600), np.uint8))) as source:
        grid = source.make_grid(None)
        view = ImageView(source, grid, choose_bands(source, None, 3), None, "uint8")
        yield InferenceJob(view, make_plan(600, 600, 512, 64, 32), 3, 1, 16)


def test_no_more_tiles_at_once_than_the_limit_allows(job):
    whole = estimate_memory(job)
    assert limit_batch(job, whole + 50_000_000).batch == 16
    one = 512 * 512 * 4 * 99
    half = limit_batch(job, whole - 4 * one)
    assert half.batch == 8
    assert estimate_memory(half) <= whole - 4 * one


def test_a_limit_that_is_too_low_is_an_error(job):
    with pytest.raises(ParameterError, match=r"needs about \d+ MB of memory; the limit is 20 MB.*higher --memory"):
        limit_batch(job, 20_000_000)


def test_without_a_limit_the_memory_of_the_machine_is_the_limit(job):
    assert limit_batch(job, None).batch >= 1


def test_option_of_the_command(make_raster, make_model, tmp_path):
    arguments = ["extract", "roads", str(make_raster(np.zeros((3, 100, 100), np.uint8))), f"--model={make_model()}"]
    arguments += [f"--output={tmp_path / 'roads.gpkg'}", "--runtime=onnxruntime", "--device=cpu"]
    command = [sys.executable, "-m", "terraspore", *arguments]
    done = subprocess.run([*command, "--memory=20"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the limit is 20 MB" in done.stderr
    subprocess.run([*command, "--memory=8000"], capture_output=True, check=True)


def test_the_model_that_fits_the_image_is_chosen_and_others_offered(make_raster, sessions, tmp_path, monkeypatch):
    (tmp_path / "models" / "fine").mkdir(parents=True)
    write_linear_model(tmp_path / "models" / "fine", resolution=0.25)
    monkeypatch.setenv("TERRASPORE_MODELS", str(tmp_path / "models"))
    image = make_raster(np.zeros((3, 64, 64), np.uint8), transform=Affine(0.3, 0, 500_000, 0, -0.3, 4_649_776))
    reporter = RecordingReporter()
    result = plan.plan_run(ImageRequest(image), "roads", sessions, RunContext(reporter))
    assert result.summary["model"] == "fine"
    (text,) = [event.text for event in reporter.events if isinstance(event, Message)]
    assert text.startswith("The model fine (0.25 m) is used because the image has 0.3 m per pixel; --model chooses ")
    assert "roads-efficientnet-lite2 (1 m)" in text
    options = ImageOptions(resolution=1.0)  # what the person asks for counts, not the image
    assert plan.plan_run(ImageRequest(image, options), "roads", sessions, RunContext()).summary["model"] != "fine"


class RecordingSession:
    """A session that notes the batch of every stream; its own batch is 4."""

    runtime, version, device, precision = "recorder", "1.0", "cpu", "float32"

    def __init__(self):
        self.batch = 4
        self.batches = []

    def predict_stream(self, batches, batch=None):
        self.batches.append(batch)
        return (None if tiles is None else tiles[:, :1].astype(np.float32) / 255 for tiles in batches)


@pytest.mark.parametrize("size", [500, 100])  # with a journal and without
def test_a_limit_counts_for_one_run_of_a_session(make_raster, make_model, tmp_path, monkeypatch, size):
    session = RecordingSession()
    pool = SimpleNamespace(open=lambda *_: nullcontext((session, "It is the only one.")))
    image = make_raster(np.zeros((3, size, size), np.uint8))
    monkeypatch.setattr(plan, "limit_batch", lambda job, limit: job if limit is None else replace(job, batch=1))
    for memory in (8000, None):
        request = ImageRequest(image, ImageOptions(model=str(make_model(task="segmentation")), memory=memory))
        extract_classes(
            ClassRequest(request, probability=tmp_path / "p.tif", writing=OutputOptions(overwrite=True)),
            "segmentation",
            pool,
            RunContext(),
        )
    assert session.batch == 4
    assert set(session.batches[: len(session.batches) // 2]) == {1}
    assert set(session.batches[len(session.batches) // 2 :]) == {4}
