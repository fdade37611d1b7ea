"""Draw extraction results on their image and next to reference data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.patches
import matplotlib.path
import numpy as np
import pyogrio
import rasterio
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform as warp_points

mpl.use("Agg")
import matplotlib.pyplot as plt

#: Pixels of the longer side of a background image; more are not visible at the size of the figure.
SHOWN_PIXELS = 1400
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class View:
    """An image as it is drawn.

    Attributes:
        pixels: the image, (rows, columns) grey or (rows, columns, 3), uint8.
        crs: its coordinate system; if None, layers are not transformed.
        extent: left, right, bottom and top in that system.
    """

    pixels: NDArray[np.uint8]
    crs: str | None
    extent: tuple[float, float, float, float]

    @property
    def metres(self) -> float:
        """Width on the ground in metres; the pixels need not be square."""
        left, right, bottom, top = self.extent
        if self.crs is None:
            return abs(right - left)
        middle = 0.5 * (bottom + top)
        (x, y) = (np.array(part) for part in warp_points(self.crs, "EPSG:4326", [left, right], [middle, middle]))
        return float(Geod(ellps="WGS84").inv(x[0], y[0], x[1], y[1])[2])

    @property
    def height(self) -> float:
        """Ratio of height to width on the ground."""
        left, right, bottom, top = self.extent
        if self.crs is None:
            return abs((top - bottom) / (right - left))
        middle = 0.5 * (left + right)
        (x, y) = (np.array(part) for part in warp_points(self.crs, "EPSG:4326", [middle, middle], [bottom, top]))
        return float(Geod(ellps="WGS84").inv(x[0], y[0], x[1], y[1])[2]) / self.metres


def read_view(image: Path, placed: Path | None = None) -> View:
    """Read an image, decimated and stretched, with the georeference of ``placed`` if given, else with its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # then ``placed`` has the georeference
        source = rasterio.open(image)
    with source, rasterio.open(placed or image) as reference:
        shrink = max(1.0, max(source.width, source.height) / SHOWN_PIXELS)
        bands = [1, 2, 3] if source.count >= 3 else [1]
        shape = (len(bands), round(source.height / shrink), round(source.width / shrink))
        pixels = source.read(bands, out_shape=shape, resampling=rasterio.enums.Resampling.average)
        crs, bounds = reference.crs, reference.bounds
    low, high = np.percentile(pixels, (1, 99))
    stretched = (np.clip((pixels - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    grey = len(bands) == 1
    return View(stretched[0] if grey else stretched.transpose(1, 2, 0), crs and crs.to_wkt(), extent)


def new_figure(
    view: View, columns: int, rows: int = 1, room: float = 0.75, width: float = 5.0
) -> tuple[Figure, list[Axes]]:
    """Create a figure of panels with the shape of ``view``.

    Args:
        view: the image.
        columns: number of panels in a row.
        rows: number of rows of panels.
        room: height of the space under the panels, in inches.
        width: width of a panel, in inches.
    """
    size = width * columns, rows * (width * view.height + 0.3) + room
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    below = room / figure.get_size_inches()[1]
    figure.get_layout_engine().set(rect=(0, below * 0.6, 1, 1 - below * 0.6))
    return figure, list(axes.flat)


def save_figure(figure: Figure, out: Path, attribution: str) -> None:
    """Write the figure as PNG or JPEG, with the attribution under it."""
    figure.text(0.005, 0.008, attribution, fontsize=7, color="0.35")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110, pil_kwargs={"quality": 88} if out.suffix == ".jpg" else None)
    plt.close(figure)


def draw_image(axis: Axes, view: View, title: str) -> None:
    """Draw the image in a panel."""
    grey = view.pixels.ndim == 2
    axis.imshow(view.pixels, extent=view.extent, cmap="gray" if grey else None, interpolation="bilinear")
    axis.set_axis_off()
    axis.set_aspect("auto")
    axis.set_xlim(view.extent[:2])
    axis.set_ylim(view.extent[2:])
    axis.set_title(title)


def draw_probability(axis: Axes, raster: Path) -> None:
    """Draw the first band of a probability raster over a panel."""
    with rasterio.open(raster) as source:
        values, bounds, scale = source.read(1, masked=True), source.bounds, source.scales[0]
    extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    axis.imshow(values * scale, extent=extent, cmap="magma", vmin=0, vmax=1, alpha=0.8, aspect="auto")


def draw_roads(axis: Axes, roads: Path, view: View, *, lines: bool = True, areas: bool = True) -> None:
    """Draw the layers of a road extraction over a panel."""
    if areas:
        # Areas have an outline only if no lines are drawn, so that outlines are not mistaken for lines.
        edge = {"linewidth": 0.0} if lines else {"edgecolor": "#ffb000", "linewidth": 1.4}
        for area in read_layer(roads, "road_areas", view)[0]:
            for part in shapely.get_parts(area):
                axis.add_patch(mpl.patches.PathPatch(_outline(part), facecolor=(1.0, 0.5, 0.05, 0.4), **edge))
    if lines:
        draw_lines(axis, read_layer(roads, "roads", view)[0], "#e4002b", 2.2)


def draw_lines(axis: Axes, lines: NDArray[Any], colour: str, width: float) -> None:
    """Draw lines with a white edge over a panel."""
    parts = [shapely.get_coordinates(part) for line in lines for part in shapely.get_parts(line)]
    axis.add_collection(LineCollection(parts, colors="white", linewidths=width + 1.4))
    axis.add_collection(LineCollection(parts, colors=colour, linewidths=width))


def draw_nodes(axis: Axes, roads: Path, view: View) -> None:
    """Draw the nodes of a road network over a panel."""
    points = shapely.get_coordinates(read_layer(roads, "road_nodes", view)[0])
    axis.plot(points[:, 0], points[:, 1], "o", markersize=5.5, color="white", markeredgecolor="#e4002b", zorder=3)


def draw_polygons(
    axis: Axes, polygons: Path, view: View, colours: Mapping[str, Colour], *, fill: float = 0.35
) -> dict[str, float]:
    """Draw land-cover polygons over a panel, coloured by class.

    Args:
        axis: the panel.
        polygons: the vector file with the layer ``landcover``.
        view: the image.
        colours: colours by class name.
        fill: opacity of the polygons, 0 to 1.

    Returns:
        The area of each class in square metres.
    """
    geometry, columns = read_layer(polygons, "landcover", view)
    areas: dict[str, float] = {}
    for name in dict.fromkeys(columns["class_name"]):
        chosen = columns["class_name"] == name
        parts = [_outline(part) for shape in geometry[chosen] for part in shapely.get_parts(shape)]
        patches = [mpl.patches.PathPatch(part) for part in parts]
        colour = colours.get(name, (0.5, 0.5, 0.5))
        axis.add_collection(PatchCollection(patches, facecolor=(*colour, fill), edgecolor=colour, linewidth=1.2))
        areas[name] = float(np.sum(columns["area"][chosen]))
    return areas


def read_layer(path: Path, layer: str | None, view: View) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Read the geometries of a layer in the coordinates of ``view``, and its columns."""
    meta, _, blobs, columns = pyogrio.raw.read(path, layer=layer)
    geometry = shapely.from_wkb(blobs)
    if meta["crs"] and view.crs:
        geometry = shapely.transform(geometry, lambda points: _warped(points, meta["crs"], view.crs))
    return geometry, dict(zip(meta["fields"], columns, strict=True))


def _warped(points: NDArray[np.float64], source: str, target: str) -> NDArray[np.float64]:
    return np.column_stack(warp_points(source, target, points[:, 0], points[:, 1]))


def _outline(polygon: shapely.Polygon) -> mpl.path.Path:
    """Return the path of a polygon with its holes."""
    rings = [mpl.path.Path(shapely.get_coordinates(ring)) for ring in (polygon.exterior, *polygon.interiors)]
    return mpl.path.Path.make_compound_path(*rings)
