"""Titles of the engine's options, in whose place its sentences name what stands on the command line (``--tile``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from qgis.core import QgsProcessingAlgorithm

from ...engine.protocol.messages import Result
from ..engine.errors import EngineError
from ..i18n import tr
from .parameters import IMAGE_OPTIONS, RUNTIME_OPTIONS, get_title

#: An option as sentences name it, not as a part of a file's name or a command.
_FLAG = re.compile(r"(?<![^\s(])--([a-z]+(?:-[a-z]+)*)(?![\w=-])")


def list_titles(algorithm: QgsProcessingAlgorithm) -> dict[str, str]:
    """List the titles of what a user can set for an algorithm, by the option's name on the command line."""
    empty = tr("{title}, empty: {default}").partition("{title}")[2].partition("{default}")[0]
    parameters = algorithm.parameterDefinitions()
    titles = {each.name().lower().replace("_", "-"): each.description().split(empty)[0] for each in parameters}
    if "model" in titles:  # what the settings have for all runs of a model
        settings = {"memory": IMAGE_OPTIONS, "tile": IMAGE_OPTIONS, "threads": RUNTIME_OPTIONS}
        titles = {**{name: get_title(options[name]) for name, options in settings.items()}, **titles}
    return titles


def name_options(text: str, titles: Mapping[str, str]) -> str:
    """Replace the options that ``text`` names by their titles; others stay."""

    def replace_flag(match: re.Match[str]) -> str:
        title = titles.get(match[1])
        return match[0] if title is None else f"“{title}”"

    return _FLAG.sub(replace_flag, text)


def name_options_of_error(error: EngineError, titles: Mapping[str, str]) -> None:
    """Replace the options that an error names by their titles."""
    error.text = name_options(error.text, titles)
    error.hint = error.hint and name_options(error.hint, titles)


def name_options_of_result(result: Result, titles: Mapping[str, str]) -> Result:
    """Return ``result`` with the titles of the options that its sentences name."""
    return replace(
        result,
        text=name_options(result.text, titles),
        warnings=tuple(name_options(warning, titles) for warning in result.warnings),
        images=tuple(replace(image, text=name_options(image.text, titles)) for image in result.images),
    )
