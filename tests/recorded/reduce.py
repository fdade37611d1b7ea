"""Reduce events, rasters, vector files and folders to values that are equal in each run, without times and paths.

Values under the key ``exact`` are hashes; ``coarse`` is a thinned copy of a raster, for machines on which the last
digits of a network differ.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import warnings
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
import yaml
from rasterio.errors import NotGeoreferencedWarning
from terraspore.engine.vector.io.formats import FORMATS

RASTERS = (".tif", ".png")
VECTORS = tuple(entry.suffixes[0] for entry in FORMATS)
#: Fields of the plan that do not depend on the machine.
PLAN = ("tiles", "width", "height", "resolution", "tile", "overlap", "model", "runtime", "device")
#: Endings of the names of times in summaries, and names of text for users.
TIMES = ("seconds", "milliseconds")
TEXTS = ("title", "licence", "data", "split", "notes", "reason", "remarks")
#: Durations, process ids, and the folders of absolute paths.
_CHANGING = re.compile(r"\b\d+(?:\.\d+)?(?= (?:ms|s|min|h)\b)|(?<=process )\d+|(?<!\S)/\S*/")
_COLOUR = re.compile(r'"(\d+,\d+,\d+,\d+)\b')
#: Maximum number of values of a thinned copy.
COARSE_VALUES = 12_000


def reduce_events(
    events: Sequence[dict[str, Any]], folder: Path, values: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Return the constant values of the events of a command, and its messages.

    Progress is left out, because its events depend on the time that a stage takes.

    Args:
        events: the objects of the machine protocol, in order.
        folder: of the command; paths are recorded relative to it.
        values: names of the values of the summary to record; all if empty.
    """
    order = [event["type"] for event in events if event["type"] != "progress"]
    found: dict[str, Any] = {"order": order, "fields": {}}
    sentences = []
    for event in events:
        kind = event["type"]
        if kind != "progress":
            found["fields"][kind] = sorted(set(event) - {"id"})
        if not values:
            sentences += [plain_sentence(event[name], folder) for name in ("text", "hint", "reason") if event.get(name)]
        if kind == "plan":
            found["plan"] = {name: event[name] for name in PLAN}
        elif kind == "message":
            found.setdefault("levels", []).append(event["level"])
        elif kind == "error":
            found["error"] = {"code": event["code"], "exit_code": event["exit_code"], "hint": event["hint"] is not None}
        elif kind == "result":
            found["outputs"] = {role: _relative(path, folder) for role, path in event["outputs"].items()}
            summary = _summary(event["summary"], folder)
            found["summary"] = {name: summary.get(name) for name in values or summary}
    found["progress"] = {event["stage"]: event["total"] for event in events if event["type"] == "progress"}
    return found, sentences


def plain_sentence(text: str, folder: Path) -> str:
    """Return ``text`` with paths relative to ``folder``, without values that differ in each run."""
    return _CHANGING.sub("#", _without_folder(text, folder))


def _without_folder(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "").replace(str(folder), ".")


def _relative(path: str, folder: Path) -> str:
    """Return ``path`` relative to ``folder``; for paths outside, such as bundled models, only the name."""
    if Path(path).is_relative_to(folder):
        return str(Path(path).relative_to(folder))
    return Path(path).name if Path(path).is_absolute() else path


