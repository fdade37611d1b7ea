"""The stream with small functions as networks: what they see, what is skipped, how it ends."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, ModelError, OutputError, SourceError
from terraspore.engine.pipeline.job import InferenceJob, average_symmetries
from terraspore.engine.pipeline.plan import estimate_memory, estimate_seconds
from terraspore.engine.pipeline.run_outputs import ClassEncoder, class_sink, probability_sink
from terraspore.engine.pipeline.runner import run_inference
from terraspore.engine.protocol.messages import Progress
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.probability import ProbabilityStatistics
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.runtimes.base import map_batches
from terraspore.engine.tiling import make_plan


@contextmanager
def open_job(path, *, tile=32, overlap=8, bands=3, classes=1, batch=1):
    with open_source(path) as source:
        grid = source.make_grid(None)
        view = ImageView(source, grid, choose_bands(source, None, bands), None, "uint8")
        yield InferenceJob(view, make_plan(grid.width, grid.height, tile, overlap), bands, classes, batch)


def first_band(tiles):
    return tiles[:, :1].astype(np.float32) / 250


def run(job, predict=first_band, cancellation=None, reporter=None, write=None):
    """The probability raster, and the counts."""
    rows = []
    sinks = [probability_sink(job.classes, write or (lambda piece: rows.append(piece.copy())))]
    counts = run_inference(
        job,
        map_batches(predict),
        sinks,
        RunContext(reporter or RecordingReporter(), cancellation or Cancellation()),
    )
    return np.concatenate(rows, axis=1) if rows else None, counts


def picture(rows=150, columns=130, bands=3):
    return np.random.default_rng(5).integers(0, 250, (bands, rows, columns), dtype=np.uint8)


def running():
    return {thread.name for thread in threading.enumerate()} & {"read-ahead", "write-behind"}


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_batches_change_nothing(make_raster, batch):
    pixels = picture()
    sizes = []

    def predict(tiles):
        sizes.append(len(tiles))
        return first_band(tiles)

    with open_job(make_raster(pixels), batch=batch) as job:
        result, counts = run(job, predict)
        assert max(sizes) == min(batch, job.plan.columns.count)
        assert sum(sizes) == job.plan.count == counts.tiles
    np.testing.assert_array_equal(result[0], pixels[0])


def test_empty_tiles_are_not_computed(make_raster):
    pixels = picture()
    pixels[:, 40:, :] = 250
    seen = []

    def predict(tiles):
        seen.append(len(tiles))
        return first_band(tiles)

    with open_job(make_raster(pixels, nodata=250), batch=4) as job:
        result, counts = run(job, predict)
        rows = sum(job.plan.rows.active_range(i)[0] < 40 for i in range(job.plan.rows.count))
        assert sum(seen) == rows * job.plan.columns.count
        assert counts.empty == counts.tiles - sum(seen) > 0
    np.testing.assert_array_equal(result[0], np.where(pixels[0] == 250, 255, pixels[0]))


def test_there_are_no_seams(make_raster):
    """Tiles that contradict each other are blended without a step; a hard cut would show one of 250 levels."""
    calls = []

    def predict(tiles):
        calls.append(0)
        return np.full((len(tiles), 1, 64, 64), len(calls) % 2, np.float32)

    with open_job(make_raster(picture(64, 400)), tile=64, overlap=32) as job:
        result, _ = run(job, predict)
        ramp = job.plan.columns.ramp
    assert result.min() == 0
    assert result.max() == 250
    assert np.abs(np.diff(result[0].astype(int), axis=1)).max() <= 250 / ramp + 4


def test_augmentation_sees_every_symmetry_and_turns_results_back(make_raster):
    """A network that marks the pixel to the left of bright ones: the average marks all four neighbours."""
    pixels = np.zeros((3, 32, 32), np.uint8)
    pixels[:, 16, 16] = 250
    seen = set()

    def shift(tiles):
        seen.add(tiles.tobytes())
        return np.roll(first_band(tiles), -1, axis=3)

    with open_job(make_raster(pixels), overlap=0) as job:
        result, _ = run(job, average_symmetries(shift))
    expected = np.zeros((32, 32))
    for row, column in ((16, 15), (16, 17), (15, 16), (17, 16)):
        expected[row, column] = 250 / 4
    assert np.abs(result[0] - expected).max() <= 0.5
    noise = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    calls = []
    average_symmetries(lambda tiles: calls.append(tiles.tobytes()) or tiles)(noise)
    assert len(set(calls)) == 8
    np.testing.assert_allclose(average_symmetries(lambda tiles: tiles)(noise), noise, rtol=1e-6)


def test_classes_are_chosen_after_blending(make_raster):
    rows = []
    pixels = picture()

    def predict(tiles):
        share = first_band(tiles)
        return np.concatenate([share * 0.5, (1 - share) * 0.5, np.full_like(share, 0.2)], axis=1)

    with open_job(make_raster(pixels), classes=3) as job:
        sink = class_sink(
            ClassEncoder((3, 5, 8), 0.5, has_confidence=False),
            lambda piece: rows.append(piece.copy()),
            None,
            ProbabilityStatistics(),
        )
        run_inference(job, map_batches(predict), [sink], RunContext())
    share = pixels[0] / 250
    expected = np.array([3, 5, 8])[np.argmax([share / 2, (1 - share) / 2, np.full_like(share, 0.2)], axis=0)]
    result = np.concatenate(rows, axis=1)[0]
    assert (result == expected).mean() > 0.99  # but for ties after rounding to 1/4096


def test_progress_ends_at_the_last_tile(make_raster):
    reporter = RecordingReporter()
    with open_job(make_raster(picture())) as job:
        run(job, reporter=reporter)
        total = job.plan.count
    events = [event for event in reporter.events if isinstance(event, Progress)]
    assert events[-1].done == events[-1].total == total
    assert events[-1].rate > 0
    assert events[-1].eta == 0
    assert all(a.done < b.done for a, b in pairwise(events))


def test_cancel_ends_before_the_next_tile(make_raster):
    cancellation, calls = Cancellation(), []

    def predict(tiles):
        calls.append(1)
        if len(calls) == 3:
            cancellation.cancel()
        return first_band(tiles)

    with open_job(make_raster(picture())) as job, pytest.raises(Cancelled):
        run(job, predict, cancellation)
    assert len(calls) == 3
    assert not running()


def test_network_that_gives_no_numbers(make_raster):
    def predict(tiles):
        result = first_band(tiles)
        result[0, 0, 3, 3] = np.nan
        return result

    with open_job(make_raster(picture())) as job, pytest.raises(ModelError, match="not numbers"):
        run(job, predict)
    assert not running()


def test_network_of_another_shape(make_raster):
    with open_job(make_raster(picture()), classes=2) as job, pytest.raises(ModelError, match="shape"):
        run(job)
    assert not running()


def test_error_while_writing_ends_the_run_soon(make_raster):
    calls = []

    def predict(tiles):
        calls.append(1)
        return first_band(tiles)

    def write(_rows):
        raise OutputError("The disk is full.")

    with open_job(make_raster(picture(2000, 100))) as job, pytest.raises(OutputError, match="disk is full"):
        run(job, predict, write=write)
    assert len(calls) < job.plan.count / 2
    assert not running()


def test_error_while_reading_ends_the_run(make_raster):
    path = make_raster(picture(2000, 100), tiled=True, compress="deflate", blockxsize=64, blockysize=64)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : -2000] = bytes(len(content) - len(content) // 2 - 2000)
    path.write_bytes(content)
    with pytest.raises(SourceError, match="Rows"), open_job(path) as job:
        run(job)
    assert not running()


def test_estimates(make_raster):
    now = [0.0]
    with open_job(make_raster(picture(300, 300))) as job:
        assert job.plan.count > 40

        def predict(tiles):
            now[0] += 0.01
            return first_band(tiles)

        seconds = estimate_seconds(job, map_batches(predict), job.plan.count, lambda: now[0])
        assert seconds == pytest.approx(0.01 * job.plan.count)
        assert estimate_seconds(job, map_batches(predict), 5, lambda: now[0]) is None
    with open_job(make_raster(picture(3000, 300))) as tall:
        assert estimate_memory(tall) == pytest.approx(estimate_memory(job), rel=0.2)
