"""Files that must be refused, each with a pattern of the message."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import numpy as np
from affine import Affine
from corpus_files import COLUMNS, ROWS, copy_as, make_pixels, raw_band, rpcs, vrt, vrt_band
from raster_files import write_raster as write
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp


def content(name, data):
    def make(folder):
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def cut_off(share, **profile):
    def make(folder):
        path = write(folder / "cut.tif", make_pixels(rows=300, columns=300), **profile)
        os.truncate(path, int(path.stat().st_size * share))
        return path

    return make


def corrupt(compress):
    """A file whose second half is noise."""

    def make(folder):
        path = write(folder / "corrupt.tif", make_pixels(rows=300, columns=300), compress=compress, blockysize=16)
        data = bytearray(path.read_bytes())
        half = len(data) // 2
        data[half:] = np.random.default_rng(1).bytes(len(data) - half)
        # If the TIFF directory is at the end, its offset becomes wrong.
        path.write_bytes(data)
        return path

    return make


def complex_numbers(dtype):
    return lambda folder: write(folder / "complex.tif", make_pixels(1).astype(dtype))


def mixed_types(folder):
    whole = write(folder / "whole.tif", make_pixels(1))
    real = write(folder / "real.tif", make_pixels(1, "float32"))
    return vrt(folder / "mixed.vrt", vrt_band(whole) + vrt_band(real, band=2, kind="Float32"))


def pipe(folder):
    os.mkfifo(folder / "pipe.tif")
    return folder / "pipe.tif"


def socket_file(folder):
    path = folder / "socket.tif"
    before = Path.cwd()
    os.chdir(folder)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket.tif")
    finally:
        os.chdir(before)
    return path


def linked(target):
    def make(folder):
        path = folder / "link.tif"
        path.symlink_to(target)
        return path

    return make


def folder_itself(folder):
    path = folder / "folder.tif"
    path.mkdir()
    return path


def only_alpha(folder):
    return write(folder / "alpha.tif", make_pixels(1), colorinterp=(ColorInterp.alpha,))


def transformed(transform, **profile):
    return lambda folder: write(folder / "placed.tif", make_pixels(), transform=transform, **profile)


def without_georeference(folder):
    return write(folder / "photo.png", make_pixels(), driver="PNG", crs=None, transform=None)


def points(positions, crs):
    def make(folder):
        found = [GroundControlPoint(row=r, col=c, x=x, y=y) for r, c, x, y in positions]
        return write(folder / "gcps.tif", make_pixels(), crs=crs, transform=None, gcps=found)

    return make


def points_without_system(folder):
    plain = write(folder / "plain.tif", make_pixels())
    listed = "".join(f'<GCP Id="{r}{c}" Pixel="{c}" Line="{r}" X="{x}" Y="{y}"/>' for r, c, x, y in OVER)
    return vrt(folder / "image.vrt", vrt_band(plain), extra=f"<GCPList>{listed}</GCPList>")


def odd_rpcs(**changes):
    return lambda folder: write(folder / "rpcs.tif", make_pixels(), crs=None, transform=None, rpcs=rpcs(**changes))


def rpcs_in_words(folder):
    plain = write(folder / "plain.tif", make_pixels())
    extra = '<Metadata domain="RPC">' + "".join(
        f'<MDI key="{key}">nonsense</MDI>'
        for key in (
            "HEIGHT_OFF", "HEIGHT_SCALE", "LAT_OFF", "LAT_SCALE", "LONG_OFF", "LONG_SCALE", "LINE_OFF", "LINE_SCALE",
            "SAMP_OFF", "SAMP_SCALE", "LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF",
        )
    ) + "</Metadata>"  # fmt: skip
    return vrt(folder / "words.vrt", vrt_band(plain), extra=extra)


def several_variables(folder):
    return copy_as(write(folder / "plain.tif", make_pixels(2)), folder / "two.nc", "netCDF", FORMAT="NC4")


def source(text):
    """A VRT with this source; {} is its folder."""
    return lambda folder: vrt(folder / "image.vrt", vrt_band(text.format(folder)))


def body(text):
    """A VRT with these bands; {} is its folder."""
    return lambda folder: vrt(folder / "image.vrt", text.replace("{}", str(folder)))


def refers_to_itself(folder):
    return vrt(folder / "itself.vrt", vrt_band(folder / "itself.vrt"))


def refer_to_each_other(folder):
    vrt(folder / "other.vrt", vrt_band(folder / "image.vrt"))
    return vrt(folder / "image.vrt", vrt_band(folder / "other.vrt"))


def pipe_as_source(text):
    def make(folder):
        os.mkfifo(folder / "pipe")
        return vrt(folder / "image.vrt", text.format(folder / "pipe"))

    return make


def raw_bytes_hidden_in_another(folder):
    (folder / "secret").write_bytes(b"root:x:0:0" * 100)
    vrt(folder / "inner.tif", raw_band(folder / "secret"))
    return vrt(folder / "image.vrt", vrt_band(folder / "inner.tif"))


def raw_bytes_in_a_text_within(folder):
    (folder / "secret").write_bytes(b"root:x:0:0" * 100)
    inner = f'<VRTDataset rasterXSize="{COLUMNS}" rasterYSize="{ROWS}">{raw_band(folder / "secret")}</VRTDataset>'
    escaped = inner.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return vrt(folder / "image.vrt", vrt_band(escaped))


def pipe_as_overviews(folder):
    path = write(folder / "image.tif", make_pixels())
    os.mkfifo(folder / "pipe")
    (folder / "image.tif.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS">'
        f'<MDI key="OVERVIEW_FILE">{folder / "pipe"}</MDI></Metadata></PAMDataset>'
    )
    return path


def huge(columns, rows):
    return lambda folder: vrt(
        folder / "huge.vrt", vrt_band(write(folder / "plain.tif", make_pixels())), columns=columns, rows=rows
    )


def claims(columns, rows, bands=1):
    """A TIFF of some hundred bytes that declares a large size, in one tile whose offset is beyond its end."""

    def make(folder):
        entries = 11
        bits = (258, 3, bands, 8 if bands == 1 else 8 + 2 + entries * 12 + 4)
        tags = [
            (256, 4, 1, columns),
            (257, 4, 1, rows),
            bits,
            (259, 3, 1, 8),
            (262, 3, 1, 1),
            (277, 3, 1, bands),
            (284, 3, 1, 1),
            (322, 4, 1, columns),
            (323, 4, 1, rows),
            (324, 4, 1, 1 << 20),
            (325, 4, 1, 1 << 20),
        ]
        assert len(tags) == entries
        path = folder / "claims.tif"
        directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
        path.write_bytes(
            b"II*\0" + struct.pack("<IH", 8, entries) + directory + bytes(4) + struct.pack("<H", 8) * bands
        )
        return path

    return make  # fmt: skip


def overviews_beyond_the_end(folder):
    """A TIFF whose pixels are whole, but whose directory of overviews is beyond its end: GDAL finds out late."""
    tags = [(256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 134),
            (277, 3, 1, 1), (278, 4, 1, 16), (279, 4, 1, 256), (330, 4, 1, 99_999)]  # fmt: skip
    path = folder / "overviews.tif"
    directory = struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + directory + bytes(4) + bytes(256))
    return path


def source_that_is_not_text(folder):
    """A virtual raster of a file whose name is not UTF-8."""
    path = vrt(folder / "names.vrt", vrt_band("NAME"))
    path.write_bytes(path.read_bytes().replace(b"NAME", b"caf\xe9.tif"))
    return path


def name_that_is_not_text(folder):
    plain = write(folder / "plain.tif", make_pixels())
    path = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.tif")
    return plain.rename(path)


PYTHON = (
    '<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand">{}<PixelFunctionType>f</PixelFunctionType>'
    "</VRTRasterBand>"
)
CODE = "<PixelFunctionLanguage>{}</PixelFunctionLanguage>"
LINE = [(0, 0, 4e5, 4e6), (5, 5, 4e5, 4e6), (9, 9, 4e5, 4e6)]
OVER = [(0, 0, 4e5, 4e6), (0, 9, 4e5 + 9, 4e6), (9, 0, 4e5, 4e6 - 9)]
TILES = {"tiled": True, "blockxsize": 16, "blockysize": 16}

MAKERS = {
    "missing": (lambda folder: folder / "nothing.tif", "does not exist"),
    "empty": (content("empty.tif", b""), "cannot be read as a raster"),
    "text": (content("text.tif", b"This is not a raster.\n" * 50), "cannot be read as a raster"),
    "only the magic number": (content("magic.tif", b"II*\0"), "cannot be read as a raster"),
    "zip": (content("zip.tif", b"PK\3\4" + bytes(500)), "cannot be read as a raster"),
    "every byte": (content("bytes.tif", bytes(range(256)) * 20), "cannot be read as a raster"),
    "directory that points to itself": (
        content("loop.tif", b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 4, 1, 4, 8)), "cannot be read"),
    "folder": (folder_itself, "is a folder"),
    "pipe": (pipe, "not a regular file"),
    "socket": (socket_file, "not a regular file"),
    "device": (linked("/dev/zero"), "not a regular file"),
    "terminal": (linked("/dev/tty"), "not a regular file|cannot be opened"),
    "link to nothing": (linked("nowhere.tif"), "does not exist"),
    "link to itself": (linked("link.tif"), "cannot be opened|does not exist"),
    "name that is too long": (lambda folder: folder / ("x" * 300), "cannot be opened"),
    "path of 2400 characters": (lambda folder: folder / ("d/" * 1200) / "image.tif", "does not exist|cannot be opened"),
    "overviews beyond the end": (overviews_beyond_the_end, "metadata.*cannot be read"),
    "source that is no UTF-8": (source_that_is_not_text, "cannot be read"),
    "name that is no UTF-8": (name_that_is_not_text, "not valid UTF-8"),
    "cut off": (cut_off(0.5), "cannot be read"),
    "cut off, compressed": (cut_off(0.6, compress="deflate", **TILES), "cannot be read"),
    "cut off behind the directory": (cut_off(0.02, **TILES), "cannot be read"),
    "corrupt deflate": (corrupt("deflate"), "cannot be read"),
    "corrupt LZW": (corrupt("lzw"), "cannot be read"),
    "corrupt zstd": (corrupt("zstd"), "cannot be read"),
    "complex64": (complex_numbers("complex64"), "complex numbers"),
    "complex128": (complex_numbers("complex128"), "complex numbers"),
    "mixed types": (mixed_types, "different types"),
    "only alpha": (only_alpha, "only an alpha band"),
    "no georeference": (without_georeference, "--pixel-size"),
    "degenerate": (transformed(Affine(1, 2, 0, 2, 4, 0)), "degenerate"),
    "no number in the transform": (transformed(Affine(1, 0, float("nan"), 0, -1, 0)), "not finite|outside the area"),
    "beyond the poles": (transformed(Affine(1, 0, 0, 0, -1, 500), crs="EPSG:4326"), "outside the area"),
    "beyond the projection": (transformed(Affine(1, 0, 1e30, 0, -1, 1e30)), "outside the area"),
    "control points without a system": (points_without_system, "without a coordinate system"),
    "control points in one place": (points(LINE, CRS.from_epsg(32618)), "control points|outside the area"),
    "RPCs with a zero": (odd_rpcs(lat_scale=0.0), "RPCs"),
    "RPCs that are no numbers": (odd_rpcs(height_off=float("nan")), "RPCs"),
    "RPCs beyond the poles": (odd_rpcs(lat_off=5000.0), "RPCs|outside the area"),
    "RPCs in words": (rpcs_in_words, "RPCs|no georeference"),
    "several variables": (several_variables, r"1 \(Band1\), 2 \(Band2\).*--subdataset"),
    "missing source": (source("{}/gone.tif"), "cannot be read"),
    "itself": (refers_to_itself, "contains itself"),
    "each other": (refer_to_each_other, "contains itself"),
    "raw bytes": (body(raw_band("/etc/passwd")), "raw bytes"),
    "raw bytes in another case": (body(raw_band("/etc/passwd").replace("VRTRaw", "vrtRAW")), "raw bytes"),
    "raw bytes as an element": (
        body(raw_band("/etc/hosts").replace(' subClass="VRTRawRasterBand">', "><subClass>VRTrawRasterBand</subClass>")),
        "raw bytes"),
    "raw bytes hidden in another": (raw_bytes_hidden_in_another, "raw bytes"),
    "raw bytes in a text within": (raw_bytes_in_a_text_within, "raw bytes"),
    "python": (body(PYTHON.format(CODE.format("Python"))), "program code"),
    "python in references": (body(PYTHON.format(CODE.format("&#80;yth&#x6f;n"))), "program code"),
    "python in CDATA": (body(PYTHON.format(CODE.format("<![CDATA[Python]]>"))), "program code"),
    "python behind a comment": (body(PYTHON.format(CODE.format("<!-- no code here -->Python"))), "program code"),
    "python as an attribute": (
        body(PYTHON.format("").replace('band="1"', 'band="1" PixelFunctionLanguage="Python"')), "program code"),
    "python's code": (body(PYTHON.format("<PixelFunctionCode>x</PixelFunctionCode>")), "program code"),
    "pipe as source": (pipe_as_source(vrt_band("{}")), "not a regular file"),
    "pipe in references": (pipe_as_source(vrt_band("&#x2f;{}")), "not a regular file"),
    "pipe as an attribute": (
        pipe_as_source('<VRTRasterBand dataType="Byte" band="1"><SimpleSource SourceFilename="{}"/></VRTRasterBand>'),
        "not a regular file"),
    "pipe behind a prefix": (pipe_as_source(vrt_band('NETCDF:"{}":a')), "not a regular file"),
    "pipe behind an address": (pipe_as_source(vrt_band("vrt://{}?bands=1")), "not a regular file"),
    "pipe as overviews": (pipe_as_overviews, "not a regular file"),
    "device as source": (source("/dev/zero"), "not a regular file"),
    "the program's input": (source("/vsistdin/"), "own input"),
    "the program's memory": (source("MEM:::DATAPOINTER=4096,PIXELS=4,LINES=4"), "own memory"),
    "network": (source("/vsicurl/http://127.0.0.1:9/a.tif"), "network"),
    "network in an archive": (source("/vsizip//vsis3/bucket/a.zip/a.tif"), "network"),
    "address": (source("http://127.0.0.1:9/a.tif"), "network"),
    "service": (source("&lt;GDAL_WMS>&lt;Service name='TMS'/>&lt;/GDAL_WMS>"), "network"),
    "2^31 columns": (huge((1 << 31) - 1, (1 << 31) - 1), "pixels"),
    "one huge block": (claims(40_000, 40_000), "blocks of 1.6 GB"),
    "a huge block of many bands": (claims(2048, 4096, 200), "blocks of 1.7 GB"),
    "terabytes in a hundred bytes": (claims((1 << 31) - 16, (1 << 31) - 16), "cannot be read|blocks of"),
}  # fmt: skip
