"""Every window of the plugin on Qt 6: built, shown and operated. QGIS's classes are stand-ins, Qt is the real one."""

import ast
import datetime
import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from event_loop import spin
from qgis.core import Qgis, QgsApplication, QgsMapLayer, QgsProject, QgsRasterLayer, QgsRectangle, QgsSettings
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtCore import QT_VERSION, QCoreApplication, QLocale, Qt, QTimer
from qgis.PyQt.QtGui import QColor, QImage
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QLabel, QMainWindow, QMessageBox, QPushButton
from terraspore.engine.fs.journal import UnfinishedRun

ROOT = Path(__file__).parents[3]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def image(qgis_app, inputs):
    layer = QgsProject.instance().addMapLayer(QgsRasterLayer(str(inputs / "image.tif"), "image"))
    yield layer
    QgsProject.instance().removeAllMapLayers()


class Iface:
    """What the plugin uses of QGIS's window."""

    def __init__(self, layer):
        self.window, self.bar, self.canvas = QMainWindow(), QgsMessageBar(), QgsMapCanvas()
        self.activeLayer, self.opened, self.menu, self.layer_actions = lambda: layer, [], [], []
        self.factories = []
        self.selected = [layer]
        self.mainWindow, self.messageBar, self.mapCanvas = (lambda: self.window), (lambda: self.bar), self.get_canvas
        self.addToolBar, self.removeDockWidget = self.window.addToolBar, self.window.removeDockWidget
        self.addDockWidget = self.window.addDockWidget

    def layerTreeView(self):
        return self

    def selectedLayers(self):
        return self.selected

    def get_canvas(self):
        return self.canvas

    def addPluginToRasterMenu(self, _name, action):
        self.menu.append(action)

    def removePluginRasterMenu(self, _name, action):
        self.menu.remove(action)

    def addCustomActionForLayerType(self, action, _menu, kind, all_layers):
        assert isinstance(kind, QgsMapLayer.LayerType)
        self.layer_actions.append(action)

    def removeCustomActionForLayerType(self, action):
        self.layer_actions.remove(action)

    def registerOptionsWidgetFactory(self, factory):
        self.factories.append(factory)

    def unregisterOptionsWidgetFactory(self, factory):
        self.factories.remove(factory)

    def showOptionsDialog(self, _parent, page):
        self.opened.append(page)


@pytest.fixture
def desktop(plugin, settings, image):
    """The plugin's graphical interface in a window of QGIS."""
    from terraspore.plugin.gui import Gui

    iface = Iface(image)
    gui = Gui(iface, plugin.context)
    yield gui, iface
    gui.unload()
    assert (iface.menu, iface.layer_actions, iface.factories) == ([], [], [])


def show(widget):
    """Show ``widget`` off-screen, and check that it draws itself."""
    widget.show()
    QCoreApplication.processEvents()
    assert not widget.grab().toImage().isNull()
    return widget


def test_qt_is_the_sixth():
    assert QT_VERSION >> 16 == 6


def test_actions_open_their_dialogs(desktop):
    gui, iface = desktop
    for action in gui.actions:
        action.trigger()
    shown = [dialog for dialog in gui._dialogs if dialog.isVisible()]
    assert [dialog.windowTitle() for dialog in shown] == [action.text() for action in gui.actions]
    for dialog in shown:
        show(dialog).reject()
    gui.show_options()
    assert iface.opened == [gui._factory.PAGE]


class Review:
    """What the panel uses of a review, without QGIS's layers."""

    def __init__(self, layer, _transforms):
        window = QgsRectangle(0.0, 0.0, 10.0, 10.0)
        self.places = [SimpleNamespace(road_id=n, reasons=("closed gap of 30 m",), window=window) for n in range(3)]
        self.states, self.layer = [""] * 3, layer
        self.changed = self.failed = SimpleNamespace(connect=lambda _slot: None)
        self.close = self.deleteLater = self.start_editing = lambda: None
        self.get_road = lambda _number: SimpleNamespace(geometry=lambda: None)

    @property
    def open_count(self):
        return self.states.count("")

    def find_open(self, number):
        return next((n for n in range(number + 1, 3) if not self.states[n]), -1)

    def accept(self, number):
        self.states[number] = "accepted"

    def delete(self, number):
        self.states[number] = "deleted"


