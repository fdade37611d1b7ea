"""Commands with several images: one mosaic, or a result of each."""

from __future__ import annotations

import numpy as np
import pyogrio
import pytest
from affine import Affine
from command_line import run_events, run_last, run_well
from raster_files import NORTH_UP, write_raster

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
