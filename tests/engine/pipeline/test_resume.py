"""A run that was interrupted at any tile and resumed writes what an uninterrupted one does, bit for bit."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, InferenceError
from terraspore.engine.fs.journal import Fingerprint, JournalHeader, JournalWriter, create_journal, read_journal
from terraspore.engine.fs.regular_file import FileIdentity
from terraspore.engine.pipeline.job import InferenceJob
from terraspore.engine.pipeline.resume import RowJournal
from terraspore.engine.pipeline.run_outputs import ClassEncoder, class_sink, probability_sink
from terraspore.engine.pipeline.runner import run_inference
from terraspore.engine.protocol.messages import Progress
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.probability import ProbabilityStatistics
from terraspore.engine.raster.reader import ImageView, read_strips
from terraspore.engine.runtimes.base import map_batches
from terraspore.engine.tiling import make_plan


@contextmanager
def open_job(path, resolution, *, tile=32, overlap=12, batch=3):
    with open_source(path) as source:
        grid = source.make_grid(resolution)
        view = ImageView(source, grid, choose_bands(source, None, 3), None, "uint8")
        yield InferenceJob(view, make_plan(grid.width, grid.height, tile, overlap), 3, 2, batch)


def picture(rows, columns):
    pixels = np.random.default_rng(rows).integers(1, 250, (3, rows, columns), dtype=np.uint8)
    pixels[:, rows // 3 : rows // 2, columns // 4 :] = 0
    pixels[:, :, :5] = 0
    return pixels


def network(tiles):
    """Two classes that are not the same at any two pixels, and depend on the neighbours and on nothing else."""
    values = tiles.astype(np.float32)
    mixed = values + np.roll(values, 3, axis=2) * np.float32(0.37) + np.roll(values, -2, axis=3) * np.float32(0.11)
    return np.stack([mixed[:, 0] + mixed[:, 1], mixed[:, 2] * np.float32(1.9)], axis=1) / np.float32(1000)


class Failing:
    """A network that fails after so many calls."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self, tiles):
        if self.left == 0:
            raise InferenceError("interrupted")
        self.left -= 1
        return network(tiles)


def run(job, predict, journal=None, reporter=None):
    """What three rasters get, and the counts."""
    probability, classes, confidence = [], [], []
    sinks = [
        class_sink(
            ClassEncoder((3, 7), 0.5, has_confidence=True),
            lambda rows: classes.append(rows.copy()),
            lambda rows: confidence.append(rows.copy()),
            ProbabilityStatistics(),
        ),
        probability_sink(2, lambda rows: probability.append(rows.copy())),
    ]
    counts = run_inference(
        job, map_batches(predict), sinks, RunContext(reporter or RecordingReporter()), journal=journal
    )
    return [np.concatenate(part, axis=1) for part in (probability, classes, confidence)], counts


def begin(output, job, path):
    fingerprint = Fingerprint("1", (FileIdentity.from_path(path),), {})
    return create_journal(output, JournalHeader(output.name, fingerprint, job.plan.rows.count, job.batch))


def interrupt(output, path, resolution, calls):
    """Run until the network fails; every finished row counts."""
    with open_job(path, resolution) as job:
        journal = RowJournal(output, begin(output, job, path))
        with pytest.raises(InferenceError, match="interrupted"):
            run(job, Failing(calls), journal)
        journal.commit()
        journal.close()


@pytest.mark.parametrize("resolution", [None, 1.7, 0.6])
@settings(max_examples=8)
@given(share=st.floats(0, 0.999), again=st.floats(0, 0.999))
def test_interrupted_anywhere_the_result_is_the_same(make_raster, tmp_path, resolution, share, again):
    path = make_raster(picture(170, 120), nodata=0)
    output = tmp_path / "p.tif"
    calls = []
    with open_job(path, resolution) as job:
        expected, counts = run(job, lambda tiles: calls.append(1) or network(tiles))
        rows = job.plan.rows.count
        assert rows > 2
    interrupt(output, path, resolution, int(share * len(calls)))
    for predict in (Failing(int(again * len(calls))), network):
        journal = read_journal(output)
        finished = len(journal.records)
        # The batch of the journal counts, not that of the session.
        with open_job(path, resolution, batch=5) as job:
            journal, reporter = RowJournal(output, journal), RecordingReporter()
            try:
                result, resumed = run(job, predict, journal, reporter)
            except InferenceError:
                journal.commit()
                journal.close()
                continue
            journal.close()
            columns = job.plan.columns.count
        for mine, theirs in zip(result, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert (resumed.tiles, resumed.empty) == (counts.tiles, counts.empty)
        done = [event.done for event in reporter.events if isinstance(event, Progress)]
        assert done[0] >= finished * columns
        assert done[-1] == counts.tiles
        break
    assert len(read_journal(output).records) == rows


def test_a_finished_stream_is_written_from_the_journal_alone(make_raster, tmp_path):
    path = make_raster(picture(170, 120), nodata=0)
    output = tmp_path / "p.tif"
    with open_job(path, None) as job:
        journal = RowJournal(output, begin(output, job, path))
        expected, _ = run(job, network, journal)
        journal.close()
        again, _ = run(job, Failing(0), RowJournal(output, read_journal(output)))
    for mine, theirs in zip(again, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_replay_can_be_cancelled(make_raster, tmp_path):
    path = make_raster(picture(170, 120), nodata=0)
    output = tmp_path / "p.tif"
    cancellation = Cancellation()
    with open_job(path, None) as job:
        JournalWriter(begin(output, job, path), 0).close()
        journal = RowJournal(output, begin(output, job, path))
        run(job, network, journal)
        journal.close()
        cancellation.cancel()
        with pytest.raises(Cancelled):
            RowJournal(output, read_journal(output)).replay(job.plan, [], cancellation)


@pytest.mark.parametrize("resolution", [None, 1.7, 0.6])
def test_strips_from_any_row_are_those_of_the_whole(make_raster, resolution):
    with open_job(make_raster(picture(170, 120), nodata=0), resolution, overlap=16) as job:
        whole = list(read_strips(job.view, job.plan))
        for first in range(job.plan.rows.count):
            part = list(read_strips(job.view, job.plan, first))
            assert [strip.row for strip in part] == list(range(first, job.plan.rows.count))
            for mine, theirs in zip(part, whole[first:], strict=True):
                np.testing.assert_array_equal(mine.pixels, theirs.pixels)
                for strip in (mine, theirs):
                    assert strip.valid is None or strip.valid.shape == (32, max(32, job.view.spec.grid.width))
                valid = [np.ones((32, 1), bool) if strip.valid is None else strip.valid for strip in (mine, theirs)]
                assert np.array_equal(*np.broadcast_arrays(*valid))
