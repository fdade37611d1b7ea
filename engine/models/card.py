"""The model card: everything that a run needs to know about a model beside its weights.

A card is ``card.json`` in the model's folder. It is read strictly: a key that is missing, unknown or of the wrong type
is an error that names the key, because a card that is half understood gives wrong maps without a warning.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from ..errors import CardError
from ..fs.regular_file import read_regular
from ..raster.contrast import Contrast
from ..strict import StrictReader, limited, shorten_repr
from .domain import Domain

CARD_NAME = "card.json"
#: Version of the format; cards of another one are refused.
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
#: Fields that a card need not have; rows of numbers.
_OPTIONAL = ("domain", "contrast")
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
#: A field for a text that is not empty.
_text = partial(limited, filled=True)


@dataclass(frozen=True)
class ClassInfo:
    """One class of a model.

    Attributes:
        id: the value of the class in a class raster, 0 to 254.
        name: its name for people.
        colour: red, green and blue, each 0 to 255.
    """

    id: int = limited(0, 254)
    name: str = _text()
    colour: tuple[int, int, int] = limited(0, 255)


@dataclass(frozen=True)
class Normalisation:
    """From pixel values to the network's input: ``x = (value * scale - mean) / std`` per band.

    Attributes:
        scale: factor on the raw value (1/255 for uint8 images).
        mean: one value per band, in units of the scaled value.
        std: one positive value per band, in the same units.
    """

    scale: float = limited(1e-12, 1e12)
    mean: tuple[float, ...] = limited(-1e12, 1e12)
    std: tuple[float, ...] = limited(1e-12, 1e12)


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts of a model: its classes, its input, its training data and its measured quality.

    The fields stand in the order of the keys in ``card.json``.

    Attributes:
        name: identifier, also the name of its folder.
        title: one line for people.
        task: what its classes mean.
        architecture: name of the network whose weightless graph the checkpoint fills; ``None`` for
            weights files that hold their own graph (``.onnx``, ``.mindir``).
        options: options of the architecture, passed to the network's constructor.
        classes: one per output channel, in the channels' order. A road model has one.
        resolution: ground resolution that it was trained for, in metres per pixel.
        bands: number of image bands that it takes.
        normalisation: from pixel values to network input; part of the built graph.
        dtype: type of the pixels that the built graph takes.
        stretch: whether pixels are stretched by percentiles to 0..255 first; False takes raw values.
        activation: what turns the network's output into probabilities.
        tile: side of a tile, in pixels; a multiple of ``multiple``.
        overlap: overlap of neighbouring tiles, in pixels, less than half of ``tile``.
        multiple: height and width of a tile must be multiples of this.
        threshold: default threshold on probabilities, 0 to 1.
        weights: file name of the weights, in the folder of the card.
        sha256: of the weights file, 64 hexadecimal digits.
        data: the training data.
        licence: of the weights.
        split: which images were trained on and which were measured on.
        metrics: measured metrics by name.
        notes: remarks for users.
        domain: statistics of the training images, by which other images are compared with them; None for none.
        contrast: of the training images, to which others are stretched; None to leave 8-bit imagery of good contrast.
    """

    name: str = _text(pattern=_NAME)
    title: str = _text()
    task: Task
    architecture: str | None = limited(pattern=_NAME)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    classes: tuple[ClassInfo, ...] = limited(counts=(1, MAX_CLASSES))
    resolution: float = limited(1e-3, 1e5)
    bands: int = limited(1, MAX_BANDS)
    normalisation: Normalisation
    dtype: PixelType
    stretch: bool
    activation: Activation
    tile: int = limited(1, 1 << 14)
    overlap: int = limited(0, 1 << 13)
    multiple: int = limited(1, 1 << 12)
    threshold: float = limited(0, 1)
    weights: str = _text()
    sha256: str = limited(pattern="[0-9a-f]{64}")
    data: str = _text()
    licence: str = _text()
    split: str = _text()
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
    domain: Domain | None = None
    contrast: Contrast | None = None


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
    """Parse and check the card in the JSON ``text``; ``origin`` names its source in errors.

    Raises:
        CardError: the text is not a valid card; the sentence names the key.
    """

    def refuse_constant(name: str) -> float:
        raise CardError(f"The model card {origin} holds {name}, which is not a number.")

    def refuse_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise CardError(f"The model card {origin} holds the key {name} twice in one object.")
            seen.add(name)
        return dict(pairs)

    try:
        document = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=refuse_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise CardError(f"The model card {origin} is not valid JSON: {error}.") from None
    if isinstance(document, dict):
        version = document.pop("format", None)
        if version != CARD_FORMAT:
            text = f"The model card {origin}: format is {shorten_repr(version)}; this version reads {CARD_FORMAT}."
            raise CardError(text)
        for name in _OPTIONAL:
            document.setdefault(name, None)
    card = StrictReader(CardError, (f"The model card {origin}: ", ""), complete=True).read(ModelCard, document)
    _check_consistency(card, origin)
    return card


