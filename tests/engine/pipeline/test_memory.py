"""A limit for memory: fewer tiles at once, and a sentence where that does not do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.engine.pipeline.job import InferenceJob
from terraspore.engine.pipeline.plan import estimate_memory, fit_memory
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.tiling.layout import make_plan


@pytest.fixture
def work(make_raster):
    """Sixteen tiles of 512 pixels at once: over a gigabyte for the network alone."""
    with open_source(make_raster(np.zeros((3, 600, 600), np.uint8))) as source:
        grid = source.make_grid(None)
        view = ImageView(source, grid, choose_bands(source, None, 3), None, "uint8")
        yield InferenceJob(view, make_plan(600, 600, 512, 64, 32), 3, 1, 16)


def test_no_more_tiles_at_once_than_the_limit_allows(work):
    whole = estimate_memory(work)
    assert fit_memory(work, whole + 50_000_000).batch == 16
    one = 512 * 512 * 4 * 99
    half = fit_memory(work, whole - 4 * one)
    assert half.batch == 8
    assert estimate_memory(half) <= whole - 4 * one


def test_limit_that_cannot_be_kept_is_said(work):
    with pytest.raises(ParameterError, match=r"needs about \d+ MB of memory; the limit is 20 MB.*higher --memory"):
        fit_memory(work, 20_000_000)


def test_without_a_limit_the_machine_counts(work):
    assert fit_memory(work, None).batch >= 1


def test_option_of_the_command(make_raster, make_model, tmp_path):
    words = ["extract", "roads", str(make_raster(np.zeros((3, 100, 100), np.uint8))), f"--model={make_model()}"]
    words += [f"--output={tmp_path / 'roads.gpkg'}", "--runtime=onnxruntime", "--device=cpu"]
    command = [sys.executable, "-m", "terraspore", *words]
    done = subprocess.run([*command, "--memory=20"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the limit is 20 MB" in done.stderr
    subprocess.run([*command, "--memory=8000"], capture_output=True, check=True)
