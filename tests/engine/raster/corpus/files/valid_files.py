"""Unusual but valid rasters, with the expected pixels computed independently of the reader."""

from __future__ import annotations

import shutil

import numpy as np
import rasterio
from affine import Affine
from corpus_files import COLUMNS, ROWS, ValidFile, copy_as, make_pixels, rpcs, vrt, vrt_band
from raster_files import NORTH_UP
from raster_files import write_raster as write
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
TABLE = {0: (10, 20, 30, 255), 1: (200, 0, 7, 255), 2: (1, 2, 3, 255), 3: (90, 180, 45, 255)}
LEFT = np.arange(COLUMNS)[None] < 9
LEFT = np.repeat(LEFT, ROWS, axis=0)


def look_up_colors(indices):
    return np.moveaxis(np.array([TABLE[i][:3] for i in range(4)], np.uint8)[indices], -1, 0)


def palette(folder):
    indices = make_pixels(1, low=0, high=4)
    return ValidFile(write(folder / "palette.tif", indices, colormap=TABLE), look_up_colors(indices[0]))


def palette_for_a_model_of_one_band(folder):
    indices = make_pixels(1, low=0, high=4)
    grey = np.rint(look_up_colors(indices[0]).astype(float).T @ (0.299, 0.587, 0.114)).T[None]
    return ValidFile(write(folder / "grey_palette.tif", indices, colormap=TABLE), grey, needed=1)


def palette_of_one_bit(folder):
    bits = make_pixels(1, low=0, high=2)
    path = write(folder / "bits.tif", bits, colormap={0: TABLE[1], 1: TABLE[2]}, nbits=1)
    return ValidFile(path, look_up_colors(bits[0] + 1))


def palette_of_sixteen_bits(folder):
    indices = make_pixels(1, "uint16", low=0, high=4)
    return ValidFile(write(folder / "palette16.tif", indices, colormap=TABLE), look_up_colors(indices[0]))


def palette_with_missing_and_transparent_entries(folder):
    indices = make_pixels(1, low=0, high=6)
    path = write(folder / "short.png", indices, driver="PNG", colormap={**TABLE, 2: (1, 2, 3, 0), 255: (0, 0, 0, 0)})
    valid = (indices[0] < 4) & (indices[0] != 2)
    return ValidFile(path, np.where(valid, look_up_colors(np.minimum(indices[0], 3)), 0), valid)


def palette_with_nodata(folder):
    indices = make_pixels(1, low=0, high=4)
    valid = indices[0] != 1
    path = write(folder / "palette_nodata.tif", indices, colormap=TABLE, nodata=1)
    return ValidFile(path, np.where(valid, look_up_colors(indices[0]), 0), valid)


def one_bit(folder):
    bits = make_pixels(1, low=0, high=2)
    return ValidFile(write(folder / "one_bit.tif", bits, nbits=1), bits * 255, needed=1)  # black and white


def twelve_bits(folder):
    pixels = make_pixels(3, "uint16", low=0, high=4096)
    return ValidFile(write(folder / "twelve.tif", pixels, nbits=12), pixels)


def types(dtype):
    def make(folder):
        pixels = make_pixels(3, dtype, low=1 if dtype.startswith("u") else -120, high=120)
        return ValidFile(write(folder / f"{dtype}.tif", pixels), pixels)

    return make


def half_floats(folder):
    pixels = make_pixels(3, "float32") / 2
    return ValidFile(write(folder / "half.tif", pixels, nbits=16), pixels)


def not_finite(folder):
    pixels = make_pixels(2, "float32")
    pixels[:, :4] = np.nan
    pixels[0, 10, 10], pixels[1, 11, 11], pixels[:, 12, 12] = np.nan, np.inf, -np.inf
    valid = np.isfinite(pixels).any(axis=0)
    return ValidFile(write(folder / "nan.tif", pixels), np.where(np.isfinite(pixels), pixels, 0), valid, needed=2)


def alpha(folder):
    pixels = np.concatenate([make_pixels(), np.where(LEFT, 0, 255).astype(np.uint8)[None]])
    path = write(folder / "alpha.tif", pixels, colorinterp=RGBA)
    return ValidFile(path, np.where(LEFT, 0, pixels[:3]), ~LEFT)


