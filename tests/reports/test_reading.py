"""Images, areas and places that are easily misread."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from affine import Affine
from model_files import write_linear_model
from raster_files import NORTH_UP, write_raster
from reports.situation import Outcome, Situation, each, run_situation


def _model(folder: Path, **fields: object) -> Path:
    (folder / "model").mkdir(exist_ok=True)
    return write_linear_model(folder / "model", **fields)


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


SITUATIONS = (
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
        "an output without a suffix, with a model that cannot be loaded",
        make=lambda folder: (
            "extract", "roads", _image(folder), "--model", _broken_model(folder), "-o", folder / "fields",
        ),
        code=2,
        says=("fields", ".gpkg"),
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
        "existing roads that are not there",
        make=lambda folder: (
            "vectorize", "roads", _image(folder), "-o", folder / "a.gpkg", "--update", folder / "old.gpkg",
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
        check=lambda outcome: outcome.summary["width"] == 20 and not outcome.warnings,
    ),
)  # fmt: skip


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
