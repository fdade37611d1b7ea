"""What a review contributes to training: the area whose roads a person has checked."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ..engine.errors import EngineError
from ..i18n import tr
from .places import make_metric_crs
from .session import DELETED_STATE, OPEN, ReviewSession

#: Ground beside a reviewed road that was checked with it, and beside an open one that was not; metres.
CHECKED, UNCHECKED = 40.0, 15.0


def make_reviewed_area(session: ReviewSession, transforms: Any) -> QgsVectorLayer | None:
    """Make a layer of the area that was reviewed; None if every doubtful place was.

    That is a strip around each road that was accepted, edited or deleted, without the strips around open ones.

    Raises:
        EngineError: nothing was reviewed, or edits are not saved.
    """
    layer = session.layer
    if layer.isModified():
        raise EngineError(tr("The edits of {name} are not saved.").format(name=layer.name()), tr("Save them first."))
    if not session.open_count:
        return None
    plane = make_metric_crs(layer, transforms)
    request = QgsFeatureRequest()
    if plane is not None:
        request.setDestinationCrs(plane, transforms)
    state = {place.feature_id: session.states[number] for number, place in enumerate(session.places)}
    roads = {road.id(): road.geometry() for road in layer.getFeatures(request) if road.id() in state}
    checked = [line for key, line in roads.items() if state[key] != OPEN]
    for line in session.list_deleted():
        if plane is not None:
            line.transform(QgsCoordinateTransform(layer.crs(), plane, transforms))
        checked.append(line)
    if not checked:
        raise EngineError(tr("No place was reviewed yet."), tr("Accept, edit or delete roads first."))
    area = QgsGeometry.unaryUnion([line.buffer(CHECKED, 8) for line in checked])
    unchecked = [line.buffer(UNCHECKED, 8) for key, line in roads.items() if state[key] in (OPEN, DELETED_STATE)]
    area = area.difference(QgsGeometry.unaryUnion(unchecked))
    if plane is not None:
        area.transform(QgsCoordinateTransform(plane, layer.crs(), transforms))
    area.convertToMultiType()
    result = QgsVectorLayer("MultiPolygon", tr("Reviewed area"), "memory")
    result.setCrs(layer.crs())
    feature = QgsFeature()
    feature.setGeometry(area)
    result.dataProvider().addFeatures([feature])
    result.updateExtents()
    return result


def make_chip_parameters(
    session: ReviewSession, image: QgsRasterLayer | None, area: QgsVectorLayer | None
) -> dict[str, Any]:
    """Make the parameters of Training Chips for the reviewed roads; ``area`` is in the project."""
    values = {
        "INPUT": None if image is None else image.id(),
        "VECTORS": session.layer.id(),
        "AREA": None if area is None else area.id(),
        "WIDTH_FIELD": "width",
    }
    return {name: value for name, value in values.items() if value is not None}
