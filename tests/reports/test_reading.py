"""Images, areas and places that are easily misread."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from model_files import write_linear_model
from pyproj import Geod, Transformer
from raster_files import NORTH_UP, write_raster
from rasterio.enums import ColorInterp
from reports.situation import Outcome, Situation, each, run_situation

#: Side of a scene with a road, and width of its frame, in pixels of a metre.
SIZE, FRAME = 160, 60
RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def _model(folder: Path, *weights: object, **fields: object) -> Path:
    (folder / "model").mkdir(exist_ok=True)
    return write_linear_model(folder / "model", *weights, **fields)


def _broken_model(folder: Path) -> Path:
    """A model whose card is right, but that cannot be loaded: the right sentence comes before."""
    model = _model(folder, sha256=hashlib.sha256(b"no model").hexdigest())
    (model / "net.onnx").write_bytes(b"no model")
    return model


def _image(folder: Path, size: int = 64, **profile: object) -> Path:
    return write_raster(folder / "image.tif", np.full((3, size, size), 90, np.uint8), **profile)


def _pixels(size: float) -> Affine:
    """A transform with pixels of ``size`` metres."""
    return NORTH_UP @ Affine.scale(size)


def _extract(folder: Path, image: object, *options: object, model: Path | None = None) -> tuple[object, ...]:
    model = model or _model(folder)
    return ("extract", "roads", image, "--model", model, "-o", folder / "a.gpkg", "--runtime=onnxruntime", *options)


def _file(name: str, content: bytes):
    """A command that is given a file of another kind as the image."""

    def make(folder: Path) -> tuple[object, ...]:
        (folder / name).write_bytes(content)
        return _extract(folder, folder / name, model=_broken_model(folder))

    return make


def _vector_as_image(folder: Path) -> tuple[object, ...]:
    write_polygons(folder / "fields.gpkg", [shapely.box(0, 0, 1, 1)])
    return _extract(folder, folder / "fields.gpkg", model=_broken_model(folder))


def _zip_as_image(folder: Path) -> tuple[object, ...]:
    with zipfile.ZipFile(folder / "scene.zip", "w") as archive:
        archive.write(_image(folder), "scene.tif")
    return _extract(folder, folder / "scene.zip", model=_broken_model(folder))


def write_polygons(path: Path, polygons: list[object], layer: str = "fields", **options: object) -> Path:
    """Write polygons to a layer of a vector file."""
    geometry = np.asarray(shapely.to_wkb(polygons), object)
    pyogrio.raw.write(
        path, geometry, [], np.array([], object), layer=layer, crs="EPSG:32618", geometry_type="Polygon", **options
    )
    return path


def _two_layers(folder: Path, *options: object) -> tuple[object, ...]:
    x, y = NORTH_UP.c, NORTH_UP.f
    area = write_polygons(folder / "areas.gpkg", [shapely.box(x, y - 64, x + 64, y)], "north")
    write_polygons(area, [shapely.box(x, y - 20, x + 20, y)], "south", append=True)
    return _extract(folder, _image(folder), "--area", area, *options)


def _not_written(outcome: Outcome) -> bool:
    return not (outcome.folder / "a.gpkg").exists()


def _bands(folder: Path, order: str, **profile: object) -> Path:
    """A scene with the bands ``order`` of blue, green, red, near infrared and alpha (BGRNA); red shows a road.

    The road is the middle 8 rows; the infrared has the values of vegetation.
    """
    noise = np.random.default_rng(7).integers(0, 60, (4, SIZE, SIZE))
    blue, green, red, infrared = noise + np.array([400, 500, 300, 2500])[:, None, None]
    red[76:84] = 9000
    infrared[76:84] = 700
    layers = {"B": blue, "G": green, "R": red, "N": infrared, "A": np.full_like(red, 255)}
    pixels = np.stack([layers[letter] for letter in order]).astype(profile.pop("dtype", "uint16"))
    return write_raster(folder / "image.tif", pixels, **profile)


def _describe(path: Path, names: tuple[str, ...] = (), wavelengths: tuple[float, ...] = ()) -> Path:
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names or dataset.descriptions
        for band, length in enumerate(wavelengths, 1):
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(length))
    return path


def _road_found(outcome: Outcome) -> bool:
    """Whether the road of ``_bands`` was found, as long as the image is wide."""
    return bool(abs(outcome.summary["length_m"] - SIZE) < 4)


def _extract_bands(folder: Path, image: Path, *options: object, resolution: float = 1.0) -> tuple[object, ...]:
    return _extract(folder, image, *options, model=_model(folder, stretch=True, resolution=resolution))


def _eight_bits(folder: Path, alpha: np.ndarray, **profile: object) -> Path:
    """A scene of 8 bits with a road in all bands, and ``alpha`` as the fourth one."""
    pixels = np.random.default_rng(3).integers(20, 90, (3, SIZE, SIZE)).astype(np.uint8)
    pixels[:, 76:84] = 250
    return write_raster(folder / "image.tif", np.concatenate([pixels, alpha[None]]), colorinterp=RGBA, **profile)


def _infrared() -> np.ndarray:
    """Near infrared of 8 bits: dark roads in bright vegetation."""
    infrared = np.random.default_rng(4).integers(120, 220, (SIZE, SIZE)).astype(np.uint8)
    infrared[76:84] = 40
    return infrared


def _frame(hidden: int) -> np.ndarray:
    """An alpha band that hides the first ``hidden`` columns."""
    alpha = np.full((SIZE, SIZE), 255, np.uint8)
    alpha[:, :hidden] = 0
    return alpha


def _framed(folder: Path, value: float, dtype: str, **profile: object) -> Path:
    """A scene whose first columns have a value that no tag declares."""
    path = _bands(folder, "RGB", dtype=dtype)
    with rasterio.open(path) as dataset:
        pixels = dataset.read()
    pixels[:, :, :FRAME] = value
    return write_raster(path, pixels, **profile)


def _road_right_of(columns: int) -> Callable[[Outcome], bool]:
    """Whether the road was found right of a frame of nodata."""
    return lambda outcome: bool(abs(outcome.summary["length_m"] - (SIZE - columns)) < 10)


ALPHA_AND_NODATA = (
    Situation(
        "a NAIP scene whose near infrared is tagged as alpha",
        make=lambda folder: _extract_bands(folder, _eight_bits(folder, _infrared())),
        says=("band 4", "alpha", "not used as transparency"),
        check=lambda outcome: _road_found(outcome) and len(outcome.warnings) == 1,
    ),
    Situation(
        "near infrared of 16 bits that is tagged as alpha, read at half its resolution",
        make=lambda folder: _extract_bands(
            folder,
            _bands(folder, "RGBN", colorinterp=RGBA),
            resolution=2.0,
        ),
        says=("band 4", "not used as transparency"),
        check=lambda outcome: outcome.summary["width"] == SIZE // 2 and _road_found(outcome),
    ),
    Situation(
        "an alpha band of 16 bits whose largest value is 255",
        make=lambda folder: _extract_bands(folder, _bands(folder, "RGBA", colorinterp=RGBA)),
        says="not used as transparency",
        check=_road_found,
    ),
    Situation(
        "an alpha band that hides a third of the image",
        make=lambda folder: _extract_bands(folder, _eight_bits(folder, _frame(53))),
        says=("hides 33%", "--ignore-alpha"),
        check=lambda outcome: _road_right_of(53)(outcome) and not outcome.warnings,
    ),
    Situation(
        "an alpha band that hides most of the image",
        make=lambda folder: _extract_bands(folder, _eight_bits(folder, _frame(120))),
        check=lambda outcome: "hides 75%" in outcome.warnings[0],
    ),
    Situation(
        "an alpha band that hides a third of the image and is to be ignored",
        make=lambda folder: _extract_bands(folder, _eight_bits(folder, _frame(53)), "--ignore-alpha"),
        check=_road_found,
    ),
    Situation(
        "an alpha band that was never filled",
        make=lambda folder: _extract_bands(folder, _eight_bits(folder, _frame(SIZE))),
        says="would hide the whole image",
        check=_road_found,
    ),
    *(
        Situation(
            f"a frame of {value:g} that no tag declares, {dtype}",
            make=lambda folder, value=value, dtype=dtype: _extract_bands(folder, _framed(folder, value, dtype)),
            says=(f"value {value:g}", "37.5%", "taken as nodata", "--nodata"),
            check=lambda outcome: _road_right_of(FRAME)(outcome) and len(outcome.warnings) == 1,
        )
        for value, dtype in ((-9999, "int16"), (-9999, "float32"), (-3.4e38, "float32"), (65535, "uint16"))
    ),
    Situation(
        "a frame of -9999 that no tag declares, averaged to half the resolution",
        make=lambda folder: _extract_bands(folder, _framed(folder, -9999, "int16"), resolution=2.0),
        check=lambda outcome: outcome.summary["width"] == SIZE // 2 and _road_right_of(FRAME)(outcome),
    ),
    Situation(
        "saturated highlights of 16 bits",
        make=lambda folder: _extract(
            folder,
            write_raster(
                folder / "image.tif",
                np.linspace(0, 80_000, 3 * SIZE * SIZE).clip(0, 65535).reshape(3, SIZE, SIZE).astype(np.uint16),
            ),
            model=_model(folder, stretch=True),
        ),
        never_says="nodata",
    ),
    Situation(
        "a frame of 1 that the person names as nodata",
        make=lambda folder: _extract_bands(folder, _framed(folder, 1, "uint16"), "--nodata=1"),
        check=_road_right_of(FRAME),
    ),
    Situation(
        "a wrong nodata value, which the person replaces",
        make=lambda folder: _extract_bands(folder, _framed(folder, 1, "uint16", nodata=9000), "--nodata=1"),
        check=_road_right_of(FRAME),
    ),
)
BANDS = (
    Situation(
        "bands described as Blue, Green, Red and NIR",
        make=lambda folder: _extract_bands(
            folder, _describe(_bands(folder, "BGRN"), ("Blue", "Green", "Red", "Near Infrared"))
        ),
        says=("bands 3, 2 and 1", "by their names"),
        check=_road_found,
    ),
    Situation(
        "bands of Sentinel-2 by number",
        make=lambda folder: _extract_bands(folder, _describe(_bands(folder, "BGRN"), ("B02", "B03", "B04", "B08"))),
        says="bands 3, 2 and 1",
        check=_road_found,
    ),
    Situation(
        "bands with wavelengths and without names",
        make=lambda folder: _extract_bands(
            folder, _describe(_bands(folder, "NRGB"), wavelengths=(0.842, 0.665, 0.56, 0.49))
        ),
        says="bands 2, 3 and 4",
        check=_road_found,
    ),
    Situation(
        "bands in the order of the model, with names",
        make=lambda folder: _extract_bands(folder, _describe(_bands(folder, "RGBN"), ("red", "green", "blue", "nir"))),
        never_says="by their names",
        check=_road_found,
    ),
    Situation(
        "bands of an export whose names belong to several satellites: the message has the names",
        make=lambda folder: _extract_bands(
            folder,
            _describe(
                _bands(folder, "BGRN", colorinterp=(ColorInterp.gray, *[ColorInterp.undefined] * 3)),
                ("B2", "B3", "B4", "B8"),
            ),
        ),
        check=lambda outcome: "the first 3 are used (B2, B3, B4); --bands" in outcome.warnings[0],
    ),
    Situation(
        "four bands without names",
        make=lambda folder: _extract_bands(
            folder, _bands(folder, "RGBN", colorinterp=(ColorInterp.gray, *[ColorInterp.undefined] * 3))
        ),
        check=lambda outcome: _road_found(outcome) and "4 bands, of which the first 3 are" in outcome.warnings[0],
    ),
    Situation(
        "two polarizations of radar",
        make=lambda folder: _extract_bands(folder, _bands(folder, "RN")),
        check=lambda outcome: _road_found(outcome) and "2 bands, of which the first is used" in outcome.warnings[0],
    ),
    Situation(
        "bands that the person names",
        make=lambda folder: _extract_bands(folder, _bands(folder, "BGRN"), "--bands=3,2,1"),
        never_says="--bands",
        check=_road_found,
    ),
)


def _sea_ice(offset: float) -> Callable[[Path], tuple[object, ...]]:
    """A class raster of 25 km pixels around the north pole, which is ``offset`` pixels off the raster's centre."""

    def make(folder: Path) -> tuple[object, ...]:
        classes = np.ones((1, 80, 80), np.uint8)
        classes[0, 30:50, 30:50] = 2
        corner = -25_000 * (40 + offset), 25_000 * (40 + offset)
        raster = write_raster(
            folder / "ice.tif", classes, crs="EPSG:3413", transform=Affine(25_000, 0, corner[0], 0, -25_000, corner[1])
        )
        return ("vectorize", "landcover", raster, "-o", folder / "a.gpkg", "--no-smooth", "--simplify=0")

    return make


