"""The review of doubtful roads: places, decisions in the edit buffer, what outlasts a deletion, training."""

import sqlite3
from contextlib import closing

import pytest
from drawn_network import BOTTOM, LEFT, draw_doubts, draw_many, write_roads
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QCoreApplication, QObject, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QAction, QApplication, QMainWindow

UNSURE, GAP, STUB, NEAR = 2, 3, 4, 5


@pytest.fixture
def project(qgis_app):
    yield QgsProject.instance()
    QgsProject.instance().removeAllMapLayers()
    QgsProject.instance().clear()


def open_roads(path, name="roads"):
    layer = QgsVectorLayer(f"{path}|layername={name}", "Roads", "ogr")
    assert layer.isValid()
    return layer


@pytest.fixture
def roads(project, tmp_path):
    return project.addMapLayer(open_roads(write_roads(tmp_path / "roads.gpkg", draw_doubts())))


@pytest.fixture
def session(roads):
    return open_session(roads)


def open_session(layer):
    from terraspore.plugin.review.session import ReviewSession

    return ReviewSession(layer, QgsProject.instance().transformContext())


def number_of(session, road_id):
    return next(number for number, place in enumerate(session.places) if place.road_id == road_id)


def read_table(path, table):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT road_id, confidence FROM {table} ORDER BY road_id").fetchall()


@pytest.mark.parametrize("epsg", [32632, 4326, 3857])
def test_places_and_their_reasons(project, tmp_path, epsg):
    layer = open_roads(write_roads(tmp_path / "roads.gpkg", draw_doubts(), epsg))
    session = open_session(layer)
    reasons = {place.road_id: list(place.reasons) for place in session.places}
    assert reasons == {
        UNSURE: ["mean probability 0.45"],
        GAP: ["closed gap of 30 m"],
        STUB: ["dead end of 20 m"],
        NEAR: ["ends 12 m before another road"],
    }
    doubts = [place.doubt for place in session.places]
    assert doubts == sorted(doubts, reverse=True)
    assert all(0 < doubt <= 1 for doubt in doubts)


def test_windows_show_the_doubtful_part(session):
    windows = {place.road_id: place.window for place in session.places}
    gap = windows[GAP]
    assert (gap.center().x() - LEFT, gap.center().y() - BOTTOM) == pytest.approx((320, 400), abs=1)
    assert gap.width() < 200  # of a road of 400 m
    assert windows[UNSURE].width() > 400
    assert windows[NEAR].contains(windows[NEAR].center())
    assert windows[NEAR].center().y() - BOTTOM == pytest.approx(12, abs=1)


def test_several_reasons_make_more_doubt(project, tmp_path):
    columns = [{"confidence": 0.5}, {"bridged_m": 30.0, "gap_at": 10.0}]
    both = [*columns, {**columns[0], **columns[1]}]
    lines = [([(0, 300 * row), (300, 300 * row)], values) for row, values in enumerate(both)]
    session = open_session(open_roads(write_roads(tmp_path / "roads.gpkg", lines)))
    assert session.places[0].road_id == 3
    assert len(session.places[0].reasons) == 2


def test_an_accepted_road_keeps_its_decision_in_the_file(session, roads, tmp_path):
    number = number_of(session, UNSURE)
    session.accept(number)
    assert session.states[number] == "accepted"
    assert roads.isModified()
    assert "review" not in open_roads(tmp_path / "roads.gpkg").fields().names()  # nothing is written before saving
    assert roads.commitChanges()
    again = open_session(open_roads(tmp_path / "roads.gpkg"))
    assert again.states[number_of(again, UNSURE)] == "accepted"
    assert again.open_count == 3


