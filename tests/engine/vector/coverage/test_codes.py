"""Class ids of rasters as codes: their range, nodata, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.engine.protocol.options import CoverageOptions
from terraspore.engine.raster.dataset import open_raster
from terraspore.engine.raster.values import Encoding
from terraspore.engine.vector.coverage.codes import ClassRaster, minimum_pixels

Writer = Callable[..., Path]


def read_codes(path: Path, nodata: int | None = None) -> list[int]:
    with open_raster(path) as dataset:
        source = ClassRaster(dataset, Encoding("classes", "", nodata=nodata), None)
        return source.read_codes(0, dataset.height).ravel().tolist()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", -1),
        ("int16", -1),
        ("uint16", 65535),
        ("int32", 65535),
        ("int32", 131071),
        ("int32", -65537),
        ("uint32", 65536),
        ("uint32", 4294967295),
    ],
)
class TestIdsOutOfRange:
    """Ids that would become another code, or nodata, where they were cast to 16 bits first."""

    def test_they_are_refused(self, write_raster: Writer, dtype: str, value: int) -> None:
        path = write_raster(np.array([[1, 2, value]], dtype))
        low, high = min(1, value), max(2, value)
        with pytest.raises(SourceError, match=rf"raster\.tif has values from {low} to {high}, .* from 0 to 65534\."):
            read_codes(path)

    def test_a_declared_nodata_value_is_nodata(self, write_raster: Writer, dtype: str, value: int) -> None:
        values = np.array([[1, 2, value]], dtype)
        assert read_codes(write_raster(values, "tagged.tif", nodata=value)) == [2, 3, 0]
        assert read_codes(write_raster(values, "plain.tif"), nodata=value) == [2, 3, 0]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
def test_codes_are_ids_plus_one(write_raster: Writer, dtype: str) -> None:
    highest = min(65534, int(np.iinfo(dtype).max))
    path = write_raster(np.array([[0, 1, highest]], dtype), nodata=1)
    assert read_codes(path) == [1, 0, highest + 1]
    assert read_codes(path, nodata=0) == [0, 0, highest + 1]


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_masked_pixels_are_nodata_whatever_their_value(make_raster: Writer, dtype: str) -> None:
    values = np.array([[[3, 7 if dtype == "uint8" else -7, 4]]], dtype)
    assert read_codes(make_raster(values, mask=np.array([[255, 0, 255]], np.uint8))) == [4, 0, 5]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint64"])
def test_whole_numbers_of_any_type_are_codes(write_raster: Writer, dtype: str) -> None:
    assert read_codes(write_raster(np.array([[0, 7, 65534]], dtype), nodata=7)) == [1, 0, 65535]


def test_numbers_that_are_not_whole_are_refused(write_raster: Writer) -> None:
    assert read_codes(write_raster(np.array([[3, np.nan, 4]], np.float32))) == [4, 0, 5]
    with pytest.raises(SourceError, match="no whole numbers"):
        read_codes(write_raster(np.array([[3, 3.5, 4]], np.float32)))


def test_minimum_mapping_units_become_pixels() -> None:
    assert set(minimum_pixels(CoverageOptions(), 4.0)) == {16.0}
    options = CoverageOptions(minimum_area=8.0, minimum_area_by_class={2: 20.0}, protected=frozenset({0}))
    assert minimum_pixels(options, 4.0)[:5].tolist() == [2.0, 0.0, 2.0, 5.0, 2.0]


@pytest.mark.parametrize("key", [-1, 65535])
def test_options_of_classes_that_cannot_occur_are_refused(key: int) -> None:
    for options in (CoverageOptions(minimum_area_by_class={key: 1.0}), CoverageOptions(protected=frozenset({key}))):
        with pytest.raises(ParameterError, match=f"no class {key}"):
            minimum_pixels(options, 1.0)