def _ice_area(offset: float) -> Callable[[Outcome], None]:
    """Check the area of the middle square of ``_sea_ice`` against the geodesic area of its outline."""
    half = np.array([-250_000 - 25_000 * offset, 250_000 - 25_000 * offset])
    square = shapely.segmentize(shapely.box(half[0], -half[1], half[1], -half[0]), 5_000)
    lon, lat = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(
        *shapely.get_coordinates(square).T
    )
    expected = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])

    def check(outcome: Outcome) -> None:
        assert outcome.summary["area_of_class_2"] == pytest.approx(expected, rel=1e-3)

    return check


def _degrees(folder: Path, polygon: shapely.Polygon) -> Path:
    """A GeoJSON, in degrees."""
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(polygon)}
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def _over_a_country(folder: Path, polygon: shapely.Polygon, **profile: object) -> tuple[object, ...]:
    """Land cover of 600 km, one kilometre a pixel, in an area in degrees."""
    image = write_raster(
        folder / "image.tif",
        np.full((3, 600, 600), 90, np.uint8),
        **{"crs": "EPSG:32632", "transform": WIDE, **profile},
    )
    model = _model(folder, np.eye(3), task="landcover", resolution=1000.0)
    return ("segment", image, "--model", model, "-o", folder / "a.tif", "--area", _degrees(folder, polygon))


