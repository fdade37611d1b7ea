"""The model card: everything a run has to know about a model beside its weights.

A card is ``card.json`` in the model's folder. It is read strictly: a key that is missing, unknown or of the
wrong type is an error that names the key, because a card that is silently half understood gives silently
wrong maps.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ..errors import CardError
from ..fs.regular_file import read_regular
from .strict_reader import StrictReader

CARD_NAME = "card.json"
#: Version of the format; another number is refused.
CARD_FORMAT = 1
#: Larger cards are refused before they are read, in bytes.
MAX_CARD_BYTES = 1 << 20
#: Most classes a class raster of uint8 can hold beside its nodata value.
MAX_CLASSES = 255
MAX_BANDS = 512

Task = Literal["roads", "landcover", "segmentation"]
PixelType = Literal["uint8", "uint16", "float32"]
Activation = Literal["sigmoid", "softmax", "none"]
OptionValue = str | int | float | bool
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ClassInfo:
    """One class of a model.

    Args:
        id: the value of the class in a class raster, 0 to 254.
        name: its name for people.
        colour: red, green and blue, each 0 to 255.
    """

    id: int
    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Normalisation:
    """How pixel values become the network's input: ``x = (value * scale - mean) / std`` per band.

    Args:
        scale: factor on the raw value (1/255 for uint8 pictures).
        mean: one value per band, in units of the scaled value.
        std: one positive value per band, in the same units.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ModelCard:
    """What a model is, what it takes and what it was measured to do.

    Args:
        name: identifier, also the name of its folder.
        title: one line for people.
        task: what its classes mean to the pipelines.
        architecture: name of the network whose weightless graph the checkpoint fills; ``None`` for
            weights files that hold their own graph (``.onnx``, ``.mindir``).
        classes: one per output channel, in the channels' order. A road model has one.
        resolution: ground resolution that it was trained for, in metres per pixel.
        bands: number of image bands that it takes.
        normalisation: from pixel values to network input; part of the built graph.
        dtype: type of the pixels that the built graph takes.
        stretch: whether pixels are stretched by percentiles to 0..255 first; false feeds raw values.
        activation: what turns the network's output into probabilities.
        tile: side of a tile, in pixels; a multiple of ``multiple``.
        overlap: overlap of neighbouring tiles, in pixels, less than half of ``tile``.
        multiple: height and width of a tile must be multiples of this.
        threshold: default threshold on probabilities, 0 to 1.
        weights: file name of the weights, in the folder of the card.
        sha256: of the weights file, 64 hexadecimal digits.
        data: what it was trained on.
        licence: of the weights.
        split: which images were used for training and which for the figures.
        figures: measured figures by name.
        notes: what a user should know beside this.
        options: options of the architecture, passed to the network's constructor.
    """

    name: str
    title: str
    task: Task
    architecture: str | None
    classes: tuple[ClassInfo, ...]
    resolution: float
    bands: int
    normalisation: Normalisation
    dtype: PixelType
    stretch: bool
    activation: Activation
    tile: int
    overlap: int
    multiple: int
    threshold: float
    weights: str
    sha256: str
    data: str
    licence: str
    split: str
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
    options: Mapping[str, OptionValue] = field(default_factory=dict)


def read_card(path: Path) -> ModelCard:
    """Read and check the card at ``path``.

    Raises:
        CardError: it is missing, not a regular file, too large, not JSON, or its content is not a valid card.
    """
    content = read_regular(path, MAX_CARD_BYTES, CardError)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise CardError(f"The model card {path} is not UTF-8 text.") from None
    return parse_card(text, str(path))


def parse_card(text: str, origin: str) -> ModelCard:
    """The card in the JSON ``text``; ``origin`` names its source in errors.

    Raises:
        CardError: the text is not a valid card; the sentence names the key.
    """
    try:
        # Python's reader takes NaN and Infinity, which no card may hold.
        document = json.loads(
            text,
            parse_constant=lambda name: _refuse_constant(name, origin),
            object_pairs_hook=lambda pairs: _unique(pairs, origin),
        )
    except (ValueError, RecursionError) as error:
        raise CardError(f"The model card {origin} is not valid JSON: {error}.") from None
    card = _card_of(StrictReader(document, f"The model card {origin}"))
    check_card(card, origin)
    return card


def _refuse_constant(name: str, origin: str) -> float:
    raise CardError(f"The model card {origin} holds {name}, which is not a number.")


def _unique(pairs: list[tuple[str, object]], origin: str) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise CardError(f"The model card {origin} holds the key {repeated} twice in one object.")
    return result