def alpha_of_sixteen_bits(folder):
    pixels = np.concatenate([make_pixels(3, "uint16"), np.where(LEFT, 20_000, 40_000).astype(np.uint16)[None]])
    path = write(folder / "alpha16.tif", pixels, colorinterp=RGBA)
    return ValidFile(path, np.where(LEFT, 0, pixels[:3]), ~LEFT)


def internal_mask(folder):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        path = write(folder / "mask.tif", make_pixels(), mask=np.where(LEFT, 0, 255).astype(np.uint8))
    return ValidFile(path, np.where(LEFT, 0, make_pixels()), ~LEFT)


def external_mask(folder):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"):
        path = write(folder / "beside.tif", make_pixels(), mask=np.where(LEFT, 0, 255).astype(np.uint8))
    assert path.with_name("beside.tif.msk").is_file()
    return ValidFile(path, np.where(LEFT, 0, make_pixels()), ~LEFT)


def nodata(folder):
    pixels = np.where(LEFT, 0, make_pixels())
    pixels[0, 5, 20] = 0  # black in one band is a color
    return ValidFile(write(folder / "nodata.tif", pixels.astype(np.uint8), nodata=0), pixels, ~LEFT)


def nodata_nan(folder):
    pixels = np.where(LEFT, np.nan, make_pixels(3, "float32")).astype(np.float32)
    return ValidFile(write(folder / "nan_nodata.tif", pixels, nodata=np.nan), np.nan_to_num(pixels), ~LEFT)


def nodata_outside_the_dtype(folder):
    path = write(folder / "plain.tif", make_pixels())
    bands = "".join(
        vrt_band(path, band=b, of=b).replace("<Simple", "<NoDataValue>-9999</NoDataValue><Simple", 1) for b in (1, 2, 3)
    )
    return ValidFile(vrt(folder / "impossible.vrt", bands), make_pixels())


def nodata_for_each_band(folder):
    pixels = make_pixels()
    pixels[0][LEFT], pixels[1][LEFT], pixels[2][LEFT] = 7, 8, 9
    path = write(folder / "plain.tif", pixels)
    bands = "".join(
        vrt_band(path, band=b, of=b).replace("<Simple", f"<NoDataValue>{6 + b}</NoDataValue><Simple", 1)
        for b in (1, 2, 3)
    )
    return ValidFile(vrt(folder / "each.vrt", bands), np.where(LEFT, 0, pixels), ~LEFT)


def georeferenced(name, transform, **profile):
    def make(folder):
        return ValidFile(
            write(folder / f"{name}.tif", make_pixels(), transform=transform, **profile), make_pixels(), None, transform
        )

    return make


def control_points_only(folder):
    corners = [(0, 0), (0, COLUMNS), (ROWS, 0), (ROWS, COLUMNS)]
    points = [GroundControlPoint(row=r, col=c, x=400_000 + 2 * c, y=4_000_000 - 2 * r) for r, c in corners]
    path = write(folder / "gcps.tif", make_pixels(), crs=CRS.from_epsg(32618), transform=None, gcps=points)
    return ValidFile(path, make_pixels(), None, Affine(2, 0, 400_000, 0, -2, 4_000_000))


def rpcs_only(folder):
    path = write(folder / "rpcs.tif", make_pixels(), crs=None, transform=None, rpcs=rpcs())
    step = 1e-5
    return ValidFile(path, make_pixels(), None, Affine(step, 0, 8 - 16.5 * step, 0, -step, 45 + 12.5 * step))


def no_georeference(folder):
    path = write(folder / "photo.jpg", make_pixels(), driver="JPEG", quality=100, crs=None, transform=None)
    with rasterio.open(path) as dataset:
        pixels = dataset.read()
    return ValidFile(path, pixels, None, Affine(0.5, 0, 0, 0, -0.5, 0), options={"pixel_size": 0.5})


