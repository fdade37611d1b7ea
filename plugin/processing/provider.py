"""The Processing provider "TerraSpore"."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..context import PluginContext
from ..paths import icon_path
from .batch import BatchAlgorithm
from .chips import ChipsAlgorithm
from .compare import CompareAlgorithm
from .extract import ExtractLandCover, ExtractRoads, Segment
from .vectorize import VectorizeAlgorithm

ALGORITHMS = (
    ExtractRoads,
    ExtractLandCover,
    Segment,
    BatchAlgorithm,
    VectorizeAlgorithm,
    ChipsAlgorithm,
    CompareAlgorithm,
)


class TerraSporeProvider(QgsProcessingProvider):
    """Lists the algorithms, with or without an engine.

    Args:
        plugin: the engine's processes and the settings.
    """

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self._plugin = plugin

    def loadAlgorithms(self) -> None:  # noqa: N802
        """Add an instance of each algorithm."""
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm(self._plugin))

    def id(self) -> str:
        """Return the part before the colon of every algorithm's identifier."""
        return "terraspore"

    def name(self) -> str:
        """Return the provider's title in the toolbox."""
        return "TerraSpore"

    def icon(self) -> QIcon:
        """Return the provider's icon."""
        return QIcon(icon_path("terraspore"))

    def svgIconPath(self) -> str:  # noqa: N802
        """Return the icon's path."""
        return icon_path("terraspore")

    def supportedOutputVectorLayerExtensions(self) -> list[str]:  # noqa: N802
        """Return GeoPackage alone: one file holds all layers, styles and metadata of a result."""
        return ["gpkg"]

    def supportedOutputRasterLayerExtensions(self) -> list[str]:  # noqa: N802
        """Return GeoTIFF alone."""
        return ["tif"]
