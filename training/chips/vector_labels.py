"""Vector labels: read onto a pixel grid, and rasterized to class ids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from ...engine.context import RunContext
from ...engine.errors import ParameterError, VectorError
from ...engine.protocol.messages import Message
from ...engine.raster.area import make_area, transform_to_pixels
from ...engine.raster.grid import Grid
from ...engine.vector.crs import Reference, explain_distance
from ...engine.vector.geodesy import PixelGeodesy
from ...engine.vector.io.reader import make_reference, read_vector_layer
from .request import ChipsRequest

#: Class id of pixels that are not labelled.
IGNORE = 255


@dataclass(frozen=True)
class VectorLabels:
    """Labelled areas in pixel coordinates of a grid (x to the right, y down, the first pixel from 0 to 1).

    Attributes:
        areas: polygons.
        values: class id of each polygon.
        names: names of the classes by id.
        background: class id outside of all polygons.
        checked: polygons outside of which pixels are not labelled; None for none.
    """

    areas: NDArray[Any]
    values: NDArray[np.uint8]
    names: tuple[str, ...]
    background: int
    checked: NDArray[Any] | None = None

    def rasterize(self, x0: int, y0: int, width: int, height: int, tree: shapely.STRtree) -> NDArray[np.uint8]:
        """Class ids (height, width) of a window; a pixel has the class of the last polygon over its centre.

        Args:
            x0: first column.
            y0: first row.
            width: of the window.
            height: of the window.
            tree: spatial index of ``areas``.
        """
        window = shapely.box(x0, y0, x0 + width, y0 + height)
        label = np.full((height, width), self.background, np.uint8)
        transform = rasterio.Affine.translation(x0, y0)
        shapes = [(self.areas[hit], int(self.values[hit])) for hit in np.sort(tree.query(window))]
        if shapes:
            rasterio.features.rasterize(shapes, out=label, transform=transform)
        if self.checked is not None:
            near = self.checked[shapely.intersects(self.checked, window)]
            outside = (
                rasterio.features.geometry_mask(near, label.shape, transform)
                if len(near)
                else np.ones_like(label, bool)
            )
            label[outside] = IGNORE
        return label


def read_labels(request: ChipsRequest, grid: Grid, checked: NDArray[Any] | None, context: RunContext) -> VectorLabels:
    """Read the layer of labels onto a grid.

    Lines are buffered to their width on the ground, also where a pixel is not as wide as it is high. Without a class
    field there is one class, and everything else is background; with one, pixels outside of all polygons are not
    labelled (``IGNORE``).

    Args:
        request: names the file, layer and attributes.
        grid: the pixels of the chips.
        checked: what ``read_checked_area`` returns.
        context: receives messages.

    Raises:
        VectorError: the file cannot be read, or holds neither lines nor polygons.
        ParameterError: an attribute or a class does not exist, the width is not positive, or nothing touches the grid.
    """
    path, field, image = request.labels, request.field, request.image.name
    if not (math.isfinite(request.width) and request.width > 0):
        raise ParameterError(f"The width {request.width} is not a positive number of metres.")
    columns = [column for column in (field, request.width_field) if column]
    layer = read_vector_layer(path, request.layer, context=context, columns=columns, option="--layer")
    found = layer.select((1, 2), context)
    count = len(found.geometry)
    if not count:
        raise VectorError(f"{path} holds neither lines nor polygons.")
    if field is None:
        names: tuple[str, ...] = ("background", "class")
        values = np.ones(count, np.uint8)
        if (shapely.get_dimensions(found.geometry) == 2).any():
            text = f"All polygons of {path.name} are one class; --field names an attribute with several."
            context.report(Message(text))
    else:
        names, values = _class_ids(found.columns[field], request.classes or (), path, field)
    reference = _refer_to(grid, image)
    found = found.resolve(reference, context)
    pixels = transform_to_pixels(found.to_reference(reference), grid)
    if not shapely.intersects(pixels, shapely.box(0, 0, grid.width, grid.height)).any():
        hint = explain_distance(found.reference, reference)
        raise ParameterError(f"The labels {path} do not touch the image {image}.", hint)
    widths = _line_widths(found.columns.get(request.width_field or ""), request.width, count)
    lines = shapely.get_dimensions(pixels) == 1
    pixels[lines] = _buffer_lines(pixels[lines], widths[lines], grid)
    is_class = values != IGNORE
    areas = shapely.make_valid(pixels[is_class])
    return VectorLabels(areas, values[is_class], names, 0 if field is None else IGNORE, checked)


def read_checked_area(request: ChipsRequest, grid: Grid, context: RunContext) -> NDArray[Any] | None:
    """Read the polygons of checked ground, in pixels of a grid; None where the request names none.

    Raises:
        VectorError: the file cannot be read, or holds no polygons.
        ParameterError: they do not touch the grid.
    """
    if request.area is None:
        return None
    path, image = request.area, request.image.name
    found = read_vector_layer(path, None, context=context, option="--area").select((2,), context)
    if not len(found.geometry):
        raise VectorError(f"{path} holds no polygons.")
    reference = _refer_to(grid, image)
    found = found.resolve(reference, context)
    area = make_area(shapely.make_valid(found.to_reference(reference)), grid)
    if not len(area.polygons):
        hint = explain_distance(found.reference, reference)
        raise ParameterError(f"The polygons {path} do not touch the image {image}.", hint)
    return area.polygons


def _refer_to(grid: Grid, image: str) -> Reference:
    return make_reference(image, grid.crs, grid.transform, (grid.height, grid.width))


def _class_ids(
    column: NDArray[Any], wanted: Sequence[str], path: Path, field: str
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    texts = ["" if _is_missing(value) else str(value) for value in column]
    names = tuple(wanted) or tuple(sorted(set(texts) - {""}))
    if not names:
        raise ParameterError(f"The attribute {field!r} of {path} is empty everywhere.")
    if len(names) >= IGNORE:
        raise ParameterError(f"The attribute {field!r} of {path} has {len(names)} values, too many for classes.")
    absent = [name for name in names if name not in texts]
    if absent:
        found = ", ".join(sorted(set(texts) - {""}))
        raise ParameterError(f"No feature of {path} has the class {absent[0]!r}.", f"There are: {found}.")
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers.get(text, IGNORE) for text in texts], np.uint8)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _line_widths(column: NDArray[Any] | None, default: float, count: int) -> NDArray[np.float64]:
    if column is None:
        return np.full(count, default)
    try:
        widths = np.array([np.nan if _is_missing(value) else float(value) for value in column])
    except ValueError as error:
        raise ParameterError("The attribute of the width holds texts that are no numbers.") from error
    return np.where(np.isfinite(widths) & (widths > 0), widths, default)


def _buffer_lines(lines: NDArray[Any], widths: NDArray[np.float64], grid: Grid) -> NDArray[Any]:
    """Areas of lines that are ``widths`` metres wide; all in pixels."""
    # Where a line leaves the image, the size of the pixels at the border is near enough.
    centers = np.clip(shapely.get_coordinates(shapely.centroid(lines)), 0, (grid.width, grid.height))
    metres = PixelGeodesy(grid.crs, grid.transform).pixel_sizes(centers)
    areas = shapely.buffer(_scale(lines, metres), widths / 2, cap_style="flat")
    return _scale(areas, 1 / metres)


def _scale(geometry: NDArray[Any], factors: NDArray[np.float64]) -> NDArray[Any]:
    """Multiply the coordinates of each geometry by its factors (n, 2)."""
    coordinates, index = shapely.get_coordinates(geometry, return_index=True)
    return np.asarray(shapely.set_coordinates(geometry.copy(), coordinates * factors[index]))
