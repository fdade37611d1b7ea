"""Make a card for a weights file that has none: from hints of the user and from an ONNX file's own metadata.

The metadata keys are those of the QGIS plugin Deepness, whose values are JSON: ``model_type``, ``class_names``,
``resolution`` (centimetres per pixel), ``tile_size`` or ``tiles_size``, ``tiles_overlap`` (per cent of the tile),
``seg_thresh``, ``standardization_mean`` and ``standardization_std`` (of values divided by 255).
"""

from __future__ import annotations

import colorsys
import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..errors import CardError
from ..protocol.declaration import option
from ..protocol.options import length
from .card import (
    MAX_BANDS,
    MAX_CLASSES,
    Activation,
    ClassInfo,
    ModelCard,
    Normalisation,
    PixelType,
    Task,
    card_text,
    parse_card,
)
from .onnx_file import OUTPUT_OPTION, find_activation, keep_output, list_inputs, load_onnx, read_metadata

if TYPE_CHECKING:
    import onnx

#: Key under which our own exports carry their whole card in an ONNX file.
CARD_KEY = "terraspore_card"
_DEFAULT_TILE = 512
_UNKNOWN = "not known"


@dataclass(frozen=True)
class ModelHints:
    """Facts of a weights file without a card; None leaves a fact to the file's metadata or to the default."""

    architecture: str | None = option(None, "Of a .ckpt: the network whose weights it holds.")
    task: Task | None = option(None, "What the classes mean.", choices=get_args(Task))
    classes: tuple[str, ...] | None = option(
        None, "Names of the classes, in the order of the channels.", metavar="A,B,..."
    )
    resolution: float | None = length(None, "Metres per pixel.", unset="the file's or 0.5", above=True)
    bands: int | None = option(None, "Number of bands.", unset="the file's or 3", minimum=1)
    scale: float | None = option(None, "Factor on pixel values.", unset="1/255")
    mean: tuple[float, ...] | None = option(None, "Mean of each band, of scaled values.", metavar="A,B,...")
    std: tuple[float, ...] | None = option(
        None, "Standard deviation of each band, of scaled values.", metavar="A,B,..."
    )
    dtype: PixelType | None = option(None, "Type of the pixels.", choices=get_args(PixelType))
    output: str | None = option(None, "Output of the network, where it has several.", flag="output-name")
    activation: Activation | None = option(None, "What follows the network.", choices=get_args(Activation))
    tile: int | None = option(None, "Pixels along a tile's side.", minimum=1)
    overlap: int | None = option(None, "Pixels that neighbouring tiles share.", minimum=0)
    threshold: float | None = option(None, "On probabilities.", minimum=0, maximum=1, metavar="T")


