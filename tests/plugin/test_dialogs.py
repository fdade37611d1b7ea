"""The dialogs without a screen: parameters that they return, and messages."""

import json
import re

import pytest
from event_loop import spin
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QDialogButtonBox


@pytest.fixture
def project(qgis_app, inputs):
    """A project with an image in UTM and polygons in degrees, two of three selected."""
    project = QgsProject.instance()
    image = QgsRasterLayer(str(inputs / "image.tif"), "image")
    polygons = QgsVectorLayer("Polygon?crs=EPSG:32632", "fields", "memory")
    for left in (500000, 500100, 500400):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(left, 5000100, left + 50, 5000200)))
        polygons.dataProvider().addFeature(feature)
    project.addMapLayers([image, polygons])
    yield image, polygons
    project.removeAllMapLayers()


@pytest.fixture
def canvas(qgis_app):
    canvas = QgsMapCanvas()
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    return canvas


def click_link(note):
    """Click the link of a note as a person does."""
    note.linkActivated.emit(re.search('href="([^"]+)"', note.text()).group(1))


@pytest.fixture
def open_dialog(plugin, settings, project, canvas):
    from terraspore.plugin.dialogs.run_dialog import LANDCOVER, ROADS, SEGMENT, RunDialog

    dialogs = []

    def open_dialog(name="roads", show_options=lambda: None):
        form = {"roads": ROADS, "landcover": LANDCOVER, "segment": SEGMENT}[name]
        started = []
        dialog = RunDialog(
            form, plugin.context, canvas, start=lambda *run: started.append(run), show_options=show_options
        )
        dialog.set_layer(project[0])
        dialogs.append(dialog)
        return dialog, started

    yield open_dialog
    for dialog in dialogs:
        if not sip.isdeleted(dialog):
            dialog.close()


