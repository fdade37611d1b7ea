"""Parameters that several algorithms share, made from the engine's declared options where it declares them."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
)

from ...engine.protocol.declaration import Option, options_of
from ...engine.protocol.options import ImageOptions, RoadOptions, RuntimeOptions
from ..i18n import tr

#: The engine's options of images and of runtimes, by name.
IMAGE_OPTIONS, RUNTIME_OPTIONS = options_of(ImageOptions), options_of(RuntimeOptions)
THRESHOLD = options_of(RoadOptions)["threshold"]
#: Largest value of a number for which the engine declares none, and the same for one that may be negative.
LARGEST, LARGEST_SIGNED = 1e9, 1e300
LINES = QgsProcessing.SourceType.TypeVectorLine
POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon


def get_range(option: Option) -> tuple[float, float]:
    """Return the smallest and the largest value of a declared number, for fields and parameters."""
    info = option.info
    if option.kind == "float" and info.minimum is None and info.maximum is None:
        return -LARGEST_SIGNED, LARGEST_SIGNED
    return info.minimum or 0.0, LARGEST if info.maximum is None else info.maximum


def get_title(option: Option) -> str:
    """Return the title of a declared option in the user's language, with its unit."""
    return tr(option.info.title) + (f" ({option.info.unit})" if option.info.unit else "")


def make_option_parameter(
    option: Option, *, name: str = "", empty: str | None = None, show_default: bool = True
) -> QgsProcessingParameterDefinition:
    """Make the parameter of a declared number, choice, yes-or-no, list or layer; what is empty is left to the engine.

    Args:
        option: the declaration.
        name: name of the parameter; the option's name in capitals where empty.
        empty: what an empty field stands for, in English; None for the declared default.
        show_default: whether the title of a number says what an empty field stands for.
    """
    name, title = name or option.name.upper(), get_title(option)
    if option.kind == "bool":
        return QgsProcessingParameterBoolean(name, title, option.default)
    if option.info.holds == "raster":
        return QgsProcessingParameterRasterLayer(name, title, None, True)
    if option.info.holds:
        kind = LINES if option.info.holds == "lines" else POLYGONS
        return QgsProcessingParameterVectorLayer(name, title, [kind], None, True)
    if option.info.choices:
        return QgsProcessingParameterEnum(name, title, list(option.info.choices), False, option.default, True, True)
    if show_default:
        default = tr(option.default_text if empty is None else empty)
        title = tr("{title}, empty: {default}").format(title=title, default=default)
    if option.info.items or option.kind == "str":
        return QgsProcessingParameterString(name, title, None, False, True)
    return make_number_parameter(name, title, get_range(option), is_whole=option.kind == "int")


def make_number_parameter(
    name: str, title: str, limits: tuple[float, float], *, is_whole: bool = False, default: float | None = None
) -> QgsProcessingParameterDefinition:
    """Make an optional number within ``limits``; left empty, the engine chooses."""
    kinds = QgsProcessingParameterNumber.Type
    kind = kinds.Integer if is_whole else kinds.Double
    return QgsProcessingParameterNumber(name, title, kind, default, True, *limits)


def make_choice_parameter(name: str, title: str, values: list[str]) -> QgsProcessingParameterDefinition:
    """Make a choice whose values are their own names, so that a script may say ``"cpu"``."""
    return QgsProcessingParameterEnum(name, title, values, False, values[0], True, True)


def make_image_parameter() -> QgsProcessingParameterDefinition:
    """Make the parameter of the raster layer: a file or a service."""
    return QgsProcessingParameterRasterLayer("INPUT", tr("Image"))


def make_mosaic_parameters() -> list[QgsProcessingParameterDefinition]:
    """Make the parameters of further images of a mosaic and of images on the network, under "Advanced"."""
    files = QgsProcessingParameterFile.Behavior.Folder
    title = tr("Further images, which form a mosaic with the first and lie below it")
    more = QgsProcessingParameterMultipleLayers("MORE", title, QgsProcessing.SourceType.TypeRaster, optional=True)
    folder = QgsProcessingParameterFile("FOLDER", tr("Folder with further images of the mosaic"), files, optional=True)
    remote = make_option_parameter(IMAGE_OPTIONS["allow_remote"])
    return [mark_advanced(parameter) for parameter in (more, folder, remote)]


def make_model_parameter(title: str) -> QgsProcessingParameterDefinition:
    """Make the parameter of the model; empty for the default of the settings."""
    return QgsProcessingParameterString("MODEL", title, defaultValue="", optional=True)


def make_area_parameters() -> list[QgsProcessingParameterDefinition]:
    """Make the parameters of rectangle and polygons; both may be given."""
    extent, area = get_title(IMAGE_OPTIONS["extent"]), get_title(IMAGE_OPTIONS["area"])
    return [
        QgsProcessingParameterExtent("EXTENT", extent, optional=True),
        QgsProcessingParameterFeatureSource("AREA", area, [POLYGONS], optional=True),
    ]


def make_threshold_parameter() -> QgsProcessingParameterDefinition:
    """Make the parameter of the threshold on a model's probabilities."""
    parameter = make_option_parameter(THRESHOLD, empty="the model's")
    parameter.setMaximum(1)
    return parameter


def make_band_parameters() -> list[QgsProcessingParameterDefinition]:
    """Make bands, nodata and alpha of the image, all under "Advanced"."""
    bands = QgsProcessingParameterBand(
        "BANDS", get_title(IMAGE_OPTIONS["bands"]), None, "INPUT", optional=True, allowMultiple=True
    )
    others = [make_option_parameter(IMAGE_OPTIONS[name]) for name in ("nodata", "ignore_alpha")]
    return [mark_advanced(parameter) for parameter in (bands, *others)]


def make_inference_parameters() -> list[QgsProcessingParameterDefinition]:
    """Make bands, nodata, overlap, augmentation, device, runtime and resuming, all under "Advanced"."""
    choices = [
        make_choice_parameter(name.upper(), get_title(option), list(option.info.suggestions))
        for name, option in RUNTIME_OPTIONS.items()
        if option.info.suggestions
    ]
    resume = QgsProcessingParameterBoolean("RESUME", tr("Continue the unfinished run of this output"), False)
    numbers = [make_option_parameter(IMAGE_OPTIONS[name]) for name in ("overlap", "tta", "keep_contrast")]
    return [*make_band_parameters(), *(mark_advanced(parameter) for parameter in (*numbers, *choices, resume))]


def make_vector_output(title: str, kind: QgsProcessing.SourceType) -> QgsProcessingParameterDefinition:
    """Make the parameter of the GeoPackage to write."""
    return QgsProcessingParameterVectorDestination("OUTPUT", title, kind)


def make_raster_output(name: str, title: str) -> QgsProcessingParameterDefinition:
    """Make the parameter of a raster that is written only on request."""
    return QgsProcessingParameterRasterDestination(name, title, None, optional=True, createByDefault=False)


def mark_advanced(parameter: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    """Show ``parameter`` under "Advanced"."""
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return parameter
