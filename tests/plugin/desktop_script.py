"""Runs inside a desktop QGIS with a fresh profile: what a user does, from the zip to the styled layer.

    qgis --code desktop_script.py          (DESKTOP_CONFIG: a JSON file that says where things are)

Writes ``report.json`` and pictures into the output folder. A step is a generator: it yields a condition to wait for,
while QGIS's own event loop runs; so the main thread is never held by this script.
"""

import json
import os
import shlex
import statistics
import sys
import time
import traceback
from pathlib import Path

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QDialogButtonBox, QLabel, QPushButton, QToolBar
from qgis.utils import iface, plugins

CONFIG = json.loads(Path(os.environ["DESKTOP_CONFIG"]).read_text())
OUT = Path(CONFIG["out"])
REPORT = {"steps": [], "shots": [], "runs": {}}
BEAT_MS = 10
BEATS = []


def time_yardstick():
    """Return the processor time of a fixed piece of work, about a millisecond, and more beside other programs."""
    begin = time.thread_time()
    sum(number * number for number in range(50_000))
    return time.thread_time() - begin


class Beat:
    """Counts the turns of the event loop, and measures the longest time that this thread computed in one turn.

    That is time of the processor, in yardsticks that are timed in between. So it is what the plugin takes, however many
    other programs run.
    """

    def __init__(self):
        self.count, self.busiest, self.yardsticks = 0, 0.0, [time_yardstick()]
        self.begin, self.computed = time.monotonic(), time.thread_time()
        BEATS.append(self)
        self.timer = QTimer()
        self.timer.timeout.connect(self.tick)
        self.timer.start(BEAT_MS)

    def tick(self):
        self.busiest = max(self.busiest, time.thread_time() - self.computed)
        self.count += 1
        if self.count % 10 == 0:
            self.yardsticks.append(time_yardstick())
        self.forgive()

    def forgive(self):
        """Do not count what was since the last beat."""
        self.computed = time.thread_time()

    def stop(self):
        self.timer.stop()
        busiest = self.busiest / statistics.mean(self.yardsticks)
        return {"busiest": round(busiest), "seconds": round(time.monotonic() - self.begin, 2)}


def picture(name, widget=None):
    """Save a picture; its time is not counted."""
    for beat in BEATS:
        beat.tick()
    (widget or iface.mainWindow()).grab().save(str(OUT / f"{name}.png"))
    REPORT["shots"].append(name)
    for beat in BEATS:
        beat.forgive()


def pause(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def plugin():
    return plugins["terraspore"]


def visible(name):
    found = [widget for widget in QApplication.topLevelWidgets() if widget.objectName() == name and widget.isVisible()]
    return found[0] if found else None


def install():
    """The zip, through QGIS's own installer."""
    import pyplugin_installer

    iface.mainWindow().resize(1380, 880)
    pyplugin_installer.instance().installFromZipFile(CONFIG["zip"])
    yield lambda: "terraspore" in plugins
    assert Path(plugin().__class__.__module__.split(".")[0]) == Path("terraspore")
    names = [a.id() for a in QgsApplication.processingRegistry().providerById("terraspore").algorithms()]
    REPORT["algorithms"] = names
    REPORT["titles"] = [action.text() for action in plugin().gui.actions]


def explain():
    """Without an engine the first click offers to create it; the dialog says what to do, and OK is off."""
    from terraspore.plugin.dialogs.run_dialog import ROADS

    plugin().gui.actions[0].trigger()
    welcome = visible("terraspore-welcome")
    yield pause(0.5)
    picture("welcome", welcome)
    welcome.cancel.click()
    dialog = plugin().gui.open_dialog(ROADS)
    yield pause(0.5)
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    picture("no-engine", dialog)
    dialog.reject()
    yield pause(0.2)


def set_up():
    """The environment from a folder of wheels, on the options page; then the test of the engine."""
    from terraspore.plugin.options.page import OptionsPage

    QTimer.singleShot(0, plugin().gui.show_options)
    yield lambda: QApplication.activeModalWidget() is not None
    window = QApplication.activeModalWidget()
    window.resize(1000, 860)
    page = window.findChild(OptionsPage)
    if CONFIG.get("interpreter"):
        page.engine.interpreter.setFilePath(CONFIG["interpreter"])
        page.engine.test.click()
    else:
        from terraspore.plugin.options import engine_box

        engine_box.QFileDialog.getExistingDirectory = staticmethod(lambda *_: CONFIG["wheels"])
        beat = Beat()
        QTest.mouseClick(page.engine.create_offline, Qt.MouseButton.LeftButton)
        yield pause(4)
        picture("options-installing", window)
        yield lambda: page.engine._task is None or "auto takes" in page.engine.log.toPlainText()
        REPORT["setup"] = beat.stop()
    yield lambda: page.engine._task is None and "auto takes" in page.engine.log.toPlainText()
    REPORT["engine_test"] = page.engine.log.toPlainText()
    yield pause(0.3)
    picture("options", window)
    window.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok).click()
    yield lambda: QApplication.activeModalWidget() is None


