"""Blocks in files give the rows of one run, whatever the division; files that are not right are computed again."""

from __future__ import annotations

import copy
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.context import Cancellation, RunContext
from terraspore.engine.errors import Cancelled, DiskFullError, OutputError
from terraspore.engine.pipeline.block_layout import BlockIndex, BlockLayout, choose_layout
from terraspore.engine.pipeline.block_reader import BlockReader, write_sinks
from terraspore.engine.pipeline.block_store import BlockStore
from terraspore.engine.pipeline.job import InferenceJob
from terraspore.engine.pipeline.run_outputs import ClassEncoder, OutputSink, ProbabilityEncoder
from terraspore.engine.pipeline.runner import compute_block_rows, run_inference
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.probability import NODATA, QuantizedRaster
from terraspore.engine.raster.reader import ImageView, read_strips
from terraspore.engine.runtimes.base import map_batches
from terraspore.engine.tiling import make_plan


def predict(tiles):
    """Each tile is seen differently from its neighbours: by its mean, as a network with a wide view would."""
    share = tiles.astype(np.float32) / 255
    mean = share.mean(axis=(1, 2, 3))[:, None, None]
    return np.stack([(share[:, 0] + mean) / 2, share[:, 1] ** 2, share[:, 2] * mean], axis=1)


@contextmanager
def open_job(path, *, tile=32, overlap=8, batch=2, resolution=None):
    with open_source(path) as source:
        grid = source.make_grid(resolution)
        view = ImageView(source, grid, choose_bands(source, None, 3), None, "uint8")
        yield InferenceJob(view, make_plan(grid.width, grid.height, tile, overlap), bands=3, classes=3, batch=batch)


ENCODERS = (ProbabilityEncoder(3), ClassEncoder((4, 5, 9), 0.5, has_confidence=True))


def streamed(job):
    """The rows of both rasters by one run, and its statistics."""
    rows = [[], []]
    sinks = [
        OutputSink(encoder, lambda piece, kept=kept: kept.append(piece.copy()))
        for encoder, kept in zip(ENCODERS, rows, strict=True)
    ]
    statistics = run_inference(job, map_batches(predict), sinks, RunContext())
    return [np.concatenate(kept, axis=1) for kept in rows], statistics


def make_store(folder, job, rows, columns, fingerprint="a"):
    folder.mkdir(exist_ok=True)
    layout = BlockLayout(job.plan, rows, columns)
    return BlockStore(folder, layout, job.classes, ENCODERS, fingerprint, folder.with_suffix(".gpkg"))


def compute(store, job, index, function=predict):
    rows = compute_block_rows(job, store.layout.block(index), map_batches(function), Cancellation())
    return store.write(index, rows)


def picture(rows, columns, hole=False, seed=3):
    pixels = np.random.default_rng(seed).integers(0, 250, (3, rows, columns), dtype=np.uint8)
    if hole:
        pixels[:, rows // 8 : rows // 2 + 20, columns // 3 :] = 255  # large enough that tiles are empty
    return pixels


@settings(max_examples=40)
@given(data=st.data())
def test_any_division_and_any_window_equal_one_run(make_raster, tmp_path, data):
    size = data.draw(st.tuples(st.integers(1, 170), st.integers(1, 170)), label="size")
    tile = data.draw(st.sampled_from([7, 24, 32, 61]), label="tile")
    overlap = data.draw(st.integers(0, tile // 2), label="overlap")
    hole = data.draw(st.booleans(), label="hole")
    resolution = data.draw(st.sampled_from([None, None, 0.7]), label="resolution")
    division = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)), label="tiles of a block")
    image = make_raster(picture(*size, hole), nodata=255 if hole else None)
    with open_job(image, tile=tile, overlap=overlap, resolution=resolution) as job:
        (probability, classes), statistics = streamed(job)
        folder = tmp_path / "blocks"
        store = make_store(folder, job, *division, fingerprint=repr((size, tile, overlap, hole, resolution, division)))
        order = data.draw(st.permutations(list(store.layout.indices())), label="order")
        empty = [compute(store, job, index) for index in order]
    assert sum(empty) == statistics.empty
    height, width = probability.shape[1:]
    y0, x0 = (data.draw(st.integers(0, n - 1)) for n in (height, width))
    y1, x1 = (data.draw(st.integers(a + 1, n)) for a, n in ((y0, height), (x0, width)))
    reader = BlockReader(store)
    np.testing.assert_array_equal(reader.read((x0, y0, x1, y1), 0), probability[:, y0:y1, x0:x1])
    np.testing.assert_array_equal(reader.read((x0, y0, x1, y1), 1), classes[:, y0:y1, x0:x1])
    rows = [np.concatenate(parts, axis=1) for parts in zip(*BlockReader(store).read_rows(), strict=True)]
    np.testing.assert_array_equal(rows[0], probability)
    np.testing.assert_array_equal(rows[1], classes)


