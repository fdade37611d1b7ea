"""Find the doubtful places of a road layer, and rank them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
    QgsSpatialIndex,
    QgsVectorLayer,
)

from ..i18n import tr

#: Columns of a road layer that the places are made from.
COLUMNS = ("road_id", "from_kind", "to_kind", "length", "confidence", "bridged_m", "gap_at")
#: Below this mean probability a road is doubtful.
CONFIDENT = 0.75
#: Dead ends up to this length, and ends up to this distance from another road, are doubtful; metres.
STUB, NEAR = 40.0, 40.0
#: Closed gaps from this length on are as doubtful as any; metres.
LONG_GAP = 50.0
#: Least half width of what is shown, and margin around a road; metres.
HALF_WINDOW, MARGIN = 60.0, 25.0
#: Lines that are examined around an end: its own one and those that meet there may be nearer than another road.
_NEIGHBOURS = 12


@dataclass(frozen=True)
class Place:
    """A doubtful road.

    Attributes:
        feature_id: of the road in its layer.
        road_id: the road's number.
        doubt: from 0 to 1; the places are in this order.
        reasons: why, the strongest reason first, in the user's language.
        window: what to show, in the layer's CRS.
    """

    feature_id: int
    road_id: int
    doubt: float
    reasons: tuple[str, ...]
    window: QgsRectangle


@dataclass(frozen=True)
class _Reason:
    """A reason for doubt: its share from 0 to 1, its text, and the place on the road; None for the whole road."""

    doubt: float
    text: str
    at: QgsPointXY | None = None
    reach: float = 0.0


def find_missing_column(layer: QgsVectorLayer) -> str:
    """Return the first column that a layer of roads lacks; empty where it has all."""
    names = set(layer.fields().names())
    return next((name for name in COLUMNS if name not in names), "")


def find_places(layer: QgsVectorLayer, transforms: QgsCoordinateTransformContext) -> list[Place]:
    """Find the doubtful roads of ``layer``, the most doubtful first.

    Distances are measured in a plane around the middle of the layer, in metres. One pass reads the roads into a spatial
    index, in which the neighbours of dead ends are looked up.

    Args:
        layer: the roads, with the ``COLUMNS``; changes that are not saved yet count.
        transforms: the project's transformations.
    """
    plane = make_metric_crs(layer, transforms)
    request = QgsFeatureRequest().setSubsetOfAttributes([*COLUMNS, "from_node", "to_node"], layer.fields())
    if plane is not None:
        request.setDestinationCrs(plane, transforms)
    back = None if plane is None else QgsCoordinateTransform(plane, layer.crs(), transforms)
    index, roads = QgsSpatialIndex(QgsSpatialIndex.Flag.FlagStoreFeatureGeometries), {}
    for road in layer.getFeatures(request):
        if not road.geometry().isEmpty():
            index.addFeature(road)
            roads[road.id()] = road
    places = []
    for road in roads.values():
        reasons = sorted(_find_reasons(road, index, roads), key=lambda reason: -reason.doubt)
        if reasons:
            doubt = 1.0 - prod(1.0 - reason.doubt for reason in reasons)
            window = _make_window(road.geometry(), reasons[0])
            if back is not None:
                frame = QgsGeometry.fromRect(window)  # its corners; transformBoundingBox would take a thousand points
                frame.transform(back)
                window = frame.boundingBox()
            texts = tuple(reason.text for reason in reasons)
            places.append(Place(road.id(), int(road["road_id"]), doubt, texts, window))
    return sorted(places, key=lambda place: (-place.doubt, place.road_id))


def make_metric_crs(
    layer: QgsVectorLayer, transforms: QgsCoordinateTransformContext
) -> QgsCoordinateReferenceSystem | None:
    """Make a CRS in metres around the middle of ``layer``; None for a layer in no CRS, whose units are metres."""
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    try:
        if not layer.crs().isValid() or layer.extent().isEmpty():
            return None
        middle = QgsCoordinateTransform(layer.crs(), degrees, transforms).transform(layer.extent().center())
    except QgsCsException:
        return None  # a local CRS
    text = f"+proj=aeqd +lat_0={middle.y():.8f} +lon_0={middle.x():.8f} +datum=WGS84 +units=m"
    return QgsCoordinateReferenceSystem.fromProj(text)


def _find_reasons(road: QgsFeature, index: QgsSpatialIndex, roads: dict[int, QgsFeature]) -> Iterator[_Reason]:
    line, length = road.geometry(), float(road["length"] or 0.0)
    confidence = road["confidence"]
    if isinstance(confidence, float) and confidence < CONFIDENT:
        text = tr("mean probability {value}").format(value=f"{confidence:.2f}")
        yield _Reason(1.0 - confidence, text)
    bridged = float(road["bridged_m"] or 0.0)
    if bridged > 0:
        at = line.interpolate(min(float(road["gap_at"] or 0.0), line.length())).asPoint()
        text = tr("closed gap of {m} m").format(m=f"{bridged:.0f}")
        yield _Reason(0.4 + 0.5 * min(bridged / LONG_GAP, 1.0), text, at, bridged / 2)
    ends = _find_dead_ends(road)
    if ends and length < STUB:
        text = tr("dead end of {m} m").format(m=f"{length:.0f}")
        yield _Reason(0.3 + 0.4 * (1.0 - length / STUB), text, ends[0], length)
    distances = [(distance, end) for end in ends for distance in _measure_neighbours(road, end, index, roads)]
    if distances:
        distance, end = min(distances, key=lambda found: found[0])
        text = tr("ends {m} m before another road").format(m=f"{distance:.0f}")
        yield _Reason(0.3 + 0.5 * (1.0 - distance / NEAR), text, end, distance)


def _find_dead_ends(road: QgsFeature) -> list[QgsPointXY]:
    """Find the dead ends of a road that are not at the border of the raster."""
    vertices = list(road.geometry().vertices())
    kinds = ((road["from_kind"], vertices[0]), (road["to_kind"], vertices[-1]))
    return [QgsPointXY(vertex) for kind, vertex in kinds if kind == "end"]


def _measure_neighbours(
    road: QgsFeature, end: QgsPointXY, index: QgsSpatialIndex, roads: dict[int, QgsFeature]
) -> Iterable[float]:
    """Measure how far roads near ``end`` are that do not meet its own road."""
    nodes = {road["from_node"], road["to_node"]}
    point = QgsGeometry.fromPointXY(end)
    for near in index.nearestNeighbor(end, _NEIGHBOURS, NEAR):
        other = roads[near]
        distance = other.geometry().distance(point)
        # QGIS 3.40 also returns roads beyond the largest distance.
        if distance <= NEAR and not nodes & {other["from_node"], other["to_node"]}:
            yield distance


def _make_window(line: QgsGeometry, reason: _Reason) -> QgsRectangle:
    """Make the rectangle to show for the strongest reason."""
    if reason.at is None:
        window = line.boundingBox()
        window.grow(MARGIN)
    else:
        window = QgsRectangle.fromCenterAndSize(reason.at, 2 * reason.reach, 2 * reason.reach)
        window.grow(MARGIN)
    center = window.center()
    side = 2 * HALF_WINDOW
    return QgsRectangle.fromCenterAndSize(center, max(window.width(), side), max(window.height(), side))
