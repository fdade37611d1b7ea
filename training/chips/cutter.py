"""Cutting of training chips: pixels as the engine feeds them to a network, labels from vectors, splits by area."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
import yaml
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...engine.context import RunContext
from ...engine.errors import OutputError, ParameterError
from ...engine.fs.atomic import atomic_folder
from ...engine.models.registry import find_model
from ...engine.protocol.messages import Message
from ...engine.protocol.options import ImageOptions
from ...engine.raster.bands import choose_bands
from ...engine.raster.contrast import Contrast, Stretch
from ...engine.raster.dataset import Source, open_source
from ...engine.raster.gdal_environment import SAFE_SETTINGS
from ...engine.raster.grid import SNAP, Grid
from ...engine.raster.reader import ImageView
from ...engine.raster.stretch import estimate_stretch
from ..data.labels import voc_palette
from .request import ChipsRequest
from .vector_labels import IGNORE, VectorLabels, read_checked_area, read_labels

#: Upper left corners (x, y) of the chips by split, ``train`` and ``valid``.
Windows = dict[str, list[tuple[int, int]]]

#: Name of the configuration for training on the chips.
CONFIG_NAME = "train.yaml"
#: The bundled model that a training of one class starts from.
START = "roads-efficientnet-lite2"
#: Training chips below which a training has little to learn from, of which every eighth is held out.
FEW_CHIPS = 8


@dataclass(frozen=True)
class ChipsSummary:
    """Chips that were cut.

    Attributes:
        train: number of training chips.
        valid: number of validation chips.
        names: names of the classes by id.
        pixels: labelled pixels per class over all chips.
        resolution: metres per pixel.
        config: file of the configuration for training on the chips.
    """

    train: int
    valid: int
    names: tuple[str, ...]
    pixels: tuple[int, ...]
    resolution: float
    config: Path


def split_windows(width: int, height: int, size: int, stride: int, share: float) -> Windows:
    """Upper left corners (x, y) of the chips by split, ``train`` and ``valid``.

    The end of the longer side is for validation. A training chip ends at least one pixel before the first validation
    chip begins, so that chips of different splits neither overlap nor touch.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        size: side of a chip, pixels.
        stride: pixels from chip to chip.
        share: of the longer side for validation.
    """
    along_x = width >= height
    length, across = (width, height) if along_x else (height, width)
    begin = min(length - size, round(length * (1 - share)))
    sides = range(0, across - size + 1, stride)
    last = begin - 1 if share > 0 else length
    parts = {"train": range(0, last - size + 1, stride)}
    parts["valid"] = range(max(0, begin), length - size + 1, size) if share > 0 else range(0)
    return {
        name: [
            (a, b) if along_x else (b, a)
            for a in positions
            for b in (sides if name == "train" else sides[:: max(1, size // stride)])
        ]
        for name, positions in parts.items()
    }


def cut_chips(request: ChipsRequest, context: RunContext | None = None) -> ChipsSummary:
    """Cut chips and write a configuration that trains on them.

    Chips without any labelled or valid pixel are left out; pixels without data are not labelled.

    Args:
        request: inputs and options.
        context: receives warnings; its cancellation is checked before each chip.

    Raises:
        ParameterError: a value is out of range, there would be too few chips, or the labels do not touch the image.
        OutputError: the folder holds chips already, or cannot be written.
        Cancelled: the command was stopped.
    """
    context = context or RunContext()
    _validate(request)
    reading = ImageOptions(nodata=request.nodata, ignore_alpha=request.ignore_alpha)
    with rasterio.Env(**SAFE_SETTINGS), open_source(request.image, reading) as source:
        bands = choose_bands(source, request.bands or None, len(request.bands) or 3)
        for remark in (*source.remarks, *bands.remarks):
            context.report(remark)
        grid = source.make_grid(_choose_resolution(request, source, context))
        checked = read_checked_area(request, grid, context)
        windows = _choose_windows(request, grid, checked)
        _check_counts(request, grid, {name: len(corners) for name, corners in windows.items()}, context)
        contrast = _choose_contrast(request, bands.layers)
        stretch = estimate_stretch(source, bands, contrast)
        # The training stretches 8-bit values, because the engine compares an image with those of it before that.
        is_later = stretch is not None and stretch.is_optional
        view = ImageView(source, grid, bands, None if is_later else stretch, "uint8")
        labels = read_labels(request, grid, checked, context)
        with atomic_folder(request.out) as folder:
            counts, pixels, hidden = _write_chips(folder, request.size, view, labels, windows, context=context)
            total = (pixels["train"] + pixels["valid"])[: len(labels.names)]
            _check_labels(request, labels.names, pixels, hidden, context)
            _check_counts(request, grid, counts, context)
            tone = {} if contrast is None else _describe_contrast(contrast, stretch if is_later else None)
            _write_config(request, folder, grid, labels.names, view.bands.layers, tone=tone)
            if view.bands.layers == 1 and request.field is None:
                text = f"The chips have one band, so a training starts from random weights; to start from {START}, "
                context.report(Message(text + "cut chips of three bands, for example with --bands 1,1,1."))
    return ChipsSummary(
        counts["train"],
        counts["valid"],
        labels.names,
        tuple(int(count) for count in total),
        grid.resolution,
        request.out / CONFIG_NAME,
    )


def _validate(request: ChipsRequest) -> None:
    if request.size < 16:
        raise ParameterError(f"Chips of {request.size} pixels are too small; 16 is the least.")
    if request.stride is not None and not 0 < request.stride <= request.size:
        raise ParameterError(f"The stride {request.stride} is not within 1 and the size {request.size}.")
    if not 0 <= request.validation < 1:
        raise ParameterError(f"The share for validation is {request.validation}, but must be at least 0 and below 1.")
    for name in ("train", "valid", CONFIG_NAME):
        if (request.out / name).exists():
            raise OutputError(f"{request.out / name} is there already.", "Choose another folder.")


def _choose_resolution(request: ChipsRequest, source: Source, context: RunContext) -> float | None:
    """The requested resolution, or one with square pixels where the image's are not square: networks see only these."""
    across, down = source.pixel_size
    if request.resolution is not None or abs(across / down - 1) <= SNAP:
        return request.resolution
    resolution = math.sqrt(across * down)
    context.report(
        Message(
            f"The pixels of {request.image.name} are {across:.3g} m wide and {down:.3g} m high; the chips have "
            f"{resolution:.3g} m both ways."
        )
    )
    return resolution


