"""CRSs of vector files: parse them, check them against the coordinates, fill in a missing one, name the likely one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from ..context import RunContext
from ..errors import ParameterError, VectorError, shorten
from .arrays import Geometries
from .geodesy import transform_geometries

Bounds = tuple[float, float, float, float]

#: Largest longitude in degrees that is not a mistake: 0 to 360, and layers that go on beyond 180.
_MAX_LONGITUDE = 540.0
#: Largest latitude in degrees, with some rounding.
_MAX_LATITUDE = 90.001
#: Margin around a reference, in shares of its size, and the distance of added vertices: at most so many along it, none
#: closer than metres or degrees on which no CRS bends a line.
_MARGIN, _MOST_VERTICES, _SPACING, _SPACING_DEGREES = 0.1, 1024, 500.0, 0.005
_WEB_MERCATOR, _WGS84 = CRS.from_epsg(3857), CRS.from_epsg(4326)


@dataclass(frozen=True)
class Reference:
    """A layer or raster as far as its place matters; often what a vector file is used with.

    Attributes:
        name: for messages.
        crs: its CRS, or None.
        bounds: west, south, east and north in its CRS; NaN where it is empty.
    """

    name: str
    crs: CRS | None
    bounds: Bounds


def parse_crs(crs: object | None, name: str) -> CRS | None:
    """Parse a CRS as GDAL gives it; None where there is none or where it is "undefined" or local.

    Args:
        crs: WKT, an authority's code or rasterio's CRS.
        name: of the file, for messages.

    Raises:
        VectorError: it cannot be parsed.
    """
    if not crs:
        return None
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        raise VectorError(f"The coordinate system of {name} cannot be parsed.") from error
    is_undefined = parsed.geodetic_crs is None or parsed.name.startswith("Undefined")
    return None if is_undefined else parsed


def describe_crs(crs: CRS | None) -> str:
    """Return the code of a CRS, or its name where it has none."""
    if crs is None:
        return "no CRS"
    authority = crs.to_authority()
    return ":".join(authority) if authority else shorten(crs.name)


def resolve_crs(layer: Reference, reference: Reference, context: RunContext) -> CRS | None:
    """Decide in which CRS the coordinates of a layer or raster are.

    Args:
        layer: its name, the CRS that the file declares and the bounds of its coordinates.
        reference: what it is used with.
        context: receives the warning where a CRS is assumed.

    Returns:
        The declared CRS; that of ``reference`` where none is declared and the coordinates lie there; None where
        neither has a CRS, so that both are in the same plane.

    Raises:
        VectorError: a CRS in degrees is declared, but the coordinates are none; or a CRS is missing, and the
            coordinates do not lie where the reference is.
    """
    name, crs, bounds = layer.name, layer.crs, layer.bounds
    if any(map(math.isnan, bounds)):
        return crs or reference.crs
    advice = f"Assign the right CRS to {name if crs is None else reference.name}, for instance with ogr2ogr -a_srs."
    if crs is None or reference.crs is None:
        if crs is reference.crs:
            return None
        lacking, other, known = (name, reference.name, reference.crs) if crs is None else (reference.name, name, crs)
        if _overlap(bounds, reference.bounds):
            context.warn(f"{lacking} has no CRS: {describe_crs(known)} of {other} is assumed.")
            return reference.crs
        raise VectorError(
            f"{lacking} has no CRS, and {name} ({_format(bounds)}) does not lie in the coordinates of "
            f"{reference.name} ({_format(reference.bounds)}).",
            explain_distance(layer, reference) or advice,
        )
    degrees = _degrees_per_unit(crs)
    west, south, east, north = (abs(value) * degrees for value in bounds)
    if max(west, east) > _MAX_LONGITUDE or max(south, north) > _MAX_LATITUDE:
        raise VectorError(
            f"The coordinates of {name} ({_format(bounds)}) are no degrees, but its CRS is {describe_crs(crs)}, which "
            "is also what a GeoJSON without a CRS stands for.",
            explain_distance(layer, reference) or f"Assign the right CRS to {name}, for instance with ogr2ogr -a_srs.",
        )
    return crs


def explain_distance(layer: Reference, reference: Reference) -> str | None:
    """Return why a layer may not lie where the reference is; None where its coordinates give no hint."""
    guess = describe_crs(guess_crs(layer.bounds, reference))
    if guess not in (describe_crs(layer.crs), describe_crs(None)):
        declared = "" if layer.crs is None else f", but its CRS is {describe_crs(layer.crs)}"
        return (
            f"The coordinates of {layer.name} fit {guess}{declared}: assign the right one, for instance with "
            f"ogr2ogr -a_srs {guess}."
        )
    west, south, east, north = layer.bounds
    if layer.crs is not None and _overlap((south, west, north, east), _transform_bounds(reference, layer.crs)):
        return f"The coordinates of {layer.name} seem to be in the wrong order: they fit with x and y swapped."
    return None


def measure_bounds(geometry: Geometries, margin: float = 0.0) -> Bounds:
    """Return west, south, east and north of geometries, with a margin around them; NaN without any coordinates."""
    if not len(geometry):
        return (math.nan,) * 4
    west, south, east, north = shapely.total_bounds(geometry).tolist()
    return west - margin, south - margin, east + margin, north + margin


def measure_overlap(inner: Reference, outer: Reference) -> float:
    """Share of the bounds of ``inner`` that those of ``outer`` cover, 0 to 1, in the CRS of ``inner``."""
    a, b = inner.bounds, outer.bounds if inner.crs is None else _transform_bounds(outer, inner.crs)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height) / ((a[2] - a[0]) * (a[3] - a[1]))


def guess_crs(bounds: Bounds, reference: Reference) -> CRS | None:
    """Return the CRS in which coordinates would lie where the reference is; None where none of the usual ones fits.

    The reference's own CRS, degrees, Web Mercator and the UTM zone of the reference are tried.
    """
    if reference.crs is None:
        return None
    candidates = [reference.crs, _WGS84, _WEB_MERCATOR]
    west, south, east, north = _transform_bounds(reference, _WGS84)
    if math.isfinite(west + south + east + north):
        zone = min(60, int((((west + east) / 2 + 180) % 360) // 6) + 1)
        candidates.append(CRS.from_epsg((32600 if south + north >= 0 else 32700) + zone))
    return next((crs for crs in candidates if _overlap(bounds, _transform_bounds(reference, crs))), None)


def make_metric_crs(crs: CRS | None, bounds: Bounds) -> CRS | None:
    """Return a CRS in metres: azimuthal equidistant around the middle of ``bounds``.

    Args:
        crs: CRS of the bounds; the result has its ellipsoid.
        bounds: west, south, east and north.

    Returns:
        ``crs`` itself where it is None or not bound to an ellipsoid, or where the bounds are not finite.
    """
    geod = crs.get_geod() if crs is not None else None
    if crs is None or geod is None or not math.isfinite(sum(bounds)):
        return crs
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    west, south, east, north = bounds
    lon, lat = to_degrees.transform((west + east) / 2.0, (south + north) / 2.0)
    return CRS.from_user_input(f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +a={geod.a} +b={geod.b} +units=m")


def make_outline(bounds: Bounds) -> object:
    """Return bounds as a polygon with many vertices, which may bend when it is transformed."""
    return shapely.segmentize(shapely.box(*bounds), max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 16)


def transform(
    geometry: Geometries, source: CRS | None, target: CRS | None, name: str, *, near: float | None = None
) -> Geometries:
    """Transform geometries to another CRS; coordinates that it cannot express become infinite.

    Args:
        geometry: Shapely geometries.
        source: their CRS; None for that of ``target``.
        target: the other CRS; None for that of the geometries.
        name: of the file, for messages.
        near: x of a target in degrees; longitudes become those within 180 degrees of it, so that lines that cross the
            antimeridian are not torn.

    Raises:
        VectorError: there is no transformation.
    """
    if source is None or target is None or source == target:
        moved = geometry
    else:
        try:
            moved = transform_geometries(geometry, Transformer.from_crs(source, target, always_xy=True))
        except ProjError as error:
            raise VectorError(
                f"{name} cannot be transformed from {describe_crs(source)} to {describe_crs(target)}."
            ) from error
    return moved if target is None or near is None else unwrap_longitudes(moved, target, near)


def unwrap_longitudes(geometry: Geometries, crs: CRS, near: float) -> Geometries:
    """Return geometries with longitudes within half a turn of ``near``; unchanged in a CRS without longitudes."""
    degrees = _degrees_per_unit(crs)
    if not degrees:
        return geometry
    turn = 360.0 / degrees
    unwrapped = shapely.transform(geometry, lambda xy: xy - [turn, 0.0] * np.rint((xy[:, :1] - near) / turn))
    return np.asarray(unwrapped, np.object_)


def find_antimeridian(reference: Reference, crs: CRS) -> float | None:
    """Return the middle longitude of a reference that crosses the antimeridian in ``crs``; None if it does not."""
    windows = _transform_windows(reference, crs)
    return (windows[0][0] + windows[1][2] + 360.0) / 2.0 if len(windows) == 2 else None


def check_output_crs(crs: str, reference: Reference) -> None:
    """Check that a CRS has positions, and that it can express where a raster lies.

    Args:
        crs: as a person writes it.
        reference: the raster.

    Raises:
        ParameterError: it cannot.
    """
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        raise ParameterError(f"{shorten(crs)} is not a CRS.", "Give one like EPSG:25832.") from error
    if not (parsed.is_geographic or parsed.is_projected or parsed.is_engineering):
        raise ParameterError(
            f"{shorten(crs)} ({parsed.type_name}) is not a CRS of positions on a map.",
            "Give a projected or geographic one, like EPSG:25832.",
        )
    if reference.crs is None:
        raise ParameterError(f"{reference.name} has no CRS, so its vectors cannot be transformed to another.")
    west, south, east, north = reference.bounds
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(west, east, 21), np.linspace(south, north, 21)))
    try:
        moved = Transformer.from_crs(reference.crs, parsed, always_xy=True).transform(x, y)
    except ProjError:
        moved = (np.array([math.inf]), np.array([math.inf]))
    if not np.isfinite(moved).all():
        raise ParameterError(
            f"{shorten(crs)} cannot express the positions of {reference.name} ({_format(reference.bounds)}).",
            "Choose a CRS for that part of the world.",
        )


def transform_near(geometry: Geometries, source: CRS | None, reference: Reference, name: str) -> Geometries:
    """Transform what of geometries lies around a reference to its CRS.

    Only that part is transformed, because a projection may be unable to express the rest, and vertices are added,
    because straight lines of one CRS are curves in another.

    Args:
        geometry: Shapely geometries.
        source: their CRS; None for that of the reference.
        reference: the raster or layer.
        name: of the file, for messages.

    Returns:
        As many geometries, empty where nothing lies around the reference.

    Raises:
        VectorError: there is no transformation.
    """
    windows = [] if source is None or source == reference.crs else _transform_windows(reference, source)
    if source is None or not windows:
        return transform(geometry, source, reference.crs, name)
    margin = _MARGIN * max(east - west + north - south for west, south, east, north in windows)
    around = shapely.union_all([shapely.box(w - margin, s - margin, e + margin, n + margin) for w, s, e, n in windows])
    valid = np.where(shapely.is_valid(geometry), geometry, shapely.make_valid(geometry))
    near = shapely.intersection(valid, around)
    spacing = max(2 * margin / _MARGIN / _MOST_VERTICES, _SPACING_DEGREES if _degrees_per_unit(source) else _SPACING)
    moved = transform(shapely.segmentize(near, spacing), source, reference.crs, name)
    is_finite = np.isfinite(shapely.bounds(moved)).all(axis=1)
    return np.where(is_finite, moved, shapely.GeometryCollection())


def _degrees_per_unit(crs: CRS) -> float:
    """Degrees in a unit of a geographic CRS; 0 for any other CRS."""
    geodetic = crs.geodetic_crs
    return math.degrees(geodetic.axis_info[0].unit_conversion_factor) if geodetic and crs.is_geographic else 0.0


def _transform_bounds(reference: Reference, crs: CRS) -> Bounds:
    """Bounds of the reference in another CRS; NaN where that cannot express them."""
    windows = _transform_windows(reference, crs)
    if not windows:
        return (math.nan,) * 4
    south, north = windows[0][1], windows[0][3]
    return windows[0] if len(windows) == 1 else (-180.0, south, 180.0, north)


def _transform_windows(reference: Reference, crs: CRS) -> list[Bounds]:
    """Bounds of the reference in another CRS, two across the antimeridian; none where that cannot express them."""
    if reference.crs is None or any(map(math.isnan, reference.bounds)):
        return []
    try:
        found = Transformer.from_crs(reference.crs, crs, always_xy=True).transform_bounds(*reference.bounds)
    except ProjError:
        return []
    west, south, east, north = (float(value) for value in found)
    if not math.isfinite(west + south + east + north):
        return []
    whole = (west, south, east, north)
    return [whole] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def _overlap(a: Bounds, b: Bounds) -> bool:
    """Whether two bounds touch; False for NaN."""
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _format(bounds: Bounds) -> str:
    """Bounds for messages: as degrees where they may be some, else in whole numbers."""
    digits = 4 if max(map(abs, bounds)) <= _MAX_LONGITUDE else 0
    west, south, east, north = (f"{value:.{digits}f}" for value in bounds)
    return f"x {west} to {east}, y {south} to {north}"
