"""Fuzz targets that open changed rasters and vector files through the reader of each command."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

#: Pixels on a side of the seeds.
_SIZE = 40
_MAGIC = ((b"\0\0\0\x0cjP", ".jp2"), (b"\xff\x4f\xff\x51", ".jp2"), (b"<", ".vrt"), (b"SQLite format 3", ".gpkg"))


@cache
def _workplace() -> Path:
    """A folder of this process with a model, a raster and a layer of roads that are sound."""
    from model_files import write_linear_model
    from raster_files import write_raster
    from terraspore.engine.cli import run
    from terraspore.engine.cli.cli_context import CliContext

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="terraspore-fuzz-", dir=os.environ.get("FUZZ_FILES", memory)))
    (folder / "model").mkdir()
    write_linear_model(folder / "model", stretch=True)
    write_raster(folder / "mask.tif", _mask())
    context = CliContext(stdout=io.StringIO(), stderr=io.StringIO())
    assert (
        run(["vectorize", "roads", str(folder / "mask.tif"), "-o", str(folder / "roads.gpkg")], cli_context=context)
        == 0
    )
    return folder


def _mask() -> np.ndarray:
    """A road of 7 pixels' width across a mask of 0 and 255."""
    mask = np.zeros((1, 200, 200), np.uint8)
    mask[:, 96:103] = 255
    return mask


def _write(name: str, pixels: np.ndarray, **profile: object) -> bytes:
    from raster_files import write_raster

    with tempfile.TemporaryDirectory() as folder:
        return write_raster(Path(folder) / name, pixels, **profile).read_bytes()


def raster_seeds() -> list[bytes]:
    """TIFFs of several types, layouts and tags, a JPEG 2000 and a VRT."""
    ramp = np.arange(3 * _SIZE * _SIZE, dtype=np.uint32).reshape(3, _SIZE, _SIZE)
    image = (ramp * 7 % 251).astype(np.uint8)
    road = _mask()[:, 80:120, :_SIZE]
    colors = {value: (value, 0, 0, 255) for value in range(256)}
    from rasterio.enums import ColorInterp

    rgba = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    vrt = (
        f'<VRTDataset rasterXSize="{_SIZE}" rasterYSize="{_SIZE}"><SRS>EPSG:32618</SRS>'
        "<GeoTransform>500000, 1, 0, 4649776, 0, -1</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue><SimpleSource>'
        '<SourceFilename relativeToVRT="1">mask.tif</SourceFilename><SourceBand>1</SourceBand>'
        f'<SrcRect xOff="0" yOff="80" xSize="{_SIZE}" ySize="{_SIZE}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{_SIZE}" ySize="{_SIZE}"/></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return [
        _write("a.tif", image),
        _write("a.tif", image, compress="deflate", tiled=True, blockxsize=16, blockysize=16, overviews=[2]),
        _write("a.tif", np.concatenate([image, image[:1]]), colorinterp=rgba),
        _write("a.tif", image[:1] % 5, colormap=colors, nodata=0),
        _write("a.tif", (image / 250).astype(np.float32), nodata=-9999),
        _write("a.tif", road, crs="EPSG:4326"),
        _write("a.jp2", image, driver="JP2OpenJPEG"),
        vrt.encode(),
    ]


def check_raster(data: bytes) -> None:
    """Open ``data`` as every command opens a raster."""
    folder = _workplace()
    raster = _place(folder, data, ".tif")
    roads = str(folder / "roads.gpkg")
    image_options = ("--model", str(folder / "model"), "--runtime", "onnxruntime", "--pixel-size", "1")
    try:
        _run("info", raster)
        _run("plan", raster, *image_options)
        _run("extract", "roads", raster, "-o", _output(folder, "a.gpkg"), *image_options)
        _run("segment", raster, "-o", _output(folder, "a.tif"), *image_options)
        _run("vectorize", raster, "-o", _output(folder, "a.gpkg"))
        _run("vectorize", "landcover", raster, "-o", _output(folder, "a.gpkg"))
        _run("vectorize", "roads", raster, "-o", _output(folder, "a.gpkg"), "--update", roads)
        _run("compare", raster, str(folder / "mask.tif"))
        _run("compare", roads, raster)
        _run("chips", raster, roads, "--out", _output(folder, "chips"), "--size", "16")
    finally:
        Path(raster).unlink()


def vector_seeds() -> list[bytes]:
    """A GeoPackage, a GeoJSON of lines and one of polygons."""
    ring = [[500_010, 4_649_600], [500_190, 4_649_600], [500_190, 4_649_750], [500_010, 4_649_600]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32618"}}
    layers = [
        {
            "type": "FeatureCollection",
            "crs": crs,
            "features": [{"type": "Feature", "properties": {}, "geometry": shape}],
        }
        for shape in (
            {"type": "LineString", "coordinates": ring},
            {"type": "Polygon", "coordinates": [ring]},
        )
    ]
    return [(_workplace() / "roads.gpkg").read_bytes(), *(json.dumps(layer).encode() for layer in layers)]


def check_vector(data: bytes) -> None:
    """Open ``data`` as every command opens a vector file."""
    folder = _workplace()
    vectors = _place(folder, data, ".geojson")
    mask, roads = str(folder / "mask.tif"), str(folder / "roads.gpkg")
    image_options = ("--model", str(folder / "model"), "--runtime", "onnxruntime", "--bands", "1,1,1")
    try:
        _run("vectorize", "roads", mask, "-o", _output(folder, "a.gpkg"), "--update", vectors)
        _run("extract", "roads", mask, "-o", _output(folder, "a.gpkg"), "--area", vectors, *image_options)
        _run("compare", vectors, roads)
        _run("compare", vectors, mask)
        _run("chips", mask, vectors, "--out", _output(folder, "chips"), "--size", "64")
        _run("info", vectors)
    finally:
        Path(vectors).unlink()


def _place(folder: Path, data: bytes, default: str) -> str:
    """Write ``data`` to a file whose suffix agrees with its first bytes."""
    suffix = next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), default)
    path = folder / f"input{suffix}"
    path.write_bytes(data)
    return str(path)


def _output(folder: Path, name: str) -> str:
    """A path in an empty folder for outputs."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    return str(folder / "out" / name)


def _run(*arguments: str) -> None:
    """Run a command; it has to succeed, or to fail by the person's mistake with a sentence."""
    from terraspore.__main__ import TRAINING_COMMANDS
    from terraspore.engine.cli import run
    from terraspore.engine.cli.cli_context import CliContext

    out = io.StringIO()
    context = CliContext(stdout=out, stderr=io.StringIO())
    code = run([*arguments, "--json"], extra_commands=TRAINING_COMMANDS, cli_context=context)
    last = json.loads(out.getvalue().splitlines()[-1])
    assert code in (0, 2), (arguments, last)
    assert code == 0 or last["code"] not in ("InternalError", "UsageError"), (arguments, last)
    assert last["text"].strip(), arguments
