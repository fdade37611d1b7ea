"""Adding own models by the dialog of the options page: three kinds of file, and invalid files."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import ENGINE_PYTHON
from event_loop import spin

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Bare weights files, good and bad, made by the engine's Python."""
    folder = tmp_path_factory.mktemp("weights")
    subprocess.run([str(ENGINE_PYTHON), str(HERE / "make_weights.py"), str(folder)], check=True)
    return folder


@pytest.fixture
def add(plugin, settings, tmp_path, qgis_app):
    """Add a model by the dialog, and return the reference and the task, or the sentence."""
    from terraspore.plugin.dialogs.model_dialog import ModelDialog
    from terraspore.plugin.settings import load_settings

    settings(models_folder=tmp_path / "models")

    def add(path, name="mine", **facts):
        dialog = ModelDialog(plugin.context, load_settings())
        added = []
        dialog.added.connect(lambda *value: added.append(value))
        dialog.file.setFilePath(str(path))
        dialog.name.setText(name)
        dialog.task.setCurrentIndex(dialog.task.findData(facts.pop("task", "segmentation")))
        dialog.architecture.setCurrentText(facts.pop("architecture", ""))
        for field, text in facts.items():
            dialog.texts[field].setText(text)
        dialog.accept()
        spin(lambda: dialog._task is None)
        return added[0] if added else dialog.message.text()

    return add


def test_onnx(add, weights, tmp_path):
    assert add(weights / "good.onnx", task="roads", resolution="0.5") == (str(tmp_path / "models" / "mine"), "roads")
    card = json.loads((tmp_path / "models" / "mine" / "card.json").read_text())
    assert (card["name"], card["resolution"], card["task"]) == ("mine", 0.5, "roads")


def test_checkpoint(add, weights, tmp_path):
    found = add(weights / "good.ckpt", task="roads", architecture="linknet34", classes="road", tile="256")
    assert found == (str(tmp_path / "models" / "mine"), "roads")


def test_the_networks_are_those_that_the_engine_accepts():
    from terraspore.engine.models.graph import known_architectures
    from terraspore.plugin.engine.models import list_architectures

    assert list_architectures() == known_architectures()


def test_mindir(add, weights):
    found = add(weights / "good.mindir", task="roads", classes="road", tile="64", bands="3")
    assert found[1] == "roads", found


def test_folder_and_packed_folder_are_used_by_an_algorithm(add, inputs, tmp_path):
    import processing

    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for file in (inputs / "more" / "own").iterdir():
            archive.write(file, f"own/{file.name}")
    for name, path in (("a", inputs / "more" / "own"), ("b", tmp_path / "packed.zip")):
        reference, task = add(path, name=name)
        assert task == "segmentation"
        parameters = {"INPUT": str(inputs / "image.tif"), "MODEL": reference, "OUTPUT": str(tmp_path / f"{name}.tif")}
        assert Path(processing.run("terraspore:segment", parameters)["OUTPUT"]).is_file()


def folder_with(inputs, tmp_path, change):
    folder = tmp_path / "changed"
    shutil.copytree(inputs / "more" / "own", folder)
    change(folder)
    return folder


def edit_card(**values):
    def change(folder):
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps({**card, **values}))

    return change


WRONG_FOLDERS = {
    "damaged card": lambda folder: (folder / "card.json").write_text("{"),
    "other bands than the network's": edit_card(
        bands=5, normalisation={"scale": 0.004, "mean": [0.0] * 5, "std": [1.0] * 5}
    ),
    "wrong number of classes": edit_card(classes=[{"id": 0, "name": "one", "colour": [1, 2, 3]}]),
    "changed weights": lambda folder: (folder / "net.onnx").write_bytes(b"something else"),
    "weights outside of the folder": edit_card(weights="../../secret.onnx"),
}
WRONG_FILES = {
    "text.onnx": {},
    "empty.ckpt": {"architecture": "linknet34"},
    "cut.ckpt": {"architecture": "linknet34"},
    "nan.ckpt": {"architecture": "linknet34"},
    "good.ckpt": {},
    "other.ckpt": {"architecture": "linknet34"},
    "picture.onnx": {},
    "random.mindir": {},
    "torch.pth": {},
    "external.onnx": {},
    "broken.zip": {},
}


def assert_sentence(sentence, tmp_path):
    assert isinstance(sentence, str)
    assert 20 < len(sentence) < 600, sentence
    for foreign in ("Traceback", "fault of the program", "exit code", "crashed"):
        assert foreign not in sentence
    models = tmp_path / "models"
    assert not models.exists() or list(models.iterdir()) == []


@pytest.mark.parametrize("how", WRONG_FOLDERS)
def test_wrong_folder_is_one_clear_sentence(add, inputs, tmp_path, how):
    assert_sentence(add(folder_with(inputs, tmp_path, WRONG_FOLDERS[how])), tmp_path)


@pytest.mark.parametrize("name", WRONG_FILES)
def test_wrong_file_is_one_clear_sentence(add, weights, tmp_path, name):
    assert_sentence(add(weights / name, **WRONG_FILES[name]), tmp_path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("damage", ["overwritten", "cut out"])
def test_corrupt_packed_folder_is_one_clear_sentence(add, inputs, tmp_path, compression, damage):
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in (inputs / "more" / "own").iterdir():
            archive.write(file, f"own/{file.name}")
        entry = archive.getinfo("own/card.json")
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    if damage == "overwritten":
        data[start : start + entry.compress_size] = b"\xff" * entry.compress_size
    else:
        data[start + 20 : start + entry.compress_size] = bytes(entry.compress_size - 20)
    path.write_bytes(data)
    assert_sentence(add(path), tmp_path)


def test_name_cannot_leave_the_folder(add, weights, tmp_path):
    assert add(weights / "good.onnx", name="../out").startswith("A name has letters")
    assert not (tmp_path / "out").exists()
