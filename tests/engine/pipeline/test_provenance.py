"""Every output says which model made it, by the SHA-256 of its weights."""

from __future__ import annotations

import hashlib

import numpy as np
import pyogrio
import pytest
import rasterio
from terraspore.engine.cli import run

ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


@pytest.fixture
def image(make_raster):
    pixels = np.full((3, 80, 80), 20, np.uint8)
    pixels[:, 30:40] = 245
    return str(make_raster(pixels))


def of_raster(path):
    with rasterio.open(path) as dataset:
        return dataset.tags()["MODEL_SHA256"]


def of_vectors(path):
    layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]  # the others hold styles
    hashes = {pyogrio.read_info(path, layer=layer)["layer_metadata"]["MODEL_SHA256"] for layer in layers}
    assert layers
    assert len(hashes) == 1
    return hashes.pop()


def test_roads(image, make_model, tmp_path):
    model = make_model()
    digest = hashlib.sha256((model / "net.onnx").read_bytes()).hexdigest()
    arguments = [
        image,
        f"--model={model}",
        f"--output={tmp_path / 'r.gpkg'}",
        f"--probability={tmp_path / 'p.tif'}",
        *ONNX,
    ]
    assert run(["extract", "roads", *arguments]) == 0
    assert of_vectors(tmp_path / "r.gpkg") == digest
    assert of_raster(tmp_path / "p.tif") == digest
    # Vectors that are made later from a kept raster are still of that model.
    assert run(["vectorize", "roads", str(tmp_path / "p.tif"), f"--output={tmp_path / 'v.gpkg'}"]) == 0
    assert of_vectors(tmp_path / "v.gpkg") == digest


def test_classes(image, make_model, tmp_path):
    model = make_model([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], task="landcover", activation="softmax")
    digest = hashlib.sha256((model / "net.onnx").read_bytes()).hexdigest()
    rasters = {name: tmp_path / f"{name}.tif" for name in ("classes", "confidence", "probability")}
    arguments = [image, f"--model={model}", f"--output={tmp_path / 'l.gpkg'}", *ONNX]
    assert run(["extract", "landcover", *arguments, *(f"--{name}={path}" for name, path in rasters.items())]) == 0
    assert of_vectors(tmp_path / "l.gpkg") == digest
    assert {of_raster(path) for path in rasters.values()} == {digest}
    arguments = [image, f"--model={model}", f"--output={tmp_path / 's.tif'}", f"--vectors={tmp_path / 's.gpkg'}", *ONNX]
    assert run(["segment", *arguments]) == 0
    assert of_raster(tmp_path / "s.tif") == of_vectors(tmp_path / "s.gpkg") == digest


@pytest.mark.parametrize("suffix", ["fgb", "geojson"])
def test_formats_of_one_layer_a_file(image, make_model, tmp_path, suffix):
    model = make_model()
    digest = hashlib.sha256((model / "net.onnx").read_bytes()).hexdigest()
    arguments = [image, f"--model={model}", f"--output={tmp_path / f'r.{suffix}'}", *ONNX]
    assert run(["extract", "roads", *arguments, "--threshold=0.375"]) == 0
    files = sorted(tmp_path.glob(f"r*.{suffix}"))
    assert len(files) == 3
    for path in files:
        metadata = pyogrio.read_info(path)["layer_metadata"]
        if suffix == "geojson":
            metadata = dict(line.split("=", 1) for line in metadata["DESCRIPTION"].splitlines())
        assert metadata["MODEL_SHA256"] == digest
        assert metadata["THRESHOLD"] == "0.375"