def test_review_of_roads(desktop, monkeypatch):
    from terraspore.plugin.review import panel as module

    gui, iface = desktop
    iface.window.setCentralWidget(iface.canvas)
    gui.review_action.trigger()
    panel = show(iface.window).findChild(module.ReviewPanel)
    assert panel.isVisible()
    assert not panel.buttons["A"].isEnabled()
    monkeypatch.setattr(module, "ReviewSession", Review)
    monkeypatch.setattr(
        module, "QgsCoordinateTransform", lambda *_: SimpleNamespace(transformBoundingBox=lambda box: box)
    )
    layer = SimpleNamespace(crs=lambda: None, willBeDeleted=SimpleNamespace(connect=lambda _slot: None))
    panel._open_layer(layer)
    QTest.mouseClick(panel.buttons["N"], LEFT)
    assert panel.places.currentRow() == 1
    panel.places.setFocus()
    iface.window.activateWindow()
    spin(iface.window.isActiveWindow)
    QTest.keyClick(panel.places, Qt.Key.Key_B)
    assert panel.places.currentRow() == 0
    show(panel)
    panel.unload()
    assert panel.places.count() == 0


def test_dialog_of_a_run(desktop, image, tmp_path):
    from terraspore.plugin.dialogs.run_dialog import RUN_FORMS

    gui, _ = desktop
    for form in RUN_FORMS:
        started = []
        dialog = show(gui.open_dialog(form))
        dialog._start = lambda *run, started=started: started.append(run)
        assert dialog._note.text().startswith("600 × 500 pixels at 1 m; tiles: about ")
        dialog._advanced.setCollapsed(False)
        QTest.keyClicks(dialog.bands, "1,2,3")
        QTest.keyClicks(dialog.nodata, QLocale().toString(7.5))
        dialog.threshold.setValue(0.25)
        dialog.overlap.setValue(64)
        for box in (dialog.tta, *dialog.outputs.values()):
            box.setChecked(True)
        dialog.target.setFilePath(str(tmp_path / f"out{form.suffix}"))
        QTest.mouseClick(dialog.ok, LEFT)
        ((_, parameters),) = started
        assert (parameters["INPUT"], parameters["BANDS"], parameters["OVERLAP"]) == (image.id(), [1, 2, 3], 64)
        assert (parameters["NODATA"], parameters.get("THRESHOLD", 0.25), parameters["TTA"]) == (7.5, 0.25, True)
        assert parameters["OUTPUT"] == str(tmp_path / f"out{form.suffix}")


def test_area_of_a_run(desktop):
    from terraspore.plugin.dialogs.run_dialog import ROADS

    gui, iface = desktop
    dialog = show(gui.open_dialog(ROADS))
    dialog.area.kind.setCurrentIndex(3)
    assert dialog._note.text() == "There is no polygon layer in the project."
    dialog.area.kind.setCurrentIndex(2)
    assert not dialog.isVisible()  # while the person draws
    iface.canvas.mapTool().extentChanged.emit(QgsRectangle(500010.0, 5000010.0, 500110.0, 5000060.0))
    assert dialog.isVisible()
    assert dialog.parameters()["EXTENT"].width() == 100
    dialog.area.kind.setCurrentIndex(1)
    assert dialog.parameters()["EXTENT"].width() == 10
    dialog.reject()


def test_plan_of_a_run(desktop, settings, fake_python, monkeypatch):
    from terraspore.plugin.dialogs.run_dialog import ROADS

    monkeypatch.setenv("FAKE_ENGINE", "steps")
    settings(interpreter=fake_python)
    dialog = show(desktop[0].open_dialog(ROADS))
    QTest.mouseClick(dialog.plan, LEFT)
    spin(lambda: dialog._task is None)
    assert dialog._note.text().startswith("4 tiles of 64 pixels at 1 m, about 1 MB of memory")
    dialog.reject()


def test_missing_engine_leads_to_the_options(desktop, settings):
    gui, iface = desktop
    settings(interpreter="/nowhere/python")
    for action in gui.actions:
        action.trigger()
        dialog = show(gui._dialogs[-1])
        assert "/nowhere/python does not exist" in dialog._note.text()
        assert not dialog.ok.isEnabled()
        dialog._note.linkActivated.emit("options")
        dialog.reject()
    assert len(iface.opened) == len(gui.actions)


def test_first_click_without_an_engine(desktop, settings, tmp_path):
    gui, iface = desktop
    settings(interpreter="", environments=tmp_path)
    gui.actions[0].trigger()
    welcome = show(gui._dialogs[-1])
    (tmp_path / "base").touch()
    settings(base_python=tmp_path / "base")
    QTest.mouseClick(welcome.create, LEFT)
    assert welcome.progress.isVisible()
    spin(lambda: welcome._task is None)
    assert "No Python was found" in welcome.note.text()
    QTest.mouseClick(welcome.options, LEFT)
    assert iface.opened == [gui._factory.PAGE]


def test_first_click_without_an_image(qgis_app, tmp_path, monkeypatch):
    from terraspore.plugin.dialogs import welcome_dialog

    monkeypatch.setattr(welcome_dialog, "get_data_folder", lambda: tmp_path / "data")
    added = []
    question = show(welcome_dialog.DemoQuestion(added.append, None))
    QTest.mouseClick(question.add, LEFT)
    assert added == [str(tmp_path / "data" / "demo.tif")]
    assert (tmp_path / "data" / "demo.tif").stat().st_size > 100_000


