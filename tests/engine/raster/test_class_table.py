"""Tables of classes that other programs write with a raster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.shutil
from terraspore.engine.raster.class_table import find_class_table, read_class_names

Writer = Callable[..., Path]
VALUE = "<Name>Value</Name><Type>0</Type><Usage>5</Usage>"
REAL = "<Name>Value</Name><Type>1</Type><Usage>5</Usage>"
NUMBER = "<Name>Code</Name><Type>0</Type><Usage>0</Usage>"
COUNT = "<Name>Count</Name><Type>0</Type><Usage>1</Usage>"
NAME = "<Name>Land use</Name><Type>2</Type><Usage>2</Usage>"
NOTE = "<Name>Remarks</Name><Type>2</Type><Usage>0</Usage>"
LABEL = "<Name>Class_name</Name><Type>2</Type><Usage>0</Usage>"


def pam(content: str, band: int = 1) -> str:
    return f'<PAMDataset><PAMRasterBand band="{band}">{content}</PAMRasterBand></PAMDataset>'


def attribute_table(columns: list[str], *rows: tuple[object, ...], attributes: str = "") -> str:
    fields = "".join(f'<FieldDefn index="{i}">{column}</FieldDefn>' for i, column in enumerate(columns))
    cells = ("".join(f"<F>{cell}</F>" for cell in row) for row in rows)
    lines = "".join(f'<Row index="{i}">{row}</Row>' for i, row in enumerate(cells))
    return f"<GDALRasterAttributeTable{attributes}>{fields}{lines}</GDALRasterAttributeTable>"


def read(path: Path) -> tuple[str, dict[int, str]]:
    with rasterio.open(path) as dataset:
        return find_class_table(dataset, 1), read_class_names(dataset, 1)


@pytest.fixture
def raster(make_raster: Writer) -> Path:
    return make_raster(np.arange(400, dtype=np.uint8).reshape(1, 20, 20) % 4)


TABLES = (
    (attribute_table([VALUE, NAME], (1, "Water"), (3, " Dense  forest ")), {1: "Water", 3: "Dense forest"}),
    (attribute_table([COUNT, NAME, NUMBER], (70, "Water", 2)), {2: "Water"}),
    (attribute_table([NOTE, LABEL, VALUE], ("old", "Water", 2)), {2: "Water"}),
    (attribute_table([NAME], ("Water",), ("Forest",)), {0: "Water", 1: "Forest"}),
    (attribute_table([REAL, NAME], (1.5, "Water"), (2, ""), (3, "Forest")), {3: "Forest"}),
)


@pytest.mark.parametrize(("table", "names"), TABLES)
def test_names_of_an_attribute_table_are_read_by_their_values(raster: Path, table: str, names: dict) -> None:
    raster.with_name(raster.name + ".aux.xml").write_text(pam(table))
    assert read(raster) == ("an attribute table", names)


def test_the_table_of_another_format_is_read(raster: Path) -> None:
    """ERDAS Imagine keeps it within the file."""
    raster.with_name(raster.name + ".aux.xml").write_text(pam(TABLES[0][0]))
    rasterio.shutil.copy(raster, raster.with_suffix(".img"), driver="HFA")
    assert read(raster.with_suffix(".img"))[1] == TABLES[0][1]


def test_category_names_are_numbered_from_0(raster: Path) -> None:
    text = "<CategoryNames><Category/><Category>Water</Category></CategoryNames>"
    raster.with_name(raster.name + ".aux.xml").write_text(pam(text))
    assert read(raster) == ("category names", {1: "Water"})


@pytest.mark.parametrize("name", ["image.tif.vat.dbf", "image.vat.dbf"])
def test_the_table_of_arcgis_is_read(raster: Path, name: str) -> None:
    fields = {
        "Value": np.array([1, 2]),
        "Note": np.array(["a", "b"], object),
        "LABEL": np.array(["Water", "B"], object),
    }
    # GDAL writes a shapefile without geometry as a dBase table.
    pyogrio.raw.write(
        raster.with_name("table.shp"), None, list(fields.values()), fields=list(fields), geometry_type=None, crs=None,
        driver="ESRI Shapefile",
    )  # fmt: skip
    raster.with_name("table.dbf").replace(raster.with_name(name))
    assert read(raster) == ("an attribute table", {1: "Water", 2: "B"})


@pytest.mark.parametrize(
    "text",
    [
        "<PAMDataset><PAM",
        pam(attribute_table([VALUE, COUNT], (1, 7))),
        pam(attribute_table([VALUE, NAME], (1, "Water"), attributes=' Row0Min="0" BinSize="1"')),
        pam(TABLES[0][0], band=2),
    ],
)
def test_what_names_no_classes_of_the_band_is_left_out(raster: Path, text: str) -> None:
    raster.with_name(raster.name + ".aux.xml").write_text(text)
    raster.with_name(raster.name + ".vat.dbf").write_bytes(b"no table")
    assert read(raster) == ("", {})