def _choose_contrast(request: ChipsRequest, bands: int) -> Contrast | None:
    """Return the contrast of the model that the training starts from; None where it has none, or starts anew."""
    return find_model(START).card.contrast if bands == 3 and request.field is None else None


def _choose_windows(request: ChipsRequest, grid: Grid, checked: NDArray[Any] | None) -> Windows:
    """Split the image; of an image that was checked in parts, the rectangle around them."""
    size, x0, y0, width, height = request.size, 0, 0, grid.width, grid.height
    if checked is not None:
        left, top, right, bottom = shapely.total_bounds(checked)
        x0 = min(max(0, math.floor(left)), max(0, grid.width - size))
        y0 = min(max(0, math.floor(top)), max(0, grid.height - size))
        width = min(grid.width, max(math.ceil(right), x0 + size)) - x0
        height = min(grid.height, max(math.ceil(bottom), y0 + size)) - y0
    windows = split_windows(width, height, size, request.stride or size, request.validation)
    return {name: [(x0 + x, y0 + y) for x, y in corners] for name, corners in windows.items()}


def _check_counts(request: ChipsRequest, grid: Grid, counts: Mapping[str, int], context: RunContext) -> None:
    """Refuse too few chips to train on, and warn of few.

    Raises:
        ParameterError: there are less than two training chips, or none of a validation that was asked for.
    """
    train, valid = counts["train"], counts["valid"]
    if train >= FEW_CHIPS and (valid or not request.validation):
        return
    kinds = f"{train} training and {valid} validation chips" if request.validation else f"{train} training chips"
    text = (
        f"{request.image.name} has {grid.width} x {grid.height} pixels of {grid.resolution:.3g} m, which give only "
        f"{kinds} of {request.size} x {request.size}."
    )
    hint = _propose_size(request, grid)
    if train < 2 or (request.validation and not valid):
        raise ParameterError(text, hint)
    context.warn(f"{text} {hint}")


