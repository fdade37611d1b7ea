"""Commands with several images: one mosaic, or a result of each."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from command_line import run_events, run_last, run_well
from raster_files import NORTH_UP, write_raster
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.context import Cancellation, RecordingReporter

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


@pytest.fixture
def folder(tmp_path):
    """A folder with two halves of an image with a crossing of roads."""
    pixels = np.full((3, 160, 200), 20, np.uint8)
    pixels[:, 76:85, :] = 245
    pixels[:, :, 46:55] = 245
    folder = tmp_path / "images"
    folder.mkdir()
    for name, x in (("left", 0), ("right", 100)):
        place = NORTH_UP @ Affine.translation(x, 0)
        write_raster(folder / f"{name}.tif", pixels[:, :, x : x + 100], transform=place)
    return folder


def test_a_folder_is_one_mosaic(folder, make_model, tmp_path):
    (folder / "notes.txt").write_text("nothing")
    output = tmp_path / "roads.gpkg"
    code, events = run_events("extract", "roads", folder, "-o", output, f"--model={make_model()}", *ONNX)
    assert code == 0, events[-1]
    texts = [event["text"] for event in events if event["type"] == "message"]
    assert any("1 other files (.txt)" in text for text in texts)
    assert any("2 images form one mosaic" in text for text in texts)
    assert events[-1]["summary"]["width"] == 200
    assert pyogrio.read_info(output, layer="roads")["features"] == 4
    (plan,) = [event for event in events if event["type"] == "plan"]
    again = run_events("plan", folder, f"--model={make_model()}", *ONNX)[1]
    assert [event["width"] for event in again if event["type"] == "plan"] == [plan["width"]]


def test_rasters_of_a_mosaic(folder, make_model, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("images/right.tif\nimages/left.tif\n")
    output = tmp_path / "classes.tif"
    result = run_well("segment", listed, f"--output={output}", f"--model={make_model()}", *ONNX)
    assert result["summary"]["width"] == 200


def test_outputs_are_none_of_the_images(folder, make_model):
    error = run_last(
        "segment", folder / "*.tif", f"--output={folder / 'right.tif'}", f"--model={make_model()}", "--overwrite", *ONNX
    )
    assert error[0] == 2
    assert "would replace" in error[1]["text"]


def separate(command, images, output, *options):
    code, events = run_events(*command, images, "--separate", f"--output={output}", *options, *ONNX)
    return code, events


def test_separate_gives_each_image_its_result_and_continues_after_failures(tmp_path, make_model):
    images, output, model = tmp_path / "images", tmp_path / "out" / "classes", f"--model={make_model()}"
    images.mkdir()
    pixels = np.full((3, 40, 40), 20, np.uint8)
    for number in range(200):
        write_raster(images / f"i{number:03}.tif", pixels)
    for name, size in (("i050", 200), ("i120", 0)):
        path = images / f"{name}.tif"
        path.write_bytes(path.read_bytes()[:size])
    code, events = separate(("segment",), images, output, model, "--tile=64")
    result = events[-1]
    assert (code, result["type"], result["exit_code"]) == (4, "result", 4)
    assert result["summary"] == {"images": 200, "done": 198, "skipped": 0, "failed": 2}
    failed = {entry["image"][-8:]: entry["text"] for entry in result["images"] if entry["state"] == "failed"}
    assert list(failed) == ["i050.tif", "i120.tif"]
    assert all("cannot be read" in text and name in text for name, text in failed.items())
    assert len(list(output.glob("*.tif"))) == 198
    assert [event["done"] for event in events if event["type"] == "progress"][-1] == 200

    # As one mosaic, the two broken images are refused by name before the run; without them it is one result.
    error = run_last("segment", images, "-o", tmp_path / "r.tif", model, *ONNX)
    assert error[0] == 2
    assert all(name in error[1]["text"] for name in ("2 images", "i050.tif", "i120.tif"))

    code, events = separate(("segment",), images, output, model, "--tile=64")
    assert (code, events[-1]["type"]) == (2, "error")
    assert "198 of the outputs exist" in events[-1]["text"]
    (images / "i050.tif").unlink()
    write_raster(images / "i050.tif", pixels)
    stamps = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    code, events = separate(("segment",), images, output, model, "--tile=64", "--resume")
    assert code == 4
    assert events[-1]["summary"] == {"images": 200, "done": 1, "skipped": 198, "failed": 1}
    assert {path.name: path.stat().st_mtime_ns for path in output.iterdir() if path.name in stamps} == stamps

    (images / "i120.tif").unlink()
    run_well("segment", images, "-o", tmp_path / "r.tif", model, *ONNX)


def test_more_images_than_a_process_may_open(tmp_path, make_model):
    """A limit of the system on open files: the images are opened one after the other, and few stay open."""
    resource = pytest.importorskip("resource")
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.random.default_rng(3).integers(0, 255, (3, 16, 16 * 300)).astype(np.uint8)
    for number in range(300):
        place = NORTH_UP @ Affine.translation(16 * number, 0)
        part = pixels[:, :, 16 * number : 16 * number + 16]
        write_raster(images / f"i{number:03}.tif", part, transform=place)
    output, limit = tmp_path / "classes.tif", 120
    done = subprocess.run(
        [sys.executable, "-m", "terraspore", "segment", images, "-o", output, f"--model={make_model()}", *ONNX],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with rasterio.open(output) as raster:
        assert (raster.width, raster.height) == (4800, 16)
        assert raster.read_masks(1).all()


def test_names_of_separate_results(tmp_path, make_model):
    pixels = np.full((3, 40, 40), 20, np.uint8)
    paths = []
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        paths.append(write_raster(tmp_path / folder / "tile.tif", pixels))
    paths.append(write_raster(tmp_path / "other.tif", pixels))
    out, model = tmp_path / "out", f"--model={make_model()}"
    result = run_well(
        "segment", *paths, "--separate", f"--output={out}", f"--vectors={out}", f"--probability={out}/p_*.tif", model,
        *ONNX,
    )  # fmt: skip
    assert result["exit_code"] == 0
    assert sorted(path.name for path in out.iterdir() if path.suffix != ".xml") == sorted(
        name
        for image in ("north_tile", "south_tile", "other")
        for name in (f"{image}.tif", f"{image}.gpkg", f"p_{image}_probability.tif")
    )
    assert [entry["output"].rsplit("/", 1)[1] for entry in result["images"]] == [
        "north_tile.tif", "south_tile.tif", "other.tif"
    ]  # fmt: skip


def test_separate_outputs_are_folders_and_others_are_none(folder, make_model, tmp_path):
    model = f"--model={make_model()}"
    code, error = run_last("extract", "roads", folder, "--separate", f"--output={tmp_path}/r.gpkg", model, *ONNX)
    assert (code, error["type"]) == (2, "error")
    assert "an output is a folder" in error["text"]
    code, error = run_last("segment", folder, f"--output={tmp_path}/classes", model, *ONNX)
    assert code == 2
    assert "must end in .tif" in error["text"]


def test_what_fails_for_every_image_ends_a_batch(folder, tmp_path):
    code, error = run_last("extract", "roads", folder, "--separate", f"--output={tmp_path}/o", "--model=none", *ONNX)
    assert (code, error["type"]) == (2, "error")
    assert "none" in error["text"]


def test_table_for_people(folder, make_model, tmp_path):
    (folder / "broken.tif").write_text("no image")
    out, err = io.StringIO(), io.StringIO()
    arguments = ["extract", "roads", folder, "--separate", f"--output={tmp_path}/o", f"--model={make_model()}", *ONNX]
    code = run(list(map(str, arguments)), cli_context=CliContext(stdout=out, stderr=err))
    lines = out.getvalue().splitlines()
    assert code == 4
    assert [line.split()[:2] for line in lines[:4]] == [
        ["image", "state"], ["broken.tif", "failed"], ["left.tif", "done"], ["right.tif", "done"]
    ]  # fmt: skip
    assert lines[4].startswith("2 of 3 images are done, 1 failed")


class CancelAfterFirst(RecordingReporter):
    """Cancels when the second image begins."""

    def __init__(self, cancellation):
        super().__init__()
        self.cancellation = cancellation

    def emit(self, event):
        super().emit(event)
        if event.type == "progress" and event.stage == "images" and event.done == 1:
            self.cancellation.cancel()


def test_batch_can_be_cancelled_after_an_image_was_published(folder, make_model, tmp_path):
    cancellation = Cancellation()
    reporter = CancelAfterFirst(cancellation)
    arguments = ["extract", "roads", folder, "--separate", f"--output={tmp_path}/o", f"--model={make_model()}", *ONNX]
    code = run(list(map(str, arguments)), cli_context=CliContext(reporter=reporter, cancellation=cancellation))
    assert code == 3
    assert "1 of 2 images are finished" in reporter.events[-1].text
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["left.gpkg"]
