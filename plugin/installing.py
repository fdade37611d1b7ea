"""Putting a model of the person's into the folder of models, after the engine has run it once."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from osgeo import gdal, osr

from .engine_process.errors import EngineError
from .i18n import tr
from .models import CARD, read_info
from .settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Larger weights are not copied by a slip of the mouse.
MAX_MODEL_BYTES = 8 << 30
_TRIAL_PIXELS = 64


def objection_to_name(name: str, folder: Path) -> str:
    """Why ``name`` cannot be a model's; empty where it can."""
    if not _NAME.fullmatch(name):
        return tr("A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.")
    if (folder / name).exists():
        return tr("There is a model {name} already; choose another name.").format(name=name)
    return ""


def install_model(
    path: Path, target: Path, facts: Mapping[str, str], run: Callable[[list[str]], Any], settings: Settings
) -> tuple[str, str]:
    """Check the model at ``path`` by using it, and copy it to ``target``.

    Args:
        path: a weights file, a card, or a model's folder.
        target: the new folder in the folder of models.
        facts: what the person said of a bare weights file, by the engine's options.
        run: has the engine carry out a command.
        settings: device and runtime of the trial.

    Returns:
        What the engine is told to use it, and its task.

    Raises:
        EngineError: the model cannot be used; the engine's sentence says why.
    """
    _check_size(path)
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or path.name == CARD:
            shutil.copytree(path if path.is_dir() else path.parent, partial)
        else:
            said = [f"--{name}={value}" for name, value in facts.items() if value]
            run(["models", "add", str(path.absolute()), f"--to={partial}", *said])
        info = read_info(partial, bundled=False)
        if info is None:
            raise EngineError(f"The card of {path} cannot be read.", "It must be JSON in card.json beside the weights.")
        _try(partial, info.bands, info.resolution, run, settings)
        partial.rename(target)
    except OSError as error:
        raise EngineError(f"The model could not be copied to {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return str(target), info.task


def _check_size(path: Path) -> None:
    files = [entry for entry in path.iterdir() if entry.is_file()] if path.is_dir() else [path]
    if sum(entry.stat().st_size for entry in files) > MAX_MODEL_BYTES:
        raise EngineError(f"{path} is larger than any model that can be used.")


def _try(model: Path, bands: int, resolution: float, run: Callable[[list[str]], Any], settings: Settings) -> None:
    """Have the engine segment a small image with the model."""
    with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
        image = Path(folder) / "trial.tif"
        _write_trial(image, max(1, bands), resolution or 1.0)
        words = ["segment", str(image), f"--output={Path(folder) / 'classes.tif'}", f"--model={model}"]
        words += [f"--device={settings.device}", f"--runtime={settings.runtime}"]
        run([*words, "--bands=" + ",".join(str(band) for band in range(1, max(1, bands) + 1))])


def _write_trial(path: Path, bands: int, resolution: float) -> None:
    """A small image with something in it."""
    edge = _TRIAL_PIXELS
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), edge, edge, bands, gdal.GDT_Byte)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32632)
    dataset.SetProjection(reference.ExportToWkt())
    dataset.SetGeoTransform((500_000.0, resolution, 0.0, 5_000_000.0, 0.0, -resolution))
    pixels = bytes((7 * index + 3 * (index // edge)) % 251 for index in range(edge * edge))
    for band in range(1, bands + 1):
        dataset.GetRasterBand(band).WriteRaster(0, 0, edge, edge, pixels)
    dataset.FlushCache()
