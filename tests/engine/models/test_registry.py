"""Finding models by name, folder and file, choosing the default, and installing: whole and tried, or not at all."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from default_models import DEFAULT_MODELS, FITTING_MODELS, RESOLUTIONS, SMALL
from terraspore.engine.errors import CardError, ModelError, OutputError
from terraspore.engine.models import registry
from terraspore.engine.models.card import read_card, write_card
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.infer_card import ModelHints
from terraspore.engine.models.registry import (
    BUNDLED,
    choose_model,
    find_model,
    find_weights,
    install_model,
    model_folders,
    scan_models,
)


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


def test_weights_are_found_by_a_name_or_folder_with_points(folder, monkeypatch):
    monkeypatch.setattr(registry, "BUNDLED", folder)
    shutil.copytree(folder / "tiny", folder / "tiny-v1.2")
    weights = folder / "tiny-v1.2" / "tiny.ckpt"
    for path in (Path("tiny-v1.2"), folder / "tiny-v1.2", weights):
        assert find_weights(path) == weights
    assert find_weights(Path("none.ckpt")) == Path("none.ckpt")
    with pytest.raises(ModelError, match=r"none\.v2 is neither"):
        find_weights(Path("none.v2"))


def test_weights_of_a_training_are_its_best_ones(folder):
    run = folder / "run"
    run.mkdir()
    with pytest.raises(ModelError, match=r"card\.json"):
        find_weights(run)
    for name in ("best.ckpt", "last.ckpt"):
        shutil.copy(folder / "tiny" / "tiny.ckpt", run / name)
    assert find_weights(run) == run / "best.ckpt"


def test_other_weights_than_the_cards_are_refused_and_listed_as_faulty(folder):
    weights = folder / "tiny" / "tiny.ckpt"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(CardError, match="not those of their card"):
        find_model("tiny", [folder])
    found = scan_models([folder])
    assert found.models == ()
    assert "SHA-256" in found.faults[folder / "tiny"]


def test_the_first_folder_wins_and_absent_folders_are_no_fault(folder, tmp_path):
    found = scan_models([tmp_path / "none", folder, folder])
    assert [model.weights.parent.parent for model in found.models] == [folder]
    assert found.faults == {}


def test_folders_come_from_the_variable():
    assert model_folders({"TERRASPORE_MODELS": ""}) == [BUNDLED]
    assert [str(path) for path in model_folders({"TERRASPORE_MODELS": "a:b"})[1:]] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "no model 'absent'; known are: tiny"),
        ("x/absent.ckpt", "There is no file"),
        ("weights.pth", "neither a model's folder nor a weights file"),
    ],
)
def test_a_missing_model_is_refused(folder, name, message):
    with pytest.raises(ModelError, match=message):
        find_model(name, [folder])


def test_bundled_models_are_whole():
    found = scan_models([BUNDLED])
    assert found.faults == {}
    for model in found.models:
        assert model.card.name == model.weights.parent.name == read_card(model.weights.parent / "card.json").name


@pytest.fixture
def put_models(tmp_path, card, tiny_weights, with_sha256, monkeypatch):
    """Puts models of the given names into two folders, which it returns; a name begins with the model's task."""
    home = tmp_path / "weights"
    home.mkdir()
    write_checkpoint(home / "tiny.ckpt", tiny_weights)

    def put(bundled=(), own=(), resolutions=RESOLUTIONS):
        for parent, names in (("bundled", bundled), ("own", own)):
            for name in names:
                folder = tmp_path / parent / name
                folder.mkdir(parents=True)
                shutil.copyfile(home / "tiny.ckpt", folder / "tiny.ckpt")
                task = name.split("-")[0]
                classes, activation = (card.classes[:1], "sigmoid") if task == "roads" else (card.classes, "softmax")
                changed = dataclasses.replace(card, name=name, task=task, classes=classes, activation=activation)
                changed = dataclasses.replace(changed, resolution=resolutions.get(name, card.resolution))
                write_card(folder / "card.json", with_sha256(changed, folder / "tiny.ckpt"))
        return [tmp_path / "bundled", tmp_path / "own"]

    return put


@pytest.mark.parametrize(("pixel", "expected"), FITTING_MODELS)
def test_the_default_has_the_resolution_of_the_image(put_models, pixel, expected):
    sentences = []
    folders = put_models(RESOLUTIONS)
    assert choose_model(None, "landcover", folders, pixel=pixel, inform=sentences.append).card.name == expected
    others = [f"{name} ({metres} m)" for name, metres in RESOLUTIONS.items() if name != expected]
    if pixel:
        (sentence,) = sentences
        assert sentence.startswith(f"The model {expected} ({RESOLUTIONS[expected]} m) is used because the image has ")
        assert f"{pixel:g} m per pixel" in sentence
        assert all(other in sentence for other in others)
    else:
        assert sentences == []


def test_the_resolution_does_not_decide_where_it_cannot(put_models):
    sentences = []
    folders = put_models({*SMALL, *RESOLUTIONS}, ("roads-mine",))
    for name, task in (("landcover-lednet", "landcover"), (None, "roads"), (None, "segmentation")):
        choose_model(name, task, folders, pixel=0.7, inform=sentences.append)
    assert sentences == []


