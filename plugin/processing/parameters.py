"""Parameters that several algorithms share."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from ...engine.protocol.options import (
    DEVICE_NAMES,
    RUNTIME_NAMES,
    ImageOptions,
    Option,
    RuntimeOptions,
    options_of,
)
from ..i18n import tr

#: The engine's options of images and of runtimes, by name.
IMAGE, RUNTIME = options_of(ImageOptions), options_of(RuntimeOptions)
#: Largest value of a number for which the engine declares none.
LARGEST = 1e9
LINES = QgsProcessing.SourceType.TypeVectorLine
POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon


def advanced(parameter: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    """``parameter``, shown under "Advanced"."""
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return parameter


def image() -> QgsProcessingParameterDefinition:
    """The raster layer: a file or a service."""
    return QgsProcessingParameterRasterLayer("INPUT", tr("Image"))


def model(title: str) -> QgsProcessingParameterDefinition:
    """The model; empty for the default of the settings."""
    return QgsProcessingParameterString("MODEL", title, defaultValue="", optional=True)


def area() -> list[QgsProcessingParameterDefinition]:
    """Rectangle and polygons; both may be given."""
    return [
        QgsProcessingParameterExtent("EXTENT", option_title(IMAGE["extent"], show_default=False), optional=True),
        QgsProcessingParameterFeatureSource(
            "AREA", option_title(IMAGE["area"], show_default=False), [POLYGONS], optional=True
        ),
    ]


def inference() -> list[QgsProcessingParameterDefinition]:
    """Bands, overlap, augmentation, device, runtime, resuming: all under "Advanced"."""
    return [
        advanced(
            QgsProcessingParameterBand(
                "BANDS",
                option_title(IMAGE["bands"], show_default=False),
                None,
                "INPUT",
                optional=True,
                allowMultiple=True,
            )
        ),
        advanced(engine_option(IMAGE["overlap"])),
        advanced(
            QgsProcessingParameterBoolean("TTA", option_title(IMAGE["tta"], show_default=False), IMAGE["tta"].default)
        ),
        advanced(static_choice("DEVICE", tr(RUNTIME["device"].info.title), list(DEVICE_NAMES))),
        advanced(static_choice("RUNTIME", tr(RUNTIME["runtime"].info.title), list(RUNTIME_NAMES))),
        advanced(QgsProcessingParameterBoolean("RESUME", tr("Continue the unfinished run of this output"), False)),
    ]


def number(
    name: str, title: str, *, whole: bool = False, maximum: float = 1e6, default: float | None = None
) -> QgsProcessingParameterDefinition:
    """An optional number of at least 0; left empty, the engine chooses."""
    kinds = QgsProcessingParameterNumber.Type
    kind = kinds.Integer if whole else kinds.Double
    return QgsProcessingParameterNumber(name, title, kind, default, True, 0, maximum)


def engine_option(option: Option, *, show_default: bool = True) -> QgsProcessingParameterDefinition:
    """Make the parameter of a number that the engine declares; left empty, the engine's default holds."""
    kinds = QgsProcessingParameterNumber.Type
    kind = kinds.Integer if option.kind == "int" else kinds.Double
    info = option.info
    maximum = LARGEST if info.maximum is None else info.maximum
    title = option_title(option, show_default=show_default)
    return QgsProcessingParameterNumber(option.name.upper(), title, kind, None, True, info.minimum or 0, maximum)


def option_title(option: Option, *, show_default: bool = True) -> str:
    """Title of an engine's option with its unit and, where wanted, what an empty field stands for."""
    title = tr(option.info.title) + (f" ({option.info.unit})" if option.info.unit else "")
    return (
        tr("{title}, empty: {default}").format(title=title, default=tr(option.default_text)) if show_default else title
    )


def threshold() -> QgsProcessingParameterDefinition:
    """The threshold on probabilities."""
    return number("THRESHOLD", tr("Threshold on probability (empty: the model's)"), maximum=1)


def static_choice(name: str, title: str, values: list[str]) -> QgsProcessingParameterDefinition:
    """A choice whose values are their own names, so that a script may say ``"cpu"``."""
    return QgsProcessingParameterEnum(name, title, values, False, values[0], True, True)


def vectors(title: str, kind: QgsProcessing.SourceType) -> QgsProcessingParameterDefinition:
    """The GeoPackage to write."""
    return QgsProcessingParameterVectorDestination("OUTPUT", title, kind)


def raster(name: str, title: str) -> QgsProcessingParameterDefinition:
    """An optional raster, not made unless asked for."""
    return QgsProcessingParameterRasterDestination(name, title, None, optional=True, createByDefault=False)