def _propose_size(request: ChipsRequest, grid: Grid) -> str:
    """Sentence with the largest size of chips of which there are enough."""
    for size in range((request.size - 1) // 32 * 32, 63, -32):
        windows = split_windows(grid.width, grid.height, size, size, request.validation)
        if len(windows["train"]) >= 2 * FEW_CHIPS:
            return f"--size {size} gives up to {len(windows['train'])} and {len(windows['valid'])}."
    return "Use a larger image, or a finer --resolution."


def _check_labels(
    request: ChipsRequest,
    names: Sequence[str],
    pixels: Mapping[str, NDArray[np.int64]],
    hidden: int,
    context: RunContext,
) -> None:
    """Refuse labels that do not touch the image, and warn of splits and classes without any.

    Raises:
        ParameterError: no chip has a labelled pixel.
    """
    shown = names[1:] if request.field is None else names
    first = len(names) - len(shown)
    if not any(counts[first : len(names)].any() for counts in pixels.values()):
        text = f"No pixel of a chip is labelled by {request.labels}"
        if hidden:
            raise ParameterError(f"{text}: {hidden} chips are left out, because {request.image} has no data there.")
        raise ParameterError(f"{text}: where the chips are, {request.image} has no labels.", "Choose a smaller --size.")
    for split, counts in pixels.items():
        missing = [name for name, count in zip(shown, counts[first:], strict=False) if not count]
        if missing and (split == "train" or request.validation):
            kind = "label" if request.field is None else f"class {', '.join(missing[:20])}"
            context.warn(f"No pixel of the chips in {split!r} has the {kind}.")


def _write_chips(
    folder: Path, size: int, view: ImageView, labels: VectorLabels, windows: Windows, *, context: RunContext
) -> tuple[dict[str, int], dict[str, NDArray[np.int64]], int]:
    """Write the labelled chips; pixels without data are not labelled.

    Returns:
        The number of chips and the pixels by class id (256,), by split; and how many chips have no data at all.
    """
    counts, pixels = dict.fromkeys(windows, 0), {name: np.zeros(256, np.int64) for name in windows}
    hidden, tree = 0, shapely.STRtree(labels.areas)
    for split, corners in windows.items():
        for x, y in corners:
            context.check_cancelled()
            label = labels.rasterize(x, y, size, size, tree)
            if (label == IGNORE).all():
                continue
            image = np.empty((view.bands.layers, size, size), np.uint8)
            valid = view.read(x, y, x + size, y + size, image)
            if valid is not None:
                label[~valid] = IGNORE
            if (label == IGNORE).all():
                hidden += 1
                continue
            _write_chip(folder / split, (x, y), image, label, view.spec.grid)
            pixels[split] += np.bincount(label.ravel(), minlength=256)
            counts[split] += 1
    return counts, pixels, hidden


def _write_chip(
    folder: Path, corner: tuple[int, int], image: NDArray[np.uint8], label: NDArray[np.uint8], grid: Grid
) -> None:
    name = f"x{corner[0]:06d}_y{corner[1]:06d}"
    profile = {
        "driver": "GTiff",
        "count": len(image),
        "height": image.shape[1],
        "width": image.shape[2],
        "dtype": "uint8",
        "crs": grid.crs,
        "transform": grid.transform @ rasterio.Affine.translation(*corner),
        "compress": "deflate",
        "photometric": "rgb" if len(image) == 3 else "minisblack",
    }
    try:
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        with rasterio.open(folder / "images" / f"{name}.tif", "w", **profile) as target:
            target.write(image)
        picture = PillowImage.fromarray(label, mode="P")
        picture.putpalette(voc_palette().tobytes())
        picture.save(folder / "labels" / f"{name}.png")
    except OSError as error:
        raise OutputError(f"The chip {folder / name} cannot be written: {error}.") from error


def _describe_contrast(contrast: Contrast, stretch: Stretch | None) -> dict[str, dict[str, object]]:
    """Return the keys of a configuration, by section, for chips that get ``contrast`` by ``stretch``, or have it."""
    stretch = stretch or Stretch((0.0,) * len(contrast.low), (255.0,) * len(contrast.low))
    return {
        "normalisation": {"contrast": {key: list(value) for key, value in asdict(contrast).items()}},
        "data": {"stretch": {"low": list(stretch.low), "high": list(stretch.high)}},
    }


def _write_config(
    request: ChipsRequest,
    folder: Path,
    grid: Grid,
    names: tuple[str, ...],
    bands: int,
    *,
    tone: Mapping[str, Mapping[str, object]],
) -> None:
    """Write a configuration that trains on the chips into ``folder``; ``tone`` has keys of it by section."""
    mask = request.field is None
    crop = min(512, request.size // 32 * 32) or 32
    classes = [request.labels.stem] if mask else list(names)
    network: dict[str, object] = (
        {"decoder": "dlinknet", "encoder": "efficientnet_lite2"} if mask else {"name": "lednet"}
    )
    network["num_classes"] = 1 if mask else len(names)
    normalisation: Mapping[str, object] = tone.get("normalisation", {})
    init: dict[str, object] = {}
    if bands != 3:
        network["options"] = {"in_channels": bands}
        normalisation = {"mean": [0.5] * bands, "std": [0.3125] * bands}
    elif mask:
        init = {"checkpoint": START}
    recipe = "dlinknet_efficientnet_lite2" if mask else "lednet"
    values = {
        "base": [recipe, "data/chips", *(["fine_tuning"] if init else [])],
        "name": request.out.resolve().name,
        "resolution": round(grid.resolution, 4),
        "source": f"{request.image.name} with {request.labels.name}",
        "network": network,
        "init": init,
        "normalisation": dict(normalisation),
        "data": {
            "root": str(request.out.resolve()),
            "classes": classes,
            "colours": [] if not mask else [[228, 0, 43]],
            **tone.get("data", {}),
        },
        "augment": {"crop": crop},
    }
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (folder / CONFIG_NAME).write_text(text, "utf-8")
