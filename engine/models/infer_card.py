"""A card for a weights file that has none: from what the user says, and from an ONNX file's own metadata.

The metadata keys are those of the QGIS plugin Deepness, whose values are JSON: ``model_type``, ``class_names``,
``resolution`` (centimetres per pixel), ``tile_size`` or ``tiles_size``, ``tiles_overlap`` (per cent of the tile),
``seg_thresh``, ``standardization_mean`` and ``standardization_std`` (of values divided by 255).
"""

from __future__ import annotations

import colorsys
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CardError
from .card import Activation, ClassInfo, ModelCard, Normalisation, PixelType, Task, card_text, parse_card
from .onnx_file import load_onnx

if TYPE_CHECKING:
    import onnx

#: Key under which our own exports carry their whole card in an ONNX file.
CARD_KEY = "terraspore_card"
_DEFAULT_TILE = 512
_UNKNOWN = "not known"


@dataclass(frozen=True)
class ModelHints:
    """What a user can say of a bare weights file; ``None`` leaves it to the file or to the default.

    Args:
        architecture: of a ``.ckpt``, which cannot be run without it.
        task: what the classes mean.
        classes: names of the classes, in the channels' order.
        resolution: metres per pixel; 0.5 by default for want of anything better known.
        bands: number of bands; 3 by default.
        scale: factor on the pixel values; 1/255 by default.
        mean: per band, of scaled values; 0 by default.
        std: per band, of scaled values; 1 by default.
        dtype: of the pixels; uint8 by default, and then they are stretched.
        activation: behind the network; by default sigmoid for one class and softmax for several, unless an
            ONNX graph already ends with one.
        tile: side of a tile, in pixels.
        overlap: of tiles, in pixels.
        threshold: on probabilities.
    """

    architecture: str | None = None
    task: Task | None = None
    classes: tuple[str, ...] | None = None
    resolution: float | None = None
    bands: int | None = None
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    dtype: PixelType | None = None
    activation: Activation | None = None
    tile: int | None = None
    overlap: int | None = None
    threshold: float | None = None


def infer_card(path: Path, sha256: str, said: ModelHints) -> ModelCard:
    """A card for the weights file ``path``: what the user ``said`` first, then the file's metadata, then defaults.

    Raises:
        CardError: what is known is not enough, or contradicts itself.
        GraphError: the file is an ONNX file that cannot be used.
    """
    if path.suffix.lower() == ".onnx":
        graph = load_onnx(path)
        own = next((entry.value for entry in graph.metadata_props if entry.key == CARD_KEY), None)
        if own is not None:
            card = parse_card(own, f"in {path}")
            return dataclasses.replace(card, architecture=None, weights=path.name, sha256=sha256)
        said = _completed(said, _from_onnx(graph, path))
    elif path.suffix.lower() == ".ckpt" and said.architecture is None:
        raise CardError(
            f"The checkpoint {path} has no card.json beside it.",
            "Make one with `terraspore install`, which asks for what is not known.",
        )
    classes = said.classes or ("object",)
    bands = said.bands or 3
    tile = said.tile or _DEFAULT_TILE
    dtype = said.dtype or "uint8"
    card = ModelCard(
        name=_name_of(path),
        title=path.name,
        task=said.task or "segmentation",
        architecture=said.architecture,
        classes=tuple(ClassInfo(index, name, _colour(index)) for index, name in enumerate(classes)),
        resolution=said.resolution or 0.5,
        bands=bands,
        normalisation=Normalisation(
            scale=said.scale if said.scale is not None else 1 / 255,
            mean=said.mean or (0.0,) * bands,
            std=said.std or (1.0,) * bands,
        ),
        dtype=dtype,
        stretch=dtype == "uint8",
        activation=said.activation or ("sigmoid" if len(classes) == 1 else "softmax"),
        tile=tile,
        overlap=said.overlap if said.overlap is not None else tile // 4,
        multiple=32 if tile % 32 == 0 else 1,
        threshold=said.threshold if said.threshold is not None else 0.5,
        weights=path.name,
        sha256=sha256,
        data=_UNKNOWN,
        licence=_UNKNOWN,
        split=_UNKNOWN,
        notes="This card was made from the weights file and from options.",
    )
    for what, values in (("mean", card.normalisation.mean), ("std", card.normalisation.std)):
        if len(values) != bands:
            raise CardError(f"The model {path} takes {bands} bands, and {len(values)} values are given for {what}.")
    card_text(card)  # checks every value as in a card that is read
    return card