def test_averaged_pixels_of_blocks_differ_by_a_rounding_at_most(make_raster):
    """GDAL averages a pixel with weights that depend on the window, so a value halfway may be rounded up or down."""
    with open_job(make_raster(picture(400, 300)), resolution=1.4) as job:
        whole = list(read_strips(job.view, job.plan))
        layout = BlockLayout(job.plan, 2, 3)
        count = differing = 0
        for index in layout.indices():
            for strip in read_strips(job.view, job.plan, block=layout.block(index)):
                wide = whole[strip.row].pixels[:, :, strip.left : strip.left + strip.pixels.shape[2]]
                step = np.abs(strip.pixels.astype(int) - wide)
                assert step.max() <= 1
                count, differing = count + step.size, differing + np.count_nonzero(step)
    assert differing < count / 1000


def test_vectorizers_see_the_probabilities_of_one_run(make_raster, tmp_path):
    with open_job(make_raster(picture(120, 90, hole=True), nodata=255)) as job:
        (expected, _), _ = streamed(job)
        store = make_store(tmp_path / "blocks", job, 2, 2)
        for index in store.layout.indices():
            compute(store, job, index)
        grid = job.view.spec.grid
    raster = QuantizedRaster(
        expected.shape[1:], grid.transform, grid.crs, "nodata 255", read_stored=BlockReader(store).read_band
    )
    np.testing.assert_array_equal(
        raster.read(20, 10, 90, 70), np.where(expected == NODATA, 0, expected)[0, 20:110, 10:80]
    )
    np.testing.assert_array_equal(raster.read_valid(20, 10, 90, 70), expected[0, 20:110, 10:80] != NODATA)
    assert raster.measure().valid == np.count_nonzero(expected[0] != NODATA)


@pytest.fixture
def finished(make_raster, tmp_path):
    """A store of six complete blocks, its job, and the rows of one run."""
    with open_job(make_raster(picture(100, 150))) as job:
        store = make_store(tmp_path / "blocks", job, 2, 2)
        assert store.layout.count == 6
        for index in store.layout.indices():
            compute(store, job, index)
        yield store, job, streamed(job)[0]


def spoil(path, how):
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
        return
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "flipped":
        data[len(data) // 2] ^= 0x10
    else:
        data = b"" if how == "empty" else b"\0" * len(data)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["missing", "cut", "flipped", "empty", "zeros"])
def test_damaged_file_is_found_and_computed_again(finished, how):
    store, job, (probability, _) = finished
    index = BlockIndex(1, 1)
    assert all(store.check(each) is not None for each in store.layout.indices())
    spoil(store.path(index), how)
    assert [each for each in store.layout.indices() if store.check(each) is None] == [index]
    with pytest.raises(OutputError, match=r"00001.zip of a finished block .* --resume"):
        for _ in BlockReader(store).read_rows():
            pass
    compute(store, job, index)
    np.testing.assert_array_equal(BlockReader(store).read((0, 0, 150, 100)), probability)


