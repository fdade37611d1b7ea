"""Quantized probabilities, and rasters of other programs: their encodings, masks and refusals."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import terraspore
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.context import RunContext
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.engine.protocol.options import RasterOptions
from terraspore.engine.raster.band_facts import interpret_band
from terraspore.engine.raster.dataset import open_raster
from terraspore.engine.raster.probability import (
    NODATA,
    PROBABILITY_SCALE,
    binarize,
    classify,
    open_probability_raster,
    quantize,
)
from terraspore.engine.raster.values import Encoding

Writer = Callable[..., Path]


@pytest.fixture
def write_raster(make_raster: Writer) -> Writer:
    """A function that writes one band, with a scale tag if one is given."""

    def write(values: np.ndarray, *, scale: float | None = None, **profile: object) -> Path:
        return make_raster(values[None], "raster.tif", scales=None if scale is None else (scale,), **profile)

    return write


def read_whole(path: Path, **options: object) -> list[list[int]]:
    with open_raster(path) as dataset:
        encoding = interpret_band(dataset, RasterOptions(**options), "roads", RunContext())
    with open_probability_raster(path, encoding) as source:
        return source.read(0, 0, *source.shape).tolist()


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.array([[0, 125, 250, 255]], np.uint8), {"scale": 0.004, "nodata": 255}, [[0, 125, 250, 0]]),
        (np.array([[0, 1, 1, 0]], np.uint8), {}, [[0, 250, 250, 0]]),
        (np.array([[0, 255, 0, 255]], np.uint8), {}, [[0, 250, 0, 250]]),
        (np.array([[0, 51, 102, 255]], np.uint8), {}, [[0, 50, 100, 250]]),
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), {}, [[0, 125, 250, 0]]),
        (np.array([[0.0, 0.5, 1.0, -9999.0]], np.float32), {"nodata": -9999.0}, [[0, 125, 250, 0]]),
        (np.array([[0.0, 0.5, 1.0, -9999.0]], np.float32), {}, [[0, 125, 250, 0]]),
        (np.array([[0.0, 0.5, 1.0, -3.4028235e38]], np.float32), {}, [[0, 125, 250, 0]]),
        (np.array([[1, 1, 1, 2]], np.uint8), {}, [[0, 0, 0, 250]]),
        (np.array([[0, 65535, 0, 65535]], np.uint16), {}, [[0, 250, 0, 250]]),
        (np.array([[-6, 127, 0, 0]], np.int8), {"scale": 1 / 127}, [[0, 250, 0, 0]]),
    ],
)
def test_encodings_are_detected(
    write_raster: Writer, values: np.ndarray, options: dict[str, float], expected: list[list[int]]
) -> None:
    assert read_whole(write_raster(values, **options)) == expected


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.array([[0.0, 50.0, 100.0]], np.float32), {"values": "percent"}, [[0, 125, 250]]),
        (np.array([[0, 5000, 10000, 2500]], np.uint16), {"scale": 0.0001}, [[0, 125, 250, 62]]),
        (np.array([[-0.2, 0.5, 1.04]], np.float32), {"values": "probability"}, [[0, 125, 250]]),
        (np.array([[0, 51, 95]], np.uint8), {"values": "byte"}, [[0, 50, 93]]),
        (np.array([[3, 3, 8]], np.uint8), {"values": "mask"}, [[0, 0, 250]]),
        (np.array([[0, 50, 100, 77]], np.uint8), {"values": "percent", "nodata": 77.0}, [[0, 125, 250, 0]]),
    ],
)
def test_the_person_says_what_values_mean(
    write_raster: Writer, values: np.ndarray, options: dict[str, object], expected: list[list[int]]
) -> None:
    assert read_whole(write_raster(values), **options) == expected


def test_files_that_are_not_rasters_are_refused(tmp_path: Path, write_raster: Writer) -> None:
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    for path in (text, tmp_path / "missing.tif", tmp_path):
        with pytest.raises(SourceError):
            read_whole(path)
    with pytest.raises(ParameterError, match="no band 2"):
        read_whole(write_raster(np.zeros((2, 2), np.uint8)), band=2)


def test_damaged_raster_is_named(write_raster: Writer) -> None:
    path = write_raster(np.random.default_rng(0).integers(0, 255, (600, 600)).astype(np.uint8), compress="deflate")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"raster\.tif"):
        read_whole(path)


def test_padding_mirrors_at_the_border(write_raster: Writer) -> None:
    path = write_raster(np.arange(12, dtype=np.uint8).reshape(3, 4), scale=0.004)
    with open_probability_raster(path, Encoding("probability", "", 0.004)) as source:
        assert source.read_padded(-1, -1, 3, 3).tolist() == [[5, 4, 5], [1, 0, 1], [5, 4, 5]]
        assert source.read_padded(1, 2, 3, 3).tolist() == [[6, 7, 6], [10, 11, 10], [6, 7, 6]]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
def test_probability_is_rounded_to_the_nearest_value(values):
    probability = np.array(values, np.float32).reshape(1, 1, -1)
    out = np.empty(probability.shape, np.uint8)
    quantize(probability, None, out)
    assert np.abs(out / 250 - probability).max() <= 0.5 / 250 + 1e-6
    assert out.max() <= 250


def test_most_probable_class_and_its_probability():
    probability = np.array([[[0.5, 0.2, 0.1]], [[0.3, 0.7, 0.1]], [[0.2, 0.1, 0.8]]], np.float32)
    out = np.empty((2, 1, 3), np.uint8)
    classify(probability, np.array([[True, True, False]]), np.array([4, 7, 9], np.uint8), out)
    assert out[0].tolist() == [[4, 7, 255]]
    assert out[1].tolist() == [[125, 175, 255]]


def test_classes_do_not_depend_on_the_confidence_band():
    probability = np.random.default_rng(2).integers(0, 4, (5, 40, 30)).astype(np.float32) / 4
    ids, valid = np.array([4, 7, 9, 2, 1], np.uint8), np.arange(1200).reshape(40, 30) % 7 > 0
    both, alone = np.empty((2, 40, 30), np.uint8), np.empty((1, 40, 30), np.uint8)
    classify(probability, valid, ids, both)
    classify(probability, valid, ids, alone)
    np.testing.assert_array_equal(alone[0], both[0])
    np.testing.assert_array_equal(alone[0], np.where(valid, ids[probability.argmax(axis=0)], 255))
    binarize(probability[:1], valid, 0.5, both)
    binarize(probability[:1], valid, 0.5, alone)
    np.testing.assert_array_equal(alone[0], both[0])
    np.testing.assert_array_equal(alone[0], np.where(valid, probability[0] >= 0.5, 255))


@given(st.floats(0, 1), st.integers(0, 250))
def test_threshold_on_one_class_is_that_of_the_quantized_probability(threshold, value):
    out = np.empty((2, 1, 1), np.uint8)
    binarize(np.full((1, 1, 1), value / 250, np.float32), None, threshold, out)
    assert out[1] == value
    if value:
        assert bool(out[0]) == (value / 250 >= threshold - 1e-9)
    else:
        assert not out[0]


def test_the_plugin_has_the_same_scale() -> None:
    """The plugin imports nothing of the engine but its protocol, so it states the numbers again."""
    tree = ast.parse((Path(terraspore.__file__).parent / "plugin" / "layers" / "probability.py").read_text("utf-8"))
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    assert (constants["PROBABILITY_SCALE"], constants["NODATA"]) == (PROBABILITY_SCALE, NODATA)
