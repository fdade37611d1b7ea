"""The dialog of Make Vectors from a Probability Raster."""

from __future__ import annotations

from typing import Any, Callable

from qgis.core import QgsProcessing, QgsRasterLayer
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..engine.models import TASK_TITLES
from ..i18n import tr
from ..processing.parameters import get_title
from ..processing.vectorize import KINDS, VectorizeAlgorithm, list_vector_options
from .algorithm_dialog import AlgorithmDialog
from .fields import add_options_link, make_note, make_option_field


class VectorizeDialog(AlgorithmDialog):
    """Gathers the options of new vectors; empty fields leave the choice to the engine.

    Args:
        plugin: the settings.
        start: called with the algorithm's id and its parameters.
        show_options: opens the plugin's options.
        parent: QGIS's window.
    """

    def __init__(
        self,
        plugin: PluginContext,
        *,
        start: Callable[[str, dict[str, Any]], Any],
        show_options: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(VectorizeAlgorithm, plugin, start=start, show_options=show_options, parent=parent)
        self.kind = QComboBox(self)
        for kind in KINDS:
            self.kind.addItem(tr(TASK_TITLES[kind]), kind)
        self.options = list_vector_options()
        self.fields = {
            name.upper(): make_option_field(option, tr("default"), self) for name, (option, _) in self.options.items()
        }
        for field in self.fields.values():  # a form is as wide as its widest row, and these have the longest titles
            field.setMinimumWidth(180)
        self.target = self._make_target(".gpkg")
        self._note = make_note(self, self._open_options)
        self._lay_out()
        self.kind.currentIndexChanged.connect(self._refresh)
        self._refresh()

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Choose ``layer``; its name says whether it is a raster of classes."""
        super().set_layer(layer)
        if layer is not None:
            classes = "class" in layer.name().lower()
            self.kind.setCurrentIndex(self.kind.findData("landcover" if classes else "roads"))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters for the algorithm."""
        layer = self.layer.currentLayer()
        kind = self.kind.currentData()
        values: dict[str, Any] = {
            "INPUT": layer.id() if layer else None,
            "KIND": kind,
            "OUTPUT": self.target.filePath().strip() or QgsProcessing.TEMPORARY_OUTPUT,
        }
        for name, field in self.fields.items():
            value = field.get_value()
            if value is not None and self._has_option(kind, name):
                values[name] = value
        return values

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.addRow(tr("Raster"), self.layer)
        self._form.addRow(tr("It shows"), self.kind)
        self._labels = {name.upper(): QLabel(get_title(option), self) for name, (option, _) in self.options.items()}
        self._form.addRow(tr("Save to"), self.target)
        self.lay_out_column(self._form, self._note, width=440)

    def _has_option(self, kind: str, name: str) -> bool:
        """Whether vectors of ``kind`` have the option of the field ``name``."""
        return kind in self.options[name.lower()][1]

    def _refresh(self, *_changed: object) -> None:
        """Show the fields of the kind above the last row; hidden rows would leave gaps, so they are taken out."""
        missing = explain_missing_engine(self._plugin.get_settings())
        self.ok.setEnabled(missing is None)
        self._note.setVisible(missing is not None)
        self._note.setText(add_options_link(missing or ""))
        kind = self.kind.currentData()
        for name, field in self.fields.items():
            if self._form.indexOf(field) >= 0:
                self._form.takeRow(field)
            is_visible = self._has_option(kind, name)
            if is_visible:
                self._form.insertRow(self._form.rowCount() - 1, self._labels[name], field)
            for widget in (self._labels[name], field):
                widget.setVisible(is_visible)
        self.schedule_resize()
