"""Tables that list the classes of a band: palettes, attribute tables and category names.

rasterio reads only palettes. GDAL writes attribute tables and category names of any format into a virtual raster, whose
XML is read here; the table that ArcGIS puts beside a raster (``.vat.dbf``) is a dBase file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyogrio
import rasterio.shutil
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from ..errors import VectorError, shorten
from ..fs.pyogrio_path import pyogrio_path
from .gdal_errors import GDAL_ERRORS

#: GDAL's numbers of columns: of text, of names, of names or colors (which make a table one of classes), of values.
_TEXT, _NAME, _CLASS_USAGES, _VALUE = "2", "2", {"2", "6", "7", "8"}, "5"
_VALUE_COLUMN = re.compile(r"value|(class_?)?(id|code)", re.IGNORECASE)
_NAME_COLUMN = re.compile(r"name|label|class|categor|descr", re.IGNORECASE)
#: Characters of a description by GDAL that is parsed, bytes of a dBase table that is read, and characters of a name.
_MAX_XML, _MAX_TABLE, _MAX_NAME = 16 << 20, 64 << 20, 200


def find_class_table(dataset: Any, band: int) -> str:
    """Name what lists the classes of a band: a palette or an attribute table; empty for nothing."""
    if dataset.colorinterp[band - 1] == ColorInterp.palette:
        return "a palette"
    if dataset.tags(band).get("LAYER_TYPE") == "thematic":
        return "the tag LAYER_TYPE=thematic"
    if any(_read_dbase(dataset)):
        return "an attribute table"
    description = _describe_band(dataset, band)
    if description.find("CategoryNames") is not None:
        return "category names"
    table = description.find("GDALRasterAttributeTable")
    if table is None or "Row0Min" in table.attrib:  # bins of a histogram
        return ""
    is_of_classes = any(
        column.findtext("Type") == _TEXT or column.findtext("Usage") in _CLASS_USAGES
        for column in table.iter("FieldDefn")
    )
    return "an attribute table" if is_of_classes else ""


def read_class_names(dataset: Any, band: int) -> dict[int, str]:
    """Read the names of classes by their values; empty where no table has any."""
    description = _describe_band(dataset, band)
    categories = enumerate(category.text for category in description.iterfind("CategoryNames/Category"))
    table = description.find("GDALRasterAttributeTable")
    rows = chain(categories, [] if table is None else _read_attribute_table(table), _read_dbase(dataset))
    return dict(_clean_names(rows))


def _clean_names(rows: Iterable[tuple[object, object]]) -> Iterator[tuple[int, str]]:
    for value, name in rows:
        text = "" if name is None else " ".join(str(name).split())
        try:
            number = float(str(value))
        except ValueError:
            continue
        if text and number.is_integer():
            yield int(number), shorten(text, _MAX_NAME)


def _describe_band(dataset: Any, band: int) -> ElementTree.Element:
    """Return the element of a band in GDAL's description of a raster; without content where there is none."""
    empty = ElementTree.Element("VRTRasterBand")
    try:
        with MemoryFile(ext=".vrt") as memory:
            rasterio.shutil.copy(dataset, memory.name, driver="VRT")
            text = memory.read(_MAX_XML + 1)
        root = empty if len(text) > _MAX_XML else ElementTree.fromstring(text)
    except (*GDAL_ERRORS, ElementTree.ParseError):
        return empty
    return next((part for part in root.iterfind("VRTRasterBand") if part.get("band") == str(band)), empty)


def _read_attribute_table(table: ElementTree.Element) -> Iterator[tuple[object, object]]:
    """Return values and names of GDAL's attribute table; a row without a value is that of its number."""
    columns = [
        (part.findtext("Name") or "", part.findtext("Type"), part.findtext("Usage")) for part in table.iter("FieldDefn")
    ]
    values = [i for i, (_, _, usage) in enumerate(columns) if usage == _VALUE]
    values += [i for i, (name, kind, _) in enumerate(columns) if kind != _TEXT and _VALUE_COLUMN.fullmatch(name)]
    names = [i for i, (_, kind, usage) in enumerate(columns) if (kind, usage) == (_TEXT, _NAME)]
    names += _order_names([(i, name) for i, (name, kind, _) in enumerate(columns) if kind == _TEXT])
    if not names or "Row0Min" in table.attrib:
        return
    for number, row in enumerate(table.iterfind("Row")):
        cells = [cell.text for cell in row.iterfind("F")]
        if len(cells) == len(columns):
            yield cells[values[0]] if values else row.get("index", number), cells[names[0]]


def _read_dbase(dataset: Any) -> Iterator[tuple[object, object]]:
    """Return values and names of the table that ArcGIS puts beside a raster."""
    path = Path(dataset.name)
    for table in (path.with_name(path.name + ".vat.dbf"), path.with_suffix(".vat.dbf")):
        try:
            if not table.is_file() or table.stat().st_size > _MAX_TABLE:
                continue
            meta, _, _, columns = pyogrio.raw.read(pyogrio_path(table), read_geometry=False)
        except (OSError, ValueError, DataSourceError, DataLayerError, VectorError):
            continue
        fields = [(i, str(name)) for i, name in enumerate(meta["fields"])]
        values = [i for i, name in fields if _VALUE_COLUMN.fullmatch(name)]
        names = _order_names([(i, name) for i, name in fields if columns[i].dtype.kind == "O"])
        if values and names:
            yield from zip(columns[values[0]], columns[names[0]], strict=True)
            return


def _order_names(columns: Sequence[tuple[int, str]]) -> list[int]:
    """Return the indices of columns of text, the most likely one to hold names first."""
    return [index for index, _ in sorted(columns, key=lambda column: _NAME_COLUMN.search(column[1]) is None)]
