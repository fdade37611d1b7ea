"""Finding models by name, folder and file, and making cards for files that have none."""

import json
from dataclasses import replace

import onnx
import pytest
from onnx import TensorProto, helper
from terraspore.engine.errors import CardError, ModelError
from terraspore.engine.models.card import card_text, read_card, write_card
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import build_graph
from terraspore.engine.models.infer_card import CARD_KEY, BareModel
from terraspore.engine.models.registry import BUNDLED, find_model, list_models, model_folders, scan_models


@pytest.fixture
def folder(tmp_path, card, tiny_weights, with_sha256):
    """A folder of models with the model ``tiny`` in it."""
    home = tmp_path / "models" / "tiny"
    home.mkdir(parents=True)
    write_checkpoint(home / "tiny.ckpt", tiny_weights)
    write_card(home / "card.json", with_sha256(card, home / "tiny.ckpt"))
    return home.parent


def test_a_model_is_found_by_name_folder_card_and_weights(folder):
    by_name = find_model("tiny", [folder])
    assert by_name.card.name == "tiny"
    assert by_name.sha256 == by_name.card.sha256
    for path in (folder / "tiny", folder / "tiny" / "card.json", folder / "tiny" / "tiny.ckpt"):
        assert find_model(str(path), []) == by_name


def test_other_weights_than_the_cards_are_refused_and_listed_as_faulty(folder):
    weights = folder / "tiny" / "tiny.ckpt"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(CardError, match="not those of their card"):
        find_model("tiny", [folder])
    catalogue = scan_models([folder])
    assert catalogue.models == ()
    assert "SHA-256" in catalogue.faults[folder / "tiny"]


def test_the_first_folder_wins_and_absent_folders_are_no_fault(folder, tmp_path):
    assert [model.weights.parent.parent for model in list_models([tmp_path / "none", folder, folder])] == [folder]


def test_folders_come_from_the_variable():
    assert model_folders({"TERRASPORE_MODELS": ""}) == [BUNDLED]
    assert [str(path) for path in model_folders({"TERRASPORE_MODELS": "a:b"})[1:]] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "no model 'absent'; known are: tiny"),
        ("x/absent.ckpt", "There is no file"),
        ("weights.pth", "neither a model's folder nor a weights file"),
    ],
)
def test_what_is_not_there_is_said(folder, name, said):
    with pytest.raises(ModelError, match=said):
        find_model(name, [folder])


def test_a_bare_checkpoint_needs_its_architecture(folder, tmp_path, graphs, tiny_weights):
    bare = tmp_path / "My weights (1).ckpt"
    write_checkpoint(bare, tiny_weights)
    with pytest.raises(CardError, match="has no card"):
        find_model(str(bare), [])
    said = BareModel("tiny", classes=("a", "b"), resolution=0.3, mean=(0.1, 0.2, 0.3), tile=64)
    model = find_model(str(bare), [], said)
    assert model.card.name == "My-weights--1-"
    assert model.card.normalisation.mean == (0.1, 0.2, 0.3)
    assert (model.card.activation, model.card.tile, model.card.overlap) == ("softmax", 64, 16)
    assert build_graph(model, graphs=graphs).graph.output[0].name == "probability"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (BareModel("tiny", mean=(0.0,)), "takes 3 bands, and 1 values are given for mean"),
        (BareModel("tiny", resolution=-1.0), "resolution is -1"),
        (BareModel("tiny", std=(1.0, float("nan"), 1.0)), "NaN"),
        (BareModel("tiny", tile=100, overlap=60), "overlap is 60"),
    ],
)
def test_what_is_said_of_a_bare_file_is_checked(tmp_path, tiny_weights, said, error):
    write_checkpoint(tmp_path / "x.ckpt", tiny_weights)
    with pytest.raises(CardError, match=error):
        find_model(str(tmp_path / "x.ckpt"), [], said)


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
    card = find_model(path, [], BareModel(resolution=0.3, task="roads")).card
    assert [entry.name for entry in card.classes] == ["road"]
    assert (card.activation, card.tile, card.resolution, card.task) == ("none", 96, 0.3, "roads")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"model_type": '"Detector"'}, "is a Detector"),
        ({"resolution": "coarse"}, "cannot be understood"),
        ({"class_names": "[1]"}, "cannot be understood"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(tmp_path, metadata, said):
    with pytest.raises(CardError, match=said):
        find_model(foreign(tmp_path / "a.onnx", metadata=metadata), [])


def test_our_own_exports_carry_their_card(tmp_path, card):
    path = foreign(tmp_path / "a.onnx", metadata={CARD_KEY: card_text(card)})
    found = find_model(path, [])
    assert found.card == replace(card, architecture=None, weights="a.onnx", sha256=found.sha256)


def test_bundled_models_are_whole():
    assert scan_models([BUNDLED]).faults == {}
    for model in list_models([BUNDLED]):
        assert model.card.name == model.weights.parent.name == read_card(model.weights.parent / "card.json").name