def _completed(said: ModelHints, found: Mapping[str, Any]) -> ModelHints:
    missing = {key: value for key, value in found.items() if getattr(said, key) is None}
    return dataclasses.replace(said, **missing)


def _from_onnx(graph: onnx.ModelProto, path: Path) -> dict[str, Any]:
    """What the graph itself and Deepness's metadata say, as arguments of ``ModelHints``."""
    weights = {tensor.name for tensor in graph.graph.initializer}
    image = next((value for value in graph.graph.input if value.name not in weights), None)
    if image is None or len(image.type.tensor_type.shape.dim) != 4 or not graph.graph.output:
        raise CardError(f"The model {path} does not take one image (N, bands, H, W).")
    sizes = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    channels = [dim.dim_value for dim in graph.graph.output[0].type.tensor_type.shape.dim]
    found: dict[str, Any] = {"bands": sizes[1] or None, "tile": sizes[3] or None}
    metadata = {entry.key: _json(entry.value) for entry in graph.metadata_props}
    found.update(_from_deepness(metadata, path))
    count = channels[1] if len(channels) == 4 and channels[1] > 0 else None
    found["classes"] = _class_names(found.get("classes"), count)
    last = graph.graph.node[-1].op_type
    found["activation"] = "none" if last in {"Sigmoid", "Softmax", "HardSigmoid"} else None
    if found.get("tile") and found.get("overlap_percent") is not None:
        found["overlap"] = int(found["tile"] * found["overlap_percent"] / 100)
    found.pop("overlap_percent", None)
    return {key: value for key, value in found.items() if value is not None}


def _from_deepness(metadata: Mapping[str, Any], path: Path) -> dict[str, Any]:
    kind = metadata.get("model_type")
    if kind is not None and str(kind).lower() != "segmentor":
        raise CardError(f"The model {path} is a {kind} by its metadata; only segmentation models can be run.")
    found: dict[str, Any] = {}
    try:
        if "class_names" in metadata:
            found["classes"] = {int(key): str(name) for key, name in dict(metadata["class_names"]).items()}
        if "resolution" in metadata:
            found["resolution"] = float(metadata["resolution"]) / 100
        for key in ("tile_size", "tiles_size"):
            if key in metadata:
                found["tile"] = int(metadata[key])
        if "tiles_overlap" in metadata:
            found["overlap_percent"] = float(metadata["tiles_overlap"])
        if "seg_thresh" in metadata:
            found["threshold"] = float(metadata["seg_thresh"])
        for key, name in (("standardization_mean", "mean"), ("standardization_std", "std")):
            if key in metadata:
                found[name] = tuple(float(value) for value in metadata[key])
    except (TypeError, ValueError) as error:
        raise CardError(f"The metadata of the model {path} cannot be understood: {error}.") from None
    return found


def _class_names(names: Mapping[int, str] | None, count: int | None) -> tuple[str, ...] | None:
    """Names per channel; a model of one channel names its background as class 0 beside it."""
    if names is None:
        return None if count is None else tuple(f"class {index}" for index in range(count))
    if count == 1:
        return (names[max(names)],) if names else None
    if count is None:
        count = max(names, default=0) + 1
    return tuple(names.get(index, f"class {index}") for index in range(count))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _name_of(path: Path) -> str:
    kept = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in path.stem
    )
    return (kept.lstrip("._-") or "model")[:100]


def _colour(index: int) -> tuple[int, int, int]:
    """A colour that differs from those of the other indices: hues a golden angle apart."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1.0, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