def test_every_byte_of_a_file_counts(finished):
    """A flipped bit anywhere is noticed, or changes nothing that is read."""
    store, _, (probability, classes) = finished
    index = BlockIndex(0, 1)
    path, window = store.path(index), (0, 0, 150, 100)
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if store.check(index) is not None:
            np.testing.assert_array_equal(BlockReader(store).read(window, 0), probability)
            np.testing.assert_array_equal(BlockReader(store).read(window, 1), classes)


def test_files_of_another_run_or_place_are_not_taken(finished, tmp_path):
    store, job, _ = finished
    other = make_store(tmp_path / "blocks", job, 2, 2, fingerprint="b")
    assert job.plan.count > 6
    assert [other.check(index) for index in other.layout.indices()] == [None] * 6
    store.path(BlockIndex(0, 0)).replace(store.path(BlockIndex(0, 1)))
    assert store.check(BlockIndex(0, 1)) is None


def test_array_of_another_shape_is_not_taken(finished):
    store, _, _ = finished
    path = store.path(BlockIndex(0, 0))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["0/0"] = members["1/0"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(OutputError, match="damaged"):
        BlockReader(store).read((0, 0, 10, 10))


@pytest.mark.parametrize("error", [Cancelled("Cancelled."), KeyboardInterrupt(), OSError(28, "No space left")])
def test_unfinished_block_leaves_no_file(make_raster, tmp_path, error):
    with open_job(make_raster(picture(100, 90))) as job:
        store = make_store(tmp_path / "blocks", job, 9, 9)
        pieces = compute_block_rows(job, store.layout.block(BlockIndex(0, 0)), map_batches(predict), Cancellation())

        def interrupted():
            yield next(pieces)
            raise error

        with pytest.raises(DiskFullError if isinstance(error, OSError) else type(error)):
            store.write(BlockIndex(0, 0), interrupted())
        pieces.close()
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []
    assert (store.count_files(), store.check(BlockIndex(0, 0))) == (0, None)


def test_partial_files_of_dead_processes_are_removed(finished):
    store, _, _ = finished
    partial = store.folder / "00000" / ".00001-host-77-abcd.partial"
    partial.write_bytes(b"half")
    assert store.count_files() == 6
    store.remove_partial_files()
    assert not partial.exists()
    assert store.count_files() == 6


def test_blocks_of_other_processes_are_the_same(finished):
    store, _, (probability, _) = finished
    received = copy.deepcopy(store)  # as a pickle does: by what its class gives
    assert received == store
    np.testing.assert_array_equal(BlockReader(received).read((0, 0, 150, 100)), probability)


def test_sinks_receive_the_rows_of_one_run(finished):
    store, _, (probability, _) = finished
    rows, cancellation = [], Cancellation()
    sinks = [OutputSink(ENCODERS[0], rows.append), OutputSink(ENCODERS[1], lambda _: None)]
    write_sinks(BlockReader(store), sinks, cancellation)
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), probability)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        write_sinks(BlockReader(store), sinks, cancellation)


@pytest.mark.parametrize(
    ("width", "height", "tile", "overlap", "workers"),
    [
        (30_000, 30_000, 512, 64, 2),
        (500_000, 500_000, 1024, 128, 64),
        (3000, 2500, 512, 64, 4),
        (100, 80, 512, 64, 8),
    ],
)
def test_blocks_are_many_enough_and_not_too_large(width, height, tile, overlap, workers):
    layout = choose_layout(make_plan(width, height, tile, overlap), workers)
    assert layout.count >= min(4 * workers, layout.plan.count)
    for index in (BlockIndex(0, 0), BlockIndex(layout.y.count - 1, layout.x.count - 1)):
        x0, y0, x1, y1 = layout.block(index).input_window
        assert max(x1 - x0, y1 - y0) <= max(4096, tile)
    single = BlockLayout(layout.plan, layout.rows - 1, layout.columns - 1) if layout.rows > 1 else layout
    assert single.count >= layout.count
