"""Decide what the values of a raster mean: probabilities in some unit, a mask, or classes.

The decision is a pure function of what the file declares (``Declaration``) and of the values of all its pixels
(``ValueStatistics``), both gathered by ``band_facts``. The largest value alone decides nothing: a tile without roads
has small probabilities in every unit. Where several meanings are possible, an error names the option that decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import ParameterError, SourceError
from ..protocol.options import RasterOptions, ValueKind

#: What a command makes of a raster; None where the raster decides.
Expected = Literal["roads", "classes"]

#: Most different whole numbers that are taken as classes; rasters of probabilities have more.
MAX_CLASSES = 64
#: A raster needs this many pixels for each different value before the number of values means anything.
_PIXELS_PER_VALUE = 4
#: More numbers than this without gaps are measurements (heights, a quiet tile), unless they begin at 1 as class ids do.
_MAX_RUN, _RUN_DENSITY = 10, 0.8
#: Values of the foreground of masks, besides the largest of their type.
_FOREGROUNDS = (1.0, 100.0, 255.0)
#: Rounding that probabilities may have beyond 0 and 1, and what cubic resampling and nodata of 255 x 0.004 may add.
_ROUNDING, _OVERSHOOT = 1e-6, 0.15
_UNITS: dict[ValueKind, float] = {"probability": 1.0, "percent": 100.0, "byte": 255.0}
_NOUNS: dict[ValueKind, str] = {
    "probability": "probabilities",
    "percent": "percentages",
    "byte": "probabilities from 0 to 255",
    "mask": "a mask",
    "classes": "classes",
}


@dataclass(frozen=True)
class Encoding:
    """What the values of a band mean. ``probability = value * scale + offset``, except for classes.

    Attributes:
        kind: what they are.
        reason: why, as the end of a sentence.
        scale: probability of one unit.
        offset: probability of zero.
        is_declared: whether the file or the person says so.
        doubt: a sentence for a warning; empty where there is no doubt.
        band: the band, from 1.
        nodata: a value without data that the file does not declare; None for none.
        is_alpha: whether a band that is tagged as alpha is one.
    """

    kind: ValueKind
    reason: str
    scale: float = 1.0
    offset: float = 0.0
    is_declared: bool = False
    doubt: str = ""
    band: int = 1
    nodata: float | None = None
    is_alpha: bool = True

    def describe(self) -> str:
        """Return what the values are and why, for a message."""
        unit = f" (value x {self.scale:.6g})" if self.kind == "probability" and self.scale != 1.0 else ""
        return f"{_NOUNS[self.kind]}{unit}: {self.reason}"


@dataclass(frozen=True)
class Declaration:
    """What a file declares about a band.

    Attributes:
        name: name of the file.
        dtype: NumPy's name of the type.
        type_range: smallest and largest value of an integer type; None for real numbers.
        scale: scale tag, 1 without one.
        offset: offset tag, 0 without one.
        nodata: nodata value, or None.
        unit: unit of the values, such as ``m`` or ``%``; empty if unknown.
        class_table: what lists classes, such as ``a palette``; empty for nothing.
    """

    name: str
    dtype: str
    type_range: tuple[int, int] | None
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    unit: str = ""
    class_table: str = ""

    @property
    def has_scale(self) -> bool:
        """Whether the file says how values are scaled."""
        return self.scale != 1.0 or self.offset != 0.0


@dataclass(frozen=True)
class ValueStatistics:
    """What the valid pixels of a band hold.

    Attributes:
        pixels: number of pixels.
        valid: number of pixels that are not nodata.
        minimum: smallest value; NaN without valid pixels.
        maximum: largest value; NaN without valid pixels.
        fraction: a value that is no whole number; None if all are whole.
        counts: pixels of each value, ascending; None for more than ``MAX_CLASSES`` values or for fractions.
    """

    pixels: int
    valid: int
    minimum: float
    maximum: float
    fraction: float | None
    counts: dict[float, int] | None

    @property
    def distinct(self) -> tuple[float, ...]:
        """The different values if they are few and whole, otherwise none."""
        return tuple(self.counts or ())


def decide_declared(declared: Declaration, options: RasterOptions, expected: Expected | None) -> Encoding | None:
    """Decide by what the person and the file say; None if the values have to be looked at.

    Raises:
        ParameterError: the options contradict each other or the command.
        SourceError: the file says that it holds something else than expected.
    """
    if options.scale is not None:
        if options.values not in (None, "probability") or expected == "classes":
            raise ParameterError("--scale is for probabilities.", "Leave --scale out, or use --values probability.")
        return Encoding("probability", "the option --scale says so", options.scale, is_declared=True)
    if options.values == "classes":
        if expected == "roads":
            raise ParameterError("Roads are made of probabilities or a mask, not of classes.", _LANDCOVER)
        return Encoding("classes", "the option --values says so", is_declared=True)
    if options.values is not None:
        if expected == "classes":
            raise ParameterError(f"Land cover is made of classes, not of --values {options.values}.", _ROADS)
        if options.values != "probability":
            return None
    if declared.has_scale:
        if expected == "classes":
            raise SourceError(
                f"{declared.name} has the scale tag {declared.scale:g}, so it holds probabilities, not classes.",
                f"{_ROADS} If it holds classes all the same, give --values classes.",
            )
        reason = f"the file has the scale tag {declared.scale:g}"
        encoding = Encoding("probability", reason, declared.scale, declared.offset, is_declared=True)
        limits = declared.type_range
        return encoding if limits is not None and _is_probability(encoding, *map(float, limits)) else None
    if declared.class_table and expected != "roads" and options.values is None:
        return Encoding("classes", f"the file has {declared.class_table}", is_declared=True)
    return None


def decide_by_values(
    declared: Declaration, found: ValueStatistics, options: RasterOptions, expected: Expected | None
) -> Encoding:
    """Decide by the values of all pixels, where ``decide_declared`` does not.

    Raises:
        ParameterError: the values contradict ``options.values``.
        SourceError: the values are not what is expected, or could mean several things.
    """
    if not found.valid:
        return Encoding("classes" if expected == "classes" else "mask", "it has no valid pixel")
    if options.values is not None and not (options.values == "probability" and declared.has_scale):
        return _encode_as_told(declared, found, options.values)
    if declared.has_scale:
        encoding = Encoding("probability", "the file has a scale tag", declared.scale, declared.offset, True)
        if not _is_probability(encoding, found.minimum, found.maximum):
            low, high = (value * encoding.scale + encoding.offset for value in (found.minimum, found.maximum))
            raise SourceError(
                f"The values of {declared.name}, with its scale tag, go from {low:.6g} to {high:.6g}, so they are not "
                "probabilities."
            )
        return encoding
    if expected == "classes":
        return _expect_classes(declared, found)
    if expected == "roads" and len(found.distinct) == 2:
        return _encode_two_values(declared, found)
    encoding = _detect(declared, found, expected)
    if encoding.kind == "classes" and expected == "roads":
        hint = f"{_LANDCOVER} If the values are probabilities, give --values probability, percent or byte, or --scale."
        if len(found.distinct) == 3:
            hint += " If one of them means no data, give it with --nodata."
        raise SourceError(f"{declared.name} holds classes, not road probabilities: {encoding.reason}.", hint)
    return encoding


_LANDCOVER, _ROADS = (
    "Use `vectorize landcover` for classes.",
    "Probabilities and masks are for `vectorize roads` and `compare --threshold`.",
)


def _encode_as_told(declared: Declaration, found: ValueStatistics, kind: ValueKind) -> Encoding:
    reason = "the option --values says so"
    if kind == "mask":
        if len(found.distinct) > 2 or not found.counts:
            raise ParameterError(
                f"{declared.name} is no mask: it has more than two values, from {found.minimum:.6g} to "
                f"{found.maximum:.6g}."
            )
        return _make_mask(found, reason, is_declared=True)
    encoding = Encoding(kind, reason, 1 / _UNITS[kind], is_declared=True)
    if found.maximum > _UNITS[kind] * (1 + _OVERSHOOT):
        raise ParameterError(
            f"The values of {declared.name} go up to {found.maximum:.6g}, so they are not {_NOUNS[kind]}.",
            "Give another --values, or the probability of one unit with --scale.",
        )
    return encoding


def _detect(declared: Declaration, found: ValueStatistics, expected: Expected | None) -> Encoding:
    """Decide between probabilities, masks and classes by the values."""
    low, high, values = found.minimum, found.maximum, found.distinct
    if found.fraction is not None:
        if low >= -_ROUNDING and high <= 1 + _ROUNDING:
            return Encoding("probability", f"real numbers from {low:.3g} to {high:.3g}")
        raise _ask(declared, found)
    type_range = declared.type_range or (0, 0)
    if values and values[:-1] in ((), (0.0,)):
        is_only_road = expected == "roads" and len(values) == 1 and declared.nodata == 0
        if high in (0.0, *_FOREGROUNDS, type_range[1]) or is_only_road:
            return _make_mask(found, f"it holds only {_join(values)}")
    if declared.class_table:
        return Encoding("classes", f"the file has {declared.class_table}", is_declared=True)
    if declared.unit in ("%", "percent") and 0 <= low <= high <= 100:
        return Encoding("percent", f"its unit is {declared.unit}", 0.01, is_declared=True)
    if declared.dtype == "uint8" and _is_blurred_mask(values):
        return Encoding("byte", "its values are close to 0 or to 255, like a compressed mask's", 1 / 255)
    if _are_codes(values, found.valid):
        return Encoding("classes", f"it holds {len(values)} whole numbers ({_join(values)})")
    if declared.dtype == "uint8" and high > 100 and not declared.unit:
        return Encoding("byte", f"it has 8 bits and values up to {high:g}", 1 / 255)
    raise _ask(declared, found)


def _encode_two_values(declared: Declaration, found: ValueStatistics) -> Encoding:
    """Take two values as a mask: the higher one is road, unless it is more frequent than a lower one that is not 0."""
    low, high = found.distinct
    reason = f"it holds only {low:g} and {high:g}"
    share = (found.counts or {})[high] / found.valid
    if low == 0.0:
        return _make_mask(found, reason)
    if share > 0.5:
        raise SourceError(
            f"{declared.name} holds only {low:g} and {high:g}, and {high:g} covers {share:.0%}: which one is road?",
            f"With --values mask it is {high:g}; otherwise make a mask with 1 for roads and 0 elsewhere.",
        )
    return _make_mask(found, f"{reason}, and the rarer {high:g} is road")


def _make_mask(found: ValueStatistics, reason: str, *, is_declared: bool = False) -> Encoding:
    """Make the encoding of a mask: the higher of two values is road; a single one is road unless it is 0."""
    high = found.maximum
    low = found.minimum if found.minimum != high else 0.0
    scale = 1 / (high - low) if high != low else 1.0
    return Encoding("mask", reason, scale, -low * scale, is_declared)


def _expect_classes(declared: Declaration, found: ValueStatistics) -> Encoding:
    """Check values that the person says are classes."""
    if found.fraction is not None:
        raise SourceError(
            f"{declared.name} holds {declared.dtype} values like {found.fraction:.4g}, not classes.",
            f"Classes are whole numbers. {_ROADS}",
        )
    if found.counts is not None:
        return Encoding("classes", f"it holds {len(found.distinct)} whole numbers ({_join(found.distinct)})")
    reason = f"it holds more than {MAX_CLASSES} whole numbers from {found.minimum:g} to {found.maximum:g}"
    doubt = f"it has no palette and more than {MAX_CLASSES} different values: are they classes?"
    return Encoding("classes", reason, doubt="" if declared.class_table else doubt)


def _is_probability(encoding: Encoding, low: float, high: float) -> bool:
    ends = sorted(value * encoding.scale + encoding.offset for value in (low, high))
    return ends[0] >= -_OVERSHOOT and ends[1] <= 1 + _OVERSHOOT


def _are_codes(values: tuple[float, ...], valid: int) -> bool:
    """Whether few whole numbers are codes of classes: small tiles and measurements are not."""
    if not values or values[0] < 0 or valid < _PIXELS_PER_VALUE * len(values):
        return False
    density = len(values) / (values[-1] - values[0] + 1)
    return len(values) <= _MAX_RUN or density < _RUN_DENSITY or values[0] == 1


def _is_blurred_mask(values: tuple[float, ...]) -> bool:
    """Whether values are those of a mask of 0 and 255 after a lossy compression."""
    low, high = [value for value in values if value < 64], [value for value in values if value > 191]
    return len(low) + len(high) == len(values) and len(high) > 1 and 0.0 in low and 255.0 in high


def _ask(declared: Declaration, found: ValueStatistics) -> SourceError:
    """Make the error for values that are no probabilities or could mean several things."""
    low, high = found.minimum, found.maximum
    kind = "real" if found.fraction is not None else "whole"
    unit = f" {declared.unit}" if declared.unit else ""
    values = f"{kind} numbers from {low:.6g} to {high:.6g}{unit} ({declared.dtype})"
    if low < -_OVERSHOOT:
        hint = "Give a raster of probabilities, a mask or classes."
        if found.fraction is None:
            hint += f" If they are classes, give --values classes, and --nodata {low:g} if that means no data."
        return SourceError(
            f"{declared.name} holds {values}, which are not probabilities: they may be logits, heights or an image.",
            hint,
        )
    kinds = [f"--values {name}" for name, top in _UNITS.items() if high <= top * (1 + _OVERSHOOT)]
    if found.fraction is None:
        kinds.append("--values classes")
    return SourceError(
        f"It is not clear what {declared.name} shows: it holds {values}.",
        f"Give {', '.join(kinds)}{' or ' if kinds else ''}--scale with the probability of one unit, such as 0.0001.",
    )


def _join(values: tuple[float, ...]) -> str:
    """Join values for a message: all of a few, otherwise the first ones and the last."""
    texts = [f"{value:.10g}" for value in values]
    if len(texts) > 5:
        texts = [*texts[:3], "…", texts[-1]]
    return " and ".join(texts) if len(texts) == 2 else ", ".join(texts)
