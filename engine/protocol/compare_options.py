"""Options of the comparison of a result with the truth; see ``options``. Standard library only and Python 3.9."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from .declaration import option
from .options import length

RoadDefinition = Literal["terraspore", "cosmiq", "sat2graph", "sam_road"]


@dataclass(frozen=True)
class CompareOptions:
    """Options of a comparison."""

    layer: str | None = option(None, "Layer of RESULT; else roads, landcover or the first.")
    truth_layer: str | None = option(None, "Layer of TRUTH; else as for RESULT.")
    mask: Path | None = option(
        None,
        "Compare only within the polygons of this file, or on the valid pixels of this raster.",
        "Polygons within which they are compared",
        holds="polygons",
    )
    buffer: float = length(
        5.0, "Largest distance between matching lines.", "Largest distance between matching lines", above=True
    )
    definition: RoadDefinition = option(
        "terraspore",
        "Rules of APLS and TOPO: our own, or those of published code, whose figures may then be set beside these.",
        "Rules of APLS and TOPO",
        choices=get_args(RoadDefinition),
    )
    threshold: float | None = option(
        None,
        "Compare masks: probability of a road pixel.",
        "Two rasters are masks of roads: probability of a road pixel",
        minimum=0,
        maximum=1,
        metavar="P",
        unset="classes are compared",
    )
    field: str = option("class_id", "Column with the class of polygons.", "Column with the class of polygons")