def is_ready(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


@pytest.mark.parametrize("name", ["roads", "landcover", "segment"])
def test_parameters_of_an_untouched_dialog_are_valid(open_dialog, name):
    dialog, started = open_dialog(name)
    assert is_ready(dialog)
    dialog.accept()
    ((algorithm, parameters),) = started
    found = QgsApplication.processingRegistry().createAlgorithmById(algorithm)
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    good, why = found.checkParameterValues(parameters, context)
    assert good, why
    assert set(parameters) <= {definition.name() for definition in found.parameterDefinitions()}


def test_model_that_fits_the_image_is_preselected_with_the_reason(open_dialog, settings, project, tmp_path):
    for name, resolution in (("coarse", 10.0), ("fine", 1.2)):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        card = {"name": name, "task": "landcover", "weights": "weights.ckpt", "resolution": resolution}
        (folder / "card.json").write_text(json.dumps(card))
        (folder / "weights.ckpt").write_bytes(b"weights")
    settings(models_folder=tmp_path / "models", landcover_model="")
    dialog, started = open_dialog("landcover")
    assert dialog.model.currentData() == str(tmp_path / "models" / "fine")
    reason = dialog._model_reason
    assert not reason.isHidden()
    assert reason.text().startswith("fine (1.2 m) fits the image, which has 1 m per pixel. Others: ")
    assert "coarse (10 m)" in reason.text()
    other = dialog.model.findData(str(tmp_path / "models" / "coarse"))
    dialog.model.setCurrentIndex(other)
    dialog.model.activated.emit(other)  # as a person's choice does
    assert reason.isHidden()
    dialog.layer.layerChanged.emit(project[0])
    dialog.accept()
    assert started[0][1]["MODEL"] == str(tmp_path / "models" / "coarse")


def test_estimate_equals_the_plan(open_dialog):
    dialog, _ = open_dialog()
    assert dialog._note.text() == "600 × 500 pixels at 1 m; tiles: about 9."


def ask_plan(dialog):
    QTest.mouseClick(dialog.plan, Qt.MouseButton.LeftButton)
    spin(lambda: dialog._task is None)
    return dialog._note.text()


def test_plan_before_the_run(open_dialog, project):
    dialog, started = open_dialog()
    dialog.area.kind.setCurrentIndex(3)
    dialog.area.polygons.setLayer(project[1])
    dialog.overlap.setValue(64)
    note = ask_plan(dialog)
    assert re.match(r"\d+ tiles of 256 pixels at 1 m, about \d+ MB of memory\. bright-is-road on cpu with \w+: ", note)
    assert started == []
    assert is_ready(dialog)
    assert dialog.plan.isEnabled()


def test_failed_plan_is_shown_as_a_sentence(open_dialog, settings):
    dialog, _ = open_dialog()
    settings(memory=20)
    assert "the limit is 20 MB" in ask_plan(dialog)


def test_dialog_may_be_closed_while_it_waits_for_the_plan(open_dialog, settings, fake_python, monkeypatch, plugin):
    monkeypatch.setenv("FAKE_ENGINE", "slow")
    settings(interpreter=fake_python)
    dialog, _ = open_dialog()
    QTest.mouseClick(dialog.plan, Qt.MouseButton.LeftButton)
    task, ended = dialog._task, []
    task.failed.connect(ended.append)
    while not plugin.context.pool.list_pids():
        QCoreApplication.processEvents()
    dialog.reject()
    sip.delete(dialog)
    spin(lambda: ended)
    assert len(ended) == 1


def test_visible_part(open_dialog, canvas):
    canvas.resize(200, 100)
    canvas.setExtent(QgsRectangle(500100, 5000200, 500300, 5000300))
    dialog, _ = open_dialog()
    dialog.area.kind.setCurrentIndex(1)
    extent = dialog.parameters()["EXTENT"]
    assert extent.crs().authid() == "EPSG:32632"
    assert extent.contains(QgsRectangle(500110, 5000210, 500290, 5000290))
    assert "tiles: about 1." in dialog._note.text()


def test_drawn_rectangle(open_dialog):
    dialog, _ = open_dialog()
    dialog.area.kind.setCurrentIndex(2)
    assert not is_ready(dialog)
    assert dialog._note.text() == "Draw a rectangle on the map."
    dialog.area._set_rectangle(QgsRectangle(500010, 5000010, 500110, 5000060))
    assert is_ready(dialog)
    assert dialog.parameters()["EXTENT"].width() == 100
    dialog.reject()


def test_polygons_and_the_selected_ones_of_them(open_dialog, project):
    dialog, _ = open_dialog()
    dialog.area.kind.setCurrentIndex(3)
    dialog.area.polygons.setLayer(project[1])
    assert not dialog.parameters()["AREA"].selectedFeaturesOnly
    project[1].selectByIds([1, 2])
    assert dialog.parameters()["AREA"].selectedFeaturesOnly
    box = dialog.area.get_extent_in(project[0])
    assert (box.xMinimum(), box.xMaximum()) == (500000, 500150)


def test_outputs_lie_beside_the_main_one(open_dialog, tmp_path):
    dialog, _ = open_dialog()
    dialog.target.setFilePath(str(tmp_path / "my roads"))
    for box in dialog.outputs.values():
        box.setChecked(True)
    parameters = dialog.parameters()
    assert parameters["OUTPUT"] == str(tmp_path / "my roads.gpkg")
    assert parameters["PROBABILITY"] == str(tmp_path / "my roads_probability.tif")
    assert parameters["ROAD_AREAS"] is True
    assert parameters["MASK"] == str(tmp_path / "my roads_mask.tif")


def test_mistakes_are_shown_before_the_run(open_dialog, settings):
    dialog, _ = open_dialog()
    dialog.bands.setText("1,x")
    assert not is_ready(dialog)
    assert dialog._note.text() == "Bands are numbers, such as 1,2,3."
    settings(interpreter="/nowhere/python")
    dialog.bands.setText("1,2,3")
    assert not is_ready(dialog)
    assert "/nowhere/python does not exist" in dialog._note.text()


def test_note_without_an_engine_leads_to_the_options(open_dialog, settings, inputs, tmp_path):
    settings(interpreter="/nowhere/<b>python", models_folder=tmp_path)
    dialog, _ = open_dialog("segment", lambda: settings(interpreter=inputs, models_folder=inputs / "models"))
    models = dialog.model.count()
    assert "/nowhere/&lt;b&gt;python" in dialog._note.text()
    click_link(dialog._note)
    assert dialog.model.count() > models  # what was added in the options is there
    assert "/nowhere" not in dialog._note.text()


def test_vectorize_dialog_without_an_engine_leads_to_the_options(plugin, settings, project, inputs):
    from terraspore.plugin.dialogs.vectorize_dialog import VectorizeDialog

    settings(interpreter="/nowhere/python")
    dialog = VectorizeDialog(
        plugin.context, start=print, show_options=lambda: settings(interpreter=inputs / "image.tif")
    )
    assert not is_ready(dialog)
    assert not dialog._note.isHidden()
    click_link(dialog._note)
    assert is_ready(dialog)
    assert dialog._note.isHidden()


def test_vectorize_dialog_leaves_untouched_fields_to_the_engine(plugin, settings, project):
    from terraspore.plugin.dialogs.vectorize_dialog import VectorizeDialog

    started = []
    dialog = VectorizeDialog(plugin.context, start=lambda *run: started.append(run), show_options=lambda: None)
    dialog.set_layer(project[0])
    assert set(dialog.parameters()) == {"INPUT", "KIND", "OUTPUT"}
    dialog.fields["THRESHOLD"].setValue(0.3)
    dialog.fields["GAP"].setValue(0)
    dialog.fields["BAND"].setValue(2)
    dialog.fields["VALUES"].setCurrentText("probability")
    dialog.fields["SCALE"].setValue(0.0001)
    dialog.fields["OSM_TAGS"].setChecked(True)
    dialog.accept()
    ((algorithm, parameters),) = started
    assert algorithm == "terraspore:vectorize"
    assert (parameters["THRESHOLD"], parameters["GAP"], parameters["KIND"]) == (0.3, 0.0, "roads")
    assert (parameters["BAND"], parameters["VALUES"], parameters["SCALE"]) == (2, "probability", 0.0001)
    assert parameters["OSM_TAGS"] is True


def test_further_layers_form_a_mosaic_unless_the_user_leaves_them_out(open_dialog, project):
    dialog, started = open_dialog()
    assert dialog.mosaic.isHidden()
    second = QgsProject.instance().addMapLayer(QgsRasterLayer(project[0].source(), "second"))
    dialog.set_further_layers([project[0], second])
    assert not dialog.mosaic.isHidden()
    assert second.name() in dialog.mosaic.text()
    assert dialog.parameters()["MORE"] == [second.id()]  # the image itself is not named twice
    assert "pixels" not in dialog._note.text()  # the size of a mosaic is only known to the engine
    dialog.mosaic.setChecked(False)
    assert "MORE" not in dialog.parameters()
    assert "pixels" in dialog._note.text()
    dialog.allow_remote.setChecked(True)
    dialog.accept()
    assert started[0][1]["ALLOW_REMOTE"] is True
    assert not started[0][1]["FOLDER"]


def test_images_of_a_folder_form_a_mosaic_with_the_layer(open_dialog, project, tmp_path):
    dialog, started = open_dialog()
    dialog.folder.setFilePath(str(tmp_path))
    assert "pixels" not in dialog._note.text()
    dialog.accept()
    assert started[0][1]["FOLDER"] == str(tmp_path)
