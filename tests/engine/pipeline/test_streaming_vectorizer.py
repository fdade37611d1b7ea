"""Roads that are made while the network still computes."""

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, VectorError
from terraspore.engine.pipeline.request import ImageRequest, RoadRequest
from terraspore.engine.pipeline.roads import extract_roads
from terraspore.engine.pipeline.streaming_vectorizer import DeferredReporter
from terraspore.engine.protocol.messages import Message, Progress
from terraspore.engine.protocol.options import ImageOptions, RoadOptions, RuntimeOptions
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.roads.extract import vectorize_roads

ONNX = RuntimeOptions(device="cpu", runtime="onnxruntime")


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def scene():
    """A picture (3, 700, 500) with roads with gaps, noise and a corner without data."""
    random = np.random.default_rng(4)
    pixels = random.integers(1, 100, (3, 700, 500), dtype=np.uint8)
    for place in (80, 230, 420, 610):
        pixels[:, place : place + 9] = random.integers(150, 250, (3, 9, 500))
    for place in (60, 300, 410):
        pixels[:, :, place : place + 7] = random.integers(150, 250, (3, 700, 7))
    pixels[:, 300:330] = 30
    pixels[:, :90, :70] = 0
    return pixels


def features(path, layer):
    _, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
    # As text, because no NaN (a road without a closed gap) equals another.
    return shapely.to_wkt(shapely.from_wkb(geometry)).tolist(), [str(column.tolist()) for column in columns]


def test_streamed_roads_are_those_of_the_written_raster(make_raster, make_model, sessions, tmp_path):
    image = ImageRequest(make_raster(scene(), nodata=0), ImageOptions(model=str(make_model())), runtime=ONNX)
    streamed, kept, later = tmp_path / "streamed.gpkg", tmp_path / "kept.tif", tmp_path / "later.gpkg"
    extract_roads(RoadRequest(image, streamed, kept), sessions, RunContext())
    summary = vectorize_roads(kept, VectorTarget(later), RoadOptions(threshold=0.5), context=RunContext())
    assert summary.edges > 10
    assert summary.areas > 0
    for layer in ("roads", "road_nodes", "road_areas"):
        assert features(streamed, layer) == features(later, layer)


def test_vectors_report_only_after_finish_was_called(make_raster, make_model, sessions, tmp_path):
    reporter = RecordingReporter()
    raster = make_raster(scene(), crs=None)
    image = ImageRequest(raster, ImageOptions(model=str(make_model()), pixel_size=1.0), runtime=ONNX)
    extract_roads(RoadRequest(image, tmp_path / "roads.gpkg"), sessions, RunContext(reporter))
    stages = [event.stage for event in reporter.events if isinstance(event, Progress)]
    last = len(stages) - 1 - stages[::-1].index("infer")
    assert set(stages[: last + 1]) <= {"read", "infer"}
    # How much of it is left to report then depends on how far the background threads are.
    assert set(stages[last + 1 :]) <= {"vectorize", "write"}
    remarks = [event.text for event in reporter.events if isinstance(event, Message)]
    assert sum("has no CRS" in text and raster.name in text for text in remarks) == 1


def test_deferred_events_keep_their_order_and_progress_is_dropped():
    recorder = RecordingReporter()
    deferred = DeferredReporter(recorder)
    deferred.emit(Message("first"))
    deferred.emit(Progress("vectorize", 1, 2))
    assert recorder.events == []
    deferred.release()
    deferred.emit(Progress("vectorize", 2, 2))
    assert recorder.events == [Message("first"), Progress("vectorize", 2, 2)]


def test_roads_that_cannot_be_made_end_the_run(make_raster, make_model, sessions, out, monkeypatch):
    def fail(*_arguments, **_options):
        raise VectorError("No roads today.")

    monkeypatch.setattr("terraspore.engine.vector.roads.extract.vectorize_probability", fail)
    image = ImageRequest(make_raster(np.tile(scene(), (1, 4, 1))), ImageOptions(model=str(make_model())), runtime=ONNX)
    with pytest.raises(VectorError, match="No roads today"):
        extract_roads(RoadRequest(image, out / "roads.gpkg"), sessions, RunContext())
    assert [path.name for path in out.iterdir() if not path.name.endswith(".unfinished")] == []


def test_a_cancel_while_roads_wait_for_rows_leaves_nothing(make_raster, make_model, sessions, out):
    cancellation = Cancellation()

    class CancelInTheMiddle(RecordingReporter):
        def emit(self, event):
            if isinstance(event, Progress) and event.done > event.total // 2:
                cancellation.cancel()

    image = ImageRequest(make_raster(scene()), ImageOptions(model=str(make_model())), runtime=ONNX)
    with pytest.raises(Cancelled):
        extract_roads(RoadRequest(image, out / "roads.gpkg"), sessions, RunContext(CancelInTheMiddle(), cancellation))
    assert list(out.iterdir()) == []
