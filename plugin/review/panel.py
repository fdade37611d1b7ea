"""The panel that steps through the doubtful places of a road layer."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from qgis.core import QgsCoordinateTransform, QgsMapLayerProxyModel, QgsProject, QgsVectorLayer
from qgis.gui import QgsDockWidget, QgsMapLayerComboBox, QgsRubberBand
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor, QIcon, QKeySequence
from qgis.PyQt.QtWidgets import QFormLayout, QGridLayout, QListWidget, QVBoxLayout, QWidget

try:
    from qgis.PyQt.QtGui import QShortcut  # Qt 6
except ImportError:
    from qgis.PyQt.QtWidgets import QShortcut

from ..dialogs.fields import WrappedLabel, make_button
from ..engine.errors import EngineError
from ..i18n import tr
from ..paths import icon_path
from .chips import make_chip_parameters, make_reviewed_area
from .session import ACCEPTED, DELETED_STATE, EDITED, OPEN, ReviewSession, is_reviewable

_MARKS = {OPEN: "", ACCEPTED: "✓ ", EDITED: "✎ ", DELETED_STATE: "✗ "}
_HIGHLIGHT = QColor(255, 0, 200, 110)
_HIGHLIGHT_WIDTH = 9


class ReviewPanel(QgsDockWidget):
    """Shows the doubtful places of a road layer one after the other, each with an image below it.

    The keys work in the panel and on the map.

    Args:
        iface: QGIS's interface.
        cut_chips: opens the dialog of Training Chips with parameters.
        parent: QGIS's window.

    Attributes:
        session: the review; None while no layer is chosen.
    """

    def __init__(self, iface: Any, cut_chips: Callable[[dict[str, Any]], Any], parent: QWidget | None = None) -> None:
        super().__init__(tr("Review Roads"), parent)
        self.setObjectName("terraspore-review")
        self.setWindowIcon(QIcon(icon_path("review")))
        self._iface, self._canvas, self._cut_chips = iface, iface.mapCanvas(), cut_chips
        self.session: ReviewSession | None = None
        self.layer, self.image = QgsMapLayerComboBox(self), QgsMapLayerComboBox(self)
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.LineLayer)
        self.layer.setAllowEmptyLayer(True)
        self.layer.setLayer(None)
        self.image.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.note = WrappedLabel(self, lines=2)
        self.places = QListWidget(self)
        self.places.setUniformItemSizes(True)
        self._band: QgsRubberBand | None = None
        self._shortcuts: list[QShortcut] = []
        self.buttons = self._make_buttons()
        self.chips = make_button(self, tr("Training chips…"), self._open_chips)
        self._lay_out()
        self.layer.layerChanged.connect(self._open_layer)
        self.image.layerChanged.connect(self._show_image)
        self.places.currentRowChanged.connect(self._show_place)
        self.visibilityChanged.connect(self._show_band)
        self._refresh()

    def set_layer(self, layer: QgsVectorLayer | None) -> None:
        """Review ``layer``."""
        self.layer.setLayer(layer)

    def unload(self) -> None:
        """Leave the layer and the map as they are without the panel."""
        self._leave()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()

    def _make_buttons(self) -> dict[str, Any]:
        """Make the buttons, by key; the keys are shortcuts in the panel and on the map."""
        actions = {
            "A": (tr("Accept (A)"), partial(self._decide, ReviewSession.accept)),
            "D": (tr("Delete (D)"), partial(self._decide, ReviewSession.delete)),
            "E": (tr("Edit (E)"), self._edit),
            "B": (tr("Back (B)"), partial(self._step, -1)),
            "N": (tr("Next (N)"), partial(self._step, 1)),
            "H": (tr("Hide roads (H)"), self._toggle_roads),
        }
        for key, (_, act) in actions.items():
            for place in (self, self._canvas):
                shortcut = QShortcut(QKeySequence(key), place)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(partial(self._act_if_shown, act))
                self._shortcuts.append(shortcut)
        return {key: make_button(self, text, act) for key, (text, act) in actions.items()}

    def _lay_out(self) -> None:
        content = QWidget(self)
        form, grid, column = QFormLayout(), QGridLayout(), QVBoxLayout(content)
        form.addRow(tr("Roads"), self.layer)
        form.addRow(tr("Image"), self.image)
        for position, button in enumerate(self.buttons.values()):
            grid.addWidget(button, position // 3, position % 3)
        column.addLayout(form)
        column.addWidget(self.note)
        column.addWidget(self.places, 1)
        column.addLayout(grid)
        column.addWidget(self.chips)
        self.setWidget(content)

    def _act_if_shown(self, act: Callable[[], None]) -> None:
        if self.isVisible() and self.session is not None:
            act()

    def _open_layer(self, layer: QgsVectorLayer | None) -> None:
        """Begin a review of ``layer``, at its first open place."""
        self._leave()
        if layer is not None:
            try:
                self.session = ReviewSession(layer, QgsProject.instance().transformContext())
            except EngineError as error:
                self._refresh()
                self.note.setText(str(error))
                return
            self.session.changed.connect(self._refresh_place)
            self.session.failed.connect(self.note.setText)
            layer.willBeDeleted.connect(self._leave)
            self.places.addItems([self._describe(number) for number in range(len(self.session.places))])
            self._show_image(self.image.currentLayer())
            self.places.setCurrentRow(max(self.session.find_open(-1), 0))
        self._refresh()

    def _leave(self) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            session.close()
            session.deleteLater()
        if self._band is not None:
            self._canvas.scene().removeItem(self._band)
            self._band = None
        self.places.clear()

    def _describe(self, number: int) -> str:
        assert self.session is not None
        place = self.session.places[number]
        return f"{_MARKS[self.session.states[number]]}{place.road_id}: {'; '.join(place.reasons)}"

    def _refresh_place(self, changed: int) -> None:
        """Show the state of a place; -1 for all."""
        for number in range(self.places.count()) if changed < 0 else (changed,):
            self.places.item(number).setText(self._describe(number))
        self._refresh()

    def _refresh(self) -> None:
        """Show how many places were reviewed."""
        session = self.session
        for widget in (*self.buttons.values(), self.chips):
            widget.setEnabled(session is not None and bool(session.places))
        if session is None:
            self.note.setText(tr("Choose the roads to review."))
            return
        count = len(session.places)
        text = tr("{done} of {count} doubtful places are reviewed.")
        self.note.setText(text.format(done=count - session.open_count, count=count))

    def _show_place(self, number: int) -> None:
        """Zoom to a place and mark its road."""
        if self.session is None or number < 0:
            return
        layer, settings = self.session.layer, self._canvas.mapSettings()
        transform = QgsCoordinateTransform(layer.crs(), settings.destinationCrs(), QgsProject.instance())
        self._canvas.setExtent(transform.transformBoundingBox(self.session.places[number].window))
        road = self.session.get_road(number)
        place = self.places.item(number)
        place.setToolTip(place.text())  # the panel may be too narrow for all reasons
        if self._band is None:
            self._band = QgsRubberBand(self._canvas)
            self._band.setColor(_HIGHLIGHT)
            self._band.setWidth(_HIGHLIGHT_WIDTH)
        self._band.setToGeometry(road.geometry(), layer)
        self._canvas.refresh()

    def _show_band(self, is_visible: bool) -> None:
        if self._band is not None:
            self._band.setVisible(is_visible)

    def _show_image(self, image: Any) -> None:
        """Make the chosen image visible."""
        node = None if image is None else QgsProject.instance().layerTreeRoot().findLayer(image.id())
        if self.session is not None and node is not None:
            node.setItemVisibilityCheckedParentRecursive(True)

    def _step(self, by: int) -> None:
        number = self.places.currentRow() + by
        if 0 <= number < self.places.count():
            self.places.setCurrentRow(number)

    def _decide(self, decide: Callable[[ReviewSession, int], None]) -> None:
        """Accept or delete the shown road, and go to the next open place."""
        session, number = self.session, self.places.currentRow()
        if session is None or number < 0 or session.states[number] == DELETED_STATE:
            return
        try:
            decide(session, number)
        except EngineError as error:
            self.note.setText(str(error))
            return
        following = session.find_open(number)
        if following >= 0:
            self.places.setCurrentRow(following)

    def _edit(self) -> None:
        """Open the shown road for editing with QGIS's vertex tool; accepting it afterwards marks it as edited."""
        session, number = self.session, self.places.currentRow()
        if session is None or number < 0:
            return
        try:
            session.start_editing()
        except EngineError as error:
            self.note.setText(str(error))
            return
        self._iface.setActiveLayer(session.layer)
        self._iface.actionVertexToolActiveLayer().trigger()

    def _toggle_roads(self) -> None:
        """Hide or show the roads and the mark over the image."""
        if self.session is None:
            return
        node = QgsProject.instance().layerTreeRoot().findLayer(self.session.layer.id())
        is_shown = not node.itemVisibilityChecked()
        node.setItemVisibilityChecked(is_shown)
        self._show_band(is_shown)

    def _open_chips(self) -> None:
        """Open the dialog of Training Chips with what was reviewed."""
        assert self.session is not None
        project = QgsProject.instance()
        try:
            area = make_reviewed_area(self.session, project.transformContext())
        except EngineError as error:
            self.note.setText(str(error))
            return
        if area is not None:
            project.addMapLayer(area)
        self._cut_chips(make_chip_parameters(self.session, self.image.currentLayer(), area))


def choose_roads(active: Any, project: QgsProject) -> QgsVectorLayer | None:
    """Return the active layer or, if it cannot be reviewed, the first layer of ``project`` that can; None for none."""
    return next((layer for layer in (active, *project.mapLayers().values()) if is_reviewable(layer)), None)