def infer_card(path: Path, sha256: str, hints: ModelHints) -> ModelCard:
    """Make a card for the weights file ``path``: by ``hints`` first, then the file's metadata, then defaults.

    Raises:
        CardError: what is known is not enough, or contradicts itself.
        GraphError: the file is an ONNX file that cannot be used.
    """
    if path.suffix.lower() == ".onnx":
        graph = load_onnx(path)
        own = read_metadata(graph).get(CARD_KEY)
        if own is not None:
            card = parse_card(own, f"in {path}")
            return dataclasses.replace(card, architecture=None, weights=path.name, sha256=sha256)
        keep_output(graph, hints.output, str(path))
        found = _read_onnx_hints(graph, path)
        known = {key: value for key, value in dataclasses.asdict(hints).items() if value is not None}
        hints = dataclasses.replace(found, **known)
    elif path.suffix.lower() == ".ckpt" and hints.architecture is None:
        raise CardError(
            f"The checkpoint {path} has no card.json beside it.",
            "Make one with `terraspore install`, which asks for what is not known.",
        )
    classes, bands = hints.classes or ("object",), hints.bands or 3
    tile, dtype = hints.tile or _DEFAULT_TILE, hints.dtype or "uint8"
    if bands > MAX_BANDS:  # before a list of so many values is made
        raise CardError(f"The model {path} takes {bands} bands; at most {MAX_BANDS} are supported.")
    card = ModelCard(
        name=(re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-") or "model")[:100],
        title=path.name,
        task=hints.task or "segmentation",
        architecture=hints.architecture,
        options={} if hints.output is None else {OUTPUT_OPTION: hints.output},
        classes=tuple(ClassInfo(index, name, _make_colour(index)) for index, name in enumerate(classes)),
        resolution=hints.resolution or 0.5,
        bands=bands,
        normalisation=Normalisation(
            scale=hints.scale if hints.scale is not None else 1 / 255,
            mean=hints.mean or (0.0,) * bands,
            std=hints.std or (1.0,) * bands,
        ),
        dtype=dtype,
        stretch=dtype == "uint8",
        activation=hints.activation or ("sigmoid" if len(classes) == 1 else "softmax"),
        tile=tile,
        overlap=hints.overlap if hints.overlap is not None else tile // 4,
        multiple=32 if tile % 32 == 0 else 1,
        threshold=hints.threshold if hints.threshold is not None else 0.5,
        weights=path.name,
        sha256=sha256,
        data=_UNKNOWN,
        licence=_UNKNOWN,
        split=_UNKNOWN,
        notes="This card was made from the weights file and from options.",
    )
    for name, values in (("mean", card.normalisation.mean), ("std", card.normalisation.std)):
        if len(values) != bands:
            raise CardError(f"The model {path} takes {bands} bands, and {len(values)} values are given for {name}.")
    card_text(card)  # checks every value as of a card that is read
    return card


def _read_onnx_hints(model: onnx.ModelProto, path: Path) -> ModelHints:
    """The facts in an ONNX graph and in Deepness's metadata."""
    graph = model.graph
    image = next(iter(list_inputs(graph)), None)
    if image is None or len(image.type.tensor_type.shape.dim) != 4 or not graph.output:
        raise CardError(f"The model {path} does not take one image (N, bands, H, W).")
    sizes = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    channels = [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
    count = channels[1] if len(channels) == 4 and channels[1] > 0 else None
    metadata = {key: _parse_json(text) for key, text in read_metadata(model).items()}
    kind = metadata.get("model_type")
    if kind is not None and str(kind).lower() != "segmentor":
        raise CardError(f"The model {path} is a {kind} by its metadata; only segmentation models can be run.")
    try:
        names = metadata.get("class_names")
        tile = int(metadata.get("tiles_size", metadata.get("tile_size", sizes[3]))) or None
        percent = metadata.get("tiles_overlap")
        mean, std = metadata.get("standardization_mean"), metadata.get("standardization_std")
        return ModelHints(
            classes=_name_channels(None if names is None else {int(k): str(v) for k, v in dict(names).items()}, count),
            resolution=float(metadata["resolution"]) / 100 if "resolution" in metadata else None,
            bands=sizes[1] or None,
            mean=None if mean is None else tuple(float(value) for value in mean),
            std=None if std is None else tuple(float(value) for value in std),
            activation="none" if find_activation(graph) else None,
            tile=tile,
            overlap=int(tile * float(percent) / 100) if tile and percent is not None else None,
            threshold=float(metadata["seg_thresh"]) if "seg_thresh" in metadata else None,
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise CardError(f"The metadata of the model {path} cannot be understood: {error}.") from None


def _name_channels(names: Mapping[int, str] | None, count: int | None) -> tuple[str, ...] | None:
    """Names of the classes per channel; of a model with one channel, class 0 in the metadata is the background."""
    if names is None and count is None:
        return None
    if names is not None and count == 1:
        return (names[max(names)],) if names else None
    known = names or {}
    count = count or max(known, default=0) + 1
    # One more than allowed is enough for the card's check to refuse a file that claims a billion classes.
    return tuple(known.get(index, f"class {index}") for index in range(min(count, MAX_CLASSES + 1)))


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _make_colour(index: int) -> tuple[int, int, int]:
    """A colour for a class: hues of consecutive classes are a golden angle apart, so that all differ."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1.0, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
