"""The algorithm Training Chips from Raster and Vectors: data for training an own model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFolderDestination,
    QgsVectorFileWriter,
)

from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.sources import LayerSource, get_file_with_crs
from .arguments import make_chips_arguments
from .base import EngineAlgorithm
from .parameters import make_image_parameter, make_number_parameter


class ChipsAlgorithm(EngineAlgorithm):
    """Cut an image and labelled vectors into pairs of small images and masks."""

    ID = "trainingchips"
    TITLE = "Training Chips from Raster and Vectors"
    ICON = "chips"
    TAGS = "training,chips,tiles,labels,dataset,masks,deep learning"
    HELP = (
        "Cuts an image and labelled vectors into pairs of small images and masks, in the layout that "
        "`terraspore train` reads. Lines are drawn as wide as the field or number says; a class field gives the "
        "values of the masks."
    )

    def __init__(self, plugin: Any) -> None:
        super().__init__(plugin)
        self._source: LayerSource | None = None

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        self.addParameter(make_image_parameter())
        kinds = [QgsProcessing.SourceType.TypeVectorLine, QgsProcessing.SourceType.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterFeatureSource("VECTORS", tr("Labelled lines or polygons"), kinds))
        self.addParameter(
            QgsProcessingParameterField(
                "FIELD", tr("Field with the class (empty: one class)"), None, "VECTORS", optional=True
            )
        )
        size, resolution = tr("Edge of a chip in pixels"), tr("Ground resolution in m (empty: the image's)")
        self.addParameter(make_number_parameter("SIZE", size, is_whole=True, maximum=8192, default=512))
        self.addParameter(make_number_parameter("RESOLUTION", resolution, maximum=10_000))
        width = tr("Width of lines in m (empty: the engine's)")
        self.addParameter(make_number_parameter("WIDTH", width, maximum=1000))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder of chips")))

    def prepareAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the layer's properties, in the layer's own thread."""
        self._source = self.resolve_input(parameters, context)
        if self._source.path is None:
            name = self.parameterAsRasterLayer(parameters, "INPUT", context).name()
            raise QgsProcessingException(tr("{layer} is not a raster file; save it as one first.").format(layer=name))
        return True

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Write the vectors to a file, and run the engine's command ``chips``."""
        assert self._source is not None
        vectors = self._write_vectors(parameters, context, folder)
        output = Path(self.parameterAsString(parameters, "OUTPUT", context)).absolute()
        output.mkdir(parents=True, exist_ok=True)
        values = {
            name.lower(): self._format_value(parameters, name, context)
            for name in ("FIELD", "SIZE", "RESOLUTION", "WIDTH")
        }
        image = get_file_with_crs(self._source, folder)
        self.run_engine(make_chips_arguments(image, vectors, output, values), feedback)
        return {"OUTPUT": str(output)}

    def _format_value(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> str:
        definition = self.parameterDefinition(name)
        if parameters.get(name, definition.defaultValue()) in (None, ""):
            return ""
        if name == "FIELD":
            return self.parameterAsString(parameters, name, context)
        return f"{self.parameterAsDouble(parameters, name, context):g}"

    def _write_vectors(self, parameters: dict[str, Any], context: QgsProcessingContext, folder: Path) -> Path:
        """Write the vectors in the image's CRS to a private GeoPackage: layers may be anything that QGIS reads."""
        source = self.parameterAsSource(parameters, "VECTORS", context)
        if source is None or self._source is None:
            raise EngineError("The labelled vectors cannot be read.")
        crs: QgsCoordinateReferenceSystem = self._source.crs
        target = folder / "labels.gpkg"
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName = "GPKG"
        options.layerName = "labels"
        writer = QgsVectorFileWriter.create(
            str(target), source.fields(), source.wkbType(), crs, context.transformContext(), options
        )
        request = QgsFeatureRequest().setDestinationCrs(crs, context.transformContext())
        for feature in source.getFeatures(request):
            feature.setId(-1)
            if not writer.addFeature(feature):
                raise EngineError(f"The labels could not be written: {writer.errorMessage()}.")
        del writer
        return target
