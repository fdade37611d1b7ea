"""The algorithms without a window: ``qgis_process`` with a file, with a service, and without an engine."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import CACHE, ENGINE_PYTHON
from desktop import qgis_process_program
from tile_server import CENTRE, TileServer

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.skipif(not qgis_process_program(), reason="qgis_process is not installed")


@pytest.fixture
def call(no_user_settings, inputs, tmp_path):
    """Run qgis_process with a profile that has the plugin, and return its exit code and output."""
    plugins = tmp_path / "profile" / "profiles" / "default" / "python" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "terraspore").symlink_to(ROOT)
    settings = plugins.parents[1] / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir()
    settings.write_text("[PythonPlugins]\nterraspore=true\n")

    def call(*arguments, **variables):
        environment = {**os.environ, "PATH": "/usr/bin:/bin", "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile")}
        environment.pop("PYTHONPATH", None)
        environment.update(TERRASPORE_MODELS_FOLDER=str(inputs / "models"), TERRASPORE_ROAD_MODEL="bright-is-road")
        environment.update(TERRASPORE_CACHE_FOLDER=str(CACHE), **variables)
        command = [qgis_process_program(), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800)
        return done.returncode, done.stdout + done.stderr

    return call


@pytest.fixture
def engine():
    return {"TERRASPORE_INTERPRETER": str(ENGINE_PYTHON)}


def test_file(call, engine, inputs, tmp_path):
    output = tmp_path / "roads.gpkg"
    code, text = call(
        "--json", "run", "terraspore:extractroads", "--", f"INPUT={inputs / 'image.tif'}", f"OUTPUT={output}", **engine
    )
    assert code == 0, text
    results = json.loads(text[text.index("{\n") : text.rindex("}") + 1])["results"]
    assert results["OUTPUT"] == f"{output}|layername=roads"
    assert results["LENGTH"] == pytest.approx(1610, rel=0.05)


def test_service(call, engine, tmp_path):
    server = TileServer()
    try:
        x, y = CENTRE
        extent = f"EXTENT={x - 200},{x + 200},{y - 200},{y + 200} [EPSG:3857]"
        arguments = ("run", "terraspore:extractroads", "--", f"INPUT=wms://{server.uri}", extent)
        code, text = call(*arguments, f"OUTPUT={tmp_path / 'roads.gpkg'}", **engine)
    finally:
        server.close()
    assert code == 0, text
    assert "tiles were fetched" in text
    assert (tmp_path / "roads.gpkg").is_file()


def test_without_an_engine_everything_is_listed_and_explained(call, inputs, tmp_path):
    code, text = call("list")
    assert code == 0
    for name in ("extractroads", "extractlandcover", "segment", "vectorize", "trainingchips", "compare"):
        assert f"terraspore:{name}" in text
    nowhere = {"TERRASPORE_ENVIRONMENTS": str(tmp_path / "nothing")}
    arguments = (
        "run",
        "terraspore:extractroads",
        "--",
        f"INPUT={inputs / 'image.tif'}",
        f"OUTPUT={tmp_path / 'a.gpkg'}",
    )
    code, text = call(*arguments, **nowhere)
    assert code != 0
    assert "The inference engine is not installed yet." in text
    assert "Traceback" not in text
