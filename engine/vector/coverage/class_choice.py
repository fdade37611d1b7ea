"""Choose the classes whose polygons get right angles, and check the classes that options name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...errors import ParameterError, shorten
from ...protocol.declaration import options_of
from ...protocol.options import CoverageOptions

#: The highest class id.
MAX_CLASS = 65534
#: Turns regularization off.
NONE = "none"
#: Words, in some languages, of which one in its name makes a class one of buildings.
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        building buildings house houses roof roofs rooftop rooftops bâtiment bâtiments batiment batiments bâti
        toit toits gebäude gebaeude haus häuser dach dächer edificio edificios edificación edificaciones
        edifício edifícios prédio prédios telhado edifici casa casas gebouw gebouwen pand panden budynek
        budynki byggnad byggnader bygning bygninger здание здания дом дома bangunan
        """,
    )
)
_CHINESE_AND_JAPANESE = ("建筑", "建築", "房屋", "屋顶", "屋頂", "楼房", "建物")
#: Words that say that a class is one of everything else.
_NEGATIONS = frozenset({"no", "non", "not", "without", "background"})


def is_building_name(name: str) -> bool:
    """Whether a class with this name is one of buildings."""
    words = set(re.split(r"[\W\d_]+", name.casefold()))
    is_building = bool(words & _WORDS) or any(word in name for word in _CHINESE_AND_JAPANESE)
    return is_building and not words & _NEGATIONS and not name.startswith("非")


def check_class_ids(options: CoverageOptions, regularized: Collection[int], names: Mapping[int, str]) -> None:
    """Check that options are of classes of a model.

    Args:
        options: of the polygons.
        regularized: the classes that ``choose_regularized`` has chosen.
        names: of all classes by id.

    Raises:
        ParameterError: there is no such class.
    """
    wanted: dict[str, Collection[int]] = {
        "classes": options.classes or (),
        "protected": options.protected,
        "minimum_area_by_class": options.minimum_area_by_class,
        "regularise": regularized,
    }
    for name, option in options_of(CoverageOptions, *wanted).items():
        for key in sorted(wanted[name]):
            if key not in names:
                known = ", ".join(f"{number} ({shorten(text)})" for number, text in names.items())
                raise ParameterError(f"The model has no class {key} (--{option.flag}).", f"Its classes are: {known}.")


def choose_regularized(given: Sequence[str], class_names: Mapping[int, str]) -> list[int]:
    """Choose the classes to regularize.

    Args:
        given: names or ids of classes, or ``none``; empty for those called buildings.
        class_names: names by class id.

    Returns:
        Class ids, without duplicates.

    Raises:
        ParameterError: no class has a given name or id.
    """
    if not given:
        return [key for key, name in class_names.items() if is_building_name(name)]
    if NONE in given:
        return []
    found: list[int] = []
    for text in given:
        same_name = [key for key, name in class_names.items() if name.casefold() == text.strip().casefold()]
        if not same_name and not text.strip().isdecimal():
            known = ", ".join(map(shorten, class_names.values())) or "none has a name"
            raise ParameterError(
                f"There is no class {shorten(text)} to regularise.", f"Name one of the classes ({known}), or its id."
            )
        found += same_name or [int(text)]
    for key in found:
        if key > MAX_CLASS:
            raise ParameterError(f"There is no class {key}: classes are numbered from 0 to {MAX_CLASS}.")
    return list(dict.fromkeys(found))
