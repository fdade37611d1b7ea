"""Measurements of precision and batch size."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from terraspore.engine.models.card import Normalisation
from terraspore.engine.runtimes import measure as module
from terraspore.engine.runtimes.measure import SLOW_TILE, choose_batch_size, probability_change, synthetic_tiles


def test_the_change_of_probability_is_a_quantile():
    exact = np.zeros((1, 1, 100, 100), np.float32)
    reduced = exact.copy()
    reduced[0, 0, 0, :9] = 0.5  # 0.09 % of the pixels
    assert probability_change(exact, reduced) < 1e-6
    reduced[0, 0, 0, :12] = 0.5
    assert probability_change(exact, reduced) == 0.5


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_artificial_tiles_use_the_whole_range_at_all_scales(random_network, dtype, most):

    card = replace(
        random_network("dlinknet34").card, dtype=dtype, bands=2, normalisation=Normalisation(1, (0, 0), (1, 1))
    )
    tiles = synthetic_tiles(card, 96)
    assert tiles.shape[1:] == (2, 96, 96)
    assert tiles.dtype == dtype
    assert (tiles.min(), tiles.max()) == (0, most)
    halves = tiles.astype(float)[..., :48, :].mean(axis=(2, 3)), tiles.astype(float)[..., 48:, :].mean(axis=(2, 3))
    assert np.abs(halves[0] - halves[1]).max() > 0.02 * most
    assert np.abs(np.diff(tiles.astype(float), axis=3)).mean() > 0.01 * most


@pytest.mark.parametrize(
    ("per_call", "per_tile", "expected"),
    [(0.004, 0.0005, 8), (0.0, 0.002, 1), (0.03, SLOW_TILE, 1)],
)
def test_the_batch_with_the_shortest_time_wins(monkeypatch, per_call, per_tile, expected):
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def predict(tiles):
        now[0] += per_call + per_tile * len(tiles)
        return np.zeros(tiles.shape, np.float32)

    assert choose_batch_size(predict, (1, 4, 4), np.dtype(np.uint8), (1, 2, 4, 8)) == expected