def test_undo_takes_decisions_back(session, roads):
    accepted, deleted = number_of(session, UNSURE), number_of(session, GAP)
    session.accept(accepted)
    session.delete(deleted)
    assert (session.states[accepted], session.states[deleted]) == ("accepted", "deleted")
    roads.undoStack().undo()
    assert (session.states[accepted], session.states[deleted]) == ("accepted", "")
    roads.undoStack().undo()
    assert session.open_count == 4
    roads.undoStack().redo()
    assert session.states[accepted] == "accepted"
    assert roads.rollBack()
    assert session.open_count == 4


def test_roads_deleted_by_hand_and_by_the_panel_are_kept_aside(session, roads, tmp_path):
    session.delete(number_of(session, GAP))
    roads.deleteFeature(session.places[number_of(session, STUB)].feature_id)
    assert session.list_deleted() == []
    assert roads.commitChanges()
    assert session.open_count == 2
    assert [road for road, _ in read_table(tmp_path / "roads.gpkg", "road_deleted")] == [GAP, STUB]
    assert len(session.list_deleted()) == 2
    session.delete(number_of(session, NEAR))
    assert roads.commitChanges()
    assert [road for road, _ in read_table(tmp_path / "roads.gpkg", "road_deleted")] == [GAP, STUB, NEAR]
    assert [road for road, _ in read_table(tmp_path / "roads.gpkg", "roads")] == [1, UNSURE, 6, 7]


def test_a_rolled_back_deletion_leaves_nothing(session, roads, tmp_path):
    session.delete(0)
    assert roads.rollBack()
    assert session.open_count == 4
    session.accept(0)
    assert roads.commitChanges()
    with pytest.raises(sqlite3.OperationalError):
        read_table(tmp_path / "roads.gpkg", "road_deleted")


def test_an_edited_road_is_accepted_as_edited(session, roads):
    number = number_of(session, NEAR)
    session.start_editing()
    road = session.get_road(number)
    geometry = road.geometry()
    geometry.moveVertex(LEFT + 600, BOTTOM, 1)
    assert roads.changeGeometry(road.id(), geometry)
    session.accept(number)
    assert session.states[number] == "edited"
    assert roads.commitChanges()
    assert session.states[number] == "edited"


def test_layers_that_cannot_be_reviewed(project, tmp_path):
    from terraspore.plugin.engine.errors import EngineError
    from terraspore.plugin.review.session import is_reviewable

    memory = QgsVectorLayer("LineString?field=road_id:integer", "lines", "memory")
    with pytest.raises(EngineError, match="lines has no column from_kind"):
        open_session(memory)
    assert not is_reviewable(memory)
    path = write_roads(tmp_path / "roads.gpkg", draw_doubts())
    gdal.VectorTranslate(str(tmp_path / "roads.fgb"), str(path), format="FlatGeobuf")
    with pytest.raises(EngineError, match="not in a GeoPackage"):
        open_session(QgsVectorLayer(str(tmp_path / "roads.fgb"), "Roads", "ogr"))
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        layer = open_roads(path)
        if not layer.dataProvider().capabilities() & layer.dataProvider().EditingCapabilities:
            with pytest.raises(EngineError, match="cannot be edited"):
                open_session(layer).accept(0)
    finally:
        tmp_path.chmod(0o755)


def test_a_layer_without_roads_has_no_places(project, tmp_path):
    assert open_session(open_roads(write_roads(tmp_path / "roads.gpkg", []))).places == []


# ---- Panel


class Iface(QObject):
    """What the panel uses of QGIS's window."""

    def __init__(self):
        super().__init__()
        self.window, self.canvas, self.active = QMainWindow(), QgsMapCanvas(), None
        self.window.setCentralWidget(self.canvas)
        self.tool = QAction(self.window)
        self.tool.setCheckable(True)
        self.mapCanvas, self.mainWindow = (lambda: self.canvas), (lambda: self.window)
        self.actionVertexToolActiveLayer = lambda: self.tool
        self.setActiveLayer = lambda layer: setattr(self, "active", layer)


@pytest.fixture
def iface(project):
    return Iface()