def _summary(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        last = name.rpartition(".")[2]
        if last.endswith(TIMES) or last in TEXTS:
            found[name] = "not recorded"
        else:
            found[name] = _without_folder(value, folder) if isinstance(value, str) else value
    return found


def reduce_path(path: Path, folder: Path, *, thinned: bool) -> dict[str, Any]:
    """Return the constant values of a file, or of all files of a folder; ``thinned`` adds copies of rasters."""
    if not path.exists():
        return {"kind": "missing"}
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {
            "kind": "folder",
            "files": {str(file.relative_to(path)): reduce_path(file, folder, thinned=thinned) for file in files},
        }
    if path.suffix in RASTERS:
        return reduce_raster(path, thinned=thinned)
    if path.suffix in VECTORS:
        return reduce_vectors(path)
    if path.suffix == ".json":
        return {"kind": "json", "keys": sorted(json.loads(path.read_text("utf-8")))}
    if path.suffix == ".yaml":
        text = _without_folder(path.read_text("utf-8"), folder)
        return {"kind": "yaml", "values": yaml.safe_load(text)}
    return {"kind": "file"}


def reduce_raster(path: Path, *, thinned: bool) -> dict[str, Any]:
    """Pixels and the metadata that matters of a raster, and a thinned copy of it, if it is to have one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(path)
    with dataset:
        pixels = dataset.read()
        facts: dict[str, Any] = {
            "kind": "raster",
            "shape": list(pixels.shape),
            "type": dataset.dtypes[0],
            "driver": dataset.driver,
            "crs": _crs(dataset.crs),
            "transform": [round(value, 9) for value in tuple(dataset.transform)[:6]],
            "nodata": dataset.nodata,
            "scales": list(dataset.scales),
            "offsets": list(dataset.offsets),
            "descriptions": list(dataset.descriptions),
            "interpretation": [value.name for value in dataset.colorinterp],
            "blocks": list(dataset.block_shapes[0]),
            "overviews": dataset.overviews(1),
            "compression": dataset.compression.value if dataset.compression else None,
            "tags": {name: value for name, value in sorted(dataset.tags().items()) if name != "SOFTWARE"},
        }
        if dataset.colorinterp[0].name == "palette":
            facts["colours"] = digest(repr(sorted(dataset.colormap(1).items())).encode())
    facts["mean"] = float(pixels.astype(np.float64).mean())
    facts["values"] = len(np.unique(pixels)) if "colours" in facts else None
    facts["exact"] = digest(np.ascontiguousarray(pixels).tobytes())
    if thinned:
        step = max(1, int(np.ceil(np.sqrt(pixels.size / COARSE_VALUES))))
        values = np.ascontiguousarray(pixels[:, ::step, ::step])
        facts["coarse"] = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")
    return facts


def coarse_values(text: str) -> np.ndarray:
    """Return the values of a thinned copy of a raster, as signed integers."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).astype(np.int16)


def reduce_vectors(path: Path) -> dict[str, Any]:
    """Return the layers of a vector file, and the styles and metadata of a GeoPackage."""
    single = path.suffix != ".gpkg"  # the driver chooses the name of a single layer
    layers = {"layer" if single else str(name): _reduce_layer(path, str(name)) for name, _ in pyogrio.list_layers(path)}
    facts = {"kind": "vectors", "layers": {name: layer for name, layer in sorted(layers.items()) if layer}}
    if path.suffix == ".gpkg":
        with closing(sqlite3.connect(path)) as database:
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "layer_styles" in names:
                rows = database.execute("SELECT f_table_name, useAsDefault, styleQML FROM layer_styles ORDER BY 1")
                facts["styles"] = [[layer, default, _COLOUR.findall(style)] for layer, default, style in rows]
            if "gpkg_metadata" in names:
                (facts["metadata"],) = database.execute("SELECT count(*) FROM gpkg_metadata").fetchone()
    return facts


def _reduce_layer(path: Path, layer: str) -> dict[str, Any]:
    """Return columns, rows, sums and a hash of a layer; nothing for a table without geometry."""
    meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer)
    if meta["geometry_type"] is None:
        return {}
    step = 9 if meta["crs"] and rasterio.crs.CRS.from_user_input(meta["crs"]).is_geographic else 3
    shapes = shapely.from_wkb(wkb)
    # Adding 0 turns -0 into 0.
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, step) + 0.0)
    fields = {str(name): values for name, values in zip(meta["fields"], columns, strict=True)}
    rows = zip(shapely.to_wkb(rounded, hex=True), *map(_plain_values, fields.values()), strict=True)
    text = "\n".join(sorted(repr(row) for row in rows))
    sums = {name: float(np.nansum(values)) for name, values in fields.items() if values.dtype.kind in "iuf"}
    return {
        "geometry": meta["geometry_type"],
        "crs": _crs(meta["crs"]),
        "columns": {name: values.dtype.kind for name, values in fields.items()},
        "rows": len(shapes),
        "vertices": int(shapely.get_num_coordinates(shapes).sum()),
        "length": float(shapely.length(shapes).sum()),
        "area": float(shapely.area(shapes).sum()),
        "sums": sums,
        "exact": digest(text.encode()),
    }


def _plain_values(values: np.ndarray) -> list[Any]:
    """Return the values of a column, numbers rounded to six decimals."""
    if values.dtype.kind == "f":
        return [round(float(value), 6) + 0.0 for value in values]
    return [str(value) if values.dtype.kind in "OM" else int(value) for value in values]


def _crs(crs: Any) -> str | None:
    """Return the code of a CRS with its authority, or a hash of its WKT."""
    if not crs:
        return None
    crs = rasterio.crs.CRS.from_user_input(crs)
    code = crs.to_authority()
    return ":".join(code) if code else digest(crs.to_wkt().encode())


def digest(data: bytes) -> str:
    """Return the first half of the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()[:32]