#: Pixels of a kilometre in UTM 32N, 600 of them around 9 degrees east.
WIDE = Affine(1000, 0, 200_000, 0, -1000, 6_700_000)


def _valid_pixels(outcome: Outcome) -> np.ndarray:
    """Latitudes of the centres of the valid pixels of the result."""
    with rasterio.open(outcome.folder / "a.tif") as dataset:
        rows, columns = np.nonzero(dataset.read_masks(1))
        x, y = dataset.transform @ (columns + 0.5, rows + 0.5)
    return np.array(Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(x, y))


def _follows_the_parallel(outcome: Outcome) -> None:
    """Check that the area ends at 58 degrees north all along, to a pixel."""
    lon, lat = _valid_pixels(outcome)
    assert lon.min() < 6
    assert lon.max() > 12
    assert lat.min() > 57.99
    for west in range(6, 12):
        assert lat[(lon > west) & (lon < west + 1)].min() < 58.015


PLACE = (
    *(
        Situation(
            f"sea ice of 25 km around the pole, {offset} pixels off the centre",
            make=_sea_ice(offset),
            check=_ice_area(offset),
        )
        for offset in (0, 0.5, 3.25)
    ),
    Situation(
        "an area that is the whole world",
        make=lambda folder: _extract(
            folder, _image(folder), "--area", _degrees(folder, shapely.box(-180, -90, 180, 90))
        ),
        check=lambda outcome: outcome.summary["width"] == 64 and outcome.summary["tiles"] == 1,
    ),
    Situation(
        "an area that is the whole world, for an image across the antimeridian",
        make=lambda folder: _extract(
            folder,
            _image(folder, 256, crs="EPSG:32601", transform=Affine(1, 0, 166_000 - 128, 0, -1, 128)),
            "--area",
            _degrees(folder, shapely.box(-180, -90, 180, 90)),
        ),
        check=lambda outcome: outcome.summary["width"] == 256,
    ),
    Situation(
        "an area whose side is a parallel of many degrees",
        make=lambda folder: _over_a_country(folder, shapely.box(0, 58, 20, 70)),
        check=_follows_the_parallel,
    ),
)


