"""A review of one road layer: decisions in QGIS's edit buffer, and what outlasts a deletion."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsField,
    QgsGeometry,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...engine.protocol.layer_names import DELETED, name_layer
from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.geopackage import locate_layer, make_geopackage_writer
from .places import find_missing_column, find_places

#: Attribute with the decision, and its values; a road without one is open.
REVIEW = "review"
OPEN, ACCEPTED, EDITED, DELETED_STATE = "", "accepted", "edited", "deleted"


class ReviewSession(QObject):
    """Reviews the doubtful places of a road layer.

    Decisions are changes in the layer's edit buffer: QGIS's Undo takes them back, and saving the edits stores them.
    Then deleted roads are also copied to the layer ``road_deleted`` of the same file.

    Args:
        layer: the roads, in a GeoPackage.
        transforms: the project's transformations.

    Attributes:
        places: the doubtful places, the most doubtful first.
        states: the state of each place.
        changed: signal with the number of a place whose state may have changed; -1 for all.
        failed: signal with a sentence when deleted roads could not be stored.

    Raises:
        EngineError: the layer cannot be reviewed.
    """

    changed = pyqtSignal(int)
    failed = pyqtSignal(str)

    def __init__(self, layer: QgsVectorLayer, transforms: QgsCoordinateTransformContext) -> None:
        super().__init__()
        check_reviewable(layer)
        self.layer, self._transforms = layer, transforms
        self.places = find_places(layer, transforms)
        self._numbers = {place.feature_id: number for number, place in enumerate(self.places)}
        self.states = [OPEN] * len(self.places)
        self._leaving: list[QgsFeature] = []
        self._read_states()
        self._connections = (
            (layer.attributeValueChanged, self._follow_value),
            (layer.featureDeleted, self._follow_feature),
            (layer.featureAdded, self._follow_feature),
            (layer.afterRollBack, self._read_states),
            (layer.beforeCommitChanges, self._note_deleted),
            (layer.afterCommitChanges, self._store_deleted),
        )
        for signal, slot in self._connections:
            signal.connect(slot)

    def close(self) -> None:
        """Stop to follow the layer."""
        for signal, slot in self._connections:
            signal.disconnect(slot)

    @property
    def open_count(self) -> int:
        """The number of places without a decision."""
        return self.states.count(OPEN)

    def find_open(self, number: int) -> int:
        """Return the first open place after ``number``, from the beginning after the last one; -1 for none."""
        order = [*range(number + 1, len(self.states)), *range(min(number + 1, len(self.states)))]
        return next((place for place in order if self.states[place] == OPEN), -1)

    def get_road(self, number: int) -> QgsFeature:
        """Read the road of a place; it is not valid if the road was deleted."""
        return self.layer.getFeature(self.places[number].feature_id)

    def accept(self, number: int) -> None:
        """Accept the road of a place, as it is or as it was edited.

        Raises:
            EngineError: the layer cannot be edited.
        """
        feature_id = self.places[number].feature_id
        self.start_editing()
        is_edited = feature_id in self.layer.editBuffer().changedGeometries()
        self.layer.beginEditCommand(tr("Accept road"))
        if self.layer.fields().indexOf(REVIEW) < 0:
            field = QgsField(self.layer.fields().field("from_kind"))  # a text, whatever this QGIS calls its type
            field.setName(REVIEW)
            self.layer.addAttribute(field)
            self.layer.updateFields()
        column = self.layer.fields().indexOf(REVIEW)
        self.layer.changeAttributeValue(feature_id, column, EDITED if is_edited else ACCEPTED)
        self.layer.endEditCommand()

    def delete(self, number: int) -> None:
        """Delete the road of a place.

        Raises:
            EngineError: the layer cannot be edited.
        """
        self.start_editing()
        self.layer.beginEditCommand(tr("Delete road"))
        self.layer.deleteFeature(self.places[number].feature_id)
        self.layer.endEditCommand()

    def start_editing(self) -> None:
        """Make the layer editable.

        Raises:
            EngineError: it cannot be edited.
        """
        if not self.layer.isEditable() and not self.layer.startEditing():
            text = tr("The layer {name} cannot be edited.")
            hint = tr("Its file may be read-only or open in another program.")
            raise EngineError(text.format(name=self.layer.name()), hint)

    def list_deleted(self) -> list[QgsGeometry]:
        """Return the lines of the roads that were deleted in this and earlier reviews and are saved.

        A line whose number is in the layer again belonged to roads that were replaced since.
        """
        deleted = open_deleted(self.layer)
        if not deleted.isValid():
            return []
        request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)
        request.setSubsetOfAttributes(["road_id"], self.layer.fields())
        present = {road["road_id"] for road in self.layer.getFeatures(request)}
        return [road.geometry() for road in deleted.getFeatures() if road["road_id"] not in present]

    def _read_states(self) -> None:
        """Read the states of all places, in one pass."""
        column = self.layer.fields().indexOf(REVIEW)
        request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)
        request.setSubsetOfAttributes([column] if column >= 0 else [])
        found = {road.id(): road[REVIEW] if column >= 0 else None for road in self.layer.getFeatures(request)}
        self.states = [_name_state(found.get(place.feature_id, DELETED_STATE)) for place in self.places]
        self.changed.emit(-1)

    def _follow_feature(self, feature_id: int) -> None:
        """Note the new state of a road that was deleted, or came back by Undo."""
        number = self._numbers.get(feature_id)
        if number is None:
            return
        road = self.get_road(number)
        has_column = self.layer.fields().indexOf(REVIEW) >= 0
        state = DELETED_STATE if not road.isValid() else road[REVIEW] if has_column else None
        self.states[number] = _name_state(state)
        self.changed.emit(number)

    def _follow_value(self, feature_id: int, column: int, value: object) -> None:
        number = self._numbers.get(feature_id)
        if number is not None and column == self.layer.fields().indexOf(REVIEW):
            self.states[number] = _name_state(value)
            self.changed.emit(number)

    def _note_deleted(self, *_stop: object) -> None:
        """Read the deleted roads while the file still has them."""
        request = QgsFeatureRequest().setFilterFids(self.layer.editBuffer().deletedFeatureIds())
        self._leaving = list(self.layer.dataProvider().getFeatures(request))

    def _store_deleted(self) -> None:
        roads, self._leaving = self._leaving, []
        if roads:
            try:
                store_deleted(self.layer, roads, self._transforms)
            except EngineError as error:
                self.failed.emit(str(error))


def _name_state(value: object) -> str:
    return value if value in (ACCEPTED, EDITED, DELETED_STATE) else OPEN


def check_reviewable(layer: QgsVectorLayer) -> None:
    """Check that ``layer`` has the roads of a GeoPackage of this plugin.

    Raises:
        EngineError: it has not.
    """
    hint = tr("Choose the layer Roads of a GeoPackage that Extract Roads or Make Vectors has written.")
    missing = find_missing_column(layer)
    if missing:
        text = tr("The layer {name} has no column {column}.")
        raise EngineError(text.format(name=layer.name(), column=missing), hint)
    if layer.dataProvider().storageType() != "GPKG":
        text = tr("The layer {name} is not in a GeoPackage.")
        raise EngineError(text.format(name=layer.name()), hint)


def is_reviewable(layer: object) -> bool:
    """Whether ``layer`` is a layer of roads that can be reviewed."""
    if not isinstance(layer, QgsVectorLayer):
        return False
    return not find_missing_column(layer) and layer.dataProvider().storageType() == "GPKG"


def open_deleted(layer: QgsVectorLayer) -> QgsVectorLayer:
    """Open the layer of deleted roads beside ``layer``; it is not valid if no road was deleted yet."""
    path, name = _locate_deleted(layer)
    return QgsVectorLayer(f"{path}|layername={name}", name, "ogr")


def store_deleted(layer: QgsVectorLayer, roads: list[QgsFeature], transforms: QgsCoordinateTransformContext) -> None:
    """Add ``roads`` to the layer of deleted roads in the file of ``layer``.

    Raises:
        EngineError: the file cannot be written.
    """
    path, name = _locate_deleted(layer)
    target = open_deleted(layer)
    reason = ""
    if not target.isValid():
        fields, geometry = layer.dataProvider().fields(), layer.wkbType()
        writer = make_geopackage_writer(
            path, name, fields, geometry, crs=layer.crs(), transforms=transforms, keep_others=True
        )
        reason = writer.errorMessage()
        del writer  # closes the file
        target = open_deleted(layer)
    columns = target.fields()
    copies = []
    for road in roads:
        copy = QgsFeature(columns)
        copy.setGeometry(road.geometry())
        for column in columns.names():
            if column != "fid" and road.fields().indexOf(column) >= 0:
                copy[column] = road[column]
        copies.append(copy)
    if not target.isValid() or not target.dataProvider().addFeatures(copies)[0]:
        text = tr("The deleted roads could not be stored in {path}: {reason}.")
        errors = target.dataProvider().errors() if target.isValid() else [reason]
        raise EngineError(text.format(path=path, reason=" ".join(errors)))


def _locate_deleted(layer: QgsVectorLayer) -> tuple[Path, str]:
    """Return the file of ``layer``, and the name of its layer of deleted roads."""
    path, name = locate_layer(layer)
    return Path(path), name_layer(DELETED, name or None)
