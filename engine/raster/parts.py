"""Files that hold several images (netCDF, HDF5, GeoTIFFs of several pages): which there are, and how to name one.

GDAL calls them sub-datasets and gives each a name for opening, such as ``NETCDF:"/data/a.nc":red``. A person names one
by its number, by the last part of that name, or by all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rasterio.io import DatasetReader

from ..errors import ParameterError

#: More are not listed in a sentence.
_SHOWN = 6


@dataclass(frozen=True)
class Part:
    """One image within a file.

    Attributes:
        number: from 1, as GDAL counts.
        address: what GDAL opens.
        name: the last part of the address: a variable's name, a page's number.
        description: GDAL's words for it (its size and type).
    """

    number: int
    address: str
    name: str
    description: str


def parts_of(dataset: DatasetReader, path: Path) -> list[Part]:
    """The images within an opened file, in its order; none where it is a single image.

    A file could name others as its parts, so only those are listed whose address holds ``path`` itself.
    """
    tags: dict[str, str] = dataset.tags(ns="SUBDATASETS")
    numbers = sorted(int(key.split("_")[1]) for key in tags if key.endswith("_NAME") and key.split("_")[1].isdigit())
    found = []
    for number in numbers:
        address = tags[f"SUBDATASET_{number}_NAME"]
        before, there, behind = address.partition(str(path))
        if there and "/" not in before and "\\" not in before:
            name = behind.strip('":/') or before.strip('":').split(":")[-1]
            found.append(Part(number, address, name, tags.get(f"SUBDATASET_{number}_DESC", "")))
    return found


def choose_part(parts: list[Part], wanted: str, path: Path) -> Part:
    """The part that ``wanted`` names.

    Raises:
        ParameterError: there is no such part; the sentence says which there are.
    """
    for part in parts:
        if wanted in (str(part.number), part.name, part.address):
            return part
    if not parts:
        raise ParameterError(f"{path} is a single image: it has no sub-dataset '{wanted[:100]}'.")
    raise ParameterError(f"{path} has no sub-dataset '{wanted[:100]}'; it has {list_parts(parts)}.")


def list_parts(parts: list[Part]) -> str:
    """The first parts as they can be named, for a sentence."""
    listed = [f"{part.number} ({part.name})" if part.name != str(part.number) else part.name for part in parts]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
