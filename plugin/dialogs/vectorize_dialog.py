"""The dialog of Make Vectors from a Probability Raster."""

from __future__ import annotations

from typing import Any, Callable

from qgis.core import QgsMapLayerProxyModel, QgsProcessing, QgsRasterLayer
from qgis.gui import QgsFileWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..i18n import tr
from ..paths import icon_path
from ..processing.parameters import LARGEST, option_title
from ..processing.vectorize import KINDS, vector_options
from .fitting import Fitting


class VectorizeDialog(QDialog):
    """Asks for what vectors need; empty fields leave the choice to the engine.

    Args:
        plugin: the settings.
        start: called with the algorithm's id and its parameters.
        parent: QGIS's window.
    """

    def __init__(
        self, plugin: PluginContext, start: Callable[[str, dict[str, Any]], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._start = start
        self.setObjectName("terraspore-vectorize")
        self.setWindowTitle(tr("Make Vectors from a Probability Raster"))
        self.setWindowIcon(QIcon(icon_path("vectorize")))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.layer = QgsMapLayerComboBox(self)
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.kind = QComboBox(self)
        for kind, title in zip(KINDS, (tr("Roads"), tr("Land cover"))):
            self.kind.addItem(title, kind)
        self.options = vector_options()
        self.fields = {
            name.upper(): _spin(self, LARGEST if option.info.maximum is None else option.info.maximum)
            for name, (option, _) in self.options.items()
        }
        self.target = QgsFileWidget(self)
        self.target.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        self.target.setFilter("GeoPackage (*.gpkg)")
        self.target.lineEdit().setPlaceholderText(tr("temporary layer"))
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel, self)
        self._fitting = Fitting(self)
        self._lay_out(explain_missing_engine(plugin.load()) or "")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.kind.currentIndexChanged.connect(self._refresh)
        self._refresh()

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Choose ``layer``; one with a raster of classes is taken for land cover."""
        if layer is None:
            return
        self.layer.setLayer(layer)
        classes = "class" in layer.name().lower()
        self.kind.setCurrentIndex(self.kind.findData("landcover" if classes else "roads"))

    def parameters(self) -> dict[str, Any]:
        """What the dialog says, as the algorithm takes it."""
        layer = self.layer.currentLayer()
        kind = self.kind.currentData()
        values: dict[str, Any] = {
            "INPUT": layer.id() if layer else None,
            "KIND": kind,
            "OUTPUT": self.target.filePath().strip() or QgsProcessing.TEMPORARY_OUTPUT,
        }
        for name, field in self.fields.items():
            if self._belongs(name, kind) and field.value() >= 0:
                values[name] = field.value()
        return values

    def accept(self) -> None:
        """Start the run and close."""
        self._start("terraspore:vectorize", self.parameters())
        super().accept()

    def _lay_out(self, objection: str) -> None:
        self._form = QFormLayout()
        self._form.addRow(tr("Raster"), self.layer)
        self._form.addRow(tr("It shows"), self.kind)
        self._labels = {
            name.upper(): QLabel(option_title(option, show_default=False), self)
            for name, (option, _) in self.options.items()
        }
        self._form.addRow(tr("Save to"), self.target)
        note = QLabel(objection, self)
        note.setWordWrap(True)
        note.setVisible(bool(objection))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not objection)
        column = QVBoxLayout(self)
        column.addLayout(self._form)
        column.addWidget(note)
        column.addStretch(1)
        column.addWidget(self.buttons)
        self.setMinimumWidth(440)

    def _belongs(self, name: str, kind: str) -> bool:
        """Whether vectors of ``kind`` have the option of the field ``name``."""
        return kind in self.options[name.lower()][1]

    def _refresh(self, *_changed: object) -> None:
        """Show the fields of the kind above the last row; hidden rows would leave gaps, so they are taken out."""
        kind = self.kind.currentData()
        for name, field in self.fields.items():
            if self._form.indexOf(field) >= 0:
                self._form.takeRow(field)
            visible = self._belongs(name, kind)
            if visible:
                self._form.insertRow(self._form.rowCount() - 1, self._labels[name], field)
            for widget in (self._labels[name], field):
                widget.setVisible(visible)
        self._fitting.soon()


def _spin(parent: QWidget, maximum: float) -> QDoubleSpinBox:
    """A number whose lowest value, below 0, stands for the engine's default."""
    step = 0.05 if maximum <= 1 else 1.0
    spin = QDoubleSpinBox(parent)
    spin.setRange(-step, maximum)
    spin.setSingleStep(step)
    spin.setDecimals(2)
    spin.setMinimumWidth(180)  # a form is as wide as its widest row, and this is beside the longest title
    spin.setSpecialValueText(tr("default"))
    spin.setValue(-step)
    return spin
