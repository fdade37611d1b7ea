"""Which model is a task's default, by what is installed, and which models are in the plugin's zip."""

import dataclasses
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from default_models import DEFAULT_MODELS, FITTING_MODELS, RESOLUTIONS, SMALL

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))


def write_model(folder, name, task, *, weights=b"weights"):
    """A folder with a card and, unless ``weights`` is None, a weights file."""
    target = folder / name
    target.mkdir(parents=True)
    card = {"name": name, "title": name.upper(), "task": task, "weights": "weights.ckpt"}
    card["resolution"] = RESOLUTIONS.get(name, 1.0)
    (target / "card.json").write_text(json.dumps(card))
    if weights is not None:
        (target / "weights.ckpt").write_bytes(weights)
    return target


@pytest.fixture
def install(qgis_app, tmp_path, monkeypatch):
    """Install models into the plugin or the user's folder, and choose the model of a task."""
    from terraspore.plugin import context
    from terraspore.plugin.engine.pool import EnginePool
    from terraspore.plugin.settings import Settings

    monkeypatch.setattr(context, "BUNDLED_MODELS", tmp_path / "bundled")
    settings = Settings(models_folder=str(tmp_path / "own"))

    def install(bundled=(), own=(), task="roads", **chosen):
        for name in bundled:
            write_model(tmp_path / "bundled", name, name.split("-")[0])
        for name in own:
            write_model(tmp_path / "own", name, name.split("-")[0])
        plugin = context.PluginContext(EnginePool(), lambda: dataclasses.replace(settings, **chosen))
        return plugin, plugin.choose_model(task, "").model

    return install


@pytest.mark.parametrize(("task", "bundled", "own", "expected"), DEFAULT_MODELS)
def test_default_by_what_is_installed(install, task, bundled, own, expected):
    _, model = install(bundled, own, task)
    assert (model.name if model else None) == expected


@pytest.mark.parametrize(("pixel", "expected"), FITTING_MODELS)
def test_default_has_the_resolution_of_the_image(install, pixel, expected):
    plugin, _ = install(RESOLUTIONS, (), "landcover")
    model, reason, _ = plugin.choose_model("landcover", "", pixel)
    assert model.name == expected
    assert reason.startswith(f"{expected} ({RESOLUTIONS[expected]} m) fits the image, which has ") or not pixel
    assert all((f"{name} ({metres} m)" in reason) == bool(pixel) for name, metres in RESOLUTIONS.items())


def test_a_model_chosen_in_the_settings_needs_no_reason(install):
    plugin, model = install(RESOLUTIONS, (), "landcover", landcover_model="landcover-drone")
    assert plugin.choose_model("landcover", "", 0.7) == (model, "", "")


def test_choice_of_the_settings_comes_first(install, tmp_path):
    _, model = install(SMALL, ("roads-mine",), road_model=str(tmp_path / "own" / "roads-mine"))
    assert model.name == "roads-mine"
    _, model = install(road_model="roads-lednet")
    assert (model.name, model.reference) == ("roads-lednet", "roads-lednet")


def test_missing_choice_is_reported_and_replaced_by_the_default(install, tmp_path):
    plugin, model = install(SMALL, road_model=str(tmp_path / "own" / "gone"))
    assert model.name == "roads-efficientnet-lite2"
    assert plugin.choose_model("roads", "").missing == str(tmp_path / "own" / "gone")
    assert plugin.choose_model("landcover", "").missing == ""


def test_card_without_weights_is_no_model(install, tmp_path):
    write_model(tmp_path / "bundled", "roads-efficientnet-lite2", "roads", weights=None)
    _, model = install(("roads-lednet",))
    assert model.name == "roads-lednet"


def test_unknown_model_is_not_replaced_by_the_default(install):
    plugin, _ = install(SMALL)
    assert plugin.choose_model("roads", "no-such-model").model is None


def test_default_and_small_models_are_in_the_zip_and_others_beside_it(tmp_path, monkeypatch):
    import package

    repository = tmp_path / "repository"
    models = repository / "resources" / "models"
    for name in (*package.MODELS, "roads-large", "landcover-other"):
        write_model(models, name, "roads", weights=os.urandom(1000))
    (repository / "metadata.txt").write_text("[general]\nversion=1.0\n")
    for command in (("init", "-q"), ("add", ".")):
        subprocess.run(["git", *command], cwd=repository, check=True)
    monkeypatch.setattr(package, "ROOT", repository)
    target = package.package(tmp_path / "dist")
    with zipfile.ZipFile(target) as archive:
        found = {Path(name).parent.name for name in archive.namelist() if "resources/models" in name}
    assert found == set(package.MODELS)
    assert {"roads-efficientnet-lite2", "landcover-lednet"} <= found
    apart = {path.stem for path in (tmp_path / "dist").glob("*-model-*.zip")}
    assert apart == {"terraspore-model-roads-large", "terraspore-model-landcover-other"}
    with zipfile.ZipFile(tmp_path / "dist" / "terraspore-model-roads-large.zip") as archive:
        assert sorted(archive.namelist()) == ["roads-large/card.json", "roads-large/weights.ckpt"]
