"""Runs that were broken off: the question, what is handed over, and that the result is that of a whole run."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from event_loop import spin
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.PyQt.QtWidgets import QApplication, QLabel, QMessageBox
from terraspore.__about__ import __version__
from terraspore.engine.fs.journal import Fingerprint, JournalHeader, JournalWriter, create_journal, find_unfinished_run
from terraspore.engine.fs.regular_file import FileIdentity


def leave_unfinished(output, image, *, rows=3, of=7):
    """A journal as a run of ``image`` that was killed leaves it."""
    fingerprint = Fingerprint(__version__, (FileIdentity.from_path(image),), {})
    journal = create_journal(output, JournalHeader(output.name, fingerprint, of, 1))
    writer = JournalWriter(journal, 0)
    for row in range(rows):
        writer.append(row, [memoryview(b"some pixels")], 0)
    writer.commit()
    writer.close()


@pytest.fixture
def image(qgis_app, inputs):
    layer = QgsRasterLayer(str(inputs / "image.tif"), "image")
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeAllMapLayers()


@pytest.fixture
def dialog(plugin, settings, image, tmp_path):
    """The dialog of Extract Roads with an output, and what it started."""
    from terraspore.plugin.dialogs.run_dialog import ROADS, RunDialog

    started, canvas = [], QgsMapCanvas()
    dialog = RunDialog(ROADS, plugin.context, canvas, start=lambda *run: started.append(run), show_options=list)
    dialog.set_layer(image)
    dialog.target.setFilePath(str(tmp_path / "roads.gpkg"))
    yield dialog, started
    dialog.close()


def click(button, seen):
    """Click a button of the question as soon as it is there."""

    def look():
        box = QApplication.activeModalWidget()
        if box is None:
            QTimer.singleShot(20, look)
            return
        seen.append((box.text(), [each.text() for each in box.buttons()]))
        {"resume": box.resume, "restart": box.restart, "cancel": box.button(QMessageBox.StandardButton.Cancel)}[
            button
        ].click()

    QTimer.singleShot(20, look)


@pytest.mark.parametrize(("button", "resume"), [("resume", True), ("restart", False)])
def test_unfinished_run_is_asked_about(dialog, inputs, tmp_path, button, resume):
    leave_unfinished(tmp_path / "roads.gpkg", inputs / "image.tif")
    seen = []
    click(button, seen)
    dialog[0].accept()
    ((text, buttons),) = seen
    assert "roads.gpkg came to 42 %" in text
    assert set(buttons) == {"Continue from 42 %", "Start anew", "Cancel"}
    ((algorithm, parameters),) = dialog[1]
    assert parameters["RESUME"] is resume
    found = QgsApplication.processingRegistry().createAlgorithmById(algorithm)
    assert {"RESUME"} <= {definition.name() for definition in found.parameterDefinitions()}


def test_cancelling_the_question_starts_nothing(dialog, inputs, tmp_path):
    leave_unfinished(tmp_path / "roads.gpkg", inputs / "image.tif")
    click("cancel", [])
    dialog[0].show()
    dialog[0].accept()
    assert dialog[1] == []
    assert dialog[0].isVisible()


@pytest.mark.parametrize("why", ["nothing", "other image", "changed image", "no row", "temporary", "no file"])
def test_nothing_is_asked_where_nothing_can_go_on(dialog, inputs, tmp_path, why):
    output, other = tmp_path / "roads.gpkg", tmp_path / "other.tif"
    other.write_bytes((inputs / "image.tif").read_bytes())
    if why != "nothing":
        leave_unfinished(output, other if "image" in why else inputs / "image.tif", rows=0 if why == "no row" else 3)
    if why == "changed image":
        dialog[0].set_layer(QgsProject.instance().addMapLayer(QgsRasterLayer(str(other), "other")))
        os.utime(other, (1, 1))
    if why == "no file":
        with zipfile.ZipFile(tmp_path / "image.zip", "w") as archive:
            archive.write(inputs / "image.tif", "image.tif")
        source = f"/vsizip/{tmp_path / 'image.zip'}/image.tif"
        dialog[0].set_layer(QgsProject.instance().addMapLayer(QgsRasterLayer(source, "part")))
    if why == "temporary":
        dialog[0].target.setFilePath("")
    dialog[0].accept()
    ((_, parameters),) = dialog[1]
    assert "RESUME" not in parameters


class Iface:
    def __init__(self):
        self.bar = QgsMessageBar()

    def messageBar(self):  # noqa: N802
        return self.bar


def read_message(bar):
    """The text of the message that the bar shows; empty where there is none."""
    item = bar.currentItem()
    label = item.findChild(QLabel, "terraspore-message") if item else None
    return label.text() if label else item.text() if item else ""


@pytest.fixture
def start(plugin, settings, image, tmp_path, fake_python, monkeypatch):
    """Start Extract Roads as the dialog does, with an engine that does ``how``; gives run, message bar and ends."""
    from terraspore.plugin import runner

    settings(interpreter=fake_python)
    monkeypatch.setattr(runner, "_MESSAGE_DELAY_MS", 0)
    iface, parent, ended = Iface(), QObject(), []

    def start(how):
        monkeypatch.setenv("FAKE_ENGINE", how)
        algorithm = QgsApplication.processingRegistry().algorithmById("terraspore:extractroads")
        parameters = {"INPUT": image.id(), "OUTPUT": str(tmp_path / "roads.gpkg")}
        run = runner.Run(iface, algorithm, parameters, parent)
        run.ended.connect(lambda good, _results: ended.append(good))
        run.start()
        return run, iface.bar, ended

    yield start
    iface.bar.deleteLater()
    parent.deleteLater()


def test_message_may_be_closed_while_the_run_goes_on(start):
    run, bar, ended = start("slow")
    shares = []
    run.task.progressChanged.connect(shares.append)
    spin(lambda: run._progress is not None)
    bar.popWidget()
    spin(lambda: run._progress is None)
    spin(lambda: shares)
    run.cancel()
    spin(lambda: ended and read_message(bar))
    assert read_message(bar) == "Cancelled; nothing was written."


def test_warning_of_a_run_is_shown_with_its_result(start, tmp_path):
    from osgeo import ogr

    file = ogr.GetDriverByName("GPKG").CreateDataSource(str(tmp_path / "roads.gpkg"))  # the stand-in writes none
    file.CreateLayer("roads", geom_type=ogr.wkbLineString)
    del file
    _, bar, ended = start("steps")
    spin(lambda: ended and "Done" in read_message(bar))
    assert bar.currentItem().level() == Qgis.MessageLevel.Warning
    assert read_message(bar) == "<b>Extract Roads:</b> Done. A remark."


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0.74 km of road in 8 lines, 1 tile in 7.7 s on cpu with openvino. OpenVINO: why. -> /a b/r.gpkg",
         "0.74 km of road in 8 lines, 1 tile in 7.7 s."),
        ("3 polygons, 2 tiles in 1.0 s on cuda:0 with onnxruntime. Reason", "3 polygons, 2 tiles in 1.0 s."),
        ("1.2 km of road in 3 lines -> /tmp/x.gpkg", "1.2 km of road in 3 lines."),
        ("Done.", "Done."),
    ],
)  # fmt: skip
def test_message_of_a_result_fits_into_the_bar(qgis_app, text, short):
    from terraspore.plugin.runner import shorten_result

    assert shorten_result(text) == short


def test_failure_says_what_is_kept(start, inputs, tmp_path):
    leave_unfinished(tmp_path / "roads.gpkg", inputs / "image.tif")
    _, bar, ended = start("killed")
    spin(lambda: ended and "memory" in read_message(bar))
    assert ended == [False]
    assert read_message(bar).endswith("42 % are finished and kept; start it again to continue from there.")


def test_cancelling_an_engine_that_does_not_hear_leaves_nothing(start, inputs, tmp_path):
    leave_unfinished(tmp_path / "roads.gpkg", inputs / "image.tif")
    run, bar, ended = start("stop")
    spin(lambda: run._progress is not None)
    run.cancel()
    spin(lambda: ended and read_message(bar))
    assert read_message(bar) == "Cancelled; nothing was written."
    assert list(tmp_path.glob(".*")) == []


class RecordingFeedback(QgsProcessingFeedback):
    """Keeps the lines of a run."""

    def __init__(self):
        super().__init__(False)
        self.lines = []

    def pushInfo(self, info):  # noqa: N802
        self.lines.append(info)

    def pushConsoleInfo(self, info):  # noqa: N802
        pass


@pytest.fixture
def large(inputs, tmp_path):
    """The image enlarged to so many tiles that a run takes a moment, and polygons over most of it."""
    from conftest import ENGINE_PYTHON

    code = """
