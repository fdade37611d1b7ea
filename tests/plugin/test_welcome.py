"""The first click: the engine's environment is offered, then the demo image; then what was clicked is done."""

from unittest.mock import MagicMock

import pytest
from event_loop import spin
from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtWidgets import QMainWindow, QPushButton
from terraspore.plugin.engine import preparation
from terraspore.plugin.engine.environment import get_engine_python
from terraspore.plugin.engine.install import get_env_python


@pytest.fixture
def gui(plugin, settings, tmp_path):
    """The plugin in a window, with an engine that exists, and an empty project; further settings by name."""
    from terraspore.plugin.gui import Gui

    QgsProject.instance().clear()
    window, made = QMainWindow(), []
    iface = MagicMock()
    iface.mainWindow.return_value = window
    iface.addToolBar = window.addToolBar
    iface.mapCanvas.return_value = QgsMapCanvas(window)
    iface.messageBar.return_value = QgsMessageBar(window)
    iface.activeLayer.return_value = None
    iface.layerTreeView.return_value.selectedLayers.return_value = []
    iface.setActiveLayer = lambda layer: setattr(iface.activeLayer, "return_value", layer)

    def make(**values):
        settings(**values)
        made.append(Gui(iface, plugin.context))
        return made[-1]

    yield make
    for found in made:
        found.unload()
    QgsProject.instance().clear()
    window.deleteLater()


@pytest.fixture
def image(gui, inputs):
    """An image in the project."""
    return QgsProject.instance().addMapLayer(QgsRasterLayer(str(inputs / "image.tif"), "image"))


@pytest.fixture
def tiny(make_spec, index, tmp_path, monkeypatch):
    """Settings of an environment that is not there yet, of one small package of an index on loopback."""
    spec = make_spec()
    monkeypatch.setattr(preparation, "find_profile", lambda _name: spec.profile)
    monkeypatch.setattr(preparation, "LAUNCHER", spec.launcher)
    values = {"interpreter": "", "environments": spec.target.parent, "package_index": index[0], "env_profile": "tiny"}
    return values, spec


def click(gui, name):
    next(action for action in gui.actions if action.objectName() == f"terraspore-{name}").trigger()


def open_dialogs(gui):
    return [dialog.objectName() for dialog in gui._dialogs if dialog.isVisible()]


def test_without_an_engine_it_is_created_and_what_was_clicked_is_done(gui, tiny, settings, image):
    """At the second click on Create, because the package index cannot be reached at the first."""
    values, spec = tiny
    gui = gui(**{**values, "package_index": "http://127.0.0.1:9/simple/"})
    click(gui, "roads")
    click(gui, "landcover")
    assert open_dialogs(gui) == ["terraspore-welcome"]
    welcome = gui._dialogs[0]
    assert "350 MB" in welcome.note.text()
    welcome.create.click()
    assert welcome.progress.isVisible()
    spin(lambda: welcome._task is None)
    assert welcome.isVisible()
    assert welcome.create.isEnabled()
    assert "The package index cannot be reached" in welcome.note.text()
    assert not spec.target.exists()
    settings(package_index=values["package_index"])
    welcome.create.click()
    assert "cannot be reached" not in welcome.note.text()
    spin(lambda: not welcome_is_open(gui))
    assert get_env_python(spec.target).is_file()
    assert open_dialogs(gui) == ["terraspore-extractroads"]


def welcome_is_open(gui):
    return "terraspore-welcome" in open_dialogs(gui)


def test_closing_cancels_the_set_up_and_opens_nothing(gui, tiny):
    values, spec = tiny
    gui = gui(**values)
    click(gui, "roads")
    welcome = gui._dialogs[0]
    welcome.create.click()
    ended, task = [], welcome._task
    task.failed.connect(ended.append)
    welcome.cancel.click()
    spin(lambda: ended)
    assert not spec.target.exists()
    assert open_dialogs(gui) == []


def test_the_options_may_be_opened_instead(gui, tiny):
    gui = gui(**tiny[0])
    click(gui, "vectorize")
    gui._dialogs[0].options.click()
    assert open_dialogs(gui) == []
    gui._iface.showOptionsDialog.assert_called_once()


def test_a_chosen_interpreter_that_is_gone_is_explained_in_the_dialog(gui, tmp_path, image):
    gui = gui(interpreter=tmp_path / "gone")
    click(gui, "roads")
    assert open_dialogs(gui) == ["terraspore-extractroads"]
    assert "does not exist" in gui._dialogs[0]._note.text()


def test_without_an_image_the_demo_image_is_added_and_chosen(gui):
    gui = gui()
    click(gui, "roads")
    assert open_dialogs(gui) == ["terraspore-demo"]
    gui._dialogs[0].add.click()
    (layer,) = QgsProject.instance().mapLayers().values()
    assert isinstance(layer, QgsRasterLayer)
    assert layer.isValid()
    assert (layer.width(), layer.crs().authid()) == (1300, "EPSG:4326")
    (dialog,) = [dialog for dialog in gui._dialogs if dialog.objectName() == "terraspore-extractroads"]
    assert dialog.layer.currentLayer() == layer
    assert dialog.ok.isEnabled()


def test_without_an_image_nothing_is_added_when_the_user_cancels(gui):
    gui = gui()
    click(gui, "landcover")
    question = gui._dialogs[0]
    question.findChildren(QPushButton)[-1].click()
    assert not QgsProject.instance().mapLayers()
    assert open_dialogs(gui) == []


def test_vectors_of_a_raster_need_no_image(gui):
    gui = gui()
    click(gui, "vectorize")
    assert len(open_dialogs(gui)) == 1
    assert open_dialogs(gui) != ["terraspore-demo"]
    assert get_engine_python(gui._plugin.get_settings()).is_file()


def test_selected_layers_of_the_tree_are_offered_as_a_mosaic_from_the_top(gui, inputs, fake_python):
    from terraspore.plugin.dialogs.run_dialog import ROADS

    found = gui(interpreter=fake_python)
    project = QgsProject.instance()
    layers = [project.addMapLayer(QgsRasterLayer(str(inputs / "image.tif"), name)) for name in "abc"]
    found._iface.layerTreeView.return_value.selectedLayers.return_value = layers[:2]
    dialog = found.open_dialog(ROADS)
    top, below = [layer for layer in project.layerTreeRoot().layerOrder() if layer in layers[:2]]
    assert dialog.layer.currentLayer() == top
    assert dialog.parameters()["MORE"] == [below.id()]
    dialog.close()