def cmyk(folder):
    values = np.zeros((4, ROWS, COLUMNS), np.uint8)
    values[:, 0, 0], values[:, 0, 1], values[:, 1] = (255, 0, 0, 0), (0, 0, 0, 255), [[0], [100], [200], [55]]
    share = 1 - values.astype(float) / 255
    return ValidFile(write(folder / "cmyk.tif", values, photometric="CMYK"), 255 * share[:3] * share[3], tolerance=1.0)


def luminance_and_chrominance(folder):
    smooth = np.stack([np.add.outer(np.arange(ROWS), k * np.arange(COLUMNS)) for k in (1, 2, 3)]).astype(np.uint8)
    path = write(folder / "ycbcr.tif", smooth, compress="jpeg", photometric="YCBCR", jpeg_quality=95, tiled=False)
    return ValidFile(path, smooth, tolerance=12.0)


def stored(name, **profile):
    def make(folder):
        return ValidFile(write(folder / f"{name}.tif", make_pixels(), **profile), make_pixels())

    return make


def formatted(driver, suffix, **options):
    def make(folder):
        path = folder / f"copy.{suffix}"
        copy_as(write(folder / "plain.tif", make_pixels()), path, driver, **options)
        return ValidFile(path, make_pixels())

    return make


def variable_of_netcdf(form, wanted):
    def make(folder):
        path = folder / f"{form}.nc"
        copy_as(write(folder / "plain.tif", make_pixels(2)), path, "netCDF", FORMAT=form)
        return ValidFile(path, make_pixels(2)[1:], needed=1, options={"subdataset": wanted})

    return make


def netcdf_of_one_variable(folder):
    path = copy_as(write(folder / "plain.tif", make_pixels(1)), folder / "one.nc", "netCDF")
    return ValidFile(path, make_pixels(1), needed=1)


def pages(wanted):
    def make(folder):
        path = write(folder / "pages.tif", make_pixels())
        write(path, 255 - make_pixels(), APPEND_SUBDATASET="YES")
        return ValidFile(path, make_pixels() if wanted is None else 255 - make_pixels(), options={"subdataset": wanted})

    return make


def hundreds_of_bands(folder):
    pixels = make_pixels(400)
    return ValidFile(write(folder / "many.tif", pixels, interleave="pixel"), pixels[:3])


def terabytes_that_are_not_stored(folder):
    """2^20 x 2^20 x 3 pixels in a file of some MB: only the blocks of a window are read."""
    path = folder / "sparse.tif"
    size = 1 << 20
    write(path, make_pixels(3, rows=16, columns=16), width=size, height=size, sparse_ok=True, tiled=True,
          blockxsize=2048, blockysize=2048, bigtiff="YES")  # fmt: skip
    expected = np.zeros((3, ROWS, COLUMNS), np.uint8)
    expected[:, :16, :16] = make_pixels(3, rows=16, columns=16)
    return ValidFile(path, expected)


def virtual(folder):
    write(folder / "inner.tif", make_pixels())
    bands = "".join(vrt_band("inner.tif", band=b, of=b) for b in (1, 2, 3))
    return ValidFile(
        vrt(folder / "outer.vrt", bands.replace("<SourceFilename>", '<SourceFilename relativeToVRT="1">')),
        make_pixels(),
    )


def virtual_in_virtual(folder):
    inner = write(folder / "inner.tif", make_pixels())
    middle = vrt(folder / "middle.xyz", "".join(vrt_band(inner, band=b, of=b) for b in (1, 2, 3)))
    return ValidFile(
        vrt(folder / "image.tif", "".join(vrt_band(middle, band=b, of=b) for b in (1, 2, 3))), make_pixels()
    )


def named(name):
    def make(folder):
        plain = write(folder / "plain.tif", make_pixels())
        return ValidFile(plain.rename(folder / name), make_pixels())

    return make


def link(folder):
    plain = write(folder / "plain.tif", make_pixels())
    path = folder / "link.tif"
    path.symlink_to(plain)
    return ValidFile(path, make_pixels())


def one_pixel(folder):
    return ValidFile(write(folder / "pixel.tif", make_pixels(rows=1, columns=1)), make_pixels(rows=1, columns=1))


