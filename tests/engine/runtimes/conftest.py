"""Models for the runtimes: one with an exact answer, and D-LinkNet34 with random weights."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pytest
from terraspore.engine.models.card import ClassInfo, ModelCard, Normalisation
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.engine.models.registry import Model, find_model
from terraspore.engine.runtimes.probe import write_probe_models


@pytest.fixture(scope="session")
def identity(make_model):
    """A model that gives band / 250 for each of three bands."""
    return find_model(str(make_model(np.eye(3), task="segmentation")))


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The small network of ``terraspore devices``, as ONNX."""
    return write_probe_models(tmp_path_factory.mktemp("probe"))[".onnx"]


@pytest.fixture(scope="session")
def random_network(tmp_path_factory):
    """A function that gives a network of the bundled graphs random weights, like those of a trained one in size."""

    @cache
    def make(architecture, classes=1, tile=128):
        folder = tmp_path_factory.mktemp(architecture)
        random = np.random.default_rng(2)
        weights = {}
        for name, dims in parameter_shapes(load_onnx(graph_path(architecture, {}))).items():
            # LEDNet's first convolution gives its 32 channels less those of the image.
            shape = tuple(
                {"classes": classes, "bands": 3}.get(dim, 29) if isinstance(dim, str) else dim for dim in dims
            )
            if len(shape) == 4:
                # The last layer's weights are small, so that probabilities lie between 0 and 1 and not at them.
                spread = (2 / np.prod(shape[1:])) ** 0.5 * (0.05 if shape[0] == classes else 1)
                weights[name] = random.normal(0, spread, shape)
            else:
                low, high = (0.5, 1.5) if name.endswith(("gamma", "variance")) else (-0.2, 0.2)
                weights[name] = random.uniform(low, high, shape)
        path = folder / "random.ckpt"
        write_checkpoint(path, {name: values.astype(np.float32) for name, values in weights.items()})
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        card = ModelCard(
            name="random",
            title="Random weights",
            task="roads",
            architecture=architecture,
            classes=(ClassInfo(1, "road", (255, 255, 255)),),
            resolution=1.0,
            bands=3,
            normalisation=Normalisation(3.2 / 255, (1.6,) * 3, (1.0,) * 3),
            dtype="uint8",
            stretch=True,
            activation="sigmoid",
            tile=tile,
            overlap=0,
            multiple=32,
            threshold=0.5,
            weights=path.name,
            sha256=digest,
            data="none",
            licence="GPL-3.0-or-later",
            split="none",
        )
        return Model(card, path, digest)

    return make