@pytest.fixture
def panel(iface):
    from terraspore.plugin.review.panel import ReviewPanel

    asked = []
    panel = ReviewPanel(iface, asked.append, iface.window)
    panel.asked = asked
    iface.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, panel)
    iface.window.resize(1000, 700)
    iface.window.show()
    QApplication.setActiveWindow(iface.window)  # keys are shortcuts of the active window
    QCoreApplication.processEvents()
    yield panel
    panel.unload()
    iface.window.close()


def press(widget, key):
    widget.setFocus()
    QTest.keyClick(widget, key)


def test_keys_decide_and_go_on(panel, iface, roads):
    panel.set_layer(roads)
    session = panel.session
    assert [panel.places.currentRow(), panel.places.count()] == [0, 4]
    assert panel.note.text() == "0 of 4 doubtful places are reviewed."
    assert panel.places.item(0).toolTip() == panel.places.item(0).text()
    first, second = session.places[:2]
    assert iface.canvas.extent().buffered(1e-6).contains(first.window)  # rounding of the canvas's own aspect
    press(panel.places, Qt.Key.Key_A)
    assert session.states[0] == "accepted"
    assert panel.places.item(0).text().startswith("✓ ")
    assert panel.places.currentRow() == 1
    assert iface.canvas.extent().contains(second.window)
    press(iface.canvas, Qt.Key.Key_D)  # on the map, too
    assert session.states[1] == "deleted"
    assert panel.note.text() == "2 of 4 doubtful places are reviewed."
    press(panel.places, Qt.Key.Key_B)
    press(panel.places, Qt.Key.Key_B)
    assert panel.places.currentRow() == 0
    press(panel.places, Qt.Key.Key_N)
    assert panel.places.currentRow() == 1
    press(panel.places, Qt.Key.Key_A)  # a deleted road cannot be accepted
    assert session.states[1] == "deleted"
    press(panel.places, Qt.Key.Key_E)
    assert iface.active is roads
    assert iface.tool.isChecked()
    assert roads.isEditable()


def test_roads_can_be_hidden(panel, project, roads):
    panel.set_layer(roads)
    node = project.layerTreeRoot().findLayer(roads.id())
    press(panel.places, Qt.Key.Key_H)
    assert not node.itemVisibilityChecked()
    press(panel.places, Qt.Key.Key_H)
    assert node.itemVisibilityChecked()


def test_layer_that_goes_ends_the_review(panel, project, roads):
    panel.set_layer(roads)
    project.removeMapLayer(roads.id())
    assert panel.session is None
    assert panel.places.count() == 0
    press(panel.places, Qt.Key.Key_A)


def test_layer_of_others_is_explained(panel, project):
    layer = project.addMapLayer(QgsVectorLayer("LineString?field=road_id:integer", "lines", "memory"))
    panel.set_layer(layer)
    assert "no column" in panel.note.text()
    assert not panel.buttons["A"].isEnabled()


def test_five_thousand_roads(panel, project, tmp_path, monkeypatch):
    """The list is made once; a step reads one road, and a decision changes one row."""
    from terraspore.plugin.review import session as module

    layer = project.addMapLayer(open_roads(write_roads(tmp_path / "roads.gpkg", draw_many(5000))))
    panel.set_layer(layer)
    session = panel.session
    assert len(session.places) == 5000
    assert panel.places.currentRow() == 0
    reads, described = [], []
    monkeypatch.setattr(module, "find_places", lambda *_: pytest.fail("the list was made again"))
    get_road, describe = session.get_road, panel._describe
    monkeypatch.setattr(session, "get_road", lambda number: reads.append(number) or get_road(number))
    monkeypatch.setattr(panel, "_describe", lambda number: described.append(number) or describe(number))
    for _ in range(10):
        press(panel.places, Qt.Key.Key_N)
        press(panel.places, Qt.Key.Key_A)
    assert session.open_count == 4990
    assert len(reads) <= 20
    assert len(described) <= 20


