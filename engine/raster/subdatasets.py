"""The images within a file that holds several: netCDF, HDF5, GeoTIFFs of several pages.

Such files list them as subdatasets, each with a name for GDAL such as ``NETCDF:"/data/a.nc":red``. A person selects one
by its number, by the last part of that name or by all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rasterio.io import DatasetReader

from ..errors import ParameterError, shorten

#: Subdatasets that an error message lists.
_MAX_LISTED = 6


@dataclass(frozen=True)
class Subdataset:
    """One image within a file.

    Attributes:
        number: 1-based, as GDAL counts.
        address: the name that GDAL opens.
        name: last part of the address: name of a variable, number of a page.
    """

    number: int
    address: str
    name: str


def list_subdatasets(dataset: DatasetReader, path: Path) -> list[Subdataset]:
    """List the images within an opened file, in its order; empty if it is a single image.

    A file could name other files as its subdatasets, so only those whose address contains ``path`` are listed.
    """
    tags: dict[str, str] = dataset.tags(ns="SUBDATASETS")
    numbers = sorted(int(key.split("_")[1]) for key in tags if key.endswith("_NAME") and key.split("_")[1].isdigit())
    found = []
    for number in numbers:
        address = tags[f"SUBDATASET_{number}_NAME"]
        before, own_path, after = address.partition(str(path))
        if own_path and "/" not in before and "\\" not in before:
            name = after.strip('":/') or before.strip('":').split(":")[-1]
            found.append(Subdataset(number, address, name))
    return found


def select_subdataset(subdatasets: list[Subdataset], wanted: str, path: Path) -> Subdataset:
    """Return the subdataset with the number, name or address ``wanted``.

    Raises:
        ParameterError: there is none; the message lists those that exist.
    """
    for entry in subdatasets:
        if wanted in (str(entry.number), entry.name, entry.address):
            return entry
    if not subdatasets:
        raise ParameterError(f"{path} is a single image: it has no sub-dataset '{shorten(wanted)}'.")
    raise ParameterError(f"{path} has no sub-dataset '{shorten(wanted)}'; it has {format_subdatasets(subdatasets)}.")


def format_subdatasets(subdatasets: list[Subdataset]) -> str:
    """Format numbers and names of the first subdatasets for a message."""
    listed = [
        entry.name if entry.name == str(entry.number) else f"{entry.number} ({entry.name})" for entry in subdatasets
    ]
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return ", ".join(listed[:_MAX_LISTED]) + more