def wrong_suffix(folder):
    path = write(folder / "image.png", make_pixels(), driver="PNG")
    aux = folder / "image.png.aux.xml"
    shutil.move(aux, folder / "text.txt.aux.xml")
    return ValidFile(path.rename(folder / "text.txt"), make_pixels())


TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
MAKERS = {
    maker.__name__: maker
    for maker in (
        palette, palette_for_a_model_of_one_band, palette_of_one_bit, palette_of_sixteen_bits,
        palette_with_missing_and_transparent_entries, palette_with_nodata, one_bit, twelve_bits, half_floats,
        not_finite, alpha, alpha_of_sixteen_bits, internal_mask, external_mask, nodata, nodata_nan,
        nodata_outside_the_dtype, nodata_for_each_band, control_points_only, rpcs_only, no_georeference, cmyk,
        luminance_and_chrominance, netcdf_of_one_variable, hundreds_of_bands, terabytes_that_are_not_stored, virtual,
        virtual_in_virtual, link, one_pixel, wrong_suffix,
    )
} | {f"type {name}": types(name) for name in TYPES} | {
    "rotated": georeferenced("rotated", Affine(0.8, -0.6, 500_000, -0.6, -0.8, 4_000_000)),
    "south up": georeferenced("south_up", Affine(1, 0, 500_000, 0, 1, 4_000_000)),
    "mirrored": georeferenced("mirrored", Affine(-1, 0, 500_000, 0, -1, 4_000_000)),
    "sheared": georeferenced("sheared", Affine(1, 0.3, 500_000, 0, -1, 4_000_000)),
    "degrees": georeferenced("degrees", Affine(1e-5, 0, 8, 0, -1e-5, 45), crs="EPSG:4326"),
    "degrees beyond 180": georeferenced("beyond", Affine(1e-5, 0, 190, 0, -1e-5, 45), crs="EPSG:4326"),
    "pixels that are not square": georeferenced("oblong", Affine(2, 0, 500_000, 0, -0.5, 4_000_000)),
    "feet": georeferenced("feet", Affine(3.28, 0, 2_000_000, 0, -3.28, 500_000), crs="EPSG:2263"),
    "no coordinate system": georeferenced("no_crs", NORTH_UP, crs=None),
    "a coordinate system of its own": georeferenced("own", NORTH_UP, crs='ENGCRS["site",EDATUM["here"],CS[Cartesian,2],'
                                             'AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'),
    "planar-separate": stored("planar", interleave="band"),
    "by pixel": stored("chunky", interleave="pixel"),
    "big-endian": stored("big_endian", ENDIANNESS="BIG"),
    "BigTIFF": stored("big", bigtiff="YES"),
    "small tiles": stored("tiles", tiled=True, blockxsize=16, blockysize=16),
    "strips of a row": stored("strips", blockysize=1, compress="lzw", predictor=2),
    "zstd": stored("zstd", compress="zstd"),
    "lerc": stored("lerc", compress="lerc"),
    "cloud-optimised": formatted("COG", "tif"),
    "PNG": formatted("PNG", "png"),
    "JPEG 2000": formatted("JP2OpenJPEG", "jp2", QUALITY="100", REVERSIBLE="YES"),
    "WebP": formatted("WEBP", "webp", LOSSLESS="YES"),
    "Erdas": formatted("HFA", "img"),
    "ENVI": formatted("ENVI", "dat", INTERLEAVE="BIL"),
    "netCDF by number": variable_of_netcdf("NC", "2"),
    "netCDF by name": variable_of_netcdf("NC", "Band2"),
    "HDF5 by name": variable_of_netcdf("NC4", "Band2"),
    "first of several pages": pages(None),
    "second of several pages": pages("2"),
    "unicode": named("ü 日本 ☂.tif"),
    "colon": named("a:b.tif"),
    "address": named("zip+http:x.tif"),
    "per cent": named("100%.tif"),
    "quotes": named("\"'`$(x);.tif"),
    "leading dash": named("--help"),
    "new line": named("a\nb.tif"),
    "as long as names may be": named("x" * 251 + ".tif"),
}  # fmt: skip