def try_demo():
    """Without an image the first click adds the demo image, and opens the dialog for it."""
    assert not QgsProject.instance().mapLayers()
    plugin().gui.actions[0].trigger()
    question = visible("terraspore-demo")
    yield pause(0.5)
    picture("demo-question", question)
    question.add.click()
    yield lambda: visible("terraspore-extractroads") is not None
    dialog = visible("terraspore-extractroads")
    yield pause(2)
    picture("demo")
    picture("demo-dialog", dialog)
    REPORT["demo"] = [dialog.layer.currentText(), dialog.ok.isEnabled()]
    dialog.reject()
    QgsProject.instance().removeAllMapLayers()
    yield pause(0.2)


def run_from_menu(name, layer, title, area=0):
    """Right-click the layer, ``title``, OK; leaves pictures and ``REPORT["runs"][name]``.

    Args:
        name: of the run, for its pictures.
        layer: of the project.
        title: of the menu's action.
        area: index of the area in the dialog.
    """
    iface.setActiveLayer(layer)
    iface.messageBar().clearWidgets()
    yield pause(2)
    view = iface.layerTreeView()
    menu = view.menuProvider().createContextMenu()
    action = next(action for action in menu.actions() if action.text() == title)
    menu.popup(view.mapToGlobal(view.rect().center()))
    yield pause(0.3)
    picture(f"{name}-menu", menu)
    menu.close()
    action.trigger()
    opened = "terraspore-" + title.lower().replace(" ", "")
    yield lambda: visible(opened) is not None
    dialog = visible(opened)
    dialog.area.kind.setCurrentIndex(area)
    yield pause(0.5)
    picture(f"{name}-dialog", dialog)
    report = REPORT["runs"][name] = {"note": dialog._note.text()}
    runs, ended = plugin().gui.runs, []
    beat = Beat()
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    yield lambda: len(runs) == 1
    runs[0].ended.connect(lambda good, results: ended.append((good, results)))
    yield lambda: ended or (iface.mainWindow().findChild(QPushButton, "terraspore-cancel") is not None)
    yield pause(1.5)
    picture(f"{name}-running")
    yield lambda: bool(ended)
    report.update(beat.stop(), good=ended[0][0], results={key: str(value) for key, value in ended[0][1].items()})
    yield lambda: iface.mainWindow().findChild(QPushButton, "terraspore-cancel") is None and read_message()
    yield pause(1)
    picture(f"{name}-result")
    report["message"] = read_message()
    report["layers"] = describe_layers()
    root = QgsProject.instance().layerTreeRoot()
    for group in root.findGroups():
        QgsProject.instance().removeMapLayers(group.findLayerIds())
        root.removeChildNode(group)


def extract():
    """Roads and land cover of a file."""
    layer = QgsRasterLayer(CONFIG["image"], CONFIG["layer"])
    QgsProject.instance().addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.zoomToActiveLayer()
    yield from run_from_menu("roads", layer, "Extract Roads")
    yield from run_from_menu("landcover", layer, "Extract Land Cover")


