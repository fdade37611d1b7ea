"""What the run dialog asks, for each algorithm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """An output that a person can ask for beside the main one.

    Attributes:
        name: the algorithm's parameter.
        title: in English; translated where it is shown.
        suffix: of its file; empty for a layer of the main output, which is made unless it is not wanted.
    """

    name: str
    title: str
    suffix: str


@dataclass(frozen=True)
class Form:
    """The dialog of one algorithm.

    Attributes:
        algorithm: its id without the provider's.
        title: in English.
        icon: its icon.
        task: which models are offered; empty where it takes none.
        threshold: whether a threshold is asked for.
        suffix: of the main output's file.
        outputs: what can be asked for besides.
    """

    algorithm: str
    title: str
    icon: str
    task: str
    threshold: bool
    suffix: str
    outputs: tuple[Output, ...]


ROADS = Form(
    "extractroads",
    "Extract Roads",
    "roads",
    "roads",
    True,
    ".gpkg",
    (
        Output("ROAD_AREAS", "Road areas", ""),
        Output("PROBABILITY", "Road probability (for other thresholds later)", ".tif"),
        Output("MASK", "Road mask", ".tif"),
    ),
)
LANDCOVER = Form(
    "extractlandcover",
    "Extract Land Cover",
    "landcover",
    "landcover",
    False,
    ".gpkg",
    (Output("CLASSES", "Raster of classes", ".tif"), Output("CONFIDENCE", "Confidence", ".tif")),
)
SEGMENT = Form(
    "segment",
    "Segment with Another Model",
    "segment",
    "segmentation",
    True,
    ".tif",
    (Output("VECTORS", "Polygons", ".gpkg"), Output("PROBABILITY", "Probabilities", ".tif")),
)
#: The forms with an image and a model, in the order of menus.
IMAGE_FORMS = (ROADS, LANDCOVER, SEGMENT)
