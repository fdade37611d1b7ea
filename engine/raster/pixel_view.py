"""What a run needs of the pixels that a network sees, and a description from which another process opens the same.

``reader.ImageView`` gives the pixels of one image, ``mosaic.MosaicView`` those of several on one grid. Everything that
decides the pixels is decided once and is in the ``SourceSpec``: the files and their state, bands, limits of the
stretch, places. It can be pickled, so that processes of other machines see the same pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..fs.regular_file import FileIdentity
from ..protocol.options import ImageOptions
from .bands import Bands
from .contrast import Stretch
from .dataset import Source
from .grid import Grid
from .remote import is_remote, remote_name
from .value_tags import ValueTags

if TYPE_CHECKING:
    from .area import Area  # imports vector libraries, which few runs need

#: Images that the metadata of an output names.
_MAX_NAMED = 3


@dataclass(frozen=True)
class Placement:
    """Where an image lies on the lattice of a mosaic.

    Attributes:
        window: first column, first row, and the column and row behind the last, in pixels of the lattice.
        resampling: ``nearest``, ``bilinear`` or ``average``, by which the image is warped to the lattice; None where
            its pixels are those of the lattice.
        overview: overview level that is read, from 0; None for the full image.
    """

    window: tuple[int, int, int, int]
    resampling: str | None = None
    overview: int | None = None


@dataclass(frozen=True)
class ImageSpec:
    """One image and how its pixels are read.

    Attributes:
        path: the file.
        identity: its state when it was opened.
        members: the state of the files behind it, such as those of a virtual raster.
        address: GDAL's name of the image in the file.
        options: what it is opened with; those of the whole run that do not concern a single file are unused.
        tags: corrections of what the file says about its values.
        nodata: its value without data, for the fingerprint of a run.
        data_bands: its bands without alpha.
        mask: what marks its valid pixels, for messages.
        bands: the bands that are read.
        layers: channels that they become: one band with a palette becomes three.
        stretch: conversion to uint8; None for the values as they are.
        placement: place in a mosaic; None for a single image.
    """

    path: Path
    identity: FileIdentity
    members: tuple[FileIdentity, ...]
    address: str
    options: ImageOptions
    tags: ValueTags
    nodata: str
    data_bands: tuple[int, ...]
    mask: str
    bands: tuple[int, ...]
    layers: int
    stretch: Stretch | None
    placement: Placement | None = None

    @property
    def bands_text(self) -> str:
        """The bands, for metadata."""
        return ",".join(map(str, self.bands))

    @property
    def stretch_text(self) -> str:
        """The limits of the stretch, for metadata."""
        if self.stretch is None:
            return "none"
        limits = zip(self.stretch.low, self.stretch.high, strict=True)
        return ",".join(f"{low:.6g}..{high:.6g}" for low, high in limits)


@dataclass(frozen=True)
class SourceSpec:
    """Everything that decides the pixels of a view; ``mosaic.open_view`` opens it.

    Attributes:
        images: the images; where they overlap, an earlier one lies above a later one.
        channels: bands of the network, for which the bands of the images were chosen.
        dtype: dtype of the pixels: ``uint8``, ``uint16`` or ``float32``.
        grid: the pixel grid.
        area: area of interest; pixels outside are not valid. None for the whole grid.
        lattice: the grid of a mosaic's own pixels, of which ``grid`` is a scaled part; None for a single image.
    """

    images: tuple[ImageSpec, ...]
    channels: int
    dtype: str
    grid: Grid
    area: Area | None = None
    lattice: Grid | None = None

    @property
    def layers(self) -> int:
        """Channels of the pixels; an image with a single one gives it to all of them."""
        return max(image.layers for image in self.images)

    @property
    def name(self) -> str:
        """Name for messages, to begin a sentence with or to stand in it."""
        return name_images([image.path for image in self.images])

    @property
    def title(self) -> str:
        """Name for the metadata of outputs: the files."""
        names = [remote_name(image.path) for image in self.images]
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        return ", ".join(names[:_MAX_NAMED]) + more

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """State of all files that are read."""
        return (*(image.identity for image in self.images), *(file for image in self.images for file in image.members))

    def describe_mask(self) -> str:
        """Name what marks the valid pixels; empty for nothing."""
        causes = dict.fromkeys(image.mask for image in self.images if image.mask != "none")
        gaps = [] if self.lattice is None else ["between the images"]
        return ", ".join([*causes, *gaps, *([] if self.area is None else ["outside of the area"])])

    def join(self, values: list[str]) -> str:
        """Join one value of each image for metadata: a single one where all are the same."""
        distinct = dict.fromkeys(values)
        return "; ".join(distinct) if len(distinct) <= _MAX_NAMED else "differs"


class PixelView(ABC):
    """The pixels that a network gets, on a grid.

    Args:
        spec: description from which another process opens the same view.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec

    @abstractmethod
    def read(self, x0: int, y0: int, x1: int, y1: int, out: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Read grid columns ``x0:x1`` and rows ``y0:y1`` into ``out`` (channels, rows, columns).

        Returns:
            Mask of pixels that are valid and in the area (rows, columns), or None if all are. Nodata pixels are 0 in
            ``out``.

        Raises:
            SourceError: a file is damaged there.
            SourceChangedError: a file was changed since it was opened.
        """

    @abstractmethod
    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` if a file that was read since the last check was changed."""


def describe_image(
    source: Source, bands: Bands, stretch: Stretch | None, placement: Placement | None = None
) -> ImageSpec:
    """Describe how the pixels of an opened image are read."""
    own = source.identity.path
    # Side files that viewers write at any time are left out; what matters in them is in the other attributes.
    names = sorted({str(Path(name).absolute()) for name in source.file.files if not name.endswith(".aux.xml")} - {own})
    return ImageSpec(
        path=source.path,
        identity=source.identity,
        members=tuple(FileIdentity.from_path(Path(name)) for name in names if Path(name).is_file()),
        address=source.identity.path if is_remote(source.path) else str(source.file.name),
        options=source.options,
        tags=source.tags,
        nodata=str(source.dataset.nodata),
        data_bands=source.data_bands,
        mask=source.describe_mask(),
        bands=bands.indices,
        layers=bands.layers,
        stretch=stretch,
        placement=placement,
    )


def name_images(paths: Sequence[Path]) -> str:
    """Name one image or a mosaic of several for messages."""
    return remote_name(paths[0]) if len(paths) == 1 else f"the mosaic of {len(paths)} images"
