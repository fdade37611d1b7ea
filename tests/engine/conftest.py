"""Rasters and models that tests make for themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import rasterio
from affine import Affine
from onnx import TensorProto, helper, numpy_helper

UTM = "EPSG:32618"


@pytest.fixture
def make_raster(tmp_path):
    """A function that writes (bands, rows, columns) to a GeoTIFF in UTM with pixels of 1 m, unless told otherwise."""

    def make(pixels, name="image.tif", **profile):
        pixels = np.asarray(pixels)
        path = tmp_path / name
        settings = {
            "driver": "GTiff",
            "count": pixels.shape[0],
            "height": pixels.shape[1],
            "width": pixels.shape[2],
            "dtype": pixels.dtype.name,
            "crs": UTM,
            "transform": Affine(1, 0, 500_000, 0, -1, 4_649_776),
        }
        mask = profile.pop("mask", None)
        colours = profile.pop("colormap", None)
        interpretation = profile.pop("colorinterp", None)
        overviews = profile.pop("overviews", None)
        with rasterio.open(path, "w", **{**settings, **profile}) as dataset:
            if interpretation:
                dataset.colorinterp = interpretation
            dataset.write(pixels)
            if colours:
                dataset.write_colormap(1, colours)
            if mask is not None:
                dataset.write_mask(mask)
            if overviews:
                dataset.build_overviews(overviews)
        return path

    return make


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """A function that writes the folder of a model that is one 1x1 convolution.

    ``weights`` is (classes, bands); the network gives ``weights @ (value / scale)`` at each pixel.
    """

    def make(weights=((1.0, 0.0, 0.0),), *, scale=250.0, task="roads", stretch=False, **fields) -> Path:
        weights = np.asarray(weights, np.float32)
        classes, bands = weights.shape
        folder = tmp_path_factory.mktemp("model")
        graph = helper.make_graph(
            [helper.make_node("Conv", ["image", "weights"], ["scores"])],
            "one_by_one",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", bands, "h", "w"])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes, "h", "w"])],
            [numpy_helper.from_array(weights[:, :, None, None], "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        data = onnx.ModelProto.SerializeToString(model)
        (folder / "net.onnx").write_bytes(data)
        card = {
            "format": 1,
            "name": folder.name,
            "title": "One 1x1 convolution",
            "task": task,
            "architecture": None,
            "classes": [{"id": i, "name": f"class {i}", "colour": [i * 40, 80, 90]} for i in range(classes)],
            "resolution": 1.0,
            "bands": bands,
            "normalisation": {"scale": 1 / scale, "mean": [0.0] * bands, "std": [1.0] * bands},
            "dtype": "uint8",
            "stretch": stretch,
            "activation": "none",
            "tile": 64,
            "overlap": 16,
            "multiple": 1,
            "threshold": 0.5,
            "weights": "net.onnx",
            "sha256": hashlib.sha256(data).hexdigest(),
            "data": "none",
            "licence": "GPL-3.0-or-later",
            "split": "none",
            "figures": {},
            "notes": "",
            "options": {},
            **fields,
        }
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
        return folder

    return make
