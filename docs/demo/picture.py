"""Pictures of a road extraction: the image, what was found on it, and the truth beside it."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.patches
import matplotlib.path
import numpy as np
import pyogrio
import rasterio
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from rasterio.warp import transform as warp_points

mpl.use("Agg")
import matplotlib.pyplot as plt

#: Pixels of the longer side of the background image; more cannot be seen at the figure's size.
SHOWN_PIXELS = 1400


def draw(image: Path, roads: Path, out: Path, truth: Path | None, attribution: str) -> None:
    """Write a PNG: the image, the roads found (coloured by confidence) and, if there is one, the truth.

    Args:
        image: the raster that was searched.
        roads: a GeoPackage with the layers ``roads`` and ``road_areas``.
        out: the PNG.
        truth: a vector file of road centre lines, or None.
        attribution: a line under the picture.
    """
    background, crs, extent, grey = _background(image)
    panels = 2 if truth is None else 3
    height = background.shape[0] / background.shape[1]
    figure, axes = plt.subplots(1, panels, figsize=(5 * panels, 5 * height + 0.75), layout="constrained")
    for axis in axes:
        axis.imshow(background, extent=extent, cmap="gray" if grey else None, interpolation="bilinear")
        axis.set_axis_off()
        axis.set_aspect("auto")
        axis.set_xlim(extent[0], extent[1])
        axis.set_ylim(extent[2], extent[3])
    axes[0].set_title("Image")
    _draw_roads(axes[1], roads, crs)
    axes[1].set_title("TerraSpore: road areas and lines")
    if truth is not None:
        _draw_lines(axes[2], _lines(truth, None, crs), "#ffd400", 2.2)
        axes[2].set_title("Surveyed centre lines")
    figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))  # room for the line under the picture
    figure.text(0.005, 0.008, attribution, fontsize=7, color="0.35")
    figure.savefig(out, dpi=110, pil_kwargs={"quality": 88} if out.suffix == ".jpg" else None)
    plt.close(figure)


def _background(image: Path) -> tuple[NDArray[np.uint8], str, tuple[float, float, float, float], bool]:
    """The image small and stretched, its CRS, its extent (left, right, bottom, top), and whether it is grey."""
    with rasterio.open(image) as source:
        shrink = max(1.0, max(source.width, source.height) / SHOWN_PIXELS)
        bands = [1, 2, 3] if source.count >= 3 else [1]
        shape = (len(bands), round(source.height / shrink), round(source.width / shrink))
        pixels = source.read(bands, out_shape=shape, resampling=rasterio.enums.Resampling.average)
        crs = source.crs.to_wkt()
        bounds = source.bounds
    low, high = np.percentile(pixels, (1, 99))
    stretched = (np.clip((pixels - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    grey = len(bands) == 1
    return (stretched[0] if grey else stretched.transpose(1, 2, 0)), crs, extent, grey


def _lines(path: Path, layer: str | None, crs: str) -> list[shapely.Geometry]:
    """The geometries of a layer in the image's CRS."""
    meta, _, blobs, _ = pyogrio.raw.read(path, layer=layer, columns=[])
    geometries = shapely.from_wkb(blobs)

    def to_image(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xs, ys = warp_points(meta["crs"], crs, points[:, 0], points[:, 1])
        return np.column_stack([xs, ys])

    return list(shapely.transform(geometries, to_image))


def _draw_roads(axis: Axes, roads: Path, crs: str) -> None:
    for area in _lines(roads, "road_areas", crs):
        for part in shapely.get_parts(area):
            rings = [mpl.path.Path(shapely.get_coordinates(ring)) for ring in (part.exterior, *part.interiors)]
            outline = mpl.path.Path.make_compound_path(*rings)  # holes stay open
            axis.add_patch(mpl.patches.PathPatch(outline, facecolor="#ff7f0e", alpha=0.35, linewidth=0))
    _draw_lines(axis, _lines(roads, "roads", crs), "#e4002b", 2.2)


def _draw_lines(axis: Axes, lines: list[shapely.Geometry], colour: str, width: float) -> None:
    parts = [shapely.get_coordinates(part) for line in lines for part in shapely.get_parts(line)]
    axis.add_collection(LineCollection(parts, colors="white", linewidths=width + 1.4))
    axis.add_collection(LineCollection(parts, colors=colour, linewidths=width))
