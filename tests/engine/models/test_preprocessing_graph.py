"""Normalisation and activation as parts of a graph, whatever the network's names, types and opset."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from terraspore.engine.errors import GraphError
from terraspore.engine.models.card import Normalisation
from terraspore.engine.models.graph import add_normalisation_and_activation


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("names", [("image", "probability"), ("probability", "image"), ("x", "y")])
def test_foreign_networks_are_wrapped_whatever_their_names_and_types(card, make_network, kind, opset, names):
    identity = Normalisation(1.0, (0.0, 0.0), (1.0, 1.0))
    model = make_network(kind, opset, names, extra_output=True)
    add_normalisation_and_activation(model, replace(card, bands=2, normalisation=identity), "here")
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["probability"]
    tiles = np.random.default_rng(0).integers(0, 3, (2, 2, 4, 5), np.uint8)
    (result,) = ReferenceEvaluator(model).run(None, {"image": tiles})
    first, second = tiles.astype(float).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(result, softmax(np.stack([first + second, first - second], axis=1)), atol=2e-3)
    assert result.dtype == np.float32


def test_a_network_of_whole_numbers_takes_no_normalisation(card, make_network):
    two = replace(card, bands=2, normalisation=Normalisation(1 / 255, (0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(GraphError, match="takes whole numbers"):
        add_normalisation_and_activation(make_network(TensorProto.INT32), two, "here")
