"""Forms: the fields of the run dialog for each algorithm."""

from __future__ import annotations

from dataclasses import dataclass

from ..processing.base import ImageAlgorithm
from ..processing.extract import ExtractLandCover, ExtractRoads
from ..processing.segment import SegmentAlgorithm


@dataclass(frozen=True)
class ExtraOutput:
    """An output that can be requested beside the main one.

    Attributes:
        name: the algorithm's parameter.
        title: in English; translated where it is shown.
        suffix: of its file; empty for a layer of the main output, which is written by default.
    """

    name: str
    title: str
    suffix: str


@dataclass(frozen=True)
class RunForm:
    """The dialog of one algorithm.

    Attributes:
        algorithm: its class.
        has_threshold: whether there is a field for the threshold.
        suffix: of the main output's file.
        outputs: the further outputs.
    """

    algorithm: type[ImageAlgorithm]
    has_threshold: bool
    suffix: str
    outputs: tuple[ExtraOutput, ...]


ROADS = RunForm(
    ExtractRoads,
    True,
    ".gpkg",
    (
        ExtraOutput("ROAD_AREAS", "Road areas", ""),
        ExtraOutput("PROBABILITY", "Road probability (for other thresholds later)", ".tif"),
        ExtraOutput("MASK", "Road mask", ".tif"),
    ),
)
LANDCOVER = RunForm(
    ExtractLandCover,
    False,
    ".gpkg",
    (ExtraOutput("CLASSES", "Raster of classes", ".tif"), ExtraOutput("CONFIDENCE", "Confidence", ".tif")),
)
SEGMENT = RunForm(
    SegmentAlgorithm,
    True,
    ".tif",
    (ExtraOutput("VECTORS", "Polygons", ".gpkg"), ExtraOutput("PROBABILITY", "Probabilities", ".tif")),
)
#: All forms, in the order of the menu.
RUN_FORMS = (ROADS, LANDCOVER, SEGMENT)