import sys
import numpy as np, rasterio
with rasterio.open(sys.argv[1]) as source:
    pixels, profile = source.read(), source.profile
profile.update(width=1200, height=1000, tiled=True, blockxsize=256, blockysize=256)
with rasterio.open(sys.argv[2], "w", **profile) as target:
    target.write(np.tile(pixels, (1, 2, 2)))
"""
    path = tmp_path / "large.tif"
    subprocess.run([str(ENGINE_PYTHON), "-c", code, str(inputs / "image.tif"), str(path)], check=True)
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "area", "memory")
    from qgis.core import QgsFeature

    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500005, 4999505, 501195, 5000495)))
    layer.dataProvider().addFeature(feature)
    return path, layer


def test_killed_run_is_resumed_and_ends_as_a_whole_one(plugin, settings, large, tmp_path, held_python, monkeypatch):
    import processing
    from conftest import ENGINE_PYTHON

    image, area = large
    settings(tile=64, threads=1, interpreter=held_python)
    monkeypatch.setenv("KILL_AT_ROW", "3")
    output = tmp_path / "roads.gpkg"
    common = {"INPUT": str(image), "AREA": area, "OVERLAP": 16, "TTA": True}
    with pytest.raises(QgsProcessingException, match="memory ran out"):
        processing.run("terraspore:extractroads", {**common, "OUTPUT": str(output)})
    left = find_unfinished_run(output)
    assert left.changed is None
    assert 0 < left.fraction < 1
    settings(interpreter=ENGINE_PYTHON)
    again = RecordingFeedback()
    first = processing.run("terraspore:extractroads", {**common, "OUTPUT": str(output), "RESUME": True}, feedback=again)
    assert any("goes on at" in line for line in again.lines)
    whole = processing.run("terraspore:extractroads", {**common, "OUTPUT": str(tmp_path / "whole.gpkg")})
    assert (first["LENGTH"], first["COUNT"]) == (whole["LENGTH"], whole["COUNT"])
    assert find_unfinished_run(output) is None
    assert [path.name for path in Path(tmp_path).glob(".*")] == []
