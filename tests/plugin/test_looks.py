"""Every window in both themes and both languages: no text is cut off; pictures for looking at go to ``build/looks``."""

import datetime
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from drawn_network import draw_doubts, write_roads
from event_loop import spin
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtCore import QCoreApplication, QObject
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QTextBrowser,
    QWidget,
)

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "looks"
THEMES = {"default": "default", "dark": "Night Mapping"}
LONG_REASON = (
    "Installing the engine's packages failed: The package index cannot be reached (https://pypi.org/simple/numpy/: "
    "certificate verify failed: unable to get local issuer certificate). The log is /home/me/terraspore/cpu.log."
)


@pytest.fixture(params=[(theme, language) for theme in THEMES for language in ("en", "zh")], ids="-".join)
def look(request, qgis_app, plugin, settings, inputs, monkeypatch):
    """A theme and a language; gives a function that shows a widget, saves its picture and returns what is cut off."""
    from terraspore.plugin.dialogs.fields import FormDialog
    from terraspore.plugin.i18n import install_translator

    theme, language = request.param
    QgsApplication.setTranslation({"en": "en_US", "zh": "zh-Hans"}[language])
    translator = install_translator()
    assert translator is not None or language == "en" or not shutil.which("lrelease")
    palette, font = QgsApplication.palette(), QgsApplication.font()
    small = QgsApplication.font()
    small.setPointSize(10)  # the usual size on a desktop
    QgsApplication.setFont(small)
    QgsApplication.setUITheme(THEMES[theme])
    monkeypatch.setattr(FormDialog, "adjustSize", fit)
    folder = PICTURES / f"{theme}-{language}"
    folder.mkdir(parents=True, exist_ok=True)
    image = QgsRasterLayer(str(inputs / "image.tif"), "A scene")
    QgsProject.instance().addMapLayer(image)

    def show(name, widget, size=None):
        if not widget.isVisible():
            widget.show()
            settle()
            widget.resize(*size) if size else fit(widget)
        settle()
        widget.grab().save(str(folder / f"{name}.png"))
        return find_clipped(widget)

    yield show
    QgsProject.instance().removeAllMapLayers()
    QgsApplication.setUITheme("default")
    QgsApplication.setPalette(palette)
    QgsApplication.setFont(font)
    QgsApplication.setTranslation("")
    if translator is not None:
        QCoreApplication.removeTranslator(translator)


def fit(widget):
    """Do what ``adjustSize`` does on a screen that is larger than the virtual one, which has 800 pixels."""
    widget.resize(widget.sizeHint())


def settle():
    for _ in range(20):
        QCoreApplication.processEvents()


def find_clipped(window):
    """Texts of visible widgets that need more room than they have."""
    return [text for widget in window.findChildren(QWidget) if widget.isVisible() for text in clipped_texts(widget)]


def clipped_texts(widget):
    def width(text):
        return widget.fontMetrics().horizontalAdvance(text)

    if isinstance(widget, QLabel) and widget.wordWrap():
        return [widget.text()] if widget.heightForWidth(widget.width()) > widget.height() else []
    if isinstance(widget, (QLabel, QPushButton, QCheckBox)):
        return [widget.text()] if widget.text() and widget.sizeHint().width() > widget.width() else []
    if isinstance(widget, QComboBox):
        return [widget.currentText()] if width(widget.currentText()) > widget.width() - 20 else []
    if isinstance(widget, QLineEdit) and not widget.text():
        return [widget.placeholderText()] if width(widget.placeholderText()) > widget.width() - 4 else []
    if isinstance(widget, QTextBrowser):
        return [widget.toPlainText()] if widget.document().size().height() > widget.height() + 4 else []
    return []


def open_run_dialog(plugin, name="ROADS"):
    from terraspore.plugin.dialogs import run_dialog

    dialog = run_dialog.RunDialog(
        getattr(run_dialog, name), plugin.context, QgsMapCanvas(), start=print, show_options=print
    )
    dialog.set_layer(next(iter(QgsProject.instance().mapLayers().values())))
    return dialog


@pytest.mark.parametrize("name", ["ROADS", "LANDCOVER", "SEGMENT"])
def test_run_dialog(look, plugin, settings, tmp_path, name):
    settings(models_folder=tmp_path, road_model="", landcover_model="")
    dialog = open_run_dialog(plugin, name)
    assert look(name.lower(), dialog) == []
    dialog._show_plan(LONG_REASON)
    assert look(f"{name.lower()}-failed", dialog) == []
    dialog._advanced.setCollapsed(False)
    dialog.area.kind.setCurrentIndex(3)
    assert look(f"{name.lower()}-more", dialog) == []
    dialog.close()


def test_dialogs_without_an_engine(look, plugin, settings, tmp_path):
    from terraspore.plugin.dialogs.vectorize_dialog import VectorizeDialog

    settings(interpreter="", environments=tmp_path)
    for name, dialog in (
        ("roads-no-engine", open_run_dialog(plugin)),
        ("vectorize-no-engine", VectorizeDialog(plugin.context, start=print, show_options=print)),
    ):
        assert look(name, dialog) == []
        dialog.close()


