"""Cards for weights files that have none: from hints, from an ONNX file's metadata, and from defaults."""

import json
from dataclasses import replace

import onnx
import pytest
from onnx import TensorProto, helper
from terraspore.engine.errors import CardError
from terraspore.engine.models.card import card_text
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import build_graph
from terraspore.engine.models.infer_card import CARD_KEY, ModelHints
from terraspore.engine.models.registry import find_model


def test_a_checkpoint_without_a_card_needs_its_architecture(tmp_path, graphs, tiny_weights):
    weights = tmp_path / "My weights (1).ckpt"
    write_checkpoint(weights, tiny_weights)
    with pytest.raises(CardError, match="has no card"):
        find_model(str(weights), [])
    hints = ModelHints("tiny", classes=("a", "b"), resolution=0.3, mean=(0.1, 0.2, 0.3), tile=64)
    model = find_model(str(weights), [], hints)
    assert model.card.name == "My-weights--1-"
    assert model.card.normalisation.mean == (0.1, 0.2, 0.3)
    assert (model.card.activation, model.card.tile, model.card.overlap) == ("softmax", 64, 16)
    assert build_graph(model, graphs=graphs).graph.output[0].name == "probability"


@pytest.mark.parametrize(
    ("hints", "error"),
    [
        (ModelHints("tiny", mean=(0.0,)), "takes 3 bands, and 1 values are given for mean"),
        (ModelHints("tiny", resolution=-1.0), "resolution is -1"),
        (ModelHints("tiny", std=(1.0, float("nan"), 1.0)), "NaN"),
        (ModelHints("tiny", tile=100, overlap=60), "overlap is 60"),
    ],
)
def test_hints_are_checked(tmp_path, tiny_weights, hints, error):
    write_checkpoint(tmp_path / "x.ckpt", tiny_weights)
    with pytest.raises(CardError, match=error):
        find_model(str(tmp_path / "x.ckpt"), [], hints)


def foreign(path, channels=2, metadata=None, last=None, size=0):
    """An ONNX file with a 1x1 convolution of three bands."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, (channels, 3, 1, 1), [0.1] * 3 * channels)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y" if last is None else "z"])]
    if last is not None:
        nodes.append(helper.make_node(last, ["z"], ["y"]))
    sides = [size or "h", size or "w"]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *sides])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, *sides])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return str(path)


def test_deepness_metadata_make_a_card(tmp_path):
    metadata = {
        "model_type": json.dumps("Segmentor"),
        "class_names": json.dumps({0: "background", 1: "field"}),
        "resolution": "20",
        "tiles_size": "256",
        "tiles_overlap": "25",
        "seg_thresh": "0.4",
        "standardization_mean": "[0.1, 0.2, 0.3]",
        "standardization_std": "[0.5, 0.6, 0.7]",
    }
    card = find_model(foreign(tmp_path / "a.onnx", metadata=metadata), []).card
    assert [entry.name for entry in card.classes] == ["background", "field"]
    assert (card.resolution, card.tile, card.overlap, card.threshold) == (0.2, 256, 64, 0.4)
    assert card.normalisation.mean == (0.1, 0.2, 0.3)
    assert card.normalisation.std == (0.5, 0.6, 0.7)
    assert card.activation == "softmax"


def test_a_foreign_network_of_one_channel_has_one_class(tmp_path):
    metadata = {"model_type": "Segmentor", "class_names": json.dumps({0: "background", 1: "road"})}
    path = foreign(tmp_path / "a.onnx", 1, metadata, last="Sigmoid", size=96)
    card = find_model(path, [], ModelHints(resolution=0.3, task="roads")).card
    assert [entry.name for entry in card.classes] == ["road"]
    assert (card.activation, card.tile, card.resolution, card.task) == ("none", 96, 0.3, "roads")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"model_type": '"Detector"'}, "is a Detector"),
        ({"resolution": "coarse"}, "cannot be understood"),
        ({"class_names": "[1]"}, "cannot be understood"),
        ({"tiles_size": "Infinity"}, "cannot be understood"),
        ({"tiles_size": "64", "tiles_overlap": "Infinity"}, "cannot be understood"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(tmp_path, metadata, message):
    with pytest.raises(CardError, match=message):
        find_model(foreign(tmp_path / "a.onnx", metadata=metadata), [])


def test_our_own_exports_carry_their_card(tmp_path, card):
    path = foreign(tmp_path / "a.onnx", metadata={CARD_KEY: card_text(card)})
    found = find_model(path, [])
    assert found.card == replace(card, architecture=None, weights="a.onnx", sha256=found.sha256)


def test_a_file_that_claims_a_billion_bands_or_classes_is_refused_at_once(tmp_path):
    path = tmp_path / "a.onnx"
    model = onnx.load(foreign(path))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40
    onnx.save(model, path)
    with pytest.raises(CardError, match="at most 512"):
        find_model(str(path), [])
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40
    onnx.save(model, path)
    with pytest.raises(CardError, match="classes has 256 entries"):
        find_model(str(path), [])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    helper.set_model_props(model, {"class_names": json.dumps({1 << 40: "last"})})
    onnx.save(model, path)
    with pytest.raises(CardError, match="classes has 256 entries"):
        find_model(str(path), [])
