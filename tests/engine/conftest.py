"""Fixtures that make rasters and models."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hold_point import HoldPoint
from onnx import TensorProto, helper, numpy_helper
from raster_files import write_raster


@pytest.fixture
def make_raster(tmp_path):
    """A function that writes (bands, rows, columns) to a GeoTIFF in UTM with pixels of 1 m, unless told otherwise."""

    def make(pixels, name="image.tif", **profile):
        return write_raster(tmp_path / name, pixels, **profile)

    return make


@pytest.fixture
def hold(tmp_path_factory):
    """A point at which an engine can be held."""
    return HoldPoint(tmp_path_factory.mktemp("hold"))


def write_model(folder: Path, graph: onnx.GraphProto, bands: int, classes: int, **fields) -> Path:
    """Write ``graph`` and a card, whose ``fields`` can be given, to ``folder``."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = onnx.ModelProto.SerializeToString(model)
    (folder / "net.onnx").write_bytes(data)
    card = {
        "format": 1,
        "name": folder.name,
        "title": "A graph of the tests",
        "task": "roads",
        "architecture": None,
        "classes": [{"id": i, "name": f"class {i}", "colour": [i * 40, 80, 90]} for i in range(classes)],
        "resolution": 1.0,
        "bands": bands,
        "normalisation": {"scale": 1 / 250, "mean": [0.0] * bands, "std": [1.0] * bands},
        "dtype": "uint8",
        "stretch": False,
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
        "metrics": {},
        "notes": "",
        "options": {},
        **fields,
    }
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def make_graph(nodes, bands: int, weights) -> onnx.GraphProto:
    """Make a graph from ``image`` to ``scores``; ``weights`` are its initializers, in the order of the layers."""
    ends = (("image", bands), ("scores", weights[-1].dims[0]))
    image, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "h", "w"]) for name, count in ends
    )
    return helper.make_graph(nodes, "graph", [image], [scores], weights)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """A function that writes the folder of a model with one 1 x 1 convolution.

    ``weights`` is (classes, bands); the network gives ``weights @ (value / scale)`` at each pixel.
    """

    def make(weights=((1.0, 0.0, 0.0),), *, scale=250.0, **fields) -> Path:
        weights = np.asarray(weights, np.float32)
        classes, bands = weights.shape
        nodes = [helper.make_node("Conv", ["image", "weights"], ["scores"])]
        graph = make_graph(nodes, bands, [numpy_helper.from_array(weights[:, :, None, None], "weights")])
        fields.setdefault("normalisation", {"scale": 1 / scale, "mean": [0.0] * bands, "std": [1.0] * bands})
        return write_model(tmp_path_factory.mktemp("model"), graph, bands, classes, **fields)

    return make


@pytest.fixture(scope="session")
def hanging_model(tmp_path_factory):
    """A model that computes one tile for minutes: thirty convolutions of 64 channels at 1024 x 1024."""
    weights = [numpy_helper.from_array(np.full((64, n, 3, 3), 0.01, np.float32), f"w{n}") for n in (3, 64)]
    weights.append(numpy_helper.from_array(np.full((1, 64, 1, 1), 0.01, np.float32), "last"))
    names = ["image", *(f"x{i}" for i in range(31))]
    nodes = [
        helper.make_node("Conv", [a, "w3" if a == "image" else "w64"], [b], pads=[1, 1, 1, 1])
        for a, b in pairwise(names)
    ]
    nodes.append(helper.make_node("Conv", [names[-1], "last"], ["scores"]))
    return write_model(tmp_path_factory.mktemp("hanging"), make_graph(nodes, 3, weights), 3, 1, tile=1024)