def test_dialog_of_vectors(desktop, tmp_path):
    gui, _ = desktop
    gui.actions[-1].trigger()
    dialog, started = show(gui._dialogs[-1]), []
    dialog._start = lambda *run: started.append(run)
    dialog.kind.setCurrentIndex(1)
    dialog.kind.setCurrentIndex(0)
    dialog.fields["THRESHOLD"].setValue(0.3)
    dialog.fields["BAND"].setValue(2)
    dialog.fields["VALUES"].setCurrentText("probability")
    dialog.fields["SCALE"].setValue(0.0001)
    QTest.mouseClick(dialog.ok, LEFT)
    ((algorithm, parameters),) = started
    assert algorithm == "terraspore:vectorize"
    assert (parameters["THRESHOLD"], parameters["BAND"]) == (0.3, 2)
    assert (parameters["VALUES"], parameters["SCALE"]) == ("probability", 0.0001)


def test_run_in_the_message_bar(desktop, settings, fake_python, monkeypatch, tmp_path):
    from terraspore.plugin import runner
    from terraspore.plugin.dialogs.run_dialog import ROADS

    settings(interpreter=fake_python)
    monkeypatch.setattr(runner, "_MESSAGE_DELAY_MS", 0)
    gui, iface = desktop
    show(iface.bar)
    for behaviour, level, text in (
        ("slow", Qgis.MessageLevel.Info, "Cancelled; nothing was written."),
        ("steps", Qgis.MessageLevel.Warning, "<b>Extract Roads:</b> Done. A remark."),
        ("fail", Qgis.MessageLevel.Critical, "<b>Extract Roads:</b> The file is no image. Choose another."),
    ):
        monkeypatch.setenv("FAKE_ENGINE", behaviour)
        dialog = show(gui.open_dialog(ROADS))
        dialog.target.setFilePath(str(tmp_path / f"{behaviour}.gpkg"))
        QTest.mouseClick(dialog.ok, LEFT)
        (run,) = gui.runs
        if behaviour == "slow":
            spin(lambda run=run: run._progress.value() > 0)
            QTest.mouseClick(iface.bar.findChild(QPushButton, "terraspore-cancel"), LEFT)
        spin(lambda: not gui.runs and iface.bar.currentItem() is not None)
        item = iface.bar.currentItem()
        label = item.findChild(QLabel, "terraspore-message")
        assert (item.level(), label.text() if label else item.text()) == (level, text)
        iface.bar.popWidget()


@pytest.mark.parametrize(("button", "answer"), [("resume", True), ("restart", False), ("cancel", None)])
def test_question_about_an_unfinished_run(qgis_app, button, answer):
    from terraspore.plugin.runner import ResumeDialog

    run = UnfinishedRun(Path("roads.gpkg"), 0.42, datetime.datetime(2026, 5, 4, 3, 2), Path("a.tif"), None)
    dialog = ResumeDialog(run)

    def click():
        assert "roads.gpkg came to 42 % and ended on" in dialog.text()
        assert QApplication.activeModalWidget() is dialog
        buttons = {"resume": dialog.resume, "restart": dialog.restart}
        QTest.mouseClick(buttons.get(button) or dialog.button(QMessageBox.StandardButton.Cancel), LEFT)

    QTimer.singleShot(0, click)
    assert dialog.ask() is answer


@pytest.fixture
def page(plugin, settings):
    from terraspore.plugin.options.page import OptionsFactory

    QgsSettings().clear()
    page = OptionsFactory(plugin.context).createWidget(None)
    page.resize(800, 900)
    yield show(page)
    page.close()
    QgsSettings().clear()


def test_options_page(page):
    from terraspore.plugin.settings import load_settings

    page.performance.numbers["threads"].setValue(3)
    page.performance.choices["device"].setCurrentText("cpu")
    page.engine.index.setText("https://mirror.example/simple")
    assert load_settings({}).threads == 0
    page.apply()
    found = load_settings({})
    assert (found.threads, found.device, found.package_index) == (3, "cpu", "https://mirror.example/simple")
    QTest.mouseClick(page._reset, LEFT)
    assert page.gather().threads == 0
    assert load_settings({}).threads == 3
    QTest.mouseClick(page.performance.clear, LEFT)


