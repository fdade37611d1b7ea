"""Options of the engine's tasks, each declared once.

The command line, the Processing parameters, the dialogs' fields and the tables of the documentation are made from these
declarations. Standard library only and Python 3.9, because QGIS's Python imports them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from ..errors import ParameterError
from .declaration import check_range, check_ranges, option, options_of

#: What the device and the runtime of a run may be called; the runtimes are those of ``engine/runtimes/registry.py``.
DEVICE_NAMES = ("auto", "cpu", "gpu", "npu", "cuda", "tensorrt", "directml", "coreml", "ascend")
RUNTIME_NAMES = ("auto", "openvino", "onnxruntime", "onnxruntime-isolated", "mindspore-lite", "mindspore")

#: What the values of a raster can be.
ValueKind = Literal["probability", "percent", "byte", "mask", "classes"]
VALUE_KINDS: tuple[str, ...] = get_args(ValueKind)

#: The largest length on the ground that means anything, in metres; model cards hold none above it either.
MAX_LENGTH = 100_000.0
#: Options that are a length or an area on the ground, from 0.
length = partial(option, unit="m", minimum=0, maximum=MAX_LENGTH)
_area = partial(option, unit="m²", minimum=0, maximum=MAX_LENGTH**2)


@dataclass(frozen=True)
class RuntimeOptions:
    """Options of where and how a network runs; ``auto`` leaves the choice to the engine."""

    device: str = option(
        "auto", f"Device: {', '.join(DEVICE_NAMES[:-1])} or {DEVICE_NAMES[-1]}.", "Device", suggestions=DEVICE_NAMES
    )
    runtime: str = option(
        "auto",
        f"Runtime: {', '.join(RUNTIME_NAMES[:-1])} or {RUNTIME_NAMES[-1]}.",
        "Runtime",
        suggestions=RUNTIME_NAMES,
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto",
        "Number type: float32 is exact; auto may take a shorter type where it is faster.",
        "Number type",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    threads: int | None = option(None, "Processor threads.", "Threads", minimum=1, maximum=1024, unset="all cores")


@dataclass(frozen=True)
class ImageOptions:
    """Options of how a model sees an image."""

    model: str | None = option(None, "Name, folder or weights file of the model.", "Model", unset="the task's default")
    bands: tuple[int, ...] | None = option(
        None, "Bands of the image in the model's order.", "Bands, in the order of the model's", metavar="1,2,3"
    )
    nodata: float | None = option(
        None, "Value of pixels without data.", "Value without data", unset="the image's own", metavar="VALUE"
    )
    ignore_alpha: bool = option(False, "Do not use the alpha band as transparency.", "Ignore the alpha band")
    extent: tuple[float, float, float, float] | None = option(
        None,
        "Part of the image, in its coordinates.",
        "Rectangle to work on",
        unset="the whole image",
        metavar="xmin,ymin,xmax,ymax",
    )
    area: Path | None = option(
        None, "Vector file whose polygons limit the area that is computed.", "Polygons to work in"
    )
    area_layer: str | None = option(
        None, "Layer of the polygons in that file.", "Layer of the polygons", unset="the first with polygons"
    )
    resolution: float | None = length(
        None, "Metres per pixel for the network.", "Ground resolution", above=True, unset="the model's"
    )
    pixel_size: float | None = length(
        None, "Metres per pixel of an image without georeference.", "Size of a pixel", above=True
    )
    subdataset: str | None = option(
        None,
        "Number or name of an image in a file that holds several.",
        "Image in the file",
        unset="the first",
        metavar="NUMBER",
    )
    allow_remote: bool = option(False, "Read images on the network: https, s3, gs, az.", "Read images from the network")
    tile: int | None = option(None, "Edge of a tile in pixels.", "Edge of a tile in pixels", unset="the model's")
    overlap: int | None = option(
        None, "Overlap of neighbouring tiles in pixels.", "Overlap of tiles in pixels", unset="the model's"
    )
    memory: int | None = option(
        None,
        "Upper limit for the memory of the process in MB.",
        "Memory limit in MB",
        minimum=1,
        unset="the machine's",
        metavar="MB",
    )
    keep_contrast: bool = option(
        False,
        "Do not match an 8-bit image's contrast to the model's training images.",
        "Keep the image's contrast",
    )
    tta: bool = option(
        False,
        "Average over eight flips and rotations: better, eight times slower.",
        "Average over eight flips and rotations (slower)",
    )


@dataclass(frozen=True)
class SourceOptions:
    """Options of which images are read, where several are named."""

    separate: bool = option(
        False,
        "Give each image a result of its own, in the folder of -o; go on after an image that fails.",
        "A result for each image",
    )
    asset: str | None = option(
        None, "Asset of STAC items that is the image.", "Asset of STAC items", unset="visual, or the only image"
    )


@dataclass(frozen=True)
class ClusterOptions:
    """Options of where the tiles of a run are computed."""

    cluster: str | None = option(
        None,
        "Dask scheduler whose workers compute the tiles (tcp://host:8786), or local:N for N processes of this machine.",
        "Dask scheduler",
        unset="this process",
        metavar="ADDRESS",
    )


@dataclass(frozen=True)
class OutputOptions:
    """Options of what is written."""

    layer: str | None = option(
        None,
        "Name of the main layer in a GeoPackage; further layers get it as their prefix. Other layers of the file stay.",
        "Name of the layer",
        unset="roads, landcover or classes",
    )
    overwrite: bool = option(False, "Replace files and layers that exist.", "Replace what exists")


@dataclass(frozen=True)
class RasterOptions:
    """Options of how the values of a raster of probabilities or classes are read."""

    band: int | None = option(None, "Band to use, from 1.", "Band", minimum=1, unset="the first")
    values: ValueKind | None = option(
        None,
        "Meaning of the values: probability (0 to 1), percent (0 to 100), byte (0 to 255), mask or classes.",
        "Meaning of the values",
        choices=VALUE_KINDS,
        unset="decided by the raster",
    )
    scale: float | None = option(
        None,
        "Probability of one unit of the values, such as 0.0001.",
        "Probability of one unit of the values",
        minimum=0,
        maximum=1,
        above=True,
        unset="decided by the raster",
    )
    nodata: float | None = option(
        None, "A value without data.", "Value without data", unset="the raster's own", metavar="VALUE"
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class RoadOptions:
    """Options of a road network. Lengths are metres on the ground."""

    threshold: float = option(
        0.5, "Probability from which a pixel is road.", "Threshold on probability", minimum=0, metavar="P"
    )
    strong: float | None = option(
        None,
        "Probability that a connected piece of road must reach somewhere (hysteresis).",
        "Probability that a connected piece must reach",
        minimum=0,
        maximum=1,
        unset="threshold + (1 - threshold) / 4",
        metavar="P",
    )
    blur: float = length(
        2.0, "Standard deviation of the Gaussian before the threshold; 0 for none.", "Smoothing of the probabilities"
    )
    hole_area: float = _area(
        200.0, "Holes in the road surface up to this area are closed.", "Largest hole that is closed"
    )
    max_width: float = length(
        40.0,
        "Wider regions are treated as paved areas (squares, car parks); lines lead around their core.",
        "Widest road",
        above=True,
    )
    merge_parallel: float = length(
        0.0,
        "Carriageways with less than this between them become one line; 0 keeps them apart.",
        "Carriageways closer than this are one",
    )
    pair_distance: float = length(
        25.0,
        "Carriageways side by side with up to this between their lines are marked as a pair; 0 marks none.",
        "Largest distance of a pair of carriageways",
    )
    spur: float = length(
        20.0,
        "Dead ends shorter than this and 1.2 times the road's half width are dropped.",
        "Longest dead end that is dropped",
    )
    gap: float = length(50.0, "Gaps up to this length are closed; 0 closes none.", "Longest gap that is closed")
    gap_angle: float = option(
        40.0,
        "Largest angle between a dead end and the gap that is closed; at most 30° where it ends in the middle of a "
        "road, and 90° where it is shorter than 1.5 times the road's width. Gaps closed at 30° are closed at larger "
        "angles, too.",
        "Largest angle of a closed gap",
        unit="°",
        minimum=0,
        maximum=180,
        metavar="DEGREES",
    )
    min_length: float = length(
        80.0, "Connected pieces with less length of road in all are dropped.", "Shortest connected piece of road"
    )
    smooth: float = length(
        3.0,
        "Smoothing of the curves fitted to lines: wobbles shorter than ten times this go; 0 for none.",
        "Smoothing of lines",
    )
    simplify: float = length(
        1.0, "Largest distance between a line and its simplification; 0 keeps every vertex.", "Simplification"
    )
    areas: bool = option(True, "Make the layer road_areas.", "Make the areas of roads, too")
    minimum_area: float = _area(
        100.0, "Smaller pieces of road surface are left out of road_areas.", "Smallest road area"
    )
    area_simplify: float = length(
        0.5,
        "Largest distance between the outline of an area and its simplification; 0 keeps pixel edges and exact areas.",
        "Simplification of areas",
    )
    osm_tags: bool = option(
        False,
        "Add the columns highway, surface (empty) and source of OpenStreetMap to the roads.",
        "Add columns of OpenStreetMap",
    )
    tile: int = option(
        2048,
        "Side of the tiles; speed and memory depend on it, the result does not.",
        "Edge of a tile",
        unit="pixels",
        minimum=64,
    )
    threads: int | None = option(
        None,
        "Tiles that are processed at the same time; the result does not depend on it.",
        "Threads",
        minimum=1,
        maximum=1024,
        unset="one for each core",
    )

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise ParameterError(f"The threshold is {self.threshold}, but must be above 0 and below 1.")
        if self.strong is not None and not self.threshold <= self.strong <= 1.0:
            raise ParameterError(
                f"The strong threshold is {self.strong}, but must be from the threshold ({self.threshold}) to 1."
            )
        check_ranges(self)

    @property
    def strong_threshold(self) -> float:
        """The probability that a connected piece of road must reach somewhere."""
        return self.threshold + 0.25 * (1.0 - self.threshold) if self.strong is None else self.strong


@dataclass(frozen=True)
class UpdateOptions:
    """Options of the conflation of a road network with existing roads."""

    update: Path | None = option(
        None,
        "Conflate with the roads of this file: kept, new, gone, moved.",
        "Existing roads to find changes of",
        metavar="FILE",
        holds="lines",
    )
    update_layer: str | None = option(None, "Layer of that file; else roads or the first with lines.", metavar="NAME")
    update_distance: float = length(
        10.0,
        "Lines within this distance of each other are the same road.",
        "Largest distance of lines of the same road",
        metavar="M",
    )


@dataclass(frozen=True)
class ClassRasterOptions:
    """Options of a raster of classes alone."""

    confidence: Path | None = option(
        None,
        "Raster of the same size with the probability of each pixel's class.",
        "Raster of the probabilities of classes",
        holds="raster",
    )


@dataclass(frozen=True)
class CoverageOptions:
    """Options of a land-cover coverage."""

    minimum_area: float | None = _area(
        None,
        "Minimum mapping unit: smaller regions are merged into the neighbour with the longest border, the smallest "
        "first; 0 merges none.",
        "Smallest polygon",
        unset="16 pixels",
    )
    minimum_area_by_class: Mapping[int, float] = option(
        dict,
        "The same for one class; may be repeated.",
        "Smallest polygon of a class",
        items="ID=M2",
        flag="class-minimum-area",
    )
    protected: frozenset[int] = option(
        frozenset, "A class that is never merged away; may be repeated.", "Protected class", items="ID", flag="protect"
    )
    classes: frozenset[int] | None = option(
        None,
        "Make areas of this class alone; may be repeated.",
        "Only this class",
        items="ID",
        flag="only",
        unset="all classes",
    )
    simplify: float | None = length(
        None,
        "Largest distance of a dropped vertex from the simplified border; 0 drops none.",
        "Simplification",
        unset="half a pixel",
    )
    smooth: bool = option(
        True, "Cut lines at the corners of pixels, so that slanting borders become straight.", "Smooth borders"
    )
    regularise: tuple[str, ...] = option(
        tuple,
        "Class (name or id) whose polygons get straight walls and right angles where these fit; may be repeated; none "
        "turns it off.",
        "Classes with right angles",
        items="CLASS",
        unset="classes called building, house or roof",
    )
    regularise_error: float | None = length(
        None,
        "Largest distance between a wall and the border that it replaces.",
        "Largest error of right angles",
        above=True,
        unset="four pixels",
    )
    strip: int = option(
        512,
        "Rows that are processed at a time; speed and memory depend on it, the result does not.",
        "Rows at a time",
        unit="rows",
        minimum=1,
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        info = options_of(CoverageOptions)["minimum_area"].info
        for key, value in self.minimum_area_by_class.items():
            check_range(f"minimum_area of class {key}", value, info)
