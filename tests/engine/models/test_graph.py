"""The built graph computes what NumPy computes by hand, and refuses what does not fit."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from terraspore.engine.errors import CardError, CheckpointError, GraphError
from terraspore.engine.models.card import ClassInfo, Normalisation
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import (
    add_normalisation_and_activation,
    build_graph,
    graph_identity,
    graph_path,
    known_architectures,
)
from terraspore.engine.models.registry import Model


@pytest.fixture
def model(tmp_path, card, tiny_weights, with_sha256):
    path = tmp_path / "tiny.ckpt"
    write_checkpoint(path, {f"network.{name}": values for name, values in tiny_weights.items()})
    return Model(with_sha256(card, path), path, "")


def by_hand(tiles, weights, card):
    """The tiny network written out in NumPy: logits (N, classes, H, W)."""
    mean = np.reshape(card.normalisation.mean, (1, -1, 1, 1))
    std = np.reshape(card.normalisation.std, (1, -1, 1, 1))
    images = (tiles.astype(np.float64) * card.normalisation.scale - mean) / std
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    encoded = np.einsum("nchwij,ocij->nohw", windows, weights["encoder.weight"])
    encoded = np.maximum(encoded + weights["encoder.bias"].reshape(1, -1, 1, 1), 0)
    decoded = np.einsum("nchw,coij->nohiwj", encoded, weights["decoder.weight"])
    count, channels, height, _, width, _ = decoded.shape
    decoded = decoded.reshape(count, channels, 2 * height, 2 * width)
    logits = np.einsum("nchw,oc->nohw", decoded, weights["head.weight"][:, :, 0, 0])
    return logits + weights["head.bias"].reshape(1, -1, 1, 1)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 48)])
def test_pixels_go_in_and_probabilities_come_out(model, graphs, tiny_weights, shape):
    count, height, width = shape
    tiles = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), np.uint8)
    graph = build_graph(model, graphs=graphs)
    onnx.checker.check_model(graph, full_check=True)
    (result,) = ReferenceEvaluator(graph).run(None, {"image": tiles})
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, softmax(by_hand(tiles, tiny_weights, model.card)), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("activation", ["sigmoid", "none"])
def test_other_pixels_and_activations(model, graphs, tiny_weights, dtype, activation):
    card = replace(model.card, dtype=dtype, stretch=False, activation=activation)
    tiles = np.random.default_rng(0).integers(0, 600, (1, 3, 16, 16)).astype(dtype)
    (result,) = ReferenceEvaluator(build_graph(replace(model, card=card), graphs=graphs)).run(None, {"image": tiles})
    logits = by_hand(tiles, tiny_weights, card)
    expected = 1 / (1 + np.exp(-logits)) if activation == "sigmoid" else logits
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_float16_weights_are_used_as_they_are(model, graphs, tiny_weights, with_sha256):
    short = {name: values.astype(np.float16) for name, values in tiny_weights.items()}
    write_checkpoint(model.weights, short)
    tiles = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32), np.uint8)
    (result,) = ReferenceEvaluator(build_graph(model, graphs=graphs)).run(None, {"image": tiles})
    np.testing.assert_allclose(result, softmax(by_hand(tiles, short, model.card)), atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"architecture": "unknown"}, GraphError, "architecture unknown is not known; known are: tiny"),
        ({"architecture": None}, GraphError, "names no architecture"),
        ({"classes": (ClassInfo(0, "a", (0, 0, 0)),)}, CheckpointError, r"head\.weight has the shape \[2, 4, 1, 1\]"),
        ({"bands": 4}, CheckpointError, r"encoder\.weight has the shape \[8, 3, 3, 3\] instead of \[8, 4, 3, 3\]"),
        ({"tile": 33}, GraphError, "multiple of 2, not of 33"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(model, graphs, fields, error, message):
    with pytest.raises(error, match=message):
        build_graph(replace(model, card=replace(model.card, **fields)), graphs=graphs)


def test_the_graph_that_was_made_with_the_options_is_taken(graphs, tiny_graph, tmp_path):
    for name, options in {"tiny": {"pool": "other"}, "tiny-same": {"pool": "same"}}.items():
        helper.set_model_props(tiny_graph, {"options": json.dumps(options)})
        onnx.save(tiny_graph, graphs / f"{name}.onnx")
    assert graph_path("tiny", {}, [graphs]).name == "tiny.onnx"
    assert graph_path("tiny", {"pool": "other"}, [graphs]).name == "tiny.onnx"
    assert graph_path("tiny", {"pool": "same"}, [graphs]).name == "tiny-same.onnx"
    with pytest.raises(GraphError, match="not known with the options pool: same, more: 1"):
        graph_path("tiny", {"pool": "same", "more": 1}, [graphs])
    assert known_architectures(graphs) == ["tiny"]
    helper.set_model_props(tiny_graph, {"options": json.dumps({"pool": "same", "more": 1})})
    onnx.save(tiny_graph, tmp_path / "tiny-more1.onnx")
    assert graph_path("tiny", {"more": 1}, [graphs, tmp_path]) == tmp_path / "tiny-more1.onnx"


def test_a_network_without_a_bundled_graph_takes_the_one_beside_its_weights(model, graphs, tiny_weights):
    tiles = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16), np.uint8)
    before = graph_identity(model, graphs)
    (graphs / "tiny.onnx").rename(model.weights.with_name("tiny.onnx"))
    (result,) = ReferenceEvaluator(build_graph(model, graphs=graphs)).run(None, {"image": tiles})
    np.testing.assert_allclose(result, softmax(by_hand(tiles, tiny_weights, model.card)), atol=1e-5)
    assert graph_identity(model, graphs) == before
    model.weights.with_name("tiny.onnx").unlink()
    assert graph_identity(model, graphs) != before


def test_the_identity_changes_with_whatever_the_graph_depends_on(model, graphs, tiny_graph):
    before = graph_identity(model, graphs)
    assert graph_identity(model, graphs) == before
    other = replace(model.card, normalisation=Normalisation(1.0, (0.0,) * 3, (1.0,) * 3))
    assert graph_identity(replace(model, card=other), graphs) != before
    tiny_graph.producer_name = "another"
    onnx.save(tiny_graph, graphs / "tiny.onnx")
    assert graph_identity(model, graphs) != before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bands": 3}, "takes 2 bands, and its card says 3"),
        ({"classes": (ClassInfo(0, "a", (0, 0, 0)),)}, "gives 2 classes, and its card has 1"),
    ],
)
def test_a_foreign_network_has_to_fit_its_card(tmp_path, card, make_network, fields, message):
    path = tmp_path / "net.onnx"
    onnx.save(make_network(), path)
    two = replace(card, bands=2, normalisation=Normalisation(1.0, (0.0,) * 3, (1.0,) * 3), activation="none")
    with pytest.raises((GraphError, CardError), match=message):
        build_graph(Model(replace(two, **fields), path, ""))


def test_a_network_of_one_size_refuses_other_tiles(tmp_path, card, make_network):
    model = make_network()
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = 64
    onnx.save(model, tmp_path / "net.onnx")
    two = replace(card, bands=2, tile=64, normalisation=Normalisation(1.0, (0.0, 0.0), (1.0, 1.0)))
    built = build_graph(Model(two, tmp_path / "net.onnx", ""))
    assert [dim.dim_value for dim in built.graph.output[0].type.tensor_type.shape.dim] == [0, 2, 64, 64]
    with pytest.raises(GraphError, match="64 x 64 pixels only, not of 32"):
        build_graph(Model(two, tmp_path / "net.onnx", ""), tile=32)


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