def online():
    """Roads of the visible part of an XYZ layer, whose server shows the same image."""
    sys.path.insert(0, str(Path(CONFIG["tests"]) / "plugin"))
    from tile_server import ImageTiles, TileServer

    server = TileServer(draw_tile=ImageTiles(CONFIG["image"]).draw)
    try:
        layer = QgsProject.instance().addMapLayer(QgsRasterLayer(server.uri, "Tiles", "wms"))
        yield from run_from_menu("online", layer, "Extract Roads", area=1)
    finally:
        server.close()


def review():
    """A layer of 5,000 doubtful roads: each step by one key, and the main thread stays free."""
    sys.path.insert(0, str(Path(CONFIG["tests"]) / "plugin"))
    from drawn_network import draw_many, write_roads
    from terraspore.plugin.review.panel import ReviewPanel

    QgsProject.instance().removeAllMapLayers()
    path = write_roads(OUT / "roads.gpkg", draw_many(5000))
    layer = QgsProject.instance().addMapLayer(QgsVectorLayer(f"{path}|layername=roads", "Roads", "ogr"))
    iface.setActiveLayer(layer)
    iface.zoomToActiveLayer()
    yield lambda: not iface.mapCanvas().isDrawing()
    begin = time.thread_time()
    plugin().gui.review_action.trigger()
    report = REPORT["review"] = {"opening": round((time.thread_time() - begin) / time_yardstick())}
    panel = iface.mainWindow().findChild(ReviewPanel)
    yield lambda: not iface.mapCanvas().isDrawing()
    picture("review-many")
    QApplication.setActiveWindow(iface.mainWindow())  # keys are shortcuts of the active window
    panel.places.setFocus()
    beat = Beat()
    for key in 10 * [Qt.Key.Key_A, Qt.Key.Key_N, Qt.Key.Key_D]:
        QTest.keyClick(panel.places, key)
        yield pause(0.05)
        yield lambda: not iface.mapCanvas().isDrawing()
    report.update(beat.stop())
    report["places"], report["open"] = len(panel.session.places), panel.session.open_count
    QTest.keyClick(panel.places, Qt.Key.Key_E)
    yield pause(0.5)
    report["vertex_tool"] = iface.actionVertexToolActiveLayer().isChecked()
    picture("review-edit")
    report["saved"] = layer.commitChanges()
    report["deleted"] = len(panel.session.list_deleted())
    panel.close()
    QgsProject.instance().removeAllMapLayers()


def describe_layers():
    """Facts of all layers of the project."""
    project = QgsProject.instance()
    return [
        {
            "name": layer.name(),
            "crs": layer.crs().authid(),
            "valid": layer.isValid(),
            "features": layer.featureCount() if hasattr(layer, "featureCount") else None,
            "renderer": layer.renderer().type() if layer.renderer() else None,
            "title": layer.metadata().title(),
            "abstract": layer.metadata().abstract(),
            "group": project.layerTreeRoot().findLayer(layer.id()).parent().name(),
        }
        for layer in project.mapLayers().values()
    ]


def read_message():
    item = iface.messageBar().currentItem()
    label = item.findChild(QLabel, "terraspore-message") if item else None
    return label.text() if label else item.text() if item else ""


def write_held_python():
    """A program that runs the engine of the settings, and stops a run at a known point (held_engine.py)."""
    from terraspore.plugin.engine.environment import get_engine_python

    program = OUT / "held-python"
    python = get_engine_python(plugin().context.get_settings())
    command = shlex.join([str(python), "-I", "-X", "utf8", str(Path(CONFIG["tests"]) / "plugin" / "held_engine.py")])
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    return program


