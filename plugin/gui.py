"""The graphical interface: actions, menus, toolbar, options page, dialogs and their runs."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from qgis.core import Qgis, QgsApplication, QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, Qt
from qgis.PyQt.QtGui import QIcon

try:
    from qgis.PyQt.QtGui import QAction  # Qt 6
except ImportError:
    from qgis.PyQt.QtWidgets import QAction

from .context import PluginContext
from .dialogs.run_dialog import RUN_FORMS, RunDialog, RunForm
from .dialogs.vectorize_dialog import VectorizeDialog
from .dialogs.welcome_dialog import DemoQuestion, WelcomeDialog
from .engine.preparation import is_preparation_due, is_set_up_due, prepare_engine
from .i18n import tr
from .options.page import OptionsFactory
from .paths import icon_path
from .processing.vectorize import VectorizeAlgorithm
from .review.panel import ReviewPanel, choose_roads
from .review.topology import add_topology_rules
from .runner import Run, cancel_runs
from .tasks import BackgroundTask

MENU = "TerraSpore"


class Gui(QObject):
    """Adds the plugin to QGIS's window and removes it again.

    Args:
        iface: QGIS's interface.
        plugin: the engine's processes and the settings.
    """

    def __init__(self, iface: Any, plugin: PluginContext) -> None:
        super().__init__()
        self._iface, self._plugin = iface, plugin
        self.runs: list[Run] = []
        self._dialogs: list[Any] = []
        window = iface.mainWindow()
        self._toolbar = iface.addToolBar("TerraSpore")
        self._toolbar.setObjectName("TerraSporeToolbar")
        self.actions: list[QAction] = []
        dialogs = [(form.algorithm, partial(self.open_dialog, form), True) for form in RUN_FORMS]
        for algorithm, open_dialog, needs_image in (*dialogs, (VectorizeAlgorithm, self._open_vectorize, False)):
            clicked = partial(self._open_when_ready, open_dialog, needs_image=needs_image)
            action = self._make_action(tr(algorithm.TITLE), algorithm.ICON, window, clicked)
            self._toolbar.addAction(action)
            iface.addPluginToRasterMenu(MENU, action)
            iface.addCustomActionForLayerType(action, None, QgsMapLayer.LayerType.RasterLayer, True)
            self.actions.append(action)
        self._panel: ReviewPanel | None = None
        self.review_action = self._make_action(tr("Review Roads"), "review", window, self.review)
        self._toolbar.addAction(self.review_action)
        self._menu_actions = [
            self.review_action,
            self._make_action(tr("Add Topology Rules"), "topology", window, self._add_topology_rules),
            self._make_action(tr("Settings"), "terraspore", window, self.show_options),
        ]
        for action in self._menu_actions:
            iface.addPluginToRasterMenu(MENU, action)
        self._factory = OptionsFactory(plugin)
        iface.registerOptionsWidgetFactory(self._factory)
        self._prepare_engine()

    def unload(self) -> None:
        """Cancel the runs, and remove everything."""
        cancel_runs(list(self.runs), 3000)
        for dialog in list(self._dialogs):
            dialog.close()
        for action in self.actions:
            self._iface.removeCustomActionForLayerType(action)
        if self._panel is not None:
            self._panel.unload()
            self._iface.removeDockWidget(self._panel)
            self._panel.deleteLater()
        for action in (*self.actions, *self._menu_actions):
            self._iface.removePluginRasterMenu(MENU, action)
            action.deleteLater()
        self._toolbar.deleteLater()
        self._iface.unregisterOptionsWidgetFactory(self._factory)
        self.deleteLater()

    def open_dialog(self, form: RunForm) -> RunDialog:
        """Show the dialog of ``form`` for the active layer."""
        return self._show(partial(RunDialog, form, self._plugin, self._iface.mapCanvas()))

    def start(self, algorithm: str, parameters: dict[str, Any]) -> Run:
        """Run ``algorithm`` with ``parameters`` in the background."""
        run = Run(
            self._iface, QgsApplication.processingRegistry().algorithmById(algorithm), parameters, self, self.review
        )
        self.runs.append(run)
        run.ended.connect(lambda _successful, _results: self.runs.remove(run))
        run.start()
        return run

    def review(self, layer: QgsVectorLayer | None = None) -> ReviewPanel:
        """Show the panel that reviews ``layer``, else the active layer or the first of roads in the project."""
        if self._panel is None:
            self._panel = ReviewPanel(self._iface, self._cut_chips, self._iface.mainWindow())
            self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._panel)
        self._panel.setUserVisible(True)
        if layer is not None or self._panel.session is None:
            self._panel.set_layer(layer or choose_roads(self._iface.activeLayer(), QgsProject.instance()))
        return self._panel

    def show_options(self) -> None:
        """Open QGIS's options at the plugin's page."""
        self._iface.showOptionsDialog(self._iface.mainWindow(), self._factory.PAGE)

    def _open_when_ready(self, open_dialog: Callable[[], Any], *, needs_image: bool) -> None:
        """Call ``open_dialog``, but first offer to create a missing engine, and the demo image without any other."""
        window = self._iface.mainWindow()
        welcomes = (dialog for dialog in self._dialogs if isinstance(dialog, WelcomeDialog) and dialog.isVisible())
        if (opened := next(welcomes, None)) is not None:  # one set-up at a time
            opened.raise_()
            opened.activateWindow()
            return
        if is_set_up_due(self._plugin.get_settings()):
            welcome = WelcomeDialog(self._plugin, self.show_options, window)
            welcome.ready.connect(partial(self._open_when_ready, open_dialog, needs_image=needs_image))
            self._track(welcome).show()
            return
        layers = QgsProject.instance().mapLayers().values()
        if not needs_image or any(isinstance(layer, QgsRasterLayer) for layer in layers):
            open_dialog()
            return

        def add_image(path: str) -> None:
            layer = QgsProject.instance().addMapLayer(QgsRasterLayer(path, tr("Las Vegas (demo)")))
            self._iface.setActiveLayer(layer)
            self._iface.zoomToActiveLayer()
            open_dialog()

        self._track(DemoQuestion(add_image, window)).open()

    def _cut_chips(self, parameters: dict[str, Any]) -> None:
        from qgis import processing  # complete since QGIS loaded its Processing

        processing.execAlgorithmDialog("terraspore:trainingchips", parameters)

    def _add_topology_rules(self) -> None:
        count = add_topology_rules(QgsProject.instance())
        text = tr("{n} rules were added to the project. The panel Topology Checker (menu Vector) validates them.")
        if not count:
            text = tr("No rule was added: the rules are there already, or the project has no layer that they are for.")
        self._iface.messageBar().pushMessage("TerraSpore", text.format(n=count), Qgis.MessageLevel.Info)

    def _prepare_engine(self) -> None:
        """Compile in the background what the first run after an update of the plugin would compile."""
        settings = self._plugin.get_settings()
        if not is_preparation_due(settings):
            return

        def prepare(task: BackgroundTask) -> None:
            prepare_engine(self._plugin.pool, settings, task.make_observer())

        BackgroundTask(tr("Preparing the inference engine"), prepare).start(lambda _: None, lambda _: None)

    def _open_vectorize(self) -> VectorizeDialog:
        return self._show(partial(VectorizeDialog, self._plugin))

    def _show(self, make_dialog: Callable[..., Any]) -> Any:
        """Show the dialog of an algorithm for the active layer, and for all selected ones if it makes mosaics."""
        dialog = make_dialog(start=self.start, show_options=self.show_options, parent=self._iface.mainWindow())
        layer = self._iface.activeLayer()
        dialog.set_layer(layer if isinstance(layer, QgsRasterLayer) else None)
        selected = self._list_selected_rasters()
        if isinstance(dialog, RunDialog) and len(selected) > 1:
            dialog.set_layer(selected[0])
            dialog.set_further_layers(selected[1:])
        self._track(dialog).show()
        return dialog

    def _list_selected_rasters(self) -> list[QgsRasterLayer]:
        """Return the raster layers that are selected in the layer tree, from the top."""
        selected = {layer.id() for layer in self._iface.layerTreeView().selectedLayers()}
        order = QgsProject.instance().layerTreeRoot().layerOrder()
        return [layer for layer in order if layer.id() in selected and isinstance(layer, QgsRasterLayer)]

    def _track(self, dialog: Any) -> Any:
        """Note ``dialog`` as one to close when the plugin is unloaded, until it is deleted."""
        self._dialogs.append(dialog)
        dialog.destroyed.connect(lambda: self._dialogs.remove(dialog))
        return dialog

    def _make_action(self, title: str, icon: str, window: Any, clicked: Any) -> QAction:
        action = QAction(QIcon(icon_path(icon)), title, window)
        action.setObjectName(f"terraspore-{icon}")
        action.triggered.connect(lambda _checked=False: clicked())
        return action
