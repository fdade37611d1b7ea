"""The imagery of a run: one image, or several that form a mosaic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio

from ..context import RunContext
from ..errors import ModelError, ParameterError
from ..models.card import ModelCard
from ..protocol.messages import Message
from ..protocol.options import ImageOptions
from ..raster.bands import Bands, choose_bands
from ..raster.contrast import Stretch
from ..raster.dataset import Source, enter_source, open_source
from ..raster.gdal_environment import SAFE_SETTINGS
from ..raster.grid import Grid
from ..raster.mosaic import open_mosaic
from ..raster.mosaic_layout import SurveyedImage, describe_layout, group_remarks, lay_out, survey_images
from ..raster.pixel_view import ImageSpec, PixelView, Placement, SourceSpec, describe_image, name_images
from ..raster.reader import ImageView
from ..raster.remote import is_remote, retry_remote
from ..raster.stretch import estimate_stretch

if TYPE_CHECKING:
    from ..raster.area import Area


@dataclass(frozen=True)
class Imagery(ABC):
    """Opened imagery, of which a view for a model can be made.

    Attributes:
        name: for messages.
        files: all files that are read.
        size: columns and rows.
        pixel_size: metres on the ground per column and per row.
        remarks: what the person should know of it.
        options: of reading it.
        context: receives progress and messages; checked for cancellation.
    """

    name: str
    files: Sequence[Path]
    size: tuple[int, int]
    pixel_size: tuple[float, float]
    remarks: Sequence[Message]
    options: ImageOptions
    context: RunContext

    @abstractmethod
    def make_grid(self, resolution: float) -> Grid:
        """Return the grid over all of it at ``resolution`` metres per pixel."""

    @abstractmethod
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
            files, size = [Path(name) for name in source.file.files], (source.width, source.height)
            facts = (source.path.name, files, size, source.pixel_size, source.remarks)
            yield _SingleImage(*facts, options, context, source)
        return
    images = survey_images(paths, options, context)
    layout, name = lay_out(images, None), name_images([image.path for image in images])
    files, size = [file for image in images for file in image.files], (layout.lattice.width, layout.lattice.height)
    remarks = [*describe_layout(images, layout), *group_remarks(images)]
    yield _Mosaic(name, files, size, layout.pixel_size, remarks, options, context, images)


@dataclass(frozen=True)
class _SingleImage(Imagery):
    """One image."""

    source: Source

    def make_grid(self, resolution: float) -> Grid:
        return self.source.make_grid(resolution)

    def make_view(
        self, grid: Grid, area: Area | None, resolution: float, card: ModelCard, resources: ExitStack
    ) -> PixelView:
        bands = choose_bands(self.source, self.options.bands, card.bands)
        stretch = _choose_stretch(self.source, bands, card, self.options)
        for remark in (*bands.remarks, *_describe_stretch(self.source, stretch)):
            self.context.report(remark)
        return ImageView(self.source, grid, bands, stretch, card.dtype, area=area)


@dataclass(frozen=True)
class _Mosaic(Imagery):
    """Several images on one lattice."""

    images: list[SurveyedImage]

    def make_grid(self, resolution: float) -> Grid:
        return lay_out(self.images, resolution).make_grid(resolution)

    def make_view(
        self, grid: Grid, area: Area | None, resolution: float, card: ModelCard, resources: ExitStack
    ) -> PixelView:
        layout = lay_out(self.images, resolution)
        placed = list(zip(self.images, layout.placements, strict=True))
        described = [
            retry_remote(image.path, partial(self._describe, image, placement, card))
            for image, placement in self.context.track("read", placed)
        ]
        for remark in group_remarks(self.images, [remarks for _, remarks in described]):
            self.context.report(remark)
        spec = SourceSpec(tuple(image for image, _ in described), card.bands, card.dtype, grid, area, layout.lattice)
        return resources.enter_context(open_mosaic(spec))

    def _describe(
        self, image: SurveyedImage, placement: Placement, card: ModelCard
    ) -> tuple[ImageSpec, tuple[Message, ...]]:
        """Choose bands and stretch of one image; return them with remarks on the bands."""
        with rasterio.Env(**SAFE_SETTINGS), ExitStack() as stack:
            source = enter_source(image.path, self.options, stack, image.tags)
            bands = choose_bands(source, self.options.bands, card.bands)
            stretch = _choose_stretch(source, bands, card, self.options)
            remarks = (*bands.remarks, *_describe_stretch(source, stretch))
            return describe_image(source, bands, stretch, placement), remarks


def _choose_stretch(source: Source, bands: Bands, card: ModelCard, options: ImageOptions) -> Stretch | None:
    """Estimate the stretch of an image to uint8; None where the model takes the values as they are.

    Raises:
        ModelError: the card asks for stretched pixels of another type.
        ParameterError: the model takes unstretched values, and its type cannot hold those of the image.
    """
    if card.stretch:
        if card.dtype != "uint8":
            raise ModelError(
                f"The card of {card.name} asks for stretched pixels of type {card.dtype}; stretched are uint8."
            )
        is_kept = options.keep_contrast and source.dtype == "uint8"
        return None if is_kept else estimate_stretch(source, bands, card.contrast)
    if card.dtype != "float32" and np.dtype(source.dtype).itemsize > np.dtype(card.dtype).itemsize:
        raise ParameterError(
            f"The model {card.name} takes {card.dtype} values as they are, but {source.path} holds {source.dtype}.",
            "Convert the image, or set `stretch` in the model's card.",
        )
    return None


def _describe_stretch(source: Source, stretch: Stretch | None) -> list[Message]:
    """Say that the contrast of 8-bit imagery was changed, where it was changed much."""
    if stretch is None or not stretch.is_notable:
        return []
    text = f"The contrast of {source.path.name} was matched to that of the model's training images"
    return [Message(f"{text}; --keep-contrast uses it as it is.")]
