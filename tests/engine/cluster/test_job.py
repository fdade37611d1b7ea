"""What is sent to workers opens there as the same, or is refused; and the folder of a run."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.cluster.run_folder import make_store, open_run_folder
from terraspore.engine.cluster.worker import RUN_MARK, WorkerJob, describe_for_others
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ClusterError, ResumeError, SourceChangedError
from terraspore.engine.fs.journal import BLOCKS, Fingerprint, journal_folder
from terraspore.engine.fs.regular_file import FileIdentity
from terraspore.engine.models.registry import FOLDERS_VARIABLE, find_model
from terraspore.engine.pipeline.block_layout import BlockLayout, choose_layout
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.mosaic import open_view
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.raster.stretch import estimate_stretch
from terraspore.engine.tiling import make_plan


@pytest.fixture
def described(scene, tmp_path, monkeypatch):
    """A copy of the image, its pixels as a network sees them, and the description of that view, sent and received."""
    image = tmp_path / "image.tif"
    shutil.copyfile(scene / "image.tif", image)
    monkeypatch.chdir(tmp_path)
    with open_source(Path("image.tif")) as source:
        bands = choose_bands(source, (2, 1, 3), 3)
        view = ImageView(source, source.make_grid(1.3), bands, estimate_stretch(source, bands), "uint8")
        pixels, spec = read_all(view), describe_for_others(view)
    monkeypatch.chdir("/")
    return image, pixels, copy.deepcopy(spec)  # as a pickle does: by what its class gives


def read_all(view):
    pixels = np.empty((view.spec.layers, view.spec.grid.height, view.spec.grid.width), view.spec.dtype)
    valid = view.read(0, 0, view.spec.grid.width, view.spec.grid.height, pixels)
    return pixels, valid


def test_another_process_sees_the_same_pixels(described):
    _, (pixels, valid), spec = described
    with open_view(spec) as view:
        found, found_valid = read_all(view)
    np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(found_valid, valid)
    assert not valid.all()


def test_image_that_was_changed_is_refused(described):
    image, _, spec = described
    os.utime(image, ns=(1, 1))
    with pytest.raises(SourceChangedError, match="was changed"), open_view(spec):
        pass


def make_job(model, weights):
    return WorkerJob("name", None, None, model.card, weights, model.sha256, RuntimeOptions(), False, None)


def test_model_of_the_worker_is_that_of_the_run(scene, tmp_path, monkeypatch):
    model = find_model(str(scene / "roads"))
    assert make_job(model, model.weights).find_model() == model
    elsewhere = make_job(model, tmp_path / "not here.onnx")
    with pytest.raises(ClusterError, match="The model roads is not there"):
        elsewhere.find_model()
    monkeypatch.setenv(FOLDERS_VARIABLE, str(scene))
    assert elsewhere.find_model().weights == scene / "roads" / "net.onnx"
    shutil.copytree(scene / "classes", tmp_path / "models" / "roads")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "models"))
    with pytest.raises(ClusterError, match="has the weights with the SHA-256"):
        elsewhere.find_model()


LAYOUT = choose_layout(make_plan(1000, 800, 64, 16), 2)


def open_folder(tmp_path, *, resume, layout=LAYOUT, **settings):
    """Open the folder of a run; return its division, its batch and the messages."""
    reporter = RecordingReporter()
    fingerprint = Fingerprint("0.1", (FileIdentity.from_path(Path(__file__)),), {"tile": "64", **settings})
    journal, found = open_run_folder(
        tmp_path / "r.gpkg", fingerprint, layout, 4, resume=resume, context=RunContext(reporter)
    )
    return journal, found, [event.text for event in reporter.events]


def test_resumed_run_keeps_its_division(tmp_path):
    journal, layout, messages = open_folder(tmp_path, resume=False)
    assert (layout, messages) == (LAYOUT, [])
    store = make_store(journal, layout, 1, (), tmp_path / "r.gpkg")
    (store.folder / "00000").mkdir()
    (store.folder / "00000" / "00001.zip").touch()
    other = BlockLayout(LAYOUT.plan, 1, 1)
    again, layout, messages = open_folder(tmp_path, resume=True, layout=other)
    assert (layout, messages) == (LAYOUT, [])
    assert make_store(again, layout, 1, (), tmp_path / "r.gpkg") == store
    assert store.count_files() == 1


def test_run_that_is_not_resumed_begins_anew(tmp_path):
    open_folder(tmp_path, resume=False)
    (journal_folder(tmp_path / "r.gpkg") / BLOCKS / "00000").mkdir()
    _, layout, messages = open_folder(tmp_path, resume=False, layout=BlockLayout(LAYOUT.plan, 1, 1))
    assert layout.rows == 1
    assert "is removed; with --resume it would have gone on" in messages[0]
    assert [path.name for path in (journal_folder(tmp_path / "r.gpkg") / BLOCKS).iterdir()] == [RUN_MARK]


def test_other_options_are_refused(tmp_path):
    open_folder(tmp_path, resume=False)
    with pytest.raises(ResumeError, match="the tile is 32, not 64"):
        open_folder(tmp_path, resume=True, tile="32")


def test_nothing_to_resume(tmp_path):
    _, _, messages = open_folder(tmp_path, resume=True)
    assert "There is nothing to resume" in messages[0]