def cancel():
    """While the engine is held at a tile QGIS goes on, the layer may be removed, and a button cancels the run."""
    from terraspore.plugin.dialogs.run_dialog import ROADS

    layer = QgsRasterLayer(CONFIG["image"], "removed while running")
    QgsProject.instance().addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.messageBar().clearWidgets()
    os.environ.update(TERRASPORE_INTERPRETER=str(write_held_python()), HOLD_AT_TILE="1")
    dialog = plugin().gui.open_dialog(ROADS)
    dialog.tta.setChecked(True)
    runs, ended = plugin().gui.runs, []
    dialog.accept()
    yield lambda: len(runs) == 1
    runs[0].ended.connect(lambda good, _results: ended.append(good))
    QgsProject.instance().removeMapLayer(layer.id())
    yield lambda: ended or runs[0].task.progress() > 0  # a tile is done, and the engine waits
    beat = Beat()
    yield lambda: ended or beat.count >= 100
    REPORT["held"] = {"beats": beat.count, **beat.stop()}
    button = iface.mainWindow().findChild(QPushButton, "terraspore-cancel")
    assert button is not None and not ended
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    yield lambda: bool(ended)
    REPORT["cancelled"] = ended == [False]
    yield lambda: read_message().startswith("Cancelled")
    REPORT["cancel_message"] = read_message()
    del os.environ["TERRASPORE_INTERPRETER"], os.environ["HOLD_AT_TILE"]


def reload():
    """Unloading removes everything of the plugin; loading it again adds everything once."""
    from qgis.utils import loadPlugin, startPlugin, unloadPlugin

    pool = plugin().context.pool
    REPORT["processes_before"] = len(pool.list_pids())
    for _ in range(3):
        unloadPlugin("terraspore")
        yield lambda: not any(leftovers().values())
        REPORT["left"] = leftovers()
        REPORT["processes_after"] = len(pool.list_pids())
        assert loadPlugin("terraspore") and startPlugin("terraspore")
        yield pause(0.3)
    REPORT["back"] = leftovers()
    stamp = find_stamp()
    if stamp is not None:  # as after an update of the plugin
        prepared = stamp.read_text()
        stamp.write_text("another version")
        unloadPlugin("terraspore")
        assert loadPlugin("terraspore") and startPlugin("terraspore")
        yield lambda: stamp.is_file() and stamp.read_text() == prepared
        REPORT["prepared"] = True


def find_stamp():
    """The file that says that the plugin's own environment is prepared."""
    from terraspore.plugin.engine.environment import get_kernels_folder

    settings = plugin().context.get_settings()
    return None if settings.interpreter else get_kernels_folder(settings) / "prepared.txt"


def leftovers():
    window = iface.mainWindow()
    names = [action.objectName() for action in window.findChildren(type(iface.actionExit()))]
    bars = [bar for bar in window.findChildren(QToolBar) if bar.objectName() == "TerraSporeToolbar"]
    provider = QgsApplication.processingRegistry().providerById("terraspore")
    return {
        "actions": sum(name.startswith("terraspore-") for name in names),
        "toolbars": len(bars),
        "provider": int(provider is not None),
    }


STEPS = [install, explain, set_up, try_demo, extract, online, cancel, review, reload]


class Driver:
    """Runs the steps; the first failure ends QGIS."""

    def __init__(self):
        self.steps = iter([step for step in STEPS if step.__name__ in CONFIG.get("steps", [s.__name__ for s in STEPS])])
        self.current, self.condition, self.begin = None, lambda: True, time.monotonic()
        self.timer = QTimer()
        self.timer.timeout.connect(self.tick)
        self.timer.start(20)

    def tick(self):
        try:
            if time.monotonic() - self.begin > CONFIG["step_seconds"]:
                raise TimeoutError("a step took too long")
            if not self.condition():
                return
            if self.current is None:
                step = next(self.steps, None)
                if step is None:
                    self.finish(None)
                    return
                REPORT["steps"].append(step.__name__)
                self.current, self.begin = step(), time.monotonic()
            self.condition = lambda: False
            self.condition = next(self.current, None)
            if self.condition is None:
                self.current, self.condition = None, lambda: True
        except Exception:  # noqa: BLE001 (reported to the test)
            self.finish(traceback.format_exc())

    def finish(self, error):
        self.timer.stop()
        REPORT["error"] = error
        if error:
            picture("error", QApplication.activeModalWidget())
        (OUT / "report.json").write_text(json.dumps(REPORT, indent=1))
        QTimer.singleShot(0, QApplication.closeAllWindows)
        QTimer.singleShot(500, lambda: os._exit(0))


QTimer.singleShot(1500, lambda: globals().__setitem__("DRIVER", Driver()))