def _mask(folder: Path, *options: object, **profile: object) -> tuple[object, ...]:
    """Roads of a mask with a road of 200 m."""
    mask = np.zeros((1, 200, 200), np.uint8)
    mask[0, 96:104] = 1
    raster = write_raster(folder / "mask.tif", mask, **profile)
    return ("vectorize", "roads", raster, "-o", folder / "a.gpkg", *options)


def _odd_crs(folder: Path, crs: str) -> Path:
    """A virtual raster with a CRS that a GeoTIFF cannot store."""
    _mask(folder)
    path = folder / "odd.vrt"
    rasterio.shutil.copy(folder / "mask.tif", path, driver="VRT")
    text = re.sub("(?s)<SRS.*?</SRS>", f"<SRS>{crs}</SRS>", path.read_text())
    path.write_text(text)
    return path


#: The Earth from above 40 degrees north and 10 degrees east, and pixels of 10 km around its middle and over its edge.
GLOBE = "+proj=ortho +lat_0=40 +lon_0=10 +R=6371000"
OVER_THE_EDGE = Affine(10_000, 0, 5_000_000, 0, -10_000, 1_000_000)
OTHER_CRS = (
    *(
        Situation(
            f"vectors in {crs}, which cannot express where the raster is",
            make=lambda folder, crs=crs: _mask(folder, f"--crs={crs}"),
            code=2,
            says=(crs, "mask.tif" if "ortho" in crs else "not a CRS of positions"),
            check=_not_written,
        )
        for crs in ("+proj=ortho +lat_0=-40 +lon_0=110", "EPSG:5773", "EPSG:4978")
    ),
    Situation(
        "a mask in metres that is declared to be in degrees",
        make=lambda folder: _mask(folder, crs="EPSG:4326"),
        code=2,
        says=("mask.tif", "outside the area of its coordinate system"),
        check=_not_written,
    ),
    Situation("vectors in no CRS", make=lambda folder: _mask(folder, "--crs=nonsense"), code=2, says="nonsense is not"),
    Situation(
        "vectors in another CRS of a raster without one",
        make=lambda folder: _mask(folder, "--crs=EPSG:4326", crs=None),
        code=2,
        says="mask.tif has no CRS",
        check=_not_written,
    ),
    *(
        Situation(
            f"a raster in {crs}",
            make=lambda folder, crs=crs: ("vectorize", "roads", _odd_crs(folder, crs), "-o", folder / "a.gpkg"),
            code=2,
            says=("odd.vrt", "not one of positions"),
            check=_not_written,
        )
        for crs in ("EPSG:5773", "EPSG:4978")
    ),
    Situation(
        "a raster in a CRS of a position and a height",
        make=lambda folder: _mask(folder, crs="EPSG:5698", transform=Affine(1, 0, 500_000, 0, -1, 6_649_776)),
        says="0.20 km of road",
        check=lambda outcome: pyogrio.read_info(outcome.folder / "a.gpkg", layer="roads")["crs"] == "EPSG:5698",
    ),
    Situation(
        "an image that reaches over the edge of the globe",
        make=lambda folder: _extract(
            folder,
            _image(folder, 200, crs=GLOBE, transform=OVER_THE_EDGE),
            "--resolution=10000",
            model=_broken_model(folder),
        ),
        code=2,
        says=("image.tif", "outside the area of its coordinate system", "--extent"),
    ),
    Situation(
        "the part of that image that is on the globe",
        make=lambda folder: _extract(
            folder,
            _image(folder, 200, crs=GLOBE, transform=OVER_THE_EDGE),
            "--resolution=10000",
            "--extent=5000000,-500000,5500000,500000",
        ),
        check=lambda outcome: outcome.summary["height"] == 100,
    ),
)


