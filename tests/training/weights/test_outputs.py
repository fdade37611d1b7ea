"""Converted weights compute what PyTorch computes with them (``make_data.py`` stored its outputs)."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.training.checkpoint_io import load_parameters
from terraspore.training.networks import create_network
from terraspore.training.weights import map_weights, read_torch

from .random_weights import make_image, make_weights

DATA = Path(__file__).parent / "data"

pytestmark = pytest.mark.mindspore


def create_converted(file: str, architecture: str, classes: int, **options) -> nn.Cell:
    """Create a network with the weights that PyTorch had, whose names and shapes the file holds."""
    shapes = ((name, array.shape) for name, array in read_torch(DATA / file).items())
    wanted = parameter_shapes(load_onnx(graph_path(architecture, {})))
    arrays, report = map_weights(make_weights(shapes), architecture, wanted)
    assert not report.has_problems
    network = create_network(architecture, num_classes=classes, **options)
    load_parameters([p for p in network.get_parameters() if p.name in arrays], arrays, file)
    return network.set_train(False)


def test_lednet_has_upstreams_epsilon_everywhere():
    wanted = np.load(DATA / "outputs.npz")["lednet"]
    image = ms.Tensor(make_image())
    logits = create_converted("lednet.pth", "lednet", 6)(image).asnumpy()
    assert wanted.std() > 0.1, "nothing to compare"
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(logits, wanted, atol=1e-5 * scale)
    former = create_converted("lednet.pth", "lednet", 6, pyramid_eps=1e-5)(image).asnumpy()
    assert np.abs(former - wanted).max() > 1e-4 * scale


def test_efficientnet_pads_and_normalises_as_the_published_one():
    network = create_converted("efficientnet-lite0.pth", "dlinknet_efficientnet_lite0", 1)
    wanted = np.load(DATA / "outputs.npz")["efficientnet"]
    feature = network.encoder(ms.Tensor(make_image()))[4].asnumpy()
    assert wanted.std() > 0.01, "nothing to compare"
    np.testing.assert_allclose(feature, wanted, atol=1e-4 * np.abs(wanted).max())
