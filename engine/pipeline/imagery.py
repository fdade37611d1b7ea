"""The imagery of a run: one image, or several that form a mosaic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import rasterio

from ..context import RunContext
from ..errors import ModelError, ParameterError
from ..models.card import ModelCard
from ..protocol.messages import Message, Progress
from ..protocol.options import ImageOptions
from ..raster.bands import choose_bands
from ..raster.dataset import Source, enter_source, open_source
from ..raster.gdal_environment import SAFE_SETTINGS
from ..raster.grid import Grid
from ..raster.mosaic import open_mosaic
from ..raster.mosaic_layout import MosaicLayout, SurveyedImage, describe_layout, group_remarks, lay_out, survey_images
from ..raster.pixel_view import ImageSpec, PixelView, Placement, SourceSpec, describe_image, name_images
from ..raster.reader import ImageView
from ..raster.remote import is_remote, retry_remote
from ..raster.stretch import estimate_stretch

if TYPE_CHECKING:
    from ..raster.area import Area

_PROGRESS_INTERVAL = 0.2


class Imagery(Protocol):
    """Opened imagery, of which a view for a model can be made."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def files(self) -> list[Path]:
        """All files that are read."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Metres on the ground per column and per row."""

    @property
    def remarks(self) -> Sequence[Message]:
        """What the person should know of it."""

    def make_grid(self, resolution: float) -> Grid:
        """Return the grid over all of it at ``resolution`` metres per pixel."""

    def make_view(
        self, grid: Grid, area: Area | None, resolution: float, card: ModelCard, resources: ExitStack
    ) -> PixelView:
        """Return the pixels for a model.

        Args:
            grid: of ``make_grid`` for the same resolution, or a part of it.
            area: area of interest.
            resolution: metres per pixel.
            card: of the model.
            resources: closes what is opened.
        """


@contextmanager
def open_imagery(paths: Sequence[Path], options: ImageOptions, context: RunContext) -> Iterator[Imagery]:
    """Open one image, or check several that form a mosaic.

    Args:
        paths: the images; where they overlap, an earlier one lies above a later one.
        options: of reading them.
        context: receives progress and messages; checked for cancellation.

    Raises:
        SourceError: an image is missing or damaged.
    """
    # An image on the network may have to be opened again in the middle of a run, which a mosaic can.
    if len(paths) == 1 and not is_remote(paths[0]):
        with open_source(paths[0], options) as source:
            yield _SingleImage(source, options, context)
        return
    images = survey_images(paths, options, context)
    yield _Mosaic(images, lay_out(images, None), options, context)


@dataclass(frozen=True)
class _SingleImage:
    """One image, as ``Imagery``."""

    source: Source
    options: ImageOptions
    context: RunContext

    @property
    def name(self) -> str:
        return self.source.path.name

    @property
    def files(self) -> list[Path]:
        return [Path(name) for name in self.source.file.files]

    @property
    def size(self) -> tuple[int, int]:
        return self.source.width, self.source.height

    @property
    def pixel_size(self) -> tuple[float, float]:
        return self.source.pixel_size

    @property
    def remarks(self) -> Sequence[Message]:
        return self.source.remarks

    def make_grid(self, resolution: float) -> Grid:
        return self.source.make_grid(resolution)

    def make_view(
        self, grid: Grid, area: Area | None, resolution: float, card: ModelCard, resources: ExitStack
    ) -> PixelView:
        bands = choose_bands(self.source, self.options.bands, card.bands)
        for remark in bands.remarks:
            self.context.report(remark)
        is_stretched = check_dtype(card, self.source.dtype, self.source.path)
        stretch = estimate_stretch(self.source, bands) if is_stretched else None
        return ImageView(self.source, grid, bands, stretch, card.dtype, area)


@dataclass(frozen=True)
class _Mosaic:
    """Several images on one lattice, as ``Imagery``."""

    images: list[SurveyedImage]
    layout: MosaicLayout
    options: ImageOptions
    context: RunContext

    @property
    def name(self) -> str:
        return name_images([image.path for image in self.images])

    @property
    def files(self) -> list[Path]:
        return [file for image in self.images for file in image.files]

    @property
    def size(self) -> tuple[int, int]:
        return self.layout.lattice.width, self.layout.lattice.height

    @property
    def pixel_size(self) -> tuple[float, float]:
        return self.layout.pixel_size

    @property
    def remarks(self) -> Sequence[Message]:
        return [*describe_layout(self.images, self.layout), *group_remarks(self.images)]

    def make_grid(self, resolution: float) -> Grid:
        return lay_out(self.images, resolution).make_grid(resolution)

    def make_view(
        self, grid: Grid, area: Area | None, resolution: float, card: ModelCard, resources: ExitStack
    ) -> PixelView:
        layout = lay_out(self.images, resolution)
        described, remarks, last = [], [], self.context.clock()
        for number, (image, placement) in enumerate(zip(self.images, layout.placements, strict=True), 1):
            self.context.check_cancelled()
            describe = partial(self._describe, image, placement, card)
            image_spec, found = retry_remote(image.path, describe)
            described.append(image_spec)
            remarks.append(found)
            if self.context.clock() - last >= _PROGRESS_INTERVAL or number == len(self.images):
                last = self.context.clock()
                self.context.report(Progress("read", number, len(self.images)))
        for remark in group_remarks(self.images, remarks):
            self.context.report(remark)
        spec = SourceSpec(tuple(described), card.bands, card.dtype, grid, area, layout.lattice)
        return resources.enter_context(open_mosaic(spec))

    def _describe(
        self, image: SurveyedImage, placement: Placement, card: ModelCard
    ) -> tuple[ImageSpec, tuple[Message, ...]]:
        """Choose bands and stretch of one image; return them with remarks on the bands."""
        with rasterio.Env(**SAFE_SETTINGS), ExitStack() as stack:
            source = enter_source(image.path, self.options, stack, image.tags)
            bands = choose_bands(source, self.options.bands, card.bands)
            is_stretched = check_dtype(card, source.dtype, source.path)
            stretch = estimate_stretch(source, bands) if is_stretched else None
            return describe_image(source, bands, stretch, placement), bands.remarks


def check_dtype(card: ModelCard, dtype: str, path: Path) -> bool:
    """Return whether the pixels of an image are stretched to uint8.

    Args:
        card: of the model.
        dtype: of the image.
        path: the image, for messages.

    Raises:
        ModelError: the card asks for stretched pixels of another type.
        ParameterError: the model takes unstretched values, and its type cannot hold those of the image.
    """
    if card.stretch:
        if card.dtype != "uint8":
            raise ModelError(
                f"The card of {card.name} asks for stretched pixels of type {card.dtype}; stretched are uint8."
            )
        return True
    if card.dtype != "float32" and np.dtype(dtype).itemsize > np.dtype(card.dtype).itemsize:
        raise ParameterError(
            f"The model {card.name} takes {card.dtype} values as they are, but {path} holds {dtype}.",
            "Convert the image, or set `stretch` in the model's card.",
        )
    return False