def test_first_click(look, plugin, settings, tmp_path):
    from terraspore.plugin.dialogs.welcome_dialog import DemoQuestion, WelcomeDialog

    settings(interpreter="", environments=tmp_path)
    welcome = WelcomeDialog(plugin.context, print, None)
    assert look("welcome", welcome) == []
    welcome._fail(LONG_REASON)
    assert look("welcome-failed", welcome) == []
    welcome.close()
    question = DemoQuestion(print, None)
    assert look("demo", question) == []
    question.close()


def test_vectorize_dialog(look, plugin):
    from terraspore.plugin.dialogs.vectorize_dialog import VectorizeDialog

    dialog = VectorizeDialog(plugin.context, start=print, show_options=print)
    for kind in range(2):
        dialog.kind.setCurrentIndex(kind)
        assert look(f"vectorize-{dialog.kind.currentData()}", dialog) == []
    dialog.close()


def test_review_panel(look, plugin, tmp_path):
    from terraspore.plugin.review.panel import ReviewPanel

    path = write_roads(tmp_path / "roads.gpkg", draw_doubts())
    roads = QgsProject.instance().addMapLayer(QgsVectorLayer(f"{path}|layername=roads", "Roads", "ogr"))
    canvas = QgsMapCanvas()
    panel = ReviewPanel(SimpleNamespace(mapCanvas=lambda: canvas), print)
    assert look("review-none", panel, (380, 500)) == []
    panel.set_layer(roads)
    panel.session.accept(0)
    panel.session.delete(1)
    assert look("review", panel, (380, 500)) == []
    panel.note.setText(LONG_REASON)
    assert look("review-failed", panel, (380, 500)) == []
    roads.rollBack()
    panel.unload()
    panel.close()


def test_model_dialog(look, plugin, settings, inputs, tmp_path):
    from terraspore.plugin.dialogs.model_dialog import ModelDialog

    dialog = ModelDialog(plugin.context, plugin.context.get_settings())
    assert look("model", dialog) == []
    weights = tmp_path / "network.onnx"
    weights.touch()
    for name, path in (("card", inputs / "more" / "own"), ("weights", weights)):
        dialog.file.setFilePath(str(path))
        assert look(f"model-{name}", dialog) == []
        dialog._failed(LONG_REASON)
        assert look(f"model-{name}-failed", dialog) == []
    dialog.close()


def test_options_page(look, plugin, settings, tmp_path):
    from terraspore.plugin.options.page import OptionsPage

    settings(models_folder=tmp_path, road_model="", landcover_model="")
    page = OptionsPage(plugin.context, None)
    assert look("options", page, (800, 1000)) == []
    page.engine._show_failure(LONG_REASON)
    assert look("options-failed", page, (800, 1000)) == []
    page.close()
    settings(interpreter="", environments=tmp_path)
    page = OptionsPage(plugin.context, None)
    assert look("options-no-engine", page, (800, 900)) == []
    page.close()


def test_question_about_an_unfinished_run(look):
    from terraspore.engine.fs.journal import UnfinishedRun
    from terraspore.plugin.runner import ResumeDialog

    run = UnfinishedRun(Path("roads of the city.gpkg"), 0.42, datetime.datetime(2026, 5, 4, 3, 2), Path("a.tif"), None)
    dialog = ResumeDialog(run)
    assert look("resume", dialog) == []
    dialog.close()


@pytest.fixture
def window(qgis_app):
    """The message bar over the map, as in QGIS's window."""
    window = QWidget()
    grid, bar, canvas = QGridLayout(window), QgsMessageBar(window), QgsMapCanvas(window)
    bar.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    grid.addWidget(canvas, 0, 0, 2, 1)
    grid.addWidget(bar, 0, 0)
    grid.setRowStretch(1, 1)
    bar.raise_()
    window.bar = bar
    yield window
    window.close()


class Iface:
    def __init__(self, bar):
        self.messageBar = lambda: bar


def test_messages_of_a_run(look, window, settings, tmp_path, fake_python, monkeypatch):
    from osgeo import ogr
    from terraspore.plugin import runner

    settings(interpreter=fake_python)
    monkeypatch.setattr(runner, "_MESSAGE_DELAY_MS", 0)
    monkeypatch.setattr(runner, "shorten_result", lambda text: f"{text} {LONG_REASON}")
    file = ogr.GetDriverByName("GPKG").CreateDataSource(str(tmp_path / "roads.gpkg"))  # the stand-in writes none
    file.CreateLayer("roads", geom_type=ogr.wkbLineString)
    del file
    image = next(iter(QgsProject.instance().mapLayers()))
    for behaviour in ("slow", "steps", "exit"):
        monkeypatch.setenv("FAKE_ENGINE", behaviour)
        algorithm = QgsApplication.processingRegistry().algorithmById("terraspore:extractroads")
        parent, ended = QObject(), []
        parameters = {"INPUT": image, "OUTPUT": str(tmp_path / "roads.gpkg")}
        run = runner.Run(Iface(window.bar), algorithm, parameters, parent)
        run.ended.connect(lambda good, _results, ended=ended: ended.append(good))
        run.start()
        if behaviour == "slow":
            spin(lambda run=run: run._progress.maximum() == 100)
            assert look("running", window, (1000, 200)) == []
            run.cancel()
        spin(lambda ended=ended: ended and window.bar.currentItem() is not None)
        assert look(f"message-{behaviour}", window, (1000, 200)) == []
        for label in window.bar.findChildren(QLabel, "terraspore-message"):
            assert label.height() == label.heightForWidth(label.width())  # not higher than its text
        window.bar.clearWidgets()
