"""Installing a model: whole and tried, or not at all."""

import json
import shutil

import pytest
from terraspore.engine.errors import ModelError, OutputError
from terraspore.engine.models.infer_card import BareModel
from terraspore.engine.models.install import install_model
from terraspore.engine.models.registry import find_model


def accept(_model):
    pass


def test_installed_model_is_found_by_its_new_name(make_model, tmp_path):
    source = make_model()
    tried = []
    model = install_model(source, tmp_path / "models" / "mine", BareModel(), tried.append)
    assert model.card.name == "mine"
    assert tried[0].sha256 == model.sha256
    assert find_model("mine", [tmp_path / "models"]).sha256 == model.sha256
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["mine"]


def test_bare_file_gets_a_card_of_what_was_said(make_model, tmp_path):
    shutil.copyfile(make_model() / "net.onnx", tmp_path / "some net.onnx")
    bare = BareModel(task="roads", classes=("road",), resolution=0.3, activation="sigmoid")
    install_model(tmp_path / "some net.onnx", tmp_path / "models" / "mine", bare, accept)
    card = json.loads((tmp_path / "models" / "mine" / "card.json").read_text())
    assert (card["task"], card["resolution"], card["weights"]) == ("roads", 0.3, "some net.onnx")


def test_model_that_does_not_work_leaves_nothing_and_is_named_by_its_own_path(make_model, tmp_path):
    source = make_model()

    def refuse(model):
        raise ModelError(f"{model.weights} does not work.")

    with pytest.raises(ModelError) as caught:
        install_model(source, tmp_path / "models" / "mine", BareModel(), refuse)
    assert str(caught.value) == f"{source / 'net.onnx'} does not work."
    assert list((tmp_path / "models").iterdir()) == []


def test_model_that_is_there_is_not_replaced(make_model, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="already"):
        install_model(make_model(), tmp_path / "mine", BareModel(), accept)
    assert list((tmp_path / "mine").iterdir()) == []