def test_result_of_a_run_offers_the_review(project, roads):
    from types import SimpleNamespace

    from qgis.core import QgsApplication, QgsProcessingAlgorithm
    from qgis.gui import QgsMessageBar
    from qgis.PyQt.QtWidgets import QPushButton
    from terraspore.plugin import runner

    bar, reviewed = QgsMessageBar(), []
    for layers, expected in (([roads], [roads]), ([QgsVectorLayer("Point", "points", "memory")], [])):
        algorithm = QgsApplication.processingRegistry().algorithmById("native:buffer")
        assert isinstance(algorithm, QgsProcessingAlgorithm)
        run = runner.Run(SimpleNamespace(messageBar=lambda: bar), algorithm, {}, bar, reviewed.append)
        run._show_later = lambda show: show()
        run._show_result(layers, {"OUTPUT": "/tmp/roads.gpkg"})
        buttons = [button for button in bar.currentItem().findChildren(QPushButton) if button.text() == "Review"]
        for button in buttons:
            button.click()
        assert reviewed == expected
        reviewed.clear()
        bar.clearWidgets()


# ---- Training


def test_area_of_a_review(session, roads, project):
    from terraspore.plugin.engine.errors import EngineError
    from terraspore.plugin.review.chips import make_reviewed_area

    context = project.transformContext()
    with pytest.raises(EngineError, match="No place was reviewed yet"):
        make_reviewed_area(session, context)
    session.accept(number_of(session, GAP))
    session.delete(number_of(session, NEAR))
    with pytest.raises(EngineError, match="Save them first"):
        make_reviewed_area(session, context)
    assert roads.commitChanges()
    (feature,) = make_reviewed_area(session, context).getFeatures()
    area = feature.geometry()

    def is_inside(x, y):
        from qgis.core import QgsGeometry, QgsPointXY

        return area.contains(QgsGeometry.fromPointXY(QgsPointXY(LEFT + x, BOTTOM + y)))

    assert is_inside(200, 430)  # beside the accepted road
    assert is_inside(600, 150)  # where the deleted one was
    assert not is_inside(200, 200)  # an open one
    for number in (number_of(session, UNSURE), number_of(session, STUB)):
        session.accept(number)
    assert roads.commitChanges()
    assert make_reviewed_area(session, context) is None  # all of the image


def test_chips_are_asked_for_with_the_reviewed_area(panel, project, roads, inputs):
    image = project.addMapLayer(QgsRasterLayer(str(inputs / "image.tif"), "image"))
    panel.set_layer(roads)
    panel.session.accept(0)
    assert roads.commitChanges()
    QTest.mouseClick(panel.chips, Qt.MouseButton.LeftButton)
    (parameters,) = panel.asked
    area = project.mapLayer(parameters.pop("AREA"))
    assert area.featureCount() == 1
    assert parameters == {"INPUT": image.id(), "VECTORS": roads.id(), "WIDTH_FIELD": "width"}


# ---- Topology rules


def test_topology_rules_are_added_once(project, tmp_path):
    from osgeo import ogr
    from terraspore.plugin.review.topology import add_topology_rules

    path = write_roads(tmp_path / "roads.gpkg", draw_doubts())
    data = ogr.Open(str(path), update=1)
    data.CreateLayer("road_nodes", geom_type=ogr.wkbPoint)
    del data
    lines = project.addMapLayer(open_roads(path))
    assert add_topology_rules(project) == 4  # the rules of lines alone
    nodes = project.addMapLayer(open_roads(path, "road_nodes"))
    assert add_topology_rules(project) == 3
    assert add_topology_rules(project) == 0
    assert project.readNumEntry("Topol", "/testCount", 0)[0] == 7
    rules = [tuple(project.readEntry("Topol", f"/{key}_{n}", "")[0] for key in ("testname", "layer1", "layer2"))
             for n in range(7)]  # fmt: skip
    assert ("must not have dangles", lines.id(), "No layer") in rules
    assert ("end points must be covered by", lines.id(), nodes.id()) in rules
