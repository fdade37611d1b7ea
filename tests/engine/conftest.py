"""Fixtures that make rasters and models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hold_point import HoldPoint
from model_files import make_graph, write_linear_model, write_model
from onnx import helper, numpy_helper
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


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """``write_linear_model`` into a new folder."""

    def make(weights=((1.0, 0.0, 0.0),), **fields) -> Path:
        return write_linear_model(tmp_path_factory.mktemp("model"), weights, **fields)

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
