"""What the values of a raster mean, decided by what the file declares and by the values of all pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.engine.protocol.messages import Message
from terraspore.engine.protocol.options import RasterOptions
from terraspore.engine.raster.band_facts import interpret_band, measure_values
from terraspore.engine.raster.dataset import open_raster
from terraspore.engine.raster.probability import MaskedBand
from terraspore.engine.raster.values import Encoding

Writer = Callable[..., Path]

WORLDCOVER = (10, 20, 30, 40, 50, 60, 80, 90, 95, 100)
NLCD = (11, 21, 22, 23, 24, 31, 41, 42, 43, 52, 71, 81, 82, 90, 95)
CORINE = (111, 112, 121, 122, 131, 142, 211, 222, 231, 311, 312, 324, 411, 511, 523)
PALETTE = {value: (value, value, 0, 255) for value in range(256)}
RAT = (
    '<PAMDataset><PAMRasterBand band="{band}"><GDALRasterAttributeTable{linear} tableType="thematic">'
    '<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>'
    '<FieldDefn index="1"><Name>Class</Name><Type>{type}</Type><Usage>0</Usage></FieldDefn>'
    '<Row index="0"><F>0</F><F>water</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>'
)


def patches(values: tuple[float, ...], dtype: str = "uint8") -> np.ndarray:
    """A raster (1, 60, 60) with a patch of each value."""
    index = np.arange(3600).reshape(60, 60) * len(values) // 3600
    return np.array(values, dtype)[index][None]


def smooth(low: float, high: float, dtype: str) -> np.ndarray:
    """A raster (1, 60, 60) whose values increase evenly."""
    return np.linspace(low, high, 3600).reshape(1, 60, 60).astype(dtype)


def interpret(
    path: Path, expected: str | None = None, context: RunContext | None = None, **options: object
) -> Encoding:
    with open_raster(path) as dataset:
        return interpret_band(dataset, RasterOptions(**options), expected, context or RunContext())


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "int64"])
@pytest.mark.parametrize("codes", [WORLDCOVER, NLCD, CORINE, (0, 1, 2, 3, 4, 5, 6), tuple(range(1, 45))])
def test_codes_are_classes_in_any_type(make_raster: Writer, codes: tuple[int, ...], dtype: str) -> None:
    if max(codes) > 255 and dtype == "uint8":
        dtype = "uint16"
    path = make_raster(patches(codes, dtype))
    assert interpret(path).kind == "classes"
    assert interpret(path, "classes").kind == "classes"
    with pytest.raises(SourceError, match="holds classes"):
        interpret(path, "roads")


@pytest.mark.parametrize(
    ("pixels", "kind", "scale"),
    [
        (patches((0, 1)), "mask", 1),
        (patches((0, 255)), "mask", 1 / 255),
        (patches((0, 100)), "mask", 1 / 100),
        (patches((0, 65535), "uint16"), "mask", 1 / 65535),
        (patches((0, 1), "float32"), "mask", 1),
        (smooth(0, 1, "float32"), "probability", 1),
        (smooth(0, 0.3, "float64"), "probability", 1),
        (smooth(0, 255, "uint8"), "byte", 1 / 255),
        (patches((0, 1, 2, 4, 250, 253, 255)), "byte", 1 / 255),
    ],
)
def test_probabilities_and_masks(make_raster: Writer, pixels: np.ndarray, kind: str, scale: float) -> None:
    for expected in (None, "roads"):
        encoding = interpret(make_raster(pixels), expected)
        assert (encoding.kind, encoding.scale) == (kind, pytest.approx(scale))


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (smooth(0, 95, "uint8"), "--values percent, --values byte, --values classes or --scale"),
        (smooth(0, 40, "uint8"), "--values percent"),
        (smooth(0, 9000, "uint16"), "--values classes or --scale"),
        (smooth(0, 100, "float32"), "--values percent, --values byte or --scale"),
        (smooth(0, 255, "uint16").astype("float32"), "--values byte"),
        (smooth(200, 260, "int16"), "--scale"),
        (smooth(203, 871.5, "float32"), "--scale"),
    ],
)
def test_the_largest_value_of_a_tile_decides_nothing(make_raster: Writer, pixels: np.ndarray, options: str) -> None:
    for expected in (None, "roads"):
        with pytest.raises(SourceError, match="not clear") as caught:
            interpret(make_raster(pixels), expected)
        assert options in caught.value.hint


@pytest.mark.parametrize("pixels", [smooth(-8, 8, "float32"), smooth(-12, 800, "int16")])
def test_logits_and_heights_are_refused(make_raster: Writer, pixels: np.ndarray) -> None:
    with pytest.raises(SourceError, match="not probabilities"):
        interpret(make_raster(pixels), "roads")


def test_a_palette_makes_many_values_classes(make_raster: Writer) -> None:
    path = make_raster(smooth(0, 255, "uint8"), colormap=PALETTE)
    assert interpret(path) == Encoding("classes", "the file has a palette", is_declared=True)


@pytest.mark.parametrize(
    ("table", "is_table"),
    [
        (RAT.format(band=1, linear="", type=2), True),
        (RAT.format(band=2, linear="", type=2), False),
        (RAT.format(band=1, linear="", type=1), False),
        (RAT.format(band=1, linear=' Row0Min="0" BinSize="1"', type=2), False),
        (
            '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>a</Category></CategoryNames>'
            "</PAMRasterBand></PAMDataset>",
            True,
        ),
    ],
)
def test_an_attribute_table_makes_many_values_classes(make_raster: Writer, table: str, is_table: bool) -> None:
    path = make_raster(smooth(0, 255, "uint8"))
    path.with_name(path.name + ".aux.xml").write_text(table)
    assert (interpret(path).kind == "classes") == is_table


def test_a_table_of_arcgis_makes_many_values_classes(make_raster: Writer) -> None:
    path = make_raster(smooth(0, 255, "uint8"))
    table, values = path.with_name(path.name + ".vat.dbf"), np.arange(3)
    columns = {"VALUE": values, "COUNT": values.astype(np.float64)}
    for names, kind in (({}, "byte"), ({"LABEL": np.array(["a", "b", "c"], object)}, "classes")):
        fields = {**columns, **names}
        # GDAL writes a shapefile without geometry as a dBase table.
        pyogrio.raw.write(
            path.with_name("table.shp"), None, list(fields.values()), fields=list(fields), geometry_type=None, crs=None,
            driver="ESRI Shapefile",
        )  # fmt: skip
        path.with_name("table.dbf").replace(table)
        assert interpret(path).kind == kind


def test_a_scale_tag_says_that_values_are_probabilities(make_raster: Writer) -> None:
    path = make_raster(smooth(0, 95, "uint8"), scales=(0.01,))
    for options in ({}, {"values": "probability"}):
        assert interpret(path, "roads", **options).scale == pytest.approx(0.01)
    with pytest.raises(SourceError, match="scale tag"):
        interpret(path, "classes")
    assert interpret(path, "classes", values="classes").kind == "classes"
    with pytest.raises(SourceError, match=r"from -1\.2 to 80"):
        interpret(make_raster(smooth(-12, 800, "int16"), scales=(0.1,)), "roads")


def test_the_higher_of_two_values_is_road_if_it_is_rarer(make_raster: Writer) -> None:
    rare = make_raster(patches((1, 1, 1, 2)))
    assert (interpret(rare, "roads").scale, interpret(rare, "roads").offset) == (1, -1)
    assert interpret(rare).kind == "classes"
    common = make_raster(patches((1, 2, 2, 2)))
    with pytest.raises(SourceError, match="which one is road") as caught:
        interpret(common, "roads")
    assert "--values mask" in caught.value.hint
    assert interpret(common, "roads", values="mask").offset == -1


def test_real_numbers_are_no_classes(make_raster: Writer) -> None:
    with pytest.raises(SourceError, match=r"float32 values like 0\.0002779, not classes"):
        interpret(make_raster(smooth(0, 1, "float32")), "classes")
    context = RunContext()
    assert interpret(make_raster(smooth(0, 9000, "uint16")), "classes", context).kind == "classes"
    assert "more than 64 different values" in context.warnings[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": 0.1, "values": "mask"}, "roads"),
        ({"scale": 0.1}, "classes"),
        ({"values": "classes"}, "roads"),
        ({"values": "byte"}, "classes"),
        ({"values": "percent"}, "roads"),
        ({"values": "mask"}, "roads"),
    ],
)
def test_options_that_cannot_be_are_refused(make_raster: Writer, options: dict[str, object], expected: str) -> None:
    with pytest.raises(ParameterError):
        interpret(make_raster(smooth(0, 250, "uint8")), expected, **options)


def test_an_image_is_refused(make_raster: Writer) -> None:
    image = make_raster(np.repeat(smooth(0, 255, "uint8"), 3, axis=0))
    for expected in (None, "roads", "classes"):
        with pytest.raises(SourceError, match="is an image") as caught:
            interpret(image, expected)
        assert "extract roads" in caught.value.hint
    assert interpret(image, "roads", band=2).band == 2


def test_the_first_of_several_bands_is_named(make_raster: Writer) -> None:
    reporter = RecordingReporter()
    path = make_raster(np.repeat(smooth(0, 1, "float32"), 2, axis=0))
    interpret(path, "roads", RunContext(reporter))
    assert Message("Band 1 of 2 of image.tif is used; --band chooses another one.") in reporter.events


def test_a_band_of_the_background_is_refused(make_raster: Writer) -> None:
    path = make_raster(np.repeat(smooth(0, 1, "float32"), 2, axis=0))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("background", "road")
    with pytest.raises(SourceError, match="'background'") as caught:
        interpret(path, "roads")
    assert "2 (road)" in caught.value.hint
    assert interpret(path, "roads", band=2).band == 2


def test_missing_data_that_is_not_declared_is_noticed(make_raster: Writer) -> None:
    reporter, pixels = RecordingReporter(), smooth(0, 1, "float32")
    pixels[:, :10] = -9999
    assert interpret(make_raster(pixels), "roads", RunContext(reporter)).nodata == -9999
    assert any("has the value -9999" in event.text for event in reporter.events if isinstance(event, Message))


def test_values_are_counted_over_the_whole_raster(make_raster: Writer) -> None:
    pixels = patches((3, 7, 9), "float32")
    pixels[0, :3] = np.nan
    with open_raster(make_raster(pixels, nodata=7)) as dataset:
        found = measure_values(MaskedBand(dataset, 1), RunContext())
    assert (found.pixels, found.valid, found.fraction) == (3600, 2220, None)
    assert found.counts == {3.0: 1020, 9.0: 1200}
    # A single pixel at the end is seen.
    pixels = patches((0, 1))
    pixels[0, -1, -1] = 200
    with open_raster(make_raster(pixels)) as dataset:
        assert measure_values(MaskedBand(dataset, 1), RunContext()).maximum == 200


def test_a_raster_without_data(make_raster: Writer) -> None:
    path = make_raster(patches((7,)), nodata=7)
    assert interpret(path, "roads").kind == "mask"
    assert interpret(path, "classes").kind == "classes"
