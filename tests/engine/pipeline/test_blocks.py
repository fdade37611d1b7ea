"""Blocks computed by themselves give, merged, the raster that the stream writes."""

from __future__ import annotations

import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.pipeline.plan import InferenceJob
from terraspore.engine.pipeline.run_outputs import probability_sink
from terraspore.engine.pipeline.runner import compute_image_block, run_inference
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.probability import quantize
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.runtimes.base import map_batches
from terraspore.engine.tiling import make_plan, merge_blocks, split_plan


def predict(tiles):
    """Each tile is seen differently from its neighbours: by its mean, as a network with a wide view would."""
    share = tiles.astype(np.float32) / 255
    return np.stack([(share[:, 0] + share.mean(axis=(1, 2, 3))[:, None, None]) / 2, share[:, 1] ** 2], axis=1)


def streamed(job):
    rows = []
    sink = probability_sink(job.classes, lambda piece: rows.append(piece.copy()))
    run_inference(job, map_batches(predict), [sink], RunContext())
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (5, 1), (99, 99)])
@pytest.mark.parametrize("size", [(150, 170), (20, 170), (25, 20)])
def test_blocks_of_any_size_merge_to_the_streamed_raster(make_raster, rows, columns, size):
    pixels = np.random.default_rng(3).integers(0, 250, (1, *size), dtype=np.uint8)
    pixels[:, 5:90, 60:] = 255  # large enough that tiles are empty
    with open_source(make_raster(pixels, nodata=255)) as source:
        grid = source.make_grid(None)
        view = ImageView(source, grid, choose_bands(source, None, 3), None, "uint8")
        job = InferenceJob(view, make_plan(grid.width, grid.height, 32, 8), bands=3, classes=2, batch=2)
        expected = streamed(job)
        results = [compute_image_block(job, block, predict) for block in split_plan(job.plan, rows, columns)]
    whole = merge_blocks(job.plan, [(result.block, result.total) for result in reversed(results)], 2)
    valid = np.ones(size, bool)
    for result in results:
        if result.valid is not None:
            x0, y0, x1, y1 = result.block.window
            valid[y0:y1, x0:x1] &= result.valid
    written = np.empty(whole.shape, np.uint8)
    quantize(whole, valid, written)
    np.testing.assert_array_equal(written, expected)
    np.testing.assert_array_equal(valid, pixels[0] != 255)