@pytest.mark.parametrize(("task", "bundled", "own", "expected"), DEFAULT_MODELS)
def test_the_default_depends_on_what_is_installed(put_models, task, bundled, own, expected):
    folders = put_models(bundled, own)
    if expected is None:
        with pytest.raises(ModelError, match="There is no model"):
            choose_model(None, task, folders)
    else:
        assert choose_model(None, task, folders).card.name == expected


@pytest.fixture
def hashed(monkeypatch):
    """The weights files whose SHA-256 was computed, in order."""
    found = []

    def count(path, *arguments):
        found.append(path.parent.name)
        return compute_sha256(path, *arguments)

    compute_sha256 = registry.compute_sha256
    monkeypatch.setattr(registry, "compute_sha256", count)
    return found


def test_only_the_weights_of_the_chosen_model_are_hashed(put_models, hashed):
    folders = put_models((*SMALL, "roads-aaa"), ("roads-dlinknet34", "segmentation-own"))
    for name, task, expected in (
        (None, "roads", "roads-efficientnet-lite2"),
        (None, "landcover", "landcover-lednet"),
        (None, "segmentation", "segmentation-own"),
        ("roads-aaa", "roads", "roads-aaa"),
    ):
        hashed.clear()
        assert choose_model(name, task, folders).card.name == expected
        assert hashed == [expected]


def test_a_damaged_default_gives_way_to_the_next(put_models, hashed):
    folders = put_models(("roads-dlinknet34", "roads-lednet"), ("roads-own",))
    weights = folders[0] / "roads-dlinknet34" / "tiny.ckpt"
    weights.write_bytes(weights.read_bytes() + b"\0")
    (folders[1] / "roads-own" / "card.json").write_text("{")
    warnings = []
    assert choose_model(None, "roads", folders, warn=warnings.append).card.name == "roads-lednet"
    assert hashed == ["roads-dlinknet34", "roads-lednet"]
    (warning,) = warnings
    assert f"The weights {weights} are not those of their card" in warning
    assert "Another model is used" in warning


def test_a_named_model_has_to_be_for_the_task(put_models):
    folders = put_models(SMALL)
    with pytest.raises(ModelError, match="roads-lednet is for roads, not for landcover"):
        choose_model("roads-lednet", "landcover", folders)
    assert choose_model("roads-lednet", "segmentation", folders).card.name == "roads-lednet"


def accept(_model):
    pass


def test_installed_model_is_found_by_its_new_name(make_model, tmp_path):
    source = make_model()
    tried = []
    model = install_model(source, tmp_path / "models" / "mine", ModelHints(), tried.append)
    assert model.card.name == "mine"
    assert tried[0].sha256 == model.sha256
    assert find_model("mine", [tmp_path / "models"]).sha256 == model.sha256
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["mine"]


def test_bare_file_gets_a_card_of_its_hints(make_model, tmp_path):
    shutil.copyfile(make_model() / "net.onnx", tmp_path / "some net.onnx")
    hints = ModelHints(task="roads", classes=("road",), resolution=0.3, activation="sigmoid")
    install_model(tmp_path / "some net.onnx", tmp_path / "models" / "mine", hints, accept)
    card = json.loads((tmp_path / "models" / "mine" / "card.json").read_text())
    assert (card["task"], card["resolution"], card["weights"]) == ("roads", 0.3, "some net.onnx")


def test_model_that_does_not_work_leaves_nothing_and_is_named_by_its_own_path(make_model, tmp_path):
    source = make_model()

    def refuse(model):
        raise ModelError(f"{model.weights} does not work.")

    with pytest.raises(ModelError) as caught:
        install_model(source, tmp_path / "models" / "mine", ModelHints(), refuse)
    assert str(caught.value) == f"{source / 'net.onnx'} does not work."
    assert list((tmp_path / "models").iterdir()) == []


def test_model_that_is_there_is_not_replaced(make_model, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="already"):
        install_model(make_model(), tmp_path / "mine", ModelHints(), accept)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_persons_folder_and_an_interrupted_installation_do_no_harm(make_model, tmp_path):
    models = tmp_path / "models"
    (models / "mine.partial").mkdir(parents=True)
    (models / "mine.partial" / "notes.txt").write_text("of a person")

    def look(model):
        assert model.weights.is_file()
        assert [found.card.name for found in scan_models([models]).models] == []  # the copy is not listed

    code = """
import os, sys
from pathlib import Path
from terraspore.engine.models.registry import ModelHints, install_model
install_model(Path(sys.argv[1]), Path(sys.argv[2]), ModelHints(), lambda model: os._exit(9))
"""
    killed = [sys.executable, "-c", code, make_model(), models / "mine"]
    assert subprocess.run(killed, check=False).returncode == 9
    assert len(list(models.iterdir())) == 2  # what it had copied is still there
    install_model(make_model(), models / "mine", ModelHints(), look)
    assert sorted(path.name for path in models.iterdir()) == ["mine", "mine.partial"]
    assert (models / "mine.partial" / "notes.txt").read_text() == "of a person"
    assert [found.card.name for found in scan_models([models]).models] == ["mine"]
