"""The keys of a training configuration for images, labels and their augmentation, one dataclass per section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...engine.raster.contrast import Contrast, Stretch
from ...engine.strict import limited

Layout = Literal["deepglobe", "voc", "camvid", "cityscapes", "lists", "chips", "mindrecord"]


@dataclass(frozen=True)
class StretchConfig:
    """A stretch of the stored values of all images of a data set, which gives them ``normalisation.contrast``.

    Attributes:
        low: value per band that becomes 0.
        high: value per band that becomes 255, above ``low``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def fits(self, bands: int) -> bool:
        """Whether it is one of images of ``bands`` bands."""
        is_complete = len(self.low) == len(self.high) == bands
        return is_complete and all(low < high for low, high in zip(self.low, self.high, strict=True))

    @property
    def stretch(self) -> Stretch:
        """The stretch as the engine has it."""
        return Stretch(self.low, self.high)


@dataclass(frozen=True)
class SourceConfig:
    """One of several data sets of a training; what is empty is taken from ``data``.

    Attributes:
        root: the folder.
        name: in tables and columns; the folder's name unless given.
        layout: folder layout.
        resolution: metres per pixel of all images; or the name of a CSV file in the folder, with columns ``name`` (of
            the image, without suffix) and ``resolution`` (or ``resolution_m``). 0 if it is the network's. Images and
            labels are resampled to the network's ``resolution``.
        weight: share of the training samples, relative to the other sources.
        licence: of the data, for the model card.
        ignore_band: distances from labelled foreground between which background is ignored in the loss, metres: where
            roads are drawn with a constant width, the rest of a wide road is not background.
        train: name of the training split.
        val: name of the validation split; without, every ``data.holdout``-th training image is held out.
        test: name of the split that only ``terraspore evaluate`` uses.
        label_map: label value in the files -> class id.
        stretch: as in ``data``.
    """

    root: str = ""
    name: str = ""
    layout: Literal["", Layout] = ""
    resolution: float | str = 0.0
    weight: float = 1.0
    licence: str = ""
    ignore_band: tuple[float, float] = (0.0, 0.0)
    train: str = ""
    val: str = ""
    test: str = ""
    label_map: Mapping[str, int] = field(default_factory=dict)
    stretch: StretchConfig | None = None


@dataclass(frozen=True)
class DataConfig:
    """Images and labels, and how they are read.

    Attributes:
        sources: several data sets that are trained on together. Samples are drawn by their weights, areas without image
            (white or black borders) are ignored, and metrics are those of each source and their mean.
        layout: folder layout (see ``training.data.layouts``).
        root: the folder.
        train: name of the training split.
        val: name of the validation split, for best weights and plateaus; empty to hold training images out instead.
        holdout: without a ``val`` split, every n-th training image by sorted name is held out; 0 for none.
        test: name of the split that only ``terraspore evaluate`` uses.
        classes: names of the classes, in the order of their ids.
        colours: RGB per class; empty for a default palette.
        ignore: label value that is not counted.
        label_map: label value in the files -> class id; empty for the layout's own.
        threads: worker threads that read and augment images.
        prefetch: batches that are made ahead.
        cache_mb: decoded images kept in memory, megabytes.
        cache_path: folder in which decoded and resampled images and labels are kept for later epochs and runs; empty
            for none.
        resize: magnification of training images and labels when they are read, before any augmentation.
        stretch: of all images to ``normalisation.contrast``, because they are parts of one image, which the engine
            stretches as a whole; None to stretch each by itself.
    """

    sources: tuple[SourceConfig, ...] = ()
    layout: Layout = "deepglobe"
    root: str = ""
    train: str = "train"
    val: str = ""
    holdout: int = 12
    test: str = "valid"
    classes: tuple[str, ...] = ("road",)
    colours: tuple[tuple[int, ...], ...] = ()
    ignore: int = 255
    label_map: Mapping[str, int] = field(default_factory=dict)
    threads: int = limited(1, default=2)
    prefetch: int = 4
    cache_mb: int = 1024
    cache_path: str = ""
    resize: float = limited(0.01, 100, default=1.0)
    stretch: StretchConfig | None = None


