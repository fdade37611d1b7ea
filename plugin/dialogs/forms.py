"""Forms: the fields of the run dialog for each algorithm."""

from __future__ import annotations

from dataclasses import dataclass


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
        algorithm: its id without the provider's.
        title: in English.
        icon: its icon.
        task: whose models are offered.
        has_threshold: whether there is a field for the threshold.
        suffix: of the main output's file.
        outputs: the further outputs.
    """

    algorithm: str
    title: str
    icon: str
    task: str
    has_threshold: bool
    suffix: str
    outputs: tuple[ExtraOutput, ...]


ROADS = RunForm(
    "extractroads",
    "Extract Roads",
    "roads",
    "roads",
    True,
    ".gpkg",
    (
        ExtraOutput("ROAD_AREAS", "Road areas", ""),
        ExtraOutput("PROBABILITY", "Road probability (for other thresholds later)", ".tif"),
        ExtraOutput("MASK", "Road mask", ".tif"),
    ),
)
LANDCOVER = RunForm(
    "extractlandcover",
    "Extract Land Cover",
    "landcover",
    "landcover",
    False,
    ".gpkg",
    (ExtraOutput("CLASSES", "Raster of classes", ".tif"), ExtraOutput("CONFIDENCE", "Confidence", ".tif")),
)
SEGMENT = RunForm(
    "segment",
    "Segment with Another Model",
    "segment",
    "segmentation",
    True,
    ".tif",
    (ExtraOutput("VECTORS", "Polygons", ".gpkg"), ExtraOutput("PROBABILITY", "Probabilities", ".tif")),
)
#: All forms, in the order of the menu.
RUN_FORMS = (ROADS, LANDCOVER, SEGMENT)