def test_engine_on_the_options_page(page, fake_python, monkeypatch, tmp_path):
    engine = page.engine
    monkeypatch.setenv("FAKE_ENGINE", "steps")
    monkeypatch.setenv("TERRASPORE_ENVIRONMENTS", str(tmp_path / "environments"))
    engine.interpreter.setFilePath(str(fake_python))
    QTest.mouseClick(engine.test, LEFT)
    assert engine.cancel.isVisible()
    spin(lambda: engine._task is None)
    assert engine.log.toPlainText().endswith("Done.")
    (tmp_path / "wheels").mkdir()
    engine.build_from(tmp_path / "wheels")  # an empty folder
    spin(lambda: engine._task is None)
    assert "There are no wheels" in engine.state.text()
    answers = iter((QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Ok))

    def answer():
        question = QApplication.activeModalWidget()
        QTest.mouseClick(question.button(next(answers)), LEFT)

    for expected in (False, True):
        QTimer.singleShot(0, answer)
        assert engine._confirm("Remove it?") is expected


def test_model_dialog(page, inputs, tmp_path, fake_python, monkeypatch):
    monkeypatch.setenv("FAKE_ENGINE", "fail")
    page.engine.interpreter.setFilePath(str(fake_python))
    dialog = show(page.models.open_dialog())
    assert not dialog.ok.isEnabled()
    dialog.file.setFilePath(str(inputs / "more" / "own"))
    assert dialog.card.toPlainText().startswith("own – Other segmentation, 1 m, 3 bands")
    (tmp_path / "network.onnx").touch()
    dialog.file.setFilePath(str(tmp_path / "network.onnx"))
    assert dialog.facts()["task"] == "roads"
    dialog.task.setCurrentIndex(1)
    assert dialog.facts()["task"] == "landcover"
    QTest.mouseClick(dialog.ok, LEFT)
    spin(lambda: dialog._task is None)
    assert dialog.message.text() == "The file is no image. Choose another."
    dialog.reject()


class Service:
    """A provider of one coloured tile."""

    def block(self, _band, _box, width, height, _feedback):
        image = QImage(width, height, QImage.Format.Format_RGB32)
        image.fill(QColor(1, 2, 3))
        return SimpleNamespace(isValid=lambda: True, width=lambda: width, height=lambda: height, image=lambda: image)


def test_pixels_of_an_online_layer(qgis_app):
    from terraspore.plugin.layers.fetch import _read_colors
    from terraspore.plugin.layers.grid import Tile

    tile = Tile(0, 0, 3, 2, QgsRectangle())
    assert _read_colors(Service(), tile, None) == (bytes([3, 2, 1, 255]) * 6,)


def test_language_is_followed(qgis_app):
    from terraspore.plugin.i18n import install_translator, tr

    if not (ROOT / "resources" / "i18n" / "terraspore_zh.qm").is_file():
        pytest.skip("the .qm files were not built: Qt's lrelease is not installed")
    QgsApplication.setTranslation("zh-Hans")
    translator = install_translator()
    assert tr("Extract Roads") == "提取道路"
    QCoreApplication.removeTranslator(translator)
    QgsApplication.setTranslation("")


# ---- Names


def find_missing_names(tree):
    """Names of Qt in a module that PyQt6 does not have; of several imports in one ``try`` one must exist."""
    known, missing = {}, []
    alternatives = {id(node) for block in ast.walk(tree) if isinstance(block, ast.Try) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.startswith("qgis.PyQt")):
            continue
        module = importlib.import_module(node.module)
        for alias in node.names:
            if hasattr(module, alias.name):
                known[alias.asname or alias.name] = getattr(module, alias.name)
            elif id(node) not in alternatives:
                missing.append(f"{node.module}.{alias.name}")
    for node in ast.walk(tree):
        parts, root = [], node
        while isinstance(root, ast.Attribute):
            parts.insert(0, root.attr)
            root = root.value
        value = known.get(root.id) if isinstance(root, ast.Name) else None
        for part in parts if value is not None else ():
            if not hasattr(value, part):
                missing.append(f"{root.id}.{'.'.join(parts)}")
                break
            value = getattr(value, part)
    return missing


@pytest.mark.parametrize("path", sorted((ROOT / "plugin").rglob("*.py")), ids=lambda path: path.stem)
def test_every_name_of_qt_exists_in_qt_6(path):
    assert find_missing_names(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_check_finds_what_only_qt_5_has():
    code = """
from qgis.PyQt.QtCore import QRegExp, Qt
from qgis.PyQt.QtWidgets import QFrame, QMessageBox
try:
    from qgis.PyQt.QtGui import QAction
except ImportError:
    from qgis.PyQt.QtWidgets import QAction
good = (Qt.AlignmentFlag.AlignLeft, QMessageBox.Icon.Question, QAction.trigger)
bad = (Qt.AlignLeft, QMessageBox.Question, QFrame.Box)
"""
    found = find_missing_names(ast.parse(code))
    assert set(found) == {"qgis.PyQt.QtCore.QRegExp", "Qt.AlignLeft", "QMessageBox.Question", "QFrame.Box"}
