"""The whole desktop QGIS on a virtual screen: the zip, the set-up without network, a click, the layer.

Pictures are left in ``build/desktop`` for looking at.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import qgis_process_program, qgis_program, run_desktop, run_qgis_process
from qgis.core import Qgis

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-qgis"
#: A folder for each QGIS, because the tests of two may run at a time.
PICTURES = ROOT / "build" / "desktop" / Qgis.version().split("-")[0]

pytestmark = pytest.mark.skipif(
    not (shutil.which("xvfb-run") and qgis_program()), reason="xvfb-run or the desktop QGIS is not installed"
)

#: What the main thread may compute in one turn of the event loop: yardsticks of ``desktop_script``, about 0.15 s.
LONGEST_TURN = 150
IMAGE = VENV / "demo" / "road_mask_input.tif"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("desktop")


@pytest.fixture(scope="module")
def package(folder):
    """The zip of the plugin."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "package.py"), "--folder", str(folder / "dist")], check=True)
    return next(str(path) for path in (folder / "dist").glob("*.zip") if "model" not in path.name)


@pytest.fixture(scope="module")
def report(folder, package):
    config = {"zip": package, "wheels": str(VENV / "wheels"), "image": str(IMAGE), "layer": "Las Vegas"}
    found = run_desktop(folder / "run", {**config, "step_seconds": 900}, 1800)  # 100 s on an idle machine
    shutil.rmtree(PICTURES, ignore_errors=True)
    shutil.copytree(folder / "run" / "out", PICTURES)
    return found


@pytest.mark.timeout(1860)
def test_every_step_was_done(report):
    assert report["error"] is None
    steps = "install", "explain", "set_up", "try_demo", "extract", "online", "cancel", "review", "reload"
    assert report["steps"] == list(steps)


def test_language_of_the_command_line_is_followed(folder, package):
    if not (ROOT / "resources" / "i18n" / "terraspore_zh.qm").is_file():
        pytest.skip("the .qm files were not built: Qt's lrelease is not installed")
    config = {"zip": package, "steps": ["install"], "arguments": ["--lang", "zh-Hans"], "step_seconds": 900}
    assert run_desktop(folder / "chinese", config, 1000)["titles"][0] == "提取道路"


def test_environment_from_a_folder_of_wheels_works(report):
    assert "auto takes openvino on cpu" in report["engine_test"]


def test_demo_image_is_ready_for_a_run(report):
    assert report["demo"] == ["Las Vegas (demo)", True]


def test_run_of_the_dialog_adds_a_styled_layer(report):
    run = report["runs"]["roads"]
    assert run["good"]
    roads = get_layer(run, "Roads")
    assert roads["crs"] == "EPSG:4326"
    assert roads["features"] > 0
    assert roads["renderer"] != "singleSymbol"
    assert roads["group"] == "Extract Roads – Las Vegas"
    assert "threshold" in roads["abstract"]
    assert "km of road" in run["message"]


def test_land_cover_of_the_same_image(report):
    run = report["runs"]["landcover"]
    assert run["good"]
    polygons = get_layer(run, "Land cover")
    assert polygons["features"] > 0
    assert polygons["renderer"] == "categorizedSymbol"


def test_tiles_of_the_image_have_its_roads(report):
    file, tiles = report["runs"]["roads"], report["runs"]["online"]
    assert tiles["good"]
    assert get_layer(tiles, "Roads")["crs"] == "EPSG:3857"
    # Their pixels are others: bytes, resampled to Web Mercator.
    assert float(tiles["results"]["LENGTH"]) == pytest.approx(float(file["results"]["LENGTH"]), rel=0.4)


@pytest.mark.skipif(not qgis_process_program(), reason="qgis_process is not installed")
def test_qgis_process_uses_the_plugin_and_environment_of_the_desktop(report, folder, tmp_path):
    arguments = ("run", "terraspore:extractroads", "--", f"INPUT={IMAGE}", f"OUTPUT={tmp_path / 'roads.gpkg'}")
    code, text = run_qgis_process(folder / "run", *arguments)
    assert code == 0, text
    length = float(re.search(r"LENGTH:\s*([\d.]+)", text).group(1))
    assert length == pytest.approx(float(report["runs"]["roads"]["results"]["LENGTH"]))


def get_layer(run, name):
    return next(layer for layer in run["layers"] if layer["name"] == name)


def test_main_thread_is_free_during_a_run(report):
    assert report["held"]["beats"] >= 100
    assert max(run["busiest"] for run in [*report["runs"].values(), report["held"]]) <= LONGEST_TURN


def test_cancel_ends_a_run_in_its_middle_though_the_layer_is_gone(report):
    assert report["cancelled"]
    assert report["cancel_message"] == "Cancelled; nothing was written."


def test_review_of_five_thousand_roads_is_fluid(report):
    review = report["review"]
    assert review["places"] == 5000
    assert review["open"] == 4980  # ten accepted, ten deleted, ten passed over
    assert review["busiest"] <= LONGEST_TURN
    assert review["opening"] <= 3000
    assert review["vertex_tool"]
    assert review["saved"]
    assert review["deleted"] == 10


def test_unloading_removes_everything_and_reloading_adds_it_once(report):
    assert report["left"] == {"actions": 0, "toolbars": 0, "provider": 0}
    assert report["processes_after"] == 0
    assert report["prepared"]
    assert report["back"] == {"actions": 7, "toolbars": 1, "provider": 1}
