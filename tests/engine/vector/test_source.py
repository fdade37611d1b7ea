"""Rasters of others: what their values mean, what is masked, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.engine.raster.probability import has_class_values, open_probability_raster, open_raster

Writer = Callable[..., Path]


def levels(path: Path, **options: object) -> list[list[int]]:
    with open_probability_raster(path, **options) as source:
        return source.read(0, 0, *source.shape).tolist()


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.array([[0, 125, 250, 255]], np.uint8), {"scale": 0.004, "nodata": 255}, [[0, 125, 250, 0]]),
        (np.array([[0, 1, 1, 0]], np.uint8), {}, [[0, 250, 250, 0]]),
        (np.array([[0, 255, 0, 255]], np.uint8), {}, [[0, 250, 0, 250]]),
        (np.array([[0, 51, 102, 255]], np.uint8), {}, [[0, 50, 100, 250]]),
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), {}, [[0, 125, 250, 0]]),
        (np.array([[0.0, 50.0, 100.0, -9999.0]], np.float32), {"nodata": -9999.0}, [[0, 125, 250, 0]]),
        (np.array([[0, 5000, 10000, 2500]], np.uint16), {}, [[0, 125, 250, 62]]),
        (np.array([[0, 65535, 0, 65535]], np.uint16), {}, [[0, 250, 0, 250]]),
        (np.array([[-128, 127, 0, 0]], np.int8), {"scale": 1 / 127}, [[0, 250, 0, 0]]),
    ],
)
def test_values_are_recognised(
    write_raster: Writer, values: np.ndarray, options: dict[str, float], expected: list[list[int]]
) -> None:
    assert levels(write_raster(values, **options)) == expected


def test_logits_and_heights_are_refused(write_raster: Writer) -> None:
    for values in ([[-3.0, 2.0]], [[0.0, 1e6]]):
        with pytest.raises(SourceError, match="no probabilities"):
            levels(write_raster(np.array(values, np.float32)))


def test_what_is_no_raster_is_refused_in_a_sentence(tmp_path: Path, write_raster: Writer) -> None:
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    for path in (text, tmp_path / "missing.tif", tmp_path):
        with pytest.raises(SourceError):
            levels(path)
    with pytest.raises(ParameterError, match="no band 2"):
        levels(write_raster(np.zeros((2, 2), np.uint8)), band=2)


def test_a_damaged_raster_is_named(write_raster: Writer) -> None:
    path = write_raster(np.random.default_rng(0).integers(0, 255, (600, 600)).astype(np.uint8), compress="deflate")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"raster\.tif"):
        levels(path)


def test_the_outside_mirrors_the_inside(write_raster: Writer) -> None:
    with open_probability_raster(write_raster(np.arange(12, dtype=np.uint8).reshape(3, 4), scale=0.004)) as source:
        assert source.read_padded(-1, -1, 3, 3).tolist() == [[5, 4, 5], [1, 0, 1], [5, 4, 5]]
        assert source.read_padded(1, 2, 3, 3).tolist() == [[6, 7, 6], [10, 11, 10], [6, 7, 6]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[0, 1, 2, 6]], True), ([[0, 1, 1, 0]], False), ([[0, 255, 0, 255]], False), ([[0, 99, 180, 250]], False)],
)
def test_classes_are_told_from_probabilities(write_raster: Writer, values: list[list[int]], expected: bool) -> None:
    with open_raster(write_raster(np.array(values, np.uint8))) as dataset:
        assert has_class_values(dataset, 1) is expected