def _card_of(fields: StrictReader) -> ModelCard:
    if (version := fields.integer("format", 0, 1 << 30)) != CARD_FORMAT:
        raise fields.error("format", f"is {version}; this version reads {CARD_FORMAT}")
    bands = fields.integer("bands", 1, MAX_BANDS)
    normalisation = fields.nested("normalisation")
    card = ModelCard(
        name=fields.text("name", pattern=_NAME),
        title=fields.text("title"),
        task=fields.choice("task", get_args(Task)),
        architecture=fields.optional_text("architecture", pattern=_NAME),
        classes=tuple(_class_of(entry) for entry in fields.objects("classes", 1, MAX_CLASSES)),
        resolution=fields.number("resolution", 1e-3, 1e5),
        bands=bands,
        normalisation=Normalisation(
            scale=normalisation.number("scale", 1e-12, 1e12),
            mean=normalisation.numbers("mean", bands, -1e12, 1e12),
            std=normalisation.numbers("std", bands, 1e-12, 1e12),
        ),
        dtype=fields.choice("dtype", get_args(PixelType)),
        stretch=fields.boolean("stretch"),
        activation=fields.choice("activation", get_args(Activation)),
        tile=fields.integer("tile", 1, 1 << 14),
        overlap=fields.integer("overlap", 0, 1 << 13),
        multiple=fields.integer("multiple", 1, 1 << 12),
        threshold=fields.number("threshold", 0.0, 1.0),
        weights=fields.text("weights"),
        sha256=fields.text("sha256", pattern=re.compile("[0-9a-f]{64}")),
        data=fields.text("data"),
        licence=fields.text("licence"),
        split=fields.text("split"),
        figures=fields.figures("figures"),
        notes=fields.text("notes", empty=True),
        options=fields.options("options"),
    )
    normalisation.finish()
    fields.finish()
    return card


def _class_of(fields: StrictReader) -> ClassInfo:
    red, green, blue = fields.integers("colour", 3, 0, 255)
    entry = ClassInfo(id=fields.integer("id", 0, 254), name=fields.text("name"), colour=(red, green, blue))
    fields.finish()
    return entry


def check_card(card: ModelCard, origin: str) -> None:
    """Check what holds between the values of a card.

    Raises:
        CardError: two values contradict each other.
    """

    def refuse(text: str) -> CardError:
        """The error that names the card."""
        return CardError(f"The model card {origin}: {text}.")

    if Path(card.weights).name != card.weights or "\\" in card.weights or card.weights in {".", ".."}:
        raise refuse(f"weights is '{card.weights}', which is not the name of a file in the card's folder")
    if card.tile % card.multiple:
        raise refuse(f"tile is {card.tile}, which is no multiple of {card.multiple}")
    if 2 * card.overlap >= card.tile:
        raise refuse(f"overlap is {card.overlap}, which is not less than half of the tile of {card.tile}")
    if len({entry.id for entry in card.classes}) != len(card.classes):
        raise refuse("classes holds the same id twice")
    if card.task == "roads" and len(card.classes) != 1:
        raise refuse(f"classes has {len(card.classes)} entries, and a road model has one")
    if card.activation == "softmax" and len(card.classes) == 1:
        raise refuse("activation is softmax, which is 1 everywhere for one class")
    if card.stretch and card.dtype != "uint8":
        raise refuse(f"stretch is true, and a stretched image is uint8, not {card.dtype}")


def card_text(card: ModelCard) -> str:
    """The JSON of ``card``, as it stands in ``card.json``.

    Raises:
        CardError: the card would not be read back as it is.
    """
    document = {
        "format": CARD_FORMAT,
        "name": card.name,
        "title": card.title,
        "task": card.task,
        "architecture": card.architecture,
        "options": dict(card.options),
        "classes": [{"id": entry.id, "name": entry.name, "colour": list(entry.colour)} for entry in card.classes],
        "resolution": card.resolution,
        "bands": card.bands,
        "normalisation": {
            "scale": card.normalisation.scale,
            "mean": list(card.normalisation.mean),
            "std": list(card.normalisation.std),
        },
        "dtype": card.dtype,
        "stretch": card.stretch,
        "activation": card.activation,
        "tile": card.tile,
        "overlap": card.overlap,
        "multiple": card.multiple,
        "threshold": card.threshold,
        "weights": card.weights,
        "sha256": card.sha256,
        "data": card.data,
        "licence": card.licence,
        "split": card.split,
        "figures": dict(card.figures),
        "notes": card.notes,
    }
    if any(not math.isfinite(value) for value in card.figures.values()):
        raise CardError(f"The card of {card.name} has a figure that is not finite.")
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    parse_card(text, card.name)
    return text


def write_card(path: Path, card: ModelCard) -> None:
    """Write ``card`` as ``path``, after checking that it reads back.

    Raises:
        CardError: the card is not valid, or cannot be written.
    """
    text = card_text(card)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CardError(f"The model card {path} cannot be written: {error.strerror or error}.") from error