def _with_damaged_confidence(folder: Path) -> tuple[object, ...]:
    """Classes with a raster of their probabilities whose last rows are missing."""
    classes = write_raster(folder / "classes.tif", np.eye(64, dtype=np.uint8)[None])
    path = write_raster(folder / "confidence.tif", np.ones((1, 64, 64), np.float32))
    path.write_bytes(path.read_bytes()[:-4096])
    return ("vectorize", "landcover", classes, "--confidence", path, "-o", folder / "a.gpkg")


EXTREMES = (
    *(
        Situation(
            f"vectorize {option}",
            make=lambda folder, option=option: _mask(folder, option),
            code=2,
            says=(option.partition("=")[0], says),
            check=_not_written,
        )
        for says, options in (
            ("too large", ("--blur=1e5", "--smooth=1e5", "--hole-area=1e10", "--max-width=1e5")),
            ("not in the range", ("--blur=1e9", "--smooth=1e300", "--hole-area=1e300", "--gap=1e6", "--spur=inf")),
            ("not a finite number", ("--min-length=nan", "--threshold=nan")),
        )
        for option in options
    ),
    *(
        Situation(
            f"extract with {option}",
            make=lambda folder, option=option: _extract(folder, _image(folder), option),
            code=2,
            says=option.strip("-").partition("=")[0],
            check=_not_written,
        )
        for option in ("--threads=1000000", "--area-layer=fields", "--area=", "--tile=1000000000", "--memory=0")
    ),
    Situation(
        "vectorize with an empty output",
        make=lambda folder: (*_mask(folder)[:3], "-o", ""),
        code=2,
        says=("--output", "empty"),
    ),
    Situation(
        "a nodata value that is no number",
        make=lambda folder: (*_mask(folder), "--nodata=none"),
        code=2,
        says=("--nodata", "'none' is not a valid float"),
    ),
    Situation(
        "a nodata value that whole numbers cannot have",
        make=lambda folder: (*_mask(folder), "--nodata=nan"),
    ),
    Situation(
        "a model without a name",
        make=lambda folder: ("plan", _image(folder), "--model="),
        code=2,
        says=("no model ''", "roads-lednet"),
    ),
    Situation("an image without a name", make=lambda folder: ("info", ""), code=2, says=("IMAGE", "empty")),
    Situation(
        "a confidence raster that is cut off",
        make=_with_damaged_confidence,
        code=2,
        says=("confidence.tif", "cannot be read"),
        never_says="scale",
        check=_not_written,
    ),
    Situation(
        "the size of a pixel of an image with a georeference",
        make=lambda folder: _extract(folder, _image(folder), "--pixel-size=5"),
        says="--pixel-size is not used",
        check=lambda outcome: outcome.summary["width"] == 64,
    ),
)  # fmt: skip
SITUATIONS = (
    *PLACE,
    *OTHER_CRS,
    *EXTREMES,
    *ALPHA_AND_NODATA,
    *BANDS,
    Situation(
        "the address of an image on the network",
        make=lambda folder: _extract(folder, "https://host/bucket/scene.tif", model=_broken_model(folder)),
        code=2,
        says=("https://host/bucket/scene.tif", "address", "download"),
    ),
    Situation("a GeoPackage of polygons as the image", make=_vector_as_image, code=2, says=("fields.gpkg", "vector")),
    Situation("a zip as the image", make=_zip_as_image, code=2, says=("scene.zip", "archive", "unpack")),
    Situation("an ECW as the image", make=_file("scene.ecw", b"e\x02\0\0"), code=2, says=("scene.ecw", "vendor")),
    Situation(
        "an output with another suffix, with a model that cannot be loaded",
        make=lambda folder: (
            "extract", "roads", _image(folder), "--model", _broken_model(folder), "-o", folder / "fields.v2",
        ),
        code=2,
        says=("fields.v2", ".gpkg", "folder"),
    ),
    Situation(
        "polygons in two layers, without saying which",
        make=_two_layers,
        says=("north, south", "--area-layer"),
        check=lambda outcome: outcome.summary["width"] == 64,
    ),
    Situation(
        "polygons in two layers, the second named",
        make=lambda folder: _two_layers(folder, "--area-layer=south"),
        check=lambda outcome: outcome.summary["width"] < 64,
    ),
    Situation(
        "the address of existing roads on the network",
        make=lambda folder: (
            *("vectorize", "roads", write_raster(folder / "mask.tif", np.eye(64, dtype=np.uint8)[None])),
            *("-o", folder / "a.gpkg", "--update", "https://example.com/old.gpkg"),
        ),
        code=2,
        says=("https://example.com/old.gpkg", "Download"),
        check=_not_written,
    ),
    Situation(
        "existing roads that are not there",
        make=lambda folder: (
            "vectorize", "roads", write_raster(folder / "mask.tif", np.eye(64, dtype=np.uint8)[None]),
            "-o", folder / "a.gpkg", "--update", folder / "old.gpkg",
        ),
        code=2,
        says=("old.gpkg", "does not exist"),
        check=_not_written,
    ),
    *(
        Situation(
            f"a resolution of {value} m",
            make=lambda folder, value=value: _extract(folder, _image(folder), f"--resolution={value}"),
            code=2,
            says="resolution",
            check=_not_written,
        )
        for value in ("0", "-1", "nan", "1e-300")
    ),
    Situation(
        "an image of 240 m pixels for a model of 1 m",
        make=lambda folder: _extract(folder, _image(folder, transform=_pixels(240))),
        code=2,
        says=("240 m", "1 m", "240 x 240", "--resolution"),
        check=_not_written,
    ),
    Situation(
        "an image of 5 m pixels for a model of 1 m, which is to be enlarged",
        make=lambda folder: _extract(folder, _image(folder, 8, transform=_pixels(5)), "--resolution=1"),
        check=lambda outcome: outcome.summary["width"] == 40 and "poor result" in outcome.warnings[0],
    ),
    Situation(
        "an image of 5 cm pixels for a model of 1 m",
        make=lambda folder: _extract(folder, _image(folder, 400, transform=_pixels(0.05))),
        says="averaged",
        check=lambda outcome: outcome.summary["width"] == 20 and "averaged" not in str(outcome.warnings),
    ),
)  # fmt: skip


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