def _check_consistency(card: ModelCard, origin: str) -> None:
    """Raise ``CardError`` where two values of a card contradict each other."""
    problem: str | None = None
    lengths = {name: len(getattr(card.normalisation, name)) for name in ("mean", "std")}
    if unfit := [name for name, length in lengths.items() if length != card.bands]:
        problem = f"normalisation.{unfit[0]} has {lengths[unfit[0]]} entries instead of {card.bands}"
    elif Path(card.weights).name != card.weights or "\\" in card.weights or card.weights in {".", ".."}:
        problem = f"weights is '{card.weights}', which is not the name of a file in the card's folder"
    elif card.tile % card.multiple:
        problem = f"tile is {card.tile}, which is no multiple of {card.multiple}"
    elif 2 * card.overlap >= card.tile:
        problem = f"overlap is {card.overlap}, which is not less than half of the tile of {card.tile}"
    elif len({entry.id for entry in card.classes}) != len(card.classes):
        problem = "classes holds the same id twice"
    elif card.task == "roads" and len(card.classes) != 1:
        problem = f"classes has {len(card.classes)} entries, and a road model has one"
    elif card.activation == "softmax" and len(card.classes) == 1:
        problem = "activation is softmax, which is 1 everywhere for one class"
    elif card.stretch and card.dtype != "uint8":
        problem = f"stretch is true, and a stretched image is uint8, not {card.dtype}"
    elif card.contrast is not None and not card.stretch:
        problem = "stretch is false, so that contrast has no effect"
    else:
        problem = card.domain.find_problem() if card.domain else None
        problem = problem or (card.contrast.find_problem(card.bands) if card.contrast else None)
    if problem is not None:
        raise CardError(f"The model card {origin}: {problem}.")


def card_text(card: ModelCard) -> str:
    """The JSON of ``card``, as it stands in ``card.json``.

    Raises:
        CardError: the card would not be read back as it is.
    """
    if any(not math.isfinite(value) for value in card.metrics.values()):
        raise CardError(f"The card of {card.name} has a metric that is not finite.")
    document = {"format": CARD_FORMAT, **dataclasses.asdict(card)}
    for name in _OPTIONAL:
        if document[name] is None:
            del document[name]
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if any(name in document for name in _OPTIONAL):  # the rows of numbers of the statistics are a line each
        text = re.sub(r"\[\n[-\d.e\s,]+\]", lambda row: " ".join(row[0].split()), text)
    parse_card(text, card.name)
    return text


def write_card(path: Path, card: ModelCard) -> None:
    """Write ``card`` to ``path`` after checking that it can be read back.

    Raises:
        CardError: the card is not valid, or cannot be written.
    """
    text = card_text(card)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CardError(f"The model card {path} cannot be written: {error.strerror or error}.") from error