@dataclass(frozen=True)
class NormalisationConfig:
    """``x = (value * scale - mean) / std`` per band.

    Attributes:
        scale: factor of the values.
        mean: one per band.
        std: one per band.
        contrast: of the training images: 2nd and 98th percentiles ``low`` and ``high`` of each band, 0 to 255, and
            their standard deviations between images. Images with unusual ones are stretched, here and, because the card
            has it, in the engine. None to use values as they are.
    """

    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.3125, 0.3125, 0.3125)
    contrast: Contrast | None = None


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of training crops; chances are 0 to 1, ranges are (low, high).

    Attributes:
        crop: side of the square crop, pixels.
        scale: range of the magnification, drawn log-uniformly.
        aspect: relative change of the aspect ratio, plus or minus.
        rotate: chance of a rotation by any angle.
        perspective: shift of the corners for a perspective warp, share of the crop's side, plus or minus.
        rot90: whether quarter turns are drawn.
        hflip: chance of a mirror image, left-right.
        vflip: chance of a mirror image, top-bottom.
        border: how the outside of the image is filled: by its reflection, or grey with ignored labels.
        blank: highest share of saturated or black pixels in a crop.
        foreground: share of labelled foreground below which a crop counts as empty.
        drop_empty: chance that an empty crop is drawn again.
        exchange_chance: chance that the amplitudes of the lowest frequencies become those of an image of another source
            (of another image if there is one source): its light and colours with the crop's edges (FDA).
        exchange: range of how far they reach, share of the crop's side, below 0.5.
        histogram_chance: chance that each band's histogram is matched to that of an image of another source.
        histogram: range of how far values move towards the matched ones, 0 to 1.
        grey: chance of one grey value in all bands.
        colour: chance of a change of saturation and of the bands' balance.
        saturation: range of the saturation's factor.
        balance: relative change of each band, plus or minus.
        contrast_chance: chance of a change of contrast and brightness.
        contrast: range of the contrast's factor.
        brightness: shift, share of full scale, plus or minus.
        gamma_chance: chance of a gamma curve.
        gamma: range of its exponent.
        band_gamma_chance: chance of a gamma curve of its own for each band: another light, season or camera.
        band_gamma: range of their exponents, drawn log-uniformly.
        blur_chance: chance of a Gaussian blur.
        blur: range of its sigma, pixels.
        noise_chance: chance of Gaussian noise.
        noise: range of its sigma, share of full scale.
        haze_chance: chance of haze.
        haze: range of the share of light that comes from it.
        jpeg_chance: chance of compression as JPEG.
        jpeg: range of its quality.
        shadow_chance: chance of synthetic shadows; the label stays.
        shadow: range of the share of light that is left in them.
        crown_chance: chance of synthetic tree crowns over labelled foreground, whose label stays: for roads, not for
            land cover.
        crowns: range of their number.
        cutout_chance: chance of a grey square over the image, whose label stays: roads go on under trees.
        cutout: range of its side, share of the crop's.
        mix_chance: chance that a rectangle of the crop is replaced by that of a crop of another source, with its label
            (CutMix).
        mix: range of the rectangle's share of the crop's area.
        hsv_chance: chance of D-LinkNet's shift of hue, saturation and value.
        hsv: the largest shifts (hue of 180, saturation of 255, value of 255).
        soft_labels: whether labels are interpolated before they are thresholded, as upstream's D-LinkNet does.
    """

    crop: int = limited(1, default=256)
    scale: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    rotate: float = limited(0, 1, default=0.0)
    perspective: float = 0.0
    rot90: bool = False
    hflip: float = limited(0, 1, default=0.5)
    vflip: float = limited(0, 1, default=0.0)
    border: Literal["reflect", "ignore"] = "ignore"
    blank: float = 1.0
    foreground: float = 0.0
    drop_empty: float = limited(0, 1, default=0.0)
    exchange_chance: float = limited(0, 1, default=0.0)
    exchange: tuple[float, float] = (0.01, 0.05)
    histogram_chance: float = limited(0, 1, default=0.0)
    histogram: tuple[float, float] = (0.5, 1.0)
    grey: float = limited(0, 1, default=0.0)
    colour: float = limited(0, 1, default=0.0)
    saturation: tuple[float, float] = (0.5, 1.5)
    balance: float = 0.15
    contrast_chance: float = limited(0, 1, default=0.0)
    contrast: tuple[float, float] = (0.7, 1.4)
    brightness: float = 0.12
    gamma_chance: float = limited(0, 1, default=0.0)
    gamma: tuple[float, float] = (0.7, 1.4)
    band_gamma_chance: float = limited(0, 1, default=0.0)
    band_gamma: tuple[float, float] = (0.6, 1.7)
    blur_chance: float = limited(0, 1, default=0.0)
    blur: tuple[float, float] = (0.5, 1.2)
    noise_chance: float = limited(0, 1, default=0.0)
    noise: tuple[float, float] = (0.01, 0.04)
    haze_chance: float = limited(0, 1, default=0.0)
    haze: tuple[float, float] = (0.1, 0.4)
    jpeg_chance: float = limited(0, 1, default=0.0)
    jpeg: tuple[float, float] = (30.0, 90.0)
    shadow_chance: float = limited(0, 1, default=0.0)
    shadow: tuple[float, float] = (0.25, 0.7)
    crown_chance: float = limited(0, 1, default=0.0)
    crowns: tuple[int, int] = (2, 12)
    cutout_chance: float = limited(0, 1, default=0.0)
    cutout: tuple[float, float] = (0.05, 0.2)
    mix_chance: float = limited(0, 1, default=0.0)
    mix: tuple[float, float] = (0.1, 0.5)
    hsv_chance: float = limited(0, 1, default=0.0)
    hsv: tuple[float, float, float] = (15.0, 5.0, 15.0)
    soft_labels: bool = False
