"""The algorithm Training Chips from Raster and Vectors: data for training an own model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsProcessing,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFolderDestination,
)

from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.geopackage import make_geopackage_writer
from ..layers.sources import get_file_with_crs
from .arguments import make_chips_arguments, make_option_arguments
from .base import EngineAlgorithm
from .inputs import RunInputs
from .parameters import IMAGE_OPTIONS, make_band_parameters, make_image_parameter, make_number_parameter


class ChipsAlgorithm(EngineAlgorithm):
    """Cut an image and labelled vectors into pairs of small images and masks."""

    ID = "trainingchips"
    TITLE = "Training Chips from Raster and Vectors"
    ICON = "chips"
    NEEDS_FILE = True
    TAGS = "training,chips,tiles,labels,dataset,masks,deep learning"
    HELP = (
        "Cuts an image and labelled vectors into pairs of small images and masks, in the layout that "
        "`terraspore train` reads. Lines are drawn as wide as the field or number says; a class field gives the "
        "values of the masks. Where polygons say what was checked, pixels outside of them are not labelled."
    )

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
        self.addParameter(make_number_parameter("SIZE", size, (0, 8192), is_whole=True, default=512))
        self.addParameter(make_number_parameter("RESOLUTION", resolution, (0, 10_000)))
        width = tr("Width of lines in m (empty: the engine's)")
        self.addParameter(make_number_parameter("WIDTH", width, (0, 1000)))
        numeric = QgsProcessingParameterField.DataType.Numeric
        field = tr("Field with the width of lines in m")
        self.addParameter(QgsProcessingParameterField("WIDTH_FIELD", field, None, "VECTORS", numeric, optional=True))
        area = tr("Polygons that were checked (empty: the whole image)")
        polygons = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterFeatureSource("AREA", area, polygons, optional=True))
        for parameter in make_band_parameters():
            self.addParameter(parameter)
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder of chips")))

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Write the vectors to a file, and run the engine's command ``chips``."""
        vectors = self._write_vectors(inputs, "VECTORS", folder / "labels.gpkg")
        output = Path(inputs.get_text("OUTPUT")).absolute()
        output.mkdir(parents=True, exist_ok=True)
        values = {"field": inputs.get_text("FIELD"), "width-field": inputs.get_text("WIDTH_FIELD")}
        if inputs.has("AREA"):
            values["area"] = str(self._write_vectors(inputs, "AREA", folder / "area.gpkg"))
        for name in ("SIZE", "RESOLUTION", "WIDTH"):
            number = inputs.get_number(name)
            values[name.lower()] = "" if number is None else f"{number:g}"
        image = get_file_with_crs(self.source, folder)
        found = {
            "bands": inputs.get_bands() or None,
            **{name: inputs.get_option(IMAGE_OPTIONS[name]) for name in ("nodata", "ignore_alpha")},
        }
        further = make_option_arguments((IMAGE_OPTIONS[name], value) for name, value in found.items())
        self.run_engine(make_chips_arguments(image, vectors, output, values) + further, inputs.feedback)
        return {"OUTPUT": str(output)}

    def _write_vectors(self, inputs: RunInputs, name: str, target: Path) -> Path:
        """Write vectors in the image's CRS to a private GeoPackage: layers may be anything that QGIS reads."""
        source = inputs.get_source(name)
        if source is None:
            raise EngineError(tr("The labelled vectors cannot be read."))
        crs, transforms = self.source.crs, inputs.context.transformContext()
        writer = make_geopackage_writer(
            target, target.stem, source.fields(), source.wkbType(), crs=crs, transforms=transforms
        )
        request = QgsFeatureRequest().setDestinationCrs(crs, transforms)
        for feature in source.getFeatures(request):
            feature.setId(-1)
            if not writer.addFeature(feature):
                text = tr("The labels could not be written: {reason}.")
                raise EngineError(text.format(reason=writer.errorMessage()))
        del writer
        return target
